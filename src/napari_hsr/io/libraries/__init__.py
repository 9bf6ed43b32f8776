"""Spectral libraries: files of named spectra, from instruments, collections and tables."""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.arguments import told
from napari_hsr.errors import FileError, InputError
from napari_hsr.io import limits
from napari_hsr.io.library_errors import not_there
from napari_hsr.io.number_parsing import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike

    from napari_hsr.io.libraries.assemble import Choice
    from napari_hsr.spectral_library import SpectralLibrary

#: Bytes of a library in JSON.
_LARGEST_JSON = 200 * 2**20
#: Suffixes (lower case) of files that are looked for in a folder of spectra.
LIBRARY_SUFFIXES = (
    ".sli", ".asd", ".sed", ".sig", ".jdx", ".dx", ".jcm", ".txt", ".asc", ".csv", ".tsv", ".json", ".npz",
)  # fmt: skip


#: Of these, texts, whatever header lies beside them.
_TEXTS = (".sed", ".sig", ".jdx", ".dx", ".jcm", ".txt", ".asc", ".csv", ".tsv", ".json")
#: How a heading names wavelengths; and fewer of them than these, in nm, are no row of a table.
_WAVELENGTHS = re.compile(r"wave.?(length|number)|\b(wvl|wl|lambda|nm|cm-?1)\b|λ", re.IGNORECASE)
_FEWEST_NAMED, _SHORTEST_NM, _LONGEST_NM = 5, 200, 30_000
_SHEETS = (".xlsx", ".xlsm", ".ods")
#: How napari's own tables of points and shapes begin.
_NAPARIS_OWN = (b"index,axis-", b"index,shape-type", b"axis-0,")


@told
def read_library(
    path: str | PathLike[str],
    *,
    wavelengths: Sequence[float] | str | PathLike[str] | None = None,
    scale: float | None = None,
    column: str | None = None,
) -> SpectralLibrary:
    """Read named spectra.

    Parameters
    ----------
    path : path-like
        An ENVI library (``.sli`` or its header), a file of a field spectrometer (``.asd``,
        ``.sed``, ``.sig``), JCAMP-DX, a text of the ECOSTRESS or USGS libraries, a table (CSV, tabs) with
        a column or a row of wavelengths, JSON as written here, ``.npz`` with the arrays
        ``wavelengths``, ``spectra`` and perhaps ``names``, or a folder of such files with one
        grid of wavelengths.
    wavelengths : sequence of float or path-like, optional
        In nm, or the file that holds them, for spectra that come without (USGS).
    scale : float, optional
        What stored values are multiplied by: 0.01 for percent, 1 to keep them. By default what
        the file says; if it says nothing, percent and integers up to 10 000 are recognised by
        their size, with a notice.
    column : str, optional
        The column of a table, by its heading or a part of it: the radiance in a file that also
        holds reflectance.

    Returns
    -------
    SpectralLibrary
        Reflectance as a fraction, wavelengths ascending in nm; what was guessed or changed is in
        ``notices``.

    Raises
    ------
    FileError
        If the file is missing, damaged or no library; one sentence says which.
    InputError
        If ``scale`` is not positive, or the files of a folder have different wavelengths.
    """
    from napari_hsr.io.libraries.assemble import Choice

    path = Path(os.path.expanduser(path))
    choice = Choice(wavelengths, scale, column)
    if os.path.isdir(path):
        return _folder(path, choice)
    return _file(path, choice)


def join(libraries: Iterable[SpectralLibrary], name: str = "library") -> SpectralLibrary:
    """One library of several with the same wavelengths (to 0.01 nm).

    Raises
    ------
    InputError
        If there is none, or their wavelengths or units differ.
    """
    import numpy as np

    from napari_hsr.spectral_library import numbered

    found = list(libraries)
    if not found:
        raise InputError("There is no spectrum to join.")
    first = found[0]
    for other in found[1:]:
        if not first.wavelengths.matches(other.wavelengths, 0.01):
            raise InputError(
                f"The wavelengths of {other.name} ({other.wavelengths.describe()}) are not those "
                f"of {first.name} ({first.wavelengths.describe()})."
            )
        if first.units != other.units:
            raise InputError(
                f"{other.name} holds {other.units or 'values without a unit'}, but {first.name} "
                f"{first.units or 'values without a unit'}."
            )
    return first.replace(
        names=numbered(one for library in found for one in library.names),
        values=np.concatenate([library.values for library in found]),
        name=name,
        metadata=first.metadata if len(found) == 1 else {},
        notices=tuple(notice for library in found for notice in library.notices),
    )


def _folder(path: Path, choice: Choice) -> SpectralLibrary:
    files = sorted(
        file
        for file in path.iterdir()
        if file.suffix.lower() in LIBRARY_SUFFIXES and file.is_file() and file.name[0] != "."
    )
    if not files:
        raise FileError(path, f"no spectra lie in this folder ({', '.join(LIBRARY_SUFFIXES)})")
    return join((_file(file, choice) for file in files), path.name)


