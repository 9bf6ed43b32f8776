"""Whether the header of a BMP contradicts itself or the file: it has no sum of check, and decoders believe it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

#: Bytes of the file's own header, and of the oldest header of the image, which has sizes of 16 bits.
_FILE, _OLDEST = 14, 12
#: Compressions of pixels that lie there as they are: none, and masks of bits.
_PLAIN = (0, 3, 6)
#: Bits of a pixel that each way of packing runs of pixels is for.
_PACKED = {1: 8, 2: 4}
#: What packed pixels end with.
_END = b"\0\1"
#: Up to so many bits a pixel is a number of a colour.
_INDEXED = 8
#: Programs write so many bytes more, for the size of the file to be one of four.
_PADDING = 3


def check(path: Path, content: bytes) -> tuple[Notice, ...]:
    """A notice of a header that contradicts itself, or the file's size; what is no header is left to the decoder.

    Raises
    ------
    FileError
        If the file is shorter than its pixels.
    """
    if len(content) < _FILE + _OLDEST:
        return ()
    stated, offset, size = struct.unpack_from("<I4xII", content, 2)
    picture = compression = colours = 0
    if size == _OLDEST:
        width, height, bits = struct.unpack_from("<HH2xH", content, 18)
    elif len(content) >= _FILE + 40:
        width, height, bits, compression, picture = struct.unpack_from("<ii2xHII", content, 18)
        (colours,) = struct.unpack_from("<I", content, 46)
    else:
        return ()
    wrong = []
    if offset < _FILE + size:
        wrong.append("its pixels lie in its header")
    table = 0 if bits > _INDEXED else (colours or 2**bits) * (3 if size == _OLDEST else 4)
    if _FILE + size <= offset < _FILE + size + table:
        wrong.append("its pixels lie in its table of colours")
    if 0 < len(content) < stated:
        wrong.append(f"it says {stated:,} bytes, and the file has {len(content):,}")
    if bits != _PACKED.get(compression, bits):
        wrong.append(f"its compression, {compression}, is none of {bits} bits")
    if compression in _PLAIN:
        needed = (abs(width) * bits + 31) // 32 * 4 * abs(height)
        if len(content) < offset + needed:
            told = f"the BMP file is damaged or cut short: its pixels end at {offset + needed:,} of {len(content):,} bytes"
            raise FileError(path, told)
        if picture and not needed <= picture <= needed + _PADDING:
            wrong.append(f"it says {picture:,} bytes of pixels, and its size makes {needed:,}")
        # what lies behind the pixels may be a colour profile, which only the latest headers name
        elif size < 124 and len(content) - offset - needed > max(_PADDING, len(content) - stated):
            wrong.append(f"its size makes {needed:,} bytes of pixels, and the file has more")
    else:
        wrong += _of_packed(content[offset:], picture, compression)
    if not wrong:
        return ()
    text = f"The header of the BMP contradicts itself or the file ({'; '.join(wrong)}): it may be damaged."
    return (Notice.warning(Code.MAYBE_DAMAGED, text),)


def _of_packed(pixels: bytes, stated: int, compression: int) -> list[str]:
    """What is wrong with pixels of which so many bytes are stated; 0 for all of them."""
    if stated > len(pixels):
        return [f"it says {stated:,} bytes of pixels, and the file has fewer"]
    end = pixels[: stated or None][-len(_END) - _PADDING :]
    if compression in _PACKED and _END not in end:
        return ["its pixels, said to be packed, do not end as packed ones do"]
    return []
