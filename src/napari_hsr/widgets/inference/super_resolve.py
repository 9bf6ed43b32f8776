"""The Super-resolve panel: a cube of coarse pixels becomes one of fine pixels over it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_hsr.cube import Cube
from napari_hsr.errors import HSRError
from napari_hsr.models.card import SUPER_RESOLUTION
from napari_hsr.viewer.layer_data import is_cube, layer_cube, photograph_layers, spatial_transform
from napari_hsr.viewer.super_resolved import add_finer, display_of, place_over
from napari_hsr.widgets.common.brief_text import BriefLabel
from napari_hsr.widgets.common.choosers import LayerChooser
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.inference.computing_options import ComputingOptions, narrow_form
from napari_hsr.widgets.inference.run_messages import Verdict
from napari_hsr.widgets.inference.run_panel import ModelPanel
from napari_hsr.widgets.inference.super_resolve_form import (
    FIRST_SCALE,
    BackProjection,
    ScaleChooser,
)
from napari_hsr.widgets.inference.super_resolve_run import (
    Request,
    check_work,
    expected,
    finer_outcome,
    input_note,
    layer_name,
    notices_of,
    super_resolve_work,
)
from napari_hsr.widgets.models.model_chooser import ModelSection

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    import napari.viewer
    from qtpy.QtWidgets import QWidget

    from napari_hsr.progress import Progress
    from napari_hsr.widgets.common.job import Work

_ABOUT_TILES = (
    "Large cubes are made finer tile by tile, in bounded memory, in coarse pixels.\n"
    "Tiles overlap by what the network sees around a pixel: the result is the same."
)


class SuperResolveWidget(ModelPanel):
    """Choose a cube, how much finer, and by what; run, and get the result over the cube.

    Beside the result, hidden at first, the residual on the coarse pixels is added as a map: how
    far the result contradicts what it was made from, which needs no truth.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None):
        self.cube = LayerChooser(viewer, is_cube, empty="no cube open")
        models = ModelSection(task=SUPER_RESOLUTION, scale=FIRST_SCALE)
        super().__init__(viewer, self.cube, models, "Super-resolve", "super-resolution", parent)
        self.cube_note = BriefLabel(2)
        self.scale = ScaleChooser()
        self.back_projection = BackProjection(self._on_changed)
        self.computing = ComputingOptions(self._on_changed, _ABOUT_TILES)
        form = narrow_form()
        form.addRow("Cube of coarse pixels", self.cube)
        form.addRow(self.cube_note)
        form.addRow("Scale", self.scale)
        form.addRow("Model", self.models)
        form.addRow(self.back_projection)
        form.addRow("Device", self.device)
        self._lay_out(form, Fold("Advanced", self.computing))
        self.scale.changed.connect(self._on_scale)
        # Before the list makes it current: it must hold it then.
        self.models.imported.connect(self._on_imported)
        self._layers = Connections(self)
        for name in ("inserted", "removed"):  # a photograph alone is spoken of, though not listed
            self._layers.connect(getattr(viewer.layers.events, name), "_on_layers")
        self._on_layer(self.cube.layer())

    def run(self) -> None:
        """Start a run; the cube stays chosen, though the result will be the active layer."""
        if self.ready:
            self.cube.set_layer(self.cube.layer())
        super().run()

    def _on_layers(self, event=None) -> None:
        if self.cube.layer() is None:
            self._on_changed()

    def _on_scale(self, scale: int) -> None:
        self.models.set_scale(scale)
        self.back_projection.set_scale(scale)
        self._on_changed()

    def _on_imported(self, model: Any) -> None:
        if model.task == SUPER_RESOLUTION:
            self.scale.set_scale(model.scale)

    def _options(self) -> dict[str, Any]:
        return {
            "device": self.device.device(),
            "tile": self.computing.tile(),
            "precision": self.computing.precision(),
            **self.back_projection.options(),
        }

    def _show_input(self) -> None:
        cube = self._chosen(self.cube.layer())
        self.cube_note.setText(input_note(cube) if isinstance(cube, Cube) else "")
        self.cube_note.setVisible(isinstance(cube, Cube))

    def _question(self, layer: Any) -> Verdict | Work:
        if layer is None:
            return Verdict(self._without_cube())
        cube = self._chosen(layer)
        if isinstance(cube, str):
            return Verdict(cube)
        look = partial(self.looked.at, layer.data, cube)
        return partial(check_work, self._request(cube), self.loaded, look)

    @staticmethod
    def _look(taken_for: Cube, cancel: threading.Event) -> str | None:
        from napari_hsr.inference.inputs import why_not_finite

        return why_not_finite(taken_for, cancel)

    def _without_cube(self) -> str:
        photographs = photograph_layers(self._viewer)
        if not photographs:
            return "Open a cube first: an image layer with three axes (bands, height, width)."
        return (
            f"{photographs[-1].name} is an RGB photograph: super-resolution takes a spectral cube, "
            "which the Reconstruct panel can make of it first."
        )

    def _request(self, cube: Cube) -> Request:
        return Request(cube, self.model.name(), self.scale.scale(), self._options())

    def _order(self, layer: Any) -> tuple[Work, Callable[[Any], None]]:
        request = self._request(layer_cube(layer))
        add = partial(
            self._add,
            name=layer_name(layer.name, request.way, request.scale, request.options["refine"]),
            place=place_over(layer, request.scale) | display_of(layer),
            map_place=spatial_transform(layer),
        )
        return partial(super_resolve_work, request, self.loaded), add

    def _add(self, result: Any, **how: Any) -> None:
        add_finer(self._viewer, result, **how)

    def _counted(self, progress: Progress) -> str:
        return f" · {progress.done / progress.total:.0%}" if progress.total else ""

    def _show_outcome(self, result: Any) -> None:
        self.outcome.show_info(f"{finer_outcome(result)} Its map is in the list of layers, hidden.")
        said = notices_of(result)
        if said:
            calm = all(map(expected, said))
            show = self.notices.show_info if calm else self.notices.show_warning
            show("\n".join(said))

    @staticmethod
    def _chosen(layer: Any) -> Cube | str | None:
        """The cube of a layer, or why it holds none."""
        try:
            return None if layer is None else layer_cube(layer)
        except HSRError as error:
            return str(error)
