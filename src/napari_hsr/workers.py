"""Workers of dask.distributed, on this machine or on others: connected, checked, given work.

Memory of a worker is reused (:func:`reuse_memory`): dask lets the C library hand every large block
back at once, which made the networks take up to half as long again.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import threading
import time
import traceback
from collections import deque
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakSet

from napari_hsr import __version__
from napari_hsr.errors import InputError
from napari_hsr.local_workers import PATIENCE, local_client
from napari_hsr.progress import stop_if
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

#: How often workers may be lost while all of them are spoken with.
LOSSES = 5
#: Tasks that are sent ahead, for each thread of the workers.
AHEAD = 3
#: How often, in seconds, it is looked whether to stop.
_POLL = 0.1
_LOST = (
    "The connection to the scheduler was lost again and again. What was written to a store is kept, "
    "and the same run goes on from there; else it is lost."
)
#: Options of glibc's ``mallopt``, with what they become by themselves in a process of large blocks.
MALLOC_OPTIONS = {"M_TRIM_THRESHOLD": (-1, 2**26), "M_MMAP_THRESHOLD": (-3, 2**25)}
#: Clients whose scheduler had no workers however long it was waited: the next of many files waits no more.
_WITHOUT_WORKERS: WeakSet[Any] = WeakSet()
#: Workers that are begun for each core, at most: each takes hundreds of megabytes.
MOST_A_CORE = 16


@contextmanager
def connected(scheduler: str | None = None, workers: int | None = None) -> Iterator[Any]:
    """A client of a scheduler, or of so many workers on this machine; None for neither.

    Raises
    ------
    InputError
        If dask.distributed is missing, both are named, the scheduler does not answer, or this machine
        is none for so many workers.
    """
    if scheduler is None and workers is None:
        yield None
        return
    if scheduler is not None and workers is not None:
        raise InputError("Name a scheduler, or a number of workers on this machine, not both.")
    if scheduler is not None and not scheduler.strip():  # dask would begin one of its own
        raise InputError("The address of a scheduler was expected, such as tcp://10.0.0.5:8786.")
    most = MOST_A_CORE * (os.cpu_count() or 1)
    if workers is not None and not 1 <= workers <= most:
        raise InputError(f"This machine takes 1 to {most} workers, not {workers:,}.")
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            'Workers need dask.distributed: pip install "napari-hsr[distributed]".'
        ) from error
    if scheduler is not None:
        try:
            asyncio.run(asyncio.wait_for(_answers(scheduler), PATIENCE))
            client = Client(scheduler, timeout=PATIENCE)
        except OSError as error:
            raise InputError(
                f"No scheduler answers at {scheduler}: start one with “dask scheduler”, and name "
                "the address that it prints, such as tcp://10.0.0.5:8786."
            ) from error
        except ValueError as error:
            raise InputError(
                f"{one_line(scheduler)} is no address of a scheduler ({one_line(error)}): name the one "
                "that “dask scheduler” prints, such as tcp://10.0.0.5:8786."
            ) from error
        except (TypeError, ImportError) as error:  # tls:// without keys, ucx:// without its library
            raise InputError(
                f"dask.distributed, as it is set up here, cannot connect to {scheduler}: {one_line(error)}"
            ) from error
        with client:
            yield client
        return
    assert workers is not None
    with local_client(workers) as client:
        yield client


async def _answers(scheduler: str) -> None:
    """Return once a scheduler answers: a client waits without end for what only listens there."""
    from distributed.comm import connect
    from distributed.security import Security

    secure = Security().get_connection_args("client")
    (await connect(scheduler, timeout=PATIENCE, **secure)).abort()


def checked(client: Any, cancel: threading.Event | None = None) -> list[dict[str, Any]]:
    """What the scheduler knows of each worker.

    Raises
    ------
    InputError
        If there are none, or one has another version of napari-hsr, or none at all.
    Cancelled
        If ``cancel`` was set: workers that have just begun load their libraries for seconds.
    """
    where = client.scheduler.address if client.scheduler else "this address"
    if client not in _WITHOUT_WORKERS:
        with suppress(TimeoutError):
            _stoppable(lambda: client.wait_for_workers(1, timeout=PATIENCE), cancel)
    known = _known(client)
    if not known:
        _WITHOUT_WORKERS.add(client)
        raise InputError(f"The scheduler at {where} has no workers: start some first.")
    _WITHOUT_WORKERS.discard(client)
    try:
        found = set(with_patience(client, lambda: client.run(_version), cancel).values())
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
    return known


def in_order(
    client: Any,
    function: Callable[..., Any],
    arguments: Iterable[tuple[Any, ...]],
    cancel: threading.Event | None = None,
) -> Iterator[Any]:
    """Results of a function, in the order of its arguments, of which few are sent ahead.

    What a lost worker had is computed again by another one.

    Raises
    ------
    InputError
        If the scheduler is gone, or the workers were lost again and again.
    Cancelled
        If ``cancel`` was set; what was sent is taken back.
    Exception
        What ended a computation.
    """
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    def sent(some: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
        for each in some:
            yield client.submit(function, *each, pure=False), each

    waiting, ahead, losses = iter(arguments), AHEAD * threads_of(client), 0
    under_way = deque(sent(islice(waiting, ahead)))
    try:
        while under_way:
            stop_if(cancel)
            try:
                found = result_of_task(under_way[0][0], _POLL)
            except TimeoutError:
                continue
            except KilledWorker as error:
                raise InputError(
                    "Workers were lost again and again with the same part, which is a lack of memory "
                    "as a rule: give them more."
                ) from error
            except FutureCancelledError as error:
                check_connection(client)
                losses += 1
                if losses > LOSSES:
                    raise InputError(_LOST) from error
                forgotten = [task.status == "cancelled" for task, _ in under_way]
                again = sent(
                    [each for (_, each), gone in zip(under_way, forgotten, strict=True) if gone]
                )
                under_way = deque(
                    next(again) if gone else one
                    for one, gone in zip(under_way, forgotten, strict=True)
                )
                continue
            under_way.popleft()
            under_way.extend(sent(islice(waiting, 1)))
            yield found
    finally:
        if under_way and client.status == "running":
            client.cancel([task for task, _ in under_way])


def result_of_task(task: Any, seconds: float | None = None) -> Any:
    """The result of a future of dask.distributed.

    Where the library stops asking by itself, its call ends in an UnboundLocalError of its own: the
    scheduler forgot the task, or the connection was made again while its result was on the way.

    Raises
    ------
    TimeoutError
        If there is none within this time.
    FutureCancelledError
        If the scheduler forgot the task, as when the connection was lost and made again.
    Exception
        What ended the task.
    """
    from distributed.client import FutureCancelledError

    while True:
        try:
            return task.result(timeout=seconds)
        except UnboundLocalError as error:
            if not _of_the_library(error):  # the task's own
                raise
            if task.status == "cancelled":
                raise FutureCancelledError(task.key, "the scheduler forgot it") from error
            if seconds is not None:
                raise TimeoutError("the result was on its way, and is asked for again") from error
            time.sleep(_POLL)


def _of_the_library(error: Exception) -> bool:
    """Whether an error was raised by the library's call itself, not by the task that it waits for."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__") == "distributed.utils"


