"""What PyQt6 types as perhaps nothing, where Qt always gives something."""

from __future__ import annotations

from typing import TypeVar

_Part = TypeVar("_Part")


def present(part: _Part | None) -> _Part:
    """The part itself: the header of a table, the bar of an area, the clipboard of the desk.

    Raises
    ------
    AssertionError
        If it is None, which Qt does not do: a fault of this code.
    """
    assert part is not None
    return part
