"""ENVI images: a text header and a binary beside it, memory-mapped."""

from __future__ import annotations

import os
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import build_cube, detect, embedded_record, ground_beside, limits
from napari_hsr.io.bands import lists_of_bands
from napari_hsr.io.decoding import nearly, with_markers
from napari_hsr.io.envi import byte_order, scales
from napari_hsr.io.envi import header as envi_header
from napari_hsr.io.library_errors import translated
from napari_hsr.io.mapped import map_file
from napari_hsr.io.number_parsing import NOTHING
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.io.tiff import gdal_metadata, geotiff, map_info
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from napari_hsr.cube import Cube

#: The header item that carries our record.
ITEM = "napari-hsr"
_STRUCTURE = {
    "lines", "samples", "bands", "header offset", "data type", "interleave", "byte order",
    "file type", *envi_header.WAVELENGTH_ITEMS, *envi_header.UNIT_ITEMS, ITEM,
}  # fmt: skip
#: How programs write bbl in words.
_TRUTH = {"true": 1, "t": 1, "yes": 1, "good": 1, "false": 0, "f": 0, "no": 0, "bad": 0}


def read(path: Path, choice: Choice = ANY) -> Cube:
    """Read an ENVI image named by its header or its binary.

    Native float32 data stay memory-mapped whatever their size; a reflectance scale factor
    is applied and said; ``bbl``, ``fwhm`` (in nm) and the other items go to the metadata.

    Raises
    ------
    FileError
        If header or binary is missing, they do not fit each other, or the header is damaged.
    """
    header, binary = _pair(path)
    items = envi_header.parse(header)
    layout = envi_header.layout(header, items)
    notices = _others(header, binary, layout.size)
    binary = binary or envi_header.find_binary(header, layout.size)
    if binary is None:
        raise FileError(
            header,
            f"the ENVI header has no binary beside it; looked for {header.stem} with "
            f"{', '.join(s for s in detect.ENVI_BINARY_SUFFIXES if s)} or without a suffix",
        )
    actual = binary.stat().st_size
    packed = _is_packed(binary)
    if not packed and str(items.get("file compression", "0")).strip() not in ("", "0"):
        raise FileError(header, "its binary is compressed, but not by gzip; save it uncompressed")
    extra = actual - layout.size
    line = layout.bands * layout.samples * layout.dtype.itemsize
    plane = layout.lines * layout.samples * layout.dtype.itemsize
    whole = extra % line == 0 or extra % plane == 0  # the header then forgets lines or bands
    if not packed and (extra < 0 or (extra and whole)):
        raise FileError(
            header,
            f"the header describes {layout.describe()}, {layout.size} bytes, but its binary "
            f"{binary.name} has {actual}",
        )
    found = _facts(header, binary, items, layout)
    found.notices += notices + envi_header.stated_twice(header) + envi_header.no_items(header)
    found.notices += envi_header.long_lists(header)
    suffix = binary.suffix.lower().lstrip(".")
    if suffix in _AXES and suffix != layout.interleave:
        told = f"The header says {layout.interleave} of {binary.name}: so it was read."
        found.notices += (Notice.warning(Code.OTHER, told),)
    if packed:
        found.source = _unpacked(header, binary, layout)
    else:
        found.source = _memory_map(header, binary, layout)
        if extra:
            told = f"{extra} bytes behind the image in {binary.name} were left out."
            found.notices += (Notice.warning(Code.BYTES_LEFT_OUT, told),)
    if found.record is None:
        found.notices += _byte_order(found.source)
    return build_cube.build(path, found, choice)


def _byte_order(source: np.ndarray) -> tuple[Notice, ...]:
    """A notice of numbers that make sense in the other byte order only."""
    if not byte_order.is_contradicted(source, 2):
        return ()
    little = source.dtype.newbyteorder("<") == source.dtype
    taken, other = ("little", "big")[:: 1 if little else -1]
    told = (
        f"The numbers were read as {taken}-endian, but make sense as {other}-endian only: if so, the header "
        f"must say “byte order = {1 if little else 0}”."
    )
    return (Notice.warning(Code.BYTE_ORDER_DOUBTFUL, told),)


def files(path: Path) -> tuple[Path, ...]:
    """Header and binary of an image named by either; the header alone if there is no binary.

    Raises
    ------
    FileError
        If there is no header, or it is damaged.
    """
    header, binary = _pair(path)
    size = envi_header.layout(header, envi_header.parse(header)).size
    binary = binary or envi_header.find_binary(header, size)
    return (header,) if binary is None else (header, binary)


