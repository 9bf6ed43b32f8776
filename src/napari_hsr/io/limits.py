"""What a file may ask for: only so much of it is believed before it is looked at.

Time and memory follow from what a file holds, never from what it claims. Every reader asks here,
so that the limits stand in one place.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError, Hint, InputError
from napari_hsr.io.atomic import kind_of
from napari_hsr.io.library_errors import check_name
from napari_hsr.units import format_bytes, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike
    from pathlib import Path

#: Values of a list beside a cube: wavelengths, widths, flags.
MOST_VALUES = 1_000_000
#: Bands of a cube; more are another axis.
MOST_BANDS = 1_000_000
#: Bytes of a text or an array beside a cube.
MOST_BYTES = 2**24
#: Arrays, groups, pages or entries of one file that are looked through.
MOST_ENTRIES = 10_000
#: Characters of a name, of a heading, or of a number with its unit.
LONGEST_NAME = 1_000
#: Attributes of one data set.
MOST_ATTRIBUTES = 1_000
#: Groups, lists and structures inside one another.
DEEPEST = 32
#: Bytes that may be taken of a file of any size without asking.
ASKED_FROM = 500_000_000
#: From there on, how many bytes may come of each byte of the file without asking.
MOST_SWELLING = 50

_ALLOWED: ContextVar[bool] = ContextVar("large files are allowed", default=False)


@contextmanager
def allowing_large(allowed: bool = True) -> Iterator[None]:
    """Inside, files may take as much memory as is free."""
    token = _ALLOWED.set(allowed or _ALLOWED.get())
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def large_allowed() -> bool:
    """Whether files may take as much memory as is free."""
    return _ALLOWED.get()


def check_regular(path: str | PathLike[str]) -> None:
    """Refuse what is no regular file: a pipe or a device may never end, or never begin.

    Raises
    ------
    FileError
        If there is something else of that name; nothing at all is told on opening it.
    """
    check_name(path)
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a folder is told by whoever opens it
        raise FileError(path, f"a regular file was expected, but this is {kind_of(mode)}")


def content(path: Path, most: int = MOST_BYTES) -> bytes:
    """All of a small file.

    Raises
    ------
    FileError
        If it is no regular file, or larger than that.
    OSError
        If it cannot be read.
    """
    check_regular(path)
    size = path.stat().st_size
    if size > most:
        raise FileError(
            path, f"it has {format_bytes(size)}; files of its kind have up to {format_bytes(most)}"
        )
    return path.read_bytes()


def check_room(path: Path, needed: int, what: str, held: int | None = None) -> None:
    """Refuse to make room for more than is free, or for far more than a file holds.

    Parameters
    ----------
    path : Path
    needed : int
        Bytes that will be taken.
    what : str
        What takes them, as the subject of a sentence: ``"the picture (9 x 9 pixels)"``.
    held : int, optional
        Bytes of the file that hold it; by default all.

    Raises
    ------
    FileError
        Saying how much it would take.
    """
    if needed <= ASKED_FROM:
        return
    import psutil

    free = psutil.virtual_memory().available
    if needed > free:
        raise FileError(
            path, f"{what} takes {format_bytes(needed)} of memory, {format_bytes(free)} are free"
        )
    held = path.stat().st_size if held is None else held
    _check_swelling(path, needed, f"{what} would take {format_bytes(needed)} of memory", held)


def check_memory(needed: int, what: str) -> None:
    """Refuse work on a cube that takes far more memory than one of its size would make think.

    Parameters
    ----------
    needed : int
        Bytes that will be taken.
    what : str
        What takes them, as the subject of a sentence.

    Raises
    ------
    InputError
        Saying how much it would take.
    """
    if needed > ASKED_FROM and not _ALLOWED.get():
        raise InputError(
            f"{what} takes {format_bytes(needed)} of memory: take fewer bands.",
            hint=Hint.ALLOW_MUCH_MEMORY,
        )


def check_kept(size: int, what: str) -> None:
    """Refuse to write what would be refused on reading.

    Parameters
    ----------
    size : int
        Bytes that it takes as text.
    what : str
        The subject of a sentence, in the plural.

    Raises
    ------
    InputError
        Naming both sizes.
    """
    if size > MOST_BYTES:
        raise InputError(
            f"{one_line(what, 80)} take {format_bytes(size)} as text, and such files are read with up to "
            f"{format_bytes(MOST_BYTES)}: take fewer bands, leave some metadata out, or choose another format."
        )


def check_claim(path: Path, needed: int, what: str, held: int) -> None:
    """Refuse to believe far more than a file holds, whether or not it all is loaded at once.

    Raises
    ------
    FileError
        Saying how much is claimed.
    """
    if needed > ASKED_FROM:
        _check_swelling(path, needed, f"{what} claims {format_bytes(needed)} of values", held)


def _check_swelling(path: Path, needed: int, told: str, held: int) -> None:
    if needed > MOST_SWELLING * max(held, 1) and not _ALLOWED.get():
        raise FileError(path, f"{told}, out of {format_bytes(held)}", Hint.ALLOW_LARGE)


def check_count(path: Path, count: int, what: str, most: int = MOST_ENTRIES) -> None:
    """Refuse to look through more parts of a file than one of its kind has.

    Raises
    ------
    FileError
        Naming both numbers.
    """
    if count > most:
        raise FileError(path, f"it holds {count:,} {what}; up to {most:,} are looked through")


def too_deep(value: Any) -> bool:
    """Whether lists and mappings lie deeper in one another than that; each is looked at once."""
    level, seen = [value], set()
    for _ in range(DEEPEST + 1):
        inner = [v for v in level if isinstance(v, (dict, list, tuple)) and id(v) not in seen]
        if not inner:
            return False
        seen |= {id(v) for v in inner}
        once = {id(v): v for v in inner}.values()
        level = [w for v in once for w in (v.values() if isinstance(v, dict) else v)]
    return True


def are_short(texts: Iterable[str]) -> bool:
    """Whether all are short enough for patterns that go through one again and again."""
    return all(len(text) <= LONGEST_NAME for text in texts)


def too_many(value: Any, most: int = MOST_ENTRIES) -> bool:
    """Whether lists and mappings hold more values than that, those that stand twice counted twice.

    They must not lie deeper in one another than :data:`DEEPEST`.
    """
    counted: dict[int, int] = {}

    def count(inner: Any) -> int:
        if not isinstance(inner, (dict, list, tuple)):
            return 1
        if id(inner) not in counted:
            values = inner.values() if isinstance(inner, dict) else inner
            counted[id(inner)] = 1 + sum(map(count, values))
        return counted[id(inner)]

    return count(value) > most
