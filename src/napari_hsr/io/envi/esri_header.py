"""Headers of ESRI for BIL, BIP and BSQ images, as the items of an ENVI header.

Keywords and defaults are those of ArcGIS ("BIL, BIP, and BSQ raster files").
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError
from napari_hsr.io.number_parsing import number

if TYPE_CHECKING:
    from pathlib import Path

#: ENVI's data types by kind and bits.
_TYPES = {
    ("UNSIGNEDINT", 8): 1, ("SIGNEDINT", 8): None, ("UNSIGNEDINT", 16): 12, ("SIGNEDINT", 16): 2,
    ("UNSIGNEDINT", 32): 13, ("SIGNEDINT", 32): 3, ("FLOAT", 32): 4, ("FLOAT", 64): 5,
}  # fmt: skip
_NEEDED = (b"NROWS", b"NCOLS")
_LINES = re.MULTILINE | re.IGNORECASE


def is_one(head: bytes) -> bool:
    """True for the head of such a header: a table of keywords, NROWS and NCOLS among them."""
    upper = head.upper()
    return all(re.search(rb"^[ \t]*" + key + rb"\s+\d", upper, re.MULTILINE) for key in _NEEDED)


def parse(path: Path, text: str) -> dict[str, Any]:
    """The items of an ENVI header that say the same.

    Raises
    ------
    FileError
        If the rows of the binary are padded, or its numbers are of a kind that is not supported.
    """
    stated = {}
    for line in text.splitlines():
        key, *value = line.strip().split(None, 1) or [""]
        stated[key.upper()] = value[0].strip() if value else ""
    begins = re.search(r"^WAVELENGTHS[ \t]*$", text, _LINES)
    ends = begins and re.compile(r"^WAVELENGTHS_END", _LINES).search(text, begins.end())
    bits, bands = stated.get("NBITS", "8"), stated.get("NBANDS", "1")
    kind = stated.get("PIXELTYPE", "UNSIGNEDINT").upper()
    code = _TYPES.get((kind, int(bits) if bits.isdecimal() else 0))
    if code is None:
        raise FileError(path, f"its values are {kind} of {bits} bits, which cannot be read")
    byte_order = stated.get("BYTEORDER", "I" if sys.byteorder == "little" else "M").upper()
    items: dict[str, Any] = {
        "samples": stated["NCOLS"],
        "lines": stated["NROWS"],
        "bands": bands,
        "data type": str(code),
        "interleave": stated.get("LAYOUT", "BIL").lower(),
        "byte order": "1" if byte_order.startswith("M") else "0",
        "header offset": stated.get("SKIPBYTES", "0"),
    }
    if begins and ends:  # as Resonon and others add them
        items["wavelength"] = text[begins.end() : ends.start()].split()
    if "NODATA" in stated:
        items["data ignore value"] = stated["NODATA"]
    _check_padding(path, stated, items, int(bits) // 8)
    return items | _place(path, stated)


def _place(path: Path, stated: dict[str, str]) -> dict[str, Any]:
    """The grid, whose first pixel is named by its centre, and the coordinate system of a ``.prj`` beside it."""
    from napari_hsr.io import ground_beside
    from napari_hsr.io.tiff import geotiff

    x, y, across, down = (
        number(stated.get(name, "")) for name in ("ULXMAP", "ULYMAP", "XDIM", "YDIM")
    )
    if x is None or y is None or not across or not down:
        return {}
    grid = geotiff.of_six((x - across / 2, across, 0.0, y + down / 2, 0.0, -down))
    return {geotiff.KEY: grid | ground_beside.system(path)}


def _check_padding(path: Path, stated: dict[str, str], items: dict[str, Any], size: int) -> None:
    try:
        samples, bands = int(items["samples"]), int(items["bands"])
    except ValueError:
        return  # said where the layout is checked
    row = samples * size * (1 if items["interleave"] == "bsq" else bands)
    padded = int(stated.get("TOTALROWBYTES") or row) != row or int(stated.get("BANDGAPBYTES") or 0)
    if padded:
        raise FileError(path, "the rows of its binary are padded, which is not supported")
