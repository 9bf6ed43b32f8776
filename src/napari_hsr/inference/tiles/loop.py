"""The loop over tiles: read, normalise, run the network, undo, write.

Photographs and cubes are computed by the same loop. They differ in a :class:`TileJob`, which
reads the input and converts the output of the network, and in where the result goes, an
:class:`~napari_hsr.inference.tiles.outputs.Output`. Blending, ensembles, pixels without a value, lack of memory, progress and cancelling
are handled here alone.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from napari_hsr.errors import lacks_memory
from napari_hsr.inference.estimates import speed_probe
from napari_hsr.inference.estimates.memory_use import release_cached
from napari_hsr.inference.estimates.speed import keep
from napari_hsr.inference.tiles.network_passes import POLL, Passes
from napari_hsr.inference.tiles.one_tile import begun
from napari_hsr.inference.tiles.queue import TileQueue
from napari_hsr.inference.tiles.transfers import transfers_of
from napari_hsr.progress import Progress, stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator, Mapping

    import numpy as np
    import torch

    from napari_hsr.inference.ensembles import Net
    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiles.cluster import Workers
    from napari_hsr.inference.tiles.on_disk import OnDisk
    from napari_hsr.inference.tiles.outputs import Output
    from napari_hsr.inference.tiles.tiling import Tile
    from napari_hsr.inference.tiles.transfers import Arriving, Transfers
    from napari_hsr.notices import Notice

    #: A tile, what was counted in it, and what it adds to the output: (bands, h, w) float32.
    _There = tuple[Tile, Mapping[str, int], np.ndarray]

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
    queue = TileQueue(run, job.doing)
    if workers is None:
        yield from _here(run, job, output, cancel, queue)
    else:
        yield from _on_workers(run, job, output, cancel, workers, queue)
    stop_if(cancel)
    low, high = output.close()
    yield Progress(queue.passes_done, queue.passes_done, "Done", 0.0)
    return Tiled(len(queue.finished), (low, high) if low <= high else (0.0, 0.0), queue.notices())


def _here(
    run: RunPlan, job: TileJob, output: Output, cancel: threading.Event | None, queue: TileQueue
) -> Generator[Progress, None, None]:
    """The tiles of the queue, computed in this process one after the other.

    On a graphics card a tile is begun before the result of the one before it is awaited and written.
    """
    module: torch.nn.Module | None = None
    passes, transfers = Passes(cancel, run.model.check_weights), transfers_of(run.device)
    coming: deque[_Coming] = deque()  # the first ones that wait in the queue

    def network(images: torch.Tensor) -> torch.Tensor:
        assert module is not None  # made before the first pass
        return passes.run(module, images)

    with passes:
        yield from _learn_speed(run, queue, passes)
        while queue.waiting:
            tile = queue.waiting[len(coming)] if len(coming) < len(queue.waiting) else None
            if tile is not None and (earlier := output.finished(tile)) is not None:
                job.add(earlier)
                queue.skip(tile)
                continue
            there: list[_There] = []
            short = False
            passes.seconds, passes.expected = 0.0, queue.seconds_a_pass()
            try:
                for event in passes.events(_steps(tile, coming, run, job, network, transfers)):
                    if isinstance(event, float):  # the pass goes on
                        yield queue.progress(event)
                    elif event is not None:
                        there.append(event)
                    else:  # a pass of the network is about to begin
                        stop_if(cancel)
                        yield queue.begin_pass()
                        module = _module(run) if module is None else module
            except Exception as error:
                short = lacks_memory(error)
                if not short:
                    raise
            queue.leave(len(coming))
            while there:
                of, counted, values = there.pop(0)
                start = time.perf_counter()
                output.write(of, values, counted)
                del values
                job.add(counted)
                queue.finish(of, passes.seconds + time.perf_counter() - start)
                passes.seconds = 0.0
            if short:  # the error is gone by now, and what it kept alive with it
                coming.clear()
                queue.leave(0)
                release_cached(run.device)
                queue.halve()
        queue.told += transfers.notices() + getattr(module, "notices", tuple)()
    keep()


def _module(run: RunPlan) -> torch.nn.Module:
    """The network of a plan, recorded where the device can do that."""
    run.model.check_weights()  # the copy made for speed reads them
    module = run.module()
    if run.device.type != "cuda":
        return module
    from napari_hsr.inference.tiles.cuda_graph import Recorded

    return Recorded(module)


def _learn_speed(run: RunPlan, queue: TileQueue, passes: Passes) -> Generator[Progress, None, None]:
    """Measure the network on small images before a long run whose time is not known."""
    telling = Progress(0, queue.passes, "Measuring how long it will take")

    def measure() -> Iterator[None]:
        speed_probe.measure(run, passes)
        yield None

    if speed_probe.worthwhile(run):
        yield telling
        # unless who was told has asked for an estimate, and so knows
        if speed_probe.worthwhile(run):
            for event in passes.events(measure()):
                if isinstance(event, float):
                    yield telling


def _on_workers(
    run: RunPlan,
    job: TileJob,
    output: Output,
    cancel: threading.Event | None,
    workers: Workers,
    queue: TileQueue,
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


class _Coming(NamedTuple):
    """A tile whose result is on its way, and what was counted in it."""

    tile: Tile
    counted: Mapping[str, int]
    arriving: Arriving


def _steps(
    tile: Tile | None,
    coming: deque[_Coming],
    run: RunPlan,
    job: TileJob,
    network: Net,
    transfers: Transfers,
) -> Iterator[_There | None]:
    """None before each pass over a tile; then what is there.

    That is the tile itself, or the one before it, whose result has come meanwhile; without a tile, all
    that is still to come.
    """
    if tile is not None:
        yield None
        for arriving in begun(tile, job.read(tile), run, network, transfers):
            if arriving is None:
                yield None
            else:
                coming.append(_Coming(tile, job.counted(), arriving))
    # what undoes by the tile that was read last can have no other one read before
    ahead = transfers.ahead
    if ahead and (tile is None or job.undoing is None):
        ahead = 0
    while len(coming) > ahead:
        one = coming.popleft()
        yield one.tile, one.counted, _undone(one.tile, one.arriving(), run, job)


def _undone(tile: Tile, kept: np.ndarray, run: RunPlan, job: TileJob) -> np.ndarray:
    """The network's result in the units of the cube, and weighted."""
    values = job.undo(kept)
    return values * tile.weights(run.model.scale) if tile.blended else values
