"""Arrays of structures: a field with a spectrum a pixel, a field a band, or a row a pixel with its place.

NumPy's files hold them, and HDF5 calls them compound data sets.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from napari_hsr.errors import FileError
from napari_hsr.io import bands_apart, build_cube, lazy, limits, masks_beside
from napari_hsr.io.choose_variable import choose_cube, left_out
from napari_hsr.io.companions import companions
from napari_hsr.io.scale_and_offset import state_numbers
from napari_hsr.io.variable import Variable
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from napari_hsr.cube import Cube
    from napari_hsr.io.read_choice import Choice

#: Fields with the row and the column of a pixel.
_ROWS = ("y", "row", "rows", "line", "lines")
_COLUMNS = ("x", "col", "cols", "column", "columns", "sample", "samples")


def usable(dtype: np.dtype) -> bool:
    """Whether structures of this type can be a cube: no objects, and numbers in a field."""
    each = [of.base for of in _fields(dtype).values()]
    return not dtype.hasobject and any(base.kind in "fiub" for base in each)


def chosen(
    stored: Mapping[str, np.dtype], variables: Sequence[Variable], choice: Choice
) -> str | None:
    """The one array of structures, by types of arrays, that may hold the cube; None where another does.

    Only where no array has three axes, or where it, or a field of it, is named.
    """
    names = [name for name, dtype in stored.items() if dtype.names and usable(dtype)]
    wanted = (choice.variable or "").strip("/").lower()
    if wanted:
        known = {v.short for v in variables} | {v.name.strip("/").lower() for v in variables}
        named = [n for n in names if wanted in (n.lower(), n.rpartition("/")[2].lower())]
        names = named or ([] if wanted in known else names)
    elif any(v.real and v.has_three_axes for v in variables):
        return None
    return names[0] if len(names) == 1 else None


def read(
    path: Path,
    values: np.ndarray,
    choice: Choice,
    beside: Sequence[Variable] = (),
    load: Callable[[str], Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Cube:
    """The cube of an array of structures.

    Parameters
    ----------
    path : Path
    values : ndarray of structures, shape (rows, columns) or (pixels,)
    choice : Choice
        The variable is a field.
    beside : sequence of Variable, optional
        Other arrays of the file, wavelengths perhaps, and ``load``, which gives their values by name.
    attributes : mapping, optional
        What the file states of the array.

    Raises
    ------
    FileError
        If no field holds a cube, or the rows of a table fill no picture.
    """
    stated = attributes or {}
    told: tuple[Notice, ...] = ()
    if values.ndim == 1:
        values, told = _on_a_grid(path, values)
    fields = [
        Variable(
            name,
            (*values.shape, *of.shape),
            of.base if of.base.kind in "fiub" else None,
            str(of.base),
        )
        for name, of in _fields(values.dtype).items()
    ]
    named = bands_apart.offered(fields)
    chosen = choose_cube(path, named, wanted=choice.variable)
    names, apart = chosen.parts or (chosen.name,), bool(chosen.parts)
    types = [_fields(values.dtype)[name] for name in names]
    for name, of in zip(names, types, strict=True):
        build_cube.check_dtype(path, of.base, f"field {name}")
    source = _side_by_side(values, names) if apart else values[names[0]]
    if source is None:
        needed = values.size * sum(of.itemsize for of in types)
        limits.check_room(path, needed, chosen.describe())
        source = np.stack([values[name] for name in names], axis=-1)
    elif not lazy.too_big(source.shape):
        source = np.ascontiguousarray(source)
    found = build_cube.Found(
        source, convention=source.ndim - 1, stated=True, looked_in="its fields", notices=told
    )
    found.notices += left_out(path, named, chosen) if choice.variable is None else ()
    if load is not None:
        about = companions([*named, *beside], chosen, load, stated)
        found.wavelengths, found.unit = about.wavelengths, about.unit
        found.metadata, found.per_band = about.metadata, about.per_band
        found.notices += about.notices
        found.looked_in = "its fields, variables and attributes"
    if apart:
        bands_apart.state(found, chosen)
    state_numbers(found, stated, about.around if load is not None else None)
    if load is not None:
        found.ignore(about.no_data)
    found.masks = masks_beside.find(named, chosen, lambda name: values[name])
    return build_cube.build(path, found, choice)


def _side_by_side(values: np.ndarray, names: Sequence[str]) -> np.ndarray | None:
    """Fields as a last axis, left where they lie; None if they do not lie at even distances."""
    stored: Any = values.dtype.fields
    fields = [stored[name] for name in names]
    steps = {after[1] - before[1] for before, after in itertools.pairwise(fields)}
    if len({field[0] for field in fields}) > 1 or len(steps) != 1 or fields[0][0].shape:
        return None
    first = values[names[0]]
    return as_strided(
        first, (*first.shape, len(names)), (*first.strides, *steps), subok=True, writeable=False
    )


def _fields(dtype: np.dtype) -> dict[str, np.dtype]:
    return {name: dtype[name] for name in dtype.names or ()}


def _on_a_grid(path: Path, values: np.ndarray) -> tuple[np.ndarray, tuple[Notice, ...]]:
    """A table with a row a pixel as (rows, columns), by the fields that say where each lies.

    Raises
    ------
    FileError
        If two pixels lie in one place, or most places are empty.
    """
    names = {name.lower(): name for name in values.dtype.names or ()}
    at = [next((names[n] for n in known if n in names), None) for known in (_ROWS, _COLUMNS)]
    if at[0] is None or at[1] is None or not values.size:
        return values, ()  # then no field has three axes, which is said
    places = [np.unique(values[name], return_inverse=True) for name in at]
    height, width = (len(levels) for levels, _ in places)
    (_, rows), (_, columns) = places
    if len(np.unique(rows.astype(np.int64) * width + columns)) < values.size:
        raise FileError(path, f"two rows of its table have the same {at[0]} and {at[1]}")
    if height * width > 4 * values.size:
        raise FileError(
            path,
            f"its table has {values.size} rows for {height} x {width} places: no picture is made of so few",
        )
    kept = {name: of for name, of in _fields(values.dtype).items() if of.base.kind in "fiub"}
    floats = np.dtype(
        [(name, "f8" if of.base.itemsize > 2 and of.base.kind != "f" else np.promote_types(of.base, "f4"), of.shape)
         for name, of in kept.items() if name not in at]
    )  # fmt: skip
    limits.check_room(path, height * width * floats.itemsize, "the picture", values.nbytes)
    picture = np.zeros((height, width), floats)
    for name in floats.names or ():
        picture[name] = np.nan
        picture[name][rows, columns] = values[name]
    empty = height * width - values.size
    told = (
        f"The {values.size} rows of its table were put in {height} rows and {width} columns by their "
        f"{at[0]} and {at[1]}" + (f"; {empty} places are empty: NaN." if empty else ".")
    )
    return picture, (Notice.info(Code.AXES_CHANGED, told),)
