"""Headers (``.grd``) of R's package raster for a binary (``.gri``), as the items of an ENVI header.

The keywords are those of the package's vignette "The raster package: raster file format".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError
from napari_hsr.io.number_parsing import number

if TYPE_CHECKING:
    from pathlib import Path

#: ENVI's data types by R's names of them.
_TYPES = {
    "LOG1S": 1, "INT1U": 1, "INT2S": 2, "INT2U": 12, "INT4S": 3, "INT4U": 13, "FLT4S": 4, "FLT8S": 5,
}  # fmt: skip
_NEEDED = ("nrows", "ncols", "nbands", "datatype", "bandorder")
_SPECTRAL = re.compile(r"wave|lambda|wl\b|nm\b|[uµ]m\b", re.IGNORECASE)


def is_one(head: bytes) -> bool:
    """True for the head of such a header."""
    text = head.lstrip().lower()
    return text.startswith(b"[general]") and (
        b"\n[georeference]" in text or b"\ndatatype=" in text.replace(b"\r", b"")
    )


def parse(path: Path, text: str) -> dict[str, Any]:
    """The items of an ENVI header that say the same, with the place on the ground.

    Raises
    ------
    FileError
        If an item is missing, or the numbers are of a kind that is not supported.
    """
    stated: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            stated.setdefault(key.strip().lower(), value.strip())
    lacking = [name for name in _NEEDED if not stated.get(name)]
    if lacking:
        raise FileError(path, f"the header of R's raster lacks {', '.join(lacking)}")
    code = _TYPES.get(stated["datatype"].upper())
    if code is None:
        raise FileError(path, f"its values are {stated['datatype'][:40]!r}, which cannot be read")
    items: dict[str, Any] = {
        "samples": stated["ncols"],
        "lines": stated["nrows"],
        "bands": stated["nbands"],
        "data type": str(code),
        "interleave": stated["bandorder"].lower(),
        "byte order": "1" if stated.get("byteorder", "").lower().startswith("b") else "0",
    }
    if number(stated.get("nodatavalue", "")) is not None:
        items["data ignore value"] = stated["nodatavalue"]
    if stated.get("layername"):
        items["band names"] = stated["layername"].split(":")
    from napari_hsr.io.tiff import geotiff

    name, *values = stated.get("zvalues", "").split(":")  # as setZ gives every layer a value
    if len(values) > 1 and _SPECTRAL.search(name):
        items["wavelength"] = values
    place = _place(stated)
    return items | ({} if place is None else {geotiff.KEY: place})


def _place(stated: dict[str, str]) -> dict[str, Any] | None:
    """The grid on the ground and its coordinate system, as GeoTIFF's tags."""
    from napari_hsr.io.tiff import geotiff

    ends = [number(stated.get(name, "")) for name in ("xmin", "xmax", "ymin", "ymax")]
    columns, rows = number(stated["ncols"]), number(stated["nrows"])
    west, east, south, north = ends
    if west is None or east is None or south is None or north is None or not columns or not rows:
        return None
    across, down = (east - west) / columns, (north - south) / rows
    if across <= 0 or down <= 0 or (west, south, across, down) == (0, 0, 1, 1):  # R's own default
        return None
    grid = geotiff.of_six((west, across, 0, north, 0, -down))
    return grid | (_system(stated.get("wkt", ""), stated.get("projection", "")) or {})


def _system(wkt: str, terms: str) -> dict[str, Any] | None:
    """The coordinate system by its text, or by the terms of PROJ where these say UTM or degrees on WGS 84."""
    from napari_hsr.io.tiff import geokeys

    if wkt:
        return geokeys.of_text(wkt)
    said = dict(term.lstrip("+").partition("=")[::2] for term in terms.split())
    if "WGS84" not in (said.get("datum"), said.get("ellps")):
        return None
    if said.get("proj") == "longlat":
        return geokeys.of_code(geokeys.WGS84, False)
    zone = said.get("zone", "")
    if said.get("proj") == "utm" and zone.isdigit():
        return geokeys.of_code((32700 if "south" in said else 32600) + int(zone), True)
    return None
