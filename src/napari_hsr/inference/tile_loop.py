"""The loop over tiles: read, normalise, run the network, undo, write.

Photographs and cubes are computed by the same loop. They differ in a :class:`TileJob`, which
reads the input and converts the output of the network, and in where the result goes, an
:class:`~napari_hsr.inference.outputs.Output`. Blending, ensembles, pixels without a value, lack of memory, progress and cancelling
are handled here alone.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, cast

from napari_hsr.errors import InputError, lacks_memory
from napari_hsr.inference import probe
from napari_hsr.inference.memory_use import release_cached
from napari_hsr.inference.one_tile import computed
from napari_hsr.inference.passes import POLL, Passes
from napari_hsr.inference.speed import keep, remember_tile, tile_seconds
from napari_hsr.inference.tiling import cut, notice, side
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress, stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator, Mapping

    import numpy as np
    import torch

    from napari_hsr.inference.cluster import Workers
    from napari_hsr.inference.ensembles import Net
    from napari_hsr.inference.on_disk import OnDisk
    from napari_hsr.inference.outputs import Output
    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiling import Tile

#: Tiles are not cut smaller than this: something else is then taking the memory.
SMALLEST = 16
#: What is told while all workers are lost.
NO_WORKER = "Waiting for a worker"


class TileJob(Protocol):
    """What distinguishes one kind of input from another."""

    #: For the progress: ``"Reconstructing"``.
    doing: str

    def read(self, tile: Tile) -> np.ndarray:
        """Input of the network for a tile, (channels, h, w) float32.

        Values that are not finite are kept out of the network and are NaN in the result.
        """

    def undo(self, bands: np.ndarray) -> np.ndarray:
        """Output of the network (bands, h, w) in the units of the cube."""

    @property
    def undoing(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """:meth:`undo` for another process; None where it needs what is here."""

    def counted(self) -> Mapping[str, int]:
        """What was counted in the tile read last."""

    def add(self, counted: Mapping[str, int]) -> None:
        """Add what was counted in a tile, here, elsewhere or in an earlier run."""


@dataclass(frozen=True)
class Tiled:
    """What the loop ends with.

    Attributes
    ----------
    tiles : int
    value_range : (float, float)
        Extremes of the finite values of the output; (0, 0) if there are none.
    notices : tuple of Notice
        What the user must know of the tiles.
    """

    tiles: int
    value_range: tuple[float, float]
    notices: tuple[Notice, ...]


def run_tiles(
    run: RunPlan,
    job: TileJob,
    output: Output,
    cancel: threading.Event | None = None,
    workers: Workers | None = None,
) -> Generator[Progress, None, Tiled]:
    """Compute all tiles of a plan that the output has not got yet.

    Where memory runs out, what is finished is kept and the remaining tiles are halved.

    Parameters
    ----------
    run : RunPlan
    job : TileJob
    output : Output
        Of the plan's output shape.
    cancel : threading.Event, optional
    workers : Workers, optional
        What computes the tiles, in place of this process.

    Yields
    ------
    Progress
        Before each pass of the network over a tile, while it goes on, and at the end.

    Returns
    -------
    Tiled

    Raises
    ------
    InputError
        If there is not enough memory even for small tiles.
    Cancelled
        If ``cancel`` was set: a second or so later, however large the tile is.
    """
    queue = _Queue(run, job.doing)
    if workers is None:
        yield from _here(run, job, output, cancel, queue)
    else:
        yield from _on_workers(run, job, output, cancel, workers, queue)
    stop_if(cancel)
    low, high = output.close()
    yield Progress(queue.passes_done, queue.passes_done, "Done", 0.0)
    return Tiled(len(queue.finished), (low, high) if low <= high else (0.0, 0.0), queue.notices())


def _here(
    run: RunPlan, job: TileJob, output: Output, cancel: threading.Event | None, queue: _Queue
) -> Generator[Progress, None, None]:
    """The tiles of the queue, computed in this process one after the other."""
    module: torch.nn.Module | None = None
    passes = Passes(cancel)

    def network(images: torch.Tensor) -> torch.Tensor:
        assert module is not None  # made before the first pass
        return passes.run(module, images)

    with passes:
        yield from _learn_speed(run, queue, passes)
        while queue.waiting:
            tile, short = queue.waiting[0], False
            earlier = output.finished(tile)
            if earlier is not None:
                job.add(earlier)
                queue.skip()
                continue
            values: np.ndarray | None = None
            passes.seconds, passes.expected = 0.0, queue.seconds_a_pass()
            try:
                for event in passes.events(_compute(tile, run, job, network)):
                    if isinstance(event, float):  # the pass goes on
                        yield queue.progress(event)
                        continue
                    values = event
                    if values is None:  # a pass of the network is about to begin
                        stop_if(cancel)
                        yield queue.begin_pass()
                        module = run.module() if module is None else module
            except Exception as error:
                short = lacks_memory(error)
                if not short:
                    raise
            if short:  # the error is gone by now, and what it kept alive with it
                release_cached(run.device)
                queue.halve()
                continue
            assert values is not None  # a tile ends with its values
            start = time.perf_counter()
            counted = job.counted()
            output.write(tile, values, counted)
            job.add(counted)
            queue.finish(passes.seconds + time.perf_counter() - start)
    keep()


def _learn_speed(run: RunPlan, queue: _Queue, passes: Passes) -> Generator[Progress, None, None]:
    """Measure the network on small images before a long run whose time is not known."""
    telling = Progress(0, queue.passes, "Measuring how long it will take")

    def measure() -> Iterator[None]:
        probe.measure(run, passes)
        yield None

    if probe.worthwhile(run):
        yield telling
        if probe.worthwhile(run):  # unless who was told has asked for an estimate, and so knows
            for event in passes.events(measure()):
                if isinstance(event, float):
                    yield telling


def _on_workers(
    run: RunPlan,
    job: TileJob,
    output: Output,
    cancel: threading.Event | None,
    workers: Workers,
    queue: _Queue,
) -> Generator[Progress, None, None]:
    """The tiles of the queue, computed by workers; written by them where they can, else here, those that are blended in order."""
    unsent, sent = deque(queue.waiting), dict[int, _Sent]()
    undo, writer = job.undoing, getattr(output, "elsewhere", None)
    last = time.perf_counter()
    with workers.tasks(run, None if undo is None or writer is None else (undo, writer)) as tasks:
        while queue.waiting:
            stop_if(cancel)
            while unsent and tasks.under_way < tasks.most:
                group: list[tuple[Tile, np.ndarray]] = []
                while unsent and len(group) < tasks.together(len(unsent) + len(group)):
                    tile = unsent.popleft()
                    earlier = output.finished(tile)
                    if earlier is not None:
                        job.add(earlier)
                        queue.skip(tile)
                        continue
                    group.append((tile, job.read(tile)))
                    sent[id(tile)] = _Sent(tile, job.counted())
                if group:
                    tasks.submit(group)
            if not sent:
                continue
            yield queue.progress(0.0)
            try:
                answers = tasks.next(POLL)
            except Exception as error:
                if not lacks_memory(error):
                    raise
                tasks.withdraw()
                queue.halve()
                unsent, sent = deque(queue.waiting), {}
                continue
            if answers is None:
                if not tasks.any_worker():
                    yield replace(queue.progress(0.0), message=NO_WORKER)
                continue
            for tile, answer in answers:
                sent[id(tile)].answer = answer
            ordered = run.tiles[0].blended and writer is None  # sums depend on it
            for one in list(sent.values()) if ordered else [sent[id(t)] for t, _ in answers]:
                if one.answer is None:
                    break
                if isinstance(one.answer, dict):  # the worker has written it
                    cast("OnDisk", output).note(one.tile, one.answer, one.counted)
                else:
                    output.write(one.tile, _undone(one.tile, one.answer, run, job), one.counted)
                job.add(one.counted)
                del sent[id(one.tile)]
                now = time.perf_counter()
                queue.finish_elsewhere(one.tile, now - last)
                last = now


@dataclass
class _Sent:
    """A tile that a worker has, what was counted in it, and once it is there the result.

    That is what the network made, or what the worker has written of it.
    """

    tile: Tile
    counted: Mapping[str, int]
    answer: np.ndarray | dict[str, Any] | None = None


def _compute(tile: Tile, run: RunPlan, job: TileJob, network: Net) -> Iterator[np.ndarray | None]:
    """None before each pass; at the end what the tile adds to the output, (bands, h, w) float32."""
    yield None
    for kept in computed(tile, job.read(tile), run, network):
        yield None if kept is None else _undone(tile, kept, run, job)


def _undone(tile: Tile, kept: np.ndarray, run: RunPlan, job: TileJob) -> np.ndarray:
    """The network's result in the units of the cube, and weighted."""
    values = job.undo(kept)
    return values * tile.weights(run.model.scale) if tile.blended else values


