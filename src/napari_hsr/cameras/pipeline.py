"""One camera, light, exposure and file: from a cube to the numbers that the file holds.

The way of the light: reflectance × illuminant × sensitivities × exposure is what the sensor
records; there shot and read noise arise. White balance, clipping, the colour matrix, the sRGB
curve, rounding and JPEG follow, and make of the noise what they make of it in a camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_hsr.cameras.mosaic import demosaic, mosaic
from napari_hsr.colour.render import project
from napari_hsr.colour.transfer import srgb_encode
from napari_hsr.errors import InputError
from napari_hsr.photograph import SRGB

if TYPE_CHECKING:
    from napari_hsr.cameras.response import Response

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
        over: np.ndarray = np.zeros(values.shape[:2], dtype=bool)
        under: np.ndarray = over
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
