"""A classification as a Labels layer, whose labels have names and colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.cube import jsonable
from napari_hsr.viewer.layer_data import KEY, layer_name, spatial_transform, state_of
from napari_hsr.viewer.layers import put_above
from napari_hsr.viewer.names import INDEX, NAME
from napari_hsr.viewer.undo import push_added

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Labels, Layer

    from napari_hsr.matching import Classification


_CLASSES = "classes"


def is_classes(layer: Layer) -> bool:
    """Whether a layer is a classification of ours."""
    return bool(state_of(layer.metadata).get("kind") == _CLASSES)


def add_classes(
    viewer: ViewerModel, found: Classification, colors: Sequence[str], like: Layer
) -> Labels:
    """Put the classes over their cube; napari's status bar names that under the mouse.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    found : Classification
    colors : sequence of str
        ``#rrggbb``, one a class; unclassified pixels are transparent.
    like : layer
        The cube.
    """
    from napari.utils.colormaps import DirectLabelColormap

    drawn: dict[Any, str] = {None: "transparent", 0: "transparent"}
    drawn |= dict(enumerate(colors, 1))
    rows = found.rows()
    features = {
        INDEX: [row["label"] for row in rows],
        NAME: [row["name"] for row in rows],
        # napari writes floating point in three digits
        f"area ({found.area_unit})": [
            row["area"] if found.pixel_area else row["pixels"] for row in rows
        ],
    }
    layer = viewer.add_labels(
        found.labels.copy(),  # the layer may be painted on, and what was found is of no other pixels
        name=layer_name(f"classes of {found.cube}"),
        colormap=DirectLabelColormap(color_dict=drawn),
        features=features,
        opacity=0.6,
        metadata={KEY: jsonable({"kind": _CLASSES, **found.to_dict()})},
        **spatial_transform(like),
    )
    put_above(viewer, layer, like)
    push_added(viewer, layer)
    return layer
