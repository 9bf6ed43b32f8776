"""What lies over a layer that was just made: it is put above its source, not above all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.viewer.layer_data import is_image

if TYPE_CHECKING:
    from napari.components import ViewerModel

#: Ways of blending in which what lies below is not seen.
_OPAQUE = ("translucent", "translucent_no_depth", "opaque")


def covered(viewer: ViewerModel, layer: Any = None) -> str:
    """A sentence on the uppermost picture that hides a part of a layer; empty if none does.

    Of no layer in particular the active one is meant: a layer that was just added is.
    """
    layers, layer = [*viewer.layers], layer or viewer.layers.selection.active
    if layer not in layers or not is_image(layer):
        return ""
    above = layers[layers.index(layer) + 1 :]
    over = next((one for one in reversed(above) if _hides(one, layer)), None)
    return "" if over is None else f"“{over.name}” lies over it: hide that one to see it."


def _hides(upper: Any, lower: Any) -> bool:
    if not (is_image(upper) and upper.visible and upper.opacity == 1 and upper.blending in _OPAQUE):
        return False
    a, b = (one.extent.world[:, -2:] for one in (upper, lower))
    return bool((a[0] < b[1]).all() and (b[0] < a[1]).all())
