"""What a JPEG says of itself before its pixels: how it is compressed, bits a sample, EXIF, profile.

The markers are those of ITU-T T.81, table B.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Markers of a frame, and what those are called that Pillow does not read.
_FRAMES = {
    **dict.fromkeys((0xC0, 0xC1, 0xC2), ""),
    0xC3: "lossless JPEG", 0xF7: "JPEG-LS",
    **dict.fromkeys((0xC9, 0xCA), "JPEG with arithmetic coding"),
}  # fmt: skip
_NOT_READ = (0xF7, 0xC9, 0xCA)
#: Padding in a row: any number of bytes may stand between two markers.
_PADDING = re.compile(rb"\xff[\xff\0]{255,}")
_MOST_PADDING = 1_000_000
_EXIF, _PROFILE = b"Exif\0\0", b"ICC_PROFILE\0"


@dataclass(frozen=True)
class Frame:
    """Size in pixels and bits a sample; ``exif`` and ``profile`` are empty where there are none."""

    marker: int
    bits: int
    height: int
    width: int
    exif: bytes
    profile: bytes


def check_padding(path: Path, content: bytes) -> None:
    """Refuse a JPEG that is padding for the most part: Pillow goes through it byte by byte.

    What follows the last scan is not looked at.

    Raises
    ------
    FileError
        If there is more than a million bytes of it.
    """
    end = content.rfind(b"\xff\xda")
    runs = _PADDING.finditer(content, 0, len(content) if end < 0 else end)
    count = sum(len(run[0]) for run in runs)
    limits.check_count(path, count, "bytes of padding between its parts", _MOST_PADDING)


def frame_of(content: bytes) -> Frame | None:
    """What stands before the pixels; None where no frame of a known kind begins."""
    exif, profile = b"", b""
    for marker, segment in _segments(content):
        if marker in _FRAMES and len(segment) >= 6:
            height, width = (int.from_bytes(segment[at : at + 2], "big") for at in (1, 3))
            return Frame(marker, segment[0], height, width, exif, profile)
        if marker == 0xE1 and segment.startswith(_EXIF):
            exif = segment
        if marker == 0xE2 and segment.startswith(_PROFILE):
            profile += segment[len(_PROFILE) + 2 :]  # behind its number and their count
    return None


def unusual_frame(path: Path, content: bytes) -> Frame | None:
    """The frame of a JPEG of more than 8 bits a sample or compressed without loss, which Pillow does not read.

    Raises
    ------
    FileError
        If nothing here reads JPEGs of its kind.
    """
    frame = frame_of(content)
    if frame is None:
        return None
    if frame.marker in _NOT_READ:
        told = f"this is a {_FRAMES[frame.marker]} of {frame.bits} bits a sample, which is not read"
        raise FileError(path, f"{told}; save it as PNG or TIFF of 16 bits")
    return frame if frame.bits != 8 or _FRAMES[frame.marker] else None


def between_parts(content: bytes) -> list[Notice]:
    """A notice of bytes between the parts before the pixels, and of tables with a quantity of 0: decoders go on."""
    told, at = "", 2
    while at + 4 < len(content):
        if content[at] != 0xFF:
            told = "bytes stand between its parts where none belong"
            break
        marker, start = content[at + 1], at + 4
        if marker == 0xFF:
            at += 1
            continue
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == 0xDB and _has_a_zero(content[start:at]):
            told = "a table of it divides by 0"
        if marker == 0xDA:
            break
    if not told:
        return []
    return [
        Notice.warning(
            Code.MAYBE_DAMAGED,
            f"The JPEG file may be damaged: {told}; look at the picture, or copy it anew.",
        )
    ]


def _has_a_zero(tables: bytes) -> bool:
    """Whether one of the tables of quantities in a segment has a 0."""
    at = 0
    while at < len(tables):
        wide = 2 if tables[at] >> 4 else 1
        values = tables[at + 1 : at + 1 + 64 * wide]
        if any(not any(values[i : i + wide]) for i in range(0, len(values), wide)):
            return True
        at += 1 + 64 * wide
    return False


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    while content[at : at + 1] == b"\xff" and at + 9 < len(content):
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1  # padding
            continue
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        yield marker, content[at + 4 : at + 2 + length]
        at += 2 + length
