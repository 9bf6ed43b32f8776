"""The setup of a training: start model, data, strategy and all settings."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QLineEdit, QPushButton, QWidget

from napari_hsr.errors import HSRError
from napari_hsr.models.card import DETAIL_ESTIMATED, ILL_POSED
from napari_hsr.training.recipe.schema import Recipe
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import column, narrow_form
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.train.data_section import DataSection
from napari_hsr.widgets.train.estimate import Estimate
from napari_hsr.widgets.train.image_table import ImageTable
from napari_hsr.widgets.train.recipe_content import (
    Front,
    allowed_strategies,
    base_content,
    camera_content,
    content_of,
    faults_of,
)
from napari_hsr.widgets.train.settings_form import SettingsForm
from napari_hsr.widgets.train.start_model import CoarseSection, StartChooser
from napari_hsr.widgets.train.strategy import STRATEGIES, StrategyChooser
from napari_hsr.widgets.train.training_work import (
    LayerPair,
    as_ticked,
    estimate_work,
    look_work,
)

if TYPE_CHECKING:
    from napari_hsr.progress import Progress
    from napari_hsr.training.data.findings import Findings

#: Said beside every training.
FEW_IMAGES = (
    "A model trained on a few images is a model for images like these: the same kind of objects, "
    "light and camera. Judge it by images it was not trained on."
)
#: Settings with a place above the form, or that follow from what is chosen there.
IN_FRONT = {
    *("name", "task", "strategy", "model", "schedule.minutes"),
    *("data.folder", "data.pairs", "data.simulate", "coarse.scale", "coarse.degradations"),
}
#: Other settings that do not apply, by whether the model super-resolves.
OF_NO_USE = {
    False: {"coarse", "optimiser.step_per"},
    True: {
        *("camera", "validation.captures", "data.rgb_folder", "data.input_encoding"),
        *(f"augmentation.{name}" for name in ("metamers", "metamer_range", "tint", "mix")),
    },
}
#: What decides what is found in the data.
DECIDE_DATA = ("data", "camera", "coarse", "seed", "batch", "augmentation")


class Setup(QWidget):
    """All choices of a new training.

    Signals
    -------
    changed()
        What would be trained, or whether it can be, has changed.
    """

    changed = Signal()

    def __init__(self, viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._job = JobSlot(self)
        self._findings: Findings | None = None
        self._held_out: dict[str, bool] = {}
        self._unused: set[str] = set()
        self._named = False
        self._finer = False
        self._contents: dict[bool, dict[str, Any]] = {}  # of the form, by what is trained
        self.recipe: Recipe | None = None
        self.model = StartChooser()
        self.coarse = CoarseSection()
        self.name = QLineEdit()
        self.name.setToolTip("Letters, digits and . _ + -; the start model stays as it is")
        self.name_problem = Message()
        self.data = DataSection(viewer)
        self.look_button = QPushButton("Check the data")
        self.look_button.setToolTip("Find and read the images, and hold some out")
        self.table = ImageTable()
        self.message = Message()
        self.strategy = StrategyChooser()
        self.minutes = QDoubleSpinBox()
        self.minutes.setRange(0.1, 60 * 24 * 14)
        self.minutes.setDecimals(1)
        self.minutes.setValue(10)
        self.minutes.setSuffix(" min")
        self.minutes.setToolTip("How long to train, reading the data and measuring included")
        self.estimate = Estimate()
        self.form = SettingsForm(Recipe, IN_FRONT)
        self.fold = Fold("All settings", self.form)
        self.caution = WrappedLabel()
        self._lay_out()
        self._show_task(self.model.finer())
        self.model.changed.connect(self._on_model)
        self.name.textEdited.connect(self._on_name)
        self.data.changed.connect(self._on_data)
        self.data.camera.chosen.connect(self._on_camera)
        self.coarse.changed.connect(self._on_data)
        self.data.ready.connect(self.look)
        self.look_button.clicked.connect(self.look)
        self.table.held_out_changed.connect(self._on_held_out)
        self.table.used_changed.connect(self._on_used)
        self.form.changed.connect(self._on_settings)
        self.estimate.asked.connect(self._estimate)
        self.strategy.currentIndexChanged.connect(self._judge)
        self.minutes.valueChanged.connect(self._judge)
        self._on_model(self.model.card())

    # --- what was chosen -----------------------------------------------------------------

    def content(self) -> dict[str, Any]:
        """The whole recipe, as plain values."""
        front = Front(
            name=self.name.text().strip(),
            start=self.model.name() or "",
            strategy=self.strategy.value(),
            minutes=self.minutes.value(),
            simulated=self.data.simulated(),
            folder=self.data.folder(),
            coarse=self.coarse.settings() if self._finer else None,
        )
        return content_of(self.form.content(), front)

    def take(self, recipe: Recipe, times: float = 1.0) -> None:
        """Show the folder and the time budget of an earlier training, so many times as long.

        Its start model too, if it is still there; other settings stay. Nothing is read yet.
        """
        with suppress(ValueError):  # it was removed
            self.model.set_name(recipe.model.start or "")
        if recipe.schedule.minutes:
            self.minutes.setValue(times * recipe.schedule.minutes)
        folder = recipe.data.folder
        if folder is not None and os.path.isdir(folder):
            self.data.show_folder(folder)

    def layers(self) -> list[LayerPair]:
        """The layers that are trained on, if any."""
        return self.data.layers()

    def split(self) -> str:
        """Which images are held out, where the user chose them."""
        chosen = self._held_out or self._unused
        return self.findings.split if chosen and self.findings is not None else ""

    @property
    def findings(self):
        """What was found in the data, with the images that the user holds out; None before."""
        if self._findings is None:
            return None
        return as_ticked(self._findings, self._held_out, self._unused)

    @property
    def looking(self) -> bool:
        """Whether the data are being looked at."""
        return self._job.running

    def obstacle(self) -> str:
        """Why training cannot start, in one sentence; empty if it can."""
        if self.model.name() is None:
            return "No model is installed to start from."
        if missing := self.data.missing():
            return missing
        if self.looking:
            return "The data are being checked…"
        if self.recipe is None:
            return "Correct the setting that is marked."
        if self._findings is None:
            return "Check the data first."
        try:
            self.findings.check()
        except HSRError as error:
            return str(error)
        return ""

    # --- looking at the data ---------------------------------------------------------------

    def look(self) -> None:
        """Check the data as they are chosen now."""
        if self.data.missing() or self.recipe is None:
            self._judge()
            return
        self._forget_findings()
        try:
            layers = self.layers()
        except HSRError as error:
            self.message.show_exception(error)
            return
        self._job.start(
            partial(look_work, self.recipe, layers),
            "Checking the training data",
            progressed=self._on_progress,
            finished=self._on_found,
            failed=lambda error: self.message.show_exception(error, "Checking the data"),
            ended=self._judge,
        )
        self._judge()

    def _on_progress(self, progress: Progress) -> None:
        count = f" ({progress.done} of {progress.total} images)" if progress.total else ""
        self.message.show_info(progress.message + count)

    def _on_found(self, findings: Findings) -> None:
        self._findings = findings
        self.table.show_rows(findings.rows)
        self.data.set_without_photographs(any(not r.rgb for r in findings.rows if r.cube))

    def _forget_findings(self) -> None:
        self._findings, self._held_out, self._unused = None, {}, set()
        self.table.show_rows(())
        self.message.clear()

    # --- changes ---------------------------------------------------------------------------

    def _on_model(self, card) -> None:
        looked = self._findings is not None
        if not self._named:
            self.name.setText("" if card is None else f"{card.name}-tuned")
        if card is not None:
            self.coarse.set_scale(card.scale)
        if self.model.finer() != self._finer:
            self._contents[self._finer] = self.form.content()
            self._show_task(self.model.finer())
        self._on_camera(self.data.camera.camera())
        if looked:  # the same images, for another model
            self.look()

    def _show_task(self, finer: bool) -> None:
        """Show the settings of a super-resolution, or of a reconstruction."""
        self._finer = finer
        base = base_content(finer)
        self.form.set_content(self._contents.get(finer, base))
        self.form.leave_out(OF_NO_USE[finer])
        self.strategy.offer_strategies(allowed_strategies(base, STRATEGIES))
        if finer not in self._contents:
            self.strategy.set_value(base["strategy"])
            self.minutes.setValue(base["schedule"]["minutes"] or 10)
            if finer:
                self.coarse.set_settings(base["coarse"])
        self.coarse.setVisible(finer)
        self.data.set_cubes_alone(finer)
        known = DETAIL_ESTIMATED if finer else ILL_POSED
        self.caution.setText(f"{known} {FEW_IMAGES}")

    def _on_name(self, text: str) -> None:
        self._named = bool(text.strip())
        self._judge()

    def _on_camera(self, camera: str) -> None:
        if not self._finer:
            encoding = self.model.card().input_encoding if self.model.card() else ""
            self.form.set_section("camera", camera_content(camera, encoding))
        self._on_data()

    def _on_data(self) -> None:
        self._job.drop()
        self._forget_findings()
        self._judge()

    def _on_settings(self) -> None:
        """A setting may decide what is found in the data: those of other groups do not."""
        before = self.recipe
        self._judge()
        if before is None or self.recipe is None or self._findings is None:
            return
        if any(getattr(before, key) != getattr(self.recipe, key) for key in DECIDE_DATA):
            self._on_data()

    def _on_held_out(self, name: str, held_out: bool) -> None:
        if not self._held_out and self._findings is not None:
            self._held_out = {r.name: r.held_out for r in self._findings.rows if not r.problem}
        self._held_out[name] = held_out
        self._judge()

    def _on_used(self, name: str, used: bool) -> None:
        self._unused = self._unused - {name} if used else self._unused | {name}
        self._judge()

    def _judge(self, *_ignored) -> None:
        """Say what is wrong, beside where it is wrong."""
        self.recipe, faults = faults_of(self.content())
        faults = {place: said for place, said in faults.items() if place[:1] != ("model",)}
        name_fault = next((faults.pop(place) for place in [*faults] if place == ("name",)), "")
        if self.name_problem.text() != name_fault:
            self.name_problem.show_error(name_fault)
        self.form.show_faults(faults)
        self.look_button.setEnabled(not self.data.missing() and self.recipe is not None)
        if self._findings is not None and not self.looking:
            found = self.findings
            said = [f"{_images(len(found.train))} to train on, {len(found.held_out)} held out."]
            said += [notice.text for notice in found.notices]
            obstacle = self.obstacle()
            if any(row.problem and not row.left_out for row in found.rows):
                count = len(found.problems)
                images = "An image" if count == 1 else f"{count} images"
                them = "it" if count == 1 else "them"
                self.message.show_warning(
                    f"{images} cannot be used: the reason is in the row. Mend or untick {them}."
                )
            elif obstacle:
                self.message.show_warning(obstacle)
            else:
                self.message.show_info(" ".join(said))
        self.estimate.offer(self._deciding(), self.obstacle())
        self.changed.emit()

    def _deciding(self) -> tuple:
        """What an estimate depends on."""
        recipe = self.recipe and self.recipe.model_copy(update={"name": "any"})
        return recipe, id(self._findings), dict(self._held_out), set(self._unused)

    def _estimate(self) -> None:
        try:
            layers = self.layers()
        except HSRError as error:
            self.message.show_exception(error)
            return
        self.estimate.begin(partial(estimate_work, self.content(), layers, self.split()))

    # --- appearance --------------------------------------------------------------------------

    def _lay_out(self) -> None:
        form = narrow_form()
        form.addRow("Start model", self.model)
        form.addRow("Name of the new model", self.name)
        form.addRow(self.name_problem)
        form.addRow(self.coarse)
        budget = narrow_form()
        budget.addRow("Strategy", self.strategy)
        budget.addRow("Time budget", self.minutes)
        column(
            *(form, self.data, self.look_button, self.table, self.message),
            *(budget, self.estimate, self.fold, self.caution),
            into=self,
        ).addStretch(1)


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"