class _Queue:
    """The tiles still to be computed, smaller ones where memory ran out, and the time they take."""

    def __init__(self, run: RunPlan, doing: str):
        self._run, self._doing = run, doing
        self.waiting = deque(run.tiles)
        self.finished: list[Tile] = []
        self._passes = 0  # of the network over the tile at hand
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
        left = self._seconds_left((begun + share) / self._run.ensemble.passes)
        return Progress(self.passes_done + begun, self.passes, message, left, share)

    def seconds_a_pass(self) -> float | None:
        """What a pass over the tile at hand is expected to take."""
        known = tile_seconds(self._run, [self.waiting[0]])
        return None if known is None else known / self._run.ensemble.passes

    def finish(self, seconds: float) -> None:
        """The tile at hand has been written."""
        remember_tile(self._run, self.waiting[0], seconds)
        self._seconds += seconds
        self._computed += _pixels(self.waiting[0])
        self.skip()

    def finish_elsewhere(self, tile: Tile, seconds: float) -> None:
        """A tile has been written so many seconds after another one."""
        self._seconds += seconds
        self._computed += _pixels(tile)
        self.skip(tile)

    def skip(self, tile: Tile | None = None) -> None:
        """A tile, by default the one at hand, is finished."""
        place = next(i for i, one in enumerate(self.waiting) if tile is None or one is tile)
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
        found = []
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
