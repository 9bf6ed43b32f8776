"""GeoTIFF's tags kept from reading to writing, and ``map info`` of ENVI as such tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from napari_hsr.io.gdal_metadata import METADATA_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The item of a cube's metadata that holds them.
KEY = "geotiff"
#: Tags by their names in that item: number and type as TIFF counts them.
_TAGS = {
    "pixel_scale": (33550, "d"), "tiepoints": (33922, "d"), "transformation": (34264, "d"),
    "keys": (34735, "H"), "doubles": (34736, "d"), "ascii": (34737, "s"),
}  # fmt: skip
#: What GDAL says of the whole image and stays true of a copy.
_NOT_KEPT = ("scale", "offset", "wavelength", "fwhm", "statistics", "bbl", "description")
_MODEL, _RASTER, _GEOGRAPHIC, _PROJECTED = 1024, 1025, 2048, 3072
_WGS84 = 4326
_LINEAR_UNITS, _METRE = 3076, 9001


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
    kept = _whole_items(page)
    if kept:
        found["gdal"] = kept
    return found or None


def _whole_items(page: Any) -> dict[str, str]:
    tag = page.tags.get(METADATA_TAG)
    try:
        root = ElementTree.fromstring(str(tag.value).strip("\0 ")) if tag is not None else None
    except ElementTree.ParseError:
        return {}  # a broken side note does not make the image unreadable
    items = [] if root is None else [i for i in root.iter("Item") if i.get("sample") is None]
    return {
        str(item.get("name")): (item.text or "").strip()
        for item in items
        if item.get("name") and not str(item.get("name")).lower().startswith(_NOT_KEPT)
    }


def stated(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The tags of a cube: its own, else those that its ``map info`` amounts to."""
    own = metadata.get(KEY)
    if isinstance(own, dict):
        return own
    return _of_map_info(metadata.get("map info")) or {}


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
    """ENVI's ``map info`` for tags of UTM or of latitude and longitude; None for others."""
    if not isinstance(facts, dict):
        return None
    scale, ties = facts.get("pixel_scale"), facts.get("tiepoints")
    if not scale or not ties or len(ties) < 6:
        return None
    keys = _keys(facts)
    raster = 0.5 if keys.get(_RASTER) == 2 else 0.0  # a tie point at a centre, not at a corner
    reference = [ties[0] + 1 + raster, ties[1] + 1 + raster, ties[3], ties[4]]
    projected, geographic = keys.get(_PROJECTED, 0), keys.get(_GEOGRAPHIC, 0)
    if 32601 <= projected <= 32660 or 32701 <= projected <= 32760:
        half = "North" if projected < 32700 else "South"
        tail = [projected % 100, half, "WGS-84", "units=Meters"]
        return ["UTM", *reference, scale[0], scale[1], *tail]
    if keys.get(_MODEL) == 2 and geographic in (0, _WGS84):
        tail = ["WGS-84", "units=Degrees"]
        return ["Geographic Lat/Lon", *reference, scale[0], scale[1], *tail]
    return None


def corner_and_pixel(
    facts: Mapping[str, Any],
) -> tuple[tuple[float, float], tuple[float, float], bool] | None:
    """(x, y) of the upper left corner, width and height of a pixel, and whether these are metres.

    None if :func:`stated` found no grid that lies straight.
    """
    scale, ties = facts.get("pixel_scale"), facts.get("tiepoints")
    if not scale or not ties or len(ties) != 6:
        return None
    keys = _keys(facts)
    raster = 0.5 if keys.get(_RASTER) == 2 else 0.0
    corner = ties[3] - (ties[0] + raster) * scale[0], ties[4] + (ties[1] + raster) * scale[1]
    metres = keys.get(_MODEL) in (None, 1) and keys.get(_LINEAR_UNITS, _METRE) == _METRE
    return corner, (scale[0], scale[1]), metres and (_PROJECTED in keys or _LINEAR_UNITS in keys)


def _of_map_info(items: Any) -> dict[str, Any] | None:
    if not isinstance(items, (list, tuple)) or len(items) < 7:
        return None
    words = [str(item).strip() for item in items]
    try:
        column, row, east, north, across, down = (float(word) for word in words[1:7])
    except ValueError:
        return None
    if any("rotation" in word.lower() for word in words):
        return None  # turned images have no pixel scale
    kind = words[0].lower()
    if kind == "utm" and len(words) > 8 and words[7].isdigit():
        code = (32600 if words[8].lower().startswith("n") else 32700) + int(words[7])
        keys = [1, 1, 0, 3, _MODEL, 0, 1, 1, _RASTER, 0, 1, 1, _PROJECTED, 0, 1, code]
    elif kind.startswith("geographic"):
        keys = [1, 1, 0, 3, _MODEL, 0, 1, 2, _RASTER, 0, 1, 1, _GEOGRAPHIC, 0, 1, _WGS84]
    else:
        return None
    return {
        "pixel_scale": [across, down, 0.0],
        "tiepoints": [column - 1, row - 1, 0.0, east, north, 0.0],
        "keys": keys,
    }


def _keys(facts: Mapping[str, Any]) -> dict[int, int]:
    listed = facts.get("keys") or []
    rows = [listed[i : i + 4] for i in range(4, len(listed) - 3, 4)]
    return {key: value for key, location, _, value in rows if location == 0}
