"""The boxes of HEIC and AVIF files (ISO/IEC 14496-12), as far as their decoder does not look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def bytes_behind(path: Path) -> int:
    """Bytes at the end of a file of boxes that are none."""
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:16], "big") if length == 1 else length or size - at
            if (
                length < 8
                or at + length > size
                or not (head[4:8].isascii() and head[4:8].isalnum())
            ):
                break
            at += length
    return size - at
