"""ENVI's ``map info`` and ``coordinate system string`` as tags of GeoTIFF, and these as those."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from napari_hsr.io.decoding import nearly
from napari_hsr.io.tiff import geokeys
from napari_hsr.io.tiff.length_units import FOOT, METRE, USER_DEFINED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: ENVI's words for units of a projection.
_UNITS = {METRE: "Meters", FOOT: "Feet"}
#: A rotation that GDAL takes for rows that run to the north, and one that it turns all the same.
_HALF_A_TURN, _NEARLY_HALF = 180.0, 179.999999999
#: Units of latitude and longitude, and how many of them are a degree.
_PARTS_OF_DEGREES = {"minutes": 60, "seconds": 3600}
#: Units that ENVI has, in small letters.
_LENGTHS = (
    "m", "meter", "meters", "metre", "metres", "feet", "foot", "ft", "km", "kilometers", "yards", "miles", "nautical miles",
)  # fmt: skip
_ANGLES = ("degrees", "degree", "minutes", "seconds", "radians")
#: How the entries with a name begin.
_NAMED = re.compile(r"units|rotation", re.IGNORECASE)
#: Entries that every map info has, and how many times longer than wide no pixel is.
_LEAST, _MOST_OBLONG = 7, 100


def tags(stated: Any, system: Any = None) -> dict[str, Any] | None:
    """The tags that a ``map info`` amounts to; None for one that is damaged or too short.

    ``system`` is the header's ``coordinate system string``, a text or its entries.
    """
    if not isinstance(stated, (list, tuple)) or len(stated) < _LEAST:
        return None
    words = [str(item).strip() for item in stated]
    try:
        column, row, east, north, across, down = (float(word) for word in words[1:7])
        degrees = _rotation(words)
    except ValueError:
        return None
    if not of_some_size((across, down)) or _shifted(words):
        return None
    parts = _PARTS_OF_DEGREES.get(_stated_unit(words), 1)
    if parts > 1 and words[0].lower().startswith("geographic"):
        east, north, across, down = (each / parts for each in (east, north, across, down))
    listed = isinstance(system, (list, tuple))
    found = geokeys.of_names(words, ",".join(map(str, system)) if listed else str(system or ""))
    unit = _linear_unit(words)
    if (
        unit != METRE and geokeys.values(found).get(geokeys.MODEL) == 1
    ):  # the zone is known, its unit is another
        found["keys"] = geokeys.with_more(found["keys"], geokeys.LINEAR_UNITS, 0, 1, unit)
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


def _shifted(words: Sequence[str]) -> bool:
    """Whether entries stand where others belong, as behind a comma for a decimal point, or are misspelt.

    After the size of a pixel come the number of a zone, a half of the earth, a datum, and items with a
    name: one number at most, which is whole, and for UTM both zone and half.
    """
    named = [word.partition("=")[0] for word in words if "=" in word]
    if any(nearly(name, ("units", "rotation")) for name in named):
        return True
    if any(_NAMED.match(word) and "=" not in word for word in words):
        return True
    narrow, wide = sorted(abs(float(word)) for word in words[5:7])
    end = next((at for at, word in enumerate(words) if "=" in word), len(words))  # NEON adds a 0
    if any(_number(word) is None and "=" not in word for word in words[end:]):
        return True
    if any(one == other for one, other in pairwise(words[_LEAST:end])):  # one of them is doubled
        return True
    numbers = [at for at in range(_LEAST, end) if _number(words[at]) is not None]
    if wide > _MOST_OBLONG * narrow or numbers not in ([], [_LEAST]):
        return True
    zone = _number(words[_LEAST]) if numbers else None
    if zone is not None and not zone.is_integer():
        return True
    if words[0].lower() != "utm" or len(words) == _LEAST:
        return False
    half = words[_LEAST + 1].lower() if len(words) > _LEAST + 1 else ""
    return zone is None or not 1 <= zone <= 60 or half not in ("north", "south", "n", "s")


def _known_unit(words: Sequence[str]) -> bool:
    return _stated_unit(list(words)) in ("", *_LENGTHS, *_ANGLES)


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


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


def items(facts: Any) -> list[Any] | None:
    """ENVI's ``map info`` for the tags; None for what has none.

    The projection is named for UTM and for latitude and longitude, and else "Arbitrary".
    """
    grid = _grid(facts) if isinstance(facts, dict) else None
    if grid is None:
        return None
    reference, pixel, degrees = grid
    keys = geokeys.values(facts)
    projected, geographic = keys.get(geokeys.PROJECTED, 0), keys.get(geokeys.GEOGRAPHIC, 0)
    kind, tail = ["Arbitrary"], []
    for name, (datum, zones) in geokeys.UTM.items():
        if projected and projected - zones in range(1, 61):
            half = "South" if name == "south" else "North"
            unit = _UNITS.get(keys.get(geokeys.LINEAR_UNITS, METRE))
            if unit is not None:
                kind, tail = ["UTM"], [projected - zones, half, datum, f"units={unit}"]
    if keys.get(geokeys.MODEL) == 2 and geographic in (0, geokeys.WGS84):
        kind, tail = ["Geographic Lat/Lon"], ["WGS-84", "units=Degrees"]
    if abs(degrees) == _HALF_A_TURN:  # GDAL would read it as rows that run to the north
        degrees = math.copysign(_NEARLY_HALF, degrees)
    turned = [f"rotation={degrees:.12g}"] if degrees else []
    return [*kind, *reference, *pixel, *tail, *turned]


def coordinate_system(facts: Any) -> str | None:
    """ENVI's ``coordinate system string`` for the tags, where they or a table here have its text."""
    if not isinstance(facts, dict):
        return None
    _, found, rest = str(facts.get("ascii", "")).partition(geokeys.PE)
    if found:
        return rest.split("|")[0].strip()
    code = geokeys.values(facts).get(geokeys.PROJECTED, 0)
    for name, (_, zones) in geokeys.UTM.items():
        if name not in geokeys.DATUMS and code - zones in range(1, 61):
            return None  # map info says it all
        if name in geokeys.DATUMS and code - zones in range(1, 61):
            system, ellipsoid = geokeys.DATUMS[name]
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
    keys = geokeys.values(facts)
    code = keys.get(geokeys.PROJECTED) or keys.get(geokeys.GEOGRAPHIC) or 0
    return code if 1024 <= code < USER_DEFINED and code != geokeys.WGS84 else None


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
    facts = metadata.get(geokeys.KEY)
    if not isinstance(facts, dict) or "map info" in metadata:
        return None
    if items(facts) is None and {"transformation", "tiepoints"} & set(facts):
        return "The header does not keep the grid: its rows run to the north, or it is sheared."
    code = _code(facts)
    if code is None or coordinate_system(facts) or (items(facts) or ["Arbitrary"])[0] == "UTM":
        return None
    return (
        f"The header keeps the grid, but not its coordinate system, EPSG:{code}; with pyproj it does: "
        'pip install "napari-hsr[geo]".'
    )


