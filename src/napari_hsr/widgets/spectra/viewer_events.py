"""The viewer events that the Spectra panel listens to, connected and closed together."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from napari_hsr.viewer import shortcuts
from napari_hsr.viewer.as_read import changes_of
from napari_hsr.viewer.undo import undo_of
from napari_hsr.widgets.common.connections import Connections

#: Most pixels that the mouse may move between press and release of a click.
_STILL_PX = 4
#: Events of a layer of each type that can change how a spectrum is shown, beside its values and its place.
_SHOWN = {
    "Image": ("name", "visible"),
    "Points": ("face_color", "features", "name", "visible"),
    "Shapes": ("edge_color", "features", "name", "visible"),
    "Labels": ("labels_update", "colormap", "features", "name", "visible"),
}


class ViewerEvents:
    """Calls the panel's ``_on_…`` methods while attached, and never after it is deleted.

    Parameters
    ----------
    viewer : napari viewer
    panel : QWidget
        Has ``_on_cursor``, ``_on_layers``, ``_on_points``, ``_on_rows``, ``_on_slider`` and ``pin``.
    """

    def __init__(self, viewer: Any, panel: Any):
        self._viewer = viewer
        self._panel = weakref.ref(panel)
        self._connections = Connections(panel)
        self._layers: dict[Any, Connections] = {}
        self._shift_click = _ShiftClick(panel)
        panel.destroyed.connect(lambda *_: self.detach())

    def attach(self) -> None:
        """Start listening."""
        viewer, connect = self._viewer, self._connections.connect
        connect(viewer.cursor.events.position, "_on_cursor")
        connect(viewer.dims.events.point, "_on_slider")
        connect(viewer.dims.events.ndisplay, "_on_layers")
        connect(undo_of(viewer).events.changed, "_on_undo_changed")
        connect(viewer.layers.events.removed, "_on_removed")
        for event in ("inserted", "removed", "reordered"):
            connect(getattr(viewer.layers.events, event), "_on_layers")
            getattr(viewer.layers.events, event).connect(self._follow_layers)
        viewer.mouse_drag_callbacks.append(self._shift_click)
        shortcuts.offer(viewer, shortcuts.PIN, self.pin_under_the_mouse)
        shortcuts.offer(viewer, shortcuts.PIN_AT, self.ask_where_to_pin)
        self._follow_layers()

    def detach(self) -> None:
        """Stop listening; safe to call twice."""
        shortcuts.withdraw(self._viewer, shortcuts.PIN, self.pin_under_the_mouse)
        shortcuts.withdraw(self._viewer, shortcuts.PIN_AT, self.ask_where_to_pin)
        self._connections.close()
        for event in ("inserted", "removed", "reordered"):
            getattr(self._viewer.layers.events, event).disconnect(self._follow_layers)
        for connections in self._layers.values():
            connections.close()
        self._layers.clear()
        if self._shift_click in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._shift_click)

    def pin_under_the_mouse(self) -> None:
        """Pin the spectra where the mouse is."""
        panel = self._panel()
        if panel is not None:
            panel.pin(tuple(self._viewer.cursor.position))

    def ask_where_to_pin(self) -> None:
        """Ask for a row and a column."""
        panel = self._panel()
        if panel is not None:
            panel.ask_where_to_pin()

    def _follow_layers(self, event=None) -> None:
        panel = self._panel()
        if panel is None:
            return
        present = {layer.unique_id: layer for layer in self._viewer.layers}
        for gone in set(self._layers) - set(present):
            self._layers.pop(gone).close()
        for key in set(present) - set(self._layers):
            layer = present[key]
            self._layers[key] = connections = Connections(panel)
            kind = layer.__class__.__name__  # seen through napari's proxy, as type() is not
            method = "_on_points" if kind == "Points" else "_on_layers"
            if kind in ("Points", "Shapes"):
                connections.connect(layer.events.data, "_on_rows")
            for name in (*changes_of(layer), *_SHOWN[kind]) if kind in _SHOWN else ():
                # whatever draws points fires this, as their colours that the panel gives them
                drawn = kind == "Points" and name == "set_data"
                to = "_on_points_drawn" if drawn else method
                connections.connect(getattr(layer.events, name), to)


class _ShiftClick:
    """Pins on Shift-click, unless the active layer uses the mouse itself."""

    def __init__(self, panel: Any):
        self._panel = weakref.ref(panel)

    def __call__(self, viewer: Any, event: Any):
        panel = self._panel()
        if panel is None or event.button != 1 or "Shift" not in event.modifiers:
            return
        active = viewer.layers.selection.active
        if active is not None and str(active.mode) != "pan_zoom":
            return
        place, start = tuple(event.position), np.asarray(event.pos)
        event.handled = True
        yield
        while event.type == "mouse_move":
            if np.abs(np.asarray(event.pos) - start).max() > _STILL_PX:
                return  # a drag, not a click
            yield
        panel.pin(place)
