"""Memory maps of files that other programs may cut short while they are in use."""

from __future__ import annotations

import math
import mmap
import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_hsr.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path


class MappedArray(np.memmap):
    """A memory map that is looked after before a part of it is taken.

    What lies behind the end of a file that became shorter cannot be read: the system would end
    the process. So its size is compared each time, and a :class:`FileError` raised.
    """

    def __getitem__(self, key: Any) -> Any:
        pages = getattr(self, "_mmap", None)
        if pages is not None and self.filename is not None:
            needed = self.offset - self.offset % mmap.ALLOCATIONGRANULARITY + len(pages)
            held = pages.size()  # of the open file, whatever its name means by now
            if held < needed:
                raise shortened(self.filename, held, needed)
        return super().__getitem__(key)

    def __deepcopy__(self, memo: Any) -> Any:
        """Itself, where nobody can write to it: napari copies the array of a layer that is duplicated."""
        return super().__deepcopy__(memo) if self.flags.writeable else self


def shortened(path: Any, held: int, needed: int) -> FileError:
    """The fault of a file that was cut short while it was open."""
    return FileError(
        path,
        f"it became shorter while it was open: {held} of {needed} bytes are left. Open it again",
    )


def map_file(
    path: Path,
    dtype: np.dtype,
    shape: tuple[int, ...],
    offset: int = 0,
    order: Literal["C", "F"] = "C",
) -> MappedArray:
    """An array in a file, read when its parts are used.

    Raises
    ------
    OSError, ValueError
        If the file cannot be opened, or is shorter than that.
    """
    needed = offset + math.prod(shape) * dtype.itemsize
    if os.stat(path).st_size < needed:  # NumPy would compute with numbers that overflow
        raise ValueError(f"{needed} bytes were expected, {os.stat(path).st_size} are there")
    return MappedArray(path, dtype, "r", offset=offset, shape=shape, order=order)
