"""The Points layer of pinned spectra, whose points keep their numbers and colours."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_hsr.widgets.spectra.regions import distinct_colors, hex_color

NAME = "pinned spectra"
#: Marks the layer, even if the user renames it.
MARK = "napari_hsr_pins"
_NUMBER = "pin"

#: Colours for pins: distinct, visible on dark and light, light enough for a black number.
PALETTE = (
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#7a86ff",
    "#b8a800",
    "#8c6bb1",
    "#e7298a",
    "#66a61e",
    "#a6761d",
    "#17a5b5",
)
#: Colours for shapes: rotated, so that a few pins and a few shapes differ.
REGION_PALETTE = PALETTE[6:] + PALETTE[:6]


def is_pins(layer: Any) -> bool:
    """True for the layer that holds the pins."""
    from napari.layers import Points

    return isinstance(layer, Points) and (MARK in layer.metadata or layer.name == NAME)


def find_pins(viewer: Any) -> Any | None:
    """The topmost layer of pins, or None."""
    return next((layer for layer in reversed(list(viewer.layers)) if is_pins(layer)), None)


def add_pin(viewer: Any, place: tuple[float, float], size: float) -> Any:
    """Pin a position in world coordinates; the layer is created if necessary.

    Parameters
    ----------
    viewer : Viewer
    place : (y, x)
        In the world.
    size : float
        Diameter of the points of a new layer, in the world.

    Returns
    -------
    Points layer
    """
    layer = find_pins(viewer)
    if layer is None:
        layer = _new_layer(viewer, size)
    point = np.zeros(layer.ndim)
    point[-2:] = layer.world_to_data(tuple(place))[-2:]
    if layer.ndim > 2:  # a layer that the user made: on the plane now shown
        point[:-2] = layer.world_to_data(tuple(viewer.dims.point))[:-2]
    layer.add(point)
    layer.selected_data = set()
    tidy(layer)
    return layer


def _new_layer(viewer: Any, size: float) -> Any:
    active = viewer.layers.selection.active
    layer = viewer.add_points(
        np.zeros((0, 2)),
        ndim=2,
        name=NAME,
        size=size,
        face_color=PALETTE[0],
        features={_NUMBER: np.zeros(0, dtype=int)},
        text={
            "string": "{" + _NUMBER + "}",
            "size": 8,
            "color": "black",
            "anchor": "center",
        },
        metadata={MARK: True},
        canvas_size_limits=(18, 18),
    )
    if active is not None:  # keep the user's selection
        viewer.layers.selection.active = active
    return layer


def tidy(layer: Any) -> bool:
    """Number new points and give each a colour of its own.

    Existing pins keep number and colour. Points added or pasted with napari's own tools are
    recognised by carrying the number of another pin.

    Returns
    -------
    bool
        True if something was changed.
    """
    numbers = _numbers(layer)
    fresh = [i for i, n in enumerate(numbers) if n <= 0 or n in numbers[:i]]
    if not fresh:
        _plain_border(layer)
        return False
    for i in fresh:
        numbers[i] = max(*numbers, 0) + 1
    features = layer.features.copy()
    features[_NUMBER] = numbers
    layer.features = features
    colors = distinct_colors(layer.face_color, fresh, PALETTE)
    colors[fresh, 3] = 1.0
    layer.face_color = colors
    _plain_border(layer)
    return True


def _plain_border(layer: Any) -> None:
    """Give borders the colour of their points: napari's size limits make borders wide."""
    if not np.array_equal(layer.border_color, layer.face_color):
        layer.border_color = layer.face_color


def _numbers(layer: Any) -> list[int]:
    if _NUMBER not in layer.features:
        return [0] * len(layer.data)
    values = np.nan_to_num(np.asarray(layer.features[_NUMBER], dtype=float))
    return [int(v) for v in values]


def pins_of(layer: Any, limit: int) -> list[tuple[int, str, tuple[float, float]]]:
    """(number, colour, (y, x) in the world) of the first ``limit`` pins.

    Raises
    ------
    KeyError
        If the layer was not tidied since its last change.
    """
    numbers = layer.features[_NUMBER]
    found = []
    for number, color, point in zip(
        numbers[:limit], layer.face_color[:limit], layer.data[:limit], strict=True
    ):
        y, x = layer.data_to_world(point)[-2:]
        found.append((int(number), hex_color(color), (float(y), float(x))))
    return found


def clear(layer: Any) -> None:
    """Remove all points; the layer stays."""
    layer.data = np.zeros((0, layer.ndim))
