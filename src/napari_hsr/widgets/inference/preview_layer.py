"""The layer of a preview: there while its run is, and no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.viewer.covering import covered
from napari_hsr.viewer.layers import add_cube
from napari_hsr.viewer.undo import undo_of

if TYPE_CHECKING:
    from napari_hsr.inference.preview import Preview


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
        by, every = preview.cube.provenance.model or "", preview.every
        pixel = np.asarray(place["scale"], float)
        origin = np.asarray(place["translate"], float) + pixel * (every - 1) / 2
        self.remove()
        self._above = above
        self._layer = add_cube(
            self._viewer,
            preview.cube,
            above=above,
            name=f"{name} (preview by {by})",
            **(place | {"scale": pixel * every, "translate": origin}),
        )
        undo_of(self._viewer).forget_last()  # it goes by itself
        of = "each pixel" if every == 1 else f"one pixel of each {every} × {every}"
        said = f"On show is a preview, of {of} by {by}, until the run has ended."
        return f"{said} {covered(self._viewer, self._layer)}".strip()

    def remove(self) -> bool:
        """Take it out of the viewer; whether it was there. If it was selected, its photograph is."""
        layer, above, layers = self._layer, self._above, self._viewer.layers
        self._layer = self._above = None
        if layer is None or layer not in layers:
            return False
        selected = layers.selection.active is layer
        layers.remove(layer)
        if selected and above in layers:
            layers.selection.active = above
        return True
