"""Whether a process goes on, here or on another machine that shares a disk with this one.

The number of a process is known on its own machine alone. One that others must not disturb therefore
touches a file every few seconds, and whoever asks compares its time with the one of a file made
beside it just now: both are of the disk, or of the server that shares it, so that clocks of machines
that differ play no part.
"""

from __future__ import annotations

import os
import platform
import tempfile
import threading
import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psutil

#: Seconds between two signs of life, and those after which there is nobody any more.
BEAT_SECONDS, FRESH_SECONDS = 10.0, 90.0
#: Seconds by which two statements of when a process was created may differ.
CREATED_WITHIN = 2.0
#: Of the processes that a Linux machine was started with; containers have others.
_FIRST_PROCESSES = "pid:[4026531836]"


@cache
def this_machine() -> str:
    """Its name; in a container, whose processes are numbered anew, with what tells it from others."""
    try:
        numbered = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        numbered = _FIRST_PROCESSES
    return platform.node() + f" {numbered}" * (numbered != _FIRST_PROCESSES)


def is_elsewhere(machine: str) -> bool:
    """Whether a name is that of another machine; what earlier versions wrote has none."""
    return machine not in ("", this_machine())


def for_people(machine: str) -> str:
    """The name of a machine as people know it."""
    return machine.partition(" ")[0]


def process_of(pid: int, created: float, since_boot: float = 0.0) -> psutil.Process | None:
    """A process of this machine; None if it is gone, and its number another's by now.

    Parameters
    ----------
    pid : int
    created : float
        When it was created, by the clock of then.
    since_boot : float
        The same in seconds after the start of the machine; 0 where that is not known.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        found = process.create_time()
        same = abs(found - created) <= CREATED_WITHIN
        if not same and since_boot:  # the clock was set since
            same = abs(found - psutil.boot_time() - since_boot) <= CREATED_WITHIN
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def is_touched(file: Path) -> bool:
    """Whether a file was touched a short while ago, by the clock of its disk."""
    try:
        with file.open("rb") as opened:  # opened: a shared disk looks anew
            touched = os.fstat(opened.fileno()).st_mtime
    except OSError:
        return False
    # a clock that was set back keeps nobody alive for ever
    return abs(_now(file.parent) - touched) < FRESH_SECONDS


def _now(folder: Path) -> float:
    """The time that a file gets which is made in a folder now."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:  # a folder that may only be read
        return time.time()


class Heartbeat:
    """Signs of life of this process, from now until :meth:`end`.

    Parameters
    ----------
    beat : callable
        Gives one, and raises nothing.
    """

    def __init__(self, beat: Callable[[], None]):
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=_beating, args=(beat, self._ended), name="napari-hsr alive", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """Give none any more."""
        self._ended.set()
        self._thread.join()


def _beating(beat: Callable[[], None], ended: threading.Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        beat()
