"""Wavelengths in a small text file beside a cube that has none itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import HSRError
from napari_hsr.io import wavelength_list

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = ("wavelengths", "wavelength", "wavelengths_nm", "wavelength_nm")


def find(path: Path, bands: int) -> tuple[list[float], str] | None:
    """The list in ``scene_wavelengths.txt`` or ``wavelengths.csv`` beside it, and that file's name.

    None unless it holds one positive number for each band.
    """
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
                return listed, file.name
    return None
