"""What the Reconstruct and Super-resolve panels share: a check before the run, and the run itself."""

from __future__ import annotations

import json
import logging
import sys
from abc import abstractmethod
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFormLayout, QPlainTextEdit, QWidget

from napari_hsr.cube import Cube, jsonable
from napari_hsr.errors import HSRError
from napari_hsr.viewer.as_read import Held
from napari_hsr.viewer.covering import covered
from napari_hsr.widgets.common.choosers import DRAWN_MS, DeviceChooser, DrawnTimer
from napari_hsr.widgets.common.close_guard import running_question
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.connections import Connections, when_gone
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.labels import BriefLabel
from napari_hsr.widgets.common.layouts import row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import Panel, button
from napari_hsr.widgets.common.plain_text import tip
from napari_hsr.widgets.common.progress_bar import ProgressBar, time_left
from napari_hsr.widgets.common.value_checks import ValueChecks
from napari_hsr.widgets.inference import panel_texts
from napari_hsr.widgets.inference.area import AreaChooser
from napari_hsr.widgets.inference.next_steps import NextSteps
from napari_hsr.widgets.inference.panel_layout import lay_out
from napari_hsr.widgets.inference.panel_runs import (
    Request,
    Verdict,
    check_events,
    failed_verdict,
    look_at_values,
    run_events,
)
from napari_hsr.widgets.models.loaded_models import LoadedModels

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

    from napari_hsr.progress import Progress
    from napari_hsr.widgets.common.choosers import LayerChooser
    from napari_hsr.widgets.models.model_section import ModelSection

#: Changes that come within this time are checked together, in ms.
SETTLE_MS = 30


