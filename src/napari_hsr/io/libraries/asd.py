"""Binary files of ASD FieldSpec spectrometers, versions 1 to 8.

The layout is that of ASD's "Indico Version 8 File Format"; from version 2 on the white reference
follows the spectrum, and reflectance is the quotient of the two.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.libraries.assemble import REFLECTANCE, Choice, Found, assemble
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.spectral_library import SpectralLibrary

_HEADER = 484
_MAGIC = (b"ASD", b"asd", b"as2", b"as3", b"as4", b"as5", b"as6", b"as7", b"as8")
_DTYPES = {0: "<f4", 1: "<i4", 2: "<f8"}
_RAW, _REFLECTANCE, _RADIANCE = 0, 1, 2
_UNITS = {
    _RAW: "counts", _REFLECTANCE: REFLECTANCE, _RADIANCE: "W m-2 sr-1 nm-1", 4: "W m-2 nm-1",
    6: "transmittance", 8: "absorbance",
}  # fmt: skip


def is_asd(head: bytes) -> bool:
    """Whether these first bytes open such a file."""
    return head[:3] in _MAGIC and len(head) > 3 and b"\0" in head[3:_HEADER]


def read(path: Path, choice: Choice) -> SpectralLibrary:
    """Read the spectrum; reflectance where the file is one of reflectance.

    Raises
    ------
    FileError
        If it is cut short, or its header contradicts itself.
    """
    content = limits.content(path)
    if len(content) < _HEADER:
        raise FileError(
            path, f"an ASD header of {_HEADER} bytes was expected, it has {len(content)}"
        )
    kind, stored_as = content[186], content[199]
    first, step = struct.unpack_from("<ff", content, 191)
    (bands,) = struct.unpack_from("<H", content, 204)
    if stored_as not in _DTYPES or not bands or not (first > 0 and step > 0):
        raise FileError(
            path,
            f"its ASD header is damaged: {bands} channels from {first:g} nm every {step:g} nm, "
            f"numbers of type {stored_as}",
        )
    spectrum = _numbers(path, content, _HEADER, bands, _DTYPES[stored_as])
    notices: list[Notice] = []
    wants_counts = choice.column is not None and "count" in choice.column.lower()
    if kind == _REFLECTANCE and not wants_counts:
        reference = _reference(path, content, bands, _DTYPES[stored_as])
        if reference is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                spectrum = np.where(reference > 0, spectrum / reference, np.nan)
            told = "Reflectance is the spectrum divided by the white reference in the file."
            notices.append(Notice.info(Code.SCALE_APPLIED, told))
        else:
            told = "The file calls its spectrum reflectance and holds no white reference to divide it by: it is as stored."
            notices.append(Notice.warning(Code.GAIN_NOT_APPLIED, told))
    found = Found(
        [path.stem],
        first + step * np.arange(bands),
        "nm",
        spectrum[None],
        "counts" if wants_counts else _UNITS.get(kind),
        factor=1.0 if kind in (_REFLECTANCE, _RADIANCE) else None,
        metadata={"instrument": f"ASD {struct.unpack_from('<H', content, 400)[0]}"},
        notices=notices,
    )
    return assemble(path, found, choice)


def _numbers(path: Path, content: bytes, start: int, count: int, dtype: str) -> np.ndarray:
    needed = start + count * np.dtype(dtype).itemsize
    if len(content) < needed:
        raise FileError(
            path,
            f"it is cut short: {count} channels take {needed} bytes, it has {len(content)}",
        )
    return np.frombuffer(content, dtype, count, start).astype(np.float64)


def _reference(path: Path, content: bytes, bands: int, dtype: str) -> np.ndarray | None:
    """The white reference behind the spectrum; None if the file holds none."""
    start = _HEADER + bands * np.dtype(dtype).itemsize
    if content[:3] in (b"ASD", b"asd") or len(content) < start + 20:
        return None
    taken, length = struct.unpack_from("<h16xH", content, start)
    if not taken:
        return None
    return _numbers(path, content, start + 20 + length, bands, dtype)
