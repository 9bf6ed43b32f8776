"""How a training ended: held-out figures before and after, and what to do with the model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHeaderView,
    QMenu,
    QPushButton,
    QTableWidgetItem,
    QWidget,
)

from napari_hsr.errors import HSRError
from napari_hsr.progress import Progress
from napari_hsr.training.runs.copies import file_events, folder_events, weights_in
from napari_hsr.training.runs.figures import FIGURES, change, describe_figures
from napari_hsr.units import format_seconds
from napari_hsr.viewer.workspace import open_panel
from napari_hsr.widgets.common.close_guard import saving_question
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.models_changed import models_changed
from napari_hsr.widgets.common.plain_text import one_line
from napari_hsr.widgets.common.plain_text import tip as plain_tip
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.save_dialog import ask_path
from napari_hsr.widgets.common.table import PlainTable
from napari_hsr.widgets.models.import_answers import suggested_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qtpy.QtGui import QShowEvent

    from napari_hsr.widgets.common.close_guard import Ask
    from napari_hsr.widgets.common.job import Work

#: The panel that runs a model, by whether it super-resolves.
PANELS = {False: "Reconstruct", True: "Super-resolve"}
#: The figures that have a column.
_COLUMNS = FIGURES[:2]
#: Images that have a row: thousands would hold the window up.
_MOST_ROWS = 200
#: Pixels of their table that are shown before it scrolls.
_MOST = 260


class ResultView(QWidget):
    """The end of one run.

    Signals
    -------
    imported(str)
        The model was imported under this name.
    more_wanted()
        The user wants to train again for longer.
    """

    imported = Signal(str)
    more_wanted = Signal()

    def __init__(self, viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self._directory: Path | None = None
        self._known: dict[Path | None, str] = {}  # what was imported before, by directory
        self._job = JobSlot(self)
        self.message = Message()
        self.table = FiguresTable()
        self.use_button = QPushButton()
        self.use_button.setToolTip("Import the model and choose it there")
        self.export_button = QPushButton("Export…")
        self.export_button.setToolTip("Save the model, or all of the run's folder, elsewhere")
        menu = QMenu(self)
        menu.addAction("Weights with their card (.safetensors)…", self._ask_file)
        menu.addAction("The whole folder, with log and recipe…", self._ask_folder)
        self.export_button.setMenu(menu)
        self.outcome = Message()
        self._buttons = QWidget()
        row(self.use_button, self.export_button, stretch=self.use_button, into=self._buttons)
        self.more_button = QPushButton("Train again with more time…")
        self.more_button.setToolTip("Set the same training up with twice the time; Start begins it")
        self.more_button.clicked.connect(self.more_wanted)
        parts = (self.message, self.table, self._buttons, self.more_button, self.outcome)
        column(*parts, into=self)
        self.use_button.clicked.connect(self.use)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self._directory = None
        self.message.clear()
        self.outcome.clear()
        self.table.hide()
        self._buttons.hide()
        self.more_button.hide()

    def show_finished(
        self, event, images: tuple[dict, dict], baseline=None, *, finer: bool = False
    ) -> None:
        """Show a :class:`~napari_hsr.training.events.Finished`.

        Parameters
        ----------
        event : Finished
        images : (dict, dict)
            Figures of the held-out images by name, before and after.
        baseline : Baseline, optional
            Reference that needs no training.
        finer : bool
            Whether the model super-resolves.
        """
        self._directory = Path(event.directory) if event.directory else None
        text = f"Finished in {format_seconds(event.seconds)}. {event.kept}"
        if self._directory is None:
            self.message.show_warning(text)
        else:
            self.message.show_info(text)
        self.table.show_figures(event.before, event.after, *images, baseline)
        self.use_button.setText(f"Use in {PANELS[finer]}")
        self._buttons.setVisible(self._directory is not None)
        self.more_button.setVisible(self._directory is None)

    def show_end(self, status: str, text: str, log: str = "") -> None:
        """Show how a run ended that made no model, with the last lines of its log."""
        text = text[:1].upper() + text[1:]
        if status == "stopped":
            self.message.show_info(f"{text} Resume goes on from there.")
        else:
            self.message.show_error(text, log or None)

    # --- the model -------------------------------------------------------------------------

    def use(self) -> None:
        """Import the model, and choose it in the panel that runs it."""
        if self._directory is None or self._job.running:
            return
        self.outcome.show_info("Importing the model…")
        known = self._known.get(self._directory)
        self._work(
            partial(import_work, self._directory, known), "Importing the model", self._on_imported
        )

    def _on_imported(self, name: str) -> None:
        self._known[self._directory] = name
        models_changed()
        self.imported.emit(name)
        where = choose_in_panel(self._viewer, name)
        if where is None:
            self.outcome.show_info(f"{name} was imported.")
        else:
            self.outcome.show_info(f"{name} was imported, and is chosen in {where}.")

    def _ask_file(self) -> None:
        directory = present(self._directory)  # another training may be shown while it is asked
        try:
            name = f"{weights_in(directory).stem}.safetensors"
        except HSRError as error:  # the folder was moved or emptied since
            self.outcome.show_exception(error)
            return
        path = ask_path(self, "Export the model", name, "Models (*.safetensors)")
        if path is not None:
            self._export(file_events, directory, path)

    def _ask_folder(self) -> None:
        directory = present(self._directory)
        folder = QFileDialog.getExistingDirectory(self, "Copy the model's folder into")
        if folder:
            self._export(folder_events, directory, Path(folder))

    def _export(
        self, events: Callable[..., Iterator[Progress | Path]], directory: Path, path: Path
    ) -> None:
        """Copy in a thread: a run may hold gigabytes, and the place may be far away."""
        if self._job.running:
            return
        self.outcome.show_info("Exporting the model…")
        self._work(
            partial(events, directory, path),
            "Exporting the model",
            lambda written: self.outcome.show_info(f"Exported to {written}."),
            asks=saving_question,
        )

    def _work(
        self,
        work: Work,
        title: str,
        finished: Callable[[Any], object],
        *,
        asks: Ask | None = None,
    ) -> None:
        self._job.start(
            work,
            title,
            asks=asks,
            finished=finished,
            failed=lambda error: self.outcome.show_exception(error, title),
            ended=self._enable,
        )
        self._enable()

    def _enable(self) -> None:
        for button in (self.use_button, self.export_button):
            button.setEnabled(not self._job.running)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 - Qt's name
        """A run that closing the panel ended has not said so."""
        self._enable()
        super().showEvent(event)


class FiguresTable(PlainTable):
    """Figures before → after: the mean, and each held-out image."""

    def __init__(self, parent: QWidget | None = None):
        heads = [f"{name} ({unit})" for _, name, unit, _ in _COLUMNS]
        super().__init__(["Held out", *heads], parent, most=_MOST)
        self.setAccessibleName("Figures before and after training")
        self.setToolTip("Of images that were not trained on, before → after")
        header = present(self.horizontalHeader())
        header.setMinimumSectionSize(40)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for place in range(1, self.columnCount()):
            header.setSectionResizeMode(place, QHeaderView.ResizeMode.ResizeToContents)

    def show_figures(
        self, before: dict, after: dict, images_before: dict, images_after: dict, baseline=None
    ):
        """Means first; an image that was measured once only has a dash for the other figure.

        A baseline, which knows no before and after, has a row of its own at the end.
        """
        rows = [("mean", before, after)]
        names = dict.fromkeys([*images_before, *images_after])
        if len(names) > 1:
            shown = list(names)[:_MOST_ROWS]
            rows += [(n, images_before.get(n, {}), images_after.get(n, {})) for n in shown]
            if len(names) > len(shown):
                rows.append((f"… and {len(names) - len(shown):,} more", {}, {}))
        elif names:
            rows = [(next(iter(names)), before, after)]
        self.setRowCount(len(rows))
        for at, (name, first, last) in enumerate(rows):
            texts = [change(first.get(k), last.get(k), d) for k, _, _, d in _COLUMNS]
            self._set_row(at, (name, *texts), tool_tip(name, first, last))
        if baseline is not None:
            mean = baseline.mean
            figures = [f"{mean[k]:.{d}f}" if k in mean else "–" for k, _, _, d in _COLUMNS]
            tip = f"{baseline.name}, the mean: {describe_figures(mean)}"
            self.insertRow(len(rows))
            self._set_row(len(rows), (baseline.name.partition(",")[0], *figures), tip)
        self.fit()
        self.setVisible(bool(before or after))

    def _set_row(self, at: int, texts: Sequence[str], tip: str) -> None:
        for place, text in enumerate(texts):
            item = QTableWidgetItem(one_line(text))
            item.setToolTip(plain_tip(tip))
            self.setItem(at, place, item)


def tool_tip(name: str, before: dict, after: dict) -> str:
    """All figures of a row, before → after."""
    lines = [name]
    for key, label, unit, decimals in FIGURES:
        if before.get(key) is not None or after.get(key) is not None:
            lines.append(f"{label}: {change(before.get(key), after.get(key), decimals)} {unit}")
    return "\n".join(line.rstrip() for line in lines)


def import_work(directory: Path, known: str | None, _cancel) -> Iterator[object]:
    """Import the model of a directory under a name that is free; then its name.

    One that was imported before is not imported again.
    """
    from napari_hsr.models import import_checkpoint
    from napari_hsr.models.model_file import read_card
    from napari_hsr.models.user_models import stored

    yield Progress(0, 0, "Importing the model")
    weights = weights_in(directory)
    own = read_card(weights).weights_sha256
    for name, (card, _) in stored().items():
        same = own and card.weights_sha256 == own and name.startswith(weights.stem)
        if same or name == known:
            yield name
            return
    yield import_checkpoint(weights, suggested_name(weights)).name


def choose_in_panel(viewer, name: str) -> str | None:
    """Choose a model of the user's in the panel that runs it, opened if it is not.

    Returns the panel's name; None for a viewer without a window.
    """
    from napari_hsr.models import card_of
    from napari_hsr.models.card import SUPER_RESOLUTION

    if getattr(viewer, "window", None) is None:
        return None
    card = card_of(name)
    finer = card.task == SUPER_RESOLUTION
    panel = open_panel(viewer, PANELS[finer])
    if finer:
        panel.scale.set_value(card.scale)
    panel.model.set_name(name)
    return PANELS[finer]
