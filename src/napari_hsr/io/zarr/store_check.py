"""The folder of a zarr store, looked at before the library believes it.

A store is a tree of files that may come from anywhere: metadata of any size and depth, links out of
the folder, pipes, codecs that run what they read (``pickle``), chunks that swell. Whatever the library
asks for passes here.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import stat
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import atomic, limits
from napari_hsr.io.library_errors import translated
from napari_hsr.io.zarr.packed_chunks import DAMAGED, check_packed, codecs_in_order
from napari_hsr.io.zarr.shards import ShardIndex
from napari_hsr.units import one_line

#: Files of metadata, in versions 2 and 3.
METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
#: Codecs that only turn bytes into bytes or numbers.
_CODECS = {
    "adler32", "astype", "bitround", "blosc", "bytes", "bz2", "crc32", "crc32c", "delta",
    "fixedscaleoffset", "fletcher32", "gzip", "jenkins_lookup3", "lz4", "lzma", "packbits",
    "quantize", "sharding_indexed", "shuffle", "transpose", "vlen-bytes", "vlen-utf8", "zlib",
    "zstd", "zfpy", "cast_value", "scale_offset",
}  # fmt: skip
#: Where metadata name them.
_NAMED = ("compressor", "filters", "codecs", "index_codecs")
#: Bytes that a chunk may have beyond its values: sums of check.
_BEYOND = 64
#: Chunks of one shard.
_MOST_INNER = 2**24
#: Shards of which the index is read, and chunks in them, to tell which were never written.
_MOST_INDICES, _MOST_COUNTED = 10_000, 2**20
#: Groups and arrays: the library takes over a millisecond for each. A field of a plate opens by itself.
_MOST_NODES = 2_000
#: Files of a store that are counted.
_MOST_FILES = 200_000


@dataclass(frozen=True)
class _Chunk:
    """Chunks of an array: most bytes of one unpacked, codecs in order, and how it lies with others in a file.

    ``whole`` where all of them were there when the store was opened: one that is missing later is no
    fill value.
    """

    most: int
    codecs: tuple[str, ...]
    shard: ShardIndex | None
    whole: bool = False


def checked(path: Path) -> Any:
    """A store of the library over a folder, in which nothing is read that was not looked at.

    Raises
    ------
    FileError
        If its groups lie too deep, are too many, or links lead out of it.
    """
    _check_tree(path)
    return _store_class()(path, read_only=True)


def wait_for_writes() -> None:
    """Wait until the library has ended what it writes in its own threads.

    Where one write fails, it goes on with those that were begun beside it, and would make a folder
    anew that was removed meanwhile.
    """
    import asyncio

    from zarr.core.sync import sync

    async def ended() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    sync(ended())


def check_array(path: Path, array: Any) -> None:
    """Compare what an array claims with what its folder holds; later its chunks with their size.

    Raises
    ------
    FileError
        If far more is claimed, or a chunk alone takes more memory than there is.
    """
    shape, chunks = [int(n) for n in array.shape], [int(n) for n in array.chunks]
    if any(n < 0 for n in shape) or any(n < 1 for n in chunks):
        raise FileError(path, f"{DAMAGED}: a size of {shape} in chunks of {chunks} is none")
    needed = math.prod(shape) * array.dtype.itemsize
    of_chunk = math.prod(chunks) * array.dtype.itemsize
    if max(needed, of_chunk) > limits.ASKED_FROM:
        held = _stored(path / array.path, max(needed, of_chunk) // limits.MOST_SWELLING + 1)
        limits.check_room(path, of_chunk, "a chunk of it", held)
        limits.check_claim(path, needed, "it", held)
    shard = None if array.metadata.zarr_format == 2 else _shard(path, array)
    codecs = codecs_in_order(path, array.metadata.to_dict())
    array.store_path.store.chunks[array.path] = _Chunk(of_chunk + _BEYOND, codecs, shard)


def state_whole(array: Any) -> None:
    """Say of an array that :func:`check_array` looked at that none of its chunks was missing."""
    chunks = array.store_path.store.chunks
    chunks[array.path] = replace(chunks[array.path], whole=True)


def chunks_there(path: Path, array: Any) -> tuple[int, int, str]:
    """How many parts of an array were written, of how many, and what they are: chunks, or shards of them."""
    sides = array.shards or array.chunks
    parts, chunks = (
        [-(-int(n) // int(side)) for n, side in zip(array.shape, of, strict=True)]
        for of in (sides, array.chunks)
    )
    inside = [int(whole) // int(part) for whole, part in zip(sides, array.chunks, strict=True)]
    if not array.shards or math.prod(parts) > _MOST_INDICES or math.prod(chunks) > _MOST_COUNTED:
        there = array.nchunks_initialized // math.prod(inside)
        return there, math.prod(parts), "shards" if array.shards else "chunks"
    store, there = array.store_path.store, 0
    shard = store.chunks[array.path].shard
    for at in np.ndindex(*parts):
        key = f"{array.path}/{array.metadata.encode_chunk_key(at)}".lstrip("/")
        _check(path, key, store.chunks)
        file = path / key
        if file.is_file():
            places = shard.places(path, key, shard.read(file), file.stat().st_size)
            # those of the array: the last shards may reach beyond it
            within = [slice(n - i * k) for n, i, k in zip(chunks, at, inside, strict=True)]
            there += int(places.any(axis=1).reshape(inside)[tuple(within)].sum())
    return there, math.prod(chunks), "chunks"


def _shard(path: Path, array: Any) -> ShardIndex | None:
    """Of chunks that hold smaller ones; None if they do not."""
    outer = [codec.to_dict() for codec in array.metadata.codecs]
    facts = next((c["configuration"] for c in outer if c["name"] == "sharding_indexed"), None)
    if facts is None:
        return None
    inner = {str(codec["name"]) for codec in facts["codecs"]}
    index = [str(codec["name"]) for codec in facts["index_codecs"]]
    if (
        len(outer) > 1
        or "sharding_indexed" in inner
        or index not in (["bytes"], ["bytes", "crc32c"])
    ):
        raise FileError(path, "its shards are packed in a way that is not read")
    pieces = zip(array.shards, array.chunks, strict=True)
    count = math.prod(int(whole) // int(part) for whole, part in pieces)
    limits.check_count(path, count, "chunks in each shard", _MOST_INNER)
    order = ">" if facts["index_codecs"][0]["configuration"].get("endian") == "big" else "<"
    return ShardIndex(16 * count, 4 * (len(index) - 1), order, facts["index_location"] == "start")


def small(path: Path, array: Any) -> Any:
    """All values of an array beside the cube.

    Raises
    ------
    FileError
        If they are more than a list beside a cube has.
    """
    count = math.prod(int(n) for n in array.shape)
    limits.check_count(path, count, f"values in {one_line(array.path, 80)}", limits.MOST_VALUES)
    check_array(path, array)
    with translated(path, DAMAGED):
        return array[...]


@lru_cache(maxsize=1)
def _store_class() -> Any:
    from zarr.storage import LocalStore

    class CheckedStore(LocalStore):
        """Reads files of its folder alone, of the size that is claimed."""

        def __init__(self, root: Any, *, read_only: bool = False) -> None:
            super().__init__(root, read_only=read_only)
            #: By the path of the array.
            self.chunks: dict[str, _Chunk] = {}
            self.folder = _identity(Path(self.root))

        async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
            await asyncio.to_thread(_check, Path(self.root), key, self.chunks)
            found = await super().get(key, prototype, byte_range)
            await asyncio.to_thread(_check_same, Path(self.root), self.folder)
            chunk = _chunk_of(key, self.chunks)
            if found is None and chunk is not None and chunk.whole:
                raise _missing(Path(self.root), key)
            if chunk is not None and chunk.shard is not None and found is not None:
                content = found.to_bytes()
                await asyncio.to_thread(
                    _check_shard, Path(self.root), key, chunk, content, byte_range
                )
            return found

        async def get_partial_values(self, prototype: Any, key_ranges: Any) -> Any:
            ranges = list(key_ranges)
            for key, _ in ranges:
                await asyncio.to_thread(_check, Path(self.root), key, self.chunks)
            found = await super().get_partial_values(prototype, ranges)
            await asyncio.to_thread(_check_same, Path(self.root), self.folder)
            for (key, _), part in zip(ranges, found, strict=True):
                chunk = _chunk_of(key, self.chunks)
                if part is None and chunk is not None and chunk.whole:
                    raise _missing(Path(self.root), key)
            return found

    return CheckedStore


def _missing(root: Path, key: str) -> FileError:
    """The error of a chunk that was there, and is not: the library would hand out its fill value."""
    return FileError(root, f"the part {one_line(key, 80)} of it is gone. Open it again")


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from another one of its name; None where there is none."""
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _check_same(root: Path, folder: tuple[int, int] | None) -> None:
    """Refuse chunks of another store of the name: they are no values of the cube that was opened."""
    now = _identity(root)
    if now != folder:
        how = "is gone" if now is None else "was replaced by another one"
        raise FileError(root, f"the store {how} while it was open. Open it again")


