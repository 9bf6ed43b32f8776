"""Many files or layers as one queue, a generator of typed events.

The command line and the panels drive the same queue. An item that fails stops no other; the queue can
be paused and cancelled.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from napari_hsr.errors import Cancelled, InputError
from napari_hsr.notices import as_notices
from napari_hsr.progress import Progress, stop_if

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from napari_hsr.notices import Notice

#: Seconds between two looks whether a paused queue goes on.
PAUSED = 0.05


class State(StrEnum):
    """How far an item of the queue is. The values are written into summaries."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    #: Its result is there already, made from the same input by the same model and settings.
    UNCHANGED = "unchanged"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Told:
    """Sentences that must be said before an item ends.

    Attributes
    ----------
    notices : tuple of str
    about : str
        What they are about; empty where they are true of all items, and need be said once.
    """

    notices: tuple[str, ...]
    about: str = ""


@dataclass(frozen=True)
class Outcome:
    """What an item ended with.

    Attributes
    ----------
    value : object
        Whatever the item makes.
    notices : tuple of str
        What must be known of it.
    unchanged : bool
        Nothing had to be computed.
    """

    value: Any
    notices: tuple[str, ...] = ()
    unchanged: bool = False


class Item(Protocol):
    """One thing to be computed."""

    @property
    def name(self) -> str:
        """What it is called in lists."""

    def events(self, cancel: threading.Event) -> Generator[Progress | Told | Outcome, None, None]:
        """The work, a generator that ends with an :class:`Outcome`."""


