"""A held-out image in the viewer that changes as the model learns, with its map of angles."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.provenance import Provenance
from napari_hsr.viewer.layers import add_cube, add_map
from napari_hsr.widgets.train_data import PREVIEW_KEY


class Preview:
    """Two layers that are made once for a run and get other data from then on.

    A layer that the user has deleted does not come back; the other one goes on.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer):
        self._viewer = viewer
        self._folder: Path | None = None
        self._layers: dict[str, object] | None = None
        self._shown: tuple[int, int] | None = None

    def follow(self, folder: Path) -> None:
        """A run is shown; the layers of another one stay as they are, and new ones are made.

        A run that goes on has the layers that it had.
        """
        if folder != self._folder:
            self._folder, self._layers, self._shown = folder, None, None

    def show(self, path: Path, title: str) -> bool:
        """Show what a run has written last; True if it was new.

        Parameters
        ----------
        path : Path
            The ``.npz`` that a :class:`~napari_hsr.training.events.Measured` names.
        title : str
            Opens the names of the layers.
        """
        try:
            state = path.stat()
            stamp = (state.st_mtime_ns, state.st_size)
            if stamp == self._shown:
                return False
            with np.load(path, allow_pickle=False) as content:
                prediction = np.asarray(content["prediction"], np.float32)
                sam = np.asarray(content["sam"], np.float32)
                nm = np.asarray(content["wavelengths_nm"], float)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return False  # gone, or from another version: the next one is shown
        self._shown = stamp
        if self._layers is None:
            self._layers = self._add(prediction, sam, nm, title)
            return True
        for key, data in (("cube", prediction), ("sam", sam)):
            layer = self._layers[key]
            if layer in self._viewer.layers:
                layer.data = data
        return True

    def layers(self) -> list:
        """Those of this run that are still in the viewer."""
        found = self._layers.values() if self._layers else ()
        return [layer for layer in found if layer in self._viewer.layers]

    def _add(self, prediction: np.ndarray, sam: np.ndarray, nm: np.ndarray, title: str) -> dict:
        cube = Cube(
            prediction,
            Wavelengths(nm),
            name=f"{title} · prediction",
            provenance=Provenance.from_dict({"input": f"{title}: preview of a training"}),
        )
        mark = {PREVIEW_KEY: True}
        layer = add_cube(self._viewer, cube)
        layer.metadata = {**layer.metadata, **mark}
        finite = sam[np.isfinite(sam)]
        # The scale of the first one, so that what is learnt is seen as the map grows dark.
        top = float(np.percentile(finite, 99)) if finite.size else 1.0
        angles = add_map(
            self._viewer,
            sam,
            f"{title} · SAM",
            unit="°",
            limits=(0.0, max(top, 1.0)),
            # Beside the image, not over it.
            translate=(0.0, 1.03 * sam.shape[1]),
        )
        angles.metadata = {**angles.metadata, **mark}
        self._viewer.layers.selection.active = layer
        if len(self._viewer.layers) == 2:  # ours alone: both are to be seen
            self._viewer.reset_view()
        return {"cube": layer, "sam": angles}
