"""Writing spectral libraries: CSV, ENVI ``.sli`` with its header, JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cube import jsonable
from napari_hsr.errors import FileError
from napari_hsr.io.atomic import replacing_both
from napari_hsr.io.envi.writer import clean
from napari_hsr.io.text_files import csv_text, write_text
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.spectral_library import SpectralLibrary


def write_csv(library: SpectralLibrary, path: Path) -> None:
    """A column ``wavelength_nm`` and one a spectrum, its units in brackets; NaN is empty.

    Control characters of a name are replaced: a file with them would be taken for binary data.
    """
    rows = [["wavelength_nm", *(one_line(_heading(name, library.units)) for name in library.names)]]
    for nm, values in zip(library.wavelengths_nm, library.values.T, strict=True):
        rows.append([f"{nm:.10g}", *("" if np.isnan(v) else repr(float(v)) for v in values)])
    write_text(path, csv_text(rows))


def _heading(name: str, units: str | None) -> str:
    """A name with its unit; a name that speaks of percent gets one too, else its values would be taken as such."""
    if units is None and ("%" in name or "percent" in name.lower()):
        return f"{name} [1]"
    return f"{name} [{units}]" if units else name


def write_sli(library: SpectralLibrary, path: Path) -> None:
    """Float64, one spectrum a line; commas in names become semicolons, for a comma ends a name.

    Raises
    ------
    FileError
        If a header of something else lies where this one's must be.
    """
    header = path.with_suffix(".hdr")
    if header.exists() and not path.exists():
        raise FileError(path, f"{header.name} already lies there and belongs to something else")
    count, bands = library.values.shape
    names = ", ".join(clean(name.replace(",", ";")) for name in library.names)
    lines = [
        "ENVI",
        f"description = {{{clean(library.name)}}}",
        f"spectra names = {{{names}}}",
        *([f"data units = {clean(library.units)}"] if library.units else []),
        *(
            f"{key} = {{{', '.join(clean(item) for item in library.metadata[key])}}}"
            for key in ("fwhm", "bbl")
            if key in library.metadata
        ),
        "wavelength units = Nanometers",
        f"wavelength = {{{', '.join(repr(float(nm)) for nm in library.wavelengths_nm)}}}",
        "file type = ENVI Spectral Library",
        "header offset = 0",
        "byte order = 0",
        "data type = 5",
        f"samples = {bands}",
        f"lines = {count}",
        "bands = 1",
        "interleave = bsq",
    ]
    with replacing_both(path, header) as (data, text):
        data.write_bytes(library.values.astype("<f8").tobytes())
        text.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def write_json(library: SpectralLibrary, path: Path) -> None:
    """Name, wavelengths, units, metadata and the spectra; a missing value is null."""
    content = {
        "kind": "spectral library",
        "name": library.name,
        "units": library.units,
        "wavelengths_nm": library.wavelengths_nm.tolist(),
        "metadata": jsonable(library.metadata),
        "spectra": [
            {"name": name, "values": [float(v) if np.isfinite(v) else None for v in values]}
            for name, values in library
        ],
    }
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1))
