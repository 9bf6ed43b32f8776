"""Cubes that a product keeps in several data sets: PRISMA's two detectors, the three of PACE OCI, NEON's radiance.

PRISMA (HDF-EOS5) has ``VNIR_Cube`` and ``SWIR_Cube`` (rows, bands, columns), band centres, widths and
flags as attributes of the file; at level 2 ``value = least + stored (most - least) / 65535`` by
detector, at level 1 ``value = stored / factor - offset``. Reflectance are levels 2C and 2D alone, the others radiance. PACE OCI at level 1B has ``rhot_blue``, ``rhot_red`` and ``rhot_SWIR`` (bands, scans, pixels)
beside ``sensor_band_parameters``.
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
from napari_hsr.io.bands_apart import Joined
from napari_hsr.io.decoding import Decoding
from napari_hsr.io.hdf5 import structure
from napari_hsr.io.hdf5.axes import text
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path


#: Flags of single values, by the level of the product, and which of them mean that there is none:
#: defective or not computed; saturated, negative or less accurate values are kept
#: ("PRISMA Products Specification Document" 2.3; the readers of SNAP and prismaread have the same codes).
_FLAGS = {"PIXEL_SAT_ERR_MATRIX": (1, 4), "PIXEL_L2_ERR_MATRIX": (1,)}


#: "PRISMA Products Specification Document" 2.3, of levels 1 and 2B.
_PRISMA_RADIANCE = "W m-2 sr-1 um-1"
#: NEON's: an array of whole numbers, that of what is behind the point, and what the latter is divided by if it does not say so.
_WHOLE, _FRACTION, _PARTS_OF_ONE = "RadianceIntegerPart", "RadianceDecimalPart", 50000.0
_LONGEST_PLACE = 10_000
#: Ends of what NEON calls band windows: bands in the absorption of water vapour.
_WINDOW = re.compile(r"band_window_\d+_nanometers", re.IGNORECASE)


class Flagged:
    """An array of three axes in float32, NaN where flags of the same shape say that there is no value."""

    dtype = np.dtype(np.float32)

    def __init__(self, source: Any, flags: Any, hidden: tuple[int, ...]):
        self._source, self._flags, self._hidden = source, flags, hidden
        self.shape, self.name = source.shape, source.name

    def __getitem__(self, key: Any) -> np.ndarray:
        values = np.array(self._source[key], dtype=np.float32)
        values[np.isin(self._flags[key], self._hidden)] = np.nan
        return values


class Summed:
    """Whole numbers and fractions of them as one array in float32, NaN where the whole ones say that there is no value."""

    dtype = np.dtype(np.float32)

    def __init__(self, whole: Any, fraction: Any, parts_of_one: float, no_data: float | None):
        self._whole, self._fraction, self._parts, self._no_data = (
            whole,
            fraction,
            parts_of_one,
            no_data,
        )
        self.shape, self.name = whole.shape, whole.name

    def __getitem__(self, key: Any) -> np.ndarray:
        whole = np.asarray(self._whole[key])
        values = np.asarray(whole + self._fraction[key] / self._parts, dtype=np.float32)
        if self._no_data is not None:
            values[whole == self._no_data] = np.nan
        return values


def find(path: Path, file: Any, items: dict[str, Any]) -> build_cube.Found | None:
    """The whole cube of such a product, of the data sets of a file; None for any other file."""
    return _prisma(path, file, items) or _pace(path, items) or _neon(path, file, items)


def _prisma(path: Path, file: Any, items: dict[str, Any]) -> build_cube.Found | None:
    cubes: dict[str, Any] = {}
    for place, item in items.items():
        named = re.fullmatch(r"HDFEOS/SWATHS/[^/]+/Data Fields/(VNIR|SWIR)_Cube", place)
        if named and len(item.shape or ()) == 3:
            cubes.setdefault(named[1], structure.checked(path, item))
    flagged = _hide_flagged(path, items, cubes)
    stated: Any = structure.attributes(file) if cubes else {}
    level_2, scaled = _prisma_scales(path, stated, list(cubes))
    facts: dict[str, list[float]] = {"nm": [], "fwhm": [], "bbl": []}
    parts, scales, offsets = [], [], []
    for name in ("VNIR", "SWIR"):
        if name not in cubes:
            continue
        array = cubes[name]
        key, count = name.title(), array.shape[1]
        nm = np.ravel(stated.get(f"List_Cw_{key}", ()))
        widths = np.ravel(stated.get(f"List_Fwhm_{key}", np.zeros(count)))
        flags = np.ravel(stated.get(f"List_Cw_{key}_Flags", np.ones(count)))
        if not nm.size == widths.size == flags.size == count:
            return None
        if nm.dtype.kind not in "iuf" or not (np.isfinite(nm) & (nm >= 0)).all():
            raise FileError(path, f"it is damaged: List_Cw_{key} holds what is no wavelength")
        bands = np.flatnonzero(nm > 0).tolist()  # those without a centre were not measured
        parts.append((array, 1, bands))
        for kept, values in zip(facts.values(), (nm, widths, flags), strict=True):
            kept += [float(values[band]) for band in bands]
        scales += [scaled[name][0]] * len(bands)
        offsets += [scaled[name][1]] * len(bands)
    if not any(bands for _, _, bands in parts):
        return None
    level = text(stated.get("Processing_Level")).upper()
    swath = str(parts[0][0].name).upper()
    of_reflectance = level_2 and not (level == "2B" or "PRS_L2B" in swath)
    found = _of(parts, facts["nm"])
    found.per_band = {"fwhm": facts["fwhm"], "bbl": [int(flag) for flag in facts["bbl"]]}
    found.decoding = Decoding(scale=np.array(scales), offset=np.array(offsets))
    if flagged:
        told = (
            f"Values that {' and '.join(flagged)} calls defective or not computed are NaN; what is flagged "
            "otherwise, as saturated or negative, is kept."
        )
        found.notices += (Notice.warning(Code.NO_DATA, told),)
    if not any(_names_of_scale(key) & set(stated) for key in ("Vnir", "Swir")):
        told = "The file states no scale of its detectors: the numbers are as stored."
        found.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
    elif not found.decoding.does_nothing:
        quantity = "reflectance" if of_reflectance else "radiance"
        told = (
            f"Values were scaled by the least and largest {quantity} of each detector in the file."
        )
        if not level_2:
            told = "Values were scaled by the factor and offset of each detector in the file."
        found.notices += (Notice.info(Code.SCALE_APPLIED, told),)
        found.steps += (told,)
        found.units = "reflectance" if of_reflectance else _PRISMA_RADIANCE
    return found


def _hide_flagged(path: Path, items: dict[str, Any], cubes: dict[str, Any]) -> list[str]:
    """Put NaN into the cubes of a product where its matrices say so, and give their names."""
    flagged: list[str] = []
    for place, item in items.items():
        named = re.fullmatch(
            r"HDFEOS/SWATHS/[^/]+/Data Fields/(VNIR|SWIR)_(PIXEL_\w+_MATRIX)", place
        )
        hidden = _FLAGS.get(named[2]) if named else None
        if named is None or not hidden or named[1] not in cubes:
            continue
        cube = cubes[named[1]]
        if item.shape != cube.shape:
            if place.rpartition("/")[0] != str(cube.name).strip("/").rpartition("/")[0]:
                continue  # of another swath
            raise FileError(
                path,
                f"it is damaged: {named[1]}_{named[2]}, which flags defective values, has not the size of "
                f"{named[1]}_Cube",
            )
        cubes[named[1]] = Flagged(cube, structure.checked(path, item), hidden)
        flagged.append(f"{named[1]}_{named[2]} ({' and '.join(map(str, hidden))})")
    return flagged


def _names_of_scale(key: str) -> set[str]:
    return {f"L2Scale{key}Min", f"L2Scale{key}Max", f"ScaleFactor_{key}"}


def _prisma_scales(
    path: Path, stated: Any, detectors: list[str]
) -> tuple[bool, dict[str, tuple[float, float]]]:
    """Whether a product is of level 2, and what each detector's numbers are multiplied by, and then added.

    Raises
    ------
    FileError
        If the scale of one is lost or of no sense: its numbers beside the other's would be of another quantity.
    """
    keys = [name.title() for name in detectors]
    level_2 = any(f"L2Scale{key}{end}" in stated for key in keys for end in ("Min", "Max"))
    known = level_2 or any(f"ScaleFactor_{key}" in stated for key in keys)
    moved = any(f"Offset_{key}" in stated for key in keys)
    found = {}
    for name, key in zip(detectors, keys, strict=True):
        if level_2:
            least, most = (_finite(stated.get(f"L2Scale{key}{end}")) for end in ("Min", "Max"))
            found[name], usable = ((most - least) / 65535, least), least < most
        else:
            factor = _finite(stated.get(f"ScaleFactor_{key}")) if known else 1.0
            offset = _finite(stated.get(f"Offset_{key}")) if moved else 0.0
            usable = factor > 0 and not math.isnan(offset)
            found[name] = (1 / factor if usable else math.nan, -offset)
        if not usable:
            wanted = (
                "L2Scale{0}Min and L2Scale{0}Max" if level_2 else "ScaleFactor_{0} and Offset_{0}"
            )
            raise FileError(
                path,
                f"it is damaged: {wanted.format(key)} do not state how the numbers of {name}_Cube are "
                "scaled; name one array to read it as it is stored",
            )
    return level_2, found


def _pace(path: Path, items: dict[str, Any]) -> build_cube.Found | None:
    parts, nm = [], []
    for name in ("blue", "red", "SWIR"):
        array = items.get(f"observation_data/rhot_{name}")
        centres = items.get(f"sensor_band_parameters/{name}_wavelength")
        if array is None or centres is None or centres.shape != array.shape[:1]:
            return None
        parts.append((structure.checked(path, array), 0, list(range(array.shape[0]))))
        nm += np.asarray(structure.checked(path, centres)[()], dtype=np.float64).tolist()
    found = _of(parts, nm)
    marker = _first(structure.attributes(items["observation_data/rhot_blue"]).get("_FillValue"))
    if marker is not None:
        found.decoding = Decoding(no_data=(marker,))
        found.metadata[build_cube.NO_DATA] = found.decoding.no_data[0]
    found.units = "reflectance"
    return found


def _neon(path: Path, file: Any, items: dict[str, Any]) -> build_cube.Found | None:
    folder = next((place.rpartition("/")[0] for place in items if place.endswith(f"/{_WHOLE}")), "")
    whole, fraction = (items.get(f"{folder}/{name}") for name in (_WHOLE, _FRACTION))
    centres, widths = (
        items.get(f"{folder}/Metadata/Spectral_Data/{name}") for name in ("Wavelength", "FWHM")
    )
    if whole is None or fraction is None or centres is None or len(whole.shape or ()) != 3:
        return None
    if whole.shape != fraction.shape or centres.shape != whole.shape[2:]:
        return None
    stated: Any = structure.attributes(fraction)
    of_whole: Any = structure.attributes(whole)
    parts = [_first(stated.get(key)) for key in ("Scale_Factor", "Scale", "scale_factor")]
    divisor = next((n for n in parts if n is not None), _PARTS_OF_ONE)
    if not 0 < divisor < math.inf:
        told = f"it is damaged: {_FRACTION} is divided by {divisor:g}, says its scale factor"
        raise FileError(path, told)
    no_data = _first(of_whole.get("Data_Ignore_Value"))
    nm = np.asarray(structure.checked(path, centres)[()], dtype=np.float64)
    told = f"{_WHOLE} and {_FRACTION}, divided by {divisor:g}, were put together."
    found = build_cube.Found(
        Summed(structure.checked(path, whole), structure.checked(path, fraction), divisor, no_data),
        stated=True,
        convention=2,
        wavelengths=nm,
        unit="nm",
        notices=(Notice.info(Code.SCALE_APPLIED, told),),
        steps=(told,),
    )
    if no_data is not None:
        hidden = f"Values whose whole part is {no_data:g} are no data: they are NaN in the cube."
        found.notices += (Notice.warning(Code.NO_DATA, hidden),)
    if widths is not None and widths.shape == centres.shape:
        listed = np.asarray(structure.checked(path, widths)[()], dtype=np.float64)
        found.per_band["fwhm"] = listed.tolist()
    add_of_neon(path, file, f"{folder}/{_WHOLE}", found)
    return found


def _first(value: Any) -> float | None:
    numbers = np.ravel(np.asarray(() if value is None else value))
    return float(numbers[0]) if numbers.size and numbers.dtype.kind in "iuf" else None


def _finite(value: Any) -> float:
    """The number that an attribute states; NaN where it states none."""
    number = _first(value)
    return number if number is not None and math.isfinite(number) else math.nan


def of_a_part(file: Any, name: str) -> tuple[Notice, ...]:
    """A notice of an array that means little without the rest of its product: it was named by the user."""
    own, why = name.strip("/").rpartition("/")[2], ""
    if own in (_WHOLE, _FRACTION):
        why = f"{_WHOLE} and {_FRACTION} make one number"
    detector = re.fullmatch(r"(VNIR|SWIR)_Cube", own)
    key = detector[1].title() if detector else ""
    if key and {f"L2Scale{key}Max", f"ScaleFactor_{key}"} & set(structure.attributes(file)):
        why = "its scale, which the file states, was not applied"
    if not why:
        return ()
    told = f"{own} alone is as stored: {why}. The file opened without a name gives the values."
    return (Notice.warning(Code.GAIN_NOT_APPLIED, told),)


def add_of_neon(path: Path, file: Any, name: str, found: build_cube.Found) -> None:
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
        item = structure.own_path(file, f"{folder}/Metadata/Coordinate_System/{place}")
        stated = text(_alone(values.value(item))) if item is not None else ""
        if 0 < len(stated) <= _LONGEST_PLACE:
            found.metadata.setdefault(key, [part.strip() for part in stated.split(",")])
    ends = [
        np.ravel(np.asarray(value))
        for key, value in structure.attributes(group).items()
        if _WINDOW.fullmatch(key)
    ]
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


def _alone(value: Any) -> Any:
    """The only value of an array or list of one."""
    array = np.asarray(value, dtype=object).ravel()
    return array[0] if array.size == 1 else None


def _of(parts: list[tuple[Any, int, list[int]]], nm: list[float]) -> build_cube.Found:
    names = ", ".join(str(array.name).rsplit("/", 1)[-1] for array, _, _ in parts)
    told = f"The bands of {names} were put together; name one to read it alone."
    return build_cube.Found(
        Joined(parts),
        stated=True,
        wavelengths=nm,
        unit="nm",
        notices=(Notice.info(Code.AXES_CHANGED, told),),
    )
