"""TIFF: cubes of many pages, planes or samples, and photographs."""

from __future__ import annotations

import math
import threading
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import (
    build_cube,
    embedded_record,
    ground_beside,
    json_facts,
    lazy,
    limits,
    per_band_facts,
    several_cubes,
)
from napari_hsr.io.band_axis import band_axis_of_pages
from napari_hsr.io.build_cube import NO_DATA
from napari_hsr.io.decoding import APPLIED, NO_DATA_NAMES, plain_name
from napari_hsr.io.library_errors import translated
from napari_hsr.io.mapped import map_file
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.io.scale_and_offset import state_numbers
from napari_hsr.io.tiff import decoding as tiff_decoding
from napari_hsr.io.tiff import gdal_items, gdal_metadata, geotiff, images
from napari_hsr.io.tiff import masks as tiff_masks
from napari_hsr.io.tiff import page_chain as tiff_chain
from napari_hsr.io.tiff import wavelengths as tiff_wavelengths
from napari_hsr.io.wavelengths import product_metadata
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_hsr.cube import Cube
    from napari_hsr.photograph import Photograph

#: Where wavelengths are looked for.
_LOOKED_IN = (
    "its descriptions, names of pages, GDAL's items, OME-XML, XMP, and an XML or text file or a "
    "header beside it"
)
_ORIENTATION, _MIN_IS_WHITE = 274, 0
#: A palette, CMYK and CIELAB.
_NO_NUMBERS = (3, 5, 8)
#: Tags that say something of the page alone that has them.
_OF_PAGES = (_ORIENTATION, gdal_items.TAG, gdal_metadata.NO_DATA_TAG)
#: Names of axes that are taken for bands and are none.
_OTHER_AXES = {"Z": "depth", "T": "time", "P": "position", "A": "angle", "V": "view"}
_DAMAGED = "the TIFF file is damaged or cut short"


def read(path: Path, choice: Choice = ANY) -> Cube | Photograph:
    """Read a TIFF: an RGB picture as a photograph, everything else as a cube.

    Pages, planes or samples are the bands, in any integer or float type, compressed or
    not. A large cube stays on disk: mapped if it is not compressed, else page by page.

    Raises
    ------
    FileError
        If the file is damaged, or holds a grey or CMYK picture or several unlike images.
    """
    return _read(path, choice)[0]


def read_band(path: Path, choice: Choice, centre: float) -> tuple[Cube, np.dtype]:
    """Read a TIFF that is known to be the band at this wavelength, and how its values are stored.

    Of several pages the first counts, and it is said; of one in colours all samples are in the cube.

    Raises
    ------
    FileError
        If the file is damaged, or its numbers stand for colours.
    """
    found, dtype = _read(path, choice, centre)
    return cast("Cube", found), dtype