def _check_tree(path: Path) -> None:
    """Look through the groups, not through the chunks of arrays."""
    ahead, count, nodes = [(path, 0)], 0, 0
    while ahead:
        folder, depth = ahead.pop()
        if depth > limits.DEEPEST:
            raise FileError(path, f"its groups lie more than {limits.DEEPEST} deep in one another")
        with translated(path, "it cannot be read", only=(OSError,)), os.scandir(folder) as entries:
            inside = list(_first(entries, limits.MOST_ENTRIES + 1))
        is_group = any((folder / name).exists() for name in (".zgroup", "zarr.json"))
        is_array = (folder / ".zarray").exists()
        nodes += is_group or is_array
        if nodes > _MOST_NODES:
            raise FileError(
                path,
                f"it holds more than {_MOST_NODES:,} groups and arrays; open one of them by its path",
            )
        if is_array or (depth and not is_group):
            continue  # chunks of an array, or none of a store
        count += len(inside)
        limits.check_count(path, count, "groups and arrays")
        for entry in inside:
            if entry.is_symlink():
                _check_inside(path, Path(entry.path))
                if entry.is_dir():
                    raise FileError(path, f"{one_line(entry.name, 80)} in it is a link to a folder")
            elif entry.is_dir():
                ahead.append((Path(entry.path), depth + 1))


