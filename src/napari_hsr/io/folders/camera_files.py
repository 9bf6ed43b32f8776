"""Files of cameras with a lens a band, and what each states of its own: centre and width."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_hsr.errors import HSRError
from napari_hsr.io import limits
from napari_hsr.io.folders import band_files
from napari_hsr.io.library_errors import translated
from napari_hsr.io.tiff import page_chain as tiff_chain
from napari_hsr.io.tiff.wavelengths import camera_band

if TYPE_CHECKING:
    from pathlib import Path

_FEWEST = 3
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
        return bool(first) and centre_and_width(first[0])[0] is not None
    except (OSError, HSRError):
        return False  # not ours to read


def centre_and_width(file: Path) -> tuple[float | None, float | None]:
    """What the XMP of one band states of it, in nm."""
    limits.check_regular(file)
    with translated(file, "it cannot be read"):
        tiff_chain.check(file)
        with tiff_chain.opened(file) as opened:
            return camera_band(opened)