def _read(
    path: Path, choice: Choice, centre: float | None = None
) -> tuple[Cube | Photograph, np.dtype]:
    """The image, and the type of what is stored; of a band ``centre`` is known."""
    tiff_chain.check(path)
    with translated(path, _DAMAGED):
        file = tiff_chain.opened(path)
    keep = False
    try:
        with translated(path, _DAMAGED):
            file.pages.cache = True  # what guards their decoding is said to the pages themselves
            page = file.pages.first
            of_pages = tiff_chain.check_pages(path, file)
            tiff_decoding.guard(path, file)
            series = [s for s in file.series if not tiff_masks.is_mask(s.keyframe)] or file.series
        chosen = images.choose(path, series)
        tiff_chain.check_planes(path, chosen)
        ours, described = _described(file)
        of_ours = ours is not None and ours.kind == "photograph" and centre is None
        if not of_ours:
            _check_described(path, described, series[0])
        page = chosen.pages[0]
        if page is not file.pages.first:
            described = tiff_wavelengths.described(page)
        is_open = (ours is None or ours.kind is None) and choice.is_open
        if is_open and images.is_unconverted(page):
            told = "its colours are stored as YCbCr without JPEG; a photograph in RGB was expected"
            raise FileError(path, told)
        if centre is not None:
            if page.photometric in _NO_NUMBERS:
                told = "its numbers stand for colours; one band in grey was expected"
                raise FileError(path, told)
            pages = len(chosen.shape) == 3 and page.samplesperpixel == 1
            choice = replace(choice, bands=(0,)) if pages else choice
        elif of_ours or (
            is_open and images.is_picture(page, chosen) and not images.is_a_band(page, described)
        ):
            photograph = _photograph(path, file, ours, choice)
            photograph.notices += of_pages
            keep = not isinstance(photograph.data, np.ndarray)
            return photograph, photograph.data.dtype
        found = _found(path, file, chosen, ours, described)
        found.notices += of_pages
        if centre is not None:
            _state_band(found, choice, centre)
        elsewhere = tiff_chain.files_named(file)
        if elsewhere:
            told = f"Planes that its OME-XML says lie in other files were left out: {elsewhere}."
            found.notices += (Notice.warning(Code.OTHER_IMAGES_LEFT_OUT, told),)
        others = [s for s in series if s is not chosen]
        if 0 < len(others) < len(series):
            sizes = ", ".join(" x ".join(str(n) for n in s.shape) for s in others[:5])
            told = f"Other images beside the cube were left out: {sizes}."
            found.notices += (Notice.warning(Code.OTHER_IMAGES_LEFT_OUT, told),)
        cube = build_cube.build(path, found, choice)
        keep = isinstance(cube.data, lazy.LazyArray) and isinstance(found.source, Pages)
        return cube, np.dtype(chosen.dtype)
    finally:
        if not keep:
            file.close()


def _state_band(found: build_cube.Found, choice: Choice, centre: float) -> None:
    """What is known of an image that is one band: its wavelength, and that it is no array of two axes."""
    if len(found.source.shape) == 2:
        found.source, found.convention = found.source[np.newaxis], 0
    count = int(found.source.shape[found.convention])
    found.stated, found.wavelengths, found.unit = True, [centre] * count, None
    if choice.bands is not None and count > 1:
        told = f"Of its {count} pages the first was taken."
        found.notices += (Notice.warning(Code.OTHER_IMAGES_LEFT_OUT, told),)


def _check_described(path: Path, described: dict[str, Any], first: Any) -> None:
    """A description that tells the shape of what was written must not tell of more than there is."""
    stated = described.get("shape")
    if not isinstance(stated, list) or not all(isinstance(n, int) for n in stated):
        return
    if min(stated, default=1) <= 0:  # the library would leave pages out
        found = one_line(" x ".join(map(str, stated)), 80)
        raise FileError(path, f"its description states a shape of {found} values, which is none")
    if math.prod(stated) > math.prod(int(n) for n in first.shape):
        sizes = [" x ".join(str(n) for n in shape)[:80] for shape in (stated, first.shape)]
        raise FileError(
            path,
            f"the TIFF file is cut short: {sizes[0]} values were written, {sizes[1]} are there",
        )


def _described(file: Any) -> tuple[embedded_record.Record | None, dict[str, Any]]:
    """Our record, and whatever JSON the description holds."""
    described = tiff_wavelengths.described(file.pages.first)
    own = embedded_record.stored_as(described)
    if described:
        return embedded_record.parse(described.get(own)), described
    text = str(file.pages.first.description)
    damaged = f'"{embedded_record.KEY}"' in text and embedded_record.looks_like_one(text)
    return embedded_record.parse(text) if damaged else None, described


def _photograph(
    path: Path, file: Any, ours: embedded_record.Record | None, choice: Choice
) -> Photograph:
    from napari_hsr.io.tiff import photographs as tiff_photographs

    return tiff_photographs.read(path, file, ours, choice)


