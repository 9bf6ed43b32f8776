"""Where the loop over tiles puts its result: an array in memory, or whatever else is an Output."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_hsr.cube import finite_range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_hsr.inference.tiles.tiling import Tile


class Output(Protocol):
    """Where the result of a run goes, tile by tile."""

    def finished(self, tile: Tile, /) -> Mapping[str, int] | None:
        """What was counted in a tile that an earlier run has finished; None if it must be computed."""

    def write(self, tile: Tile, block: np.ndarray, counted: Mapping[str, int], /) -> None:
        """Take the result of a tile.

        Parameters
        ----------
        tile : Tile
            Not necessarily one of the plan: where memory runs out, tiles are cut.
        block : ndarray, shape (bands, h, w), float32
            What is written of the tile (:func:`written`); that of a blended one is weighted, and
            added to those of its neighbours.
        counted : mapping
            What was counted in the tile's core, kept for a later run.
        """

    def close(self) -> tuple[float, float]:
        """All tiles are written: the extremes of the finite values, (inf, -inf) if there are none."""


def written(tile: Tile, scale: int = 1) -> tuple[slice, slice]:
    """Rows and columns that a tile writes, in pixels of the output."""
    rows, columns = (
        slice(s.write.start * scale, s.write.stop * scale) for s in (tile.rows, tile.columns)
    )
    return rows, columns


class InMemory:
    """An array as the output.

    Parameters
    ----------
    data : ndarray, shape (bands, height, width)
        Zero everywhere: blended tiles are added to it.
    scale : int
        Pixels of the output per pixel of the input along each side.
    """

    def __init__(self, data: np.ndarray, scale: int = 1):
        self.data, self._scale = data, scale
        self._low, self._high, self._blended = math.inf, -math.inf, False
        self._written: list[Tile] = []

    def finished(self, _tile: Tile) -> None:
        """Nothing is left of an earlier run."""

    def write(self, tile: Tile, block: np.ndarray, _counted: Mapping[str, int]) -> None:
        """Put a tile in its place, or add it if it is blended."""
        at = slice(None), *written(tile, self._scale)
        self._written.append(tile)
        if tile.blended:
            self.data[at] += block
            self._blended = True
            return
        self.data[at] = block
        least, most = finite_range(block)  # so that nobody has to scan the cube for it
        self._low, self._high = min(self._low, least), max(self._high, most)

    @property
    def begun(self) -> bool:
        """Whether any tile has been written."""
        return bool(self._written)

    def covered(self) -> np.ndarray:
        """Where the result is finished: bool, (height, width)."""
        weights = np.zeros(self.data.shape[1:], np.float32)
        for tile in self._written:
            weights[written(tile, self._scale)] += tile.weights(self._scale)
        return weights > 1 - 1e-4  # those of all tiles sum to 1, but for rounding

    def close(self) -> tuple[float, float]:
        """Extremes of the values; those of blended tiles are known only now."""
        if self._blended:
            lows, highs = zip(*map(finite_range, self.data), strict=True)
            return min(lows), max(highs)
        return self._low, self._high
