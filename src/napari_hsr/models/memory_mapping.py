"""Large files of weights are mapped, not read: what is not in use need not be in memory.

The tensors of a mapped file are part of it for the system, which brings in what is read. Whoever
is done with some of them for a while says so by :func:`release`; read again, they come back from
the file. They must not be written to: what was written would be lost with their memory.
"""

from __future__ import annotations

import json
import mmap
import os
import tempfile
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from torch import Tensor

#: Files of so many bytes are mapped; smaller ones are read, and may then be changed or deleted.
FROM = 2**29

#: The types of safetensors files, in the order in which these hold their tensors.
TYPES = {
    "U64": torch.uint64,
    "I64": torch.int64,
    "F64": torch.float64,
    "F32": torch.float32,
    "U32": torch.uint32,
    "I32": torch.int32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "U16": torch.uint16,
    "I16": torch.int16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
#: Mapped files in use, by their first address.
_mappings: weakref.WeakValueDictionary[int, mmap.mmap] = weakref.WeakValueDictionary()


def worth_it(path: str | os.PathLike) -> bool:
    """Whether a file is large, and the system lets it be replaced while it is mapped."""
    return os.name == "posix" and os.path.getsize(path) >= FROM


def _open(file: IO[bytes]) -> mmap.mmap:
    memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    _mappings[torch.frombuffer(memory, dtype=torch.uint8, count=1).data_ptr()] = memory
    return memory


def _values(memory: mmap.mmap, dtype: torch.dtype, offset: int, count: int) -> Tensor:
    """(count,) of the values that begin at a byte."""
    if not count:
        return torch.empty(0, dtype=dtype)
    return torch.frombuffer(memory, dtype=dtype, count=count, offset=offset)


def tensors(path: str | os.PathLike | Path) -> dict[str, Tensor]:
    """The tensors of a sound safetensors file, in its own memory."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        memory = _open(file)
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        dtype, (start, stop) = TYPES[entry["dtype"]], entry["data_offsets"]
        flat = _values(memory, dtype, 8 + length + start, (stop - start) // dtype.itemsize)
        found[name] = flat.view(entry["shape"])
    return found


def adopted(weights: Mapping[str, Tensor], path: str | os.PathLike) -> dict[str, Tensor]:
    """Tensors that torch mapped from a file, in a mapping of our own: these can be released.

    Those that lie elsewhere stay as they are; so do all where the system does not tell which
    addresses belong to which file (``/proc``, on Linux).
    """
    places = _places(path)
    if not places or all(is_mapped(value) for value in weights.values()):
        return dict(weights)
    with open(path, "rb") as file:
        memory = _open(file)
    found = {}
    for key, value in weights.items():
        found[key] = value
        if value.device.type != "cpu" or value.layout != torch.strided or value.is_quantized:
            continue  # no weights, which is said later
        storage = value.untyped_storage()
        address, count = storage.data_ptr(), storage.nbytes() // value.element_size()
        for start, stop, offset in places:
            if count and start <= address and address + storage.nbytes() <= stop:
                flat = _values(memory, value.dtype, offset + address - start, count)
                found[key] = flat.as_strided(value.shape, value.stride(), value.storage_offset())
    return found


def _places(path: str | os.PathLike) -> list[tuple[int, int, int]]:
    """First and last address of each mapping of a file, and where in the file it begins."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return []
    places = []
    for line in maps.read_text(errors="surrogateescape").splitlines():
        addresses, _, offset, _, _, *name = line.split(maxsplit=5)
        if name == [os.path.realpath(path)]:
            start, stop = (int(part, 16) for part in addresses.split("-"))
            places.append((start, stop, int(offset, 16)))
    return places


#: Where a file of a gigabyte is on a disk; a folder for small ones may be in memory itself.
_ROOM = Path("/var/tmp")


def as_float32(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mapped tensors of other floating-point types as float32, in a file without a name.

    One tensor at a time is in memory; the file goes with the last of them.
    """
    room = _ROOM if os.access(_ROOM, os.W_OK) else None
    with tempfile.TemporaryFile(dir=room) as file:
        for value in weights.values():
            file.write(as_bytes(value.detach().float()))
            release(value)
        file.flush()
        memory = _open(file)
    found, offset = {}, 0
    for key, value in weights.items():
        found[key] = _values(memory, torch.float32, offset, value.numel()).view(value.shape)
        offset += 4 * value.numel()
    return found


def as_bytes(tensor: Tensor) -> np.ndarray:
    """The bytes of a tensor's values, (bytes,) uint8; no copy is made of what is contiguous."""
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy()


def _mapping(tensor: Tensor) -> tuple[int, mmap.mmap] | None:
    address = tensor.data_ptr() if tensor.device.type == "cpu" else 0
    for start, memory in list(_mappings.items()):
        if start <= address < start + len(memory):
            return start, memory
    return None


def is_mapped(tensor: Tensor) -> bool:
    """Whether a tensor's memory is that of a mapped file."""
    return _mapping(tensor) is not None


def release(tensor: Tensor) -> None:
    """Give back the memory of a contiguous tensor if it is mapped; its values stay in the file."""
    found = _mapping(tensor)
    if found is None or not hasattr(mmap, "MADV_DONTNEED"):
        return
    start, memory = found
    first = (tensor.data_ptr() - start) // mmap.PAGESIZE * mmap.PAGESIZE
    last = tensor.data_ptr() - start + tensor.numel() * tensor.element_size()
    memory.madvise(mmap.MADV_DONTNEED, first, last - first)
