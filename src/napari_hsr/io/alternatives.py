"""What else a file could have been read as: its other arrays, and its axes in another order.

Readers take the best guess and say so. Who wants to offer the choice records what they saw::

    with recorded() as seen:
        cube = io.read(path)
    seen.arrays, seen.chosen, seen.axes
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class StoredArray:
    """An array of a file that could be the cube.

    Attributes
    ----------
    name : str
        As the file has it, for ``read(path, variable=name)``.
    shape : tuple of int
        In the order of the format.
    kind : str
        Its data type.
    """

    name: str
    shape: tuple[int, ...]
    kind: str


@dataclass
class Alternatives:
    """What a reader chose among.

    Attributes
    ----------
    arrays : list of StoredArray
        Those that could be the cube; empty for formats without names.
    chosen : str
        The name of the one that was read; empty if none was.
    shape : tuple of int
        Of the stored array, in the order of its format; empty if it was not read as a cube.
    axes : str
        What its axes were taken for, such as ``"yxb"``.
    axes_guessed : bool
        Nothing in the file says so.
    """

    arrays: list[StoredArray] = field(default_factory=list)
    chosen: str = ""
    shape: tuple[int, ...] = ()
    axes: str = ""
    axes_guessed: bool = False

    @property
    def leave_a_choice(self) -> bool:
        """Whether the file could as well have been read otherwise."""
        return len(self.arrays) > 1 or self.axes_guessed


#: A part of a name that is a number.
_NUMBERED = re.compile(r"/\d+(?=/|$)")
_SEEN: ContextVar[Alternatives | None] = ContextVar("alternatives", default=None)


@contextmanager
def recorded() -> Iterator[Alternatives]:
    """What is read inside notes its alternatives; a file that is refused, those that it had."""
    seen = Alternatives()
    token = _SEEN.set(seen)
    try:
        yield seen
    finally:
        _SEEN.reset(token)


def note_arrays(arrays: list[StoredArray]) -> None:
    """A reader found these."""
    seen = _SEEN.get()
    if seen is not None:
        seen.arrays = arrays


def note_chosen(name: str) -> None:
    """A reader took this one."""
    seen = _SEEN.get()
    if seen is not None:
        seen.chosen = name


def note_axes(shape: tuple[int, ...], order: tuple[int, ...], guessed: bool) -> None:
    """A reader took an array's axes ``order`` for bands, rows and columns."""
    seen = _SEEN.get()
    if seen is not None:
        seen.shape = tuple(int(n) for n in shape)
        seen.axes = "".join("byx"[order.index(axis)] for axis in range(3))
        seen.axes_guessed = guessed


def of_one_list(names: list[str]) -> bool:
    """Whether names differ by numbers alone, as cells and the elements of a structure array do."""
    return len({_NUMBERED.sub("/#", name) for name in names}) == 1
