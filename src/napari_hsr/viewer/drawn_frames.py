"""In which frames of a film lies what somebody drew: napari's own layers have all axes of the film.

The last three axes are those of one cube. What was drawn counts in all bands, whichever was on show; all
axes before them are the film's, and there it counts in its own frame alone, as on the canvas. A layer
without those axes counts in every frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.viewer.layer_data import is_frames, is_overlay
from napari_hsr.viewer.world_coordinates import to_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Layer

#: Axes of one cube: bands, rows and columns.
_OF_A_CUBE = 3


def frames_on_show(viewer: ViewerModel) -> dict[Any, tuple[float, ...]]:
    """Where the sliders stand in each layer that somebody drew in frames, by its id."""
    found = {layer: DrawnFrames(viewer, layer) for layer in viewer.layers if _is_drawn(layer)}
    return {layer.unique_id: tuple(one.at()) for layer, one in found.items() if one.any}


def frames_told(viewer: ViewerModel, points: Layer | None) -> str:
    """Which frames count of what somebody drew and shows, where that may be another than one thinks.

    Of points, those of one layer are meant.
    """
    film = any(is_frames(layer) and layer.visible for layer in viewer.layers)
    drawn = [one for one in viewer.layers if _is_drawn(one) and one.visible]
    drawn = [one for one in drawn if one is points or one.__class__.__name__ != "Points"]
    own = ", ".join(layer.name for layer in drawn if layer.ndim > _OF_A_CUBE)
    none = ", ".join(layer.name for layer in drawn if film and layer.ndim == _OF_A_CUBE)
    said = [
        f"Of {own}, what was drawn in the frame on show counts." if own else "",
        f"Of {none}, without an axis for frames, all counts in every frame." if none else "",
    ]
    return " ".join(filter(None, said))


def _is_drawn(layer: Any) -> bool:
    """True for a layer of points, shapes or labels that shows nothing of ours."""
    from napari.layers import Labels, Points, Shapes

    return isinstance(layer, (Labels, Points, Shapes)) and not is_overlay(layer)


class DrawnFrames:
    """Where the frames of a layer of points, shapes or labels are.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel, or None
        Without one, only layers without frames are known.
    layer : Points, Shapes or Labels layer
    """

    def __init__(self, viewer: ViewerModel | None, layer: Layer):
        self._viewer, self._layer = viewer, layer
        self._lead = max(layer.ndim - _OF_A_CUBE, 0)
        self._ends: np.ndarray | None = None

    @property
    def any(self) -> bool:
        """Whether the layer has axes of a film."""
        return self._lead > 0

    def at(self, place: Sequence[float] | None = None) -> np.ndarray:
        """Where a position in the viewer's world lies on these axes, in pixels; the sliders without one."""
        if not self._lead:
            return np.zeros(0)
        if self._viewer is None:
            raise ValueError(
                f"Which frame of {self._layer.name} is meant, the viewer's sliders say."
            )
        place = self._viewer.dims.point if place is None else place
        if len(place) < self._layer.ndim:  # while the layer is being added or removed
            return np.zeros(self._lead)
        return np.nan_to_num(to_layer(self._viewer, self._layer, place)[: self._lead])

    def plane(self, shape: Sequence[int], place: Sequence[float] | None = None) -> Any:
        """The index of the frame in an array of labels; None where they have no such frame."""
        at = np.floor(self.at(place) + 0.5)
        if (at < 0).any() or (at >= shape[: self._lead]).any():
            return None
        return tuple(int(number) for number in at)

    def rows(self, place: Sequence[float] | None = None) -> np.ndarray:
        """Which points or shapes lie in the frame, True or False for each."""
        if not self._lead:
            return np.ones(len(self._layer.data), dtype=bool)
        if self._ends is None:
            self._ends = self._ends_of_all()
        low, high = self._ends
        at = self.at(place)
        # half a frame to either side, as napari shows them
        found: np.ndarray = ((low - 0.5 <= at) & (at <= high + 0.5)).all(axis=1)
        return found

    def _ends_of_all(self) -> np.ndarray:
        """First and last place of each point or shape on the axes of the film, (2, n, axes)."""
        if not len(self._layer.data):
            return np.zeros((2, 0, self._lead))
        parts = [np.atleast_2d(part)[:, : self._lead] for part in self._layer.data]
        return np.array([[part.min(0) for part in parts], [part.max(0) for part in parts]])
