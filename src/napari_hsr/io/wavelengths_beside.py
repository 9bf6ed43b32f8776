"""Wavelengths in a small text file, or an ENVI header, beside a cube that has none itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import HSRError
from napari_hsr.io import detect, envi_header, wavelength_list
from napari_hsr.io.wavelengths import are_band_numbers

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

_NAMES = ("wavelengths", "wavelength", "wavelengths_nm", "wavelength_nm")


def find(path: Path, bands: int) -> tuple[Any, str | None, str] | None:
    """The list beside it with its unit, if one is stated, and that file's name.

    That is ``scene.hdr``, as ENVI writes it beside TIFFs too, ``scene_wavelengths.txt``,
    ``wavelengths.csv``, or ``scene.txt`` that is nothing but an ascending list. None unless it holds one positive number for each band.
    """
    header = detect.header_beside(path)
    if header is not None and header != path:
        try:
            listed, unit = envi_header.wavelengths(envi_header.parse(header))
        except HSRError:
            listed = None
        if isinstance(listed, list) and len(listed) == bands:
            return listed, unit, header.name
    stem = path.name.split(".")[0]
    for name in (*(f"{stem}_{name}" for name in _NAMES), *_NAMES):
        for file in (path.with_name(name + suffix) for suffix in (".txt", ".csv")):
            if not file.is_file():
                continue
            try:
                listed = wavelength_list.parse(wavelength_list.read_text(file))
            except HSRError:
                continue  # it is not what its name says: the cube can be read without it
            if len(listed) == bands and np.isfinite(listed).all() and min(listed) > 0:
                return listed, None, file.name
    own = path.with_suffix(".txt")  # of the same name: if it holds nothing else
    if own != path and own.is_file() and bands > 2:
        try:
            listed = wavelength_list.parse(wavelength_list.read_text(own))
        except HSRError:
            return None
        ascends = len(listed) == bands and bool((np.diff(listed) > 0).all()) and min(listed) > 0
        if ascends and not are_band_numbers(np.array(listed)):
            return listed, None, own.name
    return None
