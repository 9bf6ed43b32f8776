"""From what the caller hands in to tiles in the model's own encoding."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import colour
from napari_hsr.cube import Cube
from napari_hsr.errors import Cancelled, HSRError, InputError
from napari_hsr.models.card import RECONSTRUCTION
from napari_hsr.photograph import Photograph

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from napari_hsr.models.model import Model

#: Integers this near to full scale count as saturated: the camera measured "at least this".
SATURATED = 0.999
#: Pixels of a photograph that are decoded at a time when it is measured.
STRIP_PIXELS = 2**20


def check_task(model: Model) -> None:
    """Whether a model makes cubes of photographs at all.

    Raises
    ------
    InputError
        If it does not, with what it is for.
    """
    if model.task != RECONSTRUCTION:
        raise InputError(
            f"{model.name} makes the pixels of a cube finer and cannot make a cube of a photograph."
        )


def as_photograph(image: Any, model: Model, encoding: str | None = None) -> Photograph:
    """The input as a photograph with an encoding.

    Parameters
    ----------
    image : Photograph, ndarray (height, width, 3), or path
        A bare array is taken in the model's own encoding; integers are scaled by their
        full range.
    model : Model
        The model that it is meant for.
    encoding : str, optional
        Overrides what the photograph says of itself.

    Raises
    ------
    InputError
        If it is not an RGB image, its encoding is not known, or the model takes none.
    """
    check_task(model)
    if isinstance(image, (str, PathLike)):
        from napari_hsr.io import read

        image = read(image)
    if isinstance(image, Cube):
        raise InputError(
            f"{image.name} is a cube of {image.bands} bands; {model.name} needs an RGB photograph."
        )
    if not isinstance(image, Photograph):
        array = np.asarray(image)
        if array.dtype.kind == "f" and array.dtype.itemsize < 4:
            array = array.astype(np.float32)
        image = Photograph(array, encoding=encoding or model.input_encoding, name="array")
    if encoding is not None:
        encoding = colour.normalise_encoding(encoding)
    stated = encoding or image.encoding
    if stated is None:
        raise InputError(
            f"The encoding of {image.name} is not known: state whether its values are sRGB-encoded "
            "(srgb), linear (linear-srgb) or a camera's linear response (camera:NAME)."
        )
    if stated != image.encoding:
        from dataclasses import replace

        image = replace(image, encoding=stated)
    return image


def why_not(image: Any, model: Model, *, encoding: str | None = None) -> str | None:
    """None if ``image`` can be reconstructed by ``model``, else the reason, for the user.

    Reads no pixels of a photograph in integers, and only the extremes of one in floats.
    """
    try:
        photograph = as_photograph(image, model, encoding)
    except HSRError as error:
        return str(error)
    reason = colour.why_not_convert(photograph.encoding, model.input_encoding)
    return reason or colour.why_not_values(photograph)


class TileSource:
    """Reads tiles of a photograph, decoded to what the model was made for.

    Only the tile at hand is converted, so that a large photograph costs no second copy.
    """

    def __init__(self, photograph: Photograph, model: Model):
        reason = why_not(photograph, model)
        if reason:
            raise InputError(reason)
        self.photograph = photograph
        self._target = model.input_encoding
        self.saturated = 0
        self.not_finite = 0

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """(h, w, 3) float32 in the model's encoding."""
        values = self.photograph.data[rows, columns]
        return colour.decode_photograph_tile(values, self.photograph.encoding, self._target)

    def strips(self) -> Iterator[np.ndarray]:
        """The whole photograph as :meth:`read` gives it, in strips of some rows.

        They are the same whatever the tiles are, so that figures of the image are too.
        """
        height, width = self.photograph.height, self.photograph.width
        rows = max(1, STRIP_PIXELS // width)
        for start in range(0, height, rows):
            yield self.read(slice(start, min(start + rows, height)), slice(0, width))

    def count(self, rows: slice, columns: slice) -> None:
        """Add the pixels of a core to the counts of saturated and of not-finite ones."""
        values = self.photograph.data[rows, columns]
        if values.dtype.kind == "u":
            limit = SATURATED * np.iinfo(values.dtype).max
            self.saturated += int((values >= limit).any(-1).sum())
        else:
            self.not_finite += int((~np.isfinite(values)).any(-1).sum())

    def notices(self) -> tuple[str, ...]:
        """Sentences about pixels whose spectra cannot be trusted."""
        pixels = self.photograph.height * self.photograph.width
        found = []
        if self.saturated:
            share = self.saturated / pixels
            share = "< 0.1%" if share < 0.0005 else f"{share:.1%}"
            found.append(
                f"{_pixels(self.saturated, f' ({share})')} saturated: "
                "the light there was at least what the photograph says."
            )
        if self.not_finite:
            found.append(_of_not_finite(self.not_finite))
        return tuple(found)


def not_finite(photograph: Photograph, cancel: threading.Event | None = None) -> str | None:
    """A sentence on the pixels of a photograph that are NaN or infinite; None if there are none.

    Raises
    ------
    Cancelled
        If ``cancel`` was set.
    """
    if photograph.data.dtype.kind != "f":
        return None
    rows, count = max(1, STRIP_PIXELS // photograph.width), 0
    for start in range(0, photograph.height, rows):
        if cancel is not None and cancel.is_set():
            raise Cancelled
        count += int((~np.isfinite(photograph.data[start : start + rows])).any(-1).sum())
    return _of_not_finite(count) if count else None


def _of_not_finite(count: int) -> str:
    return f"{_pixels(count)} NaN or infinite in the photograph and in the cube."


def _pixels(count: int, share: str = "") -> str:
    """``1 pixel is``, ``2 pixels (0.1%) are``."""
    return f"{count} pixel{share} is" if count == 1 else f"{count} pixels{share} are"
