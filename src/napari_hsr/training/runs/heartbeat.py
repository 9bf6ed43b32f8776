"""Who trains in a folder, and whether that goes on, here or on another machine that shares it.

The process that trains touches ``state.json``: see :mod:`napari_hsr.signs_of_life`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr import signs_of_life
from napari_hsr.errors import FileError
from napari_hsr.training.runs.run_folder import DISPLACED, STATE, read_state

if TYPE_CHECKING:
    import psutil

    from napari_hsr.training.runs.run_folder import State

#: What is told of a training that another process has gone on with, as this one stood still.
RESUMED = "another process has resumed this training meanwhile: it goes on there, and this one ends"


def is_elsewhere(state: State) -> bool:
    """Whether a state was written on another machine; earlier versions did not say."""
    return signs_of_life.is_elsewhere(state.machine)


def goes_on(folder: Path, state: State) -> bool:
    """Whether the process that wrote a state is there still; one elsewhere, and has not ended it."""
    if is_elsewhere(state):
        return state.status in ("starting", "running") and beats(folder)
    return process_of(state) is not None


def where(state: State) -> str:
    """Words for where a training goes on, empty for this machine."""
    return f" on {signs_of_life.for_people(state.machine)}" if is_elsewhere(state) else ""


def process_of(state: State | None) -> psutil.Process | None:
    """The psutil process of this machine that wrote a state; None if it is gone, or elsewhere."""
    if state is None or state.pid is None or is_elsewhere(state):
        return None
    return signs_of_life.process_of(state.pid, state.created, state.since_boot)


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
    return signs_of_life.is_touched(Path(folder) / STATE)


def beating(folder: Path) -> signs_of_life.Heartbeat:
    """Signs of life of the training in this process, from now until they are ended."""

    def touch() -> None:
        state = read_state(folder)
        if state is not None and is_ours(state):  # another training may lie there by now
            with suppress(OSError):  # the folder is away for a moment: the next one tells it
                os.utime(folder / STATE)

    return signs_of_life.Heartbeat(touch)
