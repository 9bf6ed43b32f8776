"""GeoTIFF's tags kept from reading to writing, and ``map info`` of ENVI as such tags."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from napari_hsr.io.tiff import gdal_items
from napari_hsr.io.tiff.length_units import (
    FOOT,
    METRE,
    USER_DEFINED,
    horizontal,
    in_metres,
    of_text_of_system,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The item of a cube's metadata that holds them.
KEY = "geotiff"
#: Tags by their names in that item: number and type as TIFF counts them.
_TAGS = {
    "pixel_scale": (33550, "d"), "tiepoints": (33922, "d"), "transformation": (34264, "d"),
    "keys": (34735, "H"), "doubles": (34736, "d"), "ascii": (34737, "s"),
}  # fmt: skip
#: Of these, what tells where pixels lie.
GRID = ("pixel_scale", "tiepoints", "transformation")
#: What GDAL says of the whole image and stays true of a copy.
_NOT_KEPT = ("scale", "offset", "wavelength", "fwhm", "statistics", "bbl", "description")
_MODEL, _RASTER, _GEOGRAPHIC, _PROJECTED = 1024, 1025, 2048, 3072
WGS84 = 4326
#: The code of a coordinate system at the end of its text.
_CODE = re.compile(r'(?:AUTHORITY|ID)\["EPSG",\s*"?(\d+)"?\]\s*\]\s*$')
_LINEAR_UNITS = 3076
_CITATION = 3073
#: ENVI's words for units of a projection.
_UNITS = {METRE: "Meters", FOOT: "Feet"}
#: How GDAL keeps the text of a coordinate system without a number.
_PE = "ESRI PE String = "
#: ENVI's datum of the zones of UTM whose numbers begin after this one (EPSG).
_UTM = {
    "north": ("WGS-84", 32600), "south": ("WGS-84", 32700), "nad83": ("NAD-83", 26900),
    "nad27": ("NAD-27", 26700), "etrs89": ("ETRS-89", 25800),
}  # fmt: skip
#: Names and ellipsoids of those that ENVI and others tell by a text.
_DATUMS = {
    "nad83": ("North_American_1983", '"GRS_1980",6378137.0,298.257222101'),
    "nad27": ("North_American_1927", '"Clarke_1866",6378206.4,294.9786982'),
    "etrs89": ("ETRS_1989", '"GRS_1980",6378137.0,298.257222101'),
}
#: A rotation that GDAL takes for rows that run to the north, and one that it turns all the same.
_HALF_A_TURN, _NEARLY_HALF = 180.0, 179.999999999
#: Units of latitude and longitude, and how many of them are a degree.
_PARTS_OF_DEGREES = {"minutes": 60, "seconds": 3600}


def read(page: Any) -> dict[str, Any] | None:
    """The tags of a page (tifffile's) as plain values; None if it says nothing of its place."""
    found: dict[str, Any] = {}
    for name, (number, kind) in _TAGS.items():
        tag = page.tags.get(number)
        if tag is not None:
            value = tag.value
            found[name] = (
                str(value) if kind == "s" else [*map(float if kind == "d" else int, value)]
            )
    _count_from_corners(found)
    kept = _whole_items(page)
    if kept:
        found["gdal"] = kept
    return found or None


def _count_from_corners(found: dict[str, Any]) -> None:
    """Tie points at centres of pixels (PixelIsPoint) become those of areas, as GDAL takes them."""
    keys = list(found.get("keys") or [])
    for at in range(4, len(keys) - 3, 4):
        if keys[at : at + 2] == [_RASTER, 0] and keys[at + 3] == 2:
            keys[at + 3] = 1
            found["keys"] = keys
            ties, matrix = found.get("tiepoints", []), [*found.get("transformation", [])]
            found |= (
                {"tiepoints": [v + 0.5 * (i % 6 < 2) for i, v in enumerate(ties)]} if ties else {}
            )
            for row in range(0, len(matrix) - 3, 4):
                matrix[row + 3] -= 0.5 * (matrix[row] + matrix[row + 1])
            if matrix:
                found["transformation"] = matrix


def _whole_items(page: Any) -> dict[str, str]:
    items = gdal_items.of_whole_image(page.tags)
    return {name: text for name, text in items.items() if not name.lower().startswith(_NOT_KEPT)}


def stated(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The tags of a cube: its own, else those that its ``map info`` amounts to."""
    own = metadata.get(KEY)
    if isinstance(own, dict):  # those that were kept elsewhere may count from centres
        own = dict(own)
        _count_from_corners(own)
        return own
    return _of_map_info(metadata.get("map info"), metadata.get("coordinate system string")) or {}


def extra_tags(facts: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The tags as tifffile takes them."""
    tags: list[tuple[Any, ...]] = []
    for name, (number, kind) in _TAGS.items():
        value = facts.get(name)
        if isinstance(value, str) and kind == "s":
            tags.append((number, kind, 0, value, True))
        elif isinstance(value, list) and kind != "s":
            tags.append((number, kind, len(value), tuple(value), True))
    return tags


def map_info(facts: Any) -> list[Any] | None:
    """ENVI's ``map info`` for the tags; None for what has none.

    The projection is named for UTM and for latitude and longitude, and else "Arbitrary".
    """
    grid = _grid(facts) if isinstance(facts, dict) else None
    if grid is None:
        return None
    reference, pixel, degrees = grid
    keys = _keys(facts)
    projected, geographic = keys.get(_PROJECTED, 0), keys.get(_GEOGRAPHIC, 0)
    kind, tail = ["Arbitrary"], []
    for name, (datum, zones) in _UTM.items():
        if projected and projected - zones in range(1, 61):
            half = "South" if name == "south" else "North"
            unit = _UNITS.get(keys.get(_LINEAR_UNITS, METRE))
            if unit is not None:
                kind, tail = ["UTM"], [projected - zones, half, datum, f"units={unit}"]
    if keys.get(_MODEL) == 2 and geographic in (0, WGS84):
        kind, tail = ["Geographic Lat/Lon"], ["WGS-84", "units=Degrees"]
    if abs(degrees) == _HALF_A_TURN:  # GDAL would read it as rows that run to the north
        degrees = math.copysign(_NEARLY_HALF, degrees)
    turned = [f"rotation={degrees:.12g}"] if degrees else []
    return [*kind, *reference, *pixel, *tail, *turned]


def coordinate_system(facts: Any) -> str | None:
    """ENVI's ``coordinate system string`` for the tags, where they or a table here have its text."""
    if not isinstance(facts, dict):
        return None
    _, found, rest = str(facts.get("ascii", "")).partition(_PE)
    if found:
        return rest.split("|")[0].strip()
    code = _keys(facts).get(_PROJECTED, 0)
    for name, (_, zones) in _UTM.items():
        if name not in _DATUMS and code - zones in range(1, 61):
            return None  # map info says it all
        if name in _DATUMS and code - zones in range(1, 61):
            system, ellipsoid = _DATUMS[name]
            return (
                f'PROJCS["{system}_UTM_Zone_{code - zones}N",GEOGCS["GCS_{system}",DATUM["D_{system}",'
                f'SPHEROID[{ellipsoid}]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
                'PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],'
                'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",'
                f'{6.0 * (code - zones) - 183}],PARAMETER["Scale_Factor",0.9996],'
                'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
            )
    return _by_library(_code(facts))


def _code(facts: Mapping[str, Any]) -> int | None:
    """The number of a coordinate system that ``map info`` has no words for."""
    keys = _keys(facts)
    code = keys.get(_PROJECTED) or keys.get(_GEOGRAPHIC) or 0
    return code if 1024 <= code < USER_DEFINED and code != WGS84 else None


def _by_library(code: int | None) -> str | None:
    if code is None:
        return None
    try:
        import pyproj
    except ImportError:
        return None  # :func:`lost` says so
    try:
        return str(pyproj.CRS.from_epsg(code).to_wkt("WKT1_ESRI"))
    except pyproj.exceptions.CRSError:
        return None  # no such system, or one that ESRI's texts cannot say


def lost(metadata: Mapping[str, Any]) -> str | None:
    """A sentence on a grid or coordinate system that an ENVI header will not keep; None if it does."""
    facts = metadata.get(KEY)
    if not isinstance(facts, dict) or "map info" in metadata:
        return None
    if map_info(facts) is None and {"transformation", "tiepoints"} & set(facts):
        return "The header does not keep the grid: its rows run to the north, or it is sheared."
    code = _code(facts)
    if code is None or coordinate_system(facts) or (map_info(facts) or ["Arbitrary"])[0] == "UTM":
        return None
    return (
        f"The header keeps the grid, but not its coordinate system, EPSG:{code}; with pyproj it does: "
        'pip install "napari-hsr[geo]".'
    )


def read_otherwise(items: Any) -> str | None:
    """A sentence on a turned ``map info`` that GDAL lays elsewhere than ENVI, or one that says no place; else None.

    GDAL writes half a turn for rows that run to the north and reads it so; it also counts from the corner of
    the first pixel as if the image were not turned, wherever the reference pixel is.
    """
    found = _of_map_info(items)
    if found is None and items:
        return "The header's map info is damaged, or too short: no place on the ground was taken from it."
    if found is None or "transformation" not in found:
        return None
    degrees = _rotation([str(item).strip() for item in items])
    if abs(degrees) == _HALF_A_TURN:
        return (
            "The header's map info says rotation=180: rows and columns were taken as turned, as ENVI does; "
            "GDAL, which writes this of rows that run to the north, does not turn the columns."
        )
    if float(items[5]) != float(items[6]):
        return (
            "The header's map info turns pixels that are not square: so their place was taken as GDAL takes it; "
            "others may lay it elsewhere."
        )
    if [float(item) for item in items[1:3]] != [1.0, 1.0]:
        return (
            "The header's map info turns the image around a pixel that is not the first: so its place was taken, "
            "as ENVI does; GDAL lays it elsewhere."
        )
    return None


def _rotation(words: Sequence[str]) -> float:
    """The degrees that ``map info`` states; ValueError if they are none."""
    turned = [word.split("=")[1] for word in words if word.lower().startswith("rotation=")]
    return float(turned[0]) if turned else 0.0


def _grid(facts: Mapping[str, Any]) -> tuple[list[float], list[float], float] | None:
    """Reference pixel (from 1) with its x and y, size of a pixel, and degrees that rows are turned."""
    scale, ties, matrix = (facts.get(k) for k in ("pixel_scale", "tiepoints", "transformation"))
    if scale and ties and len(ties) >= 6:
        return [ties[0] + 1, ties[1] + 1, ties[3], ties[4]], list(scale[:2]), 0.0
    if not matrix or len(matrix) != 16:
        return None
    across, down = math.hypot(matrix[0], matrix[1]), math.hypot(matrix[4], matrix[5])
    if not across or not down:
        return None
    cosine, sine = matrix[0] / across, matrix[1] / across
    if abs(cosine + matrix[5] / down) > 1e-6 or abs(sine - matrix[4] / down) > 1e-6:
        return None  # sheared
    return [1.0, 1.0, matrix[3], matrix[7]], [across, down], math.degrees(math.atan2(sine, cosine))


def corner_and_pixel(
    facts: Mapping[str, Any],
) -> tuple[tuple[float, float], tuple[float, float], bool] | None:
    """(x, y) of the upper left corner, width and height of a pixel, and whether these are metres.

    None if :func:`stated` found no grid that lies straight.
    """
    scale, ties = facts.get("pixel_scale"), facts.get("tiepoints")
    if not scale or not ties or len(ties) != 6 or not _of_some_size(scale[:2]):
        return None
    keys = _keys(facts)
    corner = ties[3] - ties[0] * scale[0], ties[4] + ties[1] * scale[1]
    metres = keys.get(_MODEL) in (None, 1) and _in_metres(keys)
    return corner, (scale[0], scale[1]), metres


def _in_metres(keys: Mapping[int, int]) -> bool:
    """Whether lengths are known to be in metres: as stated, else by the number of the system."""
    if _LINEAR_UNITS in keys:
        return keys[_LINEAR_UNITS] == METRE
    code = keys.get(_PROJECTED)
    zone = code is not None and any(code - zones in range(1, 61) for _, zones in _UTM.values())
    return zone or (code is not None and in_metres(code))


def _of_some_size(pixel: Sequence[float]) -> bool:
    return all(math.isfinite(side) and side != 0 for side in pixel)


def _of_map_info(items: Any, system: Any = None) -> dict[str, Any] | None:
    if not isinstance(items, (list, tuple)) or len(items) < 7:
        return None
    words = [str(item).strip() for item in items]
    try:
        column, row, east, north, across, down = (float(word) for word in words[1:7])
        degrees = _rotation(words)
    except ValueError:
        return None
    if not _of_some_size((across, down)):
        return None
    parts = _PARTS_OF_DEGREES.get(_stated_unit(words), 1)
    if parts > 1 and words[0].lower().startswith("geographic"):
        east, north, across, down = (each / parts for each in (east, north, across, down))
    listed = isinstance(system, (list, tuple))
    found = _system(words, ",".join(map(str, system)) if listed else str(system or ""))
    unit = _linear_unit(words)
    if unit != METRE and _keys(found).get(_MODEL) == 1:  # the zone is known, its unit is another
        found["keys"] = _with(found["keys"], _LINEAR_UNITS, 0, 1, unit)
    if not degrees:
        found["pixel_scale"] = [across, down, 0.0]
        found["tiepoints"] = [column - 1, row - 1, 0.0, east, north, 0.0]
        return found
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = (across * cosine, across * sine), (down * sine, -down * cosine)
    found["transformation"] = [
        *x, 0.0, east - (column - 1) * x[0] - (row - 1) * x[1],
        *y, 0.0, north - (column - 1) * y[0] - (row - 1) * y[1],
        *(0.0,) * 4, 0.0, 0.0, 0.0, 1.0,
    ]  # fmt: skip
    return found


def _stated_unit(words: list[str]) -> str:
    """The unit that ``map info`` states, in small letters; empty where it states none."""
    stated = [word.partition("=")[2] for word in words if word[:5].lower() == "units"]
    return stated[0].strip().lower() if stated else ""


def _linear_unit(words: list[str]) -> int:
    """The unit that ``map info`` states, as a key's value; metres where it states none."""
    stated = _stated_unit(words)
    if stated in ("", "m", "meter", "meters", "metre", "metres"):
        return METRE
    return FOOT if stated in ("feet", "foot", "ft") else USER_DEFINED


def _system(words: list[str], system: str) -> dict[str, Any]:
    """Keys of the projection that ``map info`` names, or of the text of a coordinate system."""
    system = horizontal(system)
    kind, plain = words[0].lower(), system.upper().replace(" ", "_")
    area = [1, 1, 0, 0, _RASTER, 0, 1, 1]
    if kind == "utm" and len(words) > 8 and words[7].isdigit():
        north = words[8].lower().startswith("n")
        datum = words[9].upper().replace("_", "-") if len(words) > 9 else "WGS-84"
        for name, (named, zones) in _UTM.items():
            said = name in _DATUMS and f"D_{_DATUMS[name][0].upper()}" in plain
            of_it = said if "DATUM[" in plain and "D_WGS_1984" not in plain else datum == named
            if of_it and (name == "south") != north:
                code = zones + int(words[7])
                return {"keys": _with(area, _MODEL, 0, 1, 1, _PROJECTED, 0, 1, code)}
    if kind.startswith("geographic") and ("WGS-84" in words or "D_WGS_1984" in plain or not plain):
        return {"keys": _with(area, _MODEL, 0, 1, 2, _GEOGRAPHIC, 0, 1, WGS84)}
    text = f"{_PE}{system}|"
    if plain.startswith(("PROJCS[", "GEOGCS[")):
        more = (_MODEL, 0, 1, USER_DEFINED, _CITATION, 34737, len(text), 0)
        return {"keys": _with(area, *more), "ascii": text}
    return {"keys": _with(area)}


def of_code(code: int, projected: bool) -> dict[str, Any]:
    """The keys of a coordinate system by its number (EPSG)."""
    kind = (_MODEL, 0, 1, 1, _PROJECTED) if projected else (_MODEL, 0, 1, 2, _GEOGRAPHIC)
    return {"keys": _with([1, 1, 0, 0, _RASTER, 0, 1, 1], *kind, 0, 1, code)}


def of_text(system: str) -> dict[str, Any]:
    """The keys of a coordinate system by its text (WKT): its number, or else the text itself."""
    system = horizontal(system)
    plain = system.strip().upper()
    found = _CODE.search(plain)
    if found is not None:
        made = of_code(int(found[1]), plain.startswith(("PROJCS[", "PROJCRS[")))
        unit = of_text_of_system(plain)
        if unit is not None:
            made["keys"] = _with(made["keys"], _LINEAR_UNITS, 0, 1, unit)
        return made
    return _system(["Arbitrary"], system.strip())


def of_six(numbers: Sequence[float]) -> dict[str, Any]:
    """The grid of GDAL's six numbers: x of the corner, across and down; y of it, across and down."""
    x, x_across, x_down, y, y_across, y_down = (float(n) for n in numbers)
    if not x_down and not y_across and y_down < 0 < x_across:
        return {
            "pixel_scale": [x_across, -y_down, 0.0],
            "tiepoints": [0.0, 0.0, 0.0, x, y, 0.0],
        }
    rows = ([x_across, x_down, 0.0, x], [y_across, y_down, 0.0, y], [0.0] * 4, [0.0, 0.0, 0.0, 1.0])
    return {"transformation": [value for row in rows for value in row]}


def _with(keys: list[int], *more: int) -> list[int]:
    """A directory of keys: these and more, in ascending order."""
    rows = [keys[i : i + 4] for i in range(4, len(keys), 4)]
    rows += [list(more[i : i + 4]) for i in range(0, len(more), 4)]
    return [1, 1, 0, len(rows), *(number for row in sorted(rows) for number in row)]


def _keys(facts: Mapping[str, Any]) -> dict[int, int]:
    listed = facts.get("keys") or []
    rows = [listed[i : i + 4] for i in range(4, len(listed) - 3, 4)]
    return {key: value for key, location, _, value in rows if location == 0}
