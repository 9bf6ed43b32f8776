"""safetensors files written one tensor at a time: what is large is never in memory as a whole.

The format (https://github.com/huggingface/safetensors): the length of the header in eight bytes,
least first; the header, JSON with type, shape and place of every tensor, with spaces behind it
up to a multiple of eight; their values. The same tensors give the same bytes as the library's own
writer, which makes the whole file in memory.
"""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

from napari_hsr.models import memory_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

#: Rank and name of each type: a file holds the tensors of the strictest first.
_RANKED = {dtype: (rank, name) for rank, (name, dtype) in enumerate(memory_mapping.TYPES.items())}


def write(file: IO[bytes], tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    """Write tensors to an open file.

    Parameters
    ----------
    file : binary file
        Written from where it stands.
    tensors : mapping of str to torch.Tensor
        Each is read once, one behind the other; where it lies in a mapped file, its memory is
        given back then. One that has several names is written under each.
    about : mapping of str to str
        What is said in the header besides.

    Raises
    ------
    TypeError
        If the format has no name for the type of a tensor.
    """
    unknown = {str(t.dtype) for t in tensors.values() if t.dtype not in _RANKED}
    if unknown:
        raise TypeError(f"safetensors files hold no values of type {', '.join(sorted(unknown))}")
    order = sorted(tensors, key=lambda key: (_RANKED[tensors[key].dtype][0], key.encode()))
    header: dict[str, Any] = {"__metadata__": dict(about)} if about else {}
    start = 0
    for key in order:
        stop = start + tensors[key].numel() * tensors[key].element_size()
        header[key] = {
            "dtype": _RANKED[tensors[key].dtype][1],
            "shape": list(tensors[key].shape),
            "data_offsets": [start, stop],
        }
        start = stop
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for key in order:
        values = tensors[key].detach()
        file.write(memory_mapping.as_bytes(values.cpu()))
        memory_mapping.release(values)
