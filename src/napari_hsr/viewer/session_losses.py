"""What of a layer a session does not keep, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.viewer.canvas_text import is_map
from napari_hsr.viewer.layer_data import is_frames
from napari_hsr.viewer.names import PIN

if TYPE_CHECKING:
    from napari.layers import Layer


def why_left_out(layer: Layer) -> str:
    """Why a layer of no kind that a session holds is not kept."""
    if is_frames(layer):
        return "cubes of frames are computed when they are looked at; run Reconstruct on it again."
    if is_map(layer):
        return "it is computed when it is looked at; run Reconstruct again."
    return "a session keeps no layers of this kind; save it with napari."


def of_layer(layer: Layer, kind: str) -> str:
    """What of a layer without a file is not written; empty if all of it is."""
    if kind in ("points", "shapes"):
        texts = np.asarray(layer.text.values, dtype=str)
        ours = PIN in layer.features and np.array_equal(texts, layer.features[PIN].astype(str))
        drawn = layer.text.visible and texts.size and (texts != "").any() and not ours
        return (
            "the texts drawn beside it are not kept, but the features they show are"
            if drawn
            else ""
        )
    if kind not in ("cube", "photograph"):
        return ""
    dtype = np.dtype(layer.data.dtype)
    if not np.can_cast(dtype, np.float32):
        return f"its values ({dtype}) are kept as float32"
    return "its alpha channel is not kept" if layer.rgb and layer.data.shape[-1] > 3 else ""
