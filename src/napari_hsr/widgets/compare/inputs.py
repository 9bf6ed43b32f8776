"""What the Compare panel takes from a layer: its cube, the frame on show, or only its outline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.cube import Cube
from napari_hsr.errors import HSRError
from napari_hsr.metrics.compare import Outline, why_not
from napari_hsr.viewer.layer_data import (
    is_frames,
    layer_cube,
    layer_shape,
    layer_state,
    layer_wavelengths,
)

if TYPE_CHECKING:
    from napari_hsr.inference.stacks.frame_figures import OneOf


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
