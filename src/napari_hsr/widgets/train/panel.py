"""The Train panel: fine-tune a model on the user's own images, in a process of its own."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QPushButton, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from napari_hsr.errors import HSRError
from napari_hsr.training.events import Event, Finished, Measured
from napari_hsr.training.runs import processes
from napari_hsr.training.runs.processes import Run, Status
from napari_hsr.training.runs.run_folder import STATE
from napari_hsr.widgets.common.close_guard import STOP, CloseGuard, answer_of, saving_question
from napari_hsr.widgets.common.closed_panels import collect_soon
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.control_settings import remember, set_as_before
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import column, narrow_form, row
from napari_hsr.widgets.common.messages import Message, breakable
from napari_hsr.widgets.common.panel import Docked
from napari_hsr.widgets.common.plain_text import tip
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.scroll_area import VerticalScroll
from napari_hsr.widgets.train.close_question import ask, stop_quietly
from napari_hsr.widgets.train.preview import Preview
from napari_hsr.widgets.train.progress import ProgressView
from napari_hsr.widgets.train.result import ResultView
from napari_hsr.widgets.train.run_chooser import RunChooser, mark_seen
from napari_hsr.widgets.train.setup import FEW_IMAGES, Setup
from napari_hsr.widgets.train.training_work import start_work

if TYPE_CHECKING:
    import napari.viewer


#: What the button does with a training that has done steps, and with one that could not begin.
_RESUME = "Continue from the last checkpoint"
_AGAIN = "Begin this training anew: it had done no step"
#: How often the run's folder is looked at, in ms.
POLL_MS = 500
#: The same while that folder is away: renamed, or on a disk that is not mounted.
AWAY_MS = 2_000


class TrainWidget(Docked):
    """Choose a start model and images, start, and watch; or follow an earlier training.

    The training is a process of its own: it goes on when the viewer is closed, unless the user
    stops it, and the panel finds it again.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self._job = JobSlot(self)
        self._finished: Finished | None = None
        self._ended = self._away = False
        self._budget: float | None = None  # seconds of the run that is shown
        self._listed = ""
        self._followed: dict[Path, Run] = {}
        self.runs = RunChooser()
        self.setup = Setup(viewer)
        self.progress = ProgressView(viewer)
        self.result = ResultView(viewer)
        self.preview = Preview(viewer)
        self.caution = WrappedLabel(FEW_IMAGES)
        self.folder = WrappedLabel()
        self.obstacle = Message(lines=3)
        self.start_button = QPushButton("Start")
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("Finish this step and save; Resume continues from there")
        self.resume_button = QPushButton("Resume")
        self.pages = QStackedWidget()
        self._lay_out()
        self.finish()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._poll)
        self._guard = CloseGuard(
            self,
            self._running_run,
            lambda window, run: ask(window, run.name, may_cancel=True),
            stop_quietly,
        )
        self.runs.chosen.connect(self.follow)
        self.setup.changed.connect(self._update_buttons)
        self.start_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.stop)
        self.resume_button.clicked.connect(self.resume)
        self.result.more_wanted.connect(self.take_more_time)
        self._begin_as_last_time()
        self.follow(self.runs.waiting())

    # --- what the user does ------------------------------------------------------------------

    def start(self) -> None:
        """Start the training that is set up; does nothing if something stands in its way."""
        if self._job.running or self.run is not None or self.setup.obstacle():
            return
        recipe = self.setup.recipe
        try:
            layers = self.setup.layers()
            output = processes.new_output(present(recipe).name)
        except HSRError as error:
            self.obstacle.show_exception(error)
            return
        self.setup.estimate.forget()  # its steps would take time from the training's
        work = partial(start_work, self.setup.content(), layers, self.setup.split(), output)
        self._job.start(
            work,
            "Starting a training",
            asks=saving_question,
            progressed=lambda progress: self.obstacle.show_info(progress.message),
            finished=self.follow,
            failed=partial(self._on_not_started, output),
            ended=self._update_buttons,
        )
        self._update_buttons()

    def stop(self) -> None:
        """Ask the training to finish its step, save and end."""
        try:
            present(self.run).stop()
        except HSRError as error:
            self.obstacle.show_exception(error)
        self._poll()

    def resume(self) -> None:
        """Continue from the last checkpoint, in a new process."""
        output = present(self.run).output
        self._job.start(  # which waits until the earlier process has ended
            lambda _cancel: iter([processes.resume(output)]),
            "Resuming a training",
            asks=saving_question,
            finished=self.follow,
            failed=partial(self.obstacle.show_exception, doing="Resuming the training"),
            ended=self._update_buttons,
        )
        self._update_buttons()

    def take_more_time(self) -> None:
        """Set the training that is shown up again, with twice its time; does not start it."""
        try:
            recipe = present(self.run).recipe()
        except HSRError as error:
            self.obstacle.show_exception(error)
            return
        self.follow(None)
        self.setup.take(recipe, times=2)

    def _begin_as_last_time(self) -> None:
        """Begin with the folder and the time budget of the last training, or as it was closed."""
        newest = self.runs.newest()
        if newest is not None:
            with suppress(HSRError):  # its recipe is gone: there is nothing to remember
                self.setup.take(newest.recipe())
        set_as_before(self._viewer, self.setup)

    def follow(self, run: Run | None) -> None:
        """Show a training, from its first event on; None sets a new one up."""
        self._timer.stop()
        self._finished, self._budget = None, None
        self._ended = self._away = False
        self.progress.clear()
        self.result.clear()
        self.obstacle.clear()
        # A look of its own from the first event on: the list's may have been followed before.
        self.runs.set_run(None if run is None else Run(run.output))
        self.pages.setCurrentIndex(0 if run is None else 1)
        if run is not None:
            self._followed[run.output] = present(self.run)
            self._budget = _budget(run)
            self.preview.follow(run.output)
            self.folder.setText(breakable(f"{run.output}"))
            self._poll()
        self._update_buttons()

    @property
    def run(self) -> Run | None:
        """The training that is shown; None while one is set up."""
        return self.runs.run()

    @property
    def status(self) -> Status | None:
        """Where the training that is shown stands."""
        return None if self.run is None else self.run.status()

    # --- following a run -----------------------------------------------------------------------

    def _poll(self) -> None:
        run = self.run
        if run is None:
            return
        there = os.path.lexists(run.output / STATE)
        if self._away and there:
            self.follow(run)  # it is back: from the first event on, as it may have gone on
            return
        status = run.status()  # before its events: what it wrote before it ended is then read
        events = run.events()
        self.progress.add(events)
        self._show_preview(run, events, status.active)
        self._finished = next(
            (e for e in reversed(events) if isinstance(e, Finished)), self._finished
        )
        self.progress.show_running(
            status.active, time.time() - status.started if status.started else 0.0, self._budget
        )
        if status.status != self._listed and not present(self.runs.view()).isVisible():
            self._listed = status.status
            self.runs.refresh()  # its line says how it goes
        if status.active:
            if status.status == "stopping":
                self.progress.show_status("Finishing this step and saving…")
            elif status.status == "starting" and self.progress.began is None and not events:
                self.progress.show_status("Starting…")
            self._timer.start(POLL_MS)
        elif not there:
            if not self._away:
                self._away = True
                more = "It is shown again once its folder is there."
                self._show_end(run, replace(status, text=f"{status.text} {more}"))
            self._timer.start(AWAY_MS)
        elif not self._ended:
            self._ended = True
            self._timer.stop()
            self._show_end(run, status)
        self._update_buttons()

    def _show_preview(self, run: Run, events: list[Event], active: bool) -> None:
        # An earlier run adds nothing to the viewer by itself.
        if not active and self.preview.layers() == [] and self._finished is None:
            return
        last = next((e for e in reversed(events) if isinstance(e, Measured) and e.preview), None)
        if last is not None and (active or self.preview.layers()):
            image = next(iter(last.images), run.name)
            self.preview.show(run.output / Path(last.preview).name, image)

    def _show_end(self, run: Run, status: Status) -> None:
        self.progress.show_status("")
        if status.status == "finished" and self._finished is not None:
            before, best = self.progress.figures("before"), self.progress.figures("best")
            images = (before[1] if before else {}, best[1] if best else {})
            baseline = self.progress.history.baseline
            # the run's own folder, wherever it was trained: the file may name any other
            made = replace(self._finished, directory=self._finished.directory and str(run.output))
            self.result.show_finished(made, images, baseline, finer=_makes_finer(run))
        else:
            # What Python said is in the log, and the sentence alone rarely helps.
            self.result.show_end(status.status, status.text, status.log)
        mark_seen(run)
        self.runs.refresh()

    # --- starting --------------------------------------------------------------------------------

    def _on_not_started(self, output: Path, error: Exception) -> None:
        shutil.rmtree(output, ignore_errors=True)  # our own: nothing was trained in it
        self.obstacle.show_exception(error, "Starting the training")

    def _update_buttons(self) -> None:
        status = self.status
        setting_up, active = status is None, status is not None and status.active
        reason = self.setup.obstacle() if setting_up else ""
        self.start_button.setVisible(setting_up)
        self.start_button.setEnabled(not self._job.running and not reason)
        self.start_button.setToolTip(tip(reason or "Train in a process of its own"))
        self.stop_button.setVisible(not setting_up)
        self.stop_button.setEnabled(status is not None and active and status.status != "stopping")
        self.resume_button.setVisible(not setting_up)
        begun = active or status is None or status.step > 0 or status.status == "stopped"
        self.resume_button.setText("Resume" if begun else "Try again")
        self.resume_button.setToolTip(_RESUME if begun else _AGAIN)
        resumable = status is not None and status.resumable
        self.resume_button.setEnabled(resumable and not self._job.running)

    # --- the panel itself ------------------------------------------------------------------------

    def _running_run(self) -> Run | None:
        """The training at work that was shown here last, whatever is shown now."""
        known = reversed(self._followed.values())
        return next((run for run in known if run.status().active), None)

    def event(self, event) -> bool:
        """Watch the window that the panel is in, and ask when the panel is taken out of its dock."""
        if event.type() == QEvent.Type.Show:
            self._guard.watch(self)
            self._poll()
        elif event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self._leave()
                collect_soon()
            else:
                self._guard.watch(self)
        return super().event(event)

    def _leave(self) -> None:
        """The panel was closed, and the viewer was not."""
        remember(self._viewer, self.setup)
        self.setup.estimate.forget()
        self._timer.stop()
        run, window = self._running_run(), self._guard.window
        self._guard.leave()
        if run is None or window is None or not window.isVisible():
            return
        box = ask(window, run.name, may_cancel=False)
        box.finished.connect(lambda _: stop_quietly(run) if answer_of(box) == STOP else None)
        box.finished.connect(box.deleteLater)
        box.open()

    # --- appearance ------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.setMinimumWidth(290)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        watching = QWidget()
        where = Fold("Run folder", self.folder)
        column(self.result, self.progress, self.caution, where, into=watching).addStretch(1)
        for page in (self.setup, watching):
            self.pages.addWidget(VerticalScroll(page, least=110))
        top = narrow_form()
        top.addRow("Training", self.runs)
        buttons = row(self.start_button, self.stop_button, self.resume_button, self.help_button())
        outer = QVBoxLayout(self)
        outer.addLayout(top)
        outer.addWidget(self.pages, 1)
        outer.addWidget(self.obstacle)
        outer.addLayout(buttons)


def _budget(run: Run) -> float | None:
    """The time budget of a run in seconds; None without one, or if its recipe is gone."""
    try:
        schedule = run.recipe().schedule
    except HSRError:
        return None
    return None if schedule.steps or not schedule.minutes else 60 * schedule.minutes


def _makes_finer(run: Run) -> bool:
    """Whether a run trains a super-resolution model; False if its recipe is gone."""
    try:
        return run.recipe().finer
    except HSRError:
        return False
