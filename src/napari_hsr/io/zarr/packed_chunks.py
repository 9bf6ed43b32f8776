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
#: Codecs that put a sum of check of four bytes before or behind, and what is left without it.
_SUM_CODECS = frozenset(("crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"))
_SUMS = {"sum first": slice(4, None), "sum last": slice(None, -4)}


def codecs_in_order(path: Path, metadata: dict[str, Any]) -> tuple[str, ...]:
    """Codecs of the chunks of an array, as they are applied; of shards, those of the chunks in them.

    Sums of check are named by where they stand.

    Raises
    ------
    FileError
        If something that is not looked through lies between two that pack.
    """
    listed = metadata.get("codecs")
    if listed is None:  # version 2
        listed = [*(metadata.get("filters") or ()), metadata.get("compressor")]
    for codec in listed:
        if isinstance(codec, dict) and codec.get("name") == "sharding_indexed":
            listed = codec["configuration"]["codecs"]
    names = tuple(_name(codec) for codec in listed if codec is not None)
    packers = [at for at, name in enumerate(names) if name in _PACKERS]
    between = names[packers[0] : packers[-1]] if packers else ()
    if set(between) - _PACKERS - set(_SUMS):
        raise FileError(path, "its values are packed in a way that is not read")
    return names


def _name(codec: Any) -> str:
    facts = codec if isinstance(codec, dict) else {}
    name = str(facts.get("id", facts.get("name"))).removeprefix("numcodecs.")
    stands = {**facts, **(facts.get("configuration") or {})}.get("location")
    at_start = stands == "start" or (stands is None and name in ("crc32", "adler32"))
    return ("sum first" if at_start else "sum last") if name in _SUM_CODECS else name


def check_packed(root: Path, key: str, content: bytes, most: int, codecs: tuple[str, ...]) -> None:
    """Refuse a chunk of a store that holds more than ``most`` bytes, or is cut off.

    Where one codec packs what another one packed, the chunk is looked at behind each.

    Raises
    ------
    FileError
        Naming the chunk.
    """
    name = one_line(key, 80)
    texts = bool({"vlen-utf8", "vlen-bytes"} & set(codecs))
    beneath = sum(codec in _PACKERS for codec in codecs)
    if not beneath and len(content) > most:
        raise FileError(root, _too_much(name, most))
    for codec in reversed(codecs):
        if codec in _SUMS:
            content = content[_SUMS[codec]]
        if codec not in _PACKERS:
            continue
        beneath -= 1
        if swells(content, most + beneath * (most // 64 + 1024), codec):  # packed noise grows
            raise FileError(root, _too_much(name, most))
        if is_cut_off(content, codec):
            raise FileError(root, f"{DAMAGED}: its chunk {name} is cut off")
        if beneath or texts:
            unpacked = _unpacked(content, codec)
            if unpacked is None and beneath:
                raise FileError(root, f"{DAMAGED}: its chunk {name} cannot be unpacked")
            content = unpacked or b""  # of texts: told by the library
    if texts and claims_texts(content):
        raise FileError(root, f"{DAMAGED}: its chunk {name} claims more texts than it holds")


def _too_much(name: str, most: int) -> str:
    return f"{DAMAGED}: its chunk {name} should hold {format_bytes(most)}, but more came out"


def _unpacked(content: bytes, codec: str) -> bytes | None:
    """What was packed, of which the size was looked at; None if it is damaged."""
    import numcodecs

    try:
        return bytes(numcodecs.get_codec({"id": codec}).decode(content))
    except (RuntimeError, ValueError, OSError, EOFError, zlib.error, lzma.LZMAError):
        return None


def claims_texts(content: bytes) -> bool:
    """Whether a chunk of texts, in which a number of four bytes stands before each, claims too many.

    The first number counts them, and the library would make room for as many, for a minute.
    """
    return 4 + 4 * int.from_bytes(content[:4], "little") > max(len(content), 4)


def swells(content: bytes, most: int, codec: str) -> bool:
    """Whether a packed chunk holds more bytes than that."""
    if codec == "blosc":
        return int.from_bytes(content[4:8], "little") > most
    if codec == "lz4":
        return int.from_bytes(content[:4], "little") > most
    if codec == "zstd":
        return _zstd_swells(content, most)
    total = 0
    try:
        while content:  # several streams one behind the other are unpacked as one
            unpacker = _stream(codec)
            total += len(unpacker.decompress(content, most + 1 - total))
            if total > most:
                return True
            content = unpacker.unused_data
    except (zlib.error, OSError, EOFError, lzma.LZMAError):
        pass  # damaged: told by the library, which stops there too
    return False


def _stream(codec: str) -> Any:
    if codec == "bz2":
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(memlimit=2**28) if codec == "lzma" else zlib.decompressobj(47)


def is_cut_off(content: bytes, codec: str) -> bool:
    """Whether the library would read on behind a packed chunk, and give out what lies there.

    Blosc goes by the sizes of its header (version, three bytes, then the sizes unpacked, of a block
    and packed, each of four bytes); other codecs notice themselves.
    """
    if codec != "blosc" or content[:1] not in (b"\1", b"\2"):
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
