"""How much of an image a run computes: all of it, what the canvas shows, or a rectangle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import QTimer, Signal

from napari_hsr.viewer.areas import drawn_area, visible_area
from napari_hsr.viewer.layer_data import is_overlay, layer_shape
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.connections import Connections

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Layer
    from qtpy.QtWidgets import QWidget

    from napari_hsr.viewer.areas import Area

ALL, VISIBLE = "all", "visible"
#: Milliseconds for which the canvas shows the same before that is looked at.
STILL_MS = 200


class AreaChooser(NarrowComboBox):
    """The whole image, what is visible of it, or a shape of a Shapes layer of the viewer.

    Signals
    -------
    moved()
        The chosen shapes are others now or lie elsewhere, or the canvas shows another part.
    """

    moved = Signal()

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self.setToolTip(
            "A part is computed sooner, and its cube lies in its place over the image.\n"
            "What the canvas shows, and a rectangle of a Shapes layer, are taken when Run is pressed."
        )
        self._list(ALL)
        self._still = QTimer(self)  # the canvas is drawn, and the hand rests
        self._still.setSingleShot(True)
        self._still.setInterval(STILL_MS)
        self._still.timeout.connect(self.moved)
        self._connections, self._following = Connections(self), Connections(self)
        self.currentIndexChanged.connect(self._follow)
        for name in ("inserted", "removed", "renamed"):
            self._connections.connect(getattr(viewer.layers.events, name), "refresh")

    def refresh(self, event: object = None) -> None:
        """List the Shapes layers there are now; the choice stays where it can."""
        self._list(self.value())

    def _follow(self, _row: int = 0) -> None:
        """Hear of the chosen shapes, drawn or moved, or of the canvas: they mean another part."""
        self._following.close()
        self._still.stop()
        if self.value() == VISIBLE:
            camera, dims = self._viewer.scene.camera.events, self._viewer.dims.events
            for emitter in (camera.center, camera.zoom, camera.angles, dims.ndisplay, dims.order):
                self._following.connect(emitter, "_on_seen")
        for layer in self._shapes():
            if str(layer.unique_id) == self.value():
                self._following.follow(layer, "_on_shapes")

    def _on_seen(self, event: object = None) -> None:
        self._still.start()

    def _on_shapes(self, event: object = None) -> None:
        self.moved.emit()

    def area(self, layer: Layer) -> Area | None:
        """Rows and columns of an image layer; None for all of it.

        Raises
        ------
        InputError
            If nothing of it is meant, in one sentence.
        """
        chosen = self.value()
        if chosen == ALL:
            return None
        found = (
            visible_area(self._viewer, layer) if chosen == VISIBLE else self._drawn(layer, chosen)
        )
        shape = layer_shape(layer)
        size = shape[:2] if getattr(layer, "rgb", False) else shape[-2:]
        return None if found == tuple(slice(0, side) for side in size) else found

    def _drawn(self, layer: Layer, chosen: str) -> Area:
        (shapes,) = (one for one in self._shapes() if str(one.unique_id) == chosen)
        return drawn_area(self._viewer, layer, shapes)

    def _shapes(self) -> list[Any]:
        return [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Shapes) and not is_overlay(layer)
        ]

    def _list(self, current: Any) -> None:
        labels = {ALL: "the whole image", VISIBLE: "what the canvas shows"}
        labels |= {str(layer.unique_id): f"shape in {layer.name}" for layer in self._shapes()}
        self.offer(labels, current if current in labels else ALL)


def moved(place: dict[str, Any], pixel: Any, area: Area | None) -> dict[str, Any]:
    """Keywords that place a layer, for the part of its image whose pixels have this size."""
    if area is None:
        return place
    translate = np.array(place["translate"], float)
    translate[-2:] += np.multiply(pixel, [part.start for part in area])
    return place | {"translate": translate}
