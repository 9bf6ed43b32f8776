"""A look through an HDF5 file in a process of its own, before this one opens it.

What is damaged in ways that the checks before (:mod:`napari_hsr.io.hdf5.structure`) do not see can end
the library, or make it ask for gigabytes. Each file is looked at once as long as it does not change.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from napari_hsr.errors import FileError, HSRError
from napari_hsr.io import helper_process
from napari_hsr.io.hdf5.writing import check_driver

#: Files that are remembered.
_REMEMBERED = 4096

_LOCK = threading.Lock()
_SEEN: OrderedDict[tuple[Any, ...], str] = OrderedDict()


def check(path: Path) -> None:
    """Let the helper look through a file, unless it has seen it.

    Raises
    ------
    FileError
        If the library did not survive it, came to no end, or asked for too much memory.
    """
    check_driver()
    try:
        found = os.stat(path)
    except OSError:  # told on opening it
        return
    key = (os.path.realpath(path), found.st_size, found.st_mtime_ns, found.st_ino)
    with _LOCK:
        if key not in _SEEN:
            _SEEN[key] = _problem_of(Path(key[0]))
            while len(_SEEN) > _REMEMBERED:
                _SEEN.popitem(last=False)
        problem = _SEEN[key]
    if problem:
        raise FileError(path, problem)


def _problem_of(path: Path) -> str:
    """What became of the library; empty if it survived."""
    try:
        helper_process.call(helper_process.HDF5, look, path)
    except FileError as error:
        return error.problem
    return ""


def look(path: Path) -> tuple[None, None]:
    """Walk all that the reader may ask for, but for the values.

    What the library survives is said by who reads the file.
    """
    with contextlib.suppress(Exception):
        _look(path)
    return None, None


def _look(path: Path) -> None:
    import h5py

    from napari_hsr.io.hdf5 import structure
    from napari_hsr.io.hdf5.axes import named_axes

    structure.check_heaps(path)
    with h5py.File(path, "r") as file:
        beside = structure.References(path, file)
        structure.attributes(file)
        for _, item in structure.datasets(path, file):
            structure.attributes(item)
            with contextlib.suppress(HSRError):
                _places(structure.checked(path, item), item)
            with contextlib.suppress(Exception):  # as above: the next data set may still end it
                named_axes(file, item, beside)
                if len(item.shape or ()) < 3 or item.id.get_create_plist().get_nfilters():
                    beside.value(
                        item
                    )  # of a cube that is not packed, chunks are all there is to walk


def _places(_checked: Any, item: Any) -> None:
    if item.chunks is None or item.is_virtual:
        return
    item.id.get_num_chunks()  # it walks to all of them, as the reader does
