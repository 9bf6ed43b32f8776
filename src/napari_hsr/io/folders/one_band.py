"""Folders with a picture a band: each is read with what its own file states, and all are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import build_cube, detect, limits
from napari_hsr.io.library_errors import translated
from napari_hsr.io.masked import WithoutAlpha
from napari_hsr.io.photographs import png_chunks
from napari_hsr.io.read_choice import Choice
from napari_hsr.io.tiff import geotiff
from napari_hsr.io.tiff import reader as tiff_reader
from napari_hsr.notices import ABOUT_WAVELENGTHS, Code, Notice, without

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_hsr.cube import Cube

#: Files that are named where something is told of some of them.
_MOST_NAMED = 3


def read(file: Path, choice: Choice, centre: float) -> tuple[Cube, np.dtype]:
    """A picture in grey as a cube of one band, in values that its file states, and how they are stored.

    Parameters
    ----------
    file : Path
    choice : Choice
        Of which the number for missing values counts.
    centre : float
        The wavelength that is known of it.

    Raises
    ------
    FileError
        If it has colours, or is damaged.
    """
    limits.check_regular(file)
    choice = Choice(no_data=choice.no_data)
    with translated(file, "it cannot be read"):
        is_tiff = detect.head_of(file, 4).startswith(detect.TIFF)
        cube, dtype = (tiff_reader.read_band if is_tiff else _of_png)(file, choice, centre)
        first = np.asarray(cube.data[0])
        others = [np.asarray(cube.data[i]) for i in range(1, cube.bands)]
    if not all(np.array_equal(first, other, equal_nan=True) for other in others):
        raise FileError(file, "this picture has colours; one band in grey was expected")
    cube.data = first[np.newaxis]
    return cube, dtype


def _of_png(file: Path, choice: Choice, centre: float) -> tuple[Cube, np.dtype]:
    content = png_chunks.content(file)
    info = png_chunks.info(file, content)
    limits.check_room(file, info.bytes, f"{info.width} x {info.height} pixels")
    values = png_chunks.pixels(file, content)
    source = np.moveaxis(np.atleast_3d(values), -1, 0)
    notices: tuple[Notice, ...] = ()
    if len(source) in (2, 4):
        if (source[-1] < np.iinfo(source.dtype).max).any():
            told = "Alpha was left out, and pixels where it is 0 are NaN."
            notices += (Notice.warning(Code.ALPHA_LEFT_OUT, told),)
        source = WithoutAlpha(source, 0, len(source) - 1)[()]
    if info.orientation != 1:
        told = f"The file states orientation {info.orientation}; rows and columns are as stored."
        notices += (Notice.warning(Code.AXES_CHANGED, told),)
    listed = [centre] * len(source)
    found = build_cube.Found(source, stated=True, wavelengths=listed, notices=notices)
    return build_cube.build(file, found, choice), values.dtype


def put_together(
    found: build_cube.Found, files: Sequence[Path], bands: Sequence[tuple[Cube, np.dtype]]
) -> None:
    """Add bands to what was found: values, the unit and place that all share, and what is told of them."""
    cubes = [cube for cube, _ in bands]
    found.source = np.concatenate([cube.data for cube in cubes])
    units = {cube.units for cube in cubes}
    found.units = units.pop() if len(units) == 1 else None
    places = [cube.metadata.get(geotiff.KEY) for cube in cubes]
    if places[0] and all(place == places[0] for place in places):
        found.metadata[geotiff.KEY] = places[0]
    found.notices += _told(files, cubes) + _types(files, [dtype for _, dtype in bands])
    steps = dict.fromkeys(step for cube in cubes for step in cube.provenance.steps)
    found.steps += tuple(steps)


def _told(files: Sequence[Path], cubes: Sequence[Cube]) -> tuple[Notice, ...]:
    """What is told of the bands: of each kind the first, with the names of the files where it is not of all."""
    kinds: dict[Code, dict[Notice, list[Path]]] = {}
    for file, cube in zip(files, cubes, strict=True):
        for notice in without(cube.notices, *ABOUT_WAVELENGTHS):
            kinds.setdefault(notice.code, {}).setdefault(notice, []).append(file)
    found = []
    for of_kind in kinds.values():
        notice, told = next(iter(of_kind.items()))
        others = {file for more in of_kind.values() for file in more} - set(told)
        like = f" The like is true of {_named(sorted(others))}." if others else ""
        text = notice.text if len(told) == len(files) else f"{_named(told)}: {notice.text}"
        found.append(notice.with_text(text + like))
    return tuple(found)


def _types(files: Sequence[Path], dtypes: Sequence[np.dtype]) -> tuple[Notice, ...]:
    """A notice of bands of integers that are stored in unlike types: their full scales may differ."""
    usual = max(dtypes, key=dtypes.count)
    unlike = [file for file, dtype in zip(files, dtypes, strict=True) if dtype != usual]
    if not unlike:
        return ()
    told = f"The bands are of {usual.name}, but for {_named(unlike)}: their scales may differ, and were left as stored."
    return (Notice.warning(Code.VALUES_SCALE_GUESSED, told),)


def _named(files: Sequence[Path]) -> str:
    more = f" and {len(files) - _MOST_NAMED} more" if files[_MOST_NAMED:] else ""
    return ", ".join(file.name for file in files[:_MOST_NAMED]) + more