def is_one(stated: Any) -> bool:
    """Whether a header's list says a place, whatever its name: a projection, and six numbers after it."""
    if not isinstance(stated, (list, tuple)) or len(stated) < _LEAST:
        return False
    words = [str(item).strip() for item in stated[:_LEAST]]
    return _number(words[0]) is None and all(_number(word) is not None for word in words[1:])


def read_otherwise(items: Any, system: Any = None) -> str | None:
    """A sentence on a turned ``map info`` that GDAL lays elsewhere than ENVI, or one that says no place; else None.

    GDAL writes half a turn for rows that run to the north and reads it so; it also counts from the corner of
    the first pixel as if the image were not turned, wherever the reference pixel is.
    """
    found = tags(items, system)
    if found is None and items:
        return "The file's map info is damaged, or too short: no place on the ground was taken from it."
    if found is None:
        return None
    known = geokeys.values(found).get(geokeys.MODEL) is not None
    if not known and str(items[0]).strip().lower() != "arbitrary":
        return "The file's map info names no coordinate system that is known here: its place was taken without one."
    if len(items) == _LEAST + 2 and str(items[0]).strip().lower() == "utm" and not system:
        return "The file's map info names no datum: WGS 84 was taken."
    if not _known_unit([str(item).strip() for item in items]):
        return "The file's map info states a unit that is not known here: sizes of pixels are as stated."
    if "transformation" not in found:
        return None
    degrees = _rotation([str(item).strip() for item in items])
    if abs(degrees) == _HALF_A_TURN:
        return (
            "The file's map info says rotation=180: rows and columns were taken as turned, as ENVI does; "
            "GDAL, which writes this of rows that run to the north, does not turn the columns."
        )
    if float(items[5]) != float(items[6]):
        return (
            "The file's map info turns pixels that are not square: so their place was taken as GDAL takes it; "
            "others may lay it elsewhere."
        )
    if [float(item) for item in items[1:3]] != [1.0, 1.0]:
        return (
            "The file's map info turns the image around a pixel that is not the first: so its place was taken, "
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


def of_some_size(pixel: Sequence[float]) -> bool:
    """Whether a pixel's width and height are finite and not zero."""
    return all(math.isfinite(side) and side != 0 for side in pixel)
