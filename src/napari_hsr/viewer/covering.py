"""What lies over a layer that was just made: it is put above its source, not above all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.viewer.layer_data import is_image

if TYPE_CHECKING:
    from napari.components import ViewerModel

#: Ways of blending in which what lies below is not seen.
_OPAQUE = ("translucent", "translucent_no_depth", "opaque")


def covered(viewer: ViewerModel, layer: Any = None) -> str:
    """A sentence on the pictures that hide a part of a picture or labels; empty if none does.

    Of no layer in particular the active one is meant: a layer that was just added is.
    """
    layers, layer = [*viewer.layers], layer or viewer.layers.selection.active
    if layer not in layers or not _is_raster(layer):
        return ""
    above = layers[layers.index(layer) + 1 :]
    over = [f"“{one.name}”" for one in reversed(above) if _hides(one, layer)]
    if not over:
        return ""
    if len(over) == 1:
        return f"{over[0]} lies over it: hide that one to see it."
    return f"{', '.join(over[:-1])} and {over[-1]} lie over it: hide them to see it."


def _hides(upper: Any, lower: Any) -> bool:
    if not (is_image(upper) and upper.visible and upper.opacity == 1 and upper.blending in _OPAQUE):
        return False
    a, b = (one.extent.world[:, -2:] for one in (upper, lower))
    return bool((a[0] < b[1]).all() and (b[0] < a[1]).all())


def _is_raster(layer: Any) -> bool:
    from napari.layers import Labels

    return is_image(layer) or isinstance(layer, Labels)
