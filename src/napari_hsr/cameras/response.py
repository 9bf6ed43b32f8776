"""What a camera makes of a spectrum before there is noise: sensor, white balance, colour matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from napari_hsr.cameras.illuminants import Light
from napari_hsr.cameras.sensitivities import Camera
from napari_hsr.cameras.simulate import Normalise, matrix
from napari_hsr.colour.matrix import integrate, to_linear_srgb, why_no_true_colour
from napari_hsr.colour.observers import band_widths, colour_science, observer_values, sample
from napari_hsr.errors import InputError

_OBSERVER = "cie-1931"


@dataclass(frozen=True, eq=False)
class Response:
    """The linear way of a spectrum through a camera: ``s @ sensor * balance @ correction``.

    Attributes
    ----------
    sensor : ndarray, shape (bands, 3), float64
        From the cube to what the sensor records, where noise arises.
    balance : ndarray, shape (3,), float64
        Gains of the white balance; ones if there is none. At least 1, as in a camera.
    correction : ndarray, shape (3, 3), float64, or None
        The colour matrix to linear sRGB, for rows of colours: ``balanced @ correction``.
    """

    sensor: np.ndarray
    balance: np.ndarray
    correction: np.ndarray | None

    @property
    def whole(self) -> np.ndarray:
        """From the cube to the linear photograph, shape (bands, 3)."""
        balanced = self.sensor * self.balance
        return balanced if self.correction is None else balanced @ self.correction


def response(
    camera: Camera,
    light: Light | None,
    nm: tuple[float, ...],
    normalise: Normalise = "sum",
    white_balance: bool = False,
    colour_matrix: bool = False,
) -> Response:
    """How a camera sees reflectances under a light.

    Parameters
    ----------
    camera : Camera
        An observer stands for rendering the scene as people see it: its sensor records X, Y
        and Z, each 1 for the perfect reflector, and its correction leads to linear sRGB.
    light : Light or None
        None: the cube is taken as it is, which for an observer is reflectance under D65.
    nm : tuple of float
        Band centres.
    normalise : {"sum", "white", None}
        As :func:`napari_hsr.cameras.matrix`.
    white_balance : bool
        The sensor is scaled to record 1 of a perfect reflector in its brightest channel, and
        the others are raised to it.
    colour_matrix : bool
        See :func:`to_srgb`.

    Raises
    ------
    InputError
        If the camera or the light does not fit the bands.
    """
    power = None if light is None else light.power(np.array(nm))
    if camera.observer:
        return _observed(camera.observer, Light("D65") if light is None else light, nm)
    grid = np.array(nm)
    sensor = matrix(camera, grid, power, normalise)
    balance = np.ones(3)
    if white_balance:
        widths = band_widths(grid)
        if normalise is None and np.ptp(widths) > 0:
            sensor = sensor * widths[:, None]
        white = sensor.sum(axis=0)
        if (white <= 0).any():
            raise InputError(
                f"The camera {camera.name} cannot be white-balanced under "
                f"{light.describe() if light else 'an equal-energy light'}: "
                "a channel records nothing."
            )
        sensor, balance = sensor / white.max(), white.max() / white
    correction = to_srgb(sensor * balance, light, nm) if colour_matrix else None
    return Response(sensor, balance, correction)


#: The same, remembered: cameras of a pool and named lights come again and again.
remembered_response = lru_cache(maxsize=1024)(response)


def _observed(observer: str, light: Light, nm: tuple[float, ...]) -> Response:
    weights = _seen(observer, light, nm)
    white = weights.sum(axis=0)
    return Response(weights / white, np.ones(3), to_linear_srgb(np.diag(white), white))


def _seen(observer: str, light: Light, nm: tuple[float, ...]) -> np.ndarray:
    """Weights of the bands in X, Y and Z under a light, (bands, 3)."""
    reason = why_no_true_colour(np.array(nm))
    if reason:
        raise InputError(reason)
    return integrate(
        np.array(nm), lambda at: observer_values(observer, at) * light.power(at)[:, None]
    )


def to_srgb(balanced: np.ndarray, light: Light | None, nm: tuple[float, ...]) -> np.ndarray:
    """The colour matrix of a camera, from its white-balanced response to linear sRGB.

    Least squares over :func:`reflectances`, towards what the CIE 1931 observer sees of them
    under the same light, adapted to D65 (Bradford). White is kept exactly: of all matrices with
    ``(1, 1, 1) @ A = (1, 1, 1)`` the one of least squared error, by a Lagrange multiplier,
    ``A = A₀ + G⁻¹ 1 (1ᵀ G⁻¹ 1)⁻¹ (1ᵀ − 1ᵀ A₀)`` with ``G = XᵀX``.

    Parameters
    ----------
    balanced : ndarray, shape (bands, 3)
        From the cube to the white-balanced response; columns sum to 1.
    light : Light or None
        None for an equal-energy light.
    nm : tuple of float
        Band centres.

    Returns
    -------
    ndarray, shape (3, 3), float64
        For rows of colours.
    """
    weights = _seen(_OBSERVER, light or Light("equal-energy"), nm)
    target = to_linear_srgb(weights, weights.sum(axis=0))
    samples = reflectances(nm)
    seen, wanted = samples @ balanced, samples @ target
    inverse = np.linalg.inv(seen.T @ seen)
    free = inverse @ (seen.T @ wanted)
    direction = inverse.sum(axis=1)
    return free + np.outer(direction / direction.sum(), 1.0 - free.sum(axis=0))


@lru_cache(maxsize=16)
def reflectances(nm: tuple[float, ...]) -> np.ndarray:
    """Measured reflectances to fit colour matrices on, (123, bands), in 0..1, from colour-science.

    The 99 test colour samples of CIE 224:2017, which were chosen from 105,000 measured spectra
    of nature, skin, textiles, paints, plastics and print, and the 24 of a ColorChecker (Ohta
    1997); linear between their wavelengths and constant outside 380–780 nm.
    """
    colour = colour_science()
    fine = np.arange(380.0, 781.0, 5.0)
    cie = colour.quality.cfi2017.load_TCS_CIE2017(colour.SpectralShape(380, 780, 5)).values
    checker = colour.SDS_COLOURCHECKERS["ColorChecker N Ohta"].values()
    checker = [sample(fine, sd.wavelengths, sd.values[:, None])[:, 0] for sd in checker]
    rows = np.vstack([cie.T, checker])
    values = np.stack([np.interp(nm, fine, row) for row in rows])
    values.flags.writeable = False
    return values


def mixture(first: Camera, second: Camera, share: float, nm: tuple[float, ...]) -> Camera:
    """A camera between two: ``share`` of the first, the rest of the second.

    Each is scaled as a whole before, to a sum of 1 over bands and channels, so that the units
    of the tables do not matter and the channels keep their proportions.
    """
    grid = np.array(nm)
    one, other = (sample(grid, c.wavelengths_nm, c.sensitivities) for c in (first, second))
    for camera, curves in ((first, one), (second, other)):
        if not curves.sum() > 0:
            raise InputError(
                f"The camera {camera.name} sees nothing of bands at {nm[0]:g}–{nm[-1]:g} nm."
            )
    mixed = share * one / one.sum() + (1 - share) * other / other.sum()
    name = f"{first.name} ({share:.0%}) with {second.name} ({1 - share:.0%})"
    return Camera(name, grid, mixed, "mixed")
