"""The chain of pages of a TIFF, walked before any library follows it, and what the pages point to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.units import one_line

if TYPE_CHECKING:
    import os
    from pathlib import Path

_FILE_NAME = re.compile(r'FileName="([^"]*)"')
#: No page has more tags.
_MOST_TAGS = 4096


def check(path: Path) -> None:
    """Follow the pages from one to the next, as the head of each says.

    Raises
    ------
    FileError
        If the chain leads out of the file, back into itself, or on and on.
    """
    size = path.stat().st_size
    seen: set[int] = set()
    with path.open("rb") as file:
        head = file.read(16)
        order = {b"II": "little", b"MM": "big"}.get(head[:2])
        if order is None or len(head) < 8:
            raise FileError(path, "the TIFF file is damaged or cut short")

        def number(content: bytes) -> int:
            return int.from_bytes(content, "little" if order == "little" else "big")

        big = number(head[2:4]) == 43
        wide, counted, entry = (8, 8, 20) if big else (4, 2, 12)
        at = number(head[8:16] if big else head[4:8])
        while at:
            pages = len(seen)
            limits.check_count(path, pages + 1, "pages")
            file.seek(min(at, size))
            tags = number(file.read(counted))
            end = at + counted + entry * tags
            if at in seen:
                raise FileError(path, f"the TIFF file is damaged: page {pages} leads back")
            if end + wide > size or not 1 <= tags <= _MOST_TAGS:
                broken = f"it breaks off after page {pages}" if pages else "its first page is gone"
                raise FileError(path, f"the TIFF file is cut short: {broken}")
            seen.add(at)
            file.seek(end)
            at = number(file.read(wide))


def opened(path: str | os.PathLike[str]) -> Any:
    """The file by tifffile, and no other: OME-XML may name any file as one that holds planes of this."""
    import tifffile

    return tifffile.TiffFile(path, _multifile=False)


def files_named(file: Any) -> str:
    """Other files that the OME-XML says hold planes of the image; empty if it names none."""
    stated = file.ome_metadata if file.is_ome else None
    named = dict.fromkeys(_FILE_NAME.findall(stated or ""))
    if len(named) < 2:  # the file's own, by whatever name it had
        return ""
    return one_line(", ".join(name for name in named if name.lower() != file.filename.lower()))


def check_planes(path: Path, series: Any) -> None:
    """Refuse an image that should have more pages than the file: the others would be zeros.

    Raises
    ------
    FileError
        Saying how many there are.
    """
    missing = sum(page is None for page in series.pages)
    if missing:
        whole = len(series.pages)
        raise FileError(
            path,
            f"its OME-XML describes {whole} planes, of which {whole - missing} lie in the file",
        )


def check_pages(path: Path, file: Any) -> None:
    """All that the pages point to must lie inside the file, and cover them.

    tifffile hands out memory as it was where strips or tiles are missing.

    Parameters
    ----------
    path : Path
    file : tifffile.TiffFile

    Raises
    ------
    FileError
        If there is less than the pages need.
    """
    size = path.stat().st_size
    if not file.series or not len(file.pages):
        raise FileError(path, "the TIFF file holds no image")
    for page in file.pages:
        keyframe = page.keyframe
        if 0 in keyframe.shape:
            continue  # said in its place: the array is empty
        ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True) if n]
        if ends and max(ends) > size:
            raise FileError(
                path, f"the TIFF file is cut short: it needs {max(ends)} bytes and has {size}"
            )
        if (
            keyframe.bitspersample == 24
            and keyframe.dtype is not None
            and keyframe.dtype.kind in "iu"
        ):
            told = "its integers have 24 bits, whose order of bytes programs do not agree on; save it with 16 or 32"
            raise FileError(path, told)
        _check_covered(path, page, keyframe)


def _check_covered(path: Path, page: Any, keyframe: Any) -> None:
    if keyframe.planarconfig not in (1, 2):  # by which pieces are counted
        raise FileError(
            path, f"the TIFF file is damaged: its planar configuration is {keyframe.planarconfig:d}"
        )
    counts = list(page.databytecounts)
    pieces = int(np.prod(keyframe.chunked, dtype=object))
    needed = _packed_bytes(keyframe) if keyframe.compression == 1 else 0
    sparse = 0 in counts  # GDAL leaves out tiles without data, and says so with a length of 0
    if len(counts) < pieces or (sum(counts) < needed and not sparse):
        size = f"{keyframe.imagewidth} x {keyframe.imagelength} pixels"
        raise FileError(
            path,
            f"the TIFF file is damaged: page {page.index + 1} should have {size}, but holds "
            f"{len(counts)} of {pieces} strips or tiles, {sum(counts)} bytes",
        )


def _packed_bytes(keyframe: Any) -> int:
    """Bytes of a page as stored: rows of samples of 10, 12 or 14 bits are packed, and floats of 24."""
    bits = keyframe.bitspersample
    if not isinstance(bits, int) or keyframe.dtype is None or bits == 8 * keyframe.dtype.itemsize:
        return int(keyframe.nbytes)
    planes = keyframe.samplesperpixel if keyframe.planarconfig == 2 else 1
    row = keyframe.imagewidth * keyframe.samplesperpixel // planes
    return int(planes * keyframe.imagelength * keyframe.imagedepth * (row * bits // 8))
