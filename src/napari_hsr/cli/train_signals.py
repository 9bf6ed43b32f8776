"""Cancelling a training: Ctrl-C, SIGTERM, or a file named ``stop`` in its folder."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from napari_hsr.training.runs.run_folder import STOP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

#: How often the folder is looked at, in seconds.
LOOK_SECONDS = 0.3
_MESSAGE = (
    b"\nFinishing this step and saving everything. Press Ctrl-C again to quit at once without "
    b"saving.\n"
)


@contextmanager
def cancelled_by_user(folder: Path | None) -> Iterator[threading.Event]:
    """Within this context the given event is set by the first signal, or by the file.

    The second signal has its usual effect: SIGINT interrupts, SIGTERM ends the process. Signals
    reach the main thread only; in another one only the file counts. The file is removed, also
    one that was left by an earlier process.

    Parameters
    ----------
    folder : Path or None
        Of the run; None to look for no file.
    """
    cancel, done = threading.Event(), threading.Event()
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            cancel.set()
            for number, handler in before.items():
                signal.signal(number, handler)
            # not print: the signal may have come in the middle of one
            with suppress(OSError):
                os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _MESSAGE)

        for number in before:
            signal.signal(number, on_signal)
    watcher = None
    if folder is not None:
        _remove_left_over(folder / STOP)
        watcher = threading.Thread(
            target=_watch, args=(folder / STOP, cancel, done), name="napari-hsr stop", daemon=True
        )
        watcher.start()
    try:
        yield cancel
    finally:
        done.set()
        if watcher is not None:
            watcher.join()
        for number, handler in before.items():
            signal.signal(number, handler)


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
