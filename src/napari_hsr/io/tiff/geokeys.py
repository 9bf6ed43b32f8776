"""Keys of GeoTIFF: which coordinate system a place is in, by its number or by its text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari_hsr.io.tiff.length_units import (
    METRE,
    USER_DEFINED,
    horizontal,
    of_text_of_system,
)
from napari_hsr.io.tiff.length_units import in_metres as number_in_metres

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The item of a cube's metadata that holds GeoTIFF's tags.
KEY = "geotiff"
#: Numbers of keys.
MODEL, RASTER, GEOGRAPHIC, PROJECTED = 1024, 1025, 2048, 3072
LINEAR_UNITS, _CITATION = 3076, 3073
WGS84 = 4326
#: The code of a coordinate system at the end of its text.
_CODE = re.compile(r'(?:AUTHORITY|ID)\["EPSG",\s*"?(\d+)"?\]\s*\]\s*$')
#: How GDAL keeps the text of a coordinate system without a number.
PE = "ESRI PE String = "
#: ENVI's datum of the zones of UTM whose numbers begin after this one (EPSG).
UTM = {
    "north": ("WGS-84", 32600), "south": ("WGS-84", 32700), "nad83": ("NAD-83", 26900),
    "nad27": ("NAD-27", 26700), "etrs89": ("ETRS-89", 25800),
}  # fmt: skip
#: Names and ellipsoids of those that ENVI and others tell by a text.
DATUMS = {
    "nad83": ("North_American_1983", '"GRS_1980",6378137.0,298.257222101'),
    "nad27": ("North_American_1927", '"Clarke_1866",6378206.4,294.9786982'),
    "etrs89": ("ETRS_1989", '"GRS_1980",6378137.0,298.257222101'),
}


def of_code(code: int, projected: bool) -> dict[str, Any]:
    """The keys of a coordinate system by its number (EPSG)."""
    kind = (MODEL, 0, 1, 1, PROJECTED) if projected else (MODEL, 0, 1, 2, GEOGRAPHIC)
    return {"keys": with_more([1, 1, 0, 0, RASTER, 0, 1, 1], *kind, 0, 1, code)}


def of_text(system: str) -> dict[str, Any]:
    """The keys of a coordinate system by its text (WKT): its number, or else the text itself."""
    system = horizontal(system)
    plain = system.strip().upper()
    found = _CODE.search(plain)
    if found is not None:
        made = of_code(int(found[1]), plain.startswith(("PROJCS[", "PROJCRS[")))
        unit = of_text_of_system(plain)
        if unit is not None:
            made["keys"] = with_more(made["keys"], LINEAR_UNITS, 0, 1, unit)
        return made
    return of_names(["Arbitrary"], system.strip())


def of_names(words: list[str], system: str) -> dict[str, Any]:
    """Keys of the projection that ``map info`` names, or of the text of a coordinate system."""
    system = horizontal(system)
    kind, plain = words[0].lower(), system.upper().replace(" ", "_")
    area = [1, 1, 0, 0, RASTER, 0, 1, 1]
    if kind == "utm" and len(words) > 8 and words[7].isdigit():
        north = words[8].lower().startswith("n")
        datum = words[9].upper().replace("_", "-") if len(words) > 9 else "WGS-84"
        for name, (named, zones) in UTM.items():
            said = name in DATUMS and f"D_{DATUMS[name][0].upper()}" in plain
            of_it = said if "DATUM[" in plain and "D_WGS_1984" not in plain else datum == named
            if of_it and (name == "south") != north:
                code = zones + int(words[7])
                return {"keys": with_more(area, MODEL, 0, 1, 1, PROJECTED, 0, 1, code)}
    if kind.startswith("geographic") and ("WGS-84" in words or "D_WGS_1984" in plain or not plain):
        return {"keys": with_more(area, MODEL, 0, 1, 2, GEOGRAPHIC, 0, 1, WGS84)}
    text = f"{PE}{system}|"
    if plain.startswith(("PROJCS[", "GEOGCS[")):
        more = (MODEL, 0, 1, USER_DEFINED, _CITATION, 34737, len(text), 0)
        return {"keys": with_more(area, *more), "ascii": text}
    return {"keys": with_more(area)}


def with_more(keys: list[int], *more: int) -> list[int]:
    """A directory of keys: these and more, in ascending order."""
    rows = [keys[i : i + 4] for i in range(4, len(keys), 4)]
    rows += [list(more[i : i + 4]) for i in range(0, len(more), 4)]
    return [1, 1, 0, len(rows), *(number for row in sorted(rows) for number in row)]


def values(facts: Mapping[str, Any]) -> dict[int, int]:
    """The keys of tags as numbers, without those that point to a text."""
    listed = facts.get("keys") or []
    rows = [listed[i : i + 4] for i in range(4, len(listed) - 3, 4)]
    return {key: value for key, location, _, value in rows if location == 0}


def in_metres(keys: Mapping[int, int]) -> bool:
    """Whether lengths are known to be in metres: as stated, else by the number of the system."""
    if LINEAR_UNITS in keys:
        return keys[LINEAR_UNITS] == METRE
    code = keys.get(PROJECTED)
    zone = code is not None and any(code - zones in range(1, 61) for _, zones in UTM.values())
    return zone or (code is not None and number_in_metres(code))
