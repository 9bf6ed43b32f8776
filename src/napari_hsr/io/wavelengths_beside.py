"""Wavelengths in a small text file, or an ENVI header, beside a cube that has none itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import HSRError
from napari_hsr.io import detect, envi_header, wavelength_list

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

_NAMES = ("wavelengths", "wavelength", "wavelengths_nm", "wavelength_nm")


def find(path: Path, bands: int) -> tuple[Any, str | None, str] | None:
    """The list beside it with its unit, if one is stated, and that file's name.

    That is ``scene.hdr``, as ENVI writes it beside TIFFs too, ``scene_wavelengths.txt`` or
    ``wavelengths.csv``. None unless it holds one positive number for each band.
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
    return None
