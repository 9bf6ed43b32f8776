"""PNG in full depth: pixels through imagecodecs, and the chunks that other readers drop."""

from __future__ import annotations

import re
import warnings
import zlib
from dataclasses import dataclass, field
from struct import error as struct_error
from struct import unpack
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.library_errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Deflate makes up to 1032 bytes of one, and a byte holds up to eight pixels.
_MOST_PIXELS_A_BYTE = 8 * 1040
_MOST_CHUNKS = 1_000_000
_DAMAGED = "the PNG file is damaged or cut short"
_LONGEST_PROFILE = 2**24
_ORIENTATION = 274
_TIFF_ORIENTATION = re.compile(rb"tiff:Orientation(?:=[\"']|>)\s*([1-8])\b")
_RAW_PROFILES = (b"Raw profile type exif", b"Raw profile type APP1")


@dataclass
class Info:
    """The head of a PNG: size, bit depth, colour type, and what the chunks say."""

    width: int
    height: int
    depth: int
    colour_type: int
    gamma: float | None = None
    srgb: bool = False
    primaries: tuple[tuple[float, float], ...] | None = None
    code_points: tuple[int, int] | None = None
    narrow_range: bool = False
    icc: bytes | None = None
    significant_bits: int | None = None
    pictures: int = 1
    pixels_began: bool = False
    orientation: int = 1
    text: dict[str, str] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Of the decoded pixels, with the room that decoding takes."""
        channels = {0: 1, 2: 3, 3: 4, 4: 2}.get(self.colour_type, 4)
        return self.width * self.height * channels * (2 if self.depth == 16 else 1)

    @property
    def grey(self) -> bool:
        """True for grey, with or without alpha."""
        return self.colour_type in (0, 4)


def content(path: Path) -> bytes:
    """A PNG up to its last chunk: whatever its size, only what belongs to it is read.

    Raises
    ------
    FileError
        If what stands in the place of a chunk is none.
    """
    size, at, count = path.stat().st_size, len(SIGNATURE), 0
    with path.open("rb") as file:
        while at + 12 <= size:
            file.seek(at)
            head = file.read(8)
            if not head[4:].isalpha() or not head[4:].isascii():
                raise FileError(path, _DAMAGED)
            count += 1
            limits.check_count(path, count, "chunks", _MOST_CHUNKS)
            at += 12 + int.from_bytes(head[:4], "big")
            if head[4:] == b"IEND":
                break
        file.seek(0)
        return file.read(min(at, size))


def info(path: Path, content: bytes) -> Info:
    """Read the chunks before and after the pixels.

    Raises
    ------
    FileError
        If the file is damaged or cut short.
    """
    try:
        width, height, depth, colour_type = unpack(">IIBB", content[16:26])
        found = Info(width, height, depth, colour_type)
        ended = False
        for kind, data, whole in _chunks(content):
            if whole or kind == b"tEXt":  # a record of ours is checked where it is used
                _note(found, kind, data)
            if not whole:
                found.damaged.append(kind.decode("latin-1"))
            ended = kind == b"IEND"
            if ended:
                break  # what other programs append is none of ours
    except (struct_error, ValueError) as error:
        raise FileError(path, _DAMAGED) from error
    if not ended:
        raise FileError(path, _DAMAGED)
    if width * height > _MOST_PIXELS_A_BYTE * len(content):
        raise FileError(path, f"{_DAMAGED}: {width} x {height} pixels are not in it")
    if 0 in (width, height):
        raise FileError(path, f"the image is empty ({width} x {height} pixels)")
    return found


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Kind and content of each, and whether its sum of check is right; that of pixels is left to the decoder."""
    at = len(SIGNATURE)
    while at + 12 <= len(content):
        (size,) = unpack(">I", content[at : at + 4])
        if at + 12 + size > len(content):
            raise ValueError("a chunk reaches beyond the end of the file")
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        stated = content[at + 8 + size : at + 12 + size]
        of_pixels = kind in (b"IDAT", b"fdAT")
        yield (
            kind,
            data,
            of_pixels or zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big") == stated,
        )
        at += 12 + size


