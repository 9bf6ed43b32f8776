"""Which of the images of a TIFF is the cube, and whether it is a cube or a picture."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import json_facts
from napari_hsr.io.tiff import decoding as tiff_decoding
from napari_hsr.io.tiff import gdal_metadata, geotiff

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_YCBCR = 6
#: JPEG 2000 of slide scanners, whose codestream holds YCbCr and does not say so.
_APERIO = 33003


def choose(path: Path, series: Any) -> Any:
    """The first image, if it is the only one or the others are smaller (previews).

    Pages written one by one are an image each to tifffile: alike, they are one stack.
    """
    if len(series) == 1:
        return series[0]
    first = series[0]
    alike = {(s.shape, s.dtype) for s in series}
    if len(alike) == 1 and len(first.shape) == 2 and first.dtype is not None:
        return Stack(series)
    cubes = [s for s in series if not _is_in_colours(s)]
    if len(cubes) == 1 and len(cubes[0].shape) == 3 and cubes[0].dtype is not None:
        return cubes[0]  # beside previews in colour, whatever their sizes
    others = list(series)[1:]
    broken = [s for s in others if s.dtype is None or 0 in s.shape or not s.keyframe.dataoffsets]
    if broken:
        where = broken[0].keyframe.index + 1
        raise FileError(path, f"the TIFF file is damaged: page {where} holds no pixels")
    biggest = max(int(np.prod(s.shape)) for s in others)
    bands_and_pictures = len(first.shape) == 3 and all(len(s.shape) == 2 for s in others)
    if int(np.prod(first.shape)) > 2 * biggest or bands_and_pictures:
        return first
    shapes = [" x ".join(str(n) for n in s.shape) for s in list(series)[:6]]
    if len(alike) == 1:
        which = f"of the same size ({shapes[0]}), and does not say which is the cube"
    elif len(set(shapes)) == 1:
        which = f"of one size ({shapes[0]}) and different types, and does not say which is the cube"
    else:
        which = f"of different sizes ({', '.join(shapes)})"
    raise FileError(path, f"it holds {len(series)} images {which}")


def _is_in_colours(series: Any) -> bool:
    """Whether it is an RGB picture, as programs put before or behind a cube."""
    page = series.keyframe
    rgb = page.photometric in (2, 6) and page.samplesperpixel in (3, 4)
    return bool(rgb and series.dtype in (np.uint8, np.uint16) and len(series.shape) == 3)


def is_unconverted(page: Any) -> bool:
    """Whether its samples are luma and chroma as stored: of YCbCr, pictures' own decoders alone make RGB."""
    compression = int(page.compression)
    decoders = tiff_decoding.JPEG | tiff_decoding.PICTURES
    return compression == _APERIO or (page.photometric == _YCBCR and compression not in decoders)


def is_picture(page: Any, series: Any) -> bool:
    """Three or four colour samples a pixel, a palette, or one page of 8- or 16-bit grey."""
    if page.photometric in (3, 5, 8):  # palette, CMYK, CIELAB
        return True
    if page.photometric in (2, 6) and page.samplesperpixel in (3, 4):
        return len(series.shape) == 3
    samples = page.samplesperpixel - sum(kind in (1, 2) for kind in page.extrasamples)  # no alpha
    camera_like = page.dtype is not None and page.dtype in (np.uint8, np.uint16, np.bool_)
    one_page = (
        int(np.prod(series.shape)) == page.imagewidth * page.imagelength * page.samplesperpixel
    )
    return camera_like and one_page and samples == 1


def is_a_band(page: Any, described: dict[str, Any]) -> bool:
    """Whether a grey page is a measured band: it has a wavelength, a scale, or a place on the ground."""
    if page.photometric not in (0, 1):
        return False
    facts = gdal_metadata.read(page, 1)
    stated = facts.wavelengths is not None or not facts.decoding.scales_nothing
    listed, _ = json_facts.wavelengths(described)
    ground = {"tiepoints", "transformation"} & set(geotiff.read(page) or {})
    return bool(stated or ground or listed is not None)


def tags_of_pages(series: Any, bands: int, codes: Sequence[int]) -> list[Any]:
    """The tags of each page of an image whose pages are its bands; empty where they are not.

    Those of pages behind the first are read only where they have one of ``codes``.
    """
    pages = list(series.pages)
    if len(pages) != bands or bands < 2 or None in pages or pages[0].samplesperpixel != 1:
        return []
    return [
        page.tags if hasattr(page, "tags") else page.aspage().tags if _has(page, codes) else {}
        for page in pages
    ]


def _has(frame: Any, codes: Sequence[int]) -> bool:
    """Whether a page that tifffile has not read as a whole has one of some tags."""
    form, handle = frame.parent.tiff, frame.parent.filehandle
    handle.seek(frame.offset)
    (count,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    listed = np.frombuffer(handle.read(count * form.tagsize), dtype=np.uint8)
    heads = listed[: listed.size // form.tagsize * form.tagsize].reshape(-1, form.tagsize)[:, :2]
    found = np.ascontiguousarray(heads).view(f"{form.byteorder}u2")
    return bool(np.isin(found, codes).any())


class Stack:
    """Images of one page each as one series of pages, with what is used of tifffile's."""

    axes = "IYX"
    dataoffset = None  # in no one block

    def __init__(self, series: Any):
        self.pages = [image.pages[0] for image in series]
        self.shape = (len(self.pages), *series[0].shape)
        self.dtype = series[0].dtype

    def asarray(self) -> np.ndarray:
        """All bands, shape (bands, height, width)."""
        return np.stack([page.asarray().reshape(self.shape[1:]) for page in self.pages])