def _found(
    path: Path,
    file: Any,
    series: Any,
    ours: embedded_record.Record | None,
    described: dict[str, Any],
) -> build_cube.Found:
    shape, axes = tuple(series.shape), series.axes
    if series.dtype is None:
        raise FileError(path, "its pixels are of no known type")
    build_cube.check_dtype(path, series.dtype)
    if ours is None:
        build_cube.check_shape(path, shape)
        if several_cubes.are_several(shape) and "S" in axes and file.pages.first.photometric == 2:
            size = " x ".join(str(int(n)) for n in shape)
            raise FileError(
                path, f"the array has 4 axes ({size}): its pages are pictures in colours"
            )
    found = build_cube.Found(None, record=ours, looked_in=_LOOKED_IN)
    found.wavelengths, found.unit = json_facts.wavelengths(described)
    if len(shape) == 3 or (len(shape) == 4 and shape[0] == 1):  # an axis of one is left out
        _state_bands(found, shape[-3:], axes[-3:])
    elif several_cubes.are_several(shape) and "C" in axes:
        found.stated, found.convention = True, axes.index("C")
    page = series.pages[0]
    alpha = tiff_masks.alpha(page) if ours is None and len(shape) == 3 and "S" in axes else None
    sizes = shape if several_cubes.are_several(shape) else shape[-3:]
    bands = sizes[found.convention] - (alpha is not None) if len(shape) > 2 else 1
    by_pages = ours is None and len(shape) == 3 and found.convention == 0
    pages = images.tags_of_pages(series, bands, _OF_PAGES) if by_pages else []
    facts = gdal_metadata.read(page, bands, path, without=alpha, pages=pages)
    if found.wavelengths is None:
        found.wavelengths, found.unit = facts.wavelengths, facts.unit
    if found.wavelengths is None:
        found.wavelengths, found.unit = tiff_wavelengths.find(file, series, bands)
    found.decoding, found.units = facts.decoding, facts.units
    found.notices += facts.damage + (() if ours is not None else facts.notices)
    if ours is None:
        found.per_band |= facts.per_band
    if ours is None:
        of_integers = np.dtype(series.dtype).kind in "iu"
        product_metadata.add(path, bands, found, of_integers)
    on_the_ground = ground_beside.of_image(path, geotiff.read(page)) if ours is None else None
    if on_the_ground is not None:
        found.metadata[geotiff.KEY] = on_the_ground
    if facts.decoding.markers:
        found.metadata[NO_DATA] = facts.decoding.markers[0]
    if not facts.decoding.scales_nothing:
        told = "Values were scaled as GDAL's SCALE and OFFSET in the file, or beside it, say."
        found.notices += (Notice.info(Code.SCALE_APPLIED, told),)
        found.steps += (told,)
    with translated(path, _DAMAGED):
        found.source = _source(path, file, series)
        if alpha is not None:
            tiff_masks.leave_out_alpha(found, page, alpha)
        tiff_masks.apply(path, found, file)
        if ours is None:
            _calibrate(found, file)
            _add_whole(found, json_facts.facts(described) | facts.around, bands)
            _tell(found, page, pages or [page.tags], axes[-3:])
    return found


def _add_whole(found: build_cube.Found, stated: dict[str, Any], bands: int) -> None:
    """What is stated of the whole image, in JSON or GDAL's items: of the bands, and of the numbers where nothing else is."""
    lower = {key.lower(): value for key, value in stated.items()}
    found.per_band |= per_band_facts.find({}, lower, lower.get, bands).values
    if found.decoding.does_nothing:
        state_numbers(found, {}, stated)
        if (
            not found.decoding.does_nothing
        ):  # else written again beside values of which they are no longer true
            of_gdal = found.metadata.get(geotiff.KEY, {}).get("gdal", {})
            for name in [n for n in of_gdal if plain_name(n) in (*APPLIED, *NO_DATA_NAMES)]:
                del of_gdal[name]


