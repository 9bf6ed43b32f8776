"""How long a test waits for what must happen: for the state, however slow the machine is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytestqt.qtbot import QtBot

from napari_hsr.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: What has not happened after so many seconds never will. A test that passes waits for no more
#: than it must, so that this costs nothing; on a busy machine a moment may take half a minute.
PATIENCE = 120.0
_TURN_MS = 10


def wait_for(done: Callable[[], object], what: str = "what was waited for") -> None:
    """Return once ``done()`` is true."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"{what} did not happen within {PATIENCE:g} s"
        time.sleep(0.02)


def steps(events: Iterable[object]) -> list[object]:
    """The events without those that only say that the step under way goes on.

    How many of these there are depends on the speed of the machine; the others are the same on all.
    """
    found: list[object] = []
    for event in events:
        last = found[-1] if found else None
        if not (
            isinstance(event, Progress)
            and isinstance(last, Progress)
            and (event.done, event.total, event.message) == (last.done, last.total, last.message)
        ):
            found.append(event)
    return found


class PatientBot(QtBot):
    """Qt's bot, but no deadline of a wait is sooner than :data:`PATIENCE`.

    A pause for a time alone is so many turns of the event loop: on a machine that stands still
    for a while, events and timers that follow one from another would not get their turns.
    """

    def waitUntil(self, callback, *, timeout=0):  # noqa: N802 - Qt's name
        super().waitUntil(callback, timeout=max(timeout, _PATIENCE_MS))

    def waitSignal(self, signal, *, timeout=0, raising=None, **options):  # noqa: N802
        if raising is not False:  # else it is waited for that it does not come
            timeout = max(timeout, _PATIENCE_MS)
        return super().waitSignal(signal, timeout=timeout, raising=raising, **options)

    def waitExposed(self, widget, *, timeout=0):  # noqa: N802
        return super().waitExposed(widget, timeout=max(timeout, _PATIENCE_MS))

    def wait(self, ms):
        for _ in range(max(1, round(ms / _TURN_MS))):
            super().wait(_TURN_MS)


_PATIENCE_MS = int(1000 * PATIENCE)