def _pair(path: Path) -> tuple[Path, Path | None]:
    if detect.is_envi_header(detect.head_of(path)):
        return path, None
    header = detect.header_beside(path)
    if header is None:
        raise FileError(path, "an ENVI binary needs its header beside it")
    return header, path


def _others(header: Path, binary: Path | None, size: int) -> tuple[Notice, ...]:
    """A notice of another header of the binary, or of another binary of the header."""
    if binary is None:
        taken, *others = envi_header.of_size(header, size) or [header]
    else:
        taken = header
        names = (f"{binary.stem}.hdr", f"{binary.name}.hdr")
        others = [header.with_name(n) for n in names if n != header.name]
        others = [o for o in others if os.path.isfile(o) and o.read_bytes() != header.read_bytes()]
    if not others:
        return ()
    told = f"{taken.name} was taken; {', '.join(o.name for o in others)} would do as well."
    return (Notice.warning(Code.OTHER, told),)


def _is_packed(binary: Path) -> bool:
    return detect.head_of(binary, 3) == b"\x1f\x8b\x08"


def _unpacked(header: Path, binary: Path, layout: envi_header.Layout) -> np.ndarray:
    """A binary that is compressed by gzip, in memory; no more of it than the header describes."""
    import gzip

    told = f"its binary {binary.name} is compressed by gzip, and damaged or cut short"
    if layout.size > 1100 * binary.stat().st_size:  # gzip packs no tighter
        raise FileError(header, told)
    limits.check_room(header, layout.size, "the unpacked image", binary.stat().st_size)
    with translated(header, told), gzip.open(binary) as file:
        content = file.read(layout.size + 1)
    if len(content) != layout.size:
        held = "more" if len(content) > layout.size else str(len(content))
        raise FileError(
            header,
            f"the header describes {layout.describe()}, {layout.size} bytes, but its binary "
            f"{binary.name}, compressed by gzip, has {held}",
        )
    axes = _AXES[layout.interleave]
    sizes = (layout.bands, layout.lines, layout.samples)
    shape = tuple(sizes[axes.index(axis)] for axis in range(3))
    values: np.ndarray = np.frombuffer(content, layout.dtype, offset=layout.offset)
    return values.reshape(shape).transpose(axes)


#: Which axes of the binary hold bands, lines and samples.
_AXES = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (2, 0, 1)}


def _memory_map(header: Path, binary: Path, layout: envi_header.Layout) -> np.memmap:
    """The binary as (bands, lines, samples), whatever its interleave."""
    axes = _AXES[layout.interleave]
    sizes = (layout.bands, layout.lines, layout.samples)
    shape = tuple(sizes[axes.index(axis)] for axis in range(3))
    with translated(header, "its binary cannot be memory-mapped"):
        mapped: np.memmap = map_file(binary, layout.dtype, shape, layout.offset).transpose(axes)
    return mapped


def _facts(
    header: Path, binary: Path | None, items: dict[str, Any], layout: envi_header.Layout
) -> build_cube.Found:
    found = build_cube.Found(None, stated=True, unit_has_a_place=True, notices=layout.notices)
    found.looked_in = "its header, also among the names of the bands"
    own = embedded_record.stored_as(items)
    found.record = embedded_record.parse(str(items.get(own, "")).removeprefix("record "))
    double = Path(header.stem).suffix.lower() in detect.ENVI_BINARY_SUFFIXES  # scene.img.hdr
    found.name = Path(header.stem).stem if double else header.stem
    found.wavelengths, found.unit = envi_header.wavelengths(items)
    units = items.get("data units") or None
    facts = gdal_metadata.BandFacts()
    if binary is not None:  # GDAL's file beside what GDAL wrote
        facts = gdal_metadata.beside(binary, layout.bands)
    if found.wavelengths is None:
        found.wavelengths, found.unit = facts.wavelengths, facts.unit
    if found.wavelengths is None and isinstance(items.get("band names"), list):
        found.notices += wl.named_in_part(items["band names"])
    found.units = ", ".join(map(str, units)) if isinstance(units, list) else units
    found.metadata = {key: items[key] for key in items if key not in _STRUCTURE}
    _split_per_band(found, items, layout.bands)
    scales.apply_factor(header, found, items)
    stated = items.get(build_cube.NO_DATA)
    if isinstance(stated, str):  # "-9999", or with a remark behind it
        items = {**items, build_cube.NO_DATA: stated.partition(";")[0].strip("\"' \t")}
    marker = envi_header.numbers(items, build_cube.NO_DATA)
    unused = marker is None and not facts.decoding.markers
    if unused and str(items.get(build_cube.NO_DATA, "")).strip().lower() not in NOTHING:
        told = f"The header's data ignore value, {items[build_cube.NO_DATA]!r}, is no number: no effect."
        found.notices += (Notice.warning(Code.NO_DATA, told),)
    if marker and len(marker) == layout.bands:
        found.decoding = with_markers(found.decoding, marker)
    elif marker:
        found.decoding = replace(found.decoding, no_data=tuple(dict.fromkeys(marker)))
    else:
        of_gdal = facts.decoding
        found.decoding = replace(
            found.decoding, no_data=of_gdal.no_data, no_data_of_each=of_gdal.no_data_of_each
        )
    if found.decoding.markers:
        found.per_band.pop(build_cube.NO_DATA, None)
        found.metadata[build_cube.NO_DATA] = found.decoding.markers[0]
    scales.apply_gains(header, found, items, layout.bands)
    _add_of_gdal(found, facts, binary)
    if str(items.get("file type", "")).strip().lower() == "envi classification":
        told = (
            "The header calls it a classification: its numbers are classes, and no measured values."
        )
        found.notices += (Notice.warning(Code.OTHER, told),)
    found.notices += _strange_places(items)
    dark = envi_header.numbers(items, "autodarkstartline")
    if dark and 0 < dark[0] < layout.lines:
        told = f"Lines from {dark[0]:g} on are the camera's dark frames, as the header says."
        found.notices += (Notice.warning(Code.DARK_FRAMES, told),)
    found.notices += scales.left(items, layout.bands) + envi_header.misnamed(items, layout.bands)
    return found


