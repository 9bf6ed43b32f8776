"""The tile plan as plain data: which part to read, which part of the result to keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.inference.tile_size import automatic

if TYPE_CHECKING:
    import torch

    from napari_hsr.models.model import Model


@dataclass(frozen=True)
class Span:
    """One side of a tile, in input pixels.

    Attributes
    ----------
    read : slice
        What is read: the core and its context, cut at the image's edges.
    core : slice
        The part that no other tile has.
    weights : ndarray of float32 or None
        None where the core is all that is kept of the result. Else everything read is kept,
        times these positive weights, and the tiles are added up: at every pixel the weights
        of all spans sum to 1.
    """

    read: slice
    core: slice
    weights: np.ndarray | None = field(default=None, compare=False, repr=False)

    @property
    def write(self) -> slice:
        """What the result goes to."""
        return self.core if self.weights is None else self.read

    @property
    def keep(self) -> slice:
        """What is written, counted from the first pixel read."""
        return slice(self.write.start - self.read.start, self.write.stop - self.read.start)


@dataclass(frozen=True)
class Tile:
    """A rectangle of the image to be computed in one go."""

    rows: Span
    columns: Span

    @property
    def blended(self) -> bool:
        """Whether the result is weighted and added to that of its neighbours."""
        return self.rows.weights is not None or self.columns.weights is not None

    def weights(self, scale: int = 1) -> np.ndarray:
        """Weights of what is written, (height, width) or broadcast to it, in output pixels."""
        sides = (
            np.ones(1, np.float32) if s.weights is None else s.weights.repeat(scale)
            for s in (self.rows, self.columns)
        )
        return np.multiply.outer(*sides)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what is read, in input pixels."""
        return tuple(s.read.stop - s.read.start for s in (self.rows, self.columns))


