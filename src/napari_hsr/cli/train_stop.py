"""Asking a training to end: Ctrl-C, SIGTERM, or a file named ``stop`` in its folder."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: How often the folder is looked at, in seconds.
LOOK_SECONDS = 0.3
_ASKED = (
    b"\nFinishing this step, then everything is saved. Ctrl-C once more quits at once, without "
    b"saving.\n"
)


@contextmanager
def asked_to_stop(folder: Path | None) -> Iterator[threading.Event]:
    """Within this context the event given is set by the first signal, or by the file.

    The second signal has its usual effect: SIGINT interrupts, SIGTERM ends the process. Signals
    reach only the main thread; elsewhere the file alone is looked for. A file that is seen, or
    was left over, is taken away.

    Parameters
    ----------
    folder : Path or None
        Of the run; None to look for no file.
    """
    stop, done = threading.Event(), threading.Event()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.getsignal(number)

        def ask(_signum, _frame) -> None:
            stop.set()
            for number, handler in before.items():
                signal.signal(number, handler)
            # Not print: the signal may have come in the middle of one.
            with suppress(OSError):
                os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _ASKED)

        for number in before:
            signal.signal(number, ask)
    watcher = None
    if folder is not None:
        _take_left_over(folder / "stop")
        watcher = threading.Thread(
            target=_watch, args=(folder / "stop", stop, done), name="napari-hsr stop", daemon=True
        )
        watcher.start()
    try:
        yield stop
    finally:
        done.set()
        if watcher is not None:
            watcher.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def _take_left_over(file: Path) -> None:
    """Remove a file that was meant for a process before this one."""
    import psutil

    with suppress(FileNotFoundError):
        if file.stat().st_mtime < psutil.Process().create_time() - 1:
            file.unlink()


def _watch(file: Path, stop: threading.Event, done: threading.Event) -> None:
    while not done.wait(LOOK_SECONDS):
        if file.exists():
            stop.set()
            break
    done.wait()  # the file stays while the last step is finished: others see what is going on
    with suppress(OSError):
        file.unlink(missing_ok=True)
