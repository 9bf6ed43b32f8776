"""Where data sets keep their values in a file, held against each other and against the heads of objects."""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO

from napari_hsr.errors import FileError
from napari_hsr.io.hdf5.structure import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: What the library's own parts begin with, and so many bytes of values, at both ends, are looked through for it.
_PARTS = re.compile(
    rb"GCOL\x01\x00\x00\x00|HEAP\x00{4}|SNOD\x01\x00|TREE[\x00\x01]\x00|FRHP\x00|BTHD\x00|OHDR\x02"
)
_LOOKED_THROUGH, _SIGNATURE = 2**12, 8
#: Of messages in a head, the last kind there is, and that of what goes on elsewhere.
_LAST_KIND, _CONTINUED = 0x18, 0x10
_LONGEST_HEAD, _MOST_BLOCKS, _MOST_GROUPS = 2**20, 1000, 1000
#: Version 1 of an object header has 16 bytes before its messages, and states their length at the ninth.
_HEAD, _LENGTH_AT = 16, 8
_VERSION_1, _VERSION_2 = b"\x01", b"OHDR"


def check_apart(path: Path, items: Iterable[Any], heaps: Iterable[tuple[int, int]]) -> None:
    """Refuse data sets whose values, in one piece each, lie over others' or over the library's own: a place is damaged.

    Parameters
    ----------
    path : Path
    items : iterable of h5py.Dataset
    heaps : iterable of (int, int)
        Places and lengths of the heaps with texts of free length.

    Raises
    ------
    FileError
        Naming it.
    """
    items = list(items)
    pieces = [
        (item.id.get_offset(), item.id.get_storage_size(), f"the values of {shown(item.name)}")
        for item in items
        if item.chunks is None and not item.is_virtual and item.id.get_offset() is not None
    ]
    of_heaps = ((place, size, "texts of free length") for place, size in heaps)
    taken = sorted([*pieces, *_heads(path, items), *of_heaps])
    for (start, size, name), (after, more, other) in pairwise(taken):
        if start < after < start + size and more:
            raise FileError(path, f"it is damaged: {name} and {other} lie over each other")
    with path.open("rb") as file:
        for start, size, name in pieces:
            ends = {
                (start, min(size, _LOOKED_THROUGH)),
                (max(start, start + size - _LOOKED_THROUGH), size),
            }
            for first, count in ends:
                file.seek(first)
                count = min(count, _LOOKED_THROUGH)
                part = _PARTS.search(file.read(count + _SIGNATURE))
                if part and part.start() < count:
                    raise FileError(
                        path, f"it is damaged: {name} lie over what tells where others lie"
                    )


def _heads(path: Path, items: list[Any]) -> Iterator[tuple[int, int, str]]:
    """Place, length and name of the head of each data set, and of the groups that they lie in.

    Source: HDF5 File Format Specification, IV.A.1, "Data Object Headers".
    """
    import h5py

    folders = {item.name.rpartition("/")[0]: item for item in items if item.name}
    groups = [item.parent for item in list(folders.values())[:_MOST_GROUPS]]
    if items and items[0].file.id.get_create_plist().get_sizes() != (8, 8):
        return  # of addresses in 4 bytes, which no program here has written
    seen = set()
    with path.open("rb") as file:
        for item in [*items, *groups]:
            before = item.file.userblock_size
            place = h5py.h5o.get_info(item.id).addr + before
            if place in seen:  # one of several names of it
                continue
            seen.add(place)
            file.seek(place)
            head = file.read(_HEAD)
            size = 1
            if head[:1] == _VERSION_1 and len(head) == _HEAD:
                length = int.from_bytes(head[_LENGTH_AT : _LENGTH_AT + 4], "little")
                size = _HEAD + length
                if not all(kind <= _LAST_KIND for kind in _kinds(file, place, length, before)):
                    told = (
                        f"it is damaged: the head of {shown(item.name)} has a part of no known kind"
                    )
                    raise FileError(path, told)
            elif head[:4] == _VERSION_2:
                size = len(head)
            yield place, size, f"the head of {shown(item.name)}"


def _kinds(file: BinaryIO, place: int, length: int, before: int) -> Iterator[int]:
    """The kinds of the messages of a head of version 1: the library passes over those that it does not know."""
    blocks = [(place + _HEAD, length)]
    for start, size in blocks:
        file.seek(start)
        content, at = file.read(min(size, _LONGEST_HEAD)), 0
        while at + 8 <= len(content):
            kind, taken = struct.unpack_from("<HH", content, at)
            yield kind
            if kind == _CONTINUED and at + 24 <= len(content) and len(blocks) < _MOST_BLOCKS:
                further, more = struct.unpack_from("<QQ", content, at + 8)
                blocks.append((before + further, more))
            at += 8 + taken
