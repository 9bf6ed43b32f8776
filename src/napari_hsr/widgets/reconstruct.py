"""The Reconstruct panel: a photograph becomes a cube beside it."""

from __future__ import annotations

import json
import logging
import sys
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hsr.cube import Cube, jsonable
from napari_hsr.errors import HSRError
from napari_hsr.events import Progress
from napari_hsr.viewer.layers import (
    add_cube,
    is_photograph,
    layer_photograph,
    layer_state,
    set_encoding,
)
from napari_hsr.widgets.choosers import DeviceChooser, EncodingChooser, LayerChooser
from napari_hsr.widgets.connections import Connections, when_gone
from napari_hsr.widgets.fold import Fold
from napari_hsr.widgets.job import Job
from napari_hsr.widgets.loaded_models import LoadedModels
from napari_hsr.widgets.messages import Message, WrappedLabel
from napari_hsr.widgets.model_section import ModelSection
from napari_hsr.widgets.reconstruct_options import AdvancedOptions, narrow_form
from napari_hsr.widgets.reconstruct_run import (
    Request,
    Verdict,
    all_well,
    check_work,
    encoding_note,
    failed_verdict,
    outcome_text,
    place_of,
    reconstruct_work,
)
from napari_hsr.widgets.scroll import VerticalScroll

if TYPE_CHECKING:
    import napari.viewer

logger = logging.getLogger(__name__)

#: Changes that come within this time are checked together, in ms.
SETTLE_MS = 30


