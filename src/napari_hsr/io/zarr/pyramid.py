"""The sizes of an image in a zarr store: each half the one above, in shards and chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    #: Row and column of a shard.
    Shard = tuple[int, int]


class Level(NamedTuple):
    """One size of the pyramid: its height and width, the sides of its shards and of their chunks."""

    size: tuple[int, int]
    shard: tuple[int, int]
    chunk: tuple[int, int]
    #: Whether its shards cover the same part of the image as those of the cube.
    early: bool


#: Bands of a chunk at least, rows or columns at most, and values: 1 MiB of float32.
FEWEST_BANDS, MOST_PIXELS, CHUNK_VALUES = 4, 256, 2**18
#: The pyramid ends with an image of at most this side, in pixels.
_SMALLEST_LEVEL = 512
#: Levels whose shards are not smaller than this are written with the cube, the others at the end.
_SMALLEST_SHARD = 64
#: Side of the shards of those others, in pixels.
_LATE_SHARD = 512


def halved(values: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels, (bands, ceil(h / 2), ceil(w / 2)); the last row and column count twice."""
    for axis in (1, 2):
        if values.shape[axis] % 2:
            last = values[:, -1:] if axis == 1 else values[..., -1:]
            values = np.concatenate([values, last], axis)
    rows = values[:, ::2] + values[:, 1::2]
    made: np.ndarray = (rows[..., ::2] + rows[..., 1::2]) * np.float32(0.25)
    return made


def halve(above: Any, below: Any) -> None:
    """Fill a level from the one above it, shard by shard."""
    _, height, width = below.shape
    _, down, across = below.shards
    for top in range(0, height, down):
        for left in range(0, width, across):
            values = above[:, 2 * top : 2 * (top + down), 2 * left : 2 * (left + across)]
            below[:, top : top + down, left : left + across] = halved(values)


def _chunk(side: tuple[int, int]) -> tuple[int, int]:
    """Sides of the chunks of a shard, which they divide."""
    height, width = (_divisor(n, MOST_PIXELS) for n in side)
    return height, width


def _divisor(side: int, most: int) -> int:
    """The largest divisor up to ``most``, or the side itself where that is very small."""
    found = max(n for n in range(1, min(side, most) + 1) if side % n == 0)
    return found if 4 * found >= min(side, most) else side


def levels(size: tuple[int, int], shard: tuple[int, int]) -> list[Level]:
    """The sizes of the pyramid of an image, the largest first."""
    side, early = shard, True
    found = [Level(size, side, _chunk(side), early)]
    while max(size) > _SMALLEST_LEVEL:
        size = -(-size[0] // 2), -(-size[1] // 2)
        early = early and all(n % 2 == 0 and n // 2 >= _SMALLEST_SHARD for n in side)
        side = (side[0] // 2, side[1] // 2) if early else (_LATE_SHARD, _LATE_SHARD)
        found.append(Level(size, side, _chunk(side), early))
    return found
