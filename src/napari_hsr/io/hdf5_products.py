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
from napari_hsr.io import hdf5_structure as structure
from napari_hsr.io.bands_apart import Joined
from napari_hsr.io.decoding import Decoding
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path


def find(path: Path, file: Any, items: dict[str, Any]) -> build_cube.Found | None:
    """The whole cube of such a product, of the data sets of a file; None for any other file."""
    return _prisma(path, file, items) or _pace(path, items)


def _prisma(path: Path, file: Any, items: dict[str, Any]) -> build_cube.Found | None:
    cubes: dict[str, Any] = {}
    for place, item in items.items():
        named = re.fullmatch(r"HDFEOS/SWATHS/[^/]+/Data Fields/(VNIR|SWIR)_Cube", place)
        if named and len(item.shape or ()) == 3:
            cubes.setdefault(named[1], structure.checked(path, item))
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
