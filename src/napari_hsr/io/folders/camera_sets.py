"""Cameras with a lens a band: a TIFF for each, ``IMG_0001_1.tif`` to ``_5``, its wavelength in XMP.

So write MicaSense's RedEdge and Altum and others after them. A folder may hold many captures; one is
named as ``folder:IMG_0001``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError, SeveralArraysError
from napari_hsr.io import alternatives, build_cube, limits
from napari_hsr.io.folders import camera_files, one_band
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.cube import Cube
    from napari_hsr.io.read_choice import Choice

_MOST_LISTED = 200


def read(folder: Path, choice: Choice) -> Cube:
    """One capture as a cube, its values as stored, in the order of their wavelengths.

    Raises
    ------
    SeveralArraysError
        If the folder holds several, and none is named.
    FileError
        If there is no such one, a file is damaged or states no wavelength.
    """
    captures = camera_files.captures(folder)
    named = choice.variable or (next(iter(captures)) if len(captures) == 1 else None)
    if named is None:
        listed = [alternatives.StoredArray(name, (), "capture") for name in captures]
        alternatives.note_arrays(listed[:_MOST_LISTED])
        raise SeveralArraysError(
            folder,
            f"it holds {len(captures)} captures, {next(iter(captures))} to {list(captures)[-1]}; name one, as in "
            f"{folder.name}:{next(iter(captures))}",
        )
    if named not in captures:
        held = ", ".join(list(captures)[:8])
        raise FileError(folder, f"it holds no capture {named!r}, but {held}")
    files = captures[named]
    stated = [camera_files.centre_and_width(file) for file in files]
    bands = []
    for file, (centre, _) in zip(files, stated, strict=True):
        if centre is None:
            raise FileError(file, "its XMP states no wavelength, as those of the other bands do")
        bands.append(one_band.read(file, choice, centre))
    shapes = [cube.data.shape[1:] for cube, _ in bands]
    usual = max(set(shapes), key=lambda shape: (shapes.count(shape), shape))
    kept = [i for i, shape in enumerate(shapes) if shape == usual]
    limits.check_room(folder, 4 * len(kept) * int(np.prod(usual)), "a capture")
    told = (
        f"{len(kept)} files of one band each, from {files[kept[0]].name} to {files[kept[-1]].name}, were put together "
        "as stored: each has a lens of its own, so the bands may lie beside one another."
    )
    notices = [Notice.warning(Code.AXES_CHANGED, told)]
    left = [files[i].name for i in range(len(files)) if i not in kept]
    if left:
        other = f"Bands of another size were left out: {', '.join(left)}."
        notices.append(Notice.warning(Code.OTHER_IMAGES_LEFT_OUT, other))
    widths = [stated[i][1] for i in kept]
    without = [files[i].name for i in kept if stated[i][1] is None]
    if 0 < len(without) < len(kept):
        told_widths = (
            f"The widths of bands were left out, as {one_line(', '.join(without), 80)} states none."
        )
        notices.append(Notice.warning(Code.LIST_UNUSABLE, told_widths))
    found = build_cube.Found(
        None,
        stated=True,
        wavelengths=[stated[i][0] for i in kept],
        unit="nm",
        name=named,
        per_band={} if None in widths else {"fwhm": widths},
        notices=tuple(notices),
        steps=(told,),
    )
    one_band.put_together(found, [files[i] for i in kept], [bands[i] for i in kept])
    return build_cube.build(folder, found, replace(choice, no_data=None))
