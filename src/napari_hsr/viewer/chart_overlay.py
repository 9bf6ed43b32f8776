"""A chart over a photograph: four corners to drag, and the layout of its patches between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.trust.chart_layout import quadrilaterals
from napari_hsr.viewer.as_read import Lying
from napari_hsr.viewer.layer_data import OVERLAY, spatial_transform
from napari_hsr.viewer.world_coordinates import plane_in_world

if TYPE_CHECKING:
    from napari_hsr.trust.chart_layout import Chart

_CORNERS, _LAYOUT = "chart corners", "chart layout"
_COLOUR = "#ffd400"
#: Behind the numbers of corners, which may lie on patches of any colour.
_GROUND = "#000000b0"
#: Part of the picture's smaller side that a new chart takes.
_SHARE = 0.5


class ChartOverlay:
    """The layers of a chart over a photograph.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    photograph : Image layer
    chart : Chart
    corners : ndarray, shape (4, 2), optional
        (y, x) of pixels, clockwise from the first patch; in the middle of the picture by default.
    """

    def __init__(self, viewer: Any, photograph: Any, chart: Chart, corners: Any = None):
        self._viewer = viewer
        self.chart = chart
        height, width = photograph.data.shape[:2]
        self._over = _pixels(photograph)
        if corners is None:
            corners = _in_the_middle(height, width, chart)
        place = spatial_transform(photograph)
        common = {"metadata": {OVERLAY: True}, **place}
        self.layout = viewer.add_shapes(
            ndim=2, name=_LAYOUT, edge_color=_COLOUR, face_color="transparent", **common
        )
        self._width = max(height, width) / 400
        self.points = viewer.add_points(
            np.asarray(corners, float),
            name=_CORNERS,
            size=max(height, width) / 40,
            face_color=_GROUND,
            border_color="black",  # napari's size limits make borders wide: it is a part of the ground
            border_width=0.05,
            canvas_size_limits=(24, 40),
            text={"string": list("1234"), "color": _COLOUR, "size": 11, "translation": [0, 0]},
            **common,
        )
        self._lying = Lying(viewer, self.points, photograph)
        self.points.mode = "select"
        self.points.events.data.connect(self.redraw)
        self.redraw()

    @property
    def there(self) -> bool:
        """Whether both layers are still in the viewer."""
        return self.points in self._viewer.layers and self.layout in self._viewer.layers

    def lies_over(self, photograph: Any) -> bool:
        """Whether the pixels of a photograph lie where those are that the corners count."""
        return np.array_equal(self._over, _pixels(photograph))

    @property
    def in_place(self) -> bool:
        """Whether the layer of corners was not moved as a whole: then they do not count the pixels below them."""
        return self._lying.still()

    def corners(self) -> np.ndarray:
        """(y, x) of the corners in pixels of the photograph, (4, 2)."""
        found = np.asarray(self.points.data, float)
        if found.shape != (4, 2):
            raise InputError(f"A chart has four corners; the layer {_CORNERS} holds {len(found)}.")
        return found

    def set_chart(self, chart: Chart) -> None:
        """Draw the layout of another chart between the corners."""
        self.chart = chart
        self.redraw()

    def redraw(self, _event: Any = None) -> None:
        """Draw the layout between the corners."""
        self.layout.selected_data = range(self.layout.nshapes)
        self.layout.remove_selected()  # emptied by its data, it takes no shapes in three dimensions
        try:
            outlines = quadrilaterals(self.corners(), self.chart)
        except InputError:  # a corner was removed, or all lie on a line: measuring says so
            return
        if np.isfinite(outlines).all():
            self.layout.add_polygons(list(outlines), edge_width=self._width)

    def remove(self) -> None:
        """Take both layers away."""
        for layer in (self.points, self.layout):
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)


def _pixels(photograph: Any) -> np.ndarray:
    """Where the pixels of a photograph lie, and how many there are."""
    matrix, origin = plane_in_world(photograph)
    return np.array([*matrix.ravel(), *origin, *photograph.data.shape[:2]])


def _in_the_middle(height: int, width: int, chart: Chart) -> np.ndarray:
    across = _SHARE * min(width, height * chart.columns / chart.rows)
    half = np.array([across * chart.rows / chart.columns, across]) / 2
    signs = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
    out: np.ndarray = (np.array([height, width]) - 1) / 2 + signs * half
    return out
