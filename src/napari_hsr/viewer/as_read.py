"""Whether a layer still holds what was read for it, and lies where it did: the one place that knows what tells so.

It may have been given another array, or other values, or have been moved since.
"""

from __future__ import annotations

import weakref
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.viewer.fingerprints import Trace
from napari_hsr.viewer.layer_data import KEY, TRANSFORM
from napari_hsr.viewer.regions import Plane

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer
    from napari.utils.events import Event

    from napari_hsr.photograph_stack import PhotographStack

#: Events of a layer that is moved: all that its place in the world is made of.
MOVED = (*TRANSFORM, "units")
#: Events of a layer of each kind that has other values. Undo and redo of painting, shapes and points that are
#: pasted, and shapes of another kind are told by ``set_data`` alone, which goes with much else: :class:`Held`
#: says whether there was a change. An image fires it whenever another band is drawn.
_VALUES: dict[str, tuple[str, ...]] = {
    "Labels": ("data", "paint", "set_data"),
    "Shapes": ("data", "set_data"),
    "Points": ("data", "set_data"),
}

#: Arrays that layers of files were made of, sums of their values, and their files as they were, by their ids; weakly, so
#: that they go with their layers.
_MADE: dict[int, tuple[weakref.ref[Any], int, Trace]] = {}


def note(data: Any, trace: Trace) -> None:
    """Remember an array that was read for a layer, and how its file was then."""
    key = id(data)
    _MADE[key] = weakref.ref(data, lambda _gone: _MADE.pop(key, None)), _sum(data), trace


def trace_of_stack(path: str, stack: PhotographStack) -> Trace:
    """How the files of a stack are now: of one that grows, those of the frames that there are."""
    return Trace.of(path, getattr(stack.frames, "paths", ()))


def _sum(data: Any) -> int:
    """A checksum of an array in memory, whose values can be changed where they are."""
    in_memory = isinstance(data, np.ndarray) and not isinstance(data, np.memmap)
    return zlib.crc32(data.ravel(order="K")) if in_memory else 0


def file_of(layer: Layer) -> Trace | None:
    """How the file of a layer was when its array was read; None if it has none, or another array or values since."""
    data, known = layer.data, _MADE.get(id(layer.data))
    if layer.source.path is None or known is None:
        return None
    array, total, trace = known
    return trace if array() is data and total == _sum(data) else None


def changes_of(layer: Layer) -> tuple[str, ...]:
    """The events of a layer after which what was taken of it may be another: its values, or its place."""
    kind = layer.__class__.__name__  # seen through napari's proxy, as type() is not
    return (*_VALUES.get(kind, ("data",)), "metadata", *MOVED)


class Held:
    """What a run takes of a layer: its values, and what we know of it, as its wavelengths or its encoding."""

    def __init__(self, layer: Layer):
        self._data, self._copied = _array(layer), _copied(layer)
        self._state = layer.metadata.get(KEY)

    def by(self, layer: Layer) -> bool:
        """Whether the layer still has them."""
        return self.values_by(layer) and layer.metadata.get(KEY) is self._state

    def values_by(self, layer: Layer) -> bool:
        """Whether the layer still has the values."""
        if _array(layer) is not self._data:
            return False
        now = _copied(layer)
        return len(now) == len(self._copied) and all(map(np.array_equal, now, self._copied))

    def values_after(self, event: Event) -> bool:
        """The same after an event of the layer: an array that is assigned again was changed where it lies."""
        return (event.type != "data" or _drawn(event.source)) and self.values_by(event.source)


class Lying:
    """Where the pixels of a layer lie over those of another: in which a region of it is measured, say."""

    def __init__(self, viewer: ViewerModel, layer: Layer, over: Layer):
        self.layer = layer
        self._viewer, self._over = viewer, over
        self._at = self._now()

    def still(self) -> bool:
        """Whether they lie there now, whatever was moved with them."""
        return bool(np.allclose(self._at, self._now(), rtol=1e-9, atol=1e-6, equal_nan=True))

    def _now(self) -> np.ndarray:
        corners = np.array([[0.0, 0], [1, 0], [0, 1]])
        placed = Plane.of(self.layer, self._viewer).to_world(corners)
        return Plane.of(self._over, self._viewer).to_data(placed)


def _drawn(layer: Layer) -> bool:
    """Whether a layer is made of shapes or points, which are few, and looked at one by one."""
    return layer.__class__.__name__ in ("Shapes", "Points")


def _array(layer: Layer) -> Any:
    """The array of a layer that keeps one; napari makes that of shapes whenever it is asked for."""
    return None if _drawn(layer) else layer.data


def _copied(layer: Layer) -> list[np.ndarray]:
    """What changes while the array stays the same: shapes, points, and labels, which are painted where they lie."""
    if _drawn(layer):
        return [np.array(getattr(layer, "shape_type", ()), str), *map(np.array, layer.data)]
    if layer.__class__.__name__ != "Labels":
        return []
    # of labels on disk, how often napari painted is what can be asked
    steps = [getattr(layer, f"_{what}_history", ()) for what in ("undo", "redo")]
    painted = [number for one in steps for number in (len(one), id(one[-1]) if one else 0)]
    return [np.array([_sum(layer.data), *painted])]


def too_late(viewer: ViewerModel, layer: Layer, held: Held, what: str) -> str:
    """Why what was made of a cube is none of its layer any more; empty where it is.

    ``what`` ends the sentence: ``"its picture was ready"``.
    """
    there = layer in viewer.layers
    if there and held.by(layer):
        return ""
    return f"The cube was {'changed' if there else 'removed'} before {what}."
