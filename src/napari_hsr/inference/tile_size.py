"""How large a tile is: as the user says, or by the memory that is free."""

from __future__ import annotations

from itertools import count
from math import isqrt
from typing import TYPE_CHECKING

from napari_hsr.errors import InputError
from napari_hsr.inference.memory_budget import Budget, bytes_per_pixel

if TYPE_CHECKING:
    from napari_hsr.models.model import Model

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
