"""Tiles as tasks of dask.distributed, on this machine or on others.

A client reads the tiles and sends them, small ones together; a model is sent once to each worker, and
kept there with the copy made for speed as long as it is in use here.
Workers that see the store of a result write their tiles into it themselves. dask gives the tiles of
a worker that is lost to another one; what was lost with all copies of it is sent again from here.

Memory of a worker is reused (:func:`_reuse_memory`): dask lets the C library hand every large block
back at once, which made the networks take up to half as long again.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from napari_hsr import __version__
from napari_hsr.errors import InputError
from napari_hsr.inference.devices import resolve
from napari_hsr.inference.one_tile import computed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import torch

    from napari_hsr.inference.on_disk import ShardWriter
    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiling import Tile
    from napari_hsr.models.model import Model

    #: Tiles and what is read of them.
    Group = list[tuple[Tile, np.ndarray]]
    #: What the network made of a tile, or what a worker has written of it.
    Answer = np.ndarray | dict[str, Any]
    Writing = tuple[Callable[[np.ndarray], np.ndarray], ShardWriter]

#: Seconds that a scheduler, and its first worker, may take to answer.
PATIENCE = 10.0
#: Tasks that are sent ahead, for each thread of the workers.
AHEAD = 3
#: How long a task should take, and how much its tiles and their results may be.
GROUP_SECONDS, GROUP_BYTES = 0.5, 2**26
#: How often a tile may be lost with its worker.
LOSSES = 5
#: Share of a worker's memory that its tiles may take.
SHARE = 0.5
#: Options of glibc's ``mallopt``, with what they become by themselves in a process of large blocks.
MALLOC_OPTIONS = {"M_TRIM_THRESHOLD": (-1, 2**26), "M_MMAP_THRESHOLD": (-3, 2**25)}
#: Models that workers have, by the client that sent them.
_SENT: WeakKeyDictionary[Model, dict[str, Any]] = WeakKeyDictionary()


class Workers:
    """The workers of a client, as they are when a run begins.

    Parameters
    ----------
    client : distributed.Client
    device : str
        As for :func:`napari_hsr.reconstruct`; each worker looks for its own.

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
    """

    def __init__(self, client: Any, device: str = "auto"):
        self.client, self._device = client, device
        where = client.scheduler.address if client.scheduler else "this address"
        with suppress(TimeoutError):
            client.wait_for_workers(1, timeout=PATIENCE)
        known = _known(client)
        if not known:
            raise InputError(f"The scheduler at {where} has no workers: start some first.")
        self.threads = threads_of(client)
        limits = [w["memory_limit"] / w["nthreads"] for w in known if w.get("memory_limit")]
        self.memory = int(SHARE * min(limits)) if limits else None
        self._check_versions(where)

    @property
    def planning(self) -> dict[str, Any]:
        """What a plan must know of them, for :func:`~napari_hsr.inference.run_plan.plan_run`."""
        return {"at_once": self.threads, "memory": self.memory}

    def tasks(self, run: RunPlan, writing: Writing | None = None) -> Tasks:
        """Room for the tiles of a plan, which workers write if they are told how."""
        without = replace(run, tiles=(), model=cast("Any", None))  # which is sent by itself
        work = Work(without, self._device, __version__, *(writing or (None, None)))
        return Tasks(self.client, work, run.model, self.threads)

    def _check_versions(self, where: str) -> None:
        try:
            found = set(self.client.run(_version).values())
        except ImportError as error:
            raise InputError(
                f"The workers at {where} have no napari-hsr, or not all of it ({error}): install "
                f"version {__version__} there."
            ) from error
        others = ", ".join(sorted(found - {__version__}))
        if others:
            raise InputError(
                f"Workers at {where} have napari-hsr {others} and this is {__version__}: install the "
                "same version on all machines."
            )


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

    def __init__(self, client: Any, work: Work, model: Model, threads: int):
        self._client, self._work, self._model, self._threads = client, work, model, threads
        self.most = AHEAD * threads
        self._shared: Any = None
        self._waiting: dict[int, tuple[Group, int]] = {}  # with the number of losses
        self._futures: dict[int, Any] = {}
        self._mail: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self._begun, self._together = 0, 1

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
                self._shared = self._client.scatter(self._work, broadcast=True, hash=False)
            model = _sent(self._client, self._model)
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
            self._check_connection()
            return None
        if number not in self._futures or self._futures[number] is not future:  # withdrawn
            return None
        try:
            answers, took = future.result()
        except KilledWorker as error:
            raise InputError(
                "Workers were lost again and again with the same tile, which is a lack of memory as "
                "a rule: give them more, or choose smaller tiles."
            ) from error
        except FutureCancelledError:
            self._check_connection()
            group, losses = self._waiting[number]
            if losses == LOSSES:
                raise
            self._shared = None  # it may be lost too, as may the model
            _SENT.pop(self._model, None)
            self.submit(group, losses + 1, number)
            return None
        group, _ = self._waiting.pop(number)
        del self._futures[number]
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
        """Whether there is a worker at all."""
        return bool(self._client.scheduler_info(n_workers=1)["workers"])

    def _check_connection(self) -> None:
        if self._client.status != "running":
            raise InputError(
                "The scheduler no longer answers. What was written to a store is kept, and the same "
                "run goes on from there; else it is lost."
            )


def compute(work: Work, model: Model, group: Group) -> tuple[list[Answer], float]:
    """What a worker does with tiles: as :func:`~napari_hsr.inference.one_tile.computed`.

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
    _reuse_memory()
    start = time.perf_counter()
    run = replace(work.run, model=model, device=resolve(work.device))
    module = run.module()
    writes = work.writer is not None and work.writer.sees()

    def network(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
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


@contextmanager
def connected(scheduler: str | None = None, workers: int | None = None) -> Iterator[Any]:
    """A client of a scheduler, or of so many workers on this machine; None for neither.

    Raises
    ------
    InputError
        If dask.distributed is missing, both are named, or the scheduler does not answer.
    """
    if scheduler is None and workers is None:
        yield None
        return
    if scheduler is not None and workers is not None:
        raise InputError("Name a scheduler, or a number of workers on this machine, not both.")
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError(
            'Workers need dask.distributed: pip install "napari-hsr[distributed]".'
        ) from error
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            raise InputError(
                f"No scheduler answers at {scheduler}: start one with “dask scheduler”, and name "
                "the address that it prints, such as tcp://10.0.0.5:8786."
            ) from error
        with client:
            yield client
        return
    cores = str(max(1, (os.cpu_count() or 1) // (workers or 1)))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), cores)
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, env=threads
        ) as cluster,
        Client(cluster, timeout=PATIENCE) as client,
    ):
        yield client


def _sent(client: Any, model: Model) -> Any:
    """A model as it lies on the workers of a client, which it is sent to where it is not yet there."""
    known = _SENT.setdefault(model, {})
    for name in [n for n, one in known.items() if one.client.status != "running"]:
        del known[name]
    if client.id not in known:
        known[client.id] = client.scatter(model, broadcast=True, hash=False)
    return known[client.id]


def threads_of(client: Any) -> int:
    """Threads of all workers."""
    return sum(worker["nthreads"] for worker in _known(client))


@cache
def _reuse_memory() -> None:
    """Let the C library of this process keep freed blocks for the next tile, where it is glibc.

    A nanny of dask sets ``MALLOC_TRIM_THRESHOLD_``, which stops glibc from raising its thresholds:
    every activation of a network would be new pages, cleared by the system.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    for option, value in MALLOC_OPTIONS.values() if mallopt else ():
        mallopt(option, value)


def _known(client: Any) -> list[dict[str, Any]]:
    return list(client.scheduler_info(n_workers=-1)["workers"].values())


def _version() -> str:
    return __version__
