"""Arrays of four axes, which hold several cubes: over time, over positions. One of them is named by its number."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError, SeveralArraysError
from napari_hsr.io import alternatives, limits
from napari_hsr.io.library_errors import translated
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.io.read_choice import Choice

#: How many of the cubes are listed as alternatives.
_MOST_LISTED = 500


def are_several(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape holds several cubes: four axes are longer than one."""
    return sum(n > 1 for n in shape) == 4


def one_of(path: Path, found: Any, choice: Choice) -> Any:
    """What was found of an array with several cubes, narrowed to the one that is named by its number.

    ``found`` and the result are :class:`napari_hsr.io.build_cube.Found`; numbers count from 1.

    Raises
    ------
    SeveralArraysError
        If none is named.
    FileError
        If there is no such one, or there is one cube only.
    """
    shape = tuple(int(n) for n in found.source.shape)
    if not are_several(shape):
        if choice.position is not None:
            raise FileError(path, f"it holds one cube, so that none is called [{choice.position}]")
        return found
    axis = _axis_of_cubes(found, shape)
    count, named = shape[axis], choice.variable or ""
    if choice.position is None:
        size = " x ".join(map(str, shape[::-1] if found.flipped else shape))
        one = tuple(n for i, n in enumerate(shape) if i != axis and n > 1)
        one = one[::-1] if found.flipped else one
        kind = str(found.source.dtype)
        names = [f"{named}[{i}]" for i in range(1, min(count, _MOST_LISTED) + 1)]
        alternatives.note_arrays([alternatives.StoredArray(n, one, kind) for n in names])
        raise SeveralArraysError(
            path,
            f"the array has {len(shape)} axes ({size}), which may be {count} cubes, over time or positions; name one, "
            f"counted from 1, as in {path.name}:{named}[1]",
        )
    if not 1 <= choice.position <= count:
        raise FileError(path, f"it holds cubes [1] to [{count}], and no [{choice.position}]")
    kept = [i for i, n in enumerate(shape) if n > 1 and i != axis]
    at: list[Any] = [slice(None) if n > 1 else 0 for n in shape]
    at[axis] = choice.position - 1
    if not isinstance(found.source, np.memmap):
        needed = math.prod(shape[i] for i in kept) * np.dtype(found.source.dtype).itemsize
        limits.check_room(path, needed, "one of its cubes")
    with translated(path, "the array cannot be read"):
        source = found.source[tuple(at)]
    convention = found.convention
    if found.stated and not found.flipped:
        convention = kept.index(convention) if convention in kept else 0
    told = f"Cube {choice.position} of {count} in an array of 4 axes was opened."
    return replace(
        found,
        source=source,
        convention=convention,
        stated=found.stated and not found.flipped and found.convention in kept,
        notices=(*found.notices, Notice.info(Code.AXES_CHANGED, told)),
        steps=(*found.steps, told),
    )


def _axis_of_cubes(found: Any, shape: tuple[int, ...]) -> int:
    """The axis of the array that goes over cubes: the outermost that is not as long as the wavelengths."""
    long = [i for i, n in enumerate(shape) if n > 1]
    if found.stated and not found.flipped and found.convention in long:
        long.remove(found.convention)
    listed = 0 if found.wavelengths is None else np.size(found.wavelengths)
    # MATLAB's outermost axis is its last one, which lies first in HDF5
    last = found.convention == 2 and not (found.flipped or found.stated)
    order = long[::-1] if last else long
    return next((i for i in order if shape[i] != listed), order[0])
