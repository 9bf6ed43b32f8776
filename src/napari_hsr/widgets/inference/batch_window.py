"""Many photographs as one queue: a folder of files, or the selected layers, with a table of all."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
)

from napari_hsr.errors import AlreadyThereError, HSRError, explain
from napari_hsr.inference.batch.photographs import folder_events, open_events
from napari_hsr.inference.batch.queue import BatchProgress, BatchResult, Row, State
from napari_hsr.inference.batch.summary import write_summary
from napari_hsr.inference.results import Result
from napari_hsr.io import WRITE_SUFFIXES
from napari_hsr.units import format_seconds
from napari_hsr.viewer.as_read import Held
from napari_hsr.viewer.layer_data import is_photograph, layer_photograph
from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.close_guard import CloseGuard
from napari_hsr.widgets.common.help_window import HelpButton
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.labels import BriefLabel
from napari_hsr.widgets.common.layouts import column, narrow_form, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.common.plain_text import one_line, tip
from napari_hsr.widgets.common.progress_bar import ProgressBar
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.save_dialog import ask_path
from napari_hsr.widgets.common.table import Sentences, fit_columns
from napari_hsr.widgets.inference.panel_texts import changed
from napari_hsr.widgets.inference.queue_question import close_question
from napari_hsr.widgets.inference.queue_texts import ended, texts_of
from napari_hsr.widgets.inference.replacing import MAY_REPLACE, replace_box

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QCloseEvent
    from qtpy.QtWidgets import QWidget

    from napari_hsr.progress import Progress

HEADS = ("Photograph", "State", "Time left", "Notices")
FOLDER, LAYERS = "folder", "layers"
#: Encodings that can be stated for all photographs of a queue.
ENCODINGS = {
    None: "as each file says",
    "srgb": "sRGB",
    "linear-srgb": "linear sRGB",
    "xyz-d65": "XYZ (D65)",
}


class BatchWindow(QDialog):
    """Choose photographs, run the queue, and see how each fares.

    The model and its options are those of the panel when Start is pressed.

    Parameters
    ----------
    panel : ReconstructWidget
    viewer : napari viewer or ViewerModel
    add : callable
        ``add(layer, model, options, result)`` adds the cube of a layer to the viewer.
    """

    def __init__(self, panel: Any, viewer: Any, add: Callable[..., object]):
        super().__init__(panel)
        self._panel, self._viewer, self._add = panel, viewer, add
        self._jobs, self._pause = JobSlot(self), threading.Event()
        # Nothing is left to do to stop it: the queue ends with its window, which closes with napari.
        self._guard = CloseGuard(
            self, lambda: self._layers if self.busy else None, close_question, lambda _: None
        )
        self._rows: tuple[Row, ...] = ()
        self._result: BatchResult | None = None
        self._layers: list[Any] = []  # of the rows, where layers are computed
        self._held: list[Held] = []
        self._late: list[str] = []  # what is said of layers that were changed meanwhile
        self._added: set[int] = set()
        self._model = ""
        self._options: dict[str, Any] = {}
        self.folder: Path | None = None
        self.output: Path | None = None
        self.setWindowTitle("Many photographs")
        self.resize(720, 560)
        self._add_settings()
        self._add_buttons()
        self._add_table()
        self._lay_out()
        self.what.currentIndexChanged.connect(self.refresh)
        viewer.layers.selection.events.changed.connect(self.refresh)
        panel.models.changed.connect(self.refresh)
        name_controls(self)
        self.refresh()

    def _add_settings(self) -> None:
        self.what = NarrowComboBox()
        self.what.setToolTip("Results of files go into a folder, those of layers into the viewer")
        self.folder_button = button("Folder…", self._ask_folder, "The photographs directly in it")
        self.folder_label = BriefLabel(2)
        self.output_button = button("Results to…", self._ask_output, "Where the cubes are written")
        self.output_label = BriefLabel(2)
        self.format = NarrowComboBox()
        self.format.offer({s: s for s in WRITE_SUFFIXES if s != ".png"}, ".mat")
        self.format.setToolTip(
            "Of the cubes. A .zarr is written tile by tile, however large its photograph is."
        )
        self.replace = replace_box()
        self.model_label = BriefLabel(1)
        self.encoding = NarrowComboBox()
        self.encoding.offer(ENCODINGS, None)
        self.encoding.setToolTip("Of all photographs, where their files do not say, or wrongly")

    def _add_buttons(self) -> None:
        self.start_button = button(
            "Start", self.start, "What is there already, made the same way, is not computed again"
        )
        self.pause_button = button("Pause", self._on_pause, "Wait after the tile under way")
        self.pause_button.setCheckable(True)
        self.pause_button.toggled.connect(self._say_pause)
        self.cancel_button = button("Cancel", self.cancel, "Stop; what is finished stays")
        self.summary_button = button(
            "Save summary…", self._ask_summary, "How each ended, as a table (.csv) or as JSON"
        )

    def _add_table(self) -> None:
        self.progress = ProgressBar("Photographs that are done")
        self.table = QTableWidget(0, len(HEADS))
        self.table.setHorizontalHeaderLabels(list(HEADS))
        present(self.table.verticalHeader()).hide()
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setAccessibleName("Photographs and how far they are")
        self.table.setToolTip("One that fails stops no other; a cell's tooltip has its whole text")
        heads, modes = present(self.table.horizontalHeader()), QHeaderView.ResizeMode
        for place in (1, 2):  # their texts change
            heads.setSectionResizeMode(place, modes.ResizeToContents)
        heads.setSectionResizeMode(3, modes.Stretch)
        self.table.setItemDelegateForColumn(3, Sentences(self.table))

    def _lay_out(self) -> None:
        self.message = Message()
        form = narrow_form()
        form.addRow("Photographs", self.what)
        form.addRow(row(self.folder_button, self.folder_label, stretch=self.folder_label))
        form.addRow(row(self.output_button, self.output_label, stretch=self.output_label))
        form.addRow("Format of the cubes", self.format)
        form.addRow(self.replace)
        form.addRow("Encoding", self.encoding)
        form.addRow(self.model_label)
        bottom = row(self.summary_button, HelpButton(self, "queue"))
        bottom.insertStretch(0, 1)
        buttons = row(self.start_button, self.pause_button, self.cancel_button)
        layout = column(form, buttons, self.progress, self.table, self.message, bottom, into=self)
        layout.setContentsMargins(9, 9, 9, 9)
        layout.setStretch(layout.indexOf(self.table), 1)
        self.table.setMinimumHeight(120)

    # --- what is chosen --------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether the queue runs."""
        return self._jobs.running

    def set_folder(self, folder: Path) -> None:
        """Take the photographs of a folder; results go beside it unless a place is chosen."""
        self.folder = Path(folder)
        if self.output is None:
            self.output = self.folder / "cubes"
        self.what.set_value(FOLDER)
        self.refresh()

    def set_output(self, folder: Path) -> None:
        """Write results there."""
        self.output = Path(folder)
        self.refresh()

    def files_in_use(self) -> list[str]:
        """The folder, and that of the results."""
        both = (self.folder, self.output)
        return [f"{one or ''}" for one in both] if any(both) else []

    def use_files(self, paths: list[str]) -> None:
        """Take these folders again."""
        self.folder, self.output = (Path(one) if one else None for one in paths)
        self.refresh()

    def refresh(self, _event: object = None) -> None:
        """Show what is chosen, and whether it can be started."""
        chosen = self.selected()
        labels = {FOLDER: "the files of a folder", LAYERS: f"{len(chosen)} selected layers"}
        self.what.offer(labels, self.what.value() or FOLDER)
        files = self.what.value() == FOLDER
        self.folder_label.setText(f"{self.folder}" if self.folder else "no folder chosen")
        self.output_label.setText(f"{self.output}" if self.output else "no folder chosen")
        self.model_label.setText(f"Model: {self._panel.model.name()}, as chosen in Reconstruct")
        parts: tuple[QWidget, ...] = (self.folder_button, self.folder_label)
        for part in (*parts, self.output_button, self.output_label, self.format, self.replace):
            part.setEnabled(files)
        ready = bool(self.folder and self.output) if files else bool(chosen)
        self.start_button.setEnabled(ready and not self.busy)
        for part in (self.pause_button, self.cancel_button):
            part.setEnabled(self.busy)
        if not self.busy:
            self.pause_button.setChecked(False)
        self.progress.setVisible(self.busy)
        self.summary_button.setEnabled(self._result is not None)

    def selected(self) -> list[Any]:
        """The photographs among the selected layers, in the order of the layer list."""
        chosen = self._viewer.layers.selection
        return [one for one in self._viewer.layers if one in chosen and is_photograph(one)]

    # --- the queue -------------------------------------------------------------------------

    def start(self) -> None:
        """Run the queue in a thread."""
        if self.busy:
            return
        self.message.clear()
        self._resume()
        self._added.clear()
        self._model = self._panel.model.name()
        options = self._options = self._panel.queue_options()
        asked = {"encoding": self.encoding.value(), "pause": self._pause}
        model, self._layers, self._late = self._model, [], []
        if self.what.value() == FOLDER:
            place = ([str(self.folder)], self.output, self.format.value())
            may = self.replace.isChecked()
            asked |= {"overwrite": may, "sparing": not may}
            self.replace.setChecked(False)  # the next run is asked for anew

            def work(cancel):
                return folder_events(*place, model, options, cancel=cancel, **asked)

        else:
            self._layers = self.selected()
            self._held = [Held(layer) for layer in self._layers]
            try:
                photographs = [layer_photograph(layer) for layer in self._layers]
            except HSRError as error:
                self.message.show_exception(error)
                return

            def work(cancel):
                return open_events(photographs, model, options, cancel=cancel, **asked)

        self._rows, self._result = (), None
        self._jobs.start(
            work,
            "Many photographs",
            progressed=self._on_progress,
            finished=self._on_result,
            failed=lambda error: self.message.show_exception(error, "The queue"),
            cancelled=self._on_cancelled,
            ended=self.refresh,
        )
        self.table.setRowCount(0)
        self.progress.begin()
        self._guard.watch(self)
        self.refresh()

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 - Qt's name
        """The queue ends with the window: nothing is asked any more."""
        self._guard.leave()
        if not all(row.ended for row in self._rows):
            self._show(tuple(row if row.ended else row.cancelled() for row in self._rows))
            self.message.show_info(
                "The queue ended with its window: Start goes on with what is missing."
            )
        super().closeEvent(event)

    def release(self) -> None:
        """The panel is closed."""
        self.close()

    def cancel(self) -> None:
        """Stop the queue."""
        self._resume()
        self._jobs.cancel()
        self.cancel_button.setEnabled(False)

    def _resume(self) -> None:
        self._pause.clear()
        self.pause_button.setChecked(False)

    def _say_pause(self, paused: bool) -> None:
        self.pause_button.setText("Resume" if paused else "Pause")

    def _on_pause(self) -> None:
        paused = self.pause_button.isChecked()
        if paused:
            self._pause.set()
        else:
            self._pause.clear()
        if paused and self.progress.maximum():  # how much time is left depends on when it goes on
            self.progress.setFormat(f"{self.progress.value()} of {self.progress.maximum()}, paused")

    def _on_progress(self, event: Progress) -> None:
        if not isinstance(event, BatchProgress):
            self.progress.setFormat(event.message)
            return
        self.progress.setRange(0, event.total)
        self.progress.setValue(event.done)
        left = (
            ""
            if event.seconds_left is None
            else f", about {format_seconds(event.seconds_left)} left"
        )
        left = ", paused" if self._pause.is_set() else left
        self.progress.setFormat(f"{event.done} of {event.total}{left}")
        self._show(event.rows)

    def _on_result(self, result: BatchResult) -> None:
        self._result = result
        self._show(result.rows)
        said = ended(result)
        late = "".join(f" {one}" for one in self._late)
        if any(row.state is State.FAILED for row in result.rows):
            there = any(isinstance(row.error, AlreadyThereError) for row in result.rows)
            more = f" {MAY_REPLACE}" if there else ""
            self.message.show_warning(f"{said} The others are not affected.{more}{late}")
        else:
            (self.message.show_warning if late else self.message.show_info)(said + late)

    def _on_cancelled(self) -> None:
        if isinstance(self._jobs.part, BatchResult):
            self._on_result(self._jobs.part)
        if self._layers:
            self.message.show_info(f"{self.message.text()} Cubes that were finished are layers.")
        else:
            self.message.show_info(f"{self.message.text()} Start goes on with what is missing.")

    def _show(self, rows: tuple[Row, ...]) -> None:
        before, self._rows = self._rows, rows
        self.table.setRowCount(len(rows))
        for at, one in enumerate(rows):
            if at >= len(before) or before[at] != one:
                for place, text in enumerate(texts_of(one)):
                    self._put(at, place, text, text if place else str(one.source or text))
        if len(before) != len(rows):
            fit_columns(self.table)
        for at, one in enumerate(rows):
            if at not in self._added and isinstance(one.value, Result):
                self._added.add(at)
                layer = self._layers[at]
                self._add(layer, self._model, self._options, one.value)
                if layer in self._viewer.layers and not self._held[at].by(layer):
                    self._late.append(changed(layer))

    def _put(self, at: int, place: int, text: str, whole: str) -> None:
        item = self.table.item(at, place)
        if item is None:
            item = QTableWidgetItem()
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.table.setItem(at, place, item)
        item.setText(one_line(text))
        item.setToolTip(tip(whole))

    # --- files -----------------------------------------------------------------------------

    def save_summary(self, path: Path) -> Path:
        """Write how each ended; errors as :func:`napari_hsr.inference.batch.summary.write_summary`."""
        assert self._result is not None  # the button is enabled then
        return write_summary(self._result, path)

    def _ask_summary(self) -> None:
        path = ask_path(self, "Save summary", "summary.csv", "Table (*.csv);;JSON (*.json)")
        if path is None:
            return
        try:
            self.message.show_info(f"Wrote {self.save_summary(path)}.")
        except (HSRError, OSError) as error:
            self.message.show_error(explain(error))

    def _ask_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of photographs")
        if chosen:
            self.set_folder(Path(chosen))

    def _ask_output(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for the cubes")
        if chosen:
            self.set_output(Path(chosen))
