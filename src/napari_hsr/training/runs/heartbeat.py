"""Who trains in a folder, and whether that goes on, here or on another machine that shares it.

The number of a process is known on its own machine alone. The one that trains therefore touches
``state.json`` every few seconds, and whoever asks compares that time with the one of a file made
there just now: both are of the disk, or of the server that shares it, so that clocks of machines
that differ play no part.
"""

from __future__ import annotations

import os
import platform
import tempfile
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError
from napari_hsr.training.runs.run_folder import DISPLACED, STATE, read_state

if TYPE_CHECKING:
    import psutil

    from napari_hsr.training.runs.run_folder import State

#: Seconds between two signs of life, and those after which there is nobody any more.
BEAT_SECONDS, FRESH_SECONDS = 10.0, 90.0
#: Seconds by which two statements of when a process was created may differ.
CREATED_WITHIN = 2.0
#: Of the processes that a Linux machine was started with; containers have others.
_FIRST_PROCESSES = "pid:[4026531836]"

#: What is told of a training that another process has gone on with, as this one stood still.
RESUMED = "another process has resumed this training meanwhile: it goes on there, and this one ends"


@cache
def this_machine() -> str:
    """Its name; in a container, whose processes are numbered anew, with what tells it from others."""
    try:
        numbered = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        numbered = _FIRST_PROCESSES
    return platform.node() + f" {numbered}" * (numbered != _FIRST_PROCESSES)


def is_elsewhere(state: State) -> bool:
    """Whether a state was written on another machine; earlier versions did not say."""
    return state.machine not in ("", this_machine())


def goes_on(folder: Path, state: State) -> bool:
    """Whether the process that wrote a state is there still; one elsewhere, and has not ended it."""
    if is_elsewhere(state):
        return state.status in ("starting", "running") and beats(folder)
    return process_of(state) is not None


def where(state: State) -> str:
    """Words for where a training goes on, empty for this machine."""
    return f" on {state.machine.partition(' ')[0]}" if is_elsewhere(state) else ""


def process_of(state: State | None) -> psutil.Process | None:
    """The psutil process of this machine that wrote a state; None if it is gone, or elsewhere."""
    import psutil

    if state is None or state.pid is None or is_elsewhere(state):
        return None
    try:
        process = psutil.Process(state.pid)
        created = process.create_time()
        same = abs(created - state.created) <= CREATED_WITHIN
        if not same and state.since_boot:  # the clock was set since
            same = abs(created - psutil.boot_time() - state.since_boot) <= CREATED_WITHIN
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def is_ours(state: State) -> bool:
    """Whether this process wrote a state."""
    return state.pid == os.getpid() and not is_elsewhere(state)


def is_of_another(folder: Path) -> bool:
    """Whether another process writes, or wrote, the training in a folder where this one trains."""
    state = read_state(folder)
    return state is not None and state.pid is not None and not is_ours(state)


def check_still_ours(folder: Path, started: float | None = None) -> None:
    """Refuse to write into a folder in which another process trains by now.

    Parameters
    ----------
    folder : Path
    started : float, optional
        When the training of this process was, if that is known.

    Raises
    ------
    FileError
        Saying what became of this one.
    """
    if is_of_another(folder):
        state = read_state(folder)
        resumed = state is not None and started is not None and state.started == started
        raise FileError(folder, RESUMED if resumed else DISPLACED)


def beats(folder: Path) -> bool:
    """Whether the state in a folder was touched a short while ago, by the clock of its disk."""
    try:
        with (Path(folder) / STATE).open("rb") as file:  # opened: a shared disk looks anew
            touched = os.fstat(file.fileno()).st_mtime
    except OSError:
        return False
    # a clock that was set back makes no training go on for ever
    return abs(_now(folder) - touched) < FRESH_SECONDS


def _now(folder: Path) -> float:
    """The time that a file gets which is made in a folder now."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:  # a folder that may only be read
        return time.time()


class Heartbeat:
    """Signs of life of the training in this process, from now until :meth:`end`."""

    def __init__(self, folder: Path):
        self._folder, self._ended = Path(folder), threading.Event()
        self._thread = threading.Thread(target=self._beat, name="napari-hsr alive", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Give none any more."""
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            state = read_state(self._folder)
            if state is not None and is_ours(state):  # another training may lie there by now
                with suppress(OSError):  # the folder is away for a moment: the next one tells it
                    os.utime(self._folder / STATE)