def is_library(path: str | PathLike[str]) -> bool:
    """Whether a file is one of spectra and no image, by its head and its suffix.

    A table is taken for one, unless it is napari's own of points or shapes.
    """
    from napari_hsr.io import detect
    from napari_hsr.io.libraries import asd, cgats, jcamp

    path = Path(os.path.expanduser(path))
    if not path.is_file():
        return False
    suffix, head = path.suffix.lower(), detect.head_of(path)
    if suffix in (".asd", ".sed", ".sig") or asd.is_asd(head) or jcamp.is_jcamp(head):
        return True
    if suffix in (".txt", ".asc"):
        text = detect.is_text(head.removeprefix(b"\xef\xbb\xbf"))
        return text and (_says_spectra(head) or cgats.is_cgats(detect.head_of(path, 2**16)))
    if suffix in (".csv", ".tsv"):
        return detect.is_text(head) and not head.startswith(_NAPARIS_OWN)
    header = path if detect.is_envi_header(head) else detect.header_beside(path)
    return header is not None and b"spectral library" in detect.head_of(header, 2**16).lower()


def names_wavelengths(path: str | PathLike[str]) -> bool:
    """Whether a table says by its heading that it is one of spectra: a column, or a row, of wavelengths.

    Many tables of other things can be read as spectra; those that are dropped have to say it.
    """
    from napari_hsr.io import detect

    lines = (
        detect.head_of(Path(path), 2**14).decode("utf-8", "replace").lstrip("\ufeff").splitlines()
    )
    for line in lines[:60]:
        cells = [cell.strip("\"' ") for cell in re.split(r"[,;\t]", line)]
        if any(map(_WAVELENGTHS.search, cells)):
            return True
        listed = [number(cell) for cell in cells[1:]]
        nm = [value for value in listed if value is not None]
        if len(nm) == len(listed) >= _FEWEST_NAMED:
            steps = {after - before for before, after in itertools.pairwise(nm)}
            inside = nm[0] >= _SHORTEST_NM and nm[-1] <= _LONGEST_NM
            return inside and min(steps) > 0 and steps != {1}
        if any(number(cell) is not None for cell in cells):
            return False
    return False


def _says_spectra(head: bytes) -> bool:
    """Whether a text calls itself one of spectra: an item or a heading of wavelengths, a title of USGS."""
    lines = head.decode("latin-1").splitlines()[:60]
    if lines and re.match(r"\s*(?:splib|liba|s0[67])\S*\s", lines[0], re.IGNORECASE):
        return True
    return any(re.match(r"\W*(?:x units\s*:|wave|wvl\b)", line, re.IGNORECASE) for line in lines)


def _file(path: Path, choice: Choice) -> SpectralLibrary:
    """By content first: a library with another ending is still that library."""
    from napari_hsr.io import detect
    from napari_hsr.io.libraries import (
        arrays,
        asd,
        cgats,
        envi_library,
        jcamp,
        tables,
        text_formats,
    )

    limits.check_regular(path)
    if not path.exists():
        raise not_there(path)
    head = detect.head_of(path)
    if not head:
        raise FileError(path, "the file is empty")
    if asd.is_asd(head):
        return asd.read(path, choice)
    if jcamp.is_jcamp(head):
        return jcamp.read(path, choice)
    is_table = detect.is_text(head) and path.suffix.lower() in _TEXTS
    if detect.is_envi_header(head):
        return envi_library.read(path, choice)
    if head.startswith(b"PK\x03\x04") and (
        b"[Content_Types]" in head or path.suffix.lower() in _SHEETS
    ):
        raise FileError(path, "this is a spreadsheet, which is not read; save it as CSV")
    if head.startswith(b"PK\x03\x04"):
        return arrays.read_npz(path, choice)
    if head.startswith(b"MATLAB 5.0"):
        return arrays.read_mat(path, choice)
    if head.startswith((b"\x89HDF\r\n\x1a\n", b"MATLAB 7.3")):
        return arrays.read_hdf5(path, choice)
    if not is_table and detect.header_beside(path):
        return envi_library.read(path, choice)
    if not (detect.is_text(head.removeprefix(b"\xef\xbb\xbf")) or head.startswith(tables.WIDE)):
        hint = ", which needs its header beside it" if path.suffix.lower() == ".sli" else ""
        raise FileError(path, f"a library of spectra was expected, but this is binary data{hint}")
    if path.suffix.lower() == ".json":
        return _json(path)
    if cgats.is_cgats(detect.head_of(path, 2**16)):
        return cgats.read(path, choice)
    return text_formats.read(path, choice)


def _json(path: Path) -> SpectralLibrary:
    import numpy as np

    from napari_hsr.io import value_notices
    from napari_hsr.io.library_errors import translated
    from napari_hsr.spectral_library import SpectralLibrary

    with translated(path, "a spectral library was expected, as written by this program"):
        found: Any = json.loads(limits.content(path, _LARGEST_JSON))
    spectra = found.get("spectra") if isinstance(found, dict) else None
    if not (isinstance(spectra, list) and spectra and isinstance(spectra[0], dict)):
        raise FileError(
            path,
            "JSON as this program writes it was expected: wavelengths_nm, and spectra with a name and values each",
        )
    with translated(path, "a spectral library was expected, as written by this program"):
        return SpectralLibrary(
            tuple(one["name"] for one in spectra),
            found["wavelengths_nm"],
            np.array([one["values"] for one in spectra], dtype=np.float64),
            found.get("units"),
            found.get("name") or path.stem,
            found.get("metadata") or {},
            tuple(value_notices.unit_of_own(found)),
        )
