"""The place on the ground in files beside an image: world files, ``.prj``, and GDAL's ``.aux.xml``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.number_parsing import number
from napari_hsr.io.tiff import geokeys, geotiff
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path


def beside(path: Path) -> dict[str, Any] | None:
    """Grid and coordinate system as GeoTIFF's tags; None where no file beside it has a grid.

    Parameters
    ----------
    path : Path
        Of the image: ``scene.tif`` has ``scene.tfw``, ``scene.prj`` and ``scene.tif.aux.xml``.
    """
    wkt = _content(path.with_suffix(".prj"))
    grid, of_gdal = _of_gdal(path)
    grid = grid or _world(path)
    if grid is None:
        return None
    text = (wkt or of_gdal).strip()
    return geotiff.of_six(grid) | (geokeys.of_text(text) if text else {})


def stated_by_gdal(path: Path) -> dict[str, Any] | None:
    """The same of ``scene.tif.aux.xml`` alone, which counts for GDAL before what the image itself says."""
    grid, text = _of_gdal(path)
    if grid is None:
        return None
    return geotiff.of_six(grid) | (geokeys.of_text(text.strip()) if text.strip() else {})


def of_image(path: Path, own: dict[str, Any] | None) -> dict[str, Any] | None:
    """The tags of its place, but for what GDAL keeps beside it; without a grid, that of another file beside it."""
    later = stated_by_gdal(path)
    if later is not None:
        kept = {k: v for k, v in (own or {}).items() if k not in geotiff.GRID}
        return kept | later
    if own and {"tiepoints", "transformation"} & set(own):
        return own
    place = beside(path)
    return own if place is None else place | (own or {})


def of_photograph(
    path: Path, orientation: object, notices: list[Notice], own: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The item of a photograph's metadata that says where it lies; empty where nothing says so.

    Parameters
    ----------
    path : Path
    orientation : object
        By which its pixels were turned, as EXIF counts: the place is that of pixels as stored.
    notices : list of Notice
        Told here where a place is left out.
    own : dict, optional
        What the file itself says, as GeoTIFF's tags.
    """
    place = of_image(path, own) or {}
    if not {"tiepoints", "transformation"} & set(place):
        return {}
    if orientation in range(2, 9):
        told = (
            f"It is turned as its orientation, {orientation}, says; its place on the ground is that of pixels as "
            "stored, and was left out."
        )
        notices.append(Notice.warning(Code.PLACE_UNUSABLE, told))
        return {}
    # GDAL's words are about the colours
    return {geotiff.KEY: {name: value for name, value in place.items() if name != "gdal"}}


def system(path: Path) -> dict[str, Any]:
    """The coordinate system of ``scene.prj`` beside ``scene.bil``; empty where there is none."""
    text = _content(path.with_suffix(".prj")).strip()
    return geokeys.of_text(text) if text else {}


def _world(path: Path) -> list[float] | None:
    """The six numbers of a world file, from the corner of the first pixel on, not its centre."""
    for file in _worlds(path):
        lines = _content(file).split()
        known = [n for n in map(number, lines) if n is not None]
        if len(known) == len(lines) == 6:
            x_across, y_across, x_down, y_down, x, y = known
            x, y = x - (x_across + x_down) / 2, y - (y_across + y_down) / 2
            return [x, x_across, x_down, y, y_across, y_down] if x_across or x_down else None
    return None


def names(path: Path) -> list[Path]:
    """All files that :func:`beside` may look into, whether they are there or not."""
    files = [path.with_suffix(".prj"), *_worlds(path)]
    capital = [file.with_suffix(file.suffix.upper()) for file in files]
    return [*files, *capital, path.with_name(f"{path.name}.aux.xml")]


def _worlds(path: Path) -> list[Path]:
    suffix = path.suffix.lstrip(".")
    found = [path.with_suffix(f".{s}") for s in (f"{suffix}w", "wld")]
    if len(suffix) > 2:
        found.insert(0, path.with_suffix(f".{suffix[0]}{suffix[-1]}w"))
    return found


def _of_gdal(path: Path) -> tuple[list[float] | None, str]:
    try:
        root = ElementTree.fromstring(_content(path.with_name(f"{path.name}.aux.xml")))
    except ElementTree.ParseError:
        return None, ""  # there is none, or it is broken: a side note is not needed
    listed = [number(part.strip()) for part in (root.findtext("GeoTransform") or "").split(",")]
    known = [n for n in listed if n is not None]
    return known if len(known) == len(listed) == 6 else None, root.findtext("SRS") or ""


def _content(file: Path) -> str:
    """The text of a small file; empty where there is none."""
    for named in (file, file.with_suffix(file.suffix.upper())):
        if os.path.isfile(named):
            try:
                return limits.content(named).decode("utf-8-sig", "replace")
            except (OSError, FileError):
                return ""  # a side note that cannot be read does not make the image unreadable
    return ""
