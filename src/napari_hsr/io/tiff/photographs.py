"""Photographs in TIFF files: any type of integers or floats, pixels through tifffile."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import photograph as encodings
from napari_hsr.errors import FileError
from napari_hsr.io import embedded_record, ground_beside, lazy, limits
from napari_hsr.io.library_errors import translated
from napari_hsr.io.photographs import icc
from napari_hsr.io.photographs.reader import finish, grey, unknown_encoding, upright
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.io.tiff import gdal_metadata, geotiff
from napari_hsr.io.tiff.pixels import TiffPixels, can_stay
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import Photograph
from napari_hsr.provenance import Provenance

if TYPE_CHECKING:
    from pathlib import Path


_DAMAGED = "the TIFF file is damaged or cut short"
_RGB, _PALETTE, _YCBCR = 2, 3, 6
#: Bits by the largest value that they hold, of sensors whose numbers are kept in 16.
_FULL = {2**bits - 1: bits for bits in (10, 12, 14)}
#: Of a description no more characters are searched.
_LONGEST = 200_000


def read(
    path: Path, file: Any, ours: embedded_record.Record | None, choice: Choice = ANY
) -> Photograph:
    """The first page of an open TIFF file as a photograph.

    Raises
    ------
    FileError
        If it is grey, of another colour model, or damaged.
    """
    page = file.pages.first
    if 0 in page.shape:
        raise FileError(path, f"the image is empty ({page.imagewidth} x {page.imagelength} pixels)")
    if _stays_on_disk(page, ours, choice) and (ours is not None or not _significant_bits(page)):
        return _on_disk(path, file, page, ours)
    if page.dtype is not None:
        size = f"{page.imagewidth} x {page.imagelength} pixels"
        limits.check_room(path, int(page.nbytes), f"the picture ({size})")
    return of_pixels(path, file, page, _pixels(path, page), ours, choice)


def of_pixels(
    path: Path,
    file: Any,
    page: Any,
    values: np.ndarray,
    ours: embedded_record.Record | None = None,
    choice: Choice = ANY,
) -> Photograph:
    """The stored pixels of a page (height, width, 3 or 4) as a photograph, by what the page says of them."""
    notices: list[Notice] = []
    metadata: dict[str, Any] = {"bit_depth": 8 * values.dtype.itemsize}
    encoding: str | None = encodings.SRGB
    profile = icc.parse(bytes(page.iccprofile)) if page.iccprofile else None
    stated = profile is not None and (profile.is_srgb or profile.can_convert)
    stored = values.dtype
    if values.shape[2:] == (4,) and page.extrasamples[:1] == (1,) and ours is None:
        values = _without_alpha_in_colours(values, notices)
    if stored.kind in "iu" and stored not in (np.uint8, np.uint16):
        values = _unusual_integers(path, values, notices)
    if values.dtype.kind == "f":
        if values.dtype != np.float32:
            values = lazy.to_float32(values)
        if not stated and ours is None:
            encoding = None
            kind = "floats" if stored.kind == "f" else stored.name
            notices.append(unknown_encoding(f"A TIFF of {kind}"))
    _note_camera(page, metadata)
    if ours is None:
        values = upright(values, _tag(page, 274))
        metadata |= ground_beside.of_photograph(path, _tag(page, 274), notices, geotiff.read(page))
        notices += _about_missing(page, file)
    bits = page.bitspersample if isinstance(page.bitspersample, int) else None
    if bits == 8 * stored.itemsize:
        bits = _significant_bits(page)  # those of the container say nothing of a camera's
    fourth = _fourth(page) if values.shape[2:] == (4,) else None
    scale = choice.full_scale
    return finish(
        path, values, encoding, notices, metadata, ours, bits, scale, fourth, profile=profile
    )


def _significant_bits(page: Any) -> int | None:
    """How many bits of 16 count, as OME-XML or TIFF's largest sample value state it; None for all or unsaid."""
    if page.dtype != np.uint16:
        return None
    found = re.search(r'\bSignificantBits="(\d{1,2})"', str(page.description)[:_LONGEST])
    largest = _tag(page, 281)
    most = max(largest) if isinstance(largest, tuple) and largest else largest
    bits = int(found[1]) if found else _FULL.get(most) if isinstance(most, int) else None
    return bits if bits is not None and 8 < bits < 16 else None


def _pixels(path: Path, page: Any) -> np.ndarray:
    """The colours of a page as stored, (height, width, samples); those of a palette looked up."""
    if page.photometric == _PALETTE and page.colormap is not None:
        with translated(path, _DAMAGED):
            table = page.colormap.astype(np.uint16)
            if not (table & 0xFF).any():  # 8 bits each, by programs that put them in the upper half
                table = table // 256 * 257
            return np.moveaxis(table[:, page.asarray()], 0, -1)
    if page.photometric in (0, 1):
        raise grey(path)
    if page.photometric not in (_RGB, _YCBCR):
        name = getattr(page.photometric, "name", str(page.photometric))
        name = "CMYK" if name == "SEPARATED" else name
        raise FileError(path, f"its colours are {name}; a photograph in RGB was expected")
    with translated(path, _DAMAGED):
        values: np.ndarray = page.asarray()
    # planes of colour, one after the other
    return np.moveaxis(values, 0, -1) if page.axes.startswith("S") else values


