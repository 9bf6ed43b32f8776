"""The linear response of a camera to a spectrum: sensor, white balance, colour matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.cameras.illuminants import Light
from napari_hsr.cameras.sensitivities import Camera, get_camera
from napari_hsr.colour.matrix import integrate, to_linear_srgb, why_no_true_colour
from napari_hsr.colour.observers import (
    band_widths,
    colour_science,
    illuminant_values,
    observer_values,
    sample,
)
from napari_hsr.errors import InputError

Normalise = Literal["sum", "white"] | None

NORMALISATIONS = {
    "sum": "each sensitivity curve scaled to sum 1 over the bands",
    "white": "white-balanced: a perfect reflector records 1 in each channel",
    None: "sensitivities in the units of their table",
}

_OBSERVER = "cie-1931"
#: Condition number of the colours seen above which two channels are one.
_MOST_ALIKE = 1e6


@told
def matrix(
    camera: str | Camera,
    wavelengths_nm: np.ndarray,
    illuminant: str | np.ndarray | None = None,
    normalise: Normalise = "sum",
) -> np.ndarray:
    """Compute the matrix from spectra to a camera's linear response.

    Parameters
    ----------
    camera : str or Camera
        As :func:`get_camera` takes it.
    wavelengths_nm : array-like, shape (bands,)
        Band centres in nm, ascending. The curves are taken exactly where the grids coincide,
        linearly between, and as zero outside their measured range.
    illuminant : str, array-like of shape (bands,), or None
        The light on a reflectance cube, by name or as its relative power in each band; None
        for an equal-energy light, or for radiance.
    normalise : {"sum", "white", None}
        ``"sum"``: each curve is scaled to sum 1 over the bands; under an illuminant one common
        factor then makes the perfect reflector 1 in its brightest channel, so the picture keeps
        the colour of the light. ``"white"``: each channel of the perfect reflector is 1 under
        the illuminant. None: sensitivity times illuminant as tabulated, no scaling.

    Returns
    -------
    ndarray, shape (bands, 3), float64
        ``matrix.T @ spectrum`` is the response (R, G, B). On an irregular grid the scaled
        curves are weighted by the width of each band.

    Raises
    ------
    InputError
        If the camera has no sensitivity on these bands, or a name is not known.
    """
    camera = get_camera(camera)
    if normalise not in NORMALISATIONS:
        raise InputError(f"The normalisation {normalise!r} is not known; it is sum, white or None.")
    nm = np.asarray(wavelengths_nm, dtype=np.float64).ravel()
    if not nm.size:
        raise InputError("Wavelengths are empty: one value in nm is needed for each band.")
    curves = sample(nm, camera.wavelengths_nm, camera.sensitivities)
    if (curves.sum(axis=0) <= 0).any():
        raise InputError(
            f"The camera {camera.name} ({camera.wavelengths_nm[0]:g}–{camera.wavelengths_nm[-1]:g} "
            f"nm) has a channel that sees nothing of bands at {nm[0]:g}–{nm[-1]:g} nm."
        )
    light = _power(illuminant, nm)
    if normalise is None:
        return curves * light[:, None]
    widths = band_widths(nm)
    if np.ptp(widths) > 0:
        curves = curves * widths[:, None]
    if normalise == "white":
        curves = curves * light[:, None]
        return curves / _positive(curves.sum(axis=0), camera, illuminant)
    curves = curves / curves.sum(axis=0)
    if illuminant is not None:
        curves = curves * light[:, None]
        curves = curves / _positive(curves.sum(axis=0), camera, illuminant).max()
    return curves


def _power(illuminant: str | np.ndarray | None, nm: np.ndarray) -> np.ndarray:
    if illuminant is None:
        return np.ones(nm.size)
    if isinstance(illuminant, str):
        return illuminant_values(illuminant, nm)
    power = np.asarray(illuminant, dtype=np.float64)
    if power.size != nm.size:
        raise InputError(f"The light has {power.size} values, and there are {nm.size} wavelengths.")
    return power.ravel()


def _positive(
    response: np.ndarray, camera: Camera, illuminant: str | np.ndarray | None
) -> np.ndarray:
    if (response <= 0).any():
        light = f"the illuminant {illuminant}" if isinstance(illuminant, str) else "this light"
        raise InputError(
            f"Under {light} a channel of the camera {camera.name} records nothing on these bands."
        )
    return response


@dataclass(frozen=True, eq=False)
class Response:
    """A camera's linear response to a spectrum s: ``s @ sensor * balance @ correction``.

    Attributes
    ----------
    sensor : ndarray, shape (bands, 3), float64
        From the cube to the sensor, where noise arises.
    balance : ndarray, shape (3,), float64
        Gains of the white balance, at least 1; ones if there is none.
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
    """Compute a camera's response to reflectances under a light.

    Parameters
    ----------
    camera : Camera
        An observer renders the scene as people see it: its sensor records X, Y and Z, each 1
        for the perfect reflector, and its correction leads to linear sRGB.
    light : Light or None
        None applies no illuminant, or D65 for an observer.
    nm : tuple of float
        Band centres.
    normalise : {"sum", "white", None}
        As :func:`napari_hsr.cameras.matrix`.
    white_balance : bool
        Scale the sensor to 1 for a perfect reflector in its brightest channel, and the other
        channels by the white balance.
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


#: The same with a cache, for cameras of a pool and named lights, which recur.
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
    """Fit the colour matrix of a camera, from its white-balanced response to linear sRGB.

    Least squares over :func:`reflectances`, with the CIE 1931 observer under the same light,
    adapted to D65 (Bradford), as the target. White is preserved exactly: among all matrices with
    ``(1, 1, 1) @ A = (1, 1, 1)`` it has the least squared error, by a Lagrange multiplier,
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

    Raises
    ------
    InputError
        If the channels do not tell colours apart.
    """
    weights = _seen(_OBSERVER, light or Light("equal-energy"), nm)
    target = to_linear_srgb(weights, weights.sum(axis=0))
    samples = reflectances(nm)
    seen, wanted = samples @ balanced, samples @ target
    if np.linalg.cond(seen) > _MOST_ALIKE:
        raise InputError(
            "Two channels see the same, so no colour matrix to sRGB can be fitted: a camera with "
            "three unlike channels is needed, and a light of more than one colour."
        )
    inverse = np.linalg.inv(seen.T @ seen)
    free = inverse @ (seen.T @ wanted)
    direction = inverse.sum(axis=1)
    return free + np.outer(direction / direction.sum(), 1.0 - free.sum(axis=0))


@lru_cache(maxsize=16)
def reflectances(nm: tuple[float, ...]) -> np.ndarray:
    """Measured reflectances for fitting colour matrices, (123, bands), 0..1, from colour-science.

    The 99 test colour samples of CIE 224:2017, selected from 105,000 measured spectra of nature,
    skin, textiles, paints, plastics and prints, and the 24 patches of a ColorChecker (Ohta 1997);
    interpolated linearly, constant outside 380–780 nm.
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
    """Mix two cameras: ``share`` of the first, the rest of the second.

    Each is first scaled to a sum of 1 over all bands and channels, so that the units of the
    tables do not matter and the channels keep their proportions.
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
