"""Arrays written to files so that a disk which is full is told.

NumPy writes to a file of the system by a stream of its own, and when that is closed the end of what it
holds, up to 4 kB, is lost without a word where the disk is full or the size of files is limited.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


class _ByWrite:
    """A file that NumPy knows by its method alone, which says what it could not write."""

    def __init__(self, file: BinaryIO):
        self._file = file

    def write(self, content: Any) -> int:
        """Write all of it."""
        return self._file.write(content)


def save(file: BinaryIO, array: np.ndarray) -> None:
    """As ``np.save``, of what is no object; OSError if not all of it could be written."""
    np.save(_ByWrite(file), array, allow_pickle=False)


def check_end(path: Path, place: tuple[int, int] | None) -> None:
    """OSError if a file ends before what a library has written into it, by its first byte and its length."""
    missing = 0 if place is None else sum(place) - path.stat().st_size
    if missing > 0:
        with path.open("ab", buffering=0) as file:
            file.write(bytes(missing))  # which says why
        raise OSError(errno.ENOSPC, "No space was left on device")
