"""Which pictures of a folder are the bands of a cube, by their names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import HSRError
from napari_hsr.io import limits
from napari_hsr.io.photographs import png_chunks
from napari_hsr.io.wavelengths import band_names

if TYPE_CHECKING:
    from pathlib import Path

_SUFFIXES = (".png", ".tif", ".tiff")
_FEWEST = 3
#: Where a PNG states its colours, and which of them are grey.
_COLOURS, _GREY = 25, (b"\0", b"\4")


def looks_like_bands(folder: Path) -> bool:
    """Whether names of at least three pictures state wavelengths, and the first, if a PNG, is grey."""
    try:
        found = files(folder)
        if not found:
            return False
        with found[0].open("rb") as file:
            head = file.read(_COLOURS + 1)
    except (OSError, HSRError):
        return False  # not ours to read
    return not head.startswith(png_chunks.SIGNATURE) or head[_COLOURS:] in _GREY


def pictures(folder: Path) -> list[Path]:
    """The pictures of a folder that may be bands, by their suffix."""
    every = [f for f in folder.iterdir() if f.suffix.lower() in _SUFFIXES and f.name[0] != "."]
    limits.check_count(folder, len(every), "pictures")
    return sorted(file for file in every if file.is_file())


def files(folder: Path) -> list[Path]:
    """The largest set of pictures whose names differ in one wavelength, ascending; empty for none."""
    groups: dict[str, list[Path]] = {}
    for file in pictures(folder):
        shared = re.sub(r"\d+(\.\d+)?", "*", file.stem) + file.suffix.lower()
        groups.setdefault(shared, []).append(file)
    found: list[Path] = []
    for files in groups.values():
        stated = band_names.centres_in_names([file.stem for file in files])
        if len(files) >= max(_FEWEST, len(found) + 1) and stated is not None:
            found = [files[i] for i in np.argsort(stated[0], kind="stable")]
    return found
