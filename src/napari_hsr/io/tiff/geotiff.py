"""GeoTIFF's tags kept from reading to writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.io.tiff import gdal_items, geokeys, map_info

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The item of a cube's metadata that holds them.
KEY = geokeys.KEY
#: Tags by their names in that item: number and type as TIFF counts them.
_TAGS = {
    "pixel_scale": (33550, "d"), "tiepoints": (33922, "d"), "transformation": (34264, "d"),
    "keys": (34735, "H"), "doubles": (34736, "d"), "ascii": (34737, "s"),
}  # fmt: skip
#: Of these, what tells where pixels lie.
GRID = ("pixel_scale", "tiepoints", "transformation")
#: The matrix that GDAL writes where an image has no place: rows and columns.
_NO_PLACE = [float(row == column) for row in range(4) for column in range(4)]
#: What GDAL says of the whole image and stays true of a copy.
_NOT_KEPT = ("scale", "offset", "wavelength", "fwhm", "statistics", "bbl", "description")


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
    if found.get("transformation") == _NO_PLACE:
        del found["transformation"]
    _count_from_corners(found)
    kept = _whole_items(page)
    if kept:
        found["gdal"] = kept
    return found or None


def _count_from_corners(found: dict[str, Any]) -> None:
    """Tie points at centres of pixels (PixelIsPoint) become those of areas, as GDAL takes them."""
    keys = list(found.get("keys") or [])
    for at in range(4, len(keys) - 3, 4):
        if keys[at : at + 2] == [geokeys.RASTER, 0] and keys[at + 3] == 2:
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
    return map_info.tags(metadata.get("map info"), metadata.get("coordinate system string")) or {}


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


def corner_and_pixel(
    facts: Mapping[str, Any],
) -> tuple[tuple[float, float], tuple[float, float], bool] | None:
    """(x, y) of the upper left corner, width and height of a pixel, and whether these are metres.

    The height is negative where rows run to the north. None if :func:`stated` found no grid that lies straight.
    """
    scale, ties = facts.get("pixel_scale"), facts.get("tiepoints")
    if not scale and rows_to_the_north({KEY: facts}):
        matrix = facts["transformation"]
        scale, ties = [matrix[0], -matrix[5]], [0.0, 0.0, 0.0, matrix[3], matrix[7], 0.0]
    if not scale or not ties or len(ties) != 6 or not map_info.of_some_size(scale[:2]):
        return None
    keys = geokeys.values(facts)
    corner = ties[3] - ties[0] * scale[0], ties[4] + ties[1] * scale[1]
    metres = keys.get(geokeys.MODEL) in (None, 1) and geokeys.in_metres(keys)
    return corner, (scale[0], scale[1]), metres


def rows_to_the_north(metadata: Mapping[str, Any]) -> bool:
    """Whether the first row of a cube that lies straight is the one farthest to the south."""
    facts = metadata.get(KEY)
    matrix = facts.get("transformation") if isinstance(facts, dict) else None
    if not isinstance(matrix, list) or len(matrix) != 16:
        return False
    if not all(type(value) in (int, float) for value in matrix):  # of a damaged record
        return False
    return not matrix[1] and not matrix[4] and matrix[5] > 0


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
