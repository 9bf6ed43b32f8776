"""Ctrl-C during long work: the first asks it to end cleanly, the second ends it at once."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType


#: How often the folder of a training is looked at, in seconds.
LOOK_SECONDS = 0.3
#: After so many seconds a signal that was lost in a destructor comes again: it has ended by then.
AGAIN_SECONDS = 0.05
_MESSAGE = (
    b"\nFinishing this step and saving everything. Press Ctrl-C again to quit at once without "
    b"saving.\n"
)


@contextmanager
def cancel_on_interrupt(
    signals: tuple[int, ...] = (signal.SIGINT,), message: bytes = b""
) -> Iterator[threading.Event]:
    """Within this context the first signal sets the event given; the second has its usual effect.

    Signals reach only the main thread of a program; elsewhere the event is merely never set.

    Parameters
    ----------
    signals : tuple of int
        Ctrl-C alone by default.
    message : bytes
        Written to standard error at the first.
    """
    cancel = threading.Event()
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in signals}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        cancel.set()
        restore()
        # not print: the signal may have come in the middle of one
        with suppress(OSError):
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, message)

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield cancel
    finally:
        restore()


def leave_tasks_alone() -> None:
    """Say nothing of tasks that are still waiting as the process ends: zarr has some in a thread."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Within this context SIGTERM ends the work as a fault would: what is half-written goes.

    So does SIGHUP, which a terminal sends that is closed. The exit status is that of the signal, 143
    and 129. Where one has another effect already, as under ``nohup``, it keeps it.
    """
    known = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    numbers = [n for n in known if n is not None and signal.getsignal(n) == signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        numbers = []

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one ends it at once
        leave_tasks_alone()
        raise SystemExit(128 + number)

    before = sys.unraisablehook

    def lost(what: Any) -> None:
        """A signal that came in a destructor, where Python raises nothing, comes again."""
        error = what.exc_value
        came = [n for n in numbers if isinstance(error, SystemExit) and error.code == 128 + n]
        for number in came:
            signal.signal(number, end)
        if isinstance(error, KeyboardInterrupt):
            came = [signal.SIGINT]
        for number in came:
            threading.Timer(AGAIN_SECONDS, _to_main_thread, (number,)).start()
        if not came:
            before(what)

    for number in numbers:
        signal.signal(number, end)
    sys.unraisablehook = lost
    try:
        yield
    finally:
        sys.unraisablehook = before
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def ending_quietly() -> None:
    """Have the first Ctrl-C from here on change nothing: the work is done, and Python would print where it ends."""
    if threading.current_thread() is threading.main_thread():

        def first(number: int, _frame: FrameType | None) -> None:
            signal.signal(number, signal.SIG_DFL)  # a second one ends it, should something hold it

        signal.signal(signal.SIGINT, first)


def _to_main_thread(number: int) -> None:
    """Send a signal where it is heard, so that it also ends what waits there."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, number)
    else:
        signal.raise_signal(number)


@contextmanager
def cancelled_by_user(folder: Path | None) -> Iterator[threading.Event]:
    """Of a training: the given event is set by the first Ctrl-C or SIGTERM, or by a file.

    So it is by SIGHUP, of a terminal that is closed, unless that is ignored, as under ``nohup``. The
    file is removed, also one that was left by an earlier process.

    Parameters
    ----------
    folder : Path or None
        Of the run; None to look for no file.
    """
    from napari_hsr.training.runs.run_folder import STOP

    signals = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    with cancel_on_interrupt(tuple(signals), _MESSAGE) as cancel:
        if folder is None:
            yield cancel
            return
        _remove_left_over(folder / STOP)
        done = threading.Event()
        watcher = threading.Thread(
            target=_watch, args=(folder / STOP, cancel, done), name="napari-hsr stop", daemon=True
        )
        watcher.start()
        try:
            yield cancel
        finally:
            done.set()
            watcher.join()


def _remove_left_over(file: Path) -> None:
    """Remove a file that was meant for an earlier process."""
    import psutil

    with suppress(FileNotFoundError):
        if file.stat().st_mtime < psutil.Process().create_time() - 1:
            file.unlink()


def _watch(file: Path, cancel: threading.Event, done: threading.Event) -> None:
    while not done.wait(LOOK_SECONDS):
        if file.exists():
            cancel.set()
            break
    done.wait()  # the file stays while the last step is finished, so that others see it
    with suppress(OSError):
        file.unlink(missing_ok=True)
