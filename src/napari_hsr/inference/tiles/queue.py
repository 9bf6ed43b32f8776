"""The tiles of a run that are still to be computed, and the time they take."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from napari_hsr.errors import InputError
from napari_hsr.inference.estimates.network_speed import Pace, tile_seconds
from napari_hsr.inference.tiles.network_passes import BY_TIME
from napari_hsr.inference.tiles.tiling import cut, notice, side
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress

if TYPE_CHECKING:
    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiles.tiling import Tile

#: Tiles are not cut smaller than this: something else is then taking the memory.
SMALLEST = 16


class TileQueue:
    """The tiles still to be computed, smaller ones where memory ran out, and the time they take."""

    def __init__(self, run: RunPlan, doing: str):
        self._run, self._doing, self._pace = run, doing, Pace(run)
        self.waiting = deque(run.tiles)
        self.finished: list[Tile] = []
        self.told: tuple[Notice, ...] = ()  # what else the user must know
        self._passes = 0  # of the network over the tile at hand
        self._coming = 0  # tiles whose passes are done, and that are not written yet
        self._seconds, self._computed = 0.0, 0  # and the pixels computed in them
        self._first_side = self._side = 0

    @property
    def passes_done(self) -> int:
        """Passes over the finished tiles."""
        return len(self.finished) * self._run.ensemble.passes

    @property
    def passes(self) -> int:
        """Passes over all tiles."""
        return (len(self.finished) + len(self.waiting)) * self._run.ensemble.passes

    def begin_pass(self) -> Progress:
        """Count a pass of the network over the tile at hand."""
        self._passes += 1
        return self.progress(0.0)

    def progress(self, share: float) -> Progress:
        """How far the run is when the pass begun last has come to a share of its own."""
        message = self._doing
        if self._side:
            message += f" in tiles of {self._side} pixels: there was no memory for larger ones"
        begun = max(self._passes - 1, 0)
        done = (begun + share) / self._run.ensemble.passes
        left = None if share >= BY_TIME else self._seconds_left(done)  # it takes longer than known
        begun += self._coming * self._run.ensemble.passes
        return Progress(self.passes_done + begun, self.passes, message, left, share)

    def seconds_a_pass(self) -> float | None:
        """What a pass over the tile at hand is expected to take."""
        known = tile_seconds(self._run, [self.waiting[0]])
        return None if known is None else known / self._run.ensemble.passes

    def leave(self, coming: int) -> None:
        """The passes over the tile at hand are done; so many tiles are to be written later."""
        self._passes, self._coming = 0, coming

    def finish(self, tile: Tile, seconds: float) -> None:
        """A tile has been written, after so many seconds that it took."""
        self._pace.add(tile, seconds)
        self.finish_elsewhere(tile, seconds)

    def finish_elsewhere(self, tile: Tile, seconds: float) -> None:
        """A tile has been written so many seconds after another one."""
        self._seconds += seconds
        self._computed += _pixels(tile)
        self.skip(tile)

    def skip(self, tile: Tile) -> None:
        """A tile is finished."""
        place = next(i for i, one in enumerate(self.waiting) if one is tile)
        self.finished.append(self.waiting[place])
        del self.waiting[place]
        self._passes = 0

    def halve(self) -> None:
        """Cut the tile at hand, and all after it that are as large, to half its side.

        Raises
        ------
        InputError
            If the image cannot be cut, or the tile is too small already.
        """
        if self._run.ensemble.whole_image:
            raise InputError(
                "There is not enough memory for strips of the whole image: "
                "choose 'single', which can be computed in tiles."
            )
        model, before = self._run.model, side(self.waiting[0])
        half = -(-before // 2)
        if half < SMALLEST:
            raise InputError(
                f"There is not enough memory for {model.name}, not even in tiles of {before} "
                "pixels: close other programs, or choose a smaller image or another device."
            )
        self._first_side = self._first_side or before
        self._side = half
        size = self._run.height, self._run.width
        self.waiting = deque(
            part for tile in self.waiting for part in cut(tile, half, *size, model)
        )
        self._passes = 0

    def notices(self) -> tuple[Notice, ...]:
        """What the user must know of the finished tiles."""
        found = list(self.told)
        if self._side:
            text = (
                f"There was not enough memory for tiles of {self._first_side} pixels: "
                f"the rest was computed in tiles of at most {self._side} pixels."
            )
            found.append(Notice.info(Code.TILES_HALVED, text))
        tiles = notice(self._run.model, self.finished)
        return (*found, tiles) if tiles else tuple(found)

    def _seconds_left(self, of_first: float) -> float | None:
        """By the tiles of this run that are finished, else by those of earlier runs."""
        waiting = sum(map(_pixels, self.waiting)) - of_first * _pixels(self.waiting[0])
        if self._computed:
            return self._seconds / self._computed * waiting
        known = tile_seconds(self._run, self.waiting)
        return None if known is None else known * waiting / sum(map(_pixels, self.waiting))


def _pixels(tile: Tile) -> int:
    height, width = tile.shape
    return height * width
