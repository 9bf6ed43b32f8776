"""The table of metrics of a comparison."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidgetItem, QWidget

from napari_hsr.widgets.common.plain_text import one_line, tip
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.table import PlainTable

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Decimals by unit; other values get four significant digits.
_DECIMALS = {"dB": 2, "°": 3}
#: Largest share of the width for the values.
_MOST_FOR_VALUES = 0.7
#: Pixels between rows beyond those of the style.
_ROW_MARGIN = 4


class MetricTable(PlainTable):
    """Metrics, values and units; Ctrl+C copies them as tab-separated text."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(["Metric", "Value"], parent)
        self.setAccessibleName("Figures")
        self.setToolTip("Ctrl+C copies the selected rows, or all")
        present(self.horizontalHeader()).setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.fit()

    def show_values(
        self, labels: Mapping[str, str], values: Mapping[str, float], units: Mapping[str, str]
    ) -> None:
        """One row a metric, in the order of ``values``; tool tips show the full numbers."""
        self.setRowCount(len(values))
        for row, (name, value) in enumerate(values.items()):
            unit = units.get(name) or ""
            metric = QTableWidgetItem(one_line(labels.get(name, name)))
            number = QTableWidgetItem(one_line(format_value(value, unit)))
            number.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            for column, item in enumerate((metric, number)):
                item.setToolTip(tip(f"{metric.text()}: {value!r} {unit}".rstrip()))
                self.setItem(row, column, item)
        self.fit()

    def text(self) -> str:
        """The selected rows, or all, as tab-separated lines of metric and value."""
        chosen = sorted({index.row() for index in self.selectedIndexes()})
        rows = chosen or range(self.rowCount())
        cells = [[present(self.item(row, column)).text() for column in (0, 1)] for row in rows]
        return "\n".join(map("\t".join, cells))

    def keyPressEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Copy on Ctrl+C."""
        from qtpy.QtGui import QGuiApplication, QKeySequence

        if event.matches(QKeySequence.StandardKey.Copy):
            present(QGuiApplication.clipboard()).setText(self.text())
        else:
            super().keyPressEvent(event)

    def fit_rows(self) -> None:
        """Give the values the width that they need; the names wrap in the rest.

        Only a unit wider than the panel wraps too.
        """
        room = present(self.viewport()).width()
        value = min(self.sizeHintForColumn(1) + 8, round(_MOST_FOR_VALUES * room))
        self.setColumnWidth(1, value)
        self.setColumnWidth(0, room - value)
        self.resizeRowsToContents()
        for row in range(self.rowCount()):
            self.setRowHeight(row, self.rowHeight(row) + _ROW_MARGIN)


def format_value(value: float | None, unit: str = "") -> str:
    """Formatted: ``34.87 dB``, ``2.106°``, ``0.01346``, ``∞ dB``, or ``not defined``."""
    if value is None or math.isnan(value):
        return "not defined"
    if math.isinf(value):
        number = "∞" if value > 0 else "−∞"
    elif unit in _DECIMALS:
        number = f"{value:.{_DECIMALS[unit]}f}"
    else:
        number = f"{value:#.4g}".rstrip(".")
    return f"{number}{unit}" if unit == "°" else f"{number} {unit}".rstrip()
