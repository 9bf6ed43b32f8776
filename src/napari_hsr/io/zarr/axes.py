"""Names of the axes of a zarr array: of zarr 3, xarray's, HyperSpy's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io.hdf5.axes import axis_name, is_spectral, text, with_signal

if TYPE_CHECKING:
    from napari_hsr.io.variable import Variable


def dimensions(array: Any) -> list[str]:
    """Names of the axes: of zarr 3, or xarray's attribute; empty where there are none."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    return [str(name) for name in names or ()]


def beside(array: str, name: str) -> str:
    """The name of what lies in the folder of an array."""
    return f"{array.rpartition('/')[0]}/{name}".strip("/")


def hyperspy(
    array: str, shape: tuple[int, ...], arrays: dict[str, Any], store: Any
) -> tuple[list[str], Any, str | None]:
    """Names of the axes in HyperSpy's groups ``axis-0`` … beside an array, and the list of its bands."""
    names, listed, unit, every = [], None, None, []
    for number, size in enumerate(shape):
        place = beside(array, f"axis-{number}")
        group = None if hasattr(store, "chunks") else store.get(place)
        if group is None:
            return [], None, None
        stated = dict(group.attrs)
        every.append(stated)
        names.append(axis_name(stated))
        if not is_spectral(names[-1]):
            continue
        uneven, unit = arrays.get(f"{place}/axis"), text(stated.get("units")) or None
        if uneven is not None and uneven.shape == (size,):
            listed = np.asarray(uneven[...])
        elif all(isinstance(stated.get(key), (int, float)) for key in ("offset", "scale")):
            listed = stated["offset"] + stated["scale"] * np.arange(size)
    return with_signal(names, every), listed, unit


def as_line(variable: Variable, arrays: dict[str, Any], store: Any) -> Variable:
    """A variable, marked as a line of pixels where one of its two axes is named as that of the bands."""
    if not (variable.real and len(variable.shape) == 2):
        return variable
    array = arrays[variable.name]
    names = dimensions(array) or hyperspy(variable.name, array.shape, arrays, store)[0]
    return replace(variable, line=sum(map(is_spectral, names)) == 1)
