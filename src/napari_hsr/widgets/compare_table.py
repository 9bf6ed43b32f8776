"""The table of a comparison: each metric, its value and its unit."""

from __future__ import annotations

import math
from collections.abc import Mapping

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

#: Decimals that are worth showing, by unit; all others get four significant digits.
_DECIMALS = {"dB": 2, "°": 3}
#: Share of the width that the figures may take from the names.
_MOST_FOR_VALUES = 0.7
#: Pixels between the text of one row and the next, beyond what the style gives.
_ROW_MARGIN = 4


class MetricTable(QTableWidget):
    """Read-only, as tall as its rows, copied by Ctrl+C as text with tabs."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(0, 2, parent)
        self.setHorizontalHeaderLabels(["Metric", "Value"])
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.horizontalHeader().setMinimumSectionSize(30)
        self.verticalHeader().hide()
        self.setWordWrap(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._fit()

    def show_values(
        self, labels: Mapping[str, str], values: Mapping[str, float], units: Mapping[str, str]
    ) -> None:
        """One row a metric, in the order of ``values``; the full number is the tool tip."""
        self.setRowCount(len(values))
        for row, (name, value) in enumerate(values.items()):
            unit = units.get(name) or ""
            metric = QTableWidgetItem(labels.get(name, name))
            number = QTableWidgetItem(format_value(value, unit))
            number.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            for column, item in enumerate((metric, number)):
                item.setToolTip(f"{metric.text()}: {value!r} {unit}".rstrip())
                self.setItem(row, column, item)
        self._fit()

    def text(self) -> str:
        """The selected rows (all, if none is) as lines of metric, tab, value."""
        chosen = sorted({index.row() for index in self.selectedIndexes()})
        rows = chosen or range(self.rowCount())
        return "\n".join(f"{self.item(r, 0).text()}\t{self.item(r, 1).text()}" for r in rows)

    def keyPressEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Copy on Ctrl+C."""
        from qtpy.QtGui import QGuiApplication, QKeySequence

        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.text())
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Share the new width out anew."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """And once more with another font, or another style sheet around it."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        """The figures get the width that they need; the names wrap in what is left.

        Only a unit that is longer than the panel is wide wraps too.
        """
        room = self.viewport().width()
        value = min(self.sizeHintForColumn(1) + 8, round(_MOST_FOR_VALUES * room))
        self.setColumnWidth(1, value)
        self.setColumnWidth(0, room - value)
        self.resizeRowsToContents()
        for row in range(self.rowCount()):
            self.setRowHeight(row, self.rowHeight(row) + _ROW_MARGIN)
        height = self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth()
        self.setFixedHeight(height + self.verticalHeader().length())


def format_value(value: float | None, unit: str = "") -> str:
    """For people: ``34.87 dB``, ``2.106 °``, ``0.01346``, ``∞ dB``, or ``not defined``."""
    if value is None or math.isnan(value):
        return "not defined"
    if math.isinf(value):
        number = "∞" if value > 0 else "−∞"
    elif unit in _DECIMALS:
        number = f"{value:.{_DECIMALS[unit]}f}"
    else:
        number = f"{value:.4g}"
    return f"{number} {unit}".rstrip()
