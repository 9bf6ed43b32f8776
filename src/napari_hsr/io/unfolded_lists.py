"""Lists that files keep in other shapes: in fields of a table of bands, in a folder of that name, a number a band."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io.variable import Variable
from napari_hsr.io.wavelengths import resolve as wl

if TYPE_CHECKING:
    from collections.abc import Callable

    Load = Callable[[str], Any]

#: What arrays in a folder that is named for them are called.
_CONTENT = ("values", "value", "data", "array")
#: Fields of a table of bands that only there can be wavelengths.
_CENTRES = {"center": "centers", "centre": "centres", "cw": "centers"}
_NUMBERED = re.compile(r"(.*/)?\d+/([^/]+)")


def unfolded(
    variables: list[Variable], load: Load, attributes_of: Load | None = None
) -> tuple[list[Variable], Load, Load | None]:
    """The variables and those lists, what loads both by name, and what gives their attributes."""
    lists: dict[str, Callable[[], Any]] = {}
    more = [
        *_fields(variables, load, lists),
        *_folders(variables, load, lists),
        *_numbered(variables, load, lists),
    ]
    if not more:
        return variables, load, attributes_of

    def load_either(name: str) -> Any:
        return lists[name]() if name in lists else load(name)

    def attributes(name: str) -> Any:
        return {} if name in lists or attributes_of is None else attributes_of(name)

    return [*more, *variables], load_either, attributes


def _fields(
    variables: list[Variable], load: Load, lists: dict[str, Callable[[], Any]]
) -> list[Variable]:
    """Fields with a number or a text a row, of tables with a row a band."""
    found = []
    for table in variables:
        if not table.fields or table.long_axes != 1:
            continue
        known = {name.lower(): name for name, _ in table.fields}
        for name, dtype in table.fields:
            plain = _CENTRES.get(name.lower(), name)
            if dtype.shape or (plain != name and plain in known):
                continue
            full = f"{table.name}/{plain}"
            numbers = dtype if dtype.kind in "fiub" else None
            found.append(Variable(full, table.shape, numbers, str(dtype)))
            lists[full] = partial(_field, load, table.name, name)
    return found


def _field(load: Load, table: str, field: str) -> np.ndarray:
    values: np.ndarray = np.asarray(load(table))[field]
    return values


def _each(load: Load, names: list[str]) -> np.ndarray:
    return np.array([np.ravel(load(name))[0] for name in names])


def _folders(
    variables: list[Variable], load: Load, lists: dict[str, Callable[[], Any]]
) -> list[Variable]:
    """``wavelength/values`` as ``wavelength``."""
    names = {v.name for v in variables}
    found = []
    for variable in variables:
        folder, _, last = variable.name.rpartition("/")
        known, _ = wl.key_of(folder.rpartition("/")[2])
        if known and known != "bands" and last.lower() in _CONTENT and folder not in names:
            found.append(replace(variable, name=folder))
            lists[folder] = partial(load, variable.name)
    return found


def _numbered(
    variables: list[Variable], load: Load, lists: dict[str, Callable[[], Any]]
) -> list[Variable]:
    """``bands/1/wavelength``, ``bands/2/wavelength`` … of arrays of structures as ``bands/wavelength``."""
    groups: dict[str, list[Variable]] = {}
    for variable in variables:
        at = _NUMBERED.fullmatch(variable.name)
        if at and variable.real and math.prod(variable.shape) == 1:
            groups.setdefault(f"{at[1] or ''}{at[2]}", []).append(variable)
    found = []
    for name, each in groups.items():
        if len(each) < 2:
            continue
        found.append(replace(each[0], name=name, shape=(len(each),)))
        lists[name] = partial(_each, load, [v.name for v in each])
    return found
