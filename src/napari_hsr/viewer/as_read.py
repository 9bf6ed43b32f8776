"""Whether a layer still holds what was read for it: it may have been given another array, or other values, since."""

from __future__ import annotations

import weakref
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.viewer.layer_data import KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

#: Arrays that layers of files were made of, and sums of their values, by their ids; weakly, so that they go with their layers.
_MADE: dict[int, tuple[weakref.ref[Any], int]] = {}


def note(data: Any) -> None:
    """Remember an array that was read from a file for a layer."""
    key = id(data)
    _MADE[key] = weakref.ref(data, lambda _gone: _MADE.pop(key, None)), _sum(data)


def _sum(data: Any) -> int:
    """A checksum of an array in memory, whose values can be changed where they are."""
    in_memory = isinstance(data, np.ndarray) and not isinstance(data, np.memmap)
    return zlib.crc32(data.ravel(order="K")) if in_memory else 0


def holds_file(layer: Layer) -> bool:
    """Whether the array of a layer is that of its file."""
    data, known = layer.data, _MADE.get(id(layer.data))
    if layer.source.path is None or known is None:
        return False
    array, total = known
    return array() is data and total == _sum(data)


class Held:
    """What a run takes of a layer: its array, and what we know of it, as its wavelengths or its encoding."""

    def __init__(self, layer: Layer):
        self._data, self._state = layer.data, layer.metadata.get(KEY)

    def by(self, layer: Layer) -> bool:
        """Whether the layer still has them."""
        return layer.data is self._data and layer.metadata.get(KEY) is self._state


def too_late(viewer: ViewerModel, layer: Layer, data: Any, what: str) -> str:
    """Why what was made of a cube's array is none of its layer any more; empty where it is.

    ``what`` ends the sentence: ``"its picture was ready"``.
    """
    there = layer in viewer.layers
    if there and layer.data is data:
        return ""
    return f"The cube was {'changed' if there else 'removed'} before {what}."
