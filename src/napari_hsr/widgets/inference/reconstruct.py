"""The Reconstruct panel: a photograph becomes a cube beside it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import HSRError
from napari_hsr.viewer.layer_data import is_photograph, layer_photograph, layer_state
from napari_hsr.viewer.layers import add_cube, set_encoding
from napari_hsr.widgets.common.brief_text import BriefLabel
from napari_hsr.widgets.common.choosers import EncodingChooser, LayerChooser
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.inference.computing_options import narrow_form
from napari_hsr.widgets.inference.reconstruct_options import AdvancedOptions
from napari_hsr.widgets.inference.reconstruct_run import (
    Request,
    check_work,
    encoding_note,
    place_of,
    reconstruct_work,
)
from napari_hsr.widgets.inference.run_messages import Verdict, all_well
from napari_hsr.widgets.inference.run_panel import ModelPanel
from napari_hsr.widgets.models.model_chooser import ModelSection

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    import napari.viewer
    from qtpy.QtWidgets import QWidget

    from napari_hsr.photograph import Photograph
    from napari_hsr.widgets.common.job import Work


class ReconstructWidget(ModelPanel):
    """Choose a photograph and a model, run, and get the cube as a layer.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None):
        self.photograph = LayerChooser(viewer, is_photograph)
        super().__init__(
            viewer, self.photograph, ModelSection(), "Reconstruct", "reconstruction", parent
        )
        self.encoding = EncodingChooser()
        self.encoding_note = BriefLabel(2)
        self.advanced = AdvancedOptions(self._on_changed)
        form = narrow_form()
        form.addRow("Photograph", self.photograph)
        form.addRow("Encoding", self.encoding)
        form.addRow(self.encoding_note)
        form.addRow("Model", self.models)
        form.addRow("Device", self.device)
        self._lay_out(form, Fold("Advanced", self.advanced))
        self.encoding.chosen.connect(self._on_encoding_chosen)
        self._on_layer(self.photograph.layer())

    def _options(self) -> dict[str, Any]:
        return {
            "device": self.device.device(),
            "tile": self.advanced.tile(),
            "precision": self.advanced.precision(),
            "ensemble": self.advanced.ensemble(),
            "finer": self.advanced.finer(),
        }

    def _on_encoding_chosen(self, encoding: str) -> None:
        set_encoding(self.photograph.layer(), encoding)  # its event leads to _on_changed

    def _show_input(self) -> None:
        layer = self.photograph.layer()
        try:
            photo = None if layer is None else layer_photograph(layer)
        except HSRError:  # the check says it in words
            photo = None
        self.encoding.setEnabled(photo is not None)
        self.encoding.show_encoding(photo.encoding if photo else None)
        stated = layer is not None and "encoding" in layer_state(layer)
        self.encoding_note.setText(encoding_note(photo, stated) if photo else "")
        self.encoding_note.setVisible(photo is not None)

    def _question(self, layer: Any) -> Verdict | Work:
        model = self.model.name()
        if layer is None:
            return Verdict("Open a photograph first: an RGB image layer is needed.")
        if model is None:
            return Verdict("No model is installed.")
        try:
            photo = layer_photograph(layer)
        except HSRError as error:
            return Verdict(str(error))
        look = partial(self.looked.at, layer.data, photo)
        return partial(check_work, photo, model, self._options(), self.loaded, look)

    @staticmethod
    def _look(taken_for: Photograph, cancel: threading.Event) -> str | None:
        from napari_hsr.inference.inputs import not_finite

        return not_finite(taken_for, cancel)

    def _offer(self, offers: tuple[tuple[str, ...], tuple[int, ...]]) -> None:
        self.advanced.offer(*offers)

    def _order(self, layer: Any) -> tuple[Work, Callable[[Any], None]]:
        request = Request(
            photograph=layer_photograph(layer),
            layer_name=layer.name,
            scale=tuple(layer.scale[-2:]),
            translate=tuple(layer.translate[-2:]),
            model=self.model.name(),
            options=self._options(),
        )
        return partial(reconstruct_work, request, self.loaded), partial(self._add, request)

    def _add(self, request: Request, result: Any) -> None:
        name = f"{request.layer_name} · {request.model}"
        add_cube(self._viewer, result.cube, name=name, **place_of(result.cube, request))

    def _show_outcome(self, result: Any) -> None:
        super()._show_outcome(result)
        said = dict.fromkeys([*result.notices, *result.cube.notices])
        if said:
            show = self.notices.show_info if all_well(said) else self.notices.show_warning
            show("\n".join(said))
