"""Ctrl-C during long work: the first asks it to end cleanly, the second ends it at once."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def cancel_on_interrupt() -> Iterator[threading.Event]:
    """Within this context the first Ctrl-C sets the event given, the second interrupts.

    Signals reach only the main thread of a program; elsewhere the event is merely never set.
    """
    cancel = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return
    before = signal.getsignal(signal.SIGINT)

    def ask_to_end(_signum, _frame) -> None:
        cancel.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask_to_end)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)
