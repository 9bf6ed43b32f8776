"""A held-out image in the viewer that changes as the model learns, with its map of angles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import HSRError
from napari_hsr.io.numpy_files import arrays
from napari_hsr.provenance import Provenance
from napari_hsr.viewer.layer_data import (
    PREVIEW_KEY,
    cube_layers,
    is_training_preview,
    spatial_transform,
    unwrapped,
)
from napari_hsr.viewer.layers import add_cube, add_map, put_below_drawings
from napari_hsr.widgets.train.training_work import stems_of

if TYPE_CHECKING:
    from pathlib import Path


class Preview:
    """Layers that are made once for a run and get other data from then on.

    They lie over the image itself where the viewer shows it, the map beside it; of a training
    for finer pixels the coarse cube lies under them. A layer that the user has deleted does not
    come back, and one that was given other data is the user's; the others go on.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer):
        self._viewer = viewer
        self._folder: Path | None = None
        self._layers: dict[str, Any] | None = None
        self._shown: tuple[int, int] | None = None
        self._what: tuple[Any, ...] = ()  # what the layers were made for
        self._given: dict[Any, Any] = {}  # the data of each layer as it was set here
        self._before: list = []  # layers of other runs, to be replaced

    def follow(self, folder: Path) -> None:
        """A run is shown; its layers take the place of those of the run before.

        These stay until then. A run that goes on has the layers that it had.
        """
        if folder != self._folder:
            self._before += self.layers()
            self._folder, self._layers, self._shown = folder, None, None

    def show(self, path: Path, image: str) -> bool:
        """Show what a run has written last; True if it was new.

        Parameters
        ----------
        path : Path
            The ``.npz`` that a :class:`~napari_hsr.training.events.Measured` names.
        image : str
            Its name, which opens those of the layers.
        """
        try:
            state = path.stat()
            stamp = (state.st_mtime_ns, state.st_size)
            if stamp == self._shown:
                return False
            held_out = _HeldOut.of(arrays(path))
        except (OSError, ValueError, LookupError, TypeError, HSRError):
            return False  # gone, or none of this version: the next one is shown
        self._shown = stamp
        if (what := held_out.layout()) != self._what:  # another training in the same folder
            self._before += self.layers()
            self._layers, self._what = None, what
        if self._layers is None:
            self._layers = self._add(held_out, image)
            return True
        for key, data in (("cube", held_out.prediction), ("sam", held_out.sam)):
            layer = self._layers[key]
            if self._is_ours(layer):
                layer.data = data
                self._note(layer)
        return True

    def layers(self) -> list:
        """Those of this run that are still in the viewer, and show what it wrote."""
        found = self._layers.values() if self._layers else ()
        return [layer for layer in found if self._is_ours(layer)]

    def _note(self, layer) -> None:
        self._given[unwrapped(layer)] = unwrapped(layer.data)

    def _is_ours(self, layer) -> bool:
        """Whether a layer is there and has the data that it was given here; it is a preview no longer if not."""
        if layer not in self._viewer.layers:
            return False
        if unwrapped(layer.data) is self._given.get(unwrapped(layer)):
            return True
        layer.metadata.pop(PREVIEW_KEY, None)
        return False

    def _add(self, held_out: _HeldOut, image: str) -> dict:
        for layer in self._before:
            if self._is_ours(layer):
                self._viewer.layers.remove(layer)
        self._before, self._given = [], {}
        title, found = f"{image}, held out", {}
        active = self._viewer.layers.selection.active
        over = self._shown_already(image, held_out.size)
        place = partial(_placed, over)
        if held_out.coarse is not None:
            scale = held_out.prediction.shape[1] // held_out.coarse.shape[1]
            # the centre of a coarse pixel lies in the middle of its fine ones
            first = held_out.origin + (scale - 1) / 2
            coarse = held_out.cube(held_out.coarse, f"{title} · coarse", title)
            found["coarse"] = add_cube(self._viewer, coarse, **place(scale, first))
            put_below_drawings(self._viewer, found["coarse"])
        pixel, origin = held_out.pixel, held_out.origin
        cube = held_out.cube(held_out.prediction, f"{title} · prediction", title)
        found["cube"] = add_cube(self._viewer, cube, **place(pixel, origin))
        put_below_drawings(self._viewer, found["cube"])
        finite = held_out.sam[np.isfinite(held_out.sam)]
        # The scale of the first one, so that what is learnt is seen as the map grows dark.
        top = float(np.percentile(finite, 99)) if finite.size else 1.0
        # Beside the preview, or the whole image, not over it.
        wide = pixel * held_out.sam.shape[1]
        x = origin[1] + 1.03 * wide if over is None else 1.03 * held_out.size[1]
        beside = np.array([origin[0], x])
        found["sam"] = add_map(
            self._viewer,
            held_out.sam,
            f"{title} · SAM",
            unit="°",
            limits=(0.0, max(top, 1.0)),
            **place(pixel, beside),
        )
        put_below_drawings(self._viewer, found["sam"])
        for layer in found.values():
            self._note(layer)
        # It comes by itself: the user may be at work on another layer.
        there = active in self._viewer.layers
        self._viewer.layers.selection.active = active if there else found["cube"]
        if len(self._viewer.layers) == len(found):  # ours alone: all are to be seen
            self._viewer.reset_view()
        return found

    def _shown_already(self, image: str, size: tuple[int, int]):
        """The layer that holds the image itself, if the viewer shows it; else None."""
        for layer in cube_layers(self._viewer):
            same = image in (layer.name, *stems_of([layer.name]))
            if same and not is_training_preview(layer) and tuple(layer.data.shape[-2:]) == size:
                return layer
        return None


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """What a run wrote of an image, see :func:`napari_hsr.training.validation.write_preview`."""

    prediction: np.ndarray
    sam: np.ndarray
    nm: np.ndarray
    coarse: np.ndarray | None
    pixel: float
    origin: np.ndarray
    size: tuple[int, int]

    @classmethod
    def of(cls, content) -> _HeldOut:
        """What a file holds, which a folder of somebody else has: ValueError if it is no preview."""
        if any(np.iscomplexobj(content[name]) for name in content):
            raise ValueError("its values are complex")
        made = cls(
            np.asarray(content["prediction"], np.float32),
            np.asarray(content["sam"], np.float32),
            np.asarray(content["wavelengths_nm"], float),
            np.asarray(content["coarse"], np.float32) if "coarse" in content else None,
            float(content["pixel"]),
            np.asarray(content["origin"], float),
            (int(content["size"][0]), int(content["size"][1])),
        )
        made.cube(made.prediction, "", "")
        coarse = made.prediction if made.coarse is None else made.coarse
        made.cube(coarse, "", "")
        fits = (
            made.sam.shape == made.prediction.shape[1:]
            and coarse.shape[1] <= made.prediction.shape[1]
            and made.origin.shape == (2,)
            and np.isfinite([made.pixel, *made.origin]).all()
            and made.pixel > 0
        )
        if not fits:
            raise ValueError("its parts do not belong together")
        return made

    def layout(self) -> tuple[Any, ...]:
        """What later previews of a run have in common with the first."""
        coarse = None if self.coarse is None else self.coarse.shape
        place = (self.pixel, *self.origin.tolist(), self.size)
        return (self.prediction.shape, coarse, *self.nm.tolist(), *place)

    def cube(self, data: np.ndarray, name: str, title: str) -> Cube:
        provenance = Provenance.from_dict({"input": f"{title}: preview of a training"})
        return Cube(data, Wavelengths(self.nm), name=name, provenance=provenance)


def _placed(layer, pixel: float, first: np.ndarray) -> dict:
    """Keywords of a preview that put pixels of this size, the first one there, where ``layer`` has them.

    Without a layer they lie as it would by itself: a pixel a unit from the origin on.
    """
    flat = spatial_transform(layer)
    unit, start = flat.get("scale", np.ones(2)), flat.get("translate", np.zeros(2))
    place = {"scale": pixel * unit, "translate": start + unit * first}
    # known from the beginning: whatever looks at new layers is to see what it is
    return flat | place | {"metadata": {PREVIEW_KEY: True}}
