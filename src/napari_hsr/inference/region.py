"""A rectangle of an image that is computed instead of all of it: a preview, or all that matters."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from napari_hsr.conversion import convert
from napari_hsr.errors import InputError
from napari_hsr.georeference import Place, aligned, cropped_metadata, resized_metadata
from napari_hsr.io.tiff import geotiff
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph

#: Rows and columns: ``(slice(0, 100), slice(50, 200))``, ``((0, 100), (50, 200))``, or
#: ``"0:100,50:200"``.
Region: TypeAlias = "str | tuple[slice | Sequence[int], slice | Sequence[int]]"
_TEXT = re.compile(r"\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*")


def find(region: Region, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of a region of an image of this size.

    Raises
    ------
    InputError
        If it is none, is empty, or does not lie inside the image.
    """
    try:
        if isinstance(region, str):
            found = _TEXT.fullmatch(region)
            top, bottom, left, right = map(int, found.groups() if found else ())
        else:
            rows, columns = region
            (top, bottom), (left, right) = _ends(rows, height), _ends(columns, width)
    except (TypeError, ValueError) as error:
        raise InputError(
            "A region is rows and columns from 0, the last ones not included, such as "
            f"'0:100,50:200'; not {region!r}."
        ) from error
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise InputError(
            f"The region {top}:{bottom},{left}:{right} (rows, columns) does not lie inside the "
            f"image, which has {height} × {width} pixels."
        )
    return slice(top, bottom), slice(left, right)


def _ends(part: slice | Sequence[int], size: int) -> tuple[int, int]:
    if isinstance(part, slice):
        if part.step not in (None, 1):
            raise ValueError(part)
        return part.start or 0, size if part.stop is None else part.stop
    start, stop = (int(end) for end in part)
    return start, stop


class Part(NamedTuple):
    """A part of a photograph, where a result lies over the whole and on the ground, and what must be known of it."""

    photograph: Photograph
    place: Place | None = None
    notices: tuple[Notice, ...] = ()
    ground: Mapping[str, Any] | None = None


def of_photograph(photograph: Photograph, model: Model, region: Region | None) -> Part:
    """The part of a photograph for a model; all of it without a region."""
    if region is None:
        return Part(photograph, ground=_ground(photograph, model.scale))
    rows, columns = find(region, photograph.height, photograph.width)
    pixel, origin = aligned(model.scale, (1.0, 1.0), (rows.start, columns.start))
    measured = photograph.measured
    part = replace(
        photograph,
        data=photograph.data[rows, columns],
        measured=measured and replace(measured, data=measured.data[rows, columns]),
        metadata=cropped_metadata(photograph.metadata, rows.start, columns.start),
        provenance=photograph.provenance.with_step(_step(rows, columns)),
    )
    told = (_notice(model, rows, columns),)
    return Part(part, Place(pixel, origin), told, _ground(part, model.scale))


def _ground(photograph: Photograph, scale: int) -> dict[str, Any]:
    """The item of a cube's metadata that says where on the ground it lies, as its photograph does."""
    known = {name: fact for name, fact in photograph.metadata.items() if name == geotiff.KEY}
    size = photograph.height, photograph.width
    return resized_metadata(known, size, [n * scale for n in size])


def of_cube(cube: Cube, region: Region | None) -> Cube:
    """The part of a cube, in its place; all without a region."""
    if region is None:
        return cube
    rows, columns = find(region, *cube.shape[1:])
    return convert(cube, crop=(rows.start, columns.start, rows.stop, columns.stop))


def shape(region: Region | None, height: int, width: int) -> tuple[int, int]:
    """Height and width of a region of an image of this size, for estimates."""
    if region is None:
        return height, width
    rows, columns = find(region, height, width)
    return rows.stop - rows.start, columns.stop - columns.start


def _notice(model: Model, rows: slice, columns: slice) -> Notice:
    """That only a part was computed, and what that does to it."""
    text = _step(rows, columns)
    if model.context != 0:
        text += " Near the edges the result may differ from that of the whole image."
    return Notice.info(Code.PART_ONLY, text)


def _step(rows: slice, columns: slice) -> str:
    return (
        f"Only rows {rows.start} to {rows.stop - 1} and columns {columns.start} to "
        f"{columns.stop - 1} were computed."
    )
