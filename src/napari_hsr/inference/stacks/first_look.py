"""The chosen model stands back while a hand scrubs, and while the frame on show has nothing yet."""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_hsr.inference.stacks.frame_arrays import State
from napari_hsr.progress import stop_if

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds that the work on one frame stands back, all in all.
STANDS_BACK = 1.0
#: The chosen model begins with a frame that has been on show so many seconds: a hand that scrubs goes
#: on sooner, and would have to wait for what is begun.
REST = 0.15
#: Seconds between two looks whether to stop meanwhile.
POLL = 0.05


class FirstLook:
    """Whether the frame on show is being filled for the first time.

    Parameters
    ----------
    news : threading.Condition
        Notified when a frame has something.
    shows_nothing : callable
        Whether there is nothing yet of the frame on show; called with ``news`` held.
    """

    def __init__(self, news: threading.Condition, shows_nothing: Callable[[], bool]):
        self._news, self._shows_nothing, self._at_work = news, shows_nothing, 0
        self._came = -math.inf

    def came(self) -> None:
        """Another frame is on show from now on."""
        self._came = time.monotonic()

    def rest(self, at_once: Callable[[], bool], cancel: threading.Event | None) -> None:
        """Wait until the frame on show has been that for :data:`REST` seconds.

        Parameters
        ----------
        at_once : callable
            Whether not to wait: frames go by one after the other, and all are wanted.
        cancel : threading.Event or None

        Raises
        ------
        Cancelled
            If ``cancel`` was set.
        """
        while not at_once() and (left := self._came + REST - time.monotonic()) > 0:
            stop_if(cancel)
            time.sleep(min(left, POLL))

    @contextmanager
    def filling(self, kind: State) -> Iterator[None]:
        """Around work of a kind: that on placeholders is waited for."""
        fills = int(kind is State.PLACEHOLDER)
        with self._news:
            self._at_work += fills
        try:
            yield
        finally:
            with self._news:
                self._at_work -= fills
                self._news.notify_all()

    def _awaited(self) -> bool:
        return bool(self._at_work) and self._shows_nothing()

    def wait(self, seconds: float) -> float:
        """Wait until it is there, so many seconds at most; how many they were."""
        start = time.monotonic()
        with self._news:
            if not self._awaited():
                return 0.0
            self._news.wait_for(lambda: not self._awaited(), seconds)
        return time.monotonic() - start


class Passed(threading.Event):
    """Set once the work as a whole is cancelled, or nobody wants a frame any more.

    Whoever asks for the chosen model waits first for the placeholder of the frame on show: a
    network asks before each of its operations.

    Parameters
    ----------
    first : FirstLook
    unwanted : callable
        Whether nobody wants the frame.
    cancel : threading.Event or None
    kind : State
        What is computed.
    """

    def __init__(
        self,
        first: FirstLook,
        unwanted: Callable[[], bool],
        cancel: threading.Event | None,
        kind: State,
    ):
        super().__init__()
        self._first, self._unwanted, self._cancel = first, unwanted, cancel
        self._patience = STANDS_BACK if kind is State.DONE else 0.0

    def is_set(self) -> bool:
        """Whether to stop."""
        if self._patience > 0 and not self._stopped():
            self._patience -= self._first.wait(self._patience)
        return self._stopped()

    def _stopped(self) -> bool:
        return (self._cancel is not None and self._cancel.is_set()) or self._unwanted()
