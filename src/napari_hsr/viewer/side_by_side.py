"""Prediction, ground truth and maps side by side in napari's grid, and back again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.experimental import link_layers, unlink_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image, Layer

_GRID = ("enabled", "shape", "stride", "spacing")
_CAMERA = ("center", "zoom", "angles")
_BAR = ("position", "size", "font_size")
#: Pixels of a tile kept free of data: at the top for the name, at the right for the colour bar.
NAME_STRIP, BAR_STRIP = 32, 80
_BAR_WIDTH, _BAR_HEIGHT, _BAR_POINTS = 20, 150, 8
#: About the width of a letter of a name, in pixels a point of its size.
_LETTER = 1.0
_SMALLEST, _LARGEST = 6.0, 10.0
#: Share of the remaining room that the data fill.
_FILLED = 0.97


@dataclass
class _Before:
    """The state of everything that the grid view changes."""

    order: list[Layer]
    selection: set[Layer]
    active: Layer | None
    #: (object, attribute, value), in the order in which they are put back.
    viewer: list[tuple[Any, str, Any]]
    layers: list[tuple[Layer, Any, str, Any]]
    linked: list[Layer] = field(default_factory=list)


class GridView:
    """Shows layers side by side, and restores the viewer exactly.

    The tiles share the camera and the wavelength slider, as all layers in napari do. While the
    grid is shown, the prediction also takes the contrast limits of the ground truth, so that
    equal colours mean equal values.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    """

    def __init__(self, viewer):
        self._viewer = viewer
        self._before: _Before | None = None

    @property
    def active(self) -> bool:
        """True while the grid is shown."""
        return self._before is not None

    def show(self, prediction: Image, truth: Image, maps: Sequence[Image]) -> None:
        """Show only these layers, in this order, one a tile, with their names."""
        if self.active:
            self.restore()
        layers, tiles = self._viewer.layers, [prediction, truth, *maps]
        self._before = self._remember(tiles)
        for layer in layers:
            layer.visible = layer in tiles
        self._arrange([layer for layer in layers if layer not in tiles] + tiles)
        self._share_limits(prediction, truth)
        for layer in tiles:
            layer.name_overlay.visible = True
            layer.colorbar.position = "middle_right"  # in a small tile it would cover the name
        grid = self._viewer.canvas.grid
        grid.stride, grid.spacing = 1, 0.02
        grid.shape = best_shape(len(tiles), self._viewer.canvas.size, _aspect(prediction))
        grid.enabled = True
        self._fit(tiles)

    def restore(self) -> None:
        """Restore visibility, order, names, limits, grid and camera.

        Layers deleted meanwhile are skipped; layers added meanwhile stay on top.
        """
        if self._before is None:
            return
        before, self._before = self._before, None
        layers = self._viewer.layers
        if before.linked:
            unlink_layers(before.linked, ("contrast_limits",))
        for thing, name, value in before.viewer:
            setattr(thing, name, value)
        kept = [layer for layer in before.order if layer in layers]
        self._arrange(kept + [layer for layer in layers if layer not in before.order])
        for layer, thing, name, value in before.layers:
            if layer in kept:
                setattr(thing, name, value)
        layers.selection = {layer for layer in before.selection if layer in layers}
        if before.active in layers:
            layers.selection.active = before.active

    def _remember(self, tiles: list[Image]) -> _Before:
        viewer = self._viewer
        layers = [(layer, layer, "visible", layer.visible) for layer in viewer.layers]
        for layer in tiles:
            changed = [(layer.colorbar, name) for name in _BAR]
            changed += [(layer.name_overlay, name) for name in ("visible", "font_size")]
            if layer in tiles[:2]:
                changed += [(layer, name) for name in ("contrast_limits_range", "contrast_limits")]
            layers += [(layer, thing, name, getattr(thing, name)) for thing, name in changed]
        parts = [(viewer.canvas.grid, name) for name in _GRID]
        parts += [(viewer.scene.camera, name) for name in _CAMERA]
        return _Before(
            order=list(viewer.layers),
            selection=set(viewer.layers.selection),
            active=viewer.layers.selection.active,
            viewer=[(thing, name, getattr(thing, name)) for thing, name in parts],
            layers=layers,
        )

    def _share_limits(self, prediction: Image, truth: Image) -> None:
        low, high = truth.contrast_limits
        for layer in (prediction, truth):
            least, most = layer.contrast_limits_range
            layer.contrast_limits_range = (min(least, low), max(most, high))
        prediction.contrast_limits = (low, high)
        if link_layers([prediction, truth], ("contrast_limits",)) and self._before is not None:
            # An empty answer means that the user had linked them: then they stay so.
            self._before.linked = [prediction, truth]

    def _fit(self, tiles: list[Image]) -> None:
        """Fit the tiles so that neither names nor colour bars cover the data."""
        viewer = self._viewer
        # napari counts the axes of these layers as the viewer's, which has more beside a stack
        alike = max(layer.ndim for layer in tiles) == viewer.dims.ndim
        viewer.fit_to_view(layers=tiles if alike else None)
        height, width = (float(n) for n in viewer.canvas.viewbox_size(viewer.layers))
        longest = max(len(layer.name) for layer in tiles)
        for layer in tiles:
            size = width / (_LETTER * longest)
            layer.name_overlay.font_size = min(max(size, _SMALLEST), _LARGEST)
            layer.colorbar.font_size = _BAR_POINTS
            layer.colorbar.size = (_BAR_WIDTH, min(_BAR_HEIGHT, 0.6 * height))
        bar = BAR_STRIP if any(layer.colorbar.visible for layer in tiles) else 0
        room = np.array([height - NAME_STRIP, width - bar])
        if viewer.dims.ndisplay != 2 or (room < 0.3 * np.array([height, width])).any():
            return  # the tiles are too small to spare that much
        corners = np.array([layer.extent.world[:, -2:] for layer in tiles])
        low, high = corners[:, 0].min(axis=0), corners[:, 1].max(axis=0)
        zoom = _FILLED * float((room / np.maximum(high - low, 1e-12)).min())
        shift = np.array([-NAME_STRIP, bar]) / 2 / zoom
        center = (low + high) / 2 + shift
        viewer.scene.camera.zoom = zoom
        viewer.scene.camera.center = (*viewer.scene.camera.center[:-2], *center)

    def _arrange(self, order: list[Layer]) -> None:
        layers = self._viewer.layers
        for place, layer in enumerate(order):
            at = layers.index(layer)
            if at != place:
                layers.move(at, place)


def _aspect(layer: Image) -> float:
    """Width over height of the layer in the world."""
    extent = np.ptp(layer.extent.world, axis=0)[-2:]
    return float(extent[1] / extent[0]) if extent.all() else 1.0


def best_shape(tiles: int, canvas: Sequence[float], aspect: float) -> tuple[int, int]:
    """The grid (rows, columns) that shows images of this aspect ratio largest.

    ``canvas`` is (height, width) in pixels.
    """
    height, width = (max(1.0, float(n)) for n in canvas)

    def image_height(shape: tuple[int, int]) -> float:
        rows, columns = shape
        return min(height / rows, width / columns / aspect)

    shapes = [(rows, -(-tiles // rows)) for rows in range(1, tiles + 1)]
    return max(shapes, key=image_height)
