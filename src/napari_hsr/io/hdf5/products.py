"""Cubes that a product keeps in several data sets: PRISMA's two detectors, the three of PACE OCI.

PRISMA (HDF-EOS5) has ``VNIR_Cube`` and ``SWIR_Cube`` (rows, bands, columns), band centres, widths and
flags as attributes of the file; at level 2 ``value = least + stored (most - least) / 65535`` by
detector, at level 1 ``value = stored / factor - offset``. Reflectance are levels 2C and 2D alone, the others radiance. PACE OCI at level 1B has ``rhot_blue``, ``rhot_red`` and ``rhot_SWIR`` (bands, scans, pixels)
beside ``sensor_band_parameters``. NEON's radiance is read by :mod:`napari_hsr.io.hdf5.neon`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import build_cube
from napari_hsr.io.bands_apart import Joined
from napari_hsr.io.decoding import Decoding, nearly, plain_name
from napari_hsr.io.hdf5 import neon, structure
from napari_hsr.io.hdf5.axes import text
from napari_hsr.io.scale_and_offset import state_numbers
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path


#: Flags of single values, by the level of the product, and which of them mean that there is none:
#: defective or not computed; saturated, negative or less accurate values are kept
#: ("PRISMA Products Specification Document" 2.3; the readers of SNAP and prismaread have the same codes).
_FLAGS = {"PIXEL_SAT_ERR_MATRIX": (1, 4), "PIXEL_L2_ERR_MATRIX": (1,)}


#: Names of attributes that are read, {} being the detector's, and of data sets; the panchromatic camera has its own.
_STATED = (
    "List_Cw_{}", "List_Cw_{}_Flags", "List_Fwhm_{}", "ScaleFactor_{}", "Offset_{}",
    "L2Scale{}Min", "L2Scale{}Max",
)  # fmt: skip
_ARRAYS = ("{}_Cube", *(f"{{}}_{name}" for name in _FLAGS))
#: Nanometres; PRISMA's bands lie between 400 and 2,505.
_LEAST_NM, _MOST_NM = 200.0, 3000.0
#: "PRISMA Products Specification Document" 2.3, of levels 1 and 2B.
_PRISMA_RADIANCE = "W m-2 sr-1 um-1"


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


def find(path: Path, file: Any, items: dict[str, Any]) -> build_cube.Found | None:
    """The whole cube of such a product, of the data sets of a file; None for any other file."""
    return _prisma(path, file, items) or _pace(path, items) or neon.radiance(path, file, items)


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
        if nm.dtype.kind not in "iuf" or not np.all(
            (nm == 0) | ((nm >= _LEAST_NM) & (nm <= _MOST_NM))
        ):
            told = (
                f"it is damaged: List_Cw_{key} holds what is no wavelength of such an image, in nm"
            )
            raise FileError(path, told)
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
    found.per_band = {"bbl": [int(flag) for flag in facts["bbl"]]}
    widths = np.array(facts["fwhm"])
    if (np.isfinite(widths) & (widths > 0)).all():
        found.per_band["fwhm"] = facts["fwhm"]
    else:
        told = "The file states no width, or none that can be, for some of its bands: widths were left out."
        found.notices += (Notice.warning(Code.LIST_UNUSABLE, told),)
    found.notices += _missed(stated, items, set(cubes))
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


def _missed(stated: Any, items: dict[str, Any], cubes: set[str]) -> tuple[Notice, ...]:
    """Notices of names that are nearly those of a product, as of a damaged file, and of a detector without its cube."""
    notices = []
    cameras = ("VNIR", "SWIR", "PAN")
    attributes = [name.format(camera.title()) for name in _STATED for camera in cameras]
    arrays = [name.format(camera) for name in _ARRAYS for camera in cameras]
    places = [place.rpartition("/")[2] for place in items]
    for known, names in ((attributes, stated), (arrays, places)):
        meant = {plain_name(name): name for name in known}
        for name in names:
            if near := nearly(str(name), meant):
                told = f"The file's '{name}' may be a damaged '{meant[near]}': it has no effect."
                notices.append(Notice.warning(Code.MAYBE_DAMAGED, told))
    for name in sorted({"VNIR", "SWIR"} - cubes):
        if np.any(np.asarray(stated.get(f"List_Cw_{name.title()}", 0))):
            told = f"The file lists bands of {name}, and holds no {name}_Cube: they are missing."
            notices.append(Notice.warning(Code.MAYBE_DAMAGED, told))
    return tuple(notices)


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
    parts, nm, stated = [], [], []
    for name in ("blue", "red", "SWIR"):
        array = items.get(f"observation_data/rhot_{name}")
        centres = items.get(f"sensor_band_parameters/{name}_wavelength")
        if array is None or centres is None or centres.shape != array.shape[:1]:
            return None
        parts.append((structure.checked(path, array), 0, list(range(array.shape[0]))))
        nm += np.asarray(structure.checked(path, centres)[()], dtype=np.float64).tolist()
        stated.append({k: v for k, v in structure.attributes(array).items() if k[:6] != "valid_"})
    found = _of(parts, nm)
    state_numbers(found, stated[0])
    alone = [build_cube.Found(array) for array, _, _ in parts]
    for each, attributes in zip(alone, stated, strict=True):
        state_numbers(each, attributes)
    if any(str(each.decoding) != str(alone[0].decoding) for each in alone):
        told = "its three arrays state different scales or missing values; name one array to read it alone"
        raise FileError(path, told)
    found.units = "reflectance"
    return found


def _finite(value: Any) -> float:
    """The one number that an attribute states; NaN where it states none, or several."""
    numbers = np.ravel(np.asarray(() if value is None else value))
    known = numbers.size == 1 and numbers.dtype.kind in "iuf" and np.isfinite(numbers[0])
    return float(numbers[0]) if known else math.nan


def of_a_part(file: Any, name: str) -> tuple[Notice, ...]:
    """A notice of an array that means little without the rest of its product: it was named by the user."""
    own, why = name.strip("/").rpartition("/")[2], ""
    if own in neon.PARTS:
        why = f"{neon.WHOLE} and {neon.FRACTION} make one number"
    detector = re.fullmatch(r"(VNIR|SWIR)_Cube", own)
    key = detector[1].title() if detector else ""
    if key and {f"L2Scale{key}Max", f"ScaleFactor_{key}"} & set(structure.attributes(file)):
        why = "its scale, which the file states, was not applied"
    if not why:
        return ()
    told = f"{own} alone is as stored: {why}. The file opened without a name gives the values."
    return (Notice.warning(Code.GAIN_NOT_APPLIED, told),)


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