def _stays_on_disk(page: Any, ours: embedded_record.Record | None, choice: Choice) -> bool:
    """Whether a large picture needs no look at all of its pixels, and can be read where it is used."""
    profile = icc.parse(bytes(page.iccprofile)) if page.iccprofile else None
    plain = page.dtype in (np.uint8, np.uint16) and page.bitspersample == 8 * page.dtype.itemsize
    colours = page.photometric in (_RGB, _YCBCR) and page.samplesperpixel in (3, 4)
    upright_already = ours is not None or _tag(page, 274) in (None, 1)
    as_it_is = choice.full_scale is None and (profile is None or profile.is_srgb)
    known = page.samplesperpixel == 3 or (_fourth(page) is None and page.extrasamples[:1] != (1,))
    return plain and colours and upright_already and as_it_is and known and can_stay(page)


def _on_disk(path: Path, file: Any, page: Any, ours: embedded_record.Record | None) -> Photograph:
    pixels: Any = TiffPixels(path, file, page)
    if ours is not None:
        known = ours.provenance, ours.notices, ours.metadata
        return Photograph(pixels, ours.encoding, ours.name or path.stem, *known)
    metadata: dict[str, Any] = {"bit_depth": 8 * pixels.dtype.itemsize}
    if page.iccprofile:
        metadata["icc_profile"] = icc.parse(bytes(page.iccprofile)).name
    _note_camera(page, metadata)
    told = [Notice.info(Code.ALPHA_LEFT_OUT, "Alpha was left out.")] * (page.samplesperpixel == 4)
    told += _about_missing(page, file)
    metadata |= ground_beside.of_photograph(path, _tag(page, 274), told, geotiff.read(page))
    provenance = Provenance(input=path.name)
    return Photograph(pixels, encodings.SRGB, path.stem, provenance, tuple(told), metadata)


def _fourth(page: Any) -> str | None:
    """The name of a fourth band that is no alpha (associated or not)."""
    if any(kind in (1, 2) for kind in page.extrasamples):
        return None
    return gdal_metadata.band_name(page, 3) or "which has no name"


def _without_alpha_in_colours(values: np.ndarray, notices: list[Notice]) -> np.ndarray:
    """Colours that were multiplied by alpha (associated alpha), divided by it again."""
    full = float(np.iinfo(values.dtype).max) if values.dtype.kind == "u" else 1.0
    alpha = values[..., 3:].astype(np.float64) / full
    if not ((alpha > 0) & (alpha < 1)).any():
        return values
    colours = np.divide(
        values[..., :3], alpha, out=np.zeros_like(alpha).repeat(3, -1), where=alpha > 0
    )
    if full > 1:
        colours = np.rint(np.minimum(colours, full))
    told = "Colours were stored multiplied by alpha, and were divided by it."
    notices.append(Notice.info(Code.COLOURS_CONVERTED, told))
    return np.concatenate([colours.astype(values.dtype), values[..., 3:]], axis=-1)


def _about_missing(page: Any, file: Any) -> list[Notice]:
    """A notice of pixels that the file calls missing: a photograph keeps them."""
    marker = page.tags.get(gdal_metadata.NO_DATA_TAG)
    masks = any(int(getattr(p, "subfiletype", 0) or 0) & 4 for p in file.pages)
    if marker is None and not masks:
        return []
    which = (
        "that the file masks" if marker is None else f"stored as {str(marker.value).strip()[:20]}"
    )
    told = f"Pixels {which} are no data; a photograph has no missing values: they are kept."
    return [Notice.warning(Code.NO_DATA, told)]


def _unusual_integers(path: Path, values: np.ndarray, notices: list[Notice]) -> np.ndarray:
    """Integers that no camera writes, as float32 with the largest of their type as 1."""
    least, full = values.min(), np.iinfo(values.dtype).max
    if least < 0:
        raise FileError(
            path, f"its colours are negative down to {least}; a photograph has none below 0"
        )
    told = f"Values of type {values.dtype.name} were divided by the largest, {full}."
    notices.append(Notice.info(Code.VALUES_RESCALED, told))
    return (values / np.float64(full)).astype(np.float32)


def _note_camera(page: Any, metadata: dict[str, Any]) -> None:
    for key, tag in (("camera_make", 271), ("camera", 272)):
        text = _tag(page, tag)
        if isinstance(text, str) and text.strip():
            metadata[key] = text.strip()


def _tag(page: Any, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value
