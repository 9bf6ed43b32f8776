"""What cells and arrays of structures in MATLAB's files of version 7.3 hold, by names of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import limits
from napari_hsr.io.hdf5 import structure

if TYPE_CHECKING:
    from pathlib import Path


def cells(path: Path, file: Any, items: dict[str, Any]) -> dict[str, Any]:
    """Data sets that cells and arrays of structures in MATLAB's files refer to, by a name of their own.

    ``cubes/2`` is the second cell of ``cubes``, ``scenes/2/cube`` a field of the second structure.
    Cells without any array of three axes are left to those that know what they hold.
    """
    import h5py

    found: dict[str, Any] = {}

    def take(name: str, item: Any, depth: int) -> None:
        limits.check_count(path, len(found) + 1, "cells")
        if isinstance(item, h5py.Group) and depth < structure.DEEPEST_REFERENCE:
            for field in structure.names_of(item):
                take(f"{name}/{field}", structure.own(item, field), depth + 1)
        elif isinstance(item, h5py.Dataset) and not enter(name, item, depth):
            found[name] = item

    def enter(name: str, item: Any, depth: int) -> bool:
        if (
            h5py.check_ref_dtype(item.dtype) is not h5py.Reference
            or depth >= structure.DEEPEST_REFERENCE
        ):
            return False
        if not item.shape or "MATLAB_empty" in structure.attributes(item) or item.external:
            return False
        if item.size > limits.MOST_ENTRIES:
            return False  # texts, or whatever else so many are
        inside = [
            _referred(file, reference) for reference in np.ravel(structure.checked(path, item)[()])
        ]
        above, _, field = name.rpartition("/")
        of_structures = "MATLAB_class" not in structure.attributes(item) and bool(above)
        arrays = [len(getattr(i, "shape", None) or ()) > 2 for i in inside]
        deeper = [isinstance(i, h5py.Group) or _refers(i) for i in inside]
        if not (of_structures or any(arrays) or any(deeper) or _are_bands(inside)):
            return False
        for number, each in enumerate(inside, 1):
            take(
                f"{above}/{number}/{field}" if of_structures else f"{name}/{number}",
                each,
                depth + 1,
            )
        return True

    for name, item in items.items():
        if not name.startswith("#"):
            enter(name, item, 0)
    return found


def _are_bands(inside: list[Any]) -> bool:
    """Whether cells hold one band each: arrays of numbers with two axes, all alike."""
    import h5py

    if len(inside) < 2 or not all(isinstance(i, h5py.Dataset) for i in inside):
        return False
    first = inside[0]
    numbers = first.dtype.kind in "fiu" and structure.attributes(first).get("MATLAB_class") not in (
        b"char",
        "char",
        b"cell",
        "cell",
    )
    alike = all(i.shape == first.shape and i.dtype == first.dtype for i in inside)
    return bool(numbers and alike and len(first.shape) == 2 and min(first.shape) > 1)


def _referred(file: Any, reference: Any) -> Any:
    """What a reference leads to; None for an empty or broken one: the cube may lie elsewhere."""
    try:
        return file[reference] if reference else None
    except (OSError, RuntimeError, ValueError, KeyError):
        return None


def _refers(item: Any) -> bool:
    import h5py

    return isinstance(item, h5py.Dataset) and h5py.check_ref_dtype(item.dtype) is h5py.Reference