def windows(length: int, side: int) -> list[Span]:
    """Cover ``length`` pixels with windows of ``side`` that overlap by a quarter and are blended.

    All windows are of one size, spread evenly. Their weights fall off linearly towards both
    ends and sum to exactly 1 at every pixel. An image that fits one window has no
    weights.
    """
    if length <= side:
        return [Span(slice(0, length), slice(0, length))]
    step = side - side // 4
    starts = np.linspace(0, length - side, -(-(length - side) // step) + 1).round().astype(int)
    ramp = np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1))
    weights = np.zeros((len(starts), length))
    for row, start in zip(weights, starts, strict=True):
        row[start : start + side] = ramp
    weights = _exact(weights)
    cuts = [0, *(int(a + side + b) // 2 for a, b in pairwise(starts)), length]
    return [
        Span(slice(int(a), int(a) + side), slice(first, last), row[a : a + side])
        for a, row, first, last in zip(starts, weights, cuts[:-1], cuts[1:], strict=True)
    ]


def _exact(weights: np.ndarray) -> np.ndarray:
    """(windows, pixels) not negative → float32 whose columns sum to 1 without rounding.

    They are multiples of 1/4096, so the products of two of them are exact in float32 too, and
    no blend of values in 0..1 leaves 0..1. What was positive stays positive.
    """
    parts = np.where(weights > 0, np.maximum(1, np.round(4096 * weights / weights.sum(0))), 0)
    parts[weights.argmax(0), np.arange(weights.shape[1])] += 4096 - parts.sum(0)
    return (parts / 4096).astype(np.float32)


def spans(
    length: int, tile: int, context: int, multiple: int = 1, within: slice | None = None
) -> list[Span]:
    """Cut ``length`` pixels, or those ``within``, into cores of ``tile`` that do not overlap.

    What is read begins at a multiple of ``multiple``, so that a network with strides sees
    its grid where it would in the whole image.
    """
    cut = []
    within = within or slice(0, length)
    for start in range(within.start, within.stop, tile):
        stop = min(start + tile, within.stop)
        first = max(0, start - context) // multiple * multiple
        cut.append(Span(slice(first, min(length, stop + context)), slice(start, stop)))
    return cut


def overlaps(model: Model) -> bool:
    """Whether tiles of this model overlap and are blended: they then differ from the whole."""
    return model.window is not None or model.context is None


def plan(
    height: int,
    width: int,
    model: Model,
    tile: int | str = "auto",
    *,
    device: torch.device | None = None,
    ensemble: str = "single",
    precision: str | None = None,
) -> list[Tile]:
    """Tiles that cover the image, row by row.

    Parameters
    ----------
    height, width : int
        Of the input, in pixels.
    model : Model
        Its ``context`` says how far around a tile must be read. One that depends on the
        whole image (``context`` None), or has a ``window``, is cut into overlapping windows
        that are blended.
    tile : int, "auto" or "whole"
        Side of a core or window in pixels; "auto" goes by the free memory
        (:func:`napari_hsr.inference.tile_size.automatic`).
    device : torch.device, optional
        Whose memory "auto" goes by; the CPU if None.
    ensemble : str
        What the network is run in.
    precision : str, optional
        What it is computed in; the exact one if None.

    Raises
    ------
    InputError
        If ``tile`` is none of these.
    """
    if tile == "whole":
        sides = height, width
    elif tile == "auto":
        sides = automatic(
            height, width, model, device=device, ensemble=ensemble, precision=precision
        )
    elif isinstance(tile, bool) or not isinstance(tile, int) or tile < 1:
        raise InputError(f"A tile is a number of pixels, 'auto' or 'whole', not {tile!r}.")
    else:
        sides = tile, tile
    if overlaps(model):
        across = windows(width, sides[1])
        return [Tile(rows, columns) for rows in windows(height, sides[0]) for columns in across]
    context = model.context or 0
    return [
        Tile(rows, columns)
        for rows in spans(height, sides[0], context, model.size_multiple)
        for columns in spans(width, sides[1], context, model.size_multiple)
    ]


def side(part: Tile) -> int:
    """The longer side of what a tile writes."""
    return max(s.write.stop - s.write.start for s in (part.rows, part.columns))


def cut(part: Tile, side: int, height: int, width: int, model: Model) -> list[Tile]:
    """The same part of the image in tiles that write at most ``side`` × ``side`` pixels.

    Blended, they add up to what the tile itself would have had as its weights.
    """
    if overlaps(model):
        rows, columns = (_windows_within(s, side) for s in (part.rows, part.columns))
    else:
        rows, columns = (
            spans(length, side, model.context, model.size_multiple, within=s.core)
            for length, s in ((height, part.rows), (width, part.columns))
        )
    return [Tile(r, c) for r in rows for c in columns]


def _windows_within(span: Span, side: int) -> list[Span]:
    start, core = span.read.start, span.core
    inner = windows(span.read.stop - start, side)
    if len(inner) == 1:
        return [span]
    return [
        Span(
            slice(start + s.read.start, start + s.read.stop),
            # a core may come to nothing, where the parent's neighbour has those pixels
            slice(*np.clip([start + s.core.start, start + s.core.stop], core.start, core.stop)),
            s.weights if span.weights is None else s.weights * span.weights[s.read],
        )
        for s in inner
    ]


def notice(model: Model, tiles: list[Tile]) -> str | None:
    """What the user must know of these tiles for this model, in one sentence, or None."""
    rows, columns = map(max, zip(*(t.shape for t in tiles), strict=True))
    if model.window is None:
        if model.context is not None or len(tiles) == 1:
            return None
        return (
            f"Computed in {len(tiles)} overlapping tiles of {rows} × {columns} pixels, blended: "
            f"{model.name} depends on the whole image, and in tiles its result is another one"
            + (
                f", {model.tile_difference.words(rows * columns)}."
                if model.tile_difference
                else "."
            )
        )
    trained = f"crops of {model.window} × {model.window} pixels"
    if len(tiles) > 1:
        as_trained = max(rows, columns) == model.window
        return (
            f"Computed in {len(tiles)} overlapping windows of {rows} × {columns} pixels, blended"
            + (
                ", as the network was trained on such crops."
                if as_trained
                else f"; the network was trained on {trained} and its result depends on the size."
            )
        )
    if max(rows, columns) > model.window:
        return (
            f"Computed from the whole image at once; the network was trained on {trained} only, "
            "and its result depends on the size of the image."
        )
    return None
