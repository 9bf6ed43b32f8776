"""The camera pipeline: from a cube to the values of a photograph's file.

Simulated photographs for looking at (:mod:`napari_hsr.cameras.simulate`) and for training
(:mod:`napari_hsr.cameras.random_camera`) both go this way. The sensor records reflectance ×
illuminant × sensitivities × exposure, with shot noise and read noise. White balance, clipping,
colour matrix, tone curve, quantisation and JPEG follow, and shape the noise as in a real camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_hsr.cameras.mosaic import demosaic, mosaic
from napari_hsr.colour.render import project, row_blocks, used_bands
from napari_hsr.colour.transfer import convert
from napari_hsr.errors import InputError
from napari_hsr.notices import Code, Notice, as_notices
from napari_hsr.photograph import LINEAR_SRGB, SRGB, XYZ_D65, Photograph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_hsr.cameras.response import Response
    from napari_hsr.cube import Cube

_ROUNDING = 1e-6  # exceeding 0..1 by less than this does not count as clipping


class Developed(NamedTuple):
    """A picture as stored in its file, (h, w, 3) float32 in 0..1, and how much was clipped."""

    picture: np.ndarray
    over: int  #: pixels with a channel clipped at 1
    under: int  #: pixels with a channel clipped at 0


@dataclass(frozen=True, eq=False)
class Capture:
    """A camera under a light, with an exposure and a file format: it photographs cubes.

    Attributes
    ----------
    camera_name : str
    light : str
        Description of the illuminant.
    response : Response
        The linear response from a cube through the sensor to the photograph, at gain 1.
    gain : float
        Total exposure: the decoded photograph shows the cube times this, so after white balance
        a perfect reflector has this value.
    encoding : str
        Of the file: ``"srgb"``, ``"linear-srgb"``, ``"xyz-d65"`` or ``"camera:<slug>"``.
    electrons : float or None
        Photoelectrons at the value 1; None for no shot noise.
    read_noise : float
        Standard deviation, in units of the sensor.
    clip : bool
        Clip to 0..1 after the white balance and after the colour matrix.
    bits : 8, 16 or None
        Bit depth of the file; None for floating point.
    quality : int or None
        JPEG quality; None if the file is not a JPEG.
    pattern : bool
        The sensor has a Bayer filter, is read out at 16 bits and demosaiced edge-aware.
    truncate : bool
        Values are truncated to whole levels, not rounded.
    notes : tuple of Notice
        What the user must be told of this capture.
    made : tuple of str
        How the response came about, one sentence each.
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

        ``matrix.T @ (gain * s)`` is what the decoded photograph shows of a spectrum, apart from
        noise, clipping and rounding. Its columns span what the sensor sees.
        """
        return self.response.whole

    def take(self, cube: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Photograph an array.

        Parameters
        ----------
        cube : ndarray, shape (bands, h, w)
            Before the gain.
        rng : Generator
            For the noise.

        Returns
        -------
        ndarray, shape (h, w, 3), float32
            The values of the file, scaled to 0..1.

        Raises
        ------
        InputError
            If the number of bands does not fit, or values are not finite.
        """
        cube = np.asarray(cube, dtype=np.float32)
        sensor = self.response.sensor
        if cube.ndim != 3 or cube.shape[0] != sensor.shape[0]:
            raise InputError(
                f"A capture for {sensor.shape[0]} bands cannot be taken of an array of shape "
                f"{cube.shape}; (bands, h, w) is wanted."
            )
        return self.develop(project(cube, sensor * self.gain), rng).picture

    def photograph(
        self,
        cube: Cube,
        rng: np.random.Generator,
        *,
        name: str,
        metadata: Mapping[str, Any],
        rows: int | None = None,
    ) -> Photograph:
        """Photograph a cube of any size.

        Parameters
        ----------
        cube : Cube
            Lazy cubes are read row by row, without bands that the sensor does not see.
        rng : Generator
            For the noise.
        name : str
            Of the photograph.
        metadata : mapping
            Kept with the photograph.
        rows : int, optional
            Rows processed at a time, where noise and file format permit it.

        Returns
        -------
        Photograph
            uint8, uint16 or float32, with :meth:`words` in its provenance. Pixels that are
            not finite stay NaN in float and become 0 in integers; a notice counts them, and
            those that were clipped.
        """
        sensor = self.response.sensor * self.gain
        bands = used_bands(sensor)
        height, width = cube.shape[1:]
        dtype = np.dtype({None: "f4", 8: "u1", 16: "u2"}[self.file_bits])
        out = np.empty((height, width, 3), dtype=dtype)
        lost = np.zeros(3, dtype=np.int64)
        blocks: Iterator[tuple[slice, np.ndarray]] = (
            (at, project(block, sensor[bands])) for at, block in row_blocks(cube, bands, rows)
        )
        if not self._pointwise:
            blocks = iter([(slice(0, height), np.concatenate([values for _, values in blocks]))])
        for at, values in blocks:
            missing = ~np.isfinite(values).all(axis=-1)
            values[missing] = 0.0
            picture, over, under = self.develop(values, rng)
            if self.file_bits:
                picture = np.rint(picture * np.iinfo(dtype).max)
            picture[missing] = 0 if self.file_bits else np.nan
            out[at] = picture
            lost += (int(missing.sum()), over, under)
        return Photograph(
            out,
            encoding=self.encoding,
            name=name,
            provenance=cube.provenance.with_step(self.words()),
            notices=(*as_notices(self.notes), *self._losses(lost.tolist(), height * width)),
            metadata=dict(metadata),
        )

    def develop(self, sensor: np.ndarray, rng: np.random.Generator) -> Developed:
        """Make a picture of the light on the sensor, (h, w, 3) float32, exposed by the gain."""
        if not np.isfinite(sensor).all():
            raise InputError("A cube with values that are not finite cannot be photographed.")
        over = np.zeros(sensor.shape[:2], dtype=bool)
        under = over.copy()

        def clipped(values: np.ndarray) -> np.ndarray:
            over[(values > 1 + _ROUNDING).any(axis=-1)] = True
            under[(values < -_ROUNDING).any(axis=-1)] = True
            return np.clip(values, 0.0, 1.0)

        values = self._recorded(sensor, rng)
        if (self.response.balance != 1).any():
            values = values * self.response.balance.astype(np.float32)
        # XYZ holds colours that linear sRGB does not, so it is clipped as XYZ, at the end.
        early = self._clips and self.encoding != XYZ_D65
        if early:
            values = clipped(values)
        if self.response.correction is not None:
            values = values @ self.response.correction.astype(np.float32)
            if early:
                values = clipped(values)
        if self.encoding in (SRGB, XYZ_D65):
            values = convert(values, LINEAR_SRGB, self.encoding)
        if self._clips and not early:
            values = clipped(values)
        picture = self._quantised(np.ascontiguousarray(values, dtype=np.float32))
        return Developed(picture, int(over.sum()), int(under.sum()))

    @property
    def _clips(self) -> bool:
        return self.clip or self.bits is not None or self.quality is not None

    @property
    def _pointwise(self) -> bool:
        """Whether each pixel depends on itself alone, so that rows may be developed apart."""
        noisy = self.electrons is not None or self.read_noise > 0
        return not (noisy or self.pattern or self.quality is not None)

    def _recorded(self, sensor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """With the noise of the sensor, and seen through its Bayer filter if it has one."""
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

    def _quantised(self, values: np.ndarray) -> np.ndarray:
        """In whole levels, and through JPEG compression if there is any."""
        if self.file_bits is None:
            return values
        top = 2**self.file_bits - 1
        levels = np.clip(values, 0.0, 1.0) * np.float32(top)
        levels = np.floor(levels) if self.truncate else np.rint(levels)
        if self.quality is not None:
            levels = through_jpeg(levels.astype(np.uint8), self.quality)
        return levels.astype(np.float32) / np.float32(top)

    @property
    def file_bits(self) -> int | None:
        """Bits per channel of the file; None for floating point."""
        return 8 if self.quality is not None else self.bits

    @property
    def steps(self) -> tuple[str, ...]:
        """What is done, in order, one sentence each."""
        told = [*self.notes, *self.made]
        balance = self.response.balance
        if (balance != 1).any():
            told.append("White balance: {:.3f}, {:.3f}, {:.3f}.".format(*balance))
        if self.gain != 1:
            told.append(f"Exposed × {self.gain:.4g}: a perfect reflector has this value.")
        if self.electrons is not None:
            told.append(f"Shot noise, {self.electrons:,.0f} photoelectrons at the value 1.")
        if self.read_noise > 0:
            told.append(f"Read noise, standard deviation {self.read_noise:.3g} at the sensor.")
        if self.pattern:
            told.append("16-bit Bayer pattern RGGB, demosaiced edge-aware.")
        if self._clips:
            told.append("Clipped to 0..1.")
        if self.encoding == SRGB:
            told.append("Encoded with the sRGB curve.")
        if self.file_bits:
            how = "Truncated" if self.truncate else "Rounded"
            told.append(f"{how} to {self.file_bits} bits.")
        if self.quality is not None:
            told.append(f"JPEG, quality {self.quality}, chroma at half resolution (4:2:0).")
        return tuple(told)

    def words(self) -> str:
        """All :attr:`steps` in one line."""
        return " ".join(self.steps)

    def _losses(self, lost: list[int], pixels: int) -> list[Notice]:
        value = "0" if self.file_bits else "NaN"
        told = (
            (Code.NOT_FINITE, f"not finite and are {value} here"),
            (Code.PIXELS_CLIPPED, "above 1 (over-exposed) and are clipped"),
            (Code.PIXELS_CLIPPED, "below 0 (noise, or colours outside sRGB) and are clipped"),
        )
        return [
            Notice.warning(code, f"{count} of {pixels} pixels were {text}.")
            for count, (code, text) in zip(lost, told, strict=True)
            if count
        ]


def mean_brightness(thumbnail: np.ndarray | None, matrix: np.ndarray) -> float:
    """The mean of an image's linear photograph at gain 1, over pixels and channels.

    Parameters
    ----------
    thumbnail : ndarray, shape (bands, h, w)
        The whole image at low resolution.
    matrix : ndarray, shape (bands, channels)
        The linear response.

    Raises
    ------
    InputError
        If there is no thumbnail, or it is black.
    """
    if thumbnail is None:
        raise InputError("Exposure by the image's mean needs a thumbnail of the image.")
    spectrum = np.asarray(thumbnail, dtype=np.float64).reshape(len(thumbnail), -1).mean(axis=1)
    if spectrum.size != len(matrix):
        raise InputError(f"The thumbnail has {spectrum.size} bands; {len(matrix)} are needed.")
    mean = float((spectrum @ matrix).mean())
    if not (np.isfinite(mean) and mean > 0):
        raise InputError("The image is black, or not finite, so it cannot be exposed by its mean.")
    return mean


def through_jpeg(levels: np.ndarray, quality: int) -> np.ndarray:
    """An 8-bit picture, (h, w, 3) uint8, after JPEG compression with 4:2:0 subsampling."""
    import imagecodecs

    if max(levels.shape[:2]) > 65500:
        raise InputError(
            f"A JPEG file has at most 65,500 pixels a side; this picture has {levels.shape[:2]}."
        )
    code = imagecodecs.jpeg8_encode(
        np.ascontiguousarray(levels), level=int(quality), subsampling="420"
    )
    return imagecodecs.jpeg8_decode(code)