class ReconstructWidget(QWidget):
    """Choose a photograph and a model, run, and get the cube as a layer.

    A checkpoint that is dropped on the panel is imported. Models stay loaded while the panel is
    open, the last two that were used.

    A run holds the photograph's array: if its layer is deleted meanwhile, the run goes on and the
    cube is added all the same. Closing the panel or the viewer cancels it.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self._job: Job | None = None
        self._check: Job | None = None
        #: What stands in the way of a run: a reason, "" while that is being found out, or None.
        self._obstacle: str | None = ""
        self.last_cube: Cube | None = None

        self.photograph = LayerChooser(viewer, is_photograph)
        self.encoding = EncodingChooser()
        self.encoding_note = WrappedLabel()
        self.models = ModelSection()
        self.model, self.card = self.models.chooser, self.models.card
        self.loaded = LoadedModels()
        self.device = DeviceChooser()
        self.advanced = AdvancedOptions(self._on_changed)
        self.obstacle = Message()
        self.estimate = WrappedLabel()
        self.run_button = QPushButton("Run")
        self.cancel_button = QPushButton("Cancel")
        self.bar = QProgressBar()
        self.status = WrappedLabel()
        self.outcome = Message()
        self.notices = Message()
        self.provenance = QPlainTextEdit()
        self.provenance_fold = Fold("Provenance of this result", self.provenance)
        self._lay_out()

        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self._start_check)
        self.photograph.changed.connect(self._on_layer)
        self.encoding.chosen.connect(self._on_encoding_chosen)
        self.models.changed.connect(self._on_changed)
        self.models.imported.connect(self.loaded.put)
        self.device.currentIndexChanged.connect(self._on_changed)
        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(self.cancel)
        self._following = Connections(self)
        when_gone(self, self.loaded.close)
        self.setAcceptDrops(True)
        self._on_layer(self.photograph.layer())

    # --- what the user does ------------------------------------------------------------------

    def run(self) -> None:
        """Start a run with what is chosen; does nothing while one is going on."""
        layer = self.photograph.layer()
        if self._job is not None or layer is None or self._obstacle is not None:
            return
        request = Request(
            photograph=layer_photograph(layer),
            layer_name=layer.name,
            scale=tuple(layer.scale[-2:]),
            translate=tuple(layer.translate[-2:]),
            model=self.model.name(),
            options=self._options(),
        )
        self._show_cleared()
        work = partial(reconstruct_work, request, self.loaded)
        self._job = Job(work, f"Reconstruct {layer.name}", self)
        self._job.progressed.connect(self._on_progress)
        self._job.finished.connect(partial(self._on_finished, request))
        self._job.failed.connect(self._on_failed)
        self._job.cancelled.connect(self._on_cancelled)
        self._job.ended.connect(self._on_ended)
        self._job.start()
        self._update_buttons()

    def cancel(self) -> None:
        """Ask the run to stop at its next tile."""
        if self._job is not None:
            self._job.cancel()
            self.status.setText("Cancelling…")
            self._update_buttons()

    @property
    def running(self) -> bool:
        """True while a reconstruction is under way."""
        return self._job is not None

    @property
    def ready(self) -> bool:
        """True if Run would start a run."""
        return self.run_button.isEnabled()

    # --- before a run ------------------------------------------------------------------------

    def _on_layer(self, layer) -> None:
        self._following.close()
        if layer is not None:
            self._following.connect(layer.events.metadata, "_on_changed")
            self._following.connect(layer.events.data, "_on_changed")
        self._on_changed()

    def _options(self) -> dict:
        return {
            "device": self.device.device(),
            "tile": self.advanced.tile(),
            "precision": self.advanced.precision(),
            "ensemble": self.advanced.ensemble(),
            "finer": self.advanced.finer(),
        }

    def _on_encoding_chosen(self, encoding: str) -> None:
        set_encoding(self.photograph.layer(), encoding)  # its event leads to _on_changed

    def _on_changed(self, event=None) -> None:
        """Something that matters for the next run is another: look at it when it has settled."""
        self._show_encoding()
        self._check = None  # whatever it finds is out of date
        if self._obstacle is None:
            self._obstacle = ""
        self._update_buttons()
        self._settle.start()

    def _show_encoding(self) -> None:
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

    def _start_check(self) -> None:
        layer, model = self.photograph.layer(), self.model.name()
        if layer is None:
            self._on_checked(Verdict("Open a photograph first: an RGB image layer is needed."))
            return
        if model is None:
            self._on_checked(Verdict("No model is installed."))
            return
        try:
            photo = layer_photograph(layer)
        except HSRError as error:
            self._on_checked(Verdict(str(error)))
            return
        if "torch" not in sys.modules:
            self.obstacle.show_info("Loading the model for the first time…")
        options = (photo, model, self._options(), self.loaded)
        # The first check loads torch, so it has a thread of its own.
        check = self._check = Job(partial(check_work, *options), parent=self)
        check.finished.connect(lambda verdict: self._on_checked(verdict, check))
        check.failed.connect(lambda error: self._on_checked(failed_verdict(error), check))
        check.ended.connect(check.deleteLater)
        check.start()

    def _on_checked(self, verdict: Verdict, check: Job | None = None) -> None:
        if check is not self._check:
            return  # something has changed since
        self._check = None
        if verdict.offers is not None:
            checked = self._options()
            self.advanced.offer(*verdict.offers)
            if self._options() != checked:  # what was chosen is offered again, or no more
                self._on_changed()
                return
        self._obstacle = verdict.obstacle
        self.estimate.setText(verdict.estimate)
        self.estimate.setVisible(bool(verdict.estimate))
        if verdict.obstacle:
            self.obstacle.show_warning(verdict.obstacle)
        elif verdict.advice:
            self.obstacle.show_info(verdict.advice)
        else:
            self.obstacle.clear()
        self._update_buttons()

    def _update_buttons(self) -> None:
        self.run_button.setEnabled(self._job is None and self._obstacle is None)
        self.run_button.setToolTip(self._obstacle or "")
        self.cancel_button.setEnabled(self._job is not None and not self._job.cancelling)

    # --- during and after a run --------------------------------------------------------------

    def _show_cleared(self) -> None:
        self.outcome.clear()
        self.notices.clear()
        self.provenance_fold.hide()
        self.bar.setRange(0, 0)
        self.bar.show()
        self.status.setText("Starting")
        self.status.show()

    def _on_progress(self, progress: Progress) -> None:
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)
        if not self._job.cancelling:
            count = f" · {progress.done} of {progress.total} tiles" if progress.total else ""
            self.status.setText(progress.message + count)

    def _on_finished(self, request: Request, result) -> None:
        self.last_cube = result.cube
        place = place_of(result.cube, request)
        name = f"{request.layer_name} · {request.model}"
        try:
            add_cube(self._viewer, result.cube, name=name, **place)
        except Exception as error:
            logger.error("The cube could not be added to the viewer.", exc_info=True)
            self.outcome.show_exception(error, "Adding the cube to the viewer")
            return
        self.outcome.show_info(f"Done in {outcome_text(result)}.")
        said = dict.fromkeys([*result.notices, *result.cube.notices])
        if said:
            show = self.notices.show_info if all_well(said) else self.notices.show_warning
            show("\n".join(said))
        self.provenance.setPlainText(
            json.dumps(jsonable(result.cube.provenance.to_dict()), indent=1, ensure_ascii=False)
        )
        self.provenance_fold.show()

    def _on_failed(self, error: Exception) -> None:
        self.outcome.show_exception(error, "The reconstruction")

    def _on_cancelled(self) -> None:
        self.outcome.show_info("Cancelled; nothing was added.")

    def _on_ended(self) -> None:
        job, self._job = self._job, None
        job.deleteLater()
        self.bar.hide()
        self.status.hide()
        self._update_buttons()

    # --- the panel itself ----------------------------------------------------------------------

    def dragEnterEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """A checkpoint may be dropped here; anything else is the viewer's business."""
        if not self.models.take_drag(event):
            event.ignore()

    def dropEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Import it."""
        if not self.models.take_drop(event):
            event.ignore()

    def event(self, event: QEvent) -> bool:
        """Let the loaded models go when closed, or taken out of the dock (napari deletes later)."""
        if event.type() == QEvent.Type.Close:
            self.loaded.close()
        elif event.type() == QEvent.Type.Show:
            self.loaded.reopen()
        elif event.type() == QEvent.Type.ParentChange:
            self.loaded.close() if self.parent() is None else self.loaded.reopen()
        return super().event(event)

    # --- appearance --------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.setMinimumWidth(290)
        # It ends in a stretch of its own; napari would add a larger one at each opening.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.provenance.setReadOnly(True)
        self.provenance.setMinimumHeight(150)
        self.run_button.setDefault(True)
        for hidden in (self.bar, self.status, self.provenance_fold, self.estimate):
            hidden.hide()
        form = narrow_form()
        form.addRow("Photograph", self.photograph)
        form.addRow("Encoding", self.encoding)
        form.addRow(self.encoding_note)
        form.addRow("Model", self.models)
        form.addRow("Device", self.device)
        choices = QWidget()
        column = QVBoxLayout(choices)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addWidget(Fold("Advanced", self.advanced))
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.cancel_button, 1)
        outer = QVBoxLayout(self)
        outer.addWidget(
            VerticalScroll(choices, least=150)
        )  # Run stays in sight however low the window
        outer.addWidget(self.obstacle)
        outer.addWidget(self.estimate)
        outer.addLayout(buttons)
        for part in (self.bar, self.status, self.outcome, self.notices, self.provenance_fold):
            outer.addWidget(part)
        outer.addStretch(1)
