"""Packed chunks of zarr stores, before they are unpacked: whether one holds more than it should, or is cut off."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError
from napari_hsr.units import format_bytes, one_line

if TYPE_CHECKING:
    from pathlib import Path

DAMAGED = "the zarr store is damaged or cut short"
_BLOSC_HEADER = 16
_PACKERS = frozenset(("blosc", "lz4", "zstd", "bz2", "lzma", "zlib", "gzip"))


def check_packed(root: Path, key: str, content: bytes, most: int, codecs: frozenset[str]) -> None:
    """Refuse a chunk of a store that holds more than ``most`` bytes, or is cut off.

    Raises
    ------
    FileError
        Naming the chunk.
    """
    name = one_line(key, 80)
    if swells(content, most, codecs):
        told = f"its chunk {name} should hold {format_bytes(most)}, but more came out"
        raise FileError(root, f"{DAMAGED}: {told}")
    if is_cut_off(content, codecs):
        raise FileError(root, f"{DAMAGED}: its chunk {name} is cut off")
    if claims_texts(content, codecs):
        raise FileError(root, f"{DAMAGED}: its chunk {name} claims more texts than it holds")


def claims_texts(content: bytes, codecs: frozenset[str]) -> bool:
    """Whether a chunk of texts, in which a number of four bytes stands before each, claims too many.

    The first number counts them, and the library would make room for as many, for a minute.
    ``content`` must not swell.
    """
    if not codecs & {"vlen-utf8", "vlen-bytes"}:
        return False
    import numcodecs

    for name in _PACKERS & codecs:
        try:
            content = bytes(numcodecs.get_codec({"id": name}).decode(content))
        except (RuntimeError, ValueError, OSError, EOFError, zlib.error, lzma.LZMAError):
            return False  # damaged: told by the library
    return 4 + 4 * int.from_bytes(content[:4], "little") > max(len(content), 4)


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


def is_cut_off(content: bytes, codecs: frozenset[str]) -> bool:
    """Whether the library would read on behind a packed chunk, and give out what lies there.

    Blosc goes by the sizes of its header (version, three bytes, then the sizes unpacked, of a block
    and packed, each of four bytes); other codecs notice themselves.
    """
    if "blosc" not in codecs or content[:1] not in (b"\1", b"\2"):
        return False
    return len(content) < _BLOSC_HEADER or int.from_bytes(content[12:16], "little") > len(content)


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
