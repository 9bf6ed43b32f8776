"""A cache that is bounded by the bytes of its arrays; what was used least recently goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable


class Sized(Protocol):
    """An array, or whatever states its bytes."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""


T = TypeVar("T", bound=Sized)


class ByteCache(Generic[T]):
    """Arrays by key, within a bound; safe to use from several threads.

    Parameters
    ----------
    limit : int
        Most bytes that are kept. A single larger array is kept alone, for somebody needs it now.
    """

    def __init__(self, limit: int):
        self.limit = int(limit)
        #: The most bytes that were ever kept.
        self.peak = 0
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """Bytes of all arrays kept."""
        return self._bytes

    def __contains__(self, key: object) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> T | None:
        """The array of a key, now the one used last; None if it is not kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Hashable, values: T) -> None:
        """Keep an array; others go first if there is no room for it."""
        with self._lock:
            self._drop(key)
            while self._kept and self._bytes + values.nbytes > self.limit:
                self._drop(next(iter(self._kept)))
            self._kept[key] = values
            self._bytes += values.nbytes
            self.peak = max(self.peak, self._bytes)

    def drop(self, key: Hashable) -> None:
        """Forget an array; does nothing if it is not kept."""
        with self._lock:
            self._drop(key)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _drop(self, key: Hashable) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._bytes -= gone.nbytes
