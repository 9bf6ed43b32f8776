"""Cubes whose bands lie in arrays of their own: ``band_450``, ``Rrs_412``, ``reflectance_450nm``, cells.

Such arrays are offered together under the name that they share, with ``*`` for their numbers:
``scene.h5:band_*``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io.decoding import NO_DATA_NAMES, NO_DATA_OF_EACH, plain_name
from napari_hsr.io.hdf5.axes import is_column, is_row
from napari_hsr.io.number_parsing import number
from napari_hsr.io.variable import Variable
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.io.wavelengths.band_names import NUMBER, OF_BANDS, are_centres, centres_in_names
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_hsr.io import build_cube

    Stated = tuple[Any, str | None]

#: Fewer arrays than these are no set of bands.
_FEWEST = 3
_ABOUT_BANDS = {"unc", "uncertainty", "err", "error", "errors", "std", "sigma", "variance", "var"}
_ABOUT_BANDS |= {"mask", "masks", "flag", "flags", "quality", "qa", "noise", "snr"}
#: Attributes of an array with the wavelength of its band.
_CENTRES = (
    "radiation_wavelength", "wavelength", "central_wavelength", "center_wavelength",
    "centre_wavelength", "wavelength_nm", "band_wavelength", "cwl",
)  # fmt: skip
_OF_EACH = {"scale_factor": 1.0, "add_offset": 0.0}


class Joined:
    """Bands of several arrays as one array (bands, rows, columns), with basic indexing."""

    def __init__(self, parts: Sequence[tuple[Any, int | None, Sequence[int]]]):
        """``parts``: arrays, the axis of their bands (None for one band each), and which of these."""
        self._bands = [(array, axis, band) for array, axis, bands in parts for band in bands]
        array, axis, _ = self._bands[0]
        sides = [n for i, n in enumerate(array.shape) if (n > 1 if axis is None else i != axis)]
        self.shape = (len(self._bands), *sides)
        self.dtype = np.result_type(*(array.dtype for array, _, _ in parts))

    def __getitem__(self, key: Any) -> np.ndarray:
        bands, *inside = (*key, *[slice(None)] * (3 - len(key))) if key else [slice(None)] * 3
        if isinstance(bands, slice):
            return np.stack([self._band(band, inside) for band in range(self.shape[0])[bands]])
        return self._band(bands, inside)

    def _band(self, band: int, inside: list[Any]) -> np.ndarray:
        array, axis, chosen = self._bands[band]
        at: list[Any] = list(inside)
        if axis is not None:
            at.insert(axis, chosen)
        else:  # axes of length one beside those of the plane
            at = [0 if n == 1 else at.pop(0) for n in array.shape]
        plane: np.ndarray = np.asarray(array[tuple(at)])
        return plane


def planes(arrays: Sequence[Any]) -> Joined:
    """Arrays of two axes, one a band."""
    return Joined([(array, None, [0]) for array in arrays])


def offered(
    variables: list[Variable], attributes: Callable[[str], Mapping[str, Any]] | None = None
) -> list[Variable]:
    """The variables, and behind them those that are put together from arrays of one band each.

    Beside an array of three axes only sets whose wavelengths are known are offered.

    Parameters
    ----------
    variables : list of Variable
    attributes : callable, optional
        Gives the attributes of an array by its name, where the format has any.
    """
    groups: dict[tuple[Any, ...], list[Variable]] = {}
    for variable in variables:
        if variable.real and variable.long_axes == 2 and min(variable.shape[-2:]) > 1:
            shared = NUMBER.sub("*", variable.name)
            if shared != variable.name:
                key = (shared, variable.shape, str(variable.dtype))
                groups.setdefault(key, []).append(variable)
    each = [_together(group, attributes) for group in groups.values() if len(group) >= _FEWEST]
    sets = [one for one in each if one is not None]
    parts = {name for one in sets for name in one.parts}
    whole = any(v.real and v.has_three_axes and v.name not in parts for v in variables)
    named = [one.name for one in sets]
    for i, one in enumerate(sets):
        if named.count(one.name) > 1:  # bands of several resolutions
            sides = "x".join(str(n) for n in one.shape[1:])
            sets[i] = replace(one, name=f"{one.name}_{sides}")
    return [*variables, *(one for one in sets if one.wavelengths or not whole)]


def _together(
    group: list[Variable], attributes: Callable[[str], Mapping[str, Any]] | None
) -> Variable | None:
    """The bands as one variable, by their numbers; None where these do not tell them apart."""
    numbers = np.array([[float(n) for n in NUMBER.findall(v.name)] for v in group])
    different = [i for i in range(numbers.shape[1]) if len(set(numbers[:, i])) == len(group)]
    if not different:
        return None
    words = set(re.findall(r"[a-zµ]+", NUMBER.sub(" ", group[0].name).lower()))
    if words & _ABOUT_BANDS:
        return None
    column = next((i for i in different if are_centres(numbers[:, i])), different[0])
    order = np.argsort(numbers[:, column], kind="stable")
    parts = tuple(group[i].name for i in order)
    stated = None if attributes is None else _stated(parts, attributes)
    listed = stated or centres_in_names(parts)
    cells = all(v.name.rsplit("/", 1)[-1].isdigit() for v in group)  # of MATLAB
    if not (listed or words & OF_BANDS or cells):
        return None
    first = group[0]
    counted = iter(range(numbers.shape[1]))
    name = NUMBER.sub(lambda n: n[0] if next(counted) not in different else "*", first.name)
    size = sum(v.stored_bytes for v in group)
    shape = (len(group), *(n for n in first.shape if n > 1))
    count = len(group) if listed else None
    return Variable(name, shape, first.dtype, first.kind, count, size, parts)


def _stated(parts: Sequence[str], attributes: Callable[[str], Mapping[str, Any]]) -> Stated | None:
    """Wavelengths in attributes of the arrays."""
    each = [{str(k).lower(): v for k, v in attributes(name).items()} for name in parts]
    for key in _CENTRES:
        found = [number(_text(stated[key])) for stated in each if np.size(stated.get(key, ())) == 1]
        known = [n for n in found if n is not None and n > 0]
        if len(known) == len(parts):
            unit = next(
                (each[0][f"{key}_{u}"] for u in ("units", "unit") if f"{key}_{u}" in each[0]), None
            )
            return np.array(known), _text(unit) or wl.unit_in_name(key)
    for key in ("long_name", "description"):
        texts = [_text(stated.get(key)) for stated in each]
        listed, unit = wl.from_band_names(texts)
        if listed is not None:
            return np.array(listed, dtype=np.float64), unit
    return None


def _text(value: Any) -> str:
    array = np.ravel(np.asarray("" if value is None else value))
    item = array[0] if array.size else ""
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def wavelengths(
    chosen: Variable,
    beside: Stated = (None, None),
    attributes: Callable[[str], Mapping[str, Any]] | None = None,
) -> tuple[Any, str | None, Notice]:
    """Band centres of a set, their unit, and what was done.

    ``beside`` is a list in the file and its unit, in the order of the numbers in the names; where the names
    or the arrays state others, these count.
    """
    own = (None if attributes is None else _stated(chosen.parts, attributes)) or centres_in_names(
        chosen.parts
    )
    values, unit = own or (None, None)
    listed = beside[0] if np.size(beside[0]) == len(chosen.parts) else None
    how = ", by the wavelengths that their names or attributes state."
    if listed is not None and np.asarray(listed).dtype.kind in "iuf":
        ascending = np.sort(np.ravel(np.asarray(listed, dtype=np.float64)))
        if own is None:
            values, unit = listed, beside[1]
        elif (np.abs(ascending - np.sort(own[0])) < 1).all():  # the names are shorter
            values, unit = ascending, beside[1] or own[1]
    if own is None:
        how = ", in the order of their numbers."
    told = (
        f"{len(chosen.parts)} arrays of one band each, from “{chosen.parts[0]}” to “{chosen.parts[-1]}”, were "
        f"put together{how}"
    )
    return values, unit, Notice.info(Code.AXES_CHANGED, told)


def state(
    found: build_cube.Found,
    chosen: Variable,
    attributes: Callable[[str], Mapping[str, Any]] | None = None,
    axes: Sequence[str] = (),
) -> None:
    """Wavelengths and axes of a set into what was found; nothing for any other variable."""
    if not chosen.parts:
        return
    beside = (found.wavelengths, found.unit)
    found.wavelengths, found.unit, told = wavelengths(chosen, beside, attributes)
    found.stated = True
    axes = axes[-2:]  # behind those of length one
    found.turned = len(axes) == 2 and is_column(axes[0]) and is_row(axes[1])
    found.notices += (told,)


def shared_attributes(
    parts: Sequence[str], attributes: Callable[[str], Mapping[str, Any]], divisors: Sequence[str]
) -> dict[str, Any]:
    """What all arrays state alike, and scale and offset of each where they differ."""
    each = [dict(attributes(name)) for name in parts]
    shared = {k: v for k, v in each[0].items() if all(_same(e.get(k), v) for e in each)}
    for key, default in _OF_EACH.items():
        if key not in shared and any(key in e for e in each):
            shared[key] = [_number_of(e.get(key, default)) for e in each]
    for key in divisors:  # to divide by, as a scale of each
        if key not in shared and any(key in e for e in each) and "scale_factor" not in shared:
            divided = [_number_of(e.get(key, 1.0)) for e in each]
            shared["scale_factor"] = [1 / n if 0 < n < np.inf else np.nan for n in divided]
    markers = []
    for e in each:
        stated = {k: v for k, v in e.items() if plain_name(k) in NO_DATA_NAMES}
        texts = {k: v for k, v in stated.items() if np.asarray(v).dtype.kind not in "iuf"}
        read = {k: number(_text(v)) for k, v in texts.items()}
        shared |= {k: v for k, v in texts.items() if read[k] is None}  # to be told of
        numbers = {k: v for k, v in (stated | read).items() if v is not None}
        markers.append([v for value in numbers.values() for v in np.ravel(value)])
    alike = any(
        plain_name(k) in NO_DATA_NAMES and number(_text(v)) is not None for k, v in shared.items()
    )
    if all(len(set(own)) <= 1 for own in markers) and not alike and any(markers):
        shared[NO_DATA_OF_EACH] = [float(own[0]) if own else np.nan for own in markers]
    elif any(markers):
        shared["_FillValue"] = np.unique(np.concatenate([np.ravel(own) for own in markers]))
    return shared


def _number_of(value: Any) -> float:
    """The only number that an attribute holds, NaN for anything else."""
    array = np.ravel(np.asarray(value))
    if array.size != 1:
        return float("nan")
    found = float(array[0]) if array.dtype.kind in "iufb" else number(_text(value))
    return float("nan") if found is None else found


def _same(one: Any, other: Any) -> bool:
    return one is not None and np.array_equal(np.asarray(one), np.asarray(other))
