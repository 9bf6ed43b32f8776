"""The Super-resolve panel: a coarse cube becomes a finer one over it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QWidget

from napari_hsr.errors import HSRError, InputError
from napari_hsr.models.card import SUPER_RESOLUTION
from napari_hsr.viewer.computed_cubes import computed_cube
from napari_hsr.viewer.layer_data import (
    is_cube,
    is_frames,
    layer_cube,
    photograph_layers,
    spatial_transform,
)
from napari_hsr.viewer.super_resolved import add_super_resolved, display_of, place_over
from napari_hsr.widgets.common.choosers import LayerChooser
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.labels import BriefLabel
from napari_hsr.widgets.common.layouts import column, narrow_form
from napari_hsr.widgets.inference.area import moved
from napari_hsr.widgets.inference.computing_options import ComputingOptions
from napari_hsr.widgets.inference.panel_runs import SuperResolutionRequest
from napari_hsr.widgets.inference.panel_texts import cube_note
from napari_hsr.widgets.inference.result_place import ResultPlace
from napari_hsr.widgets.inference.run_panel import RunPanel
from napari_hsr.widgets.inference.super_resolve_form import (
    FIRST_SCALE,
    BackProjection,
    ScaleChooser,
)
from napari_hsr.widgets.models.model_section import ModelSection

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

    from napari_hsr.progress import Progress

_ABOUT_TILES = (
    "Large cubes are super-resolved tile by tile, in bounded memory; sizes are in coarse pixels.\n"
    "Tiles overlap by what the network sees around a pixel: the result is the same."
)


class SuperResolveWidget(RunPanel):
    """Choose a cube, a scale and a model; run, and get the result over the cube.

    The residual on the coarse grid is added as a map, hidden at first: how far the result
    contradicts what it was made from, which needs no ground truth.

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
        self.place = ResultPlace(self._on_changed)
        self.computing = ComputingOptions(self._on_changed, _ABOUT_TILES)
        self.keep_noise = QCheckBox("Keep the noise of the bands")
        self.keep_noise.setToolTip(
            "Else what the bands do not share is left out first, for networks trained on noise"
        )
        form = narrow_form()
        form.addRow("Cube of coarse pixels", self.cube)
        form.addRow(self.cube_note)
        form.addRow("Scale", self.scale)
        form.addRow("Model", self.models)
        form.addRow(self.back_projection)
        form.addRow("Area", self.area)
        form.addRow("Device", self.device)
        form.addRow("Result", self.place)
        self.keep_noise.toggled.connect(lambda _on: self._on_changed())
        advanced = QWidget()
        column(self.keep_noise, self.computing, into=advanced)
        self._lay_out(form, Fold("Advanced", advanced))
        self.scale.changed.connect(self._on_scale)
        # Before the list makes it current: it must hold it then.
        self.models.imported.connect(self._on_imported)
        self._layers = Connections(self)
        for name in ("inserted", "removed"):  # a photograph alone is mentioned, though not listed
            self._layers.connect(getattr(viewer.layers.events, name), "_on_layers")
        self._on_layer(self.cube.layer())
        self.attach()

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
            self.scale.set_value(model.scale)

    def _chosen(self) -> tuple:
        return (*super()._chosen(), self.scale.value(), self.place.value())

    def _options(self) -> dict[str, Any]:
        return {
            "device": self.device.device(),
            "denoise": False if self.keep_noise.isChecked() else None,
            **self.computing.options(),
            **self.back_projection.options(),
        }

    def _show_input(self) -> None:
        try:
            note = cube_note(layer_cube(self.cube.layer())) if self.cube.layer() else ""
        except HSRError:  # the check says why
            note = ""
        self.cube_note.setText(note)
        self.cube_note.setVisible(bool(note))
        self.place.show_folder(self.cube.layer())

    def _request(self, layer: Any) -> SuperResolutionRequest:
        if layer is None:
            raise InputError(self._without_cube())
        model = self.model.name()
        if model is None:
            raise InputError("No model is installed.")
        area, scale = self.area.area(layer), self.scale.value()
        keeping = self.place.keeping(layer, _with_scale(model, scale), "_part" if area else "")
        options = self._options() | {"region": area}
        return SuperResolutionRequest(computed_cube(layer), model, options, scale, keeping=keeping)

    def _without_cube(self) -> str:
        photographs = photograph_layers(self._viewer)
        if not photographs:
            return "Open a cube first: an image layer with three axes (bands, height, width)."
        return (
            f"{photographs[-1].name} is an RGB photograph: reconstruct a cube from it first, in the "
            "Reconstruct panel."
        )

    def _adding(self, layer: Any, request: SuperResolutionRequest) -> Callable[[Any], object]:
        by, area = _with_scale(request.model, request.scale), request.options["region"]
        flat = spatial_transform(layer)
        of = request.image.name if is_frames(layer) else layer.name  # the slider may have moved on
        return partial(
            add_super_resolved,
            self._viewer,
            name=f"{of} · {by}{' refined' if request.options['refine'] else ''}"
            f"{' (part)' if area else ''}",
            place=moved(place_over(layer, request.scale), flat["scale"], area) | display_of(layer),
            map_place=moved(flat, flat["scale"], area),
            above=layer,
        )

    def _counted(self, progress: Progress) -> str:
        return f" · {progress.share:.0%}" if progress.total else ""


def _with_scale(model: str, scale: int) -> str:
    """``coarsr-cave-x4``, ``bicubic-matlab ×4``."""
    return model if f"x{scale}" in model else f"{model} ×{scale}"
