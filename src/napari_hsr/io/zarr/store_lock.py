"""Who writes an unfinished zarr store: a file in its journal, of a process here or on another machine."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.atomic import beside
from napari_hsr.io.zarr.replaceable import JOURNAL, LOCK
from napari_hsr.signs_of_life import (
    FRESH_SECONDS,
    Heartbeat,
    for_people,
    is_elsewhere,
    is_touched,
    process_of,
    this_machine,
)
from napari_hsr.units import format_seconds, one_line

if TYPE_CHECKING:
    from pathlib import Path


class StoreLock:
    """That this process writes a store, and nobody else.

    While it does, the file is touched every few seconds: the number of a process on another machine
    says nothing.

    Parameters
    ----------
    folder : Path
        Of the unfinished store.
    """

    def __init__(self, folder: Path):
        self._folder, self.file = folder, folder / JOURNAL / LOCK
        #: What it says of this process: once, as clocks are set while it goes on.
        self._text = _owner()
        self._heart: Heartbeat | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which has it not."""
        return {**self.__dict__, "_heart": None}

    def check_unused(self) -> None:
        """FileError if another process is writing the store."""
        import psutil

        try:
            owner = _read(self.file)
            machine, number = owner["computer"], int(owner["process"])
            if machine != str(machine):
                return
            elsewhere = is_elsewhere(machine)
            if elsewhere:
                alive = is_touched(self.file)
            else:
                since = float(owner["since"]), float(owner.get("since_boot", 0.0))
                alive = process_of(number, *since) is not None
        except (OSError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError):
            return  # nobody is
        except psutil.Error:
            return
        if not alive:
            return
        where = f" on {one_line(for_people(machine), 80)}" if elsewhere else ""
        later = (
            f"; where that machine was switched off, try again in {format_seconds(FRESH_SECONDS)}"
        )
        raise FileError(
            self._folder,
            f"process {one_line(str(number), 20)}{where} is writing it{later if elsewhere else ''}",
        )

    def check_ours(self) -> None:
        """FileError if another process has it by now: this one stood still, as in a computer that slept."""
        try:
            owner = limits.content(self.file)
        except OSError:  # it was removed with the store, which is told when that is written to
            return
        if owner != self._text.encode():
            raise FileError(
                self._folder,
                "another process has gone on with it meanwhile: it is written there, and this run ends",
            )

    def put_into(self, folder: Path) -> None:
        """Write it into a store that will be this one: nobody finds that without."""
        file = folder / JOURNAL / LOCK
        file.parent.mkdir()
        file.write_text(self._text, "utf-8")

    def claim(self) -> None:
        """Take it in one step; FileError if another process has it.

        Of two that find none at once, or one of a process that has ended, one gets it.
        """
        own = beside(self.file, "tmp")
        self.file.parent.mkdir(exist_ok=True)
        try:
            own.write_text(self._text, "utf-8")
            while not _linked(own, self.file):
                self.check_unused()
                put_aside(self.file)
        finally:
            own.unlink(missing_ok=True)

    def begin(self) -> None:
        """Give signs of life, until :meth:`end`; it is there by now."""
        file, text = self.file, self._text  # of this object the thread keeps nothing

        def touch() -> None:
            if _holds(file, text):
                with suppress(OSError):  # the folder is away for a moment: what is written tells it
                    os.utime(file)

        self.end()
        self._heart = Heartbeat(touch)

    def end(self) -> None:
        """Give no more signs of life."""
        if self._heart is not None:
            self._heart.end()
            self._heart = None

    def release(self) -> None:
        """Let other processes go on with the store."""
        self.end()
        if _holds(self.file, self._text):
            self.file.unlink(missing_ok=True)


def put_aside(lock: Path) -> None:
    """Remove the lock of a process that has ended; not one that another has taken meanwhile."""
    aside = beside(lock, "old")
    with suppress(FileNotFoundError):  # another was faster
        seen = lock.read_bytes()
        os.rename(lock, aside)
        try:
            if aside.read_bytes() != seen:
                _linked(aside, lock)
        finally:
            aside.unlink()


def _read(file: Path) -> Any:
    return json.loads(limits.content(file))


def _holds(file: Path, text: str) -> bool:
    try:
        return limits.content(file) == text.encode()
    except (OSError, FileError):
        return False


def _owner() -> str:
    """What the lock says of this process."""
    import psutil

    process = psutil.Process()
    since = process.create_time()
    found = {"computer": this_machine(), "process": process.pid, "since": since}
    # the last: of two stores that one process writes
    return json.dumps(found | {"since_boot": since - psutil.boot_time(), "lock": uuid4().hex})


def _linked(file: Path, name: Path) -> bool:
    """Whether a file got a name that nothing had."""
    try:
        os.link(file, name)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        try:
            with name.open("xb") as new:
                new.write(file.read_bytes())
        except FileExistsError:
            return False
    return True
