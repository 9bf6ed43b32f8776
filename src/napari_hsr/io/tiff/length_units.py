"""The unit of lengths on the ground: by the text of a coordinate system, or by its number."""

from __future__ import annotations

import math
import re
from functools import lru_cache

#: Units as values of a GeoTIFF's key.
METRE, FOOT, FOOT_OF_SURVEYS, USER_DEFINED = 9001, 9002, 9003, 32767
#: A unit in the text of a coordinate system (in capitals), and what it is in metres.
_STATED = re.compile(r'\b(?:LENGTH)?UNIT\["[^"]*",\s*([0-9.]+(?:E[-+]?[0-9]+)?)')

#: What holds a horizontal system beside others: heights, or a transformation. And such systems.
_WITH_OTHERS = re.compile(r"\s*(?:COMPD_CS|COMPOUNDCRS|BOUNDCRS)\s*\[", re.IGNORECASE)
_HORIZONTAL = re.compile(
    r"\b(?:PROJCS|PROJCRS|PROJECTEDCRS|GEOGCS|GEOGCRS|GEOGRAPHICCRS|GEODCRS|GEODETICCRS)\s*\[",
    re.IGNORECASE,
)
_NAME_OR_BRACKET = re.compile(r'"[^"]*"|[\[\]]')


def horizontal(system: str) -> str:
    """The horizontal system of a compound one by its text (WKT); of others the text itself."""
    if _WITH_OTHERS.match(system) is None:
        return system
    found = _HORIZONTAL.search(system)
    if found is None:
        return system
    depth = 0
    for mark in _NAME_OR_BRACKET.finditer(system, found.start()):
        depth += {"[": 1, "]": -1}.get(mark[0], 0)
        if not depth and mark[0] == "]":
            return system[found.start() : mark.end()]
    return system


def of_text_of_system(plain: str) -> int | None:
    """The unit that a projected system's text (WKT, in capitals) ends with, as a key's value."""
    if not plain.startswith(("PROJCS[", "PROJCRS[")):
        return None
    stated = _STATED.findall(plain)
    if not stated:
        return None
    metres = float(stated[-1])
    known = {METRE: 1.0, FOOT: 0.3048, FOOT_OF_SURVEYS: 1200 / 3937}
    near = (unit for unit, size in known.items() if math.isclose(metres, size, rel_tol=1e-7))
    return next(near, USER_DEFINED)


@lru_cache(maxsize=64)
def in_metres(code: int) -> bool:
    """Whether a projected system of this number (EPSG) is known to count in metres; pyproj knows."""
    try:
        import pyproj
    except ImportError:
        return False
    try:
        axes = pyproj.CRS.from_epsg(code).axis_info
    except pyproj.exceptions.CRSError:
        return False
    return bool(axes) and all(axis.unit_name == "metre" for axis in axes)
