"""Names and wavelengths of the axes of an HDF5 data set, wherever its writer keeps them.

Dimension scales (NetCDF-4, xarray), labels in an attribute (NEON, h5py) and the axis groups of
HyperSpy are known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io.decoding import unpacked
from napari_hsr.io.hdf5.structure import attributes, own
from napari_hsr.io.limits import MOST_VALUES
from napari_hsr.io.wavelengths import resolve as wl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_hsr.io.hdf5.structure import References
    from napari_hsr.io.variable import Variable

#: What writers call the axis of the bands, in lower case.
SPECTRAL = re.compile(
    r"(wave(length|number)?s?|energy|freq(uency)?|wl|lambda|bands?|spectral(_.*)?|spectrum|channels?|.*_bands?|.*wavelengths?|wavelength_.*)"
)
_ROWS = {"y", "lat", "latitude", "northing", "row", "rows", "line", "lines", "height", "downtrack"}
_COLUMNS = {
    "x", "lon", "longitude", "easting", "col", "column", "columns", "sample", "samples", "width",
    "crosstrack",
}  # fmt: skip
#: Scales of one axis that are looked at.
_MOST_SCALES = 8
_LABELS = ("Dimension_Labels", "DIMENSION_LABELS", "_ARRAY_DIMENSIONS", "dims", "axes")


@dataclass(frozen=True)
class NamedAxes:
    """What is known of the axes.

    Attributes
    ----------
    bands : int or None
        The axis of the bands; None if none is named so, or more than one.
    wavelengths : ndarray or None
        One value a band, where the axis itself has them.
    unit : str or None
        Of the wavelengths.
    turned : bool
        Columns come before rows.
    """

    bands: int | None = None
    turned: bool = False
    wavelengths: np.ndarray | None = None
    unit: str | None = None


def named_axes(file: Any, dataset: Any, values: References) -> NamedAxes:
    """The axes of a data set by their names."""
    for names, listed_by_axis in (
        _scales(dataset, values),
        _labels(dataset),
        _hyperspy(file, dataset, values),
        _nexus(file, dataset, values),
    ):
        spectral = [i for i, name in enumerate(names) if is_spectral(name)]
        if len(spectral) == 1:
            listed, unit = listed_by_axis.get(spectral[0], (None, None))
            if listed is not None and (
                wl.are_band_numbers(listed) or listed.dtype.kind not in "iuf"
            ):
                listed = None
            turned = are_turned(names, spectral[0])
            return NamedAxes(spectral[0], turned, listed, unit if listed is not None else None)
    return NamedAxes()


def as_line(
    file: Any, items: Mapping[str, Any], variable: Variable, values: References
) -> Variable:
    """A variable, marked as a line of pixels where one of its two axes is named as that of the bands."""
    if not (variable.real and len(variable.shape) == variable.long_axes == 2):
        return variable
    return replace(variable, line=named_axes(file, items[variable.name], values).bands is not None)


def are_turned(names: list[str], bands: int) -> bool:
    """Whether the two axes beside that of the bands are named for columns and then for rows."""
    picture = [name.strip().lower() for i, name in enumerate(names) if i != bands]
    return len(picture) == 2 and picture[0] in _COLUMNS and picture[1] in _ROWS


def is_spectral(name: str) -> bool:
    """Whether an axis is named for bands."""
    return SPECTRAL.fullmatch(name.strip().lower()) is not None


def is_row(name: str) -> bool:
    """Whether an axis is named for rows."""
    return name.strip().lower() in _ROWS


def is_column(name: str) -> bool:
    """Whether an axis is named for columns."""
    return name.strip().lower() in _COLUMNS


def scales_of(dataset: Any, values: References) -> dict[str, tuple[np.ndarray, str | None]]:
    """Dimension scales of a data set and their units by their names; as far as they list a number a place."""
    names, listed = _scales(dataset, values)
    found = ((name, *listed.get(i, (None, None))) for i, name in enumerate(names))
    return {name: (array, unit) for name, array, unit in found if array is not None}


def names_of_axes(dataset: Any, values: References) -> list[str]:
    """Names of the axes of a data set by its dimension scales or labels; empty without any."""
    return _scales(dataset, values)[0] or _labels(dataset)[0]


Values = dict[int, tuple[np.ndarray | None, str | None]]


def _scales(dataset: Any, beside: References) -> tuple[list[str], Values]:
    """Dimension scales, by the last part of their path, and the labels of dimensions."""
    if not {"DIMENSION_LIST", "DIMENSION_LABELS"} & set(attributes(dataset)):
        return [], {}
    names: list[str] = []
    values: Values = {}
    for axis, dimension in enumerate(dataset.dims):
        name = dimension.label
        for scale in dimension.values()[:_MOST_SCALES]:
            name = name or str(scale.name).rsplit("/", 1)[-1]
            if scale.shape == (dataset.shape[axis],) and dataset.shape[axis] <= MOST_VALUES:
                of_scale = attributes(scale)
                listed = unpacked(np.asarray(beside.value(scale)), of_scale)
                values[axis] = listed, text(of_scale.get("units"))
        names.append(name)
    return names, values


def _labels(dataset: Any) -> tuple[list[str], Values]:
    found = attributes(dataset)
    tags = text(found.get("axistags"))  # of vigra and ilastik
    if tags.startswith("{"):
        names = re.findall(r'"key"\s*:\s*"(\w+)"', tags)
        if len(names) == len(dataset.shape):
            return ["channel" if name == "c" else name for name in names], {}
    for key in _LABELS:
        stated = found.get(key)
        if isinstance(stated, (str, bytes)):
            names = text(stated).split(",")
        else:
            names = [text(part) for part in np.ravel(np.asarray(() if stated is None else stated))]
        if len(names) == len(dataset.shape):
            return names, {}
    return [], {}


def _hyperspy(file: Any, dataset: Any, near: References) -> tuple[list[str], Values]:
    """Groups ``axis-0`` … beside the data set, with name, units, and offset and scale or a list."""
    beside = file[dataset.name.rsplit("/", 1)[0] or "/"]
    names: list[str] = []
    values: Values = {}
    every = []
    for axis, size in enumerate(dataset.shape):
        group = own(beside, f"axis-{axis}")
        if group is None:
            return [], {}
        stated = attributes(group)
        every.append(stated)
        names.append(axis_name(stated))
        uneven = own(group, "axis")
        if getattr(uneven, "shape", None) == (size,) and size <= MOST_VALUES:
            values[axis] = np.asarray(near.value(uneven)), text(stated.get("units"))
        scale, offset = stated.get("scale"), stated.get("offset")
        if (
            size <= MOST_VALUES
            and isinstance(scale, (float, int, np.floating, np.integer))
            and isinstance(offset, (float, int, np.floating, np.integer))
        ):
            listed = float(offset) + float(scale) * np.arange(size)
            values[axis] = listed, text(stated.get("units"))
    named = with_signal(names, every)
    return named, {axis: found for axis, found in values.items() if named[axis] == names[axis]}


def with_signal(names: list[str], stated: list[Any]) -> list[str]:
    """The names of HyperSpy's axes, the only one of the signal called so where none is spectral by its name.

    A Raman shift or an energy loss is the axis of the bands, but no wavelength.
    """
    signal = [
        i
        for i, of in enumerate(stated)
        if of.get("navigate") is not None and not np.any(of["navigate"])
    ]
    if len(signal) != 1 or any(SPECTRAL.fullmatch(name.strip().lower()) for name in names):
        return names
    return [*names[: signal[0]], "spectrum", *names[signal[0] + 1 :]]


def axis_name(stated: Any) -> str:
    """The name of an axis of HyperSpy; that of a signal's axis without one is by its unit."""
    name, navigate = text(stated.get("name")), stated.get("navigate")
    unnamed = name in ("", "<undefined>") and navigate is not None and not np.any(navigate)
    return "wavelength" if unnamed and wl.is_unit(text(stated.get("units"))) else name


def _nexus(file: Any, dataset: Any, near: References) -> tuple[list[str], Values]:
    """NeXus: the group lists the axes of its signal, each a data set of that name."""
    group = file[dataset.name.rsplit("/", 1)[0] or "/"]
    listed = attributes(group).get("axes")
    names = [text(part) for part in np.ravel(np.asarray(() if listed is None else listed))]
    if len(names) != len(dataset.shape):
        return [], {}
    values: Values = {}
    for axis, name in enumerate(names):
        item = own(group, name) if name else None
        size = dataset.shape[axis]
        if getattr(item, "shape", None) == (size,) and size <= MOST_VALUES:
            listed_there = unpacked(np.asarray(near.value(item)), attributes(item))
            values[axis] = listed_there, text(attributes(item).get("units"))
    return names, values


def text(value: Any) -> str:
    """An attribute as text; empty if it is none."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return value.strip() if isinstance(value, str) else ""
