"""Error maps as napari layers: one set for each pair of cubes, updated by each comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cube import jsonable
from napari_hsr.metrics.compare import label
from napari_hsr.viewer.display_limits import beyond, spread
from napari_hsr.viewer.layer_data import KEY as STATE
from napari_hsr.viewer.layer_data import (
    is_copy,
    is_image,
    layer_state,
    shown_name,
    spatial_transform,
)
from napari_hsr.viewer.layer_state import texts
from napari_hsr.viewer.layers import add_map

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Image, Layer

    from napari_hsr.metrics.maps import ErrorMap

#: Key in the metadata of a map layer that says what it shows.
KEY = "hsr_map"

#: The maps of the grid view: the spectral angle, and the first available of the others.
GRID_ANGLE, GRID_ERRORS = "sam", ("rmse", "mrae", "psnr", "psnr_window")

#: Perceptually uniform, dark = low: large errors are bright; for PSNR large values are good.
COLORMAPS = {"low": "magma", "high": "viridis"}

#: Characters of the prediction's name in the name of a map. Longer names are shortened in the
#: middle: they begin with the photograph and end with the model.
_LONGEST = 60


def show_maps(
    viewer,
    maps: Mapping[str, ErrorMap],
    prediction: Image,
    truth: Image,
    note: str = "",
    names: tuple[str, str] | None = None,
) -> list[Image]:
    """Show the maps of one pair, in place of the pair's earlier ones.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    maps : mapping of str to ErrorMap
        Each map (height, width), in the prediction's pixels.
    prediction, truth : Image layer
        The cubes compared; the maps are placed exactly over the prediction.
    note : str
        A description of the protocol, kept in the metadata.
    names : (str, str), optional
        What the cubes compared were called, where their layers may show other frames by now.

    Returns
    -------
    list of Image layers, in the order of ``maps``. The first is visible, the others are
    hidden; a map that existed before keeps its visibility. Other maps of this pair belong to
    an earlier comparison and are removed.
    """
    before = map_layers(viewer, prediction, truth)
    names = names or (shown_name(prediction), shown_name(truth))
    selected, active = set(viewer.layers.selection), viewer.layers.selection.active
    for kind, stale in before.items():
        if kind not in maps:
            viewer.layers.remove(stale)
    shown: list[Image] = []
    for kind, error_map in maps.items():
        facts = _facts(kind, error_map, prediction, truth, note, names)
        layer = before.get(kind)
        if layer is None:
            # above all pictures: under another cube nobody would see it, its colour bar alone
            upper = next((one for one in viewer.layers[::-1] if is_image(one)), truth)
            first = not shown and not before
            layer = _add(viewer, error_map, prediction, names[0], upper, visible=first)
        else:
            _refill(layer, error_map, prediction, names[0])
        layer.metadata[KEY] = facts
        layer.colorbar.visible = True
        shown.append(layer)
    # New layers take the selection; panels that follow the selection should not change.
    kept = {layer for layer in selected if layer in viewer.layers}
    if kept:
        viewer.layers.selection = kept
        if active in kept:
            viewer.layers.selection.active = active
    return shown


def map_layers(viewer, prediction: Layer, truth: Layer) -> dict[str, Image]:
    """The map layers of this pair in the viewer, by kind."""
    pair = [str(prediction.unique_id), str(truth.unique_id)]
    return {
        facts["kind"]: layer
        for layer in viewer.layers
        if texts(facts := layer.metadata.get(KEY), "kind")
        and facts.get("pair") == pair
        and not is_copy(layer)
    }


def _add(
    viewer, error_map: ErrorMap, prediction: Image, name: str, above: Image, visible: bool
) -> Image:
    return add_map(
        viewer,
        np.asarray(error_map.data, dtype=np.float32),
        _name(error_map, name),
        unit=error_map.unit or None,
        title=error_map.name,
        limits=error_map.limits,
        colormap=COLORMAPS[error_map.better],
        visible=visible,
        above=above,
        **spatial_transform(prediction),
    )


def _refill(layer: Image, error_map: ErrorMap, prediction: Image, name: str) -> None:
    layer.data = np.asarray(error_map.data, dtype=np.float32)
    layer.contrast_limits_range = layer.contrast_limits = spread(*error_map.limits)
    state = layer_state(layer) | {"beyond": beyond(error_map.data, error_map.limits[1])}
    layer.metadata = {**layer.metadata, STATE: jsonable(state)}
    layer.name = _name(error_map, name)
    for attribute, value in spatial_transform(prediction).items():
        setattr(layer, attribute, value)


def _name(error_map: ErrorMap, name: str) -> str:
    if len(name) > _LONGEST:
        half = _LONGEST // 2
        name = f"{name[: half - 1].rstrip()}…{name[-half:].lstrip()}"
    return f"{label(error_map)} · {name}"


def _facts(
    kind: str,
    error_map: ErrorMap,
    prediction: Layer,
    truth: Layer,
    note: str,
    names: tuple[str, str],
) -> dict:
    return jsonable(
        {
            "kind": kind,
            "name": error_map.name,
            "unit": error_map.unit,
            "better": error_map.better,
            "pair": [str(prediction.unique_id), str(truth.unique_id)],
            "prediction": names[0],
            "truth": names[1],
            "protocol": note,
        }
    )


def grid_maps(maps: Mapping[str, Image]) -> list[Image]:
    """Those that the grid view shows: both, or what there is of them."""
    error = next((name for name in GRID_ERRORS if name in maps), "")
    return [maps[name] for name in (GRID_ANGLE, error) if name in maps]


def with_grid_maps(names: tuple[str, ...]) -> tuple[str, ...]:
    """``names`` and the maps that the grid view needs."""
    angle = () if GRID_ANGLE in names else (GRID_ANGLE,)
    error = () if any(name in names for name in GRID_ERRORS) else GRID_ERRORS[:1]
    return (*angle, *names, *error)
