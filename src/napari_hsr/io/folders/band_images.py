"""Folders with a picture a band, whose names state the wavelengths: ``leaf_450nm.png``, ``450.tif``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError
from napari_hsr.io import build_cube, limits
from napari_hsr.io.folders import band_files, one_band
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.io.wavelengths import band_names
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from napari_hsr.cube import Cube


def read(folder: Path, choice: Choice = ANY) -> Cube:
    """The pictures as a cube, in values that their files state, in the order of their wavelengths.

    Raises
    ------
    FileError
        If they differ in size, one is in colours, or is damaged.
    """
    files = band_files.files(folder)
    names = [file.stem for file in files]
    listed, unit = band_names.centres_in_names(names) or (None, None)
    centres = [1.0] * len(files) if listed is None else [float(centre) for centre in listed]
    bands: list[tuple[Cube, np.dtype]] = []
    for file, centre in zip(files, centres, strict=True):
        cube, dtype = one_band.read(file, choice, centre)
        if bands and cube.data.shape != bands[0][0].data.shape:
            sizes = [f"{c.data.shape[2]} x {c.data.shape[1]}" for c in (cube, bands[0][0])]
            raise FileError(
                file, f"this band has {sizes[0]} pixels, that of {files[0].name} {sizes[1]}"
            )
        limits.check_room(folder, 4 * len(files) * cube.data.size, f"a cube of {len(files)} bands")
        bands.append((cube, dtype))
    told = (
        f"{len(files)} pictures of one band each, from {files[0].name} to {files[-1].name}, were put "
        "together by the wavelengths in their names."
    )
    found = build_cube.Found(
        None,
        stated=True,
        wavelengths=listed,
        unit=unit,
        name=folder.name,
        notices=(Notice.info(Code.AXES_CHANGED, told),),
        steps=(told,),
    )
    one_band.put_together(found, files, bands)
    others = [f.name for f in band_files.pictures(folder) if f not in files]
    if others:
        more = f" and {len(others) - 3} more" if others[3:] else ""
        left = f"Other pictures of the folder were left out: {', '.join(others[:3])}{more}."
        found.notices += (Notice.warning(Code.OTHER_IMAGES_LEFT_OUT, left),)
    return build_cube.build(folder, found, replace(choice, no_data=None))
