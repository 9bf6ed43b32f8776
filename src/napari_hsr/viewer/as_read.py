"""Whether a layer still holds what was read for it: it may have been given another array since."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

#: Arrays that layers were made of, by their ids; weakly, so that they go with their layers.
_MADE: dict[int, weakref.ref[Any]] = {}


def note(data: Any) -> None:
    """Remember an array that a layer is made of."""
    key = id(data)
    _MADE[key] = weakref.ref(data, lambda _gone: _MADE.pop(key, None))


def holds_file(layer: Layer) -> bool:
    """Whether the array of a layer is that of its file."""
    known = _MADE.get(id(layer.data))
    return layer.source.path is not None and known is not None and known() is layer.data


def too_late(viewer: ViewerModel, layer: Layer, data: Any, what: str) -> str:
    """Why what was made of a cube's array is none of its layer any more; empty where it is.

    ``what`` ends the sentence: ``"its picture was ready"``.
    """
    there = layer in viewer.layers
    if there and layer.data is data:
        return ""
    return f"The cube was {'changed' if there else 'removed'} before {what}."