def _calibrate(found: build_cube.Found, file: Any) -> None:
    """ImageJ's straight line from stored numbers to values; signed integers are kept so, too."""
    stated = file.imagej_metadata or {}
    curve, offset, scale = (stated.get(key) for key in ("cf", "c0", "c1"))
    if curve is None or found.source.dtype.kind not in "iu":
        return
    line = [v for v in (offset, scale) if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if curve != 0 or len(line) != 2:
        told = "ImageJ's calibration of the values is no straight line: the numbers are as stored."
        found.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
    elif found.decoding.does_nothing and line != [0.0, 1.0]:
        found.decoding = replace(found.decoding, scale=float(line[1]), offset=float(line[0]))
        told = f"Values are those of ImageJ's calibration, {line[0]:g} + {line[1]:g} x stored."
        found.notices += (Notice.info(Code.SCALE_APPLIED, told),)
        found.steps += (told,)


def _tell(found: build_cube.Found, page: Any, pages: Sequence[Any], axes: str) -> None:
    """Notices of what the file states and a cube does not follow; ``pages``: tags of each."""
    axis = axes[found.convention : found.convention + 1]
    slices = axis == "Z" and not page.is_ome  # by habit, whatever they are slices of
    if axis in _OTHER_AXES and found.wavelengths is None and not slices:
        told = f"The file calls the axis that was taken as bands {_OTHER_AXES[axis]}."
        found.notices += (Notice.info(Code.AXES_CHANGED, told),)
    turned = [tags[_ORIENTATION].value if _ORIENTATION in tags else 1 for tags in pages]
    others = [int(value) for value in turned if value in range(2, 9)]
    if others:
        which = f"The file states orientation {others[0]}"
        which += f" of page {turned.index(others[0]) + 1}" if len(set(turned)) > 1 else ""
        told = f"{which}; rows and columns are as stored."
        found.notices += (Notice.warning(Code.AXES_CHANGED, told),)
    if page.photometric == _MIN_IS_WHITE and found.source.dtype.kind in "iub":
        told = "The file states that 0 is white; the numbers are as stored."
        found.notices += (Notice.warning(Code.VALUES_SCALE_GUESSED, told),)


def _state_bands(found: build_cube.Found, shape: tuple[int, ...], axes: str) -> None:
    """Samples, channels and pages are the bands: a TIFF states it, unlike a bare array."""
    found.stated = True
    found.convention = next((axes.index(name) for name in "SC" if name in axes), 0)
    if axes == "QYX" and found.record is None:  # written in one piece by tifffile, axes unsaid
        count = None if found.wavelengths is None else len(found.wavelengths)
        found.convention, told = band_axis_of_pages(shape, count)
        found.notices += (told,) if told else ()


def _source(path: Path, file: Any, series: Any) -> Any:
    if lazy.too_big(series.shape):
        if series.dataoffset is not None:  # one uncompressed block
            dtype = series.dtype.newbyteorder(file.byteorder)
            return map_file(path, dtype, tuple(series.shape), series.dataoffset)
        if len(series.pages) == series.shape[0] and len(series.shape) == 3:
            share = path.stat().st_size // series.shape[0]
            check_room(path, series, "one of its pages", series.shape[1:], share)
            return Pages(file, series)
    check_room(path, series, "the image", series.shape)
    return series.asarray()


def check_room(
    path: Path, image: Any, what: str, shape: tuple[int, ...], held: int | None = None
) -> None:
    """Refuse to decode far more than the file holds; FileError says how much it would be."""
    size = " x ".join(str(int(n)) for n in shape)
    needed = math.prod(int(n) for n in shape) * image.dtype.itemsize
    limits.check_room(path, needed, f"{what} ({size})", held)


class Pages:
    """The pages of a TIFF as (pages, height, width), decoded only when asked for."""

    def __init__(self, file: Any, series: Any):
        self._file, self._series = file, series
        self.shape = tuple(series.shape)
        self.dtype = series.dtype
        self._lock = threading.Lock()
        weakref.finalize(self, file.close)  # the file lives as long as the cube

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        pages, *inside = key
        if isinstance(pages, int):
            plane: np.ndarray = self._page(pages)[tuple(inside)]
            return plane
        planes = [self._page(i)[tuple(inside)] for i in range(self.shape[0])[pages]]
        return np.stack(planes) if planes else np.empty((0, *self._page(0)[tuple(inside)].shape))

    def _page(self, index: int) -> np.ndarray:
        with self._lock:
            page: np.ndarray = self._series.pages[index].asarray()
        return page.reshape(self.shape[1:])
