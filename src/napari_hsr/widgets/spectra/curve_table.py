"""The curves of the Spectra panel as a table: rename, hide, highlight, export."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QDialog, QTableWidget, QTableWidgetItem
from superqt.utils import signals_blocked

from napari_hsr import spectra
from napari_hsr.errors import InputError
from napari_hsr.viewer.axis import current_band, current_nm
from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.common.plain_text import one_line, tip
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.table import fit_columns, widen_for
from napari_hsr.widgets.spectra.exports import ask_table, need_computed
from napari_hsr.widgets.spectra.sources import PIXEL

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.widgets.spectra.sources import Shown

_SHARES = [f"{100 * share:g}%" for share in spectra.QUANTILES]
HEADS = ("Curve", "Cube", "n", "Mean", "s.d.", *_SHARES, "Unit", "Row", "Column", "x", "y")
_TIPS = {
    "n": "Number of pixels",
    "s.d.": "Standard deviation of the region's pixels",
    "Row": "Of the cube's pixels, counted from 0",
    "Column": "Of the cube's pixels, counted from 0",
    "x": "On the ground where the file says so, else in the viewer",
    "y": "On the ground where the file says so, else in the viewer",
}


class CurveTable(QDialog):
    """A row a curve, with its figures at the wavelength on show.

    Parameters
    ----------
    panel : CurvePanel
        Whose curves they are.
    viewer : napari viewer
    """

    def __init__(self, panel: Any, viewer: Any):
        super().__init__(panel)
        self._panel, self._viewer, self._fitted = panel, viewer, False
        self.setWindowTitle("Curves")
        self.resize(960, 320)
        self.where = WrappedLabel()
        self.table = QTableWidget(0, len(HEADS))
        self.table.setHorizontalHeaderLabels(list(HEADS))
        for head, what in _TIPS.items():
            present(self.table.horizontalHeaderItem(HEADS.index(head))).setToolTip(what)
        present(self.table.verticalHeader()).hide()
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setToolTip(
            "Tick: drawn; double click: rename; a chosen row is bold in the plot. Quantiles and "
            "s.d. are those of a region's pixels."
        )
        self.table.itemChanged.connect(self._on_item)
        self.table.itemSelectionChanged.connect(self._on_selection)
        self.export_button = button(
            "Export table…", self._ask, "All bands of all ticked curves, with place and quantiles"
        )
        self.show_all_button = button("Show all", self._show_all, "Tick every curve")
        self.message = Message()
        buttons = row(self.show_all_button, self.export_button)
        buttons.insertStretch(1, 1)
        layout = column(self.where, self.table, buttons, self.message, into=self)
        layout.setContentsMargins(9, 9, 9, 9)
        self._shown: list[Shown] = []
        self._connections = Connections(self)
        self._connections.connect(viewer.dims.events.point, "_on_slider")
        name_controls(self)

    def refresh(self) -> None:
        """Show the curves as they are now."""
        self._shown = self._panel.kept
        nm = current_nm(self._viewer)
        at = "in the band on show" if nm is None else f"at λ = {nm:.5g} nm"
        self.where.setText(
            f"Values {at}, as the cubes hold them."
            if self._shown
            else "There is no curve yet: Shift-click pins one, Shapes and Labels are regions."
        )
        with signals_blocked(self.table):
            self.table.setRowCount(len(self._shown))
            for row, one in enumerate(self._shown):
                for place, text in enumerate(self._texts(one, nm)):
                    self._put(row, place, text, one)
            self._select()
        fit_columns(self.table)
        if self._shown and not self._fitted and self.isVisible():
            self._fitted = True  # once: from here on the width is the user's
            widen_for(self.table)
        self.export_button.setEnabled(bool(self._shown))

    def _on_slider(self, event=None) -> None:
        if self.isVisible():
            self.refresh()

    def _put(self, at: int, place: int, text: str, one: Shown) -> None:
        item = self.table.item(at, place)
        if item is None:
            item = QTableWidgetItem()
            self.table.setItem(at, place, item)
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if place == 0:
            flags |= Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable
            hidden = self._panel.look.is_hidden(one.key)
            states = Qt.CheckState
            item.setCheckState(states.Unchecked if hidden else states.Checked)
            swatch = QPixmap(12, 12)
            swatch.fill(QColor(one.drawn.color))
            item.setData(Qt.ItemDataRole.DecorationRole, swatch)
        elif place not in (1, 5 + len(_SHARES)):
            right, middle = Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignVCenter
            item.setTextAlignment(right | middle)
        item.setFlags(flags)
        item.setText(one_line(text))
        if place < 2:
            item.setToolTip(tip(text if place else f"{text}\nTick: drawn; double click: rename"))

    def _texts(self, one: Shown, nm: float | None) -> list[str]:
        curve, band = one.curve, self._band(one, nm)
        columns = [curve.mean, curve.std, *(curve.quantiles.get(q) for q in spectra.QUANTILES)]
        figures = ["" if values is None else _number(values, band) for values in columns]
        position = [f"{at:.5g}" for at in curve.position or ()] or ["", ""]
        unit, at = curve.length_unit or "", curve.coordinates or ()
        digits = 5 if unit == PIXEL else 8
        where = [one_line(f"{one:.{digits}g} {unit}".strip()) for one in at] or ["", ""]
        return [
            one_line(one.name),
            one_line(curve.cube),
            str(curve.count) if one.source is not None else "",
            *figures,
            one_line(curve.units or ""),
            *position,
            *where,
        ]

    def _band(self, one: Shown, nm: float | None) -> int | None:
        """The band of a curve that is on show; None if it has none there."""
        known = one.curve.wavelengths_nm
        if known is not None and nm is not None:
            return _nearest(np.asarray(known), nm)
        return None if one.source is None else current_band(self._viewer, one.source.layer)

    def _select(self) -> None:
        keys = [one.key for one in self._shown]
        lit = self._panel.look.marks.highlighted
        modes = QItemSelectionModel.SelectionFlag
        if lit in keys:
            chosen = present(self.table.model()).index(keys.index(lit), 0)
            mode = modes.ClearAndSelect | modes.Rows
            present(self.table.selectionModel()).select(chosen, mode)
        else:
            self.table.clearSelection()

    def _on_item(self, item: QTableWidgetItem) -> None:
        if item.column() or item.row() >= len(self._shown):
            return
        one = self._shown[item.row()]
        hidden = item.checkState() != Qt.CheckState.Checked
        if hidden != self._panel.look.is_hidden(one.key):
            self._panel.set_hidden(one.key, hidden)
        elif item.text() != one_line(one.name):
            self._rename(one.origin, item.text().strip())

    def _rename(self, origin: Any, name: str) -> None:
        self.message.clear()
        try:
            self._panel.rename(origin, name)
        except InputError as error:
            self.message.show_exception(error)
            self.refresh()  # it is called what it was

    def _on_selection(self) -> None:
        rows = present(self.table.selectionModel()).selectedRows()
        key = self._shown[rows[0].row()].key if rows else None
        if key != self._panel.look.marks.highlighted:
            self._panel.highlight(key)

    def _show_all(self) -> None:
        self._panel.show_all([one.key for one in self._shown])

    def export(self, path: Path) -> Path:
        """Write the ticked curves, as measured.

        Raises
        ------
        InputError
            If there is none, or regions are being measured.
        FileError
            If the file cannot be written.
        """
        look = self._panel.look
        measured = self._panel.measured()
        shown = [one for one in self._shown if not look.is_hidden(one.key)]
        need_computed(shown, measured)
        return spectra.write_table([one.curve for one in shown], path)

    def _ask(self) -> None:
        ask_table(self, self.message, self.export)


def _nearest(known: np.ndarray, nm: float) -> int | None:
    """The band nearest to a wavelength; None beyond the ends, where a band reaches half a step."""
    half = np.diff(known) / 2 if known.size > 1 else np.array([0.5])
    if not known[0] - half[0] <= nm <= known[-1] + half[-1]:
        return None
    return int(np.abs(known - nm).argmin())


def _number(values: np.ndarray, band: int | None) -> str:
    if band is None:
        return "no band here"
    return f"{values[band]:.4g}" if math.isfinite(values[band]) else "no value"