@dataclass(frozen=True)
class Row:
    """An item of the queue as a list shows it.

    Attributes
    ----------
    name : str
    state : State
    share : float
        How much of it is done, 0 to 1.
    message : str
        What is being done now.
    seconds_left : float or None
        Of a running item, where it is known.
    seconds : float
        Time that it has taken.
    notices : tuple of Notice
    value : object
        Of its :class:`Outcome`.
    error : Exception or None
        Why it failed.
    source : Path or None
        The file that it is made from, if it is one of files.
    """

    name: str
    state: State = State.WAITING
    share: float = 0.0
    message: str = ""
    seconds_left: float | None = None
    seconds: float = 0.0
    notices: tuple[Notice, ...] = ()
    value: Any = None
    error: Exception | None = None
    source: Path | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come of it."""
        return self.state not in (State.WAITING, State.RUNNING)

    def cancelled(self) -> Row:
        """The same, if nothing more is to come of it."""
        return _ended(self, State.CANCELLED)


@dataclass(frozen=True, kw_only=True)
class BatchProgress(Progress):
    """Something has happened to one item; ``done`` and ``total`` count items.

    Attributes
    ----------
    rows : tuple of Row
        All items as they are now: whoever has missed events needs only the last one.
    changed : int
        The item it happened to.
    told : Told or None
        What must be said now.
    """

    rows: tuple[Row, ...]
    changed: int
    told: Told | None = None

    @property
    def row(self) -> Row:
        """The item it happened to."""
        return self.rows[self.changed]


@dataclass(frozen=True)
class BatchResult:
    """How all items ended."""

    rows: tuple[Row, ...]
    seconds: float

    @property
    def cancelled(self) -> bool:
        """Whether some were not computed because the user cancelled."""
        return any(row.state is State.CANCELLED for row in self.rows)


def batch_events(
    items: Sequence[Item],
    *,
    jobs: int = 1,
    cancel: threading.Event | None = None,
    pause: threading.Event | None = None,
) -> Iterator[BatchProgress | BatchResult]:
    """Compute items, in their order.

    Parameters
    ----------
    items : sequence of Item
    jobs : int
        So many at a time, which share the processor's cores.
    cancel : threading.Event, optional
        Once set, what has not ended is cancelled, and the result says so.
    pause : threading.Event, optional
        While set, items under way wait at their next event.

    Yields
    ------
    BatchProgress
        Whenever an item begins, goes on, says something or ends.
    BatchResult
        At the end, also if it was cancelled.

    Raises
    ------
    InputError
        If ``jobs`` is not positive.
    """
    if jobs < 1:
        raise InputError(f"{jobs} files at a time: take 1 or more.")
    stop, board = cancel or threading.Event(), _Board(items)
    run = _one_by_one if jobs == 1 or len(items) < 2 else _together
    try:
        with closing(run(items, min(jobs, len(items)), stop, pause)) as events:
            for place, event in events:
                yield board.take(place, event)
        yield board.result()
    except Cancelled as answer:  # by whoever drives it: how far all came is not lost
        answer.part = board.result()
        raise


class _Board:
    """The rows, and what they say of the whole."""

    def __init__(self, items: Sequence[Item]):
        self._rows = [Row(item.name, source=getattr(item, "source", None)) for item in items]
        self._began = [0.0] * len(items)
        self._start = time.perf_counter()

    def take(self, place: int, event: Any) -> BatchProgress:
        """What an event makes of the row in this place."""
        row, now = self._rows[place], time.perf_counter()
        if row.state is State.WAITING:
            self._began[place] = now
        row = replace(row, state=State.RUNNING, seconds=now - self._began[place])
        if isinstance(event, Progress):
            row = replace(row, share=event.share, message=event.message)
            row = replace(row, seconds_left=event.seconds_left)
        elif isinstance(event, Outcome):
            state = State.UNCHANGED if event.unchanged else State.FINISHED
            said = as_notices(event.notices)
            row = _ended(row, state, notices=said, value=event.value)
        elif isinstance(event, Cancelled):
            row = _ended(row, State.CANCELLED)
        elif isinstance(event, Exception):
            row = _ended(row, State.FAILED, error=event)
        self._rows[place] = row
        rows, told = tuple(self._rows), event if isinstance(event, Told) else None
        done = sum(row.ended for row in rows)
        return BatchProgress(
            done=done,
            total=len(rows),
            message=row.name,
            seconds_left=self._seconds_left(now),
            rows=rows,
            changed=place,
            told=told,
        )

    def result(self) -> BatchResult:
        """How all ended; what was not begun was cancelled."""
        rows = (row if row.ended else _ended(row, State.CANCELLED) for row in self._rows)
        return BatchResult(tuple(rows), time.perf_counter() - self._start)

    def _seconds_left(self, now: float) -> float | None:
        """As if items took equally long; those that were unchanged say nothing of that."""
        counted = [row for row in self._rows if row.state is not State.UNCHANGED]
        done = sum(1.0 if row.ended else row.share for row in counted)
        if not done:
            return None
        return (now - self._start) * (len(counted) - done) / done


def _ended(row: Row, state: State, **facts: Any) -> Row:
    share = 0.0 if state in (State.FAILED, State.CANCELLED) else 1.0
    return replace(row, state=state, share=share, message="", seconds_left=None, **facts)


def _one_by_one(
    items: Sequence[Item], _jobs: int, stop: threading.Event, pause: threading.Event | None
) -> Generator[tuple[int, Any], None, None]:
    for place, item in enumerate(items):
        for event in _carried_out(item, stop, pause):
            yield place, event
            if isinstance(event, Cancelled):
                return


def _together(
    items: Sequence[Item], jobs: int, stop: threading.Event, pause: threading.Event | None
) -> Generator[tuple[int, Any], None, None]:
    """Some at a time, each in a thread; their events in the order in which they happen."""
    mail: SimpleQueue[tuple[int, Any]] = SimpleQueue()

    def carry_out(place: int) -> None:
        for event in _carried_out(items[place], stop, pause):
            mail.put((place, event))

    with _cores_shared(jobs), ThreadPoolExecutor(jobs, "napari-hsr batch") as threads:
        try:
            for place in range(len(items)):
                threads.submit(carry_out, place)
            left = len(items)
            while left:
                place, event = mail.get()
                left -= isinstance(event, (Outcome, Exception))
                yield place, event
        except BaseException:  # whoever asked for the events has gone
            stop.set()
            raise


def _carried_out(
    item: Item, stop: threading.Event, pause: threading.Event | None
) -> Iterator[Progress | Told | Outcome | Exception]:
    """The events of an item; the last is its outcome, or the exception that ended it."""
    try:
        stop_if(stop)
        yield Progress(0, 0, "Starting")
        with closing(item.events(stop)) as events:
            for event in events:
                if isinstance(event, Progress):
                    stop_if(stop)
                    if pause is not None and pause.is_set():
                        yield replace(event, message="Paused", seconds_left=None)
                        while pause.is_set():
                            stop_if(stop)
                            time.sleep(PAUSED)
                yield event
                if isinstance(event, Outcome):
                    return
        raise AssertionError("the work of an item ends with an outcome")
    except Exception as error:
        yield error


@contextmanager
def _cores_shared(jobs: int) -> Iterator[None]:
    """Let each of several networks at a time have its share of the cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // jobs))
    try:
        yield
    finally:
        torch.set_num_threads(before)
