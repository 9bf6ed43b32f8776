"""What a map's colour bar counts, and in which unit, written on the canvas above the bar.

napari's colour bars have figures but no label. Bars of maps stand at the top left, where napari
puts one thing under another, with a text over them that names what is shown: ``SAM (°)``. In a
grid each map has its own name on it instead, because one text cannot stand in many tiles.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari_hsr.viewer.layer_data import state_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

#: Key of the text among the overlays of the canvas.
OVERLAY = "hsr_map_units"
#: Where bar and text stand, so that they are tiled and never lie on each other.
CORNER = "top_left"
#: A longer line is broken before its unit, in letters.
LONG = 28

#: What has been set up for each viewer.
_SHOWN: weakref.WeakKeyDictionary[ViewerModel, _Shown] = weakref.WeakKeyDictionary()
#: Events after which other maps may be in sight.
_TELLING = {"inserted", "removed", "reordered", "visible", "name", "metadata", "enabled"}


def is_map(layer: Layer) -> bool:
    """Whether we made this layer as a map."""
    return state_of(layer.metadata).get("kind") == "map"


def unit_text(layer: Image) -> str:
    """What the bar of a map counts: ``SAM (°)``."""
    state = state_of(layer.metadata)
    text, unit = state.get("title") or layer.name, state.get("unit")
    if unit and f"({unit}" not in text:
        text = f"{text} ({unit})"
    return text.replace(" (", "\n(") if len(text) > LONG else text


def bars_in_sight(viewer: ViewerModel) -> list[Image]:
    """Maps that show their colour bars, topmost first, as napari lists the bars."""
    maps = [one for one in reversed(viewer.layers) if one.visible and is_map(one)]
    return [one for one in maps if one.colorbar.visible]


def show_bar(viewer: ViewerModel, layer: Image) -> None:
    """Show the colour bar of a map, and from now on what is in sight of them above it."""
    layer.colorbar.position = CORNER
    layer.colorbar.visible = True
    model = getattr(viewer, "__wrapped__", viewer)
    if model not in _SHOWN:
        _SHOWN[model] = _Shown(model)
    shown = _SHOWN[model]
    layer.colorbar.events.visible.connect(shown.update)
    shown.update()


class _Shown:
    """Keeps the text of a viewer up to date; it does not keep the viewer alive."""

    def __init__(self, viewer: ViewerModel):
        self._viewer = weakref.ref(viewer)
        self._named: weakref.WeakSet[Layer] = weakref.WeakSet()  # by us, in a grid
        viewer.layers.events.connect(self.update)
        viewer.canvas.grid.events.enabled.connect(self.update)

    def update(self, event: Any = None) -> None:
        viewer = self._viewer()
        if viewer is None or getattr(event, "type", "visible") not in _TELLING:
            return
        bars, in_grid = bars_in_sight(viewer), viewer.canvas.grid.enabled
        self._name(bars if in_grid else [])
        text = "" if in_grid else "\n".join(map(unit_text, bars))
        overlay = viewer.canvas.overlays.get(OVERLAY)
        if not text:
            # Hidden rather than emptied, as in canvas_text.
            if overlay is not None:
                overlay.visible = False
            return
        if overlay is None:
            from napari.components.overlays import TextOverlay

            overlay = TextOverlay(text=text, position=CORNER)
            viewer.canvas.overlays[OVERLAY] = overlay
        if overlay.text != text:
            overlay.text = text
        overlay.visible = True

    def _name(self, wanted: list[Image]) -> None:
        """Write names on these maps that have none, and off those that were given theirs here."""
        for layer in set(self._named) - set(wanted):
            layer.name_overlay.visible = False
            self._named.discard(layer)
        for layer in wanted:
            if not layer.name_overlay.visible:
                layer.name_overlay.visible = True
                self._named.add(layer)
