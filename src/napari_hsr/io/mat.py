"""MATLAB files: version 5 (and 4) through SciPy, version 7.3 through HDF5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import build_cube, embedded_record, hdf5, mat_validation
from napari_hsr.io.choose_variable import Variable, choose_cube, companions
from napari_hsr.io.library_errors import translated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_hsr.cube import Cube

_DAMAGED = "the MATLAB file is damaged or cut short"
_DTYPES = {
    "double": "f8", "single": "f4", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
    "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8", "logical": "b1",
}  # fmt: skip


def read_73(path: Path) -> Cube:
    """Read a MATLAB 7.3 file, the NTIRE/ARAD_1K layout among them.

    Raises
    ------
    FileError
        If the file is damaged or holds no (or more than one possible) cube.
    """
    return hdf5.read_container(path, matlab=True)


def read_5(path: Path) -> Cube:
    """Read a MATLAB 5 file (SciPy reads version 4 too); only what is needed is loaded.

    Raises
    ------
    FileError
        If the file is damaged or holds no (or more than one possible) cube.
    """
    from scipy.io import whosmat

    with translated(path, _DAMAGED):
        mat_validation.check(path)
    with translated(path, _DAMAGED), path.open("rb") as file:
        inside = whosmat(file)
    variables = [Variable(name, tuple(shape), _dtype(kind), kind) for name, shape, kind in inside]

    members: dict[str, Any] = {}

    def load(name: str) -> Any:
        from scipy.io import loadmat

        if name in members:
            return members[name]
        with translated(path, _DAMAGED), path.open("rb") as file:
            return loadmat(file, variable_names=[name])[name]

    if not any(v.real and len(v.shape) == 3 for v in variables):
        members |= _members(variables, load)
        variables = [*(_describe(*item) for item in members.items()), *variables]
    texts = {v.short: v.name for v in variables if v.kind == "char"}
    ours = embedded_record.parse(_char(load, texts, embedded_record.KEY))
    chosen = choose_cube(path, variables, ours is not None)
    source = load(chosen.name)
    build_cube.check_dtype(path, source.dtype, chosen.name)
    build_cube.check_shape(path, source.shape, chosen.name)
    beside = companions(variables, chosen, load)
    return build_cube.build(
        path,
        build_cube.Found(
            source,
            convention=2,
            wavelengths=beside.wavelengths,
            unit=beside.unit or _char(load, texts, "wavelength_units", "wavelength_unit"),
            units=_char(load, texts, "units", "unit"),
            metadata=beside.metadata,
            per_band=beside.per_band,
            notices=beside.notices,
            record=ours,
        ),
    )


def _members(variables: list[Variable], load: Callable[[str], Any]) -> dict[str, Any]:
    """What structures hold, one level down, as ``structure/field``."""
    found = {}
    for variable in variables:
        if variable.kind == "struct" and int(np.prod(variable.shape)) == 1:
            structure = load(variable.name).ravel()[0]
            for field in structure.dtype.names or ():
                found[f"{variable.name}/{field}"] = np.asarray(structure[field])
    return found


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
