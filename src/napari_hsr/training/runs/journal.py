"""Writes down a training in its run's folder, while it goes on there."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.library_errors import translated
from napari_hsr.io.text_files import write_text
from napari_hsr.signs_of_life import this_machine
from napari_hsr.training.events import Began, Event, Failed, Finished, Step, Stopped, to_json
from napari_hsr.training.runs.heartbeat import beating, check_still_ours, is_of_another
from napari_hsr.training.runs.run_folder import (
    CHECKPOINTS,
    DISPLACED,
    ENDS,
    EVENTS,
    PREVIEW,
    STATE,
    STOP,
    State,
    check_no_links,
    ending,
    read_state,
    write_state,
)

#: Seconds between two writes of the state while nothing but steps happens.
STATE_SECONDS = 2.0
#: What a training may have written since its folder was moved, before it noticed.
_MADE_AGAIN = {STATE, STOP, CHECKPOINTS, PREVIEW, "tensorboard"}


class Journal:
    """Writes the events and the state of the training in this process.

    Calling it with an event writes it. A full disk is reported once on stderr and does not end
    the training: only checkpoints must be written. A folder that is moved or removed meanwhile is
    made again; one in whose place something else lies ends the training.

    Parameters
    ----------
    folder : Path
        Of the run; created if needed.
    resume : bool
        Append to the events that are there; otherwise they are replaced.

    Raises
    ------
    FileError
        If the folder cannot be written to.
    """

    def __init__(self, folder: Path, resume: bool = False):
        import psutil

        self.folder = Path(folder)
        #: Whether what lies under the folder's name is no longer this training's.
        self.displaced = False
        self.last: Event | None = None
        self._complained = False
        now = time.time()
        before = read_state(self.folder) if resume else None
        created = psutil.Process().create_time()
        self._state = State(
            status="running",
            pid=os.getpid(),
            created=created,
            since_boot=created - psutil.boot_time(),
            machine=this_machine(),
            started=before.started if before else now,
            step=before.step if before else 0,
            total=before.total if before else 0,
        )
        self._written = 0.0
        path = self.folder / EVENTS
        limits.check_regular(path)
        if resume:
            check_no_links(self.folder)
        with translated(self.folder, "nothing can be written there", only=(OSError,)):
            self.folder.mkdir(parents=True, exist_ok=True)
            # first: of two that begin at once, only one writes it, and goes on to the events
            write_state(self.folder, replace(self._state, changed=now), shared=False)
            if not resume:
                path.write_text("")
            self._file = path.open("a+", encoding="utf-8")  # read again if the folder is moved
            self._place = _identity(self.folder)
            if resume and not _ends_with_a_line(path):  # cut off by a kill
                self._file.write("\n")
        self._heartbeat = beating(self.folder)

    def __call__(self, event: Event) -> None:
        """Write down one event.

        Raises
        ------
        FileError
            If something else lies in the folder's place; what there is is left alone.
        """
        if not self.displaced:
            self._stay()
        self.last = event
        try:
            self._file.write(to_json(event) + "\n")
            self._file.flush()
            if not self.displaced:
                self._advance(event)
        except (OSError, FileError) as error:
            if not self._complained:
                self._complained = True
                with suppress(OSError):  # a log on the same disk
                    print(f"note: the progress cannot be written down: {error}", file=sys.stderr)

    @property
    def step(self) -> int:
        """The last step that was reported."""
        return self._state.step

    @property
    def ended(self) -> bool:
        """Whether the last event ends a training."""
        return type(self.last) in ENDS

    def close(self) -> None:
        """Close the file of events, and give no more signs of life."""
        self._heartbeat.end()
        with suppress(OSError):  # a full disk, reported above
            self._file.close()

    def _stay(self) -> None:
        """Notice that the folder was moved or removed, and make it again where it was."""
        self.displaced = is_of_another(self.folder)
        now = _identity(self.folder)
        if now == self._place and not self.displaced:
            return
        if now is not None and read_state(self.folder) is None:
            names = {path.name for path in self.folder.iterdir()}
            self.displaced = not names <= _MADE_AGAIN
        if self.displaced:
            check_still_ours(self.folder, self._state.started)
            raise FileError(self.folder, DISPLACED)
        try:
            self._file.seek(0)
            so_far = self._file.read()  # leaves it at its end
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(self.folder / EVENTS, so_far)
            file = (self.folder / EVENTS).open("a+", encoding="utf-8")
        except (OSError, FileError):  # a disk that is full or gone: tried again at the next event
            return
        self._file.close()
        self._file, self._place = file, _identity(self.folder)

    def _advance(self, event: Event) -> None:
        changes: dict[str, Any] = {}
        if isinstance(event, (Began, Step)):
            changes = {"step": event.step, "total": event.total}
        elif isinstance(event, (Finished, Stopped, Failed)):
            changes = {"status": ENDS[type(event)], "text": ending(event)}
            if not isinstance(event, Finished) and event.step:
                changes["step"] = event.step
        self._state = replace(self._state, **changes)
        self._write_state(force=not isinstance(event, Step) or event.step >= event.total)

    def _write_state(self, force: bool = False) -> None:
        now = time.time()
        if force or now - self._written >= STATE_SECONDS:
            self._written = now
            write_state(self.folder, replace(self._state, changed=now))


def _identity(folder: Path) -> tuple[int, int] | None:
    """Of the folder that a path names now; None if there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _ends_with_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
