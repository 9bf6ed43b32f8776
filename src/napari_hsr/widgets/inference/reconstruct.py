"""The Reconstruct panel: a photograph becomes a cube beside it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import HSRError, InputError
from napari_hsr.inference.preview import Preview, StackPreview
from napari_hsr.resample import aligned
from napari_hsr.viewer import shortcuts
from napari_hsr.viewer.frames import add_frames, layer_stack, shown_frame
from napari_hsr.viewer.layer_data import (
    is_photograph,
    is_photograph_stack,
    layer_photograph,
    layer_state,
    spatial_transform,
)
from napari_hsr.viewer.layers import add_cube, set_encoding, smaller_sizes
from napari_hsr.viewer.rendering import is_picture
from napari_hsr.viewer.trust_maps import add_trust_maps, remember
from napari_hsr.widgets.common.choosers import EncodingChooser, LayerChooser
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.labels import BriefLabel
from napari_hsr.widgets.common.layouts import narrow_form
from napari_hsr.widgets.inference.area import moved
from napari_hsr.widgets.inference.computing_options import ReconstructionOptions
from napari_hsr.widgets.inference.frame_worker import FrameWorker
from napari_hsr.widgets.inference.many import ManyPhotographs
from napari_hsr.widgets.inference.map_worker import MapWorker
from napari_hsr.widgets.inference.panel_runs import ReconstructionRequest, StackRequest
from napari_hsr.widgets.inference.panel_texts import encoding_note
from napari_hsr.widgets.inference.preview_layer import PreviewLayer
from napari_hsr.widgets.inference.result_place import ResultPlace
from napari_hsr.widgets.inference.run_panel import RunPanel
from napari_hsr.widgets.inference.trust_options import TrustOptions
from napari_hsr.widgets.models.model_section import ModelSection

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer
    from qtpy.QtWidgets import QWidget

    from napari_hsr.photograph import Photograph
    from napari_hsr.progress import Progress


class ReconstructWidget(RunPanel):
    """Choose a photograph and a model, run, and get the cube as a layer.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None):
        self.photograph = LayerChooser(
            viewer, _is_input, rather=lambda layer: not is_picture(layer)
        )
        super().__init__(
            viewer, self.photograph, ModelSection(), "Reconstruct", "reconstruction", parent
        )
        self.encoding = EncodingChooser()
        self.encoding_note = BriefLabel(2)
        self.advanced = ReconstructionOptions(self._on_changed)
        self.trust = TrustOptions(self._on_changed)
        self.place = ResultPlace(self._on_changed)
        self.many = ManyPhotographs(self, viewer, self._add_of_queue)
        self._preview = PreviewLayer(viewer)
        form = narrow_form()
        form.addRow("Photograph", self.photograph)
        form.addRow("Encoding", self.encoding)
        form.addRow(self.encoding_note)
        form.addRow("Model", self.models)
        form.addRow("Area", self.area)
        form.addRow("Device", self.device)
        form.addRow("Result", self.place)
        self._lay_out(
            form,
            Fold("How far to trust it", self.trust),
            Fold("Advanced", self.advanced),
            Fold("Many photographs", self.many),
        )
        self.encoding.chosen.connect(self._on_encoding_chosen)
        self._on_layer(self.photograph.layer())
        self.attach()

    def _attach(self) -> None:
        super()._attach()
        shortcuts.offer(self._viewer, shortcuts.RUN, self.run)

    def _release(self) -> None:
        shortcuts.withdraw(self._viewer, shortcuts.RUN, self.run)
        self.many.release()
        self._preview.remove()  # its run is cancelled
        super()._release()

    def _chosen(self) -> tuple:
        return (*super()._chosen(), self.place.value())

    def _options(self) -> dict[str, Any]:
        computed, trust = self.advanced.options(), self.trust.options()
        trust["intervals"] &= computed["finer"] == 1
        return {"device": self.device.device(), **computed, **trust}

    def queue_options(self) -> dict[str, Any]:
        """The options of a run as they are chosen now, for many photographs."""
        return self._options()

    def _offer(self, offers: dict[str, tuple[Any, ...]]) -> None:
        self.advanced.offer(offers)
        self.trust.offer(offers["intervals"])

    def _on_encoding_chosen(self, encoding: str) -> None:
        set_encoding(self.photograph.layer(), encoding)  # its event leads to _on_changed

    def _show_input(self) -> None:
        layer = self.photograph.layer()
        try:
            photo = None if layer is None else self._photograph(layer)
        except HSRError:  # the check says why
            photo = None
        self.encoding.setEnabled(photo is not None)
        single = layer is None or is_photograph(layer)
        self.area.setEnabled(single)  # of a stack, whole frames
        self.place.setEnabled(single)
        self.place.show_folder(layer)
        self.encoding.show_encoding(photo.encoding if photo else None)
        stated = layer is not None and "encoding" in layer_state(layer)
        self.encoding_note.setText(encoding_note(photo, stated) if photo else "")
        self.encoding_note.setVisible(photo is not None)

    def _request(self, layer: Any) -> ReconstructionRequest:
        if layer is None:
            raise InputError("Open a photograph first: an RGB image layer is needed.")
        model = self.model.name()
        if model is None:
            raise InputError("No model is installed.")
        if is_photograph(layer):
            area = self.area.area(layer)
            keeping = self.place.keeping(layer, model, "_part" if area else "")
            options = self._options() | {"region": area}
            return ReconstructionRequest(layer_photograph(layer), model, options, keeping=keeping)
        options = self._options()
        if options["finer"] > 1:
            raise InputError("A finer grid is for single photographs: choose 1 for a stack.")
        photograph, first = self._frame(layer)
        return StackRequest(photograph, model, options, layer_stack(layer), first)

    def _photograph(self, layer: Any) -> Photograph:
        """The photograph of a layer, or that of a stack which is on show."""
        return layer_photograph(layer) if is_photograph(layer) else self._frame(layer)[0]

    def _frame(self, layer: Any) -> tuple[Photograph, tuple[int, ...]]:
        """The frame of a stack that is on show, or the nearest that can be read, and where it is."""
        from napari_hsr.inference.stacks.run import readable

        return readable(layer_stack(layer), shown_frame(self._viewer, layer))

    def _adding(self, layer: Any, request: ReconstructionRequest) -> Callable[[Any], None]:
        if isinstance(request, StackRequest):
            return partial(self._add_frames, layer, _name(layer, request))
        flat = self._place(layer, request)
        pixel, origin = aligned(
            request.options["finer"], tuple(flat["scale"]), tuple(flat["translate"])
        )
        place = flat | {"scale": pixel, "translate": origin}
        return partial(self._add, name=_name(layer, request), above=layer, **place)

    def _place(self, layer: Any, request: ReconstructionRequest) -> dict[str, Any]:
        """Where what is computed of a photograph lies, in its pixels."""
        flat = spatial_transform(layer)
        return moved(flat, flat["scale"], request.options["region"])

    def _on_progress(self, progress: Progress) -> None:
        super()._on_progress(progress)
        if not isinstance(progress, (Preview, StackPreview)):
            return
        layer, request = self._run_of
        if isinstance(progress, StackPreview):
            said = self._preview.show_frame(progress, layer, _name(layer, request))
        else:
            place = self._place(layer, request)
            said = self._preview.show(progress, layer, _name(layer, request), place)
        self.outcome.show_info(said)

    def _on_finished(self, add: Callable[[Any], object], result: Any) -> None:
        super()._on_finished(partial(self._add_for_preview, add), result)

    def _add_for_preview(self, add: Callable[[Any], object], result: Any) -> None:
        add(result)
        self._preview.remove()

    def _on_cancelled(self) -> None:
        super()._on_cancelled()
        if self._preview.remove():
            self.outcome.show_info(f"{self.outcome.text()} The preview was removed.")

    def _on_ended(self) -> None:
        super()._on_ended()
        self._preview.remove()

    def _add_of_queue(self, layer: Any, model: str, options: dict[str, Any], result: Any) -> None:
        chosen = options | {"region": None}
        self._adding(layer, ReconstructionRequest(result.photograph, model, chosen))(result)

    def _add_frames(self, source: Any, name: str, result: Any) -> None:
        FrameWorker(
            self._viewer, add_frames(self._viewer, result.frames, source, result.cube, name)
        )

    def _add(self, result: Any, **how: Any) -> None:
        from napari_hsr.inference.trust.evidence import Evidence

        layer = add_cube(self._viewer, result.cube, smaller=smaller_sizes(result.cube), **how)
        remember(layer, Evidence.of(result))
        if result.trust is not None:
            MapWorker(self._viewer, add_trust_maps(self._viewer, result, layer))


def _name(layer: Any, request: ReconstructionRequest) -> str:
    return f"{layer.name} · {request.model}{' (part)' if request.options.get('region') else ''}"


def _is_input(layer: Any) -> bool:
    """True for a photograph, and for a stack of them."""
    return is_photograph(layer) or is_photograph_stack(layer)
