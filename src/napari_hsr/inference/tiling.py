"""The tile plan as plain data: which part to read, which part of the result to keep."""

from __future__ import annotations

from dataclasses import dataclass

from napari_hsr.errors import InputError
from napari_hsr.models.descriptor import Model

#: Working memory that an automatic tile may take.
AUTO_BYTES = 128 * 2**20
#: Below this, an automatic tile spends its time on bookkeeping.
AUTO_LEAST = 64


@dataclass(frozen=True)
class Span:
    """One side of a tile, in input pixels.

    Attributes
    ----------
    read : slice
        What is read: the core and its context, cut at the image's edges.
    core : slice
        What is kept of the result.
    """

    read: slice
    core: slice

    @property
    def keep(self) -> slice:
        """The core, counted from the first pixel read."""
        return slice(self.core.start - self.read.start, self.core.stop - self.read.start)


@dataclass(frozen=True)
class Tile:
    """A rectangle of the image to be computed in one go."""

    rows: Span
    columns: Span


def spans(length: int, tile: int, context: int, multiple: int = 1) -> list[Span]:
    """Cut ``length`` pixels into cores of ``tile`` that do not overlap.

    What is read begins at a multiple of ``multiple``, so that a network with strides sees
    its grid where it would in the whole image.
    """
    cut = []
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        first = max(0, start - context) // multiple * multiple
        cut.append(Span(slice(first, min(length, stop + context)), slice(start, stop)))
    return cut


def plan(height: int, width: int, model: Model, tile: int | str = "auto") -> list[Tile]:
    """Tiles that cover the image once, row by row.

    Parameters
    ----------
    height, width : int
        Of the input, in pixels.
    model : Model
        Its ``context`` says how far around a tile must be read; a model that depends on
        the whole image (``context`` None) is not tiled.
    tile : int, "auto" or "whole"
        Side of a core in pixels; "auto" fits the working memory of the model.

    Raises
    ------
    InputError
        If ``tile`` is none of these, or asks to tile a model that cannot be tiled.
    """
    side = _side(height, width, model, tile)
    context = model.context or 0
    return [
        Tile(rows, columns)
        for rows in spans(height, side, context, model.size_multiple)
        for columns in spans(width, side, context, model.size_multiple)
    ]


def _side(height: int, width: int, model: Model, tile: int | str) -> int:
    whole = max(height, width)
    if tile == "whole":
        return whole
    if tile == "auto":
        if model.context is None:
            return whole
        fits = int((AUTO_BYTES / model.bytes_per_pixel) ** 0.5) - 2 * model.context
        return min(whole, max(AUTO_LEAST, fits // 64 * 64))
    if isinstance(tile, bool) or not isinstance(tile, int) or tile < 1:
        raise InputError(f"A tile is a number of pixels, 'auto' or 'whole', not {tile!r}.")
    if model.context is None and tile < whole:
        raise InputError(
            f"{model.name} depends on the whole image and cannot be tiled: choose 'auto' or 'whole'."
        )
    return tile
