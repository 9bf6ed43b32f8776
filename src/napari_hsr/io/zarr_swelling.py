"""Packed chunks of zarr stores: whether one holds more than the array says, before it is unpacked."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Any


def swells(content: bytes, most: int, codecs: frozenset[str]) -> bool:
    """Whether a packed chunk holds more bytes than that."""
    if "blosc" in codecs:
        return int.from_bytes(content[4:8], "little") > most
    if "lz4" in codecs:
        return int.from_bytes(content[:4], "little") > most
    if "zstd" in codecs:
        return _zstd_swells(content, most)
    unpacker: Any = None
    if codecs & {"zlib", "gzip"}:
        unpacker = zlib.decompressobj(47)
    elif "bz2" in codecs:
        unpacker = bz2.BZ2Decompressor()
    elif "lzma" in codecs:
        unpacker = lzma.LZMADecompressor(memlimit=2**28)
    if unpacker is None:
        return len(content) > most
    try:
        return len(unpacker.decompress(content, most + 1)) > most
    except (zlib.error, OSError, EOFError, lzma.LZMAError):
        return False  # damaged: told by the library, which stops there too


def _zstd_swells(content: bytes, most: int) -> bool:
    """By what the frame says of its size (RFC 8878, 3.1.1.1), else by unpacking it into that room."""
    if len(content) < 6:
        return False
    told, place = content[4], 5
    single = told >> 5 & 1
    place += (0 if single else 1) + (0, 1, 2, 4)[told & 3]
    size = (1 if single else 0, 2, 4, 8)[told >> 6]
    if size:
        stated = int.from_bytes(content[place : place + size], "little")
        return stated + (256 if size == 2 else 0) > most
    import imagecodecs

    try:
        imagecodecs.zstd_decode(content, out=bytearray(most))
    except (imagecodecs.ZstdError, ValueError):
        return True
    return False
