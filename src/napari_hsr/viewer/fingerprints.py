"""What tells a file from a later one of its name: one that a session names, or that lies behind a layer."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.file_sets import files_beside, files_read
from napari_hsr.io.library_errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Of each file so many bytes are looked at, in blocks spread over it; of a folder so many files, of those
#: that are counted.
_BLOCK, _BLOCKS, _FILES, _COUNTED = 2**16, 16, 64, 20_000
#: Files that the system is asked about whenever something is opened, on a disk that may be far away.
_ASKED = 2_000


@dataclass(frozen=True)
class Trace:
    """How a file, or files that are one thing, was when it was read.

    Attributes
    ----------
    path : str
    frames : tuple of Path
        Of a stack, files of its frames, spread over many: others may come into its folder.
    states : tuple
        What the system knows of each file: its number, its size and its times.
    print : (int, str) or None
        As :func:`fingerprint`, of one that is no folder: times alone may change.
    """

    path: str
    frames: tuple[Path, ...]
    states: tuple[object, ...]
    print: tuple[int, str] | None

    def __str__(self) -> str:
        return self.path

    @classmethod
    def of(cls, path: str | os.PathLike[str], frames: Sequence[Path] = ()) -> Trace:
        """How it is now."""
        file, some = Path(os.path.abspath(path)), tuple(frames[:: 1 + len(frames) // _ASKED])
        states = tuple(map(_state, some or _files(file, _ASKED)))
        return cls(str(file), some, states, _print(file, some))

    def holds(self) -> bool:
        """Whether what was read is still there."""
        file = Path(self.path)
        states = tuple(map(_state, self.frames or _files(file, _ASKED)))
        if states == self.states:
            return bool(states) and None not in states
        return self.print is not None and _print(file, self.frames) == self.print

    def changed(self) -> str:
        """What became of it, for a sentence."""
        there = os.path.exists(self.path)
        return "has changed since it was opened" if there else "is no longer there"


def fingerprint(path: Path) -> tuple[int, str]:
    """Bytes of a file or folder, and a hash that nearly every change changes, quickly found.

    Of large files blocks are looked at, the first and the last among them.

    Raises
    ------
    FileError
        If it is not there, or cannot be read.
    """
    digest, total = hashlib.sha256(), 0
    with translated(path, "its files could not be looked at"):
        files = _files(path, _COUNTED)
        if not files:
            raise FileError(path, "it is no longer there")
        for file in files:
            size = file.stat().st_size
            total += size
            digest.update(f"{file.name}:{size};".encode(errors="surrogatepass"))
        for file in files[:_FILES]:
            for block in _blocks(file):
                digest.update(block)
    return total, digest.hexdigest()


def files_within(folder: Path) -> Iterator[Path]:
    """The files of a folder and those in it, links resolved, always in one order."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(os.path.realpath(os.path.join(parent, name))) for name in sorted(names))


def _files(path: Path, most: int) -> list[Path]:
    """The files that a path stands for, those that are there; of many the first."""
    one: Iterable[Path] = files_within(path) if path.is_dir() else _read_with(path)
    return sorted(file for file in islice(one, most) if os.path.isfile(file))


def _read_with(path: Path) -> Iterator[Path]:
    yield from files_read(path)
    yield from files_beside(path)


def _state(file: Path) -> tuple[str, int, int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return str(file), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _print(file: Path, frames: Sequence[Path]) -> tuple[int, str] | None:
    if frames or file.is_dir():  # many files, to be read for this alone
        return None
    try:
        return fingerprint(file)
    except FileError:
        return None


def _blocks(file: Path) -> Iterable[bytes]:
    limits.check_regular(file)
    size = file.stat().st_size
    with file.open("rb") as opened:
        if size <= _BLOCK * _BLOCKS:
            yield opened.read()
            return
        for number in range(_BLOCKS):
            opened.seek((size - _BLOCK) * number // (_BLOCKS - 1))
            yield opened.read(_BLOCK)
