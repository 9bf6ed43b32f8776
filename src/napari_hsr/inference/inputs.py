"""Check what the caller hands in, once, and read it: photographs and cubes."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import colour
from napari_hsr.arrays import as_array
from napari_hsr.cube import Cube
from napari_hsr.errors import Hint, HSRError, InputError
from napari_hsr.models.card import RECONSTRUCTION
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import Photograph, saturated
from napari_hsr.progress import stop_if
from napari_hsr.resample.holes import look_events, of_holes

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping

    from napari_hsr.models.model import Model

#: Pixels of a photograph that are decoded at a time when its statistics are measured.
STRIP_PIXELS = 2**20
#: Fewer bands are no spectrum; CoarSR looks at five at a time.
LEAST_BANDS = 5


# --- photographs -------------------------------------------------------------------------------


def as_photograph(image: Any, model: Model, encoding: str | None = None) -> Photograph:
    """The input as a photograph that the model can take.

    Reads no pixels of a photograph in integers, and only the extremes of one in floats.

    Parameters
    ----------
    image : Photograph, ndarray (height, width, 3), or path
        A bare array is taken to be in the model's own encoding; integers are scaled by their full
        range.
    model : Model
    encoding : str, optional
        Overrides the encoding of the photograph.

    Raises
    ------
    InputError
        If it is not an RGB image, its encoding is unknown or cannot be converted to that of the
        model, its values do not fit the encoding, or the model takes cubes.
    """
    if model.task != RECONSTRUCTION:
        raise InputError(
            f"{model.name} raises the resolution of cubes; it cannot reconstruct one from a "
            "photograph."
        )
    if isinstance(image, (str, PathLike)):
        from napari_hsr.io import read as read_file

        image = read_file(image)
    if isinstance(image, Cube):
        raise InputError(
            f"{image.name} is a cube of {image.bands} bands; {model.name} needs an RGB photograph."
        )
    if isinstance(image, Photograph):
        photograph = image
    else:
        array = np.asarray(as_array(image, "an image"))
        if array.dtype.kind == "f" and array.dtype.itemsize < 4:
            array = array.astype(np.float32)
        photograph = Photograph(array, encoding=encoding or model.input_encoding, name="array")
    if encoding is not None:
        encoding = colour.normalise_encoding(encoding)
    stated = encoding or photograph.encoding
    if stated is None:
        raise InputError(
            f"The encoding of {photograph.name} is not known: state whether its values are sRGB-encoded "
            "(srgb), linear (linear-srgb) or a camera's linear response (camera:NAME).",
            hint=Hint.STATE_ENCODING,
        )
    if stated != photograph.encoding:
        photograph = replace(photograph, encoding=stated)
    reason = colour.why_not_convert(stated, model.input_encoding)
    reason = reason or colour.why_not_values(photograph)
    if reason:
        raise InputError(reason)
    return photograph


def why_not(image: Any, model: Model, *, encoding: str | None = None) -> str | None:
    """None if ``image`` can be reconstructed by ``model``, else the reason, for the user."""
    try:
        as_photograph(image, model, encoding)
    except HSRError as error:
        return str(error)
    return None


class PhotographReader:
    """Reads parts of a photograph, converted to the encoding that the model was made for.

    Only the part at hand is converted, so a large photograph needs no second copy.

    Parameters
    ----------
    photograph : Photograph
        As :func:`as_photograph` returns it.
    model : Model
    """

    def __init__(self, photograph: Photograph, model: Model):
        self.photograph = photograph
        self._target = model.input_encoding
        self._saturated = self._not_finite = 0

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """(h, w, 3) float32 in the model's encoding."""
        return self._decode(self.photograph.data[rows, columns])

    def read_stored(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """The stored values, and what :meth:`read` returns."""
        values = np.asarray(self.photograph.data[rows, columns])
        return values, self._decode(values)

    def strips(self) -> Iterator[np.ndarray]:
        """The whole photograph as :meth:`read` returns it, a few rows at a time.

        The strips do not depend on the tiles, and so the statistics of the image do not either.
        """
        height, width = self.photograph.height, self.photograph.width
        rows = max(1, STRIP_PIXELS // width)
        for start in range(0, height, rows):
            yield self.read(slice(start, min(start + rows, height)), slice(0, width))

    def counted(self, stored: np.ndarray) -> dict[str, int]:
        """Numbers of pixels that are saturated, NaN or infinite among stored values."""
        if stored.dtype.kind == "u":
            return {"saturated": int(saturated(stored).any(-1).sum())}
        return {"not_finite": int((~np.isfinite(stored)).any(-1).sum())}

    def add(self, counted: Mapping[str, int]) -> None:
        """Add what was counted in a part of the photograph, for the notices."""
        self._saturated += counted.get("saturated", 0)
        self._not_finite += counted.get("not_finite", 0)

    def notices(self) -> tuple[Notice, ...]:
        """Notices of pixels whose spectra cannot be trusted."""
        pixels = self.photograph.height * self.photograph.width
        found = []
        if self._saturated:
            fraction = self._saturated / pixels
            share = "< 0.1%" if fraction < 0.0005 else f"{fraction:.1%}"
            text = (
                f"{_pixels(self._saturated, f' ({share})')} saturated: "
                "the light there was at least what the photograph says."
            )
            found.append(Notice.warning(Code.SATURATED, text))
        if self._not_finite:
            found.append(_of_not_finite(self._not_finite))
        return tuple(found)

    def _decode(self, values: np.ndarray) -> np.ndarray:
        return colour.decode_photograph_tile(values, self.photograph.encoding, self._target)


def not_finite(photograph: Photograph, cancel: threading.Event | None = None) -> Notice | None:
    """A notice of the pixels of a photograph that are NaN or infinite; None if there are none.

    Raises
    ------
    Cancelled
        If ``cancel`` was set.
    """
    if photograph.data.dtype.kind != "f":
        return None
    rows, count = max(1, STRIP_PIXELS // photograph.width), 0
    for start in range(0, photograph.height, rows):
        stop_if(cancel)
        count += int((~np.isfinite(photograph.data[start : start + rows])).any(-1).sum())
    return _of_not_finite(count) if count else None


def _of_not_finite(count: int) -> Notice:
    text = f"{_pixels(count)} NaN or infinite in the photograph and in the cube."
    return Notice.warning(Code.NOT_FINITE, text)


def _pixels(count: int, share: str = "") -> str:
    """``1 pixel is``, ``2 pixels (0.1%) are``."""
    return f"{count} pixel{share} is" if count == 1 else f"{count} pixels{share} are"


# --- cubes -------------------------------------------------------------------------------------


def as_cube(image: Any) -> Cube:
    """The input as a cube with enough bands.

    Parameters
    ----------
    image : Cube, ndarray (bands, height, width), or path

    Raises
    ------
    InputError
        If it is a photograph or an array like one, or has fewer than :data:`LEAST_BANDS` bands.
    """
    if isinstance(image, (str, PathLike)):
        from napari_hsr.io import read as read_file

        image = read_file(image)
    if isinstance(image, Photograph):
        raise InputError(
            f"{image.name} is an RGB photograph: super-resolution takes a spectral cube, which can "
            "be reconstructed from it first."
        )
    if isinstance(image, Cube):
        cube = image
    else:
        array = np.asarray(as_array(image, "an image"))
        if array.dtype.kind == "u" and array.ndim == 3 and array.shape[-1] in (3, 4):
            raise InputError(
                f"The array of shape {array.shape} looks like an RGB image: super-resolution takes "
                "a spectral cube, (bands, height, width)."
            )
        cube = Cube(array, name="array")
    if cube.bands < LEAST_BANDS:
        bands = "1 band" if cube.bands == 1 else f"{cube.bands} bands"
        raise InputError(
            f"{cube.name} has {bands}: super-resolution takes spectral cubes of "
            f"{LEAST_BANDS} bands or more."
        )
    return cube


def missing(cube: Cube, cancel: threading.Event | None = None) -> Notice | None:
    """A notice of the values of a cube that are NaN or infinite; None if there are none.

    Raises
    ------
    Cancelled
        If ``cancel`` was set.
    """
    count = sum(int(mask.sum()) for _, _, mask in look_events(cube, cancel))
    return of_holes(count) if count else None
