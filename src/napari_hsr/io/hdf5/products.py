"""Cubes that a product keeps in several data sets: PRISMA's two detectors, the three of PACE OCI.

PRISMA (HDF-EOS5) has ``VNIR_Cube`` and ``SWIR_Cube`` (rows, bands, columns), band centres, widths and
flags as attributes of the file; at level 2 ``value = least + stored (most - least) / 65535`` by
detector, at level 1 ``value = stored / factor - offset``. PACE OCI at level 1B has ``rhot_blue``, ``rhot_red`` and ``rhot_SWIR`` (bands, scans, pixels)
beside ``sensor_band_parameters``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import build_cube
from napari_hsr.io.bands_apart import Joined
from napari_hsr.io.decoding import Decoding
from napari_hsr.io.hdf5 import structure
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path


#: Flags of single values, by the level of the product, and which of them mean that there is none:
#: defective or not computed; saturated, negative or less accurate values are kept
#: ("PRISMA Products Specification Document" 2.3; the readers of SNAP and prismaread have the same codes).
_FLAGS = {"PIXEL_SAT_ERR_MATRIX": (1, 4), "PIXEL_L2_ERR_MATRIX": (1,)}


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
    return _prisma(path, file, items) or _pace(path, items)


def _prisma(path: Path, file: Any, items: dict[str, Any]) -> build_cube.Found | None:
    cubes: dict[str, Any] = {}
    for place, item in items.items():
        named = re.fullmatch(r"HDFEOS/SWATHS/[^/]+/Data Fields/(VNIR|SWIR)_Cube", place)
        if named and len(item.shape or ()) == 3:
            cubes.setdefault(named[1], structure.checked(path, item))
    flagged: list[str] = []
    for place, item in items.items():
        named = re.fullmatch(
            r"HDFEOS/SWATHS/[^/]+/Data Fields/(VNIR|SWIR)_(PIXEL_\w+_MATRIX)", place
        )
        hidden = _FLAGS.get(named[2]) if named else None
        if named and hidden and named[1] in cubes and item.shape == cubes[named[1]].shape:
            matrix = structure.checked(path, item)
            cubes[named[1]] = Flagged(cubes[named[1]], matrix, hidden)
            flagged.append(f"{named[1]}_{named[2]} ({' and '.join(map(str, hidden))})")
    stated: Any = structure.attributes(file) if cubes else {}
    facts: dict[str, list[float]] = {"nm": [], "fwhm": [], "bbl": []}
    parts, scales, offsets, level_2 = [], [], [], False
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
        bands = np.flatnonzero(nm > 0).tolist()  # those without a centre were not measured
        parts.append((array, 1, bands))
        for kept, values in zip(facts.values(), (nm, widths, flags), strict=True):
            kept += [float(values[band]) for band in bands]
        least, most = (stated.get(f"L2Scale{key}{end}") for end in ("Min", "Max"))
        scaled = least is not None and most is not None
        least, most = (float(np.ravel(v)[0]) for v in ((least, most) if scaled else (0, 65535)))
        divisor = float(np.ravel(stated.get(f"ScaleFactor_{key}", 1.0))[0]) or 1.0  # of level 1
        scales += [(most - least) / 65535 / divisor] * len(bands)
        offsets += [least - float(np.ravel(stated.get(f"Offset_{key}", 0.0))[0])] * len(bands)
        level_2 = level_2 or scaled
    if not any(bands for _, _, bands in parts):
        return None
    found = _of(parts, facts["nm"])
    found.per_band = {"fwhm": facts["fwhm"], "bbl": [int(flag) for flag in facts["bbl"]]}
    found.decoding = Decoding(scale=np.array(scales), offset=np.array(offsets))
    if flagged:
        told = (
            f"Values that {' and '.join(flagged)} calls defective or not computed are NaN; what is flagged "
            "otherwise, as saturated or negative, is kept."
        )
        found.notices += (Notice.warning(Code.NO_DATA, told),)
    if not found.decoding.does_nothing:
        told = (
            "Values were scaled by the least and largest reflectance of each detector in the file."
        )
        if not level_2:
            told = "Values were scaled by the factor and offset of each detector in the file."
        found.notices += (Notice.info(Code.SCALE_APPLIED, told),)
        found.steps += (told,)
        found.units = "reflectance" if level_2 else None
    return found


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
    marker = structure.attributes(items["observation_data/rhot_blue"]).get("_FillValue")
    if marker is not None:
        found.decoding = Decoding(no_data=(float(np.ravel(marker)[0]),))
        found.metadata[build_cube.NO_DATA] = found.decoding.no_data[0]
    found.units = "reflectance"
    return found


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
