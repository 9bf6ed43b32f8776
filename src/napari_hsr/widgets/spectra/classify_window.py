"""A class for every pixel of a cube, as a Labels layer and a legend with areas."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDoubleSpinBox,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
)

from napari_hsr.errors import HSRError, InputError
from napari_hsr.io.bands import widths_of
from napari_hsr.io.text_files import csv_text, name_cell, write_text
from napari_hsr.matching import THRESHOLD, Entries, classify_events, entries_on
from napari_hsr.spectral_library import numbered
from napari_hsr.viewer.as_read import Held, too_late
from napari_hsr.viewer.classes import add_classes, is_classes
from napari_hsr.viewer.computed_cubes import check_computed, computed_cube
from napari_hsr.viewer.covering import covered
from napari_hsr.viewer.layer_data import is_cube
from napari_hsr.viewer.pins import PALETTE
from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.choosers import LayerChooser
from napari_hsr.widgets.common.close_guard import computing_question
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.help_window import HelpButton
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.common.plain_text import one_line, tip
from napari_hsr.widgets.common.progress_bar import ProgressBar
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.table import fit_columns, widen_for
from napari_hsr.widgets.spectra.entry_list import EntryList
from napari_hsr.widgets.spectra.exports import ask_and_write
from napari_hsr.widgets.spectra.libraries import LIBRARY
from napari_hsr.widgets.spectra.match_window import ask_library
from napari_hsr.widgets.spectra.sources import told_apart

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.utils.events import Event
    from qtpy.QtGui import QShowEvent

    from napari_hsr.cube import Cube
    from napari_hsr.matching import Classification

HEADS = ("Class", "Pixels", "Share (%)", "Area", "Mean angle (°)")


class ClassifyWindow(QDialog):
    """Choose a cube, classes and a threshold; run, and see how much there is of each.

    Parameters
    ----------
    panel : CurvePanel
    viewer : napari viewer
    """

    def __init__(self, panel: Any, viewer: Any):
        super().__init__(panel)
        self._panel, self._viewer = panel, viewer
        self._found: Classification | None = None
        self._colors: list[str] = []
        self._fitted = False
        self.setWindowTitle("Classify")
        self.resize(560, 620)
        self.cube = LayerChooser(viewer, is_cube, self, empty="no cube open")
        self.cube.changed.connect(self._on_cube)
        self._following = Connections(self)
        self._held: Held | None = None  # of the cube that the table is of
        self.classes = EntryList()
        self.open_button = button(
            "Open library…",
            self._ask_library,
            "Open files of spectra; their entries can be classes",
        )
        self.limit = QCheckBox("Unclassified beyond")
        self.limit.setChecked(True)
        self.limit.setToolTip("Pixels further than this from every class get none")
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(0.1, 180)
        self.threshold.setDecimals(2)
        self.threshold.setValue(THRESHOLD)
        self.threshold.setSuffix("°")
        self.threshold.setToolTip("Greatest spectral angle of a class")
        self.limit.toggled.connect(self.threshold.setEnabled)
        self.run_button = button("Classify", self.run, "Add the classes as a Labels layer")
        self.cancel_button = button("Cancel", lambda: self._jobs.cancel(), "Stop the run")
        self.cancel_button.setEnabled(False)
        self.progress = ProgressBar(
            "Rows of the cube that are done"
        )  # no figure until there is a run
        self.table = QTableWidget(0, len(HEADS))
        self.table.setHorizontalHeaderLabels(list(HEADS))
        present(self.table.verticalHeader()).hide()
        self.table.setToolTip("The legend: how much there is of each class")
        self.csv_button = button("Export CSV…", self._ask_csv, "This table as a file")
        self.csv_button.setEnabled(False)
        self.message = Message()
        self._jobs = JobSlot(self)
        last = row(self.csv_button, HelpButton(self))
        last.insertStretch(0, 1)
        layout = column(
            row(QLabel("Cube"), self.cube, stretch=self.cube),
            QLabel("Classes: tick pins, regions and library entries"),
            self.classes,
            row(self.open_button, self.limit, self.threshold, stretch=self.threshold),
            row(self.run_button, self.progress, self.cancel_button, stretch=self.progress),
            self.table,
            last,
            self.message,
            into=self,
        )
        layout.setContentsMargins(9, 9, 9, 9)
        name_controls(self)

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self._jobs.running

    @property
    def found(self) -> Classification | None:
        """The last result."""
        return self._found

    def refresh(self) -> None:
        """Offer the pins, regions and entries that there are now; no results as classes."""
        results = {layer.unique_id for layer in self._viewer.layers if is_classes(layer)}
        none = {LIBRARY, *results}
        names = told_apart([one for one in self._panel.kept if one.origin[0] not in none])
        opened = self._panel.libraries.opened
        for at, library in enumerate(opened):
            more = f" · {library.name}" if len(opened) > 1 else ""
            for number, name in enumerate(library.names):
                names[(LIBRARY, at, number)] = f"{name}{more}"
        self.classes.offer(names)

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """A class that is gone is ticked no longer, though another may have its key."""
        self.classes.forget(gone)

    def entries(self, cube: Cube) -> Entries:
        """The ticked classes on the bands of a cube.

        Raises
        ------
        InputError
            If none is ticked, one is not on show, or they do not fit.
        """
        if hidden := self.classes.missing():
            named = " and ".join(f"“{name}”" for name in hidden[:2])
            more = f" and {len(hidden) - 2} more" if len(hidden) > 2 else ""
            raise InputError(
                f"Ticked, and not on show: {named}{more}. Show it again, or take its tick away."
            )
        nm = None if cube.wavelengths is None else np.asarray(cube.wavelengths)
        widths = widths_of(cube)
        kept = {one.key: one for one in self._panel.kept}
        apart = told_apart([*kept.values()])
        parts, self._colors = [], []
        for key in self.classes.ticked():
            if key[0] == LIBRARY:
                _, at, number = key
                parts.append(
                    self._panel.libraries.entries(at, nm, cube.bands, widths).chosen([number])
                )
                one = kept.get((key, None))
            elif (one := kept.get(key)) is not None:
                if one.source is not None:
                    check_computed(one.source.cube)
                parts.append(
                    entries_on([replace(one.curve, name=apart[key])], nm, cube.bands, widths)
                )
            else:
                continue
            color = one.drawn.color if one else ""
            # One pin has one colour on all cubes: as classes they are several.
            self._colors.append("" if color in self._colors else color)
        if not parts:
            raise InputError("Tick a pin, a region or a library's entry: these are the classes.")
        spare = [color for color in PALETTE if color not in self._colors] or list(PALETTE)
        given = itertools.cycle(spare)
        self._colors = [color or next(given) for color in self._colors]
        names = numbered(one_line(name) for part in parts for name in part.names)
        values = np.concatenate([part.values for part in parts])
        told = tuple({notice.text: notice for part in parts for notice in part.notices}.values())
        whose = tuple(dict.fromkeys(one for part in parts for one in part.units))
        return Entries(names, values, nm, "the chosen classes", told, whose)

    def _on_cube(self, _layer: object = None) -> None:
        self.message.clear()
        self._clear()

    def _on_changed(self, event: Event) -> None:
        held = self._held
        if held is not None and not (held.values_after(event) and held.by(event.source)):
            self._clear()
            self.message.show_info(f"“{event.source.name}” was changed since it was classified.")

    def _on_painted(self, event: Event) -> None:
        self.message.show_info(
            f"“{event.source.name}” was painted on: the table is of the classes as they were found."
        )

    def _clear(self) -> None:
        """Show no figures of another cube, or of what it held before; the layer of classes stays."""
        self._found, self._held = None, None
        self._following.close()
        self.table.setRowCount(0)
        self.csv_button.setEnabled(False)

    def run(self) -> None:
        """Classify in the background."""
        layer = self.cube.layer()
        self.message.clear()
        self._clear()
        try:
            if layer is None:
                raise InputError("Open a cube first.")
            if not self._panel.measured():
                raise InputError("The regions are being measured: classify once they are.")
            cube = computed_cube(layer)
            entries = self.entries(cube)
        except HSRError as error:
            self.message.show_exception(error)
            return
        threshold = self.threshold.value() if self.limit.isChecked() else None
        self.run_button.setEnabled(False)
        self.cancel_button.setEnabled(True)
        self._jobs.start(
            lambda cancel: classify_events(cube, entries, threshold=threshold, cancel=cancel),
            f"Classifying {cube.name}",
            asks=computing_question,
            progressed=self.progress.move_to,
            finished=partial(self._on_found, layer, Held(layer)),
            failed=self.message.show_exception,
            cancelled=lambda: self.message.show_info("Cancelled; no layer was added."),
            ended=self._on_ended,
        )

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 - Qt's name
        """A run that closing the window ended has not said so."""
        if not self.busy:
            self._on_ended()
        super().showEvent(event)

    def _on_ended(self) -> None:
        self.run_button.setEnabled(True)
        self.cancel_button.setEnabled(False)

    def _on_found(self, layer: Any, held: Held, found: Classification) -> None:
        if why := too_late(self._viewer, layer, held, "its classes were ready"):
            self.message.show_warning(why)
            return
        self.progress.setMaximum(1)
        self.progress.setValue(1)
        made = add_classes(self._viewer, found, self._colors, layer)
        self._panel.add_unticked(made)
        told = " ".join(filter(None, (covered(self._viewer, made), *found.notices)))
        (self.message.show_warning if found.notices else self.message.show_info)(told)
        if layer == self.cube.layer():  # else another one was chosen meanwhile
            self._found, self._held = found, held
            self._following.follow(layer, "_on_changed")
            for change in (made.events.paint, made.events.data):
                self._following.connect(change, "_on_painted")
            self._show(found)

    def _show(self, found: Classification) -> None:
        """Fill the table."""
        rows = found.rows()
        self.table.setHorizontalHeaderItem(3, QTableWidgetItem(f"Area ({found.area_unit})"))
        self.table.setColumnHidden(3, found.pixel_area is None)  # it is the number of pixels
        self.table.setRowCount(len(rows))
        for at, one in enumerate(rows):
            angle = "" if one["mean_angle"] is None else f"{one['mean_angle']:.2f}"
            texts = [
                one["name"],
                f"{one['pixels']:,}",
                f"{100 * one['share']:.1f}",
                f"{one['area']:,.6g}",
                angle,
            ]
            for place, text in enumerate(texts):
                item = QTableWidgetItem(one_line(text))
                if place:
                    right, middle = Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignVCenter
                    item.setTextAlignment(right | middle)
                else:
                    item.setToolTip(tip(text))
                if not place and one["label"]:
                    swatch = QPixmap(12, 12)
                    swatch.fill(QColor(self._colors[one["label"] - 1]))
                    item.setData(Qt.ItemDataRole.DecorationRole, swatch)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
                self.table.setItem(at, place, item)
        fit_columns(self.table)
        if not self._fitted and self.isVisible():
            self._fitted = True  # once: from here on the width is the user's
            widen_for(self.table)
        self.csv_button.setEnabled(True)

    def export_csv(self, path: Path) -> Path:
        """Write the legend as CSV.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        return _write_csv(present(self._found), path)

    def _ask_csv(self) -> None:
        kinds = "Comma-separated values (*.csv)"
        ask = (self, self.message, "Export classes", "classes.csv", kinds)
        # while it is asked a run may end, and another cube be chosen
        ask_and_write(*ask, partial(_write_csv, present(self._found)))

    def _ask_library(self) -> None:
        ask_library(self._panel, self, self.message)


def _write_csv(found: Classification, path: Path) -> Path:
    rows = [row | {"name": name_cell(row["name"])} for row in found.rows()]
    return write_text(path, csv_text([list(rows[0]), *(row.values() for row in rows)]))
