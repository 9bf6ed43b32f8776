"""Writing ENVI: header and binary put in place together."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError, PlaceNotKeptWarning
from napari_hsr.io import detect, embedded_record, limits
from napari_hsr.io.atomic import finish, replacing_both
from napari_hsr.io.build_cube import NO_DATA
from napari_hsr.io.envi import header as envi_header
from napari_hsr.io.envi.reader import ITEM
from napari_hsr.io.stored_numbers import DTYPES, Storing, plan, row_blocks, write_planes
from napari_hsr.io.tiff import geotiff, map_info, stale_note

if TYPE_CHECKING:
    from napari_hsr.cube import Cube
    from napari_hsr.georeference import Place

#: Metadata that other ENVI software understands and that stay true of the written cube.
_PASSED_ON = (
    "fwhm", "bbl", "band names", "map info", "coordinate system string", "projection info",
    "data ignore value", "acquisition time", "sensor type",
)  # fmt: skip


def write(cube: Cube, path: Path, storing: Storing | None = None, interleave: str = "bsq") -> None:
    """Write ``path`` (.hdr) and its binary (.img, or the one that the header had before).

    A cube on disk, also one mapped from this very pair, is read once, in the order of its file.
    The old binary stays mapped by an open cube until that is closed. Pixels with a place of
    their own get a ``map info`` of the projection "Arbitrary", in pixels of the source, whose
    outer corner is at 0, 0: other software then lays both over each other. A ``map info`` from
    the field stays what it is. The place itself is read from our item alone, for x start and y
    start are whole pixels, and pixel size is in metres.

    Raises
    ------
    FileError
        If the files cannot be written, or would be mixed up with others of that name.

    Warns
    -----
    PlaceNotKeptWarning
        If the header has no words for where the pixels lie.
    """
    binary, storing = binary_for(path), storing or plan(cube)
    lost = map_info.lost(cube.metadata)
    stale_note.check(binary)
    text = _header(cube, storing, interleave)  # refused before all values are written
    with replacing_both(binary, path) as (data, header):
        with data.open("wb") as file:
            if interleave == "bsq":
                write_planes(file, cube, storing)
            else:
                order = (1, 0, 2) if interleave == "bil" else (1, 2, 0)
                for _, values in row_blocks(cube):
                    turned = np.ascontiguousarray(storing.numbers(values).transpose(order))
                    file.write(turned.data.cast("B"))
        header.write_text(text, encoding="ascii", newline="\n")
    if lost is not None:
        warnings.warn(f"{path.name}: {lost.rstrip('.')}", PlaceNotKeptWarning, stacklevel=3)


def binary_for(header: Path) -> Path:
    """The name for the binary, so that the header can mean no other file afterwards."""
    finish(Path(os.path.realpath(header)))
    if header.exists() and detect.is_envi_header(detect.head_of(header)):
        try:
            size = envi_header.layout(header, envi_header.parse(header)).size
        except FileError:
            size = -1  # a damaged header is written anew
        partner = envi_header.find_binary(header, size)
        if partner is not None and partner.suffix.lower() in detect.ENVI_BINARY_SUFFIXES:
            return partner
    binary = header.with_suffix(".img")
    confused = [binary, header.with_suffix("")] if not header.exists() else [header.with_suffix("")]
    for other in confused:
        if other.is_file():
            raise FileError(
                header,
                f"{other.name} already lies beside it and belongs to no such header; "
                "choose another name or move that file away",
            )
    return binary


def _header(cube: Cube, storing: Storing, interleave: str) -> str:
    """The text of the header.

    What no reader can do without comes last, so that a truncated header is refused and not
    taken for one without wavelengths or provenance.
    """
    bands, height, width = cube.shape
    # the word before the brace keeps the JSON one plain value for every ENVI reader
    lines = [
        "ENVI",
        f"description = {{{clean(cube.name)}}}",
        f"{ITEM} = record {embedded_record.to_text(cube)}",
    ]
    if cube.units:
        lines.append(f"data units = {clean(cube.units)}")
    facts = {key: cube.metadata[key] for key in _PASSED_ON if key in cube.metadata}
    if storing.dtype.kind != "f":
        facts.pop(NO_DATA, None)  # that of the floats that it was read from
        facts |= {} if storing.no_data is None else {NO_DATA: f"{storing.no_data:.9g}"}
    if storing.factor != 1.0:
        facts["reflectance scale factor"] = f"{storing.factor:.9g}"
    on_the_ground = map_info.items(cube.metadata.get(geotiff.KEY))
    if "map info" not in facts and on_the_ground is not None:
        facts["map info"] = on_the_ground
        system = map_info.coordinate_system(cube.metadata.get(geotiff.KEY))
        if system is not None:
            facts.setdefault("coordinate system string", system)
    lines += [f"{key} = {_value(value)}" for key, value in facts.items()]
    if cube.place is not None and "map info" not in facts:
        lines.append(f"map info = {_value(_arbitrary(cube.place))}")
    if cube.wavelengths is not None:
        lines.append("wavelength units = Nanometers")
        lines.append(f"wavelength = {{{', '.join(repr(nm) for nm in cube.wavelengths)}}}")
    lines += [
        "file type = ENVI Standard",
        "header offset = 0",
        "byte order = 0",
        f"data type = {DTYPES[storing.dtype.name]}",
        f"samples = {width}",
        f"lines = {height}",
        f"bands = {bands}",
        f"interleave = {interleave}",
    ]
    text = "\n".join(lines) + "\n"
    limits.check_kept(len(text.encode()), f"The facts in the header of {cube.name}")
    return text


def _arbitrary(place: Place) -> tuple[object, ...]:
    """The upper left corner of the first pixel, with y upwards as maps have it, and its size."""
    left, top = (
        o - p / 2 + 0.5 for o, p in zip(place.origin[::-1], place.pixel[::-1], strict=True)
    )
    return ("Arbitrary", 1, 1, left, 0.0 - top, *place.pixel[::-1], 0, "North")


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple, np.ndarray)):
        return "{" + ", ".join(clean(item) for item in value) + "}"
    return clean(value)


def clean(value: Any) -> str:
    """Text that cannot break a header: no braces, no line ends or other controls, ASCII."""
    text = re.sub(r"[{}\s\x00-\x1f\x7f-\x9f]+", " ", str(value)).strip()
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