def _add_of_gdal(
    found: build_cube.Found, facts: gdal_metadata.BandFacts, binary: Path | None
) -> None:
    """What GDAL's file beside the binary states and the header does not: scales, lists, the place."""
    theirs = found.wavelengths is not None and found.wavelengths is facts.wavelengths
    of_bands = {k: v for k, v in facts.per_band.items() if theirs or k == "bbl"}
    found.per_band = of_bands | found.per_band
    found.notices += facts.notices + facts.damage
    found.units = found.units or facts.units
    if found.decoding.scales_nothing:
        found.decoding = replace(
            found.decoding, scale=facts.decoding.scale, offset=facts.decoding.offset
        )
        if not found.decoding.scales_nothing:
            told = "Values were scaled as GDAL's SCALE and OFFSET beside the file say."
            found.notices += (Notice.info(Code.SCALE_APPLIED, told),)
            found.steps += (told,)
    if binary is not None and not {"map info", geotiff.KEY} & set(found.metadata):
        place = ground_beside.beside(binary)
        found.metadata |= {} if place is None else {geotiff.KEY: place}


def _strange_places(items: dict[str, Any]) -> tuple[Notice, ...]:
    """That a list says a place under another name than the one it has, as of a damaged header."""
    near = [] if "map info" in items else get_close_matches("map info", items, 3, 0.5)
    places = [key for key in near if nearly(key, ("mapinfo",)) or map_info.is_one(items[key])]
    if not places:
        return ()
    told = f"The header's {one_line(places[0], 40)} may be a damaged map info: no place was taken from it."
    return (Notice.warning(Code.PLACE_UNUSABLE, told),)


def _split_per_band(found: build_cube.Found, items: dict[str, Any], bands: int) -> None:
    """Lists with one item a band turn round with the bands; numbers become numbers."""
    for key, value in list(found.metadata.items()):
        values = envi_header.numbers(items, key)
        if isinstance(value, list) and values is not None:
            if all(v.is_integer() for v in values) and key != "fwhm":
                values = [int(v) for v in values]
            found.metadata[key] = value = values
        if lists_of_bands({key: value}, bands):
            if key == "bbl" and values is None:
                words = [_TRUTH.get(str(item).strip().lower()) for item in value]
                if None in words:
                    told = "The header's bbl are no numbers: no effect."
                    found.notices += (Notice.warning(Code.LIST_UNUSABLE, told),)
                    continue
                found.metadata[key] = words
            if key == "fwhm" and values is None:
                widths = wl.from_texts(envi_header.entries(value))
                if widths is None or len(widths[0]) != bands:
                    told = "The header's fwhm are no numbers: no effect."
                    found.notices += (Notice.warning(Code.LIST_UNUSABLE, told),)
                    continue
                found.metadata[key], found.width_unit = widths[0].tolist(), widths[1]
            found.per_band[key] = found.metadata.pop(key)
        elif key in ("bbl", "fwhm"):
            if isinstance(value, list):
                told = f"The header's {key} has {len(value)} values for {bands} bands: left out."
            else:  # as without the brace that opens a list
                told = f"The header's {key} is no list of a number for each band: no effect."
            found.notices += (Notice.warning(Code.LIST_UNUSABLE, told),)