def with_patience(
    client: Any, function: Callable[[], T], cancel: threading.Event | None = None
) -> T:
    """Call what speaks with all workers; again, if one of them is lost meanwhile.

    Raises
    ------
    InputError
        If the scheduler is gone, or workers were lost again and again.
    Cancelled
        If ``cancel`` was set.
    """
    for _ in range(LOSSES):
        try:
            return _stoppable(function, cancel)
        except (OSError, LookupError, ValueError) as error:
            if not _of_a_lost_worker(error):
                raise
            check_connection(client)
            time.sleep(_POLL)
            with suppress(TimeoutError):
                _stoppable(lambda: client.wait_for_workers(1, timeout=PATIENCE), cancel)
    raise InputError(
        "Workers were lost again and again while the model was sent to them, which is a lack of "
        "memory as a rule: give them more."
    )


def _of_a_lost_worker(error: Exception) -> bool:
    """Whether the scheduler stumbled over a worker that is gone, by all that it raises then.

    What it does not know yet is a connection that closes, or cannot be made; what it has learned in
    the middle, an address that it knows no more, or that no worker is left to send copies to.
    """
    if isinstance(error, LookupError):
        return "://" in str(error)
    return isinstance(error, OSError) or "Can not use replicate" in str(error)


def _stoppable(function: Callable[[], T], cancel: threading.Event | None) -> T:
    """What a call gives, in a thread that is left to itself once ``cancel`` is set."""
    if cancel is None:
        return function()
    answers: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def call() -> None:
        try:
            answers.put((function(), None))
        except BaseException as error:  # whoever waits has it
            answers.put((None, error))

    threading.Thread(target=call, name="napari-hsr workers", daemon=True).start()
    while True:
        stop_if(cancel)
        with suppress(Empty):
            found, error = answers.get(timeout=_POLL)
            if error is not None:
                raise error
            return cast("T", found)


def check_connection(client: Any) -> None:
    """InputError if the scheduler is gone."""
    if client.status != "running":
        raise InputError(
            "The scheduler no longer answers. What was written to a store is kept, and the same "
            "run goes on from there; else it is lost."
        )


@cache
def reuse_memory() -> None:
    """Let the C library of this process keep freed blocks for the next task, where it is glibc.

    A nanny of dask sets ``MALLOC_TRIM_THRESHOLD_``, which stops glibc from raising its thresholds:
    every activation of a network would be new pages, cleared by the system.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option, value in MALLOC_OPTIONS.values():
            mallopt(option, value)


def threads_of(client: Any) -> int:
    """Threads of all workers, one at least: of workers that died others are on their way."""
    return max(1, sum(worker["nthreads"] for worker in _known(client)))


def _known(client: Any) -> list[dict[str, Any]]:
    return list(client.scheduler_info(n_workers=-1)["workers"].values())


def _version() -> str:
    return __version__
