"""Which rectangle of an image is meant: what the canvas shows, or a shape that was drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.viewer.drawn_frames import DrawnFrames
from napari_hsr.viewer.layer_data import layer_shape
from napari_hsr.viewer.world_coordinates import to_layer, to_world

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    Area = tuple[slice, slice]


def visible_area(viewer: ViewerModel, layer: Layer) -> Area:
    """Rows and columns of an image layer that its canvas shows.

    Raises
    ------
    InputError
        If none of it is in sight, or the canvas shows other axes than rows and columns.
    """
    if [*viewer.dims.displayed] not in ([*plane(viewer)], [*plane(viewer)][::-1]):
        raise InputError(
            "The canvas shows no rows and columns alone, as in 3D: go back to 2D and to the usual order "
            "of axes, or choose the whole image as the area."
        )
    corners = np.asarray(layer.corner_pixels, float)
    corners = corners[:, :2] if getattr(layer, "rgb", False) else corners[:, -2:]
    if layer.multiscale:  # the corners are those of the level that is drawn
        factors = np.asarray(layer.downsample_factors[layer.data_level], float)
        corners = corners * (factors[:2] if layer.rgb else factors[-2:])
    return _clipped(layer, corners[0], corners[1], "is not in sight: move the canvas, or choose")


def drawn_area(viewer: ViewerModel, layer: Layer, shapes: Layer) -> Area:
    """Rows and columns of an image layer around the selected, else the last, shape of another.

    Of shapes in frames of a film, those of the frame on show.

    Raises
    ------
    InputError
        If there is no shape, or it does not lie over the image.
    """
    chosen = meant_shape(viewer, shapes)
    if chosen is None:
        where = "in the frame on show" if len(shapes.data) else "yet"
        raise InputError(f"{shapes.name} has no shape {where}: draw a rectangle.")
    over = [to_layer(viewer, layer, to_world(viewer, shapes, p))[-2:] for p in shapes.data[chosen]]
    low, high = np.ceil(np.min(over, axis=0)), np.floor(np.max(over, axis=0))
    return _clipped(layer, low, high, "is not covered by the shape: draw it over it, or choose")


def meant_shape(viewer: ViewerModel, shapes: Layer) -> int | None:
    """The row of the selected, else the last, shape; of those in frames of a film, of the frame on show."""
    here = {int(row) for row in np.flatnonzero(DrawnFrames(viewer, shapes).rows())}
    return max(here & {*shapes.selected_data} or here, default=None)


def plane(viewer: ViewerModel) -> tuple[int, int]:
    """The viewer's dimensions of rows and columns."""
    return viewer.dims.ndim - 2, viewer.dims.ndim - 1


def _clipped(layer: Layer, low: np.ndarray, high: np.ndarray, fault: str) -> Area:
    shape = layer_shape(layer)
    size = shape[:2] if getattr(layer, "rgb", False) else shape[-2:]
    start = np.maximum(np.floor(low), 0).astype(int)
    stop = np.minimum(np.ceil(high) + 1, size).astype(int)
    if (stop <= start).any():
        raise InputError(f"{layer.name} {fault} the whole image as the area.")
    rows, columns = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return rows, columns
