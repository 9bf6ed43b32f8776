"""Checks of the values of layers before a run, each done once."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

#: Arrays larger than this, in bytes, and those not in memory are checked during the run.
LARGEST_CHECKED = 256e6


class ValueChecks:
    """Remembers the result of the check of each array for as long as the array lives.

    Thread-safe.

    Parameters
    ----------
    look : callable
        Takes a cube or a photograph and the event that cancels, and returns a sentence, or None
        if nothing is wrong.
    """

    def __init__(self, look: Callable[[Any, threading.Event], str | None]):
        self._look = look
        self._said: dict[int, tuple[weakref.ref, str | None]] = {}

    def at(self, array: Any, taken_for: Any, cancel: threading.Event) -> str | None:
        """The sentence on an array; None if nothing is wrong or the check would take long."""
        if not _quickly(array):
            return None
        held = self._said.get(id(array))
        if held is not None and held[0]() is array:
            return held[1]
        said = self._look(taken_for, cancel)
        if not cancel.is_set():
            alive = {key: one for key, one in self._said.items() if one[0]() is not None}
            self._said = {**alive, id(array): (weakref.ref(array), said)}
        return said

    def forget(self) -> None:
        """Check again next time: values may have been changed in place."""
        self._said = {}


def _quickly(array: Any) -> bool:
    in_memory = isinstance(array, np.ndarray) and not isinstance(array, np.memmap)
    return in_memory and array.nbytes <= LARGEST_CHECKED
