"""Folders with a picture a band, whose names state the wavelengths: ``leaf_450nm.png``, ``450.tif``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import build_cube, detect, limits
from napari_hsr.io.folders import band_files
from napari_hsr.io.library_errors import translated
from napari_hsr.io.photographs import png_chunks
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.io.tiff import decoding
from napari_hsr.io.tiff import page_chain as tiff_chain
from napari_hsr.io.wavelengths import band_names
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.cube import Cube


def read(folder: Path, choice: Choice = ANY) -> Cube:
    """The pictures as a cube, their values as stored, in the order of their wavelengths.

    Raises
    ------
    FileError
        If they differ in size, one is in colours, or is damaged.
    """
    files = band_files.files(folder)
    names = [file.stem for file in files]
    planes: list[np.ndarray] = []
    for file in files:
        plane = _plane(file)
        if plane.ndim != 2:
            raise FileError(file, "this picture has colours; one band in grey was expected")
        if planes and plane.shape != planes[0].shape:
            sizes = [f"{p.shape[1]} x {p.shape[0]}" for p in (plane, planes[0])]
            raise FileError(
                file, f"this band has {sizes[0]} pixels, that of {files[0].name} {sizes[1]}"
            )
        limits.check_room(folder, 4 * len(files) * plane.size, f"a cube of {len(files)} bands")
        planes.append(plane)
    listed, unit = band_names.centres_in_names(names) or (None, None)
    told = (
        f"{len(files)} pictures of one band each, from {files[0].name} to {files[-1].name}, were put "
        "together by the wavelengths in their names."
    )
    found = build_cube.Found(
        np.stack(planes),
        stated=True,
        wavelengths=listed,
        unit=unit,
        name=folder.name,
        notices=(Notice.info(Code.AXES_CHANGED, told),),
        steps=(told,),
    )
    others = [f.name for f in band_files.pictures(folder) if f not in files]
    if others:
        more = f" and {len(others) - 3} more" if others[3:] else ""
        left = f"Other pictures of the folder were left out: {', '.join(others[:3])}{more}."
        found.notices += (Notice.warning(Code.OTHER_IMAGES_LEFT_OUT, left),)
    return build_cube.build(folder, found, choice)


def _plane(file: Path) -> np.ndarray:
    """The pixels of a picture; two axes if it is grey, or its colours are all the same."""
    limits.check_regular(file)
    with translated(file, "it cannot be read"):
        if detect.head_of(file, 4).startswith(detect.TIFF):
            values = _of_tiff(file)
        else:
            content = png_chunks.content(file)
            info = png_chunks.info(file, content)
            limits.check_room(file, info.bytes, f"{info.width} x {info.height} pixels")
            values = png_chunks.pixels(file, content)
    if values.ndim == 3:
        colours = values[..., : values.shape[2] - (values.shape[2] in (2, 4))]  # without alpha
        return values if (colours != colours[..., :1]).any() else colours[..., 0]
    return values


def _of_tiff(file: Path) -> np.ndarray:
    import tifffile

    tiff_chain.check(file)
    with tifffile.TiffFile(file) as opened:
        decoding.guard(file, opened)
        page = opened.pages.first
        limits.check_room(file, int(page.nbytes), f"{page.imagewidth} x {page.imagelength} pixels")
        values: np.ndarray = page.asarray()
    return values
