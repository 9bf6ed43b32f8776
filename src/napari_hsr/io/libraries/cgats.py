"""Spectra in CGATS text (ISO 28178, as i1Profiler, BabelColor and Argyll write it, ``.sp`` and ``.ti3`` too).

A line names the fields, one spectrum is a line of values; the fields of a spectrum end in a wavelength in nm:
``SPECTRAL_NM400``, ``SPEC_400``, ``nm400``; those of ``SPECTRAL_PCT400`` are percent.
"""

from __future__ import annotations

import re
import shlex
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.libraries import tables
from napari_hsr.io.libraries.assemble import REFLECTANCE, Choice, Found, assemble
from napari_hsr.io.number_parsing import number

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.spectral_library import SpectralLibrary

_FIELD = re.compile(
    r"(?:SPECTRAL_?|SPEC_?|NM_?|DEC_?|PCT_?|R_?)+(\d{3,4}(?:\.\d+)?)(?:NM)?", re.IGNORECASE
)
_NAMES = ("SAMPLE_NAME", "SAMPLENAME", "SAMPLE_ID", "SAMPLEID", "SAMPLE_LOC", "SAMPLE_NO")
#: Fewer fields than these are no spectrum.
_FEWEST = 3
_EMITTED = re.compile(r"EMISSI|DISPLAY|AMBIENT|TELEPHOTO|PROJECTOR", re.IGNORECASE)


def is_cgats(head: bytes) -> bool:
    """Whether a text is such a table with fields of a spectrum."""
    begins = re.search(rb"^[ \t]*BEGIN_DATA_FORMAT\b(.*)", head, re.MULTILINE | re.DOTALL)
    return begins is not None and _FIELD.search(begins[1].decode("latin-1")) is not None


def read(path: Path, choice: Choice) -> SpectralLibrary:
    """Read the first table in it whose fields are spectra.

    Values are divided by ``SPECTRAL_NORM``, where one is stated; what a display or a lamp emits is no reflectance.

    Raises
    ------
    FileError
        If no table has spectra, or a line of it has more or fewer values than there are fields.
    """
    listed, told = tables.lines_of(path)
    lines = [line.strip() for line in listed]
    fields = _between(lines, "BEGIN_DATA_FORMAT", "END_DATA_FORMAT")
    names = " ".join(fields).split()
    limits.check_count(path, len(names), "fields")
    at = [(j, float(m[1])) for j, m in enumerate(map(_FIELD.fullmatch, names)) if m is not None]
    _check_fields(path, names, [j for j, _ in at])
    if len(at) < _FEWEST:
        raise FileError(path, "its table names no fields of a spectrum, such as SPECTRAL_NM400")
    if "END_DATA" not in map(str.upper, lines):
        raise FileError(path, "it has no END_DATA behind its data: it is cut short")
    rows = [_values(line) for line in _between(lines, "BEGIN_DATA", "END_DATA") if line]
    spectra, called = [], []
    label = next((names.index(n) for n in _NAMES if n in names), None)
    for i, row in enumerate(rows, 1):
        values = [number(row[j].replace(",", ".")) for j, _ in at] if len(row) == len(names) else []
        if not values or None in values:
            raise FileError(
                path,
                f"line {i} of its data is damaged: {len(row)} values, {len(names)} fields were expected, "
                "a number in each of the spectrum",
            )
        spectra.append(values)
        called.append((row[label] if label is not None else "") or f"spectrum {i}")
    stated = _items(lines)
    sets = number(stated.get("NUMBER_OF_SETS", ""))
    if not spectra or (sets is not None and sets != len(spectra)):
        raise FileError(
            path,
            f"it states {stated.get('NUMBER_OF_SETS', 'some')[:20]} spectra, but {len(spectra)} are there",
        )
    norm = _norm(path, stated.get("SPECTRAL_NORM"))
    emitted = any(_EMITTED.search(f"{key} {value}") for key, value in stated.items())
    lamp = lines[:1] == ["SPECT"] and "MEAS_TYPE" not in stated  # Argyll's, of lamps and surfaces
    percent = norm == 1.0 and all("PCT" in names[j].upper() for j, _ in at)
    found = Found(
        called,
        [nm for _, nm in at],
        "nm",
        np.array(spectra, dtype=np.float64),
        "emission" if emitted else None if lamp else REFLECTANCE,
        0.01 if percent else 1 / norm if norm != 1.0 else None,
        "a field's name" if percent else "its SPECTRAL_NORM",
        metadata=stated,
        notices=told,
    )
    return assemble(path, found, choice)


def _check_fields(path: Path, names: list[str], spectral: list[int]) -> None:
    """Refuse a field that is named as those of the spectrum are, but for its wavelength: ``SPECTRAL_NM4O0``."""
    begins = {re.split(r"[0-9]", names[j])[0].upper() for j in spectral}
    long = [b for b in begins if len(b) > 3]
    longest = max((len(names[j]) for j in spectral), default=0)
    for j, name in enumerate(names):
        begun = any(len(b) > 1 and name.upper().startswith(b) for b in begins)
        ends = re.fullmatch(r"(.*?)\d{3,4}", name.upper())  # SPECTRAL-NM450 among SPECTRAL_NM…
        begun = begun or (ends is not None and bool(get_close_matches(ends[1], long, 1, 0.8)))
        if begun and j not in spectral and len(name) <= longest and re.search(r"[0-9]", name):
            raise FileError(
                path, f"its field {name[:40]!r} names no wavelength, as those beside it do"
            )


def _norm(path: Path, stated: str | None) -> float:
    """What values are divided by: 1 where it is not stated."""
    norm = 1.0 if stated is None else number(stated)
    if norm is None or not 0 < norm < np.inf:
        raise FileError(
            path, f"a positive number was expected as SPECTRAL_NORM, not {stated!r:.60}"
        )
    return norm


def _between(lines: list[str], begin: str, end: str) -> list[str]:
    """The lines between two keywords, the first time they come."""
    upper = [line.upper() for line in lines]
    if begin not in upper:
        return []
    start = upper.index(begin) + 1
    stop = upper.index(end, start) if end in upper[start:] else len(lines)
    return lines[start:stop]


def _items(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        if line.upper() == "BEGIN_DATA":
            break
        key, _, value = line.partition(" ")
        if value and key.isupper() and not key.startswith("SPECTRAL_NM"):
            found.setdefault(key, value.strip().strip('"'))
    return found


def _values(line: str) -> list[str]:
    """The values of a line: parted by blanks, names in quotes in one piece."""
    if '"' not in line:
        return line.split()
    try:
        return shlex.split(line)
    except ValueError:  # a quote without its end
        return line.split()