def _first(entries: Any, most: int) -> Any:
    for _, entry in zip(range(most), entries, strict=False):
        yield entry


def _check_inside(root: Path, file: Path) -> None:
    whole = os.path.realpath(root)
    if os.path.commonpath([whole, os.path.realpath(file)]) != whole:
        name = one_line(os.path.relpath(file, root), 80)
        raise FileError(root, f"{name} in it leads to another place, which is not read")


def _chunk_of(key: str, chunks: dict[str, _Chunk]) -> _Chunk | None:
    if key.rpartition("/")[2] in METADATA:
        return None
    of = max((a for a in chunks if key.startswith(f"{a}/" if a else "")), key=len, default=None)
    return None if of is None else chunks[of]


def _check_shard(root: Path, key: str, chunk: _Chunk, content: bytes, asked: Any) -> None:
    """Look at the chunks in what was read of a shard: all of it, its index, or one of them."""
    shard = chunk.shard
    assert shard is not None
    pieces = [content]
    if asked is None:
        places = shard.places(root, key, shard.of(content), len(content)).tolist()
        pieces = [content[at : at + size] for at, size in places if size]
    elif getattr(asked, "start", None) is None or (shard.at_start and asked.start == 0):
        shard.places(root, key, content, (root / key).stat().st_size)
        return  # the index
    for piece in pieces:
        check_packed(root, key, piece, chunk.most, chunk.codecs)


def _check(root: Path, key: str, chunks: dict[str, _Chunk]) -> None:
    """Look at a file before the library reads it."""
    file = root / key
    try:
        found = os.stat(file)
    except (OSError, ValueError):  # not there: told by the library
        return
    if stat.S_ISDIR(found.st_mode):
        return
    if not stat.S_ISREG(found.st_mode):
        raise FileError(root, f"{one_line(key, 80)} in it is {atomic.kind_of(found.st_mode)}")
    _check_inside(root, file)
    if key.rpartition("/")[2] in METADATA:
        _check_metadata(root, key, limits.content(file))
        return
    chunk = _chunk_of(key, chunks)
    if chunk is None:
        limits.check_count(root, found.st_size, f"bytes in {one_line(key, 80)}", limits.ASKED_FROM)
    elif chunk.shard is None:
        check_packed(root, key, file.read_bytes(), chunk.most, chunk.codecs)


def _check_metadata(root: Path, key: str, content: bytes) -> None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FileError(root, f"{DAMAGED}: {one_line(key, 80)} is no JSON") from error
    if limits.too_deep(found):
        raise FileError(
            root, f"{DAMAGED}: lists in {one_line(key, 80)} lie too deep in one another"
        )
    if limits.too_many(found, limits.MOST_VALUES):
        raise FileError(
            root, f"{one_line(key, 80)} in it holds more values than are looked through"
        )
    if isinstance(found, dict):
        for entries in (found.get("metadata"), found.get("consolidated_metadata")):
            if isinstance(entries, dict):
                limits.check_count(root, len(entries), "groups and arrays")
    unknown = sorted(_codecs(found) - _CODECS)
    if unknown and not key.endswith(".zattrs"):
        raise FileError(
            root,
            f"its values are packed by the codec {one_line(unknown[0], 80)}, which is not read: it may "
            "run what a file holds",
        )


def _codecs(metadata: Any) -> set[str]:
    """Names of all codecs in metadata, as they are told in versions 2 and 3."""
    names: set[str] = set()
    ahead = [metadata]
    while ahead:
        value = ahead.pop()
        if isinstance(value, (list, tuple)):
            ahead += value
        elif isinstance(value, dict):
            for key, inner in value.items():
                if key == "attributes":  # of no meaning to the library
                    continue
                if key in _NAMED:
                    listed = inner if isinstance(inner, (list, tuple)) else [inner]
                    told = [
                        c.get("id", c.get("name")) if isinstance(c, dict) else c for c in listed
                    ]
                    names |= {str(t).removeprefix("numcodecs.") for t in told if t is not None}
                ahead.append(inner)
    return names


def _stored(folder: Path, enough: int) -> int:
    """Bytes of the files in a folder, at least as far as ``enough``."""
    total, count = 0, 0
    for above, _, names in os.walk(folder):
        for name in names:
            count += 1
            try:
                total += os.lstat(os.path.join(above, name)).st_size
            except OSError:  # gone meanwhile: it holds nothing
                continue
            if total >= enough or count >= _MOST_FILES:
                return max(total, enough) if count >= _MOST_FILES else total
    return total
