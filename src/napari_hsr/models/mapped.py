"""Large files of weights are mapped, not read: what is not in use need not be in memory.

The tensors of a mapped file are part of it for the system, which brings in what is read. Whoever
is done with some of them for a while says so by :func:`release`; read again, they come back from
the file. They must not be written to: what was written would be lost with their memory.
"""

from __future__ import annotations

import json
import mmap
import os
import weakref
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

#: Files of so many bytes are mapped; smaller ones are read, and may then be changed or deleted.
FROM = 2**29

_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
#: Mapped files in use, by their first address.
_mappings: weakref.WeakValueDictionary[int, mmap.mmap] = weakref.WeakValueDictionary()


def worth_it(path: str | os.PathLike) -> bool:
    """Whether a file is large, and the system lets it be replaced while it is mapped."""
    return os.name == "posix" and os.path.getsize(path) >= FROM


def tensors(path: str | os.PathLike | Path) -> dict[str, Tensor]:
    """The tensors of a sound safetensors file, in its own memory."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    header.pop("__metadata__", None)
    _mappings[torch.frombuffer(memory, dtype=torch.uint8, count=1).data_ptr()] = memory
    found = {}
    for name, entry in header.items():
        dtype, (start, stop) = _TYPES[entry["dtype"]], entry["data_offsets"]
        flat = torch.empty(0, dtype=dtype)
        if stop > start:
            offset, count = 8 + length + start, (stop - start) // dtype.itemsize
            flat = torch.frombuffer(memory, dtype=dtype, count=count, offset=offset)
        found[name] = flat.view(entry["shape"])
    return found


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
