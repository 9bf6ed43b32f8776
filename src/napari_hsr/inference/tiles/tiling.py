"""Tiles as plain data: which part of the image to read, which part of the result to keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count, pairwise
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.inference.memory_budget import Budget, bytes_per_pixel
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.models.model import Model


@dataclass(frozen=True)
class Span:
    """One side of a tile, in input pixels.

    Attributes
    ----------
    read : slice
        What is read: the core and its context, clipped at the edges of the image.
    core : slice
        The part that belongs to no other tile.
    weights : ndarray of float32 or None
        None where only the core of the result is kept. Otherwise all that was read is kept, times
        these positive weights, and the tiles are added: at every pixel the weights of all spans
        sum to 1.
    """

    read: slice
    core: slice
    weights: np.ndarray | None = field(default=None, compare=False, repr=False)

    @property
    def write(self) -> slice:
        """Where the result is written."""
        return self.core if self.weights is None else self.read

    @property
    def keep(self) -> slice:
        """What is written, relative to the first pixel read."""
        return slice(self.write.start - self.read.start, self.write.stop - self.read.start)


@dataclass(frozen=True)
class Tile:
    """A rectangle of the image that is computed at once."""

    rows: Span
    columns: Span

    @property
    def blended(self) -> bool:
        """Whether the result is weighted and added to that of neighbouring tiles."""
        return self.rows.weights is not None or self.columns.weights is not None

    def weights(self, scale: int = 1) -> np.ndarray:
        """Weights of what is written, broadcastable to (height, width) in output pixels."""
        rows, columns = (
            np.ones(1, np.float32) if s.weights is None else s.weights.repeat(scale)
            for s in (self.rows, self.columns)
        )
        return np.multiply.outer(rows, columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what is read, in input pixels."""
        return self.rows.read.stop - self.rows.read.start, (
            self.columns.read.stop - self.columns.read.start
        )


