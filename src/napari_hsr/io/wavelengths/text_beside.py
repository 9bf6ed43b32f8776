"""Wavelengths in a small text file, or an ENVI header, beside a cube that has none itself."""

from __future__ import annotations

import csv
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_hsr.errors import HSRError
from napari_hsr.io import detect, json_facts
from napari_hsr.io.envi import header as envi_header
from napari_hsr.io.number_parsing import number
from napari_hsr.io.wavelengths import wavelength_list
from napari_hsr.io.wavelengths.resolve import are_band_numbers

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

#: How a column of wavelengths is headed.
_HEADING = re.compile(r"(cent(er|re|ral)[ _]?)?wave.?length|wvl\b|cwl\b")
#: Of a text that was to say which wavelengths the bands have.
_ABOUT = re.compile(r"wave.?length", re.IGNORECASE)
#: What else a header beside an image of another format states of its numbers and bands.
_OF_NUMBERS = ("data ignore value", "reflectance scale factor", "fwhm", "bbl")
_NAMES = ("wavelengths", "wavelength", "wavelengths_nm", "wavelength_nm")


class Beside(NamedTuple):
    """A list of wavelengths with its unit, where one is stated, the file's name, and what else it states."""

    listed: Any
    unit: str | None
    name: str
    facts: dict[str, Any] = {}  # noqa: RUF012 - never changed


def find(path: Path, counts: Collection[int]) -> Beside | None:
    """The wavelengths beside a file; None unless there is a positive number for each band.

    They are looked for in ``scene.hdr``, as ENVI writes it beside TIFFs too, ``scene.json`` (with what else
    it states), ``scene_wavelengths.txt``, ``wavelengths.csv``, ``scene.csv`` with a column headed so and a
    row for each band, and ``scene.txt`` that is nothing but an ascending list.

    Parameters
    ----------
    path : Path
    counts : collection of int
        How many bands there may be.
    """
    header = detect.header_beside(path)
    if header is not None and header != path:
        try:
            items = envi_header.parse(header)
            listed, unit = envi_header.wavelengths(items)
        except HSRError:
            items, listed = {}, None
        if isinstance(listed, list) and len(listed) in counts:
            stated = {
                key: envi_header.numbers(items, key) or items[key]
                for key in _OF_NUMBERS
                if key in items
            }
            return Beside(listed, unit, header.name, stated)
    for file in _descriptions(path):
        found = _in_json(file, counts)
        if found is not None:
            return found
    for file in _lists(path):
        listed = _listed(file)
        if len(listed) in counts and np.isfinite(listed).all() and min(listed) > 0:
            return Beside(listed, None, file.name)
    table = path.with_suffix(".csv")
    column = _column(table) if table != path and os.path.isfile(table) else None
    if column is not None and len(column[0]) in counts:
        return Beside(*column, table.name)
    own = path.with_suffix(".txt")  # of the same name: if it holds nothing else
    if own != path:
        listed = _listed(own)
        fits = len(listed) in counts and len(listed) > 2
        ascends = fits and bool((np.diff(listed) > 0).all()) and min(listed) > 0
        if ascends and not are_band_numbers(np.array(listed)):
            return Beside(listed, None, own.name)
    return None


def unusable(path: Path) -> str:
    """The name of the header or text of the file's own name that is about wavelengths, where :func:`find` finds none.

    It is damaged, or of another number of bands; empty if there is no such file.
    """
    header = detect.header_beside(path)
    for file in (*([header] if header not in (None, path) else []), *_descriptions(path)):
        try:
            text = wavelength_list.read_text(file) if os.path.isfile(file) else ""
        except HSRError:
            continue  # it is no text
        if _ABOUT.search(text):
            return file.name
    return ""


def names(path: Path) -> list[Path]:
    """All files that :func:`find` may take something from, whether they are there or not."""
    own = [path.with_suffix(".csv")] if _column(path.with_suffix(".csv")) else []
    own += [path.with_suffix(".txt")] if _listed(path.with_suffix(".txt")) else []
    header = detect.header_beside(path)
    return [*_descriptions(path), *_lists(path), *own, *([header] if header else [])]


def _listed(file: Path) -> list[float]:
    """The numbers of a text that holds nothing else; none for any other."""
    try:
        return (
            wavelength_list.parse(wavelength_list.read_text(file)) if os.path.isfile(file) else []
        )
    except HSRError:
        return []  # it is not what its name says: the cube can be read without it


def _descriptions(path: Path) -> list[Path]:
    stem = path.name.split(".")[0]
    names = (f"{stem}.json", f"{path.name}.json", f"{stem}_metadata.json", f"{stem}_meta.json")
    return [path.with_name(name) for name in names]


def _lists(path: Path) -> list[Path]:
    stem = path.name.split(".")[0]
    known = (*(f"{stem}_{name}" for name in _NAMES), *_NAMES)
    return [path.with_name(name + suffix) for name in known for suffix in (".txt", ".csv")]


def _in_json(file: Path, counts: Collection[int]) -> Beside | None:
    try:
        text = wavelength_list.read_text(file) if os.path.isfile(file) else ""
    except HSRError:
        return None
    described = json_facts.parsed(text)
    listed, unit = json_facts.wavelengths(described)
    if listed is None or len(listed) not in counts:
        return None
    facts = json_facts.facts(described)
    stated = facts.get("wavelength_units")
    return Beside(listed, unit or (stated if isinstance(stated, str) else None), file.name, facts)


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
