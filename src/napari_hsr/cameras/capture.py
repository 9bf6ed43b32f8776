"""Photographs of cubes for training and testing: a camera, with its noise and its file.

The way of the light: reflectance × illuminant × sensitivities × exposure is what the sensor
records; there shot and read noise arise. White balance, clipping, the colour matrix, the sRGB
curve, rounding and JPEG follow, and make of the noise what they make of it in a camera.

Ranges are drawn log-uniformly for exposure and photoelectrons, evenly for all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from napari_hsr.cameras.capture_settings import CaptureSettings, Draw
from napari_hsr.cameras.lights import Light, draw_light, known_light
from napari_hsr.cameras.mosaic import demosaic, mosaic
from napari_hsr.cameras.pool import camera_pool
from napari_hsr.cameras.response import Response, mixture, remembered_response, response
from napari_hsr.cameras.sensitivities import Camera
from napari_hsr.colour.render import project
from napari_hsr.colour.transfer import srgb_encode
from napari_hsr.errors import InputError
from napari_hsr.photograph import CAMERA, LINEAR_SRGB, SRGB

_ROUNDING = 1e-6  # beyond 0..1 by less than this is not clipping


class Developed(NamedTuple):
    """A picture as its file holds it, (h, w, 3) float32 in the file's 0..1, and what was lost."""

    picture: np.ndarray
    over: int  #: pixels with a channel above 1 that was clipped
    under: int  #: pixels with a channel below 0 that was clipped