def windows(length: int, side: int) -> list[Span]:
    """Cover ``length`` pixels with windows of ``side`` that overlap by a quarter and are blended.

    All windows have the same size and are evenly spaced. Their weights fall off linearly towards
    both ends and sum to exactly 1 at every pixel. An image that fits into one window has no
    weights.
    """
    if length <= side:
        return [Span(slice(0, length), slice(0, length))]
    step = side - side // 4
    starts = np.linspace(0, length - side, -(-(length - side) // step) + 1).round().astype(int)
    ramp = np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1))
    ramps = np.zeros((len(starts), length))
    for row, start in zip(ramps, starts, strict=True):
        row[start : start + side] = ramp
    weights = _sum_to_one(ramps)
    cuts = [0, *(int(a + side + b) // 2 for a, b in pairwise(starts)), length]
    return [
        Span(slice(int(a), int(a) + side), slice(first, last), row[a : a + side])
        for a, row, first, last in zip(starts, weights, cuts[:-1], cuts[1:], strict=True)
    ]


def _sum_to_one(weights: np.ndarray) -> np.ndarray:
    """Scale non-negative (windows, pixels) to float32 whose columns sum to 1 without rounding.

    They are multiples of 1/4096, so products of two of them are exact in float32 too, and no
    blend of values in 0..1 leaves 0..1. Positive weights stay positive.
    """
    parts = np.where(weights > 0, np.maximum(1, np.round(4096 * weights / weights.sum(0))), 0)
    parts[weights.argmax(0), np.arange(weights.shape[1])] += 4096 - parts.sum(0)
    return (parts / 4096).astype(np.float32)


def spans(
    length: int, tile: int, context: int, multiple: int = 1, within: slice | None = None
) -> list[Span]:
    """Cut ``length`` pixels, or those ``within``, into cores of ``tile`` that do not overlap.

    Reading begins at a multiple of ``multiple``, so that the grid of a network with strides lies
    where it would in the whole image.
    """
    cut = []
    within = within or slice(0, length)
    for start in range(within.start, within.stop, tile):
        stop = min(start + tile, within.stop)
        first = max(0, start - context) // multiple * multiple
        cut.append(Span(slice(first, min(length, stop + context)), slice(start, stop)))
    return cut


def overlaps(model: Model) -> bool:
    """Whether tiles of this model overlap and are blended; the result then depends on them."""
    return model.window is not None or model.context is None


def plan(height: int, width: int, model: Model, sides: tuple[int, int]) -> tuple[Tile, ...]:
    """Tiles that cover the image, row by row.

    Parameters
    ----------
    height, width : int
        Of the input, in pixels.
    model : Model
        Its ``context`` says how far around a tile must be read. For a model that depends on the
        whole image (``context`` None) or has a ``window``, the image is cut into overlapping
        windows that are blended.
    sides : (int, int)
        Height and width of the cores or windows, in pixels.
    """
    if overlaps(model):
        down, across = windows(height, sides[0]), windows(width, sides[1])
    else:
        context, multiple = model.context or 0, model.size_multiple
        down = spans(height, sides[0], context, multiple)
        across = spans(width, sides[1], context, multiple)
    return tuple(Tile(rows, columns) for rows in down for columns in across)


def side(part: Tile) -> int:
    """The longer side of the part that a tile writes."""
    rows, columns = part.rows.write, part.columns.write
    return int(max(rows.stop - rows.start, columns.stop - columns.start))


def cut(part: Tile, side: int, height: int, width: int, model: Model) -> list[Tile]:
    """Cut a tile into tiles that write at most ``side`` × ``side`` pixels.

    Where they are blended, their weights add up to those of the tile.
    """
    if overlaps(model):
        rows, columns = (_windows_within(s, side) for s in (part.rows, part.columns))
    else:
        rows, columns = (
            spans(length, side, model.context or 0, model.size_multiple, within=s.core)
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
            # a core may be empty, where its pixels belong to a neighbour of the parent
            slice(*np.clip([start + s.core.start, start + s.core.stop], core.start, core.stop)),
            s.weights if span.weights is None else s.weights * span.weights[s.read],
        )
        for s in inner
    ]


def notice(model: Model, tiles: Sequence[Tile]) -> Notice | None:
    """A notice that these tiles make a difference to the result of this model, or None."""
    rows, columns = map(max, zip(*(t.shape for t in tiles), strict=True))
    if model.window is None:
        if model.context is not None or len(tiles) == 1:
            return None
        difference = model.tile_difference
        by = f", {difference.words(rows * columns)}" if difference else ""
        return _notice(
            f"Computed in {len(tiles)} overlapping tiles of {rows} × {columns} pixels, blended: "
            f"{model.name} depends on the whole image, and its result in tiles differs{by}."
        )
    trained = f"crops of {model.window} × {model.window} pixels"
    if len(tiles) > 1:
        as_trained = max(rows, columns) == model.window
        return _notice(
            f"Computed in {len(tiles)} overlapping windows of {rows} × {columns} pixels, blended"
            + (
                ", as the network was trained on such crops."
                if as_trained
                else f"; the network was trained on {trained}, and its result depends on the size."
            )
        )
    if max(rows, columns) > model.window:
        return _notice(
            f"Computed from the whole image at once; the network was trained on {trained} only, "
            "and its result depends on the size of the image."
        )
    return None


def _notice(text: str) -> Notice:
    return Notice.info(Code.TILES, text)


#: Working memory that is cheap: no tile is made smaller to save less than this.
CHEAP_BYTES = 128 * 2**20
#: Below this side, an automatic tile spends its time on bookkeeping.
LEAST_SIDE = 64
#: Accepted ratio of pixels computed to pixels kept, which larger tiles with context lower: first
#: within the ordinary budget, then within the largest.
WASTE = 1.6
MOST_WASTE = 2.3


def tile_size(
    tile: int | str, height: int, width: int, model: Model, bands: int, needs: int, may: Budget
) -> tuple[int, int]:
    """Height and width of the tiles: of their cores, or of the windows where tiles are blended.

    A tile of "auto" is

    * for a network trained on crops of one size: that size;
    * for a pixel-wise model: small and cheap, however much memory there is;
    * for a local network: the smallest, from cheap ones on, whose context costs little work;
    * for a network that depends on the whole image: all of it if the budget allows, else windows
      of one size that fill the budget.

    Parameters
    ----------
    tile : int, "auto" or "whole"
        Side in pixels.
    height, width : int
        Of the input, in pixels.
    model : Model
    bands : int
        Of the cube.
    needs : int
        Working bytes of the run per pixel (:func:`~napari_hsr.inference.memory_budget.per_pixel`).
    may : Budget
        Working memory of the run.

    Raises
    ------
    InputError
        If ``tile`` is none of these.
    """
    if tile == "whole":
        return height, width
    if tile != "auto":
        if isinstance(tile, bool) or not isinstance(tile, int) or tile < 1:
            raise InputError(f"A tile is a number of pixels, 'auto' or 'whole', not {tile!r}.")
        return tile, tile
    if model.window is not None:
        return model.window, model.window
    if model.context == 0:
        side = min(_side(CHEAP_BYTES / bytes_per_pixel(model, bands)), max(height, width))
        return side, side
    may = Budget(*(max(0, part - model.bytes_fixed) for part in may))
    if model.context is not None:
        return _cores(height, width, model.context, needs, may)
    if height * width * needs <= may.whole:
        return height, width
    return _windows(height, width, may.ordinary // needs)


def _side(pixels: float, around: int = 0) -> int:
    """Side of a square of this many pixels, less the context around it; a multiple of 64."""
    return max(LEAST_SIDE, (isqrt(int(pixels)) - 2 * around) // 64 * 64)


def _windows(height: int, width: int, pixels: int) -> tuple[int, int]:
    side = max(LEAST_SIDE, isqrt(pixels))
    rows = min(height, side)
    columns = min(width, max(side, pixels // rows))
    rows = min(height, max(side, pixels // columns))
    return _even(height, rows), _even(width, columns)


def _even(length: int, side: int) -> int:
    """The smallest window that covers ``length`` in as few as windows of ``side`` do."""
    if length <= side:
        return length
    step = side - side // 4
    windows = -(-(length - side) // step) + 1
    # n windows that overlap by a quarter cover 1 + 3/4 (n - 1) of their side
    return min(side, next(s for s in count(-(-4 * length // (3 * windows + 1))) if s % 8 == 0))


def _cores(height: int, width: int, context: int, needs: int, may: Budget) -> tuple[int, int]:
    whole = max(height, width)
    cheap = _side(CHEAP_BYTES / needs, context)
    tried: list[tuple[float, int]] = []
    for allowed, accepted in ((may.ordinary, WASTE), (may.most, MOST_WASTE)):
        sides = list(range(cheap, _side(allowed / needs, context) + 1, 64)) or [cheap]
        if height * width * needs <= allowed:
            sides.append(whole)
        for side in sides:
            waste = _read(height, side, context) * _read(width, side, context) / (height * width)
            if waste <= accepted or side >= whole:
                return _even_cores(height, side), _even_cores(width, side)
            tried.append((waste, side))
    side = min(tried)[1]
    return _even_cores(height, side), _even_cores(width, side)


def _even_cores(length: int, side: int) -> int:
    """Cores of equal size, at most ``side``: a narrow last one would need as much context."""
    cores = -(-length // side)
    return min(side, -(-length // (8 * cores)) * 8)


def _read(length: int, side: int, context: int) -> int:
    """Pixels read along one side of the image by all cores together."""
    cores = range(0, length, side)
    return sum(min(length, c + side + context) - max(0, c - context) for c in cores)
