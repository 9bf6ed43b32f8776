"""Tiles as tasks of dask.distributed, on this machine or on others.

A client reads the tiles and sends them; the model is sent once to each worker. dask gives the tiles of
a worker that is lost to another one; what was lost with all copies of it is sent again from here.
"""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from napari_hsr import __version__
from napari_hsr.errors import InputError
from napari_hsr.inference.devices import resolve
from napari_hsr.inference.one_tile import computed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import torch

    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiling import Tile

#: Seconds that a scheduler, and its first worker, may take to answer.
PATIENCE = 10.0
#: Tiles that are sent ahead, for each thread of the workers.
AHEAD = 3
#: How often a tile may be lost with its worker.
LOSSES = 5
#: Share of a worker's memory that its tiles may take.
SHARE = 0.5


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

    def tasks(self, run: RunPlan) -> Tasks:
        """Room for the tiles of a plan."""
        return Tasks(self.client, run, self._device, AHEAD * self.threads)

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


class Tasks:
    """Tiles that workers compute; a context manager, which withdraws what is left.

    Attributes
    ----------
    most : int
        Tiles to have under way at a time.
    """

    def __init__(self, client: Any, run: RunPlan, device: str, most: int):
        self._client, self._run, self._device = client, replace(run, tiles=()), device
        self.most = most
        self._shared: Any = None
        self._waiting: dict[int, tuple[Tile, np.ndarray, int]] = {}  # with the number of losses
        self._futures: dict[int, Any] = {}
        self._mail: SimpleQueue[tuple[int, Any]] = SimpleQueue()

    def __enter__(self) -> Tasks:
        return self

    def __exit__(self, *_: object) -> None:
        self.withdraw()

    def submit(self, number: int, tile: Tile, values: np.ndarray, losses: int = 0) -> None:
        """Send a tile."""
        self._waiting[number] = tile, values, losses
        with warnings.catch_warnings():  # the scheduler keeps the tile, for the case of a loss
            warnings.filterwarnings("ignore", "Sending large graph")
            if self._shared is None:
                self._shared = self._client.scatter(self._run, broadcast=True, hash=False)
            future = self._client.submit(
                compute, self._shared, tile, values, self._device, __version__, pure=False
            )
        self._futures[number] = future
        future.add_done_callback(lambda done: self._mail.put((number, done)))

    def next(self, seconds: float) -> tuple[int, np.ndarray] | None:
        """A tile that has ended, with its result; None if none has within this time.

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
            result = future.result()
        except KilledWorker as error:
            raise InputError(
                "Workers were lost again and again with the same tile, which is a lack of memory as "
                "a rule: give them more, or choose smaller tiles."
            ) from error
        except FutureCancelledError:
            self._check_connection()
            tile, values, losses = self._waiting[number]
            if losses == LOSSES:
                raise
            self._shared = None  # it may be lost too
            self.submit(number, tile, values, losses + 1)
            return None
        del self._futures[number], self._waiting[number]
        return number, result

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
            raise InputError("The scheduler no longer answers; what was not computed is lost.")


def compute(run: RunPlan, tile: Tile, values: np.ndarray, device: str, version: str) -> np.ndarray:
    """What a worker does with a tile: as :func:`~napari_hsr.inference.one_tile.computed`.

    Raises
    ------
    InputError
        If the worker came later and has another version.
    """
    import torch

    if version != __version__:
        raise InputError(f"A worker has napari-hsr {__version__}, and the client {version}.")
    own = resolve(device)
    if own != run.device:
        run = replace(run, device=own)
    module = run.module()

    def network(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            result: torch.Tensor = module(images)
            return result

    *_, result = computed(tile, values, run, network)
    assert result is not None  # the last one is the result
    return result


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


def threads_of(client: Any) -> int:
    """Threads of all workers."""
    return sum(worker["nthreads"] for worker in _known(client))


def _known(client: Any) -> list[dict[str, Any]]:
    return list(client.scheduler_info(n_workers=-1)["workers"].values())


def _version() -> str:
    return __version__
