"""The one convention of long work: a generator of typed events that ends with its result.

Inference, comparison and training yield :class:`Progress` (training also its own events) and, last
of all, one result of another type. The same generator drives Python, the command line, the panels
and the tests, and is cancelled by setting a :class:`threading.Event`.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from napari_hsr.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

R = TypeVar("R")
T = TypeVar("T")

#: How the names of threads begin that a cancelled run leaves in the middle of an operation.
COMPUTING_THREAD = "napari-hsr computing"
#: How often, in seconds, it is looked whether to stop.
_POLL = 0.1


@dataclass(frozen=True)
class Progress:
    """How far the work has come.

    Attributes
    ----------
    done : int
        Steps finished so far, 0..``total``.
    total : int
        Steps in all; 0 if it is not known.
    message : str
        What is being done now, for people.
    seconds_left : float or None
        Estimated time to the end, where it is known.
    within : float
        Share of the step under way that is done, 0 to 1.
    """

    #: Whether it must be heard of, though a later one may be there already.
    lasting: ClassVar[bool] = False
    done: int
    total: int
    message: str = ""
    seconds_left: float | None = None
    within: float = 0.0

    @property
    def share(self) -> float:
        """How much of the whole is done, 0 to 1; 0 if the number of steps is not known."""
        return min((self.done + self.within) / self.total, 1.0) if self.total else 0.0


def stop_if(cancel: threading.Event | None) -> None:
    """Raise :class:`~napari_hsr.errors.Cancelled` once ``cancel`` is set."""
    if cancel is not None and cancel.is_set():
        raise Cancelled


def abandonable(events: Iterator[T], cancel: threading.Event | None) -> Iterator[T]:
    """The same events, computed in a thread that is left alone soon after ``cancel`` is set.

    For work of libraries that does not look whether to go on, such as an eigenvalue problem of thousands
    of bands. The thread ends behind what it is at, and closes ``events``; an exception that is thrown
    into this generator does not reach them.

    Raises
    ------
    napari_hsr.errors.Cancelled
    """
    asked: SimpleQueue[bool] = SimpleQueue()
    found: SimpleQueue[tuple[BaseException | None, Any]] = SimpleQueue()

    def work() -> None:
        while asked.get():
            try:
                found.put((None, next(events)))
            except BaseException as error:
                found.put((error, None))
                return
        close = getattr(events, "close", None)
        if close is not None:
            close()

    run = copy_context().run
    threading.Thread(target=run, args=(work,), name=COMPUTING_THREAD, daemon=True).start()
    try:
        while True:
            asked.put(True)
            while True:
                stop_if(cancel)
                with suppress(Empty):
                    error, event = found.get(timeout=_POLL)
                    break
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield event
    finally:
        asked.put(False)


def result_of(
    events: Iterable[Progress | R], progress: Callable[[Progress], Any] | None = None
) -> R:
    """Run the work to its end, reporting progress on the way, and return its result."""
    for event in events:
        if not isinstance(event, Progress):
            return event
        if progress is not None:
            progress(event)
    raise AssertionError("long work ends with a result")


def as_part(
    events: Iterable[Progress | R],
    first: int,
    last: int,
    total: int,
    message: str | None = None,
    later: float | None = None,
) -> Generator[Progress, None, R]:
    """Pass progress on as steps ``first``..``last`` of ``total``; ``yield from`` gives the result.

    ``message`` takes the place of what the events say. The time left is theirs and ``later``, the seconds
    of all further steps; it is not known without these, unless there are none.
    """
    if last == total:
        later = 0.0
    for event in events:
        if not isinstance(event, Progress):
            return event
        yield Progress(
            round(first + (last - first) * event.share),
            total,
            event.message if message is None else message,
            None if event.seconds_left is None or later is None else event.seconds_left + later,
        )
    raise AssertionError("long work ends with a result")
