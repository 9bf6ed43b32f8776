"""MATLAB files: version 5 (and 4) through SciPy, version 7.3 through HDF5."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import (
    bands_apart,
    build_cube,
    embedded_record,
    limits,
    masks_beside,
    pixel_tables,
)
from napari_hsr.io.choose_variable import choose_cube, left_out
from napari_hsr.io.companions import companions
from napari_hsr.io.hdf5 import files as hdf5
from napari_hsr.io.library_errors import translated
from napari_hsr.io.matlab import validation as mat_validation
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.io.scale_and_offset import state_numbers
from napari_hsr.io.variable import Variable
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_hsr.cube import Cube

_DAMAGED = "the MATLAB file is damaged or cut short"
#: Structures inside one another are entered so far.
_DEEPEST = 32
_DTYPES = {
    "double": "f8", "single": "f4", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
    "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8", "logical": "b1",
}  # fmt: skip


def read_73(path: Path, choice: Choice = ANY) -> Cube:
    """Read a MATLAB 7.3 file, the NTIRE/ARAD_1K layout among them.

    Raises
    ------
    FileError
        If the file is damaged or holds no (or more than one possible) cube.
    """
    return hdf5.read_container(path, choice, matlab=True)


def read_5(path: Path, choice: Choice = ANY) -> Cube:
    """Read a MATLAB 5 file (SciPy reads version 4 too); only what is needed is loaded.

    Raises
    ------
    FileError
        If the file is damaged or holds no (or more than one possible) cube.
    """
    file = _MatFile(path)
    load = file.load
    if choice.variable is not None or not file.has_cube or not file.has_wavelengths:
        file.open_structures(arrays=choice.variable is not None or not file.has_cube)
    folded: tuple[Notice, ...] = ()
    if choice.variable is None and not file.has_cube:
        folded = file.fold_pixels()
    variables = bands_apart.offered(file.variables)
    texts = {v.short: v.name for v in variables if v.kind == "char"}
    own = embedded_record.stored_as(texts)
    ours = embedded_record.of_variable(own, _char(load, texts, own)) if own else None
    chosen = choose_cube(path, variables, ours is not None, choice.variable)
    file.wanted += chosen.parts or (chosen.name,)
    arrays = [load(name) for name in chosen.parts or (chosen.name,)]
    source = np.stack([np.squeeze(a) for a in arrays], axis=2) if chosen.parts else arrays[0]
    build_cube.check_dtype(path, source.dtype, chosen.name)
    build_cube.check_shape(path, source.shape, chosen.name)
    beside = companions(variables, chosen, load)
    left = left_out(path, variables, chosen) if choice.variable is None else ()
    unit = beside.unit or _char(load, texts, "wavelength_units", "wavelength_unit")
    units = _char(load, texts, "units", "unit")
    if wl.is_unit(units):  # of the wavelengths, as it stands beside them
        unit, units = unit or units, None
    found = build_cube.Found(
        source,
        convention=2,
        stated=bool(folded),
        wavelengths=beside.wavelengths,
        unit=unit,
        units=units,
        metadata=beside.metadata,
        per_band=beside.per_band,
        notices=(*file.told, *folded, *beside.notices, *left),
        record=ours,
        looked_in="its variables and structures",
        masks=masks_beside.find(variables, chosen, load),
    )
    state_numbers(found, {}, beside.around)
    found.ignore(beside.no_data)
    bands_apart.state(found, chosen)
    return build_cube.build(path, found, choice)


class _MatFile:
    """The variables of a MATLAB 5 file, each loaded when it is asked for.

    Attributes
    ----------
    variables
        Those of the file, and of its structures and cells once they are opened.
    told
        What is to be told of names that no program gives.
    wanted
        The names of what becomes the cube, whose size is held against the free memory.
    """

    def __init__(self, path: Path) -> None:
        from scipy.io import whosmat

        self.path = path
        with translated(path, _DAMAGED):
            mat_validation.check(path)
        with translated(path, _DAMAGED), path.open("rb") as file:
            inside = whosmat(file)
        strange = [
            name for name, _, _ in inside if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII)
        ]
        self.told: tuple[Notice, ...] = ()
        if strange:
            told = f"“{one_line(strange[0], 40)}” is no name of a variable of MATLAB: the file may be damaged."
            self.told = (Notice.warning(Code.MAYBE_DAMAGED, told),)
        self.variables = [
            Variable(name, tuple(shape), _dtype(kind), kind) for name, shape, kind in inside
        ]
        self.wanted: list[str] = []
        self._opened: dict[str, Any] = {}

    @property
    def has_cube(self) -> bool:
        return any(v.real and v.has_three_axes for v in self.variables)

    @property
    def has_wavelengths(self) -> bool:
        return any(v.short in wl.KEYS and (v.real or v.is_text) for v in self.variables)

    def load(self, name: str) -> Any:
        """The value of a variable."""
        from scipy.io import loadmat

        if name in self._opened:
            return self._opened[name]
        described = next(v for v in self.variables if v.name == name)
        size = math.prod(described.shape) * (8 if described.dtype is None else 16)
        if described.real and name in self.wanted:
            limits.check_room(self.path, size, described.describe())
        else:
            what = f"bytes in {described.describe()}"
            limits.check_count(self.path, size, what, limits.MOST_BYTES * 16)
        with translated(self.path, _DAMAGED), self.path.open("rb") as file:
            return loadmat(file, variable_names=[name])[name]

    def open_structures(self, arrays: bool) -> None:
        """Add what structures and cells hold; without ``arrays``, only what can describe a cube."""
        members = _members(self.path, self.variables, self.load)
        self._opened |= members
        inner = [_describe(*item) for item in members.items()]
        inner = [v for v in inner if arrays or not (v.real and v.has_three_axes)]
        self.variables = [*inner, *self.variables]

    def fold_pixels(self) -> tuple[Notice, ...]:
        """Make a cube of a table with a spectrum a row, if there is one, and say so."""
        table = pixel_tables.find(self.variables, self.load)
        if table is None:
            return ()
        self.wanted.append(table.name)
        cube = self._opened[table.name] = table.cube(self.load(table.name))
        others = [v for v in self.variables if v.name != table.name]
        self.variables = [_describe(table.name, cube), *others]
        return table.notices


def _members(path: Path, variables: list[Variable], load: Callable[[str], Any]) -> dict[str, Any]:
    """What structures and cells hold, however deep: ``structure/field``, ``cell/2``, ``array/2/field``."""
    found: dict[str, Any] = {}

    def take(name: str, value: np.ndarray, depth: int) -> None:
        limits.check_count(path, len(found) + 1, "fields")
        parts = _parts(value) if depth < _DEEPEST else []
        for part, inner in parts:
            take(f"{name}/{part}", np.asanyarray(inner), depth + 1)
        if not parts:
            planes = _planes(value)
            found[name] = np.asarray(value) if planes is None else planes

    for variable in variables:
        if variable.kind in ("struct", "cell") and 0 not in variable.shape:
            inside = np.asarray(load(variable.name))
            if variable.kind == "struct" or _parts(inside) or _planes(inside) is not None:
                take(variable.name, inside, 0)
    return found


def _parts(value: np.ndarray) -> list[tuple[str, Any]]:
    """Names and values of what lies in a structure, or in cells that hold more than numbers or texts."""
    from scipy.io.matlab import MatlabOpaque

    if isinstance(value, MatlabOpaque):
        return []
    items = value.ravel(order="F")
    if value.dtype.names:
        numbers = [""] if items.size == 1 else [f"{i + 1}/" for i in range(items.size)]
        each = zip(numbers, items, strict=True)
        return [(f"{n}{field}", item[field]) for n, item in each for field in value.dtype.names]
    held = [v for v in items if isinstance(v, np.ndarray)] if value.dtype.kind == "O" else []
    if any(v.ndim > 2 or v.dtype.names or v.dtype.kind == "O" for v in held):
        return [(str(i + 1), v) for i, v in enumerate(items)]
    return []


def _planes(value: np.ndarray) -> np.ndarray | None:
    """Cells that hold one band each, as an array (rows, columns, bands)."""
    if value.dtype.kind != "O" or value.size < 2:
        return None
    items = [np.asarray(item) for item in value.ravel(order="F")]
    alike = {(item.shape, item.dtype) for item in items}
    if len(alike) > 1 or items[0].ndim != 2 or min(items[0].shape) < 2:
        return None
    return np.stack(items, axis=2) if items[0].dtype.kind in "fiub" else None


def _describe(name: str, values: np.ndarray) -> Variable:
    kinds = {"O": "cell", "U": "char", "V": "struct"}
    kind = kinds.get(values.dtype.kind, str(values.dtype))
    return Variable(name, values.shape, None if kind in kinds.values() else values.dtype, kind)


def _dtype(kind: str) -> np.dtype | None:
    return np.dtype(_DTYPES[kind]) if kind in _DTYPES else None


def _char(load: Any, texts: dict[str, str], *keys: str) -> str | None:
    for key in keys:
        if key in texts:
            value = np.ravel(load(texts[key]))
            return str(value[0]) if value.size else None
    return None
