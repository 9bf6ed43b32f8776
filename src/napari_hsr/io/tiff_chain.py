"""The chain of pages of a TIFF, walked before any library follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.errors import FileError
from napari_hsr.io import limits

if TYPE_CHECKING:
    from pathlib import Path

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
