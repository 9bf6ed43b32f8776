"""The layer of a preview: there while its run is, and no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.inference.stacks.placeholder import PLACEHOLDER
from napari_hsr.viewer.covering import covered
from napari_hsr.viewer.frames import add_frames
from napari_hsr.viewer.layers import add_cube
from napari_hsr.viewer.undo import undo_of

if TYPE_CHECKING:
    from napari_hsr.inference.preview import Preview, StackPreview


_BY = f" (preview by {PLACEHOLDER})"


class PreviewLayer:
    """Adds a preview to a viewer, and takes it out again.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: Any):
        self._viewer = viewer
        self._layer: Any = None
        self._above: Any = None  # its photograph

    def show(self, preview: Preview, above: Any, name: str, place: dict[str, Any]) -> str:
        """Add it over its photograph, whose first pixel and whose size of a pixel ``place`` has.

        Returns
        -------
        str
            A sentence on what is on show.
        """
        every = preview.every
        pixel = np.asarray(place["scale"], float)
        origin = np.asarray(place["translate"], float) + pixel * (every - 1) / 2
        self.remove()
        self._above = above
        self._layer = add_cube(
            self._viewer,
            preview.cube,
            above=above,
            name=f"{name}{_BY}",
            **(place | {"scale": pixel * every, "translate": origin}),
        )
        undo_of(self._viewer).forget_last()  # it goes by itself
        return self._said(every)

    def show_frame(self, preview: StackPreview, above: Any, name: str) -> str:
        """The same for the first frame of a stack: a layer of all frames, of which it is filled alone."""
        frames = preview.frames
        frames.on_ask = _later  # without somebody to ask, slicing would compute the frame itself
        self.remove()
        self._above = above
        cube = frames.cube_at_hand(preview.first)
        self._layer = add_frames(self._viewer, frames, above, cube, f"{name}{_BY}")
        return self._said(preview.every)

    def _said(self, every: int) -> str:
        of = "each pixel" if every == 1 else f"one pixel of each {every} × {every}"
        said = f"On show is a preview, of {of} by {PLACEHOLDER}, until the run has ended."
        return f"{said} {covered(self._viewer, self._layer)}".strip()

    def remove(self) -> bool:
        """Take it out of the viewer; whether it was there. If it was selected, its photograph is."""
        layer, above, layers = self._layer, self._above, self._viewer.layers
        self._layer = self._above = None
        if layer is None or layer not in layers:
            return False
        selected = layers.selection.active == layer  # of one layer napari hands out many proxies
        layers.remove(layer)
        if selected and above in layers:
            layers.selection.active = above
        return True


def _later() -> None:
    """Frames are computed once the run has ended."""
