"""What the Compare panel takes from a layer: its cube, the frame on show, or only its outline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.cube import Cube
from napari_hsr.errors import HSRError
from napari_hsr.metrics.compare import Outline, why_not
from napari_hsr.viewer.as_read import Held
from napari_hsr.viewer.layer_data import (
    is_frames,
    layer_cube,
    layer_shape,
    layer_state,
    layer_wavelengths,
    shown_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_hsr.inference.stacks.frame_figures import OneOf
    from napari_hsr.viewer.as_read import Lying


class Taken:
    """The layers of a comparison with what they hold, and where its region lies over the prediction."""

    def __init__(self, layers: Iterable[Any] = (), lying: Lying | None = None):
        self.layers = {layer: Held(layer) for layer in layers}
        self._names = {layer: shown_name(layer) for layer in self.layers}
        self._lying = lying

    def named(self, prediction: Any, truth: Any) -> tuple[str, str]:
        """What the two were called, with the frame of a film that was taken: the slider may have moved on."""
        return self._names[prediction], self._names[truth]

    def outdated(self, event: Any) -> tuple[Any, str] | None:
        """The layer by which the comparison is of something else now, and what became of it.

        That of the event, a layer's own, is looked at; without one all are.
        """
        told = getattr(event, "source", None)
        for layer, held in self.layers.items():
            if told is None and not held.values_by(layer):
                return layer, "changed"
            if told is layer and not held.values_after(event):
                return layer, "changed"
        if self._lying is not None and not self._lying.still():
            return told or self._lying.layer, "moved"
        return None


def one_of(layer: Any) -> OneOf:
    """The cube of a layer, or the frame on show of a stack, to be computed if it is not there."""
    if not is_frames(layer):
        return layer_cube(layer)
    return layer.data.frames, layer.data.frames.shown


def outline(layer: Any) -> Cube:
    """The cube of a layer without its data, enough to check whether it fits."""
    return Cube(
        Outline(layer_shape(layer), layer.data.dtype), layer_wavelengths(layer), name=layer.name
    )


def refused(prediction: Any, truth: Any, **options: Any) -> str | None:
    """Why two layers cannot be compared, in one sentence; None if they can."""
    try:
        return why_not(outline(prediction), outline(truth), **options)
    except HSRError as error:  # an array of no pixels
        return str(error)


def was_made(layer: Any) -> bool:
    """Whether the cube of a layer was reconstructed or super-resolved."""
    history = layer_state(layer).get("provenance", {})
    return bool(history.get("model") or "super_resolution" in history.get("extra", {}))
