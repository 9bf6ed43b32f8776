"""Wavelengths in a small text file, or an ENVI header, beside a cube that has none itself."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import HSRError
from napari_hsr.io import detect
from napari_hsr.io.envi import header as envi_header
from napari_hsr.io.number_parsing import number
from napari_hsr.io.wavelengths import wavelength_list
from napari_hsr.io.wavelengths.resolve import are_band_numbers

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

#: How a column of wavelengths is headed.
_HEADING = re.compile(r"(cent(er|re|ral)[ _]?)?wave.?length|wvl\b|cwl\b")
_NAMES = ("wavelengths", "wavelength", "wavelengths_nm", "wavelength_nm")


def find(path: Path, bands: int) -> tuple[Any, str | None, str] | None:
    """The list beside it with its unit, if one is stated, and that file's name.

    That is ``scene.hdr``, as ENVI writes it beside TIFFs too, ``scene_wavelengths.txt``,
    ``wavelengths.csv``, ``scene.csv`` with a column headed so and a row for each band, or ``scene.txt`` that is nothing but an ascending list. None unless it holds one positive number for each band.
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
    table = path.with_suffix(".csv")
    listed = _column(table) if table != path and table.is_file() else None
    if listed is not None and len(listed[0]) == bands:
        return (*listed, table.name)
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


def _column(table: Path) -> tuple[list[float], str | None] | None:
    """The column that a table of bands heads as wavelengths, with its unit; None where there is none."""
    try:
        rows = list(csv.reader(wavelength_list.read_text(table).splitlines()))
    except (HSRError, csv.Error):
        return None
    heading = [cell.strip().lower() for cell in rows[0]] if rows else []
    at = next((i for i, cell in enumerate(heading) if _HEADING.match(cell)), None)
    if at is None:
        return None
    values = [number(row[at]) if at < len(row) else None for row in rows[1:] if any(row)]
    listed = [value for value in values if value is not None and np.isfinite(value) and value > 0]
    if len(listed) != len(values):
        return None
    unit = re.search(r"\b(nm|um|µm|cm-1)\b", heading[at].replace("_", " "))
    return listed, unit[1] if unit else None
