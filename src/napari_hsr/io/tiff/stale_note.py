"""A note that GDAL left beside an image of the same name, which would be taken for one of the new image."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.decoding import APPLIED, NO_DATA_NAMES, plain_name

if TYPE_CHECKING:
    from pathlib import Path

#: What of it counts for the whole image, by tag.
_OF_THE_IMAGE = {"GeoTransform": "a place", "SRS": "a place", "GCPList": "a place"}
#: What counts for a band, by tag or key in small letters.
_OF_A_BAND = {
    "scale": "a scale",
    "offset": "an offset",
    "nodatavalue": "no data",
    "unittype": "a unit",
}


def check(image: Path) -> None:
    """Refuse to write an image beside a note that would change its values or lay it elsewhere.

    GDAL removes the note when it writes over an image; a file that nobody named is not ours to remove.
    Notes of statistics alone, as QGIS leaves them, do no harm.

    Parameters
    ----------
    image : Path
        A TIFF, or the binary of an ENVI image.

    Raises
    ------
    FileError
        If there is such a note.
    """
    note = image.with_name(f"{image.name}.aux.xml")
    if not os.path.isfile(note):
        return
    try:
        root = ElementTree.fromstring(limits.content(note))
    except (ElementTree.ParseError, OSError, FileError):
        return  # neither GDAL nor reading takes anything of it
    if stated := _stated(root):
        raise FileError(
            image,
            f"{note.name} of an older image lies beside it and states {', '.join(stated)}, which would be "
            "applied to the new one; move that file away or choose another name",
        )


def _stated(root: ElementTree.Element) -> list[str]:
    """What of a note would be applied, for people."""
    found = [what for tag, what in _OF_THE_IMAGE.items() if root.find(tag) is not None]
    for item in root.findall("Metadata/MDI"):
        name = plain_name(item.get("key") or "")
        if name in (*APPLIED, *NO_DATA_NAMES):
            found.append("no data" if name in NO_DATA_NAMES else f"a {name}")
    for band in root.findall("PAMRasterBand"):
        names = [element.tag for element in band]
        names += [item.get("key") or "" for item in band.findall("Metadata/MDI")]
        found += [_OF_A_BAND[name.lower()] for name in names if name.lower() in _OF_A_BAND]
    return list(dict.fromkeys(found))