def _note(found: Info, kind: bytes, data: bytes) -> None:
    if kind == b"gAMA":
        found.gamma = unpack(">I", data)[0] / 100000
    elif kind == b"cHRM":
        x, y = ([v / 100000 for v in unpack(">8I", data)[i::2]] for i in (0, 1))
        corners = tuple(zip(x, y, strict=True))
        found.primaries = (*corners[1:], corners[0])  # white comes first in the file
    elif kind == b"cICP":
        *points, _matrix, full = unpack(">4B", data)
        found.code_points, found.narrow_range = (points[0], points[1]), not full
    elif kind == b"sRGB":
        found.srgb = True
    elif kind == b"iCCP":
        packed = data.partition(b"\0")[2][1:]
        try:
            found.icc = zlib.decompressobj().decompress(packed, _LONGEST_PROFILE)
        except zlib.error:
            found.icc = b""  # named as damaged where profiles are named; the pixels are whole
    elif kind == b"acTL":  # of an animation, beside the picture that all readers show
        found.pictures = unpack(">II", data)[0] + 1
    elif kind == b"fcTL" and not found.pixels_began:  # it is the first of the animation itself
        found.pictures -= 1
    elif kind == b"IDAT":
        found.pixels_began = True
    elif kind == b"sBIT" and data:
        found.significant_bits = max(data[:3])
    elif kind == b"eXIf":
        found.orientation = _orientation(data)
    elif kind in (b"iTXt", b"zTXt"):
        _note_text(found, kind, data)
    elif kind == b"tEXt":
        key, _, text = data.partition(b"\0")
        found.text[key.decode("latin-1")] = text.decode("latin-1")
        _note_raw_profile(found, key, text)


def _note_text(found: Info, kind: bytes, data: bytes) -> None:
    """The orientation in XMP, or in EXIF as ImageMagick keeps it; other compressed texts are left."""
    key, _, rest = data.partition(b"\0")
    if kind == b"iTXt" and key == b"XML:com.adobe.xmp":
        packed, rest = rest[:1] == b"\1", rest[2:]
        text = rest.partition(b"\0")[2].partition(b"\0")[2]
        stated = _TIFF_ORIENTATION.search(_inflated(text) if packed else text[:_LONGEST_PROFILE])
        if stated is not None and found.orientation == 1:
            found.orientation = int(stated[1])
    elif kind == b"zTXt" and key in _RAW_PROFILES:
        _note_raw_profile(found, key, _inflated(rest[1:]))


def _note_raw_profile(found: Info, key: bytes, text: bytes) -> None:
    """Of a name, a length, and then the bytes in hexadecimal digits."""
    if key not in _RAW_PROFILES or found.orientation != 1:
        return
    digits = b"".join(text.split()[2:])
    try:
        found.orientation = _orientation(bytes.fromhex(digits.decode("ascii")))
    except ValueError:
        return  # a broken side note does not make the image unreadable


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _LONGEST_PROFILE)
    except zlib.error:
        return b""  # a broken side note does not make the image unreadable


def _orientation(exif: bytes) -> int:
    """The orientation that EXIF data state, 1 (upright) to 8."""
    from PIL import Image

    read = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is taken as upright here
            read.load(exif)
            stated = read.get(_ORIENTATION)
    except (SyntaxError, ValueError, KeyError, TypeError, OSError, struct_error):
        return 1  # a broken side note does not make the image unreadable
    return stated if isinstance(stated, int) and 1 <= stated <= 8 else 1


def pixels(path: Path, content: bytes) -> np.ndarray:
    """All pixels at their full depth: (height, width[, channels]) uint8 or uint16.

    Raises
    ------
    FileError
        If they cannot be decoded.
    """
    import imagecodecs

    with translated(path, _DAMAGED):
        return imagecodecs.png_decode(content)


def with_text(content: bytes, key: str, text: str) -> bytes:
    """The PNG with one more text chunk (ASCII) after its head."""
    data = key.encode("ascii") + b"\0" + text.encode("ascii")
    chunk = len(data).to_bytes(4, "big") + b"tEXt" + data
    chunk += zlib.crc32(b"tEXt" + data).to_bytes(4, "big")
    after_head = len(SIGNATURE) + 25
    return content[:after_head] + chunk + content[after_head:]
