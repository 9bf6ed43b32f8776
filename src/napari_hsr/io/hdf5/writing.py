"""New HDF5 files, on disks that may be full: the library never learns that a write failed.

HDF5 ends the process where it cannot write what it holds, while it closes the file. So it writes
through an object of ours, which remembers the first fault, takes nothing more, and raises it as soon
as the library has returned.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from io import RawIOBase
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import InputError
from napari_hsr.io.atomic import undisturbed
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from pathlib import Path

    import numpy as np


#: Drivers that a file by itself can be read and written with.
_DRIVERS = ("sec2", "stdio", "core", "log", "direct", "default")


class Created:
    """A new HDF5 file.

    Attributes
    ----------
    file : h5py.File
        To be written to inside :func:`undisturbed`: an exception in the middle of the library's call
        would be a fault of the disk to it.
    """

    def __init__(self, raw: FileIO, options: dict[str, Any]):
        import h5py

        self._disk = _Disk(raw)
        with undisturbed():
            self.file = h5py.File(self._disk, "w", **options)
        self.check()

    def put(self, dataset: Any, where: Any, values: np.ndarray) -> None:
        """Write a part of a data set.

        Raises
        ------
        OSError
            If the disk did not take it, or what came before.
        """
        with undisturbed():
            dataset[where] = values
        self.check()

    def close(self) -> None:
        """Write what the library still holds."""
        with undisturbed():
            self.file.close()

    @property
    def fault(self) -> OSError | None:
        """The disk's first fault, if there was one."""
        return self._disk.fault

    def check(self) -> None:
        """Raise the disk's first fault, if there was one."""
        if self.fault is not None:
            raise self.fault


@contextmanager
def created(path: Path, **options: Any) -> Iterator[Created]:
    """Make a new HDF5 file, complete at the end of this context.

    Parameters
    ----------
    path : Path
    **options
        Of `h5py.File`.

    Raises
    ------
    InputError
        By :func:`check_driver`.
    OSError
        If the disk does not take it all.
    """
    check_driver()
    with path.open("wb+", buffering=0) as raw:
        new = Created(raw, options)
        try:
            try:
                yield new
            finally:
                new.close()
        except Exception as error:
            if new.fault is None:
                raise
            raise new.fault from error  # of which all that the library says is a consequence
        new.check()


def check_driver() -> None:
    """Refuse to begin where the environment names a driver that HDF5 has not: it would end the process.

    Raises
    ------
    InputError
        Naming the variable.
    """
    named = os.environ.get("HDF5_DRIVER")
    if named and named.partition(" ")[0] not in _DRIVERS:
        raise InputError(
            f"HDF5 is not begun: the environment's HDF5_DRIVER is {one_line(named, 40)!r}, where "
            f"one of {', '.join(_DRIVERS)} was expected."
        )


class _Disk(RawIOBase):
    """What the library writes to: a file that never fails.

    Attributes
    ----------
    fault : OSError or None
        The first one.
    """

    def __init__(self, raw: FileIO):
        self._raw = raw
        self.fault: OSError | None = None

    def write(self, content: Any) -> int:
        left = memoryview(content).cast("B")
        size = len(left)
        try:
            while left and self.fault is None:
                left = left[self._raw.write(left) :]
        except OSError as error:
            self.fault = error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            if self.fault is None:
                self._raw.truncate(size)
        except OSError as error:
            self.fault = error
        return size or 0

    def readinto(self, into: Any) -> int:
        return self._raw.readinto(into) or 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()
