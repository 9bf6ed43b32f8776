"""Cameras with a lens a band: a TIFF for each, ``IMG_0001_1.tif`` to ``_5``, its wavelength in XMP.

So write MicaSense's RedEdge and Altum and others after them. A folder may hold many captures; one is
named as ``folder:IMG_0001``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError, HSRError, SeveralArraysError
from napari_hsr.io import alternatives, band_files, build_cube, limits, tiff_chain, tiff_decoding
from napari_hsr.io.library_errors import translated
from napari_hsr.io.tiff_wavelengths import camera_band
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.cube import Cube
    from napari_hsr.io.choice import Choice

_FEWEST, _MOST_LISTED = 3, 200
#: The number of the band at the end of a name: behind a line of its own, or the last digit.
_NUMBER = re.compile(r"(_\d{1,2}|(?<=\d)\d)$")


def captures(folder: Path) -> dict[str, list[Path]]:
    """Files of each capture, in the order of their bands, by the name that they share."""
    groups: dict[str, list[Path]] = {}
    for file in band_files.pictures(folder):
        if file.suffix.lower() in (".tif", ".tiff") and _NUMBER.search(file.stem):
            groups.setdefault(_NUMBER.sub("", file.stem), []).append(file)
    kept = {name: files for name, files in groups.items() if len(files) >= _FEWEST}
    return {
        name: sorted(files, key=lambda f: int(f.stem[len(name) :].strip("_")))
        for name, files in sorted(kept.items())
    }


def looks_like_captures(folder: Path) -> bool:
    """Whether the first files that could be a capture state their bands."""
    try:
        first = next(iter(captures(folder).values()), [])
        return bool(first) and _band(first[0])[1] is not None
    except (OSError, HSRError):
        return False  # not ours to read


def read(folder: Path, choice: Choice) -> Cube:
    """One capture as a cube, its values as stored, in the order of their wavelengths.

    Raises
    ------
    SeveralArraysError
        If the folder holds several, and none is named.
    FileError
        If there is no such one, a file is damaged or states no wavelength.
    """
    found = captures(folder)
    named = choice.variable or (next(iter(found)) if len(found) == 1 else None)
    if named is None:
        listed = [alternatives.StoredArray(name, (), "capture") for name in found]
        alternatives.note_arrays(listed[:_MOST_LISTED])
        raise SeveralArraysError(
            folder,
            f"it holds {len(found)} captures, {next(iter(found))} to {list(found)[-1]}; name one, as in "
            f"{folder.name}:{next(iter(found))}",
        )
    if named not in found:
        raise FileError(folder, f"it holds no capture {named!r}, but {', '.join(list(found)[:8])}")
    files = found[named]
    bands = [_band(file) for file in files]
    for file, (_, centre, _) in zip(files, bands, strict=True):
        if centre is None:
            raise FileError(file, "its XMP states no wavelength, as those of the other bands do")
    shapes = [plane.shape for plane, _, _ in bands]
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
    widths = [bands[i][2] for i in kept]
    cube = build_cube.Found(
        np.stack([bands[i][0] for i in kept]),
        stated=True,
        wavelengths=[bands[i][1] for i in kept],
        unit="nm",
        name=named,
        per_band={} if None in widths else {"fwhm": widths},
        notices=tuple(notices),
        steps=(told,),
    )
    return build_cube.build(folder, cube, choice)


def _band(file: Path) -> tuple[np.ndarray, float | None, float | None]:
    """Pixels, centre and width in nm of one band."""
    import tifffile

    limits.check_regular(file)
    with translated(file, "it cannot be read"):
        tiff_chain.check(file)
        with tifffile.TiffFile(file) as opened:
            tiff_decoding.guard(file, opened)
            page = opened.pages.first
            size = f"{page.imagewidth} x {page.imagelength} pixels"
            limits.check_room(file, int(page.nbytes), size)
            plane: np.ndarray = page.asarray()
            centre, width = camera_band(opened)
    if plane.ndim != 2:
        raise FileError(file, "this picture has colours; one band in grey was expected")
    return plane, centre, width
