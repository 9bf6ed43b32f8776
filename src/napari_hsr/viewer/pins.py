"""Points as pinned spectra, whose points keep their numbers and colours: any Points layer will do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_hsr.viewer.distinct_colors import distinct_colors, hex_color, hex_colors
from napari_hsr.viewer.drawn_frames import DrawnFrames
from napari_hsr.viewer.layer_data import is_overlay
from napari_hsr.viewer.names import PIN as _NUMBER
from napari_hsr.viewer.names import numbered, whole_numbers
from napari_hsr.viewer.undo import changing
from napari_hsr.viewer.world_coordinates import to_layer, to_world

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_hsr.viewer.undo import State

NAME = "pinned spectra"
#: Marks a layer that was made here: its borders have the colours of its points.
MARK = "napari_hsr_pins"

#: Colours for pins: distinct, visible on dark and light, light enough for a black number.
PALETTE = (
    *("#e69f00", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#7a86ff", "#b8a800"),
    *("#8c6bb1", "#e7298a", "#66a61e", "#a6761d", "#17a5b5", "#e41a1c", "#3f8fd6"),
    *("#8dd35f", "#c27ba0", "#9c9ede", "#ff9896", "#b15928", "#5ec8c8"),
)
#: Colours for shapes: the same from the other end, so that pins and shapes differ.
REGION_PALETTE = PALETTE[::-1]
#: Points whose numbers are written beside them, at most: napari takes a second to draw a thousand.
MOST_NUMBERED = 500
#: napari's default colour of points.
_DEFAULT_FACE = "#ffffff"


def is_points(layer: Any) -> bool:
    """True for a layer of points: any can hold the pins."""
    from napari.layers import Points

    return isinstance(layer, Points) and not is_overlay(layer)


def is_ours(layer: Any) -> bool:
    """True for a layer of pins that was made here, if it was not saved and opened again."""
    return MARK in layer.metadata


def new_pins(viewer: Any, like: Any) -> Any:
    """An empty layer of pins, in the units of a cube layer; the user's selection stays."""
    active = viewer.layers.selection.active
    height, width = like.data.shape[-2:]
    layer = viewer.add_points(
        np.zeros((0, 2)),
        ndim=2,
        name=NAME,
        size=max(height, width) * float(like.scale[-1]) / 60,
        units=tuple(like.units[-2:]),
        face_color=PALETTE[0],
        metadata={MARK: True},
        canvas_size_limits=(18, 18),
    )
    if active is not None:
        viewer.layers.selection.active = active
    return layer


def add_pin(viewer: Any, layer: Any, place: tuple[float, ...], avoid: Collection[str] = ()) -> None:
    """Pin a position in the viewer's world, of which the last two coordinates are (y, x).

    Colours in ``avoid`` are taken by something else.
    """
    point = np.zeros(layer.ndim)
    point[-2:] = to_layer(viewer, layer, place)[-2:]
    if layer.ndim > 2:  # a layer that the user made: on the plane now shown
        point[:-2] = to_layer(viewer, layer, viewer.dims.point)[:-2]
    first = not len(layer.data)
    layer.add(point)
    if first and _NUMBER in layer.features:  # napari gives it what the last one removed had
        features = layer.features.copy()
        features[_NUMBER] = 0
        layer.features = features
    layer.selected_data = set()
    tidy(layer, avoid)


def tidy(layer: Any, avoid: Collection[str] = ()) -> None:
    """Number new points, show the numbers of few, and give each a colour of its own.

    Points that had a number keep it, and their colour. Points added or pasted with napari's own
    tools are recognised by carrying the number of another one. Points of the user's own keep
    their colours where these differ.
    """
    numbers, fresh = numbered(layer)
    colors, plain, seen, new = hex_colors(layer.face_color), [], {*avoid}, {*fresh}
    for i, color in enumerate(colors):
        if color == _DEFAULT_FACE or (i in new and color in seen):
            plain.append(i)
        seen.add(color)
    if plain:
        colored = distinct_colors(layer.face_color, plain, PALETTE, avoid)
        colored[plain, 3] = 1.0
        layer.face_color = colored
    if 0 < len(numbers) <= MOST_NUMBERED and not any(np.atleast_1d(layer.text.values)):
        layer.text = {"string": f"{{{_NUMBER}}}", "size": 8, "color": "black", "anchor": "center"}
    if is_ours(layer):
        _plain_border(layer)


def _plain_border(layer: Any) -> None:
    """Give borders the colour of their points: napari's size limits make borders wide."""
    if not np.array_equal(layer.border_color, layer.face_color):
        layer.border_color = layer.face_color


class Pin(NamedTuple):
    """A point that is a pin.

    Attributes
    ----------
    row : int
        In the layer's table.
    number : int
        That it keeps.
    color : str
    place : (float, float)
        (y, x) in the viewer's world.
    here : bool
        Whether it lies in the frame on show, as all do but those of a film's own layer.
    """

    row: int
    number: int
    color: str
    place: tuple[float, float]
    here: bool


def pins_of(viewer: Any, layer: Any, limit: int, every: bool = False) -> list[Pin]:
    """The first ``limit`` pins: of a film's, those of the frame on show.

    With ``every``, the first ``limit`` of those in other frames stand behind them.

    Raises
    ------
    KeyError
        If the layer was not tidied since its last change.
    """
    if not len(layer.data):  # without a column for the numbers of none
        return []
    numbers, here = layer.features[_NUMBER].to_numpy(), DrawnFrames(viewer, layer).rows()
    rows, found = np.flatnonzero(here)[:limit].tolist(), []
    if every:
        rows += np.flatnonzero(~here)[:limit].tolist()
    for at in rows:
        y, x = to_world(viewer, layer, layer.data[at])[-2:]
        color, place = hex_color(layer.face_color[at]), (float(y), float(x))
        found.append(Pin(at, int(numbers[at]), color, place, bool(here[at])))
    return found


def clear(viewer: Any, layer: Any) -> None:
    """Remove all points, which can be undone; the layer stays, as do points that are added later."""
    if not len(layer.data):  # napari gives none of them a colour when it is taken back
        return
    kept = ("data", "features", "face_color", "border_color", "size", "symbol")
    with changing(viewer, layer, "clear pins", kept, _followed_by):
        layer.data = np.zeros((0, layer.ndim))


def _followed_by(before: State, now: State) -> State:
    """Points that were cleared, and behind them those that were added since, numbered on."""
    if not len(now["data"]):
        return before
    import pandas as pd

    tables = [before["features"], now["features"].copy()]
    if all(_NUMBER in table for table in tables):
        tables[1][_NUMBER] += max(whole_numbers(tables[0][_NUMBER]))
    joined = {
        name: np.concatenate([before[name], now[name]]) for name in before.keys() - {"features"}
    }
    colors, old = hex_colors(joined["face_color"]), len(before["data"])
    alike = [at for at in range(old, len(colors)) if colors[at] in colors[:old]]
    joined["face_color"] = distinct_colors(joined["face_color"], alike, PALETTE)
    # napari makes all others as long as the points, so these come first
    return {"data": joined.pop("data"), "features": pd.concat(tables, ignore_index=True), **joined}