class RunPanel(Panel):
    """Choose a layer and a model, run, and get the result as a layer.

    A checkpoint dropped on it is imported. The two models used last stay loaded while it is open. A run
    goes on without its layer, and is cancelled when it is closed. Opened again, it is set as before.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    source : LayerChooser
        Chooses among the layers it can run on.
    models : ModelSection
        Chooses among the models it can run.
    title : str
        What it does in one word, for napari's activity dock.
    doing : str
        The same as a noun, for the sentence about a failure.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        source: LayerChooser,
        models: ModelSection,
        title: str,
        doing: str,
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self._viewer = viewer
        self._title, self._doing = title, doing
        self._job, self._check = JobSlot(self), JobSlot(self)
        #: What stands in the way of a run: a reason, "" while that is being found out, or None.
        self._obstacle: str | None = ""
        self._wanted = False  # a run, as soon as that is found out
        #: Layer, model and options of the run whose outcome is shown.
        self._ran: object = None
        self._run_of: Any = None  # its layer, and what it was asked for
        self._found = Verdict()  # of the last check
        self._part: Any = None  # what a cancelled run had finished
        self._adds: Callable[..., object] = lambda _result: None  # a result, where it lay
        self.last_cube: Cube | None = None

        self._source, self.models = source, models
        self.model, self.card = models.chooser, models.card
        self.loaded = LoadedModels()
        self.value_checks = ValueChecks(look_at_values)
        self.device = DeviceChooser()
        self.area = AreaChooser(viewer)
        self.obstacle = Message(lines=3)
        self._say_checking()  # before anything is loaded: it is the first thing drawn
        self.estimate = BriefLabel(3)
        self.next_steps = NextSteps(viewer)
        self.run_button = button("Run", self.run)
        stop = "Stop the run; what is finished by then can be kept"
        self.cancel_button = button("Cancel", self.cancel, stop)
        keep = "Add it as a layer, empty where nothing is"
        self.keep_button = button("Keep the finished part", self._keep_part, keep)
        self.keep_button.hide()
        self.bar, self.status = ProgressBar("How far the run is"), BriefLabel(1)
        self.outcome, self.notices = Message(lines=2), Message(lines=2)
        self.provenance = QPlainTextEdit()
        self.provenance.setToolTip("The files, the model and the settings that it comes from")
        self.provenance_fold = Fold("Provenance of this result", self.provenance)

        self._settle = DrawnTimer(self)
        self._settle.elapsed.connect(self._start_check)
        self._source.changed.connect(self._on_layer)
        self.models.imported.connect(self.loaded.put)
        choosers = self.device.currentIndexChanged, self.area.currentIndexChanged
        for changed in (self.models.changed, self.area.moved, *choosers):
            changed.connect(self._on_changed)
        self._following = Connections(self)
        when_gone(self, self.loaded.close)
        self.setAcceptDrops(True)

    # --- what each panel has of its own ------------------------------------------------------

    @abstractmethod
    def _options(self) -> dict[str, Any]:
        """The options chosen besides the layer and the model."""

    @abstractmethod
    def _request(self, layer: Any) -> Request:
        """What a run on this layer needs; None if there is none to choose.

        Raises
        ------
        HSRError
            What is missing, in one sentence.
        """

    @abstractmethod
    def _adding(self, layer: Any, request: Any) -> Callable[[Any], object]:
        """What adds the result of a run on this layer to the viewer."""

    def _show_input(self) -> None:
        """Show what is known of the chosen layer; called after each change."""

    def _offer(self, offers: dict[str, tuple[Any, ...]]) -> None:
        """Show what the model offers to choose from."""

    def _counted(self, progress: Progress) -> str:
        """How far a run has come, after the message."""
        return panel_texts.tile_of(progress)

    # --- what the user does ------------------------------------------------------------------

    def run(self) -> None:
        """Start a run with what is chosen, once it is checked; does nothing while one is under way."""
        layer = self._source.layer()
        self._wanted = self._obstacle == "" and not self.running
        if self.running or layer is None or self._obstacle is not None:
            return
        self._clear_outcome()
        found: dict[str, Any] = {"output": self._found.output, "seconds": self._found.seconds}
        try:
            request: Any = replace(self._request(layer), **found)
        except HSRError as error:  # the area that is meant may have changed since the check
            self.outcome.show_warning(str(error))
            return
        self._ran, self._run_of, self._held = self._chosen(), (layer, request), Held(layer)
        self._adds = self._adding(layer, request)
        self._show_running()
        self._job.start(
            partial(run_events, request, self.loaded),
            f"{self._title} {layer.name}",
            asks=running_question,
            progressed=self._on_progress,
            finished=lambda result: self._on_finished(self._adder(), result),
            failed=self._on_failed,
            cancelled=self._on_cancelled,
            ended=self._on_ended,
        )
        self._update_buttons()

    def cancel(self) -> None:
        """Ask the run to stop; it does so within a second or two."""
        if self.running:
            self._job.cancel()
            self.status.setText("Cancelling…")
            self._update_buttons()

    @property
    def running(self) -> bool:
        """True while a run is under way."""
        return self._job.running

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

    def _on_changed(self, event=None) -> None:
        """Something that matters for the next run has changed: check it once it has settled."""
        self._wanted = False  # it was a run with something else
        kind = getattr(event, "type", None)
        if kind == "data":
            self.value_checks.forget()
        if not self.running and (kind in ("data", "metadata") or self._ran != self._chosen()):
            self._clear_outcome()  # it is of something else
        self._show_input()
        self._check.drop()  # whatever it finds is out of date
        if self._obstacle is None:
            self._obstacle = ""
        self.estimate.setText("Estimating what it will take…")  # in place of that of something else
        self._update_buttons()
        self._settle.begin(SETTLE_MS if "torch" in sys.modules else DRAWN_MS)

    def _chosen(self) -> tuple:
        layer = self._source.layer()
        return layer and str(layer.unique_id), self.model.name(), self.area.value(), self._options()

    def _start_check(self) -> None:
        layer = self._source.layer()
        try:
            request = self._request(layer)
        except HSRError as error:
            self._on_checked(Verdict(str(error)))
            return
        first = "torch" not in sys.modules
        if first or self._obstacle:
            self._say_checking()  # what was said of something else may no longer be true
        look = partial(self.value_checks.at, layer.data, request.image)
        self._check.start(  # the first check imports torch
            partial(check_events, request, self.loaded, look),
            # later checks are over before their steps could be read
            progressed=self._say_step if first else lambda _progress: None,
            finished=self._on_checked,
            failed=lambda error: self._on_checked(failed_verdict(error)),
        )

    def _say_checking(self) -> None:
        if "torch" in sys.modules:
            self.obstacle.show_info("Checking…")
        else:
            self.obstacle.show_info(
                "Loading the libraries for the first time: this takes some seconds, and the viewer "
                "may not answer meanwhile."
            )

    def _say_step(self, progress: Progress) -> None:
        if "torch" in sys.modules:  # until then the first words say more
            self.obstacle.show_info(f"{progress.message}…")

    def _on_checked(self, verdict: Verdict) -> None:
        if verdict.offers:
            checked = self._options()
            self._offer(verdict.offers)
            if self._options() != checked:  # what was chosen is offered again, or no longer
                wanted = self._wanted
                self._on_changed()
                self._wanted = wanted
                return
        self._obstacle, self._found = verdict.obstacle, verdict
        self.estimate.setText(verdict.estimate)
        self.estimate.setVisible(bool(verdict.estimate))
        if verdict.obstacle:
            self.obstacle.show_warning(verdict.obstacle)
        elif verdict.advice:
            self.obstacle.show_info(verdict.advice)
        else:
            self.obstacle.clear()
        self._update_buttons()
        if self._wanted:
            self.run()

    def _update_buttons(self) -> None:
        self.run_button.setEnabled(not self.running and self._obstacle is None)
        self.run_button.setToolTip(tip(self._obstacle or "Start with what is chosen above"))
        self.cancel_button.setEnabled(self.running and not self._job.cancelling)

    # --- during and after a run --------------------------------------------------------------

    def _clear_outcome(self) -> None:
        self.outcome.clear()
        self.notices.clear()
        self.next_steps.hide()
        self.provenance_fold.hide()
        self.keep_button.hide()
        self._part = None

    def _show_running(self) -> None:
        self.bar.setRange(0, 0)
        self.bar.show()
        self.status.setText("Starting")
        self.status.show()

    def _on_progress(self, progress: Progress) -> None:
        self.bar.move_to(progress)
        if not self._job.cancelling:
            done = progress.message + self._counted(progress)
            self.status.setText(done + time_left(progress))

    def _on_finished(self, add: Callable[[Any], object], result: Any) -> None:
        self.last_cube = result.cube
        try:
            add(result)
        except Exception as error:
            logging.getLogger(__name__).error("The cube could not be added.", exc_info=True)
            self.outcome.show_exception(error, "Adding the cube to the viewer")
            return
        layer = self._run_of[0]
        if layer in self._viewer.layers and not self._held.by(layer):
            self.outcome.show_warning(panel_texts.changed(layer))
        else:
            self.outcome.show_info(panel_texts.outcome(result, covered(self._viewer)))
        self.next_steps.offer()
        self.estimate.hide()  # its time is over, and the form needs the room
        if said := panel_texts.notices_of(result):
            expected = panel_texts.as_expected(said)
            (self.notices.show_info if expected else self.notices.show_warning)("\n".join(said))
        self.provenance.setPlainText(
            json.dumps(jsonable(result.cube.provenance.to_dict()), indent=1, ensure_ascii=False)
        )
        self.provenance_fold.show()

    def _adder(self) -> Callable[..., object]:
        """What adds a result over its layer, which may have been moved meanwhile."""
        there = self._run_of[0] in self._viewer.layers and self._held.by(self._run_of[0])
        return self._adding(*self._run_of) if there else self._adds

    def _on_failed(self, error: Exception) -> None:
        self.outcome.show_exception(error, f"The {self._doing}")

    def _on_cancelled(self) -> None:
        self._part = self._job.part
        self.outcome.show_info(panel_texts.cancelled(self._part, self._run_of[1].output))
        self.keep_button.setVisible(self._part is not None)

    def _keep_part(self) -> None:
        part, self._part = self._part, None
        if part is not None:  # else it was clicked twice
            self._on_finished(partial(self._adder(), name=f"{part.cube.name} (unfinished)"), part)
            self.keep_button.hide()

    def _on_ended(self) -> None:
        self.bar.hide()
        self.status.hide()
        self._update_buttons()

    # --- the panel itself ----------------------------------------------------------------------

    def dragEnterEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Accept a checkpoint; anything else goes to the viewer."""
        if not self.models.take_drag(event):
            event.ignore()

    def dropEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Import it."""
        if not self.models.take_drop(event):
            event.ignore()

    def _attach(self) -> None:
        self.loaded.reopen()
        self._on_ended()  # of a run that it was closed in
        if self._obstacle == "":  # or in a check
            self._settle.begin(SETTLE_MS)

    def _release(self) -> None:
        self._job.leave()
        self.loaded.close()

    def _lay_out(self, form: QFormLayout, *folds: QWidget) -> None:
        """The form with its folds, what is said, and below them the buttons that always stay."""
        self.provenance.setReadOnly(True)
        self.provenance.setMinimumHeight(150)
        self.run_button.setDefault(True)
        for hidden in (self.bar, self.status, self.provenance_fold, self.estimate):
            hidden.hide()
        said: list[QWidget] = [self.bar, self.status, self.obstacle, self.outcome]
        said += [self.keep_button, self.next_steps, self.notices, self.estimate]
        buttons = row(self.run_button, self.cancel_button, self.help_button())
        lay_out(self, (form, *folds), buttons, [*said, self.provenance_fold])
