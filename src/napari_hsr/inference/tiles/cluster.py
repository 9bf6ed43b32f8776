"""Tiles as tasks of dask.distributed, on this machine or on others.

A client reads the tiles and sends them, small ones together; a model is sent once to each worker, and
kept there with the copy made for speed as long as it is in use here.
Workers that see the store of a result write their tiles into it themselves. dask gives the tiles of
a worker that is lost to another one; what was lost with all copies of it is sent again from here.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from napari_hsr import __version__
from napari_hsr.errors import InputError
from napari_hsr.inference.devices import full_float32, resolve
from napari_hsr.inference.tiles.one_tile import computed
from napari_hsr.workers import (
    AHEAD,
    check_connection,
    checked,
    result_of_task,
    reuse_memory,
    threads_of,
    with_patience,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    import numpy as np
    import torch

    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiles.on_disk import ShardWriter
    from napari_hsr.inference.tiles.tiling import Tile
    from napari_hsr.models.model import Model

    #: Tiles and what is read of them.
    Group = list[tuple[Tile, np.ndarray]]
    #: What the network made of a tile, or what a worker has written of it.
    Answer = np.ndarray | dict[str, Any]
    Writing = tuple[Callable[[np.ndarray], np.ndarray], ShardWriter]

#: How long a task should take, and how much its tiles and their results may be.
GROUP_SECONDS, GROUP_BYTES = 0.5, 2**26
#: How often a tile may be lost with its worker.
LOSSES = 5
#: Seconds without a result after which the scheduler is asked whether there are workers. Asked ten times a
#: second it took a fiftieth of a core.
SILENCE = 2.0
#: Share of a worker's memory that its tiles may take.
SHARE = 0.5
#: Models that workers have, by the client that sent them.
_SENT: WeakKeyDictionary[Model, dict[str, Any]] = WeakKeyDictionary()


class Workers:
    """The workers of a client, as they are when a run begins.

    Parameters
    ----------
    client : distributed.Client
    device : str
        As for :func:`napari_hsr.reconstruct`; each worker looks for its own.
    cancel : threading.Event, optional
        Once set, what is said to all workers at a time is not waited for.

    Attributes
    ----------
    threads : int
        Tiles that are computed at a time.
    memory : int or None
        Bytes that a tile may take on any of them; None where the workers are not limited.

    Raises
    ------
    InputError
        If there are none, or one has another version of napari-hsr, or none at all.
    Cancelled
        If ``cancel`` was set.
    """

    def __init__(self, client: Any, device: str = "auto", cancel: threading.Event | None = None):
        self.client, self._device, self._cancel = client, device, cancel
        known = checked(client, cancel)
        self.threads = threads_of(client)
        limits = [w["memory_limit"] / w["nthreads"] for w in known if w.get("memory_limit")]
        self.memory = int(SHARE * min(limits)) if limits else None

    @property
    def planning(self) -> dict[str, Any]:
        """What a plan must know of them, for :func:`~napari_hsr.inference.run_plan.plan_run`."""
        return {"at_once": self.threads, "memory": self.memory}

    def tasks(self, run: RunPlan, writing: Writing | None = None) -> Tasks:
        """Room for the tiles of a plan, which workers write if they are told how."""
        without = replace(run, tiles=(), model=cast("Any", None))  # which is sent by itself
        work = Work(without, self._device, __version__, *(writing or (None, None)))
        return Tasks(self.client, work, run.model, self.threads, self._cancel)


@dataclass(frozen=True)
class Work:
    """What is the same for all tiles of a run, and sent to each worker once.

    Attributes
    ----------
    run : RunPlan
        Without its tiles and its model.
    device, version : str
        As the user named it; of the client.
    undo : callable or None
        From the network's result to the units of the cube.
    writer : ShardWriter or None
        Of a store, to be used where a worker sees it.
    """

    run: RunPlan
    device: str
    version: str
    undo: Callable[[np.ndarray], np.ndarray] | None = None
    writer: ShardWriter | None = None


class Tasks:
    """Groups of tiles that workers compute; a context manager, which withdraws what is left.

    A task takes some tenths of a second: tiles that are faster go together, so that sending them
    does not take longer than computing them.

    Attributes
    ----------
    most : int
        Tasks to have under way at a time.
    """

    def __init__(
        self,
        client: Any,
        work: Work,
        model: Model,
        threads: int,
        cancel: threading.Event | None = None,
    ):
        self._client, self._work, self._model, self._threads = client, work, model, threads
        self._cancel = cancel
        self.most = AHEAD * threads
        self._shared: Any = None
        self._waiting: dict[int, tuple[Group, int]] = {}  # with the number of losses
        self._futures: dict[int, Any] = {}
        self._mail: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self._begun, self._together = 0, 1
        self._asked, self._any_worker = time.monotonic(), True

    def __enter__(self) -> Tasks:
        return self

    def __exit__(self, *_: object) -> None:
        self.withdraw()

    @property
    def under_way(self) -> int:
        """Tasks that have not ended."""
        return len(self._futures)

    def together(self, left: int) -> int:
        """How many tiles the next task should have, if so many are left."""
        return max(1, min(self._together, left // (2 * self._threads)))

    def submit(self, group: Group, losses: int = 0, number: int | None = None) -> None:
        """Send tiles with their values."""
        if number is None:
            number = self._begun = self._begun + 1
        self._waiting[number] = group, losses
        with warnings.catch_warnings():  # the scheduler keeps the tiles, for the case of a loss
            warnings.filterwarnings("ignore", "Sending large graph")
            if self._shared is None:
                self._shared = _scattered(self._client, self._work, self._cancel)
            model = _sent(self._client, self._model, self._cancel)
            future = self._client.submit(compute, self._shared, model, group, pure=False)
        self._futures[number] = future
        future.add_done_callback(lambda done: self._mail.put((number, done)))

    def next(self, seconds: float) -> list[tuple[Tile, Answer]] | None:
        """Tiles that have ended, with their results; None if none has within this time.

        Raises
        ------
        InputError
            If the scheduler is gone, or a tile was lost too often.
        Exception
            What ended the computation of a tile.
        """
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            number, future = self._mail.get(timeout=seconds)
        except Empty:
            check_connection(self._client)
            return None
        if number not in self._futures or self._futures[number] is not future:  # withdrawn
            return None
        try:
            answers, took = result_of_task(future)
        except KilledWorker as error:
            raise InputError(
                "Workers were lost again and again with the same tile, which is a lack of memory as "
                "a rule: give them more, or choose smaller tiles."
            ) from error
        except FutureCancelledError:
            check_connection(self._client)
            group, losses = self._waiting[number]
            if losses == LOSSES:
                raise
            self._shared = None  # it may be lost too, as may the model
            _SENT.pop(self._model, None)
            self.submit(group, losses + 1, number)
            return None
        group, _ = self._waiting.pop(number)
        del self._futures[number]
        self._asked, self._any_worker = time.monotonic(), True
        size = max(values.nbytes for _, values in group) * (1 + self._work.run.bands)
        fits = max(1, GROUP_BYTES // size)
        self._together = min(fits, round(GROUP_SECONDS * len(group) / max(took, 1e-3)))
        return [(tile, answer) for (tile, _), answer in zip(group, answers, strict=True)]

    def withdraw(self) -> None:
        """Take back what has not ended."""
        left = list(self._futures.values())
        self._futures.clear()
        self._waiting.clear()
        if left and self._client.status == "running":
            self._client.cancel(left)

    def any_worker(self) -> bool:
        """Whether there is a worker at all, as was known within :data:`SILENCE`."""
        if time.monotonic() - self._asked > SILENCE:
            self._any_worker = bool(self._client.scheduler_info(n_workers=1)["workers"])
            self._asked = time.monotonic()
        return self._any_worker


def compute(work: Work, model: Model, group: Group) -> tuple[list[Answer], float]:
    """What a worker does with tiles: as :func:`~napari_hsr.inference.tiles.one_tile.computed`.

    Returns
    -------
    list
        For each tile what the network made of it, or what was written of that.
    float
        Seconds that all of them took.

    Raises
    ------
    InputError
        If the worker came later and has another version.
    """
    import torch

    if work.version != __version__:
        raise InputError(f"A worker has napari-hsr {__version__}, and the client {work.version}.")
    reuse_memory()
    start = time.perf_counter()
    run = replace(work.run, model=model, device=resolve(work.device))
    module = run.module()
    writes = work.writer is not None and work.writer.sees()

    def network(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), full_float32(images.device):
            result: torch.Tensor = module(images)
            return result

    answers: list[Answer] = []
    for tile, values in group:
        *_, result = computed(tile, values, run, network)
        assert result is not None  # the last one is the result
        if writes:
            assert work.undo is not None  # both are there, or neither
            assert work.writer is not None
            block = work.undo(result)
            block = block * tile.weights(run.model.scale) if tile.blended else block
            answers.append(work.writer.put(tile, block))
        else:
            answers.append(result)
    return answers, time.perf_counter() - start


def _sent(client: Any, model: Model, cancel: threading.Event | None) -> Any:
    """A model as it lies on the workers of a client, which it is sent to where it is not yet there."""
    known = _SENT.setdefault(model, {})
    for name in [n for n, one in known.items() if one.client.status != "running"]:
        del known[name]
    if client.id not in known:
        known[client.id] = _scattered(client, model, cancel)
    return known[client.id]


def _scattered(client: Any, value: Any, cancel: threading.Event | None) -> Any:
    """Something as it lies on all workers."""
    return with_patience(client, lambda: client.scatter(value, broadcast=True, hash=False), cancel)
