"""What is wrong with the values of layers, found before a run and looked for once."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

#: Larger arrays, and those that are not in memory, are looked at in the run itself, in bytes.
LOOKED_AT = 256e6


class Looked:
    """Remembers what was said of each array, as long as it lives.

    Any thread may ask.

    Parameters
    ----------
    look : callable
        From what an array is taken for (a cube, a photograph) and the event that asks to stop
        to a sentence, or None where nothing is wrong.
    """

    def __init__(self, look: Callable[[Any, threading.Event], str | None]):
        self._look = look
        self._said: dict[int, tuple[weakref.ref, str | None]] = {}

    def at(self, array: Any, taken_for: Any, cancel: threading.Event) -> str | None:
        """The sentence on an array, or None; also where looking would take long."""
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
        """Look again when asked: values may have been changed in their place."""
        self._said = {}


def _quickly(array: Any) -> bool:
    in_memory = isinstance(array, np.ndarray) and not isinstance(array, np.memmap)
    return in_memory and array.nbytes <= LOOKED_AT
