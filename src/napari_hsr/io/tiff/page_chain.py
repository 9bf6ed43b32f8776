"""The chain of pages of a TIFF, walked before any library follows it, and what the pages point to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.tiff import pieces
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from pathlib import Path

_FILE_NAME = re.compile(r'FileName="([^"]*)"')
#: No page has more tags.
_MOST_TAGS = 4096
#: Bytes of the types of values.
_TYPES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
#: Tags without which a page would be another one: sizes and places of its pixels, what these are, and what GDAL says of them.
_THAT_COUNT = {
    256, 257, 258, 259, 262, 270, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 339, 42112, 42113,
}  # fmt: skip


def check(path: Path) -> None:
    """Follow the pages from one to the next, as the head of each says.

    Raises
    ------
    FileError
        If the chain leads out of the file, back into itself, or on and on, or what counts in a page does.
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
            for code, kind, count, inside in _entries(file.read(entry * tags), entry, number):
                held = count * _TYPES.get(kind, 0)
                if kind not in _TYPES or (held > wide and inside + held > size):
                    # libraries leave such a tag out and go on
                    told = f"what tag {code} of page {pages + 1} says is not in the file"
                    raise FileError(path, f"the TIFF file is damaged: {told}")
            at = number(file.read(wide))


def _entries(
    content: bytes, size: int, number: Callable[[bytes], int]
) -> Iterator[tuple[int, int, int, int]]:
    """Code, type, count, and place or value of the tags of a page that count."""
    wide = (size - 4) // 2
    for at in range(0, len(content), size):
        code = number(content[at : at + 2])
        if code in _THAT_COUNT:
            numbers = (
                content[at + i : at + j] for i, j in ((2, 4), (4, 4 + wide), (4 + wide, size))
            )
            kind, count, inside = map(number, numbers)
            yield code, kind, count, inside


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


def check_pages(path: Path, file: Any) -> tuple[Notice, ...]:
    """All that the pages point to must lie inside the file, and cover them; what is told of it.

    Parameters
    ----------
    path : Path
    file : tifffile.TiffFile

    Raises
    ------
    FileError
        If there is less than the pages need, or more.
    """
    size, told = path.stat().st_size, dict[Code, Notice]()
    if not file.series or not len(file.pages):
        raise FileError(path, "the TIFF file holds no image")
    stacks = _in_one_piece(file)
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
            problem = "its integers have 24 bits, whose order of bytes programs do not agree on; save it with 16 or 32"
            raise FileError(path, problem)
        for notice in pieces.check(path, page, keyframe, stacks.get(page.index, 0)):
            told.setdefault(notice.code, notice)  # of the first page that it is true of
    pieces.check_pages_apart(path, [page for page in file.pages if 0 not in page.keyframe.shape])
    return tuple(told.values())


def _in_one_piece(file: Any) -> dict[int, int]:
    """Bytes of the images whose first page alone has a head, by the number of that page."""
    found = {}
    for series in file.series:
        first = series.pages[0]
        if first is not None and series.nbytes > first.nbytes * (len(file.pages) - first.index):
            found[first.index] = int(series.nbytes)
    return found