@dataclass(frozen=True, eq=False)
class Capture:
    """One camera, light, exposure and file, drawn: takes photographs of cubes.

    Attributes
    ----------
    camera_name : str
    light : str
        In words.
    response : Response
        The linear way from a cube through the sensor to the photograph, at gain 1.
    gain : float
        Exposure in all: what the decoded photograph shows is the cube times this. A perfect
        reflector is as bright as this, after white balance.
    encoding : str
        Of the file: ``"srgb"``, ``"linear-srgb"`` or ``"camera:<slug>"``.
    electrons : float or None
        Photoelectrons at the value 1; None for no shot noise.
    read_noise : float
        Standard deviation, in units of the sensor.
    clip : bool
        To 0..1 after the white balance and after the colour matrix.
    bits : 8, 16 or None
    quality : int or None
        Of the JPEG file; None if it is none.
    pattern : bool
        The sensor sees through a Bayer pattern, in 16 bits, and is demosaiced edge-aware.
    truncate : bool
        8-bit values are cut off, not rounded.
    notes : tuple of str
        Sentences that come before those on the steps; the user must see them.
    """

    camera_name: str
    light: str
    response: Response
    gain: float
    encoding: str
    electrons: float | None = None
    read_noise: float = 0.0
    clip: bool = False
    bits: int | None = None
    quality: int | None = None
    pattern: bool = False
    truncate: bool = False
    notes: tuple[str, ...] = ()
    made: tuple[str, ...] = ()

    @property
    def matrix(self) -> np.ndarray:
        """From a cube to the linear photograph at gain 1, (bands, 3) float64.

        ``matrix.T @ (gain * s)`` is what the decoded photograph shows of a spectrum, but for
        noise, clipping and rounding. Its columns span what the sensor sees.
        """
        return self.response.whole

    def take(self, cube: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The photograph of a cube.

        Parameters
        ----------
        cube : ndarray, shape (bands, h, w)
            As it is, before the gain.
        rng : Generator
            For the noise.

        Returns
        -------
        ndarray, shape (h, w, 3), float32
            As the file holds it, its numbers scaled to 0..1.

        Raises
        ------
        InputError
            If the bands are not those of the capture, or values are not finite.
        """
        return self.develop(self.expose(cube), rng).picture

    def expose(self, cube: np.ndarray) -> np.ndarray:
        """What the sensor would record without noise, (h, w, 3) float32; exposed by the gain."""
        cube = np.asarray(cube, dtype=np.float32)
        sensor = self.response.sensor
        if cube.ndim != 3 or cube.shape[0] != sensor.shape[0]:
            raise InputError(
                f"A capture for {sensor.shape[0]} bands cannot be taken of an array of shape "
                f"{cube.shape}; (bands, h, w) is wanted."
            )
        return project(cube, sensor * self.gain)

    def develop(self, sensor: np.ndarray, rng: np.random.Generator) -> Developed:
        """What the camera makes of the light on its sensor; ``sensor`` as :meth:`expose` gives it."""
        if not np.isfinite(sensor).all():
            raise InputError("A cube with values that are not finite cannot be photographed.")
        values = self._recorded(sensor, rng)
        if (self.response.balance != 1).any():
            values = values * self.response.balance.astype(np.float32)
        over = under = np.zeros(values.shape[:2], dtype=bool)
        if self._clips:
            over = (values > 1 + _ROUNDING).any(axis=-1)
            under = (values < -_ROUNDING).any(axis=-1)
            values = np.clip(values, 0.0, 1.0)
        if self.response.correction is not None:
            values = values @ self.response.correction.astype(np.float32)
            if self._clips:
                over = over | (values > 1 + _ROUNDING).any(axis=-1)
                under = under | (values < -_ROUNDING).any(axis=-1)
                values = np.clip(values, 0.0, 1.0)
        if self.encoding == SRGB:
            values = srgb_encode(values)
        picture = self._filed(np.ascontiguousarray(values, dtype=np.float32))
        return Developed(picture, int(over.sum()), int(under.sum()))

    @property
    def _clips(self) -> bool:
        return self.clip or self.bits is not None or self.quality is not None

    def _recorded(self, sensor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """With the noise of the sensor, and seen through its pattern if it has one."""
        values = mosaic(sensor) if self.pattern else sensor
        if self.electrons is not None:
            mean = np.maximum(values, 0.0, dtype=np.float64) * self.electrons
            values = (rng.poisson(mean) / self.electrons).astype(np.float32)
        if self.read_noise > 0:
            noise = rng.standard_normal(values.shape, dtype=np.float32)
            values = values + np.float32(self.read_noise) * noise
        if self.pattern:
            top = np.float32(2**16 - 1)
            values = demosaic(np.rint(np.clip(values, 0.0, 1.0) * top) / top)
        return values

    def _filed(self, values: np.ndarray) -> np.ndarray:
        """Rounded, and through the JPEG coder if there is one."""
        if self.quality is None and self.bits is None:
            return values
        top = 255 if self.quality is not None or self.bits == 8 else 65535
        levels = np.clip(values, 0.0, 1.0) * np.float32(top)
        levels = np.floor(levels) if self.truncate else np.rint(levels)
        if self.quality is not None:
            levels = through_jpeg(levels.astype(np.uint8), self.quality)
        return levels.astype(np.float32) / np.float32(top)

    @property
    def file_bits(self) -> int | None:
        """Bits a channel of the file; None for floating-point numbers."""
        return 8 if self.quality is not None else self.bits

    @property
    def steps(self) -> tuple[str, ...]:
        """What is done, in order, one sentence each."""
        said = [*self.notes, *self.made]
        balance = self.response.balance
        if (balance != 1).any():
            said.append("White balance: {:.3f}, {:.3f}, {:.3f}.".format(*balance))
        said.append(f"Exposed × {self.gain:.4g}: a white is that bright.")
        if self.electrons is not None:
            said.append(f"Shot noise, {self.electrons:,.0f} photoelectrons at the value 1.")
        if self.read_noise > 0:
            said.append(f"Read noise, standard deviation {self.read_noise:.3g} in the sensor.")
        if self.pattern:
            said.append("16-bit Bayer pattern RGGB, demosaiced edge-aware.")
        if self._clips:
            said.append("Clipped to 0..1.")
        if self.encoding == SRGB:
            said.append("Encoded with the sRGB curve.")
        if self.file_bits:
            said.append(f"{'Cut off' if self.truncate else 'Rounded'} to {self.file_bits} bits.")
        if self.quality is not None:
            said.append(f"JPEG, quality {self.quality}, colour at half resolution (4:2:0).")
        return tuple(said)

    def words(self) -> str:
        """All of :attr:`steps` in one line."""
        return " ".join(self.steps)


def through_jpeg(levels: np.ndarray, quality: int) -> np.ndarray:
    """A picture of 8-bit values, (h, w, 3) uint8, after a JPEG file of a quality, 4:2:0."""
    import imagecodecs

    if max(levels.shape[:2]) > 65500:
        raise InputError(
            f"A JPEG file has at most 65,500 pixels a side; this picture has {levels.shape[:2]}."
        )
    code = imagecodecs.jpeg8_encode(
        np.ascontiguousarray(levels), level=int(quality), subsampling="420"
    )
    return imagecodecs.jpeg8_decode(code)


def draw(
    settings: CaptureSettings,
    wavelengths_nm: np.ndarray,
    rng: np.random.Generator,
    thumbnail: np.ndarray | None = None,
) -> Capture:
    """One camera, light, exposure and file from the ranges of the settings.

    Parameters
    ----------
    settings : CaptureSettings
    wavelengths_nm : array-like, shape (bands,)
        Band centres of the cubes.
    rng : Generator
    thumbnail : ndarray, shape (bands, h, w)
        The whole image in small, by averaging; for auto exposure and the presets that expose
        by the picture. Others need none.

    Returns
    -------
    Capture

    Raises
    ------
    InputError, FileError
        If the settings contradict each other, a camera, table or light is not known or does not
        fit the bands, or the thumbnail is missing.
    """
    check(settings)
    nm = tuple(np.asarray(wavelengths_nm, dtype=np.float64).ravel().tolist())
    if settings.preset is not None:
        from napari_hsr.cameras.presets import draw_preset

        return draw_preset(settings, nm, rng, thumbnail)
    camera, mixed = _draw_camera(settings, rng, nm)
    light = draw_light(settings.illuminants, rng)
    how = (settings.normalise, settings.white_balance, settings.colour_matrix)
    again = not mixed and (light is None or light.kelvin is None)
    seen = (remembered_response if again else response)(camera, light, nm, *how)
    if settings.white_balance_error > 0:
        red, blue = np.exp(rng.normal(0.0, settings.white_balance_error, 2))
        seen = Response(seen.sensor, seen.balance * (red, 1.0, blue), seen.correction)
    gain = 1.0
    if settings.auto_exposure is not None:
        gain = number(settings.auto_exposure, rng) / mean_brightness(thumbnail, seen.whole)
    if settings.exposure is not None:
        gain *= number(settings.exposure, rng, log=True)
    electrons = settings.photoelectrons
    quality = None
    if settings.jpeg is not None and rng.random() < settings.jpeg_probability:
        quality = round(number(settings.jpeg, rng))
    return Capture(
        camera_name=camera.name,
        light=light.describe() if light else "no light of its own",
        response=seen,
        gain=float(gain),
        encoding=_encoding(settings, camera),
        electrons=None if electrons is None else number(electrons, rng, log=True),
        read_noise=number(settings.read_noise, rng),
        clip=settings.clip,
        bits=settings.bits,
        quality=quality,
        made=_made(settings, camera, light),
    )


def _draw_camera(
    settings: CaptureSettings, rng: np.random.Generator, nm: tuple[float, ...]
) -> tuple[Camera, bool]:
    pool = camera_pool(settings.cameras, settings.leave_out)
    camera = pool[rng.integers(len(pool))]
    if not settings.mix_cameras or len(pool) < 2 or rng.random() < 0.5:
        return camera, False
    other = pool[rng.integers(len(pool))]
    share = rng.uniform()
    if other is camera or camera.observer or other.observer:
        return camera, False
    return mixture(camera, other, share, nm), True


def _encoding(settings: CaptureSettings, camera: Camera) -> str:
    if settings.encoding == "srgb":
        return SRGB
    return LINEAR_SRGB if camera.observer or settings.colour_matrix else CAMERA + camera.slug


def _made(settings: CaptureSettings, camera: Camera, light: Light | None) -> tuple[str, ...]:
    from napari_hsr.cameras.simulate import NORMALISATIONS

    source = f" ({camera.source})" if camera.source else ""
    under = f"under {light.describe()}" if light else "with no light applied"
    if camera.observer:
        under = under if light else "under the illuminant D65"
        return (f"Rendered to linear sRGB for the observer {camera.name}{source} {under}.",)
    said = [
        f"Photographed by the camera {camera.name}{source} {under}, "
        f"{NORMALISATIONS[settings.normalise]}."
    ]
    if settings.colour_matrix:
        said.append(
            "Colour matrix to linear sRGB by least squares over 123 reflectances, white kept."
        )
    return tuple(said)


def number(value: Draw, rng: np.random.Generator, log: bool = False) -> float:
    """A value, or one drawn from a range: evenly, or evenly in its logarithm."""
    if not isinstance(value, tuple):
        return float(value)
    low, high = value
    if log and low > 0:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return float(rng.uniform(low, high))


def mean_brightness(thumbnail: np.ndarray | None, matrix: np.ndarray) -> float:
    """The mean of an image's linear photograph at gain 1, over pixels and channels.

    Raises
    ------
    InputError
        If there is no thumbnail, or it is black.
    """
    if thumbnail is None:
        raise InputError("Exposing by the picture takes the picture in small: its thumbnail.")
    spectrum = np.asarray(thumbnail, dtype=np.float64).reshape(len(thumbnail), -1).mean(axis=1)
    if spectrum.size != len(matrix):
        raise InputError(f"The thumbnail has {spectrum.size} bands; {len(matrix)} are wanted.")
    mean = float((spectrum @ matrix).mean())
    if not (np.isfinite(mean) and mean > 0):
        raise InputError("The image is black, or not finite, so it cannot be exposed by its mean.")
    return mean


@lru_cache(maxsize=64)
def check(settings: CaptureSettings) -> None:
    """Refuse settings that contradict themselves or name a light that is not known.

    Raises
    ------
    InputError
        In one sentence.
    """
    for name in settings.illuminants:
        known_light(name)
    for name in ("auto_exposure", "exposure", "photoelectrons"):
        value = getattr(settings, name)
        if value is not None and (value[0] if isinstance(value, tuple) else value) <= 0:
            raise InputError(
                f"The camera's {name} must be above 0, not {value}; leave it out for none."
            )
    if settings.jpeg is not None:
        low, high = settings.jpeg if isinstance(settings.jpeg, tuple) else (settings.jpeg,) * 2
        if low < 1 or high > 100:
            raise InputError(f"A JPEG file has a quality of 1 to 100, not {settings.jpeg}.")
    if settings.preset is None:
        if settings.sensitivities is not None:
            raise InputError(
                "The camera's sensitivities are for a preset; without one, name tables in cameras."
            )
        neutral = settings.white_balance or settings.normalise == "white"
        neutral = neutral or (settings.normalise == "sum" and not settings.illuminants)
        if settings.colour_matrix and not neutral:
            raise InputError(
                "A colour matrix starts from a white-balanced response: "
                "set white_balance too, or leave colour_matrix out."
            )
        return
    default = CaptureSettings()
    for name in CaptureSettings.model_fields:
        free = name in ("preset", "sensitivities", "photoelectrons")
        if not free and getattr(settings, name) != getattr(default, name):
            raise InputError(
                f"The preset {settings.preset} is a whole pipeline, so the camera's {name} "
                "cannot be set beside it; leave one of the two out."
            )
    if settings.preset == "ntire2020-clean" and settings.photoelectrons is not None:
        raise InputError("The preset ntire2020-clean has no noise; leave photoelectrons out.")
