"""NEON's files: radiance in two arrays, and what is kept around a cube.

NEON keeps radiance as ``RadianceIntegerPart + RadianceDecimalPart / Scale_Factor``, and beside its cubes ENVI's ``map info``
and windows of wavelengths that water vapour spoils.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import build_cube
from napari_hsr.io.decoding import nearly, plain_name
from napari_hsr.io.hdf5 import attributes, structure
from napari_hsr.io.hdf5.axes import text
from napari_hsr.io.scale_and_offset import numbers_in, unusable
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from pathlib import Path

#: An array of whole numbers, and that of what is behind the point.
WHOLE, FRACTION = PARTS = ("RadianceIntegerPart", "RadianceDecimalPart")
#: What the latter is divided by, and which whole number marks missing values, where the file does not say so.
_PARTS_OF_ONE, _NO_DATA = 50000.0, -9999.0
#: The attributes that say so.
_FACTORS, _MARKER = ("Scale_Factor", "Scale", "scale_factor"), "Data_Ignore_Value"
_LONGEST_PLACE = 10_000
#: The attribute of each band window, of bands in the absorption of water vapour, as ``plain_name`` writes it, without its number.
_WINDOW = "bandwindownanometers"


class Summed:
    """Whole numbers and fractions of them as one array in float32, NaN where the whole ones say that there is no value."""

    dtype = np.dtype(np.float32)

    def __init__(self, whole: Any, fraction: Any, parts_of_one: float, no_data: float):
        self._whole, self._fraction = whole, fraction
        self._parts, self._no_data = parts_of_one, no_data
        self.shape, self.name = whole.shape, whole.name

    def __getitem__(self, key: Any) -> np.ndarray:
        whole = np.asarray(self._whole[key])
        values = np.asarray(whole + self._fraction[key] / self._parts, dtype=np.float32)
        values[whole == self._no_data] = np.nan
        return values


def radiance(path: Path, file: Any, items: dict[str, Any]) -> build_cube.Found | None:
    """The cube of whole numbers and fractions, of the data sets of a file; None for any other file.

    Raises
    ------
    FileError
        If the fractions are divided by what no number can be divided by.
    """
    folder = next((place.rpartition("/")[0] for place in items if place.endswith(f"/{WHOLE}")), "")
    whole, fraction = (items.get(f"{folder}/{name}") for name in (WHOLE, FRACTION))
    centres, widths = (
        items.get(f"{folder}/Metadata/Spectral_Data/{name}") for name in ("Wavelength", "FWHM")
    )
    if whole is None or fraction is None or centres is None or len(whole.shape or ()) != 3:
        return None
    if whole.shape != fraction.shape or centres.shape != whole.shape[2:]:
        return None
    of_fraction: Any = structure.attributes(fraction)
    of_whole: Any = structure.attributes(whole)
    factors = [n for key in _FACTORS if (n := numbers_in(of_fraction.get(key)))]
    divisor = factors[0][0] if factors else _PARTS_OF_ONE
    if not 0 < divisor < math.inf or any(set(listed) != {divisor} for listed in factors):
        said = ", ".join(f"{n:g}" for n in dict.fromkeys(n for listed in factors for n in listed))
        told = f"it is damaged: {FRACTION} is divided by {said[:80]}, says its scale factor"
        raise FileError(path, told)
    marked = numbers_in(of_whole.get(_MARKER))
    no_data = marked[0] if marked else _NO_DATA
    nm = np.asarray(structure.checked(path, centres)[()], dtype=np.float64)
    told = f"{WHOLE} and {FRACTION}, divided by {divisor:g}, were put together."
    found = build_cube.Found(
        Summed(structure.checked(path, whole), structure.checked(path, fraction), divisor, no_data),
        stated=True,
        convention=2,
        wavelengths=nm,
        unit="nm",
        notices=(
            Notice.info(Code.SCALE_APPLIED, told),
            *unusable(of_whole),
            *unusable(of_fraction),
        ),
        steps=(told,),
    )
    if not factors:
        told = f"{FRACTION} states no number to be divided by: {divisor:g}, as in NEON's files, was taken."
        found.notices += (Notice.warning(Code.VALUES_SCALE_GUESSED, told),)
    hidden = f"Values whose whole part is {no_data:g} are no data: they are NaN in the cube."
    if not marked:
        hidden = (
            f"{WHOLE} states no number for missing values: {no_data:g}, as in NEON's files, was taken, and values with it "
            "are NaN."
        )
    found.notices += (Notice.warning(Code.NO_DATA, hidden),)
    if widths is not None and widths.shape == centres.shape:
        listed = np.asarray(structure.checked(path, widths)[()], dtype=np.float64)
        found.per_band["fwhm"] = listed.tolist()
    add_surroundings(path, file, f"{folder}/{WHOLE}", found)
    return found


def add_surroundings(path: Path, file: Any, name: str, found: build_cube.Found) -> None:
    """Add what NEON keeps around an array: where it lies, as an ENVI header has it, and windows of bad bands."""
    folder = name.strip("/").rpartition("/")[0]
    group = structure.own_group(file, folder)
    if group is None:  # a part of a list that references make
        return
    values = structure.References(path, file)
    for key, place in (
        ("map info", "Map_Info"),
        ("coordinate system string", "Coordinate_System_String"),
    ):
        item, damaged = _below(group, ("Metadata", "Coordinate_System", place))
        if damaged:
            told = f"The file's '{one_line(damaged, 40)}' may be a damaged part of where it lies: it has no effect."
            found.notices += (Notice.warning(Code.PLACE_UNUSABLE, told),)
        stated = text(_alone(values.value(item))) if item is not None else ""
        if 0 < len(stated) <= _LONGEST_PLACE:
            found.metadata.setdefault(key, [part.strip() for part in stated.split(",")])
    found.notices += attributes.damaged(group)
    ends = []
    for key, value in structure.attributes(group).items():
        name = re.sub(r"\d+", "", plain_name(key))
        if name == _WINDOW:
            ends.append(np.ravel(np.asarray(value)))
        elif nearly(name, (_WINDOW,)):
            told = f"The file's '{one_line(key, 40)}' may be a damaged window of absorption: it has no effect."
            found.notices += (Notice.warning(Code.MAYBE_DAMAGED, told),)
    ends = [both for both in ends if both.size == 2 and both.dtype.kind in "iuf"]
    nm = np.ravel(np.asarray(() if found.wavelengths is None else found.wavelengths))
    if not ends or "bbl" in found.per_band or nm.dtype.kind not in "iuf" or nm.size < 2:
        return
    bad = np.any([(nm >= both.min()) & (nm <= both.max()) for both in ends], axis=0)
    if bad.any() and not bad.all():
        found.per_band["bbl"] = (~bad).astype(int).tolist()
        windows = ", ".join(f"{both.min():g}–{both.max():g}" for both in ends)
        told = f"Bands in the file's windows of absorption, {windows} nm, are marked as bad."
        found.notices += (Notice.info(Code.OTHER, told),)


def _below(group: Any, names: tuple[str, ...]) -> tuple[Any, str]:
    """What lies at a path below a group, or None, and a name on the way that is nearly the one that is missing."""
    if not names:
        return group, ""
    name, *rest = names
    there = structure.own(group, name)
    if there is not None:
        return _below(there, tuple(rest))
    plain = plain_name(name)
    for key in group if hasattr(group, "keys") else ():
        if plain_name(key) == plain or nearly(key, (plain,)):
            further = structure.own(group, key)
            if further is not None and _below(further, tuple(rest)) != (None, ""):
                return None, key
    return None, ""


def _alone(value: Any) -> Any:
    """The only value of an array or list of one."""
    array = np.asarray(value, dtype=object).ravel()
    return array[0] if array.size == 1 else None
