"""Workers of dask.distributed in processes of this machine, which end when nobody wants them any more."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
import warnings
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.process import BaseProcess

#: Seconds that a scheduler, and its first worker, may take to answer.
PATIENCE = 10.0
#: How often, in seconds, it is looked for processes that begin.
_POLL = 0.01
#: Settings of dask for workers that are begun here, on whose cores the scheduler and the client run as well:
#: sampling each thread's stack a hundred times a second, looking at the event loop fifty times and at the
#: memory of each worker twenty, take a fifteenth of two cores, and nobody sees most of what they find, as
#: there is no dashboard. By environment variables, with which a user may say otherwise.
QUIET = {
    f"DASK_{name.upper().replace('.', '__').replace('-', '_')}": (name, value)
    for name, value in {
        "distributed.worker.profile.enabled": False,
        "distributed.worker.memory.monitor-interval": "1s",
        "distributed.admin.tick.interval": "500ms",
        "distributed.admin.system-monitor.interval": "5s",
    }.items()
}


@contextmanager
def local_client(workers: int) -> Iterator[Any]:
    """A client of so many workers, which are begun for it, each a process of one thread.

    Raises
    ------
    InputError
        If they cannot be begun.
    """
    from distributed import Client, LocalCluster
    from distributed.utils import LoopRunner

    cores = str(max(1, (os.cpu_count() or 1) // workers))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), cores)
    options: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": None, "env": threads}
    options["memory_limit"] = 1 / workers  # as a share of what there is
    # what dask says of workers that it lost or ends, in tracebacks too, is nothing that a user can act on
    options["silence_logs"] = logging.CRITICAL
    # nor is what it says of those that did not begin
    logging.getLogger("tornado.application").setLevel(logging.CRITICAL)
    with ExitStack() as until_done:
        with quiet(), warnings.catch_warnings():
            # of two runs at a time: another port is taken, which nobody here looks at
            warnings.filterwarnings("ignore", "Port .* is already in use")
            loop = LoopRunner()
            with _not_interrupted():
                loop.start()  # in a thread that begins the workers, and does not hear Ctrl-C either
            until_done.callback(loop.stop)
            cluster = LocalCluster(n_workers=0, loop=loop.loop, **options)
            until_done.enter_context(cluster)
            # results come from the workers themselves, not by way of the scheduler
            client = Client(cluster, timeout=PATIENCE, direct_to_workers=True)
            until_done.enter_context(client)
            with _not_interrupted():
                begun = _begun(cluster, workers)
                until_done.callback(_end_at_once, cluster, begun)
            _wait_for(client, begun)  # Ctrl-C is heard: libraries take seconds to load
        yield client


def _begun(cluster: Any, workers: int) -> list[BaseProcess]:
    """The processes of so many workers, which are begun, but still load their libraries."""
    others = {process.pid for process in multiprocessing.active_children()}
    cluster.scale(workers)
    found: list[BaseProcess] = []
    until = time.monotonic() + PATIENCE
    while len(found) < workers and time.monotonic() < until:
        time.sleep(_POLL)
        found = [p for p in multiprocessing.active_children() if p.pid not in others]
    return found


def _wait_for(client: Any, begun: list[BaseProcess]) -> None:
    """Return once workers have come that were begun here."""
    while begun and all(process.is_alive() for process in begun):
        with suppress(TimeoutError):
            client.wait_for_workers(len(begun), timeout=1)
            return
    raise InputError("Workers ended before they had begun, as for a lack of memory: name fewer.")


@contextmanager
def _not_interrupted() -> Iterator[None]:
    """Processes that are begun in here do not hear Ctrl-C, which is for this one alone.

    A terminal sends it to all of them. Here it comes once they are there.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # which lets the signal through when it begins
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_at_once(cluster: Any, begun: list[BaseProcess]) -> None:
    """End workers whose results are here, or wanted no more, or which are still being begun.

    dask would wait up to seconds for what they still compute of a run that was cancelled. A store
    survives that: its shards appear whole.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] == "distributed":  # of connections that are closed: nothing to act on
            logging.getLogger(name).setLevel(logging.CRITICAL)
    come = list(cluster.workers.values())  # of which some may stand in place of lost ones
    for nanny in come:
        nanny.auto_restart = False
    running = {p.pid for p in begun if p.is_alive()} | {nanny.pid for nanny in come}
    for number in running:
        if number is not None:
            with suppress(ProcessLookupError):
                os.kill(number, getattr(signal, "SIGKILL", signal.SIGTERM))


@contextmanager
def quiet() -> Iterator[None]:
    """A cluster and clients that are begun in here leave the cores to the work (:data:`QUIET`)."""
    import dask.config

    unsaid = (setting for variable, setting in QUIET.items() if variable not in os.environ)
    with dask.config.set(dict(unsaid)):
        yield
