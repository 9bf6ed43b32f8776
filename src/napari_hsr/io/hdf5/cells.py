"""What cells and arrays of structures in MATLAB's files of version 7.3 hold, by names of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import limits
from napari_hsr.io.hdf5 import structure

if TYPE_CHECKING:
    from pathlib import Path

#: Cells, structures and their fields that are gone through.
_MOST_TAKEN = 3 * limits.MOST_ENTRIES


def cells(path: Path, file: Any, items: dict[str, Any]) -> dict[str, Any]:
    """Data sets that cells and arrays of structures in MATLAB's files refer to, by a name of their own.

    ``cubes/2`` is the second cell of ``cubes``, ``scenes/2/cube`` a field of the second structure.
    Cells without any array of three axes are left to those that know what they hold.
    """
    import h5py

    found: dict[str, Any] = {}
    known = _Known(file)
    taken = 0

    def take(name: str, item: Any, depth: int) -> None:
        nonlocal taken
        taken += 1
        limits.check_count(path, taken, "cells and what is inside of them", _MOST_TAKEN)
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
        array = known.array(path, item)
        above, _, field = name.rpartition("/")
        of_structures = not array.is_of_cells and bool(above)
        if not (of_structures or array.holds_arrays):
            return False
        for number, each in array.inside:
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


@dataclass(frozen=True)
class _Array:
    """What an array of references leads to.

    Attributes
    ----------
    inside : list of (int, object)
        Data sets and groups with the number of the entry that leads there; broken and empty ones are left out.
    is_of_cells : bool
        MATLAB says so; else it is a field of an array of structures, where it lies in one.
    holds_arrays : bool
        Whether the cube may lie in there.
    """

    inside: list[tuple[int, Any]]
    is_of_cells: bool
    holds_arrays: bool


class _Known:
    """Arrays of references and what they lead to, each opened once, however often it is met.

    A few references to one another would otherwise be opened again for every way through them.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._arrays: dict[int, _Array] = {}
        self._items: dict[int, Any] = {}

    def array(self, path: Path, item: Any) -> _Array:
        """What the references of a data set lead to."""
        import h5py

        place = h5py.h5o.get_info(item.id).addr
        if place not in self._arrays:
            stored = np.ravel(structure.checked(path, item)[()])
            every = [self._referred(reference) for reference in stored]
            arrays = any(len(getattr(i, "shape", None) or ()) > 2 for i in every)
            deeper = any(isinstance(i, h5py.Group) or _refers(i) for i in every)
            self._arrays[place] = _Array(
                [(number, each) for number, each in enumerate(every, 1) if each is not None],
                "MATLAB_class" in structure.attributes(item),
                arrays or deeper or _are_bands(every),
            )
        return self._arrays[place]

    def _referred(self, reference: Any) -> Any:
        """What a reference leads to; None for an empty or broken one: the cube may lie elsewhere."""
        import h5py

        if not reference:
            return None
        try:
            place = h5py.h5o.get_info(h5py.h5r.dereference(reference, self._file.id)).addr
            if place not in self._items:
                self._items[place] = self._file[reference]
        except (OSError, RuntimeError, ValueError, KeyError):
            return None
        return self._items[place]


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


def _refers(item: Any) -> bool:
    import h5py

    return isinstance(item, h5py.Dataset) and h5py.check_ref_dtype(item.dtype) is h5py.Reference
