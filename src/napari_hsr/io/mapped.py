"""Memory maps of files that other programs may cut short while they are in use."""

from __future__ import annotations

import math
import mmap
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_hsr.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path


#: In bytes: parts up to here are read into memory, so many at a time.
_READ, _AT_ONCE = 2**28, 2**24
#: In seconds, about what a call of the system takes, and a byte; a band may take so long.
_A_CALL, _A_BYTE, _A_BAND = 3e-6, 2.5e-10, 0.03


class MappedArray(np.memmap):
    """A memory map of which parts are read as files are.

    What lies behind the end of a file that became shorter cannot be read through a map: the system would
    end the process. So a part of it, as a band or a tile, is read into memory, by calls that end with a
    :class:`FileError` then. The whole, what is very large, parts that are chosen by lists, and bands that
    lie scattered over all of a file are taken through the map, after a look at the size of the file.
    """

    _file: _OpenFile | None = None
    _origin: int = 0  # the address of the first byte of the file, if it were mapped as well

    def __array_finalize__(self, obj: Any) -> None:
        super().__array_finalize__(obj)
        if getattr(self, "_mmap", None) is not None:
            self._file = getattr(obj, "_file", None)
            self._origin = getattr(obj, "_origin", 0)

    def __getitem__(self, key: Any) -> Any:
        pages = getattr(self, "_mmap", None)
        if pages is not None and self.filename is not None:
            needed = self.offset - self.offset % mmap.ALLOCATIONGRANULARITY + len(pages)
            held = pages.size()  # of the open file, whatever its name means by now
            if held < needed:
                raise shortened(self.filename, held, needed)
        part = super().__getitem__(key)
        of_field = part.dtype != self.dtype  # of records, all over the file
        if getattr(part, "_mmap", None) is None or self._file is None or of_field:
            return part
        if part.nbytes > _READ:
            return part
        if not part.size or (part.size == self.size and part.ndim == self.ndim):  # flipped, say
            return part
        return self._read(part.view(np.ndarray), part.ndim < self.ndim)

    def __deepcopy__(self, memo: Any) -> Any:
        """Itself, where nobody can write to it: napari copies the array of a layer that is duplicated."""
        return super().__deepcopy__(memo) if self.flags.writeable else self

    def _read(self, part: np.ndarray, band: bool) -> np.ndarray:
        """A copy of a part, which is read in blocks of its inner axes, whichever takes least."""
        if not hasattr(os, "preadv"):  # Windows, where a file that is mapped cannot be cut short
            return part.copy(order="K")
        order = sorted(range(part.ndim), key=lambda axis: -abs(part.strides[axis]))
        turned = tuple(slice(None, None, -1 if stride < 0 else 1) for stride in part.strides)
        wanted = part[turned].transpose(order)
        shape, strides = wanted.shape, wanted.strides
        ends = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)]
        spans = [sum(ends[axis:]) + part.itemsize for axis in range(part.ndim + 1)]
        times = [
            math.prod(shape[:axis]) * (_A_CALL + span * _A_BYTE) for axis, span in enumerate(spans)
        ]
        outer = int(np.argmin(times))
        if band and times[outer] > _A_BAND:
            return part.copy(order="K")
        made = np.empty(shape, part.dtype)
        blocks, span = made.reshape(-1, *shape[outer:]), spans[outer]
        places = np.full((), wanted.__array_interface__["data"][0] - self._origin)
        for size, stride in zip(shape[:outer], strides[:outer], strict=True):
            places = places[..., None] + np.arange(size) * stride
        listed = places.ravel().tolist()
        if span == math.prod(shape[outer:]) * part.itemsize:
            lines = made.reshape(-1).view(np.uint8).reshape(-1, span)
            for line, place in zip(lines, listed, strict=True):
                self._fill(line.data, place)
        else:
            together = max(1, _AT_ONCE // span)
            around = np.empty((min(together, len(listed)), span), np.uint8)
            for first in range(0, len(listed), together):
                held = listed[first : first + together]
                for row, place in zip(around, held, strict=False):
                    self._fill(row.data, place)
                inner = (len(held), *shape[outer:]), (span, *strides[outer:])
                blocks[first : first + together] = np.ndarray(
                    inner[0], part.dtype, around.data, 0, inner[1]
                )
        back = made.transpose(np.argsort(order))
        return back if all(step.step == 1 for step in turned) else back[turned].copy(order="K")

    def _fill(self, target: memoryview, place: int) -> None:
        assert self._file is not None
        done = 0
        while done < len(target):
            count = os.preadv(self._file.descriptor, [target[done:]], place + done)
            if not count:
                raise shortened(self.filename, place + done, place + len(target))
            done += count


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
    with open(path, "rb") as file:
        found = MappedArray(file, dtype, "r", offset=offset, shape=shape, order=order)
        with suppress(OSError):  # as many files are open as may be: it is taken through the map
            found._file = _OpenFile(os.dup(file.fileno()))
    found.filename = os.fspath(path.resolve())
    found._origin = found.__array_interface__["data"][0] - offset
    return found


class _OpenFile:
    """The file of a map, open as long as that is used."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)
