"""The legend under a plot: it wraps, it scrolls, and it never lies over a curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetrics, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import (
    QFrame,
    QListView,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QStyledItemDelegate,
)

from napari_hsr.widgets.plotting.curves import pen_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_SWATCH = QSize(28, 12)
Entry = tuple[str, str, str]  # name, colour, style


class _Row(QStyledItemDelegate):
    """Entries that are no wider than the legend: longer names are shortened in the middle."""

    def sizeHint(self, option, index) -> QSize:  # noqa: N802 - Qt's name
        hint = super().sizeHint(option, index)
        room = self.parent().viewport().width() - 2 * self.parent().spacing() - 2
        return QSize(min(hint.width(), max(room, 60)), hint.height())


class PlotLegend(QListWidget):
    """Names beside a piece of their line, in rows as wide as the panel."""

    #: Rows shown before the legend scrolls.
    MAX_ROWS = 5

    def __init__(self, parent=None):
        super().__init__(parent)
        self._entries: list[Entry] = []
        # Where height is short the plot keeps its own, and the legend scrolls.
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setItemDelegate(_Row(self))
        self.setIconSize(_SWATCH)
        self.setSpacing(1)
        self._fit_height()

    @property
    def entries(self) -> list[Entry]:
        """(name, colour, style) of every row, in order."""
        return list(self._entries)

    def set_entries(self, entries: Sequence[Entry]) -> None:
        """Show exactly these; nothing is done if they are the ones shown."""
        entries = list(entries)
        if entries == self._entries:
            return
        old, self._entries = self._entries, entries
        while self.count() > len(entries):
            self.takeItem(self.count() - 1)
        while self.count() < len(entries):
            self.addItem(QListWidgetItem())
        for row, entry in enumerate(entries):
            if row >= len(old) or old[row] != entry:
                item = self.item(row)
                item.setText(entry[0])
                item.setToolTip(entry[0])
                item.setIcon(QIcon(_swatch(entry, self.devicePixelRatioF())))
        self._fit_height()

    def set_colors(self, foreground: QColor, background: QColor) -> None:
        """Take the colours of the plot above."""
        self.setStyleSheet(
            f"QListWidget {{ background: {background.name()}; color: {foreground.name()};"
            " border: none; padding: 0px; }"
            f" QListWidget::item {{ color: {foreground.name()}; padding: 1px 4px 1px 0px; }}"
        )

    def resizeEvent(self, event) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        self._fit_height()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(200, self._wanted_height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(80, self._row_height() + 4)

    def _row_height(self) -> int:
        return max(QFontMetrics(self.font()).height(), _SWATCH.height()) + 6

    def _wanted_height(self) -> int:
        rows, left = 1, 0
        room = max(self.viewport().width(), 80)
        for row in range(self.count()):
            width = self.sizeHintForIndex(self.indexFromItem(self.item(row))).width() + 2
            if left and left + width > room:
                rows, left = rows + 1, 0
            left += width
        return min(rows, self.MAX_ROWS) * self._row_height() + 6

    def _fit_height(self) -> None:
        height = self._wanted_height()
        if self.maximumHeight() != height:
            self.setMaximumHeight(height)
            self.updateGeometry()


def _swatch(entry: Entry, ratio: float) -> QPixmap:
    pixmap = QPixmap(_SWATCH * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    draw_swatch(painter, entry, QRectF(0, 0, _SWATCH.width(), _SWATCH.height()))
    painter.end()
    return pixmap


def draw_swatch(painter: QPainter, entry: Entry, box: QRectF, width: float = 2.0) -> None:
    """A short piece of the entry's line across the middle of ``box``."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(pen_of(entry[1], entry[2], width))
    middle = box.center().y()
    painter.drawLine(QPointF(box.left() + 1, middle), QPointF(box.right() - 1, middle))


def legend_rows(
    entries: Sequence[Entry], metrics: QFontMetrics, width: float
) -> list[list[tuple[Entry, QRectF]]]:
    """Where each entry goes when all of them are laid out in ``width``, for an exported picture."""
    rows: list[list[tuple[Entry, QRectF]]] = [[]]
    left, top, height = 0.0, 0.0, metrics.height() + 4.0
    for entry in entries:
        need = min(_SWATCH.width() + 6 + metrics.horizontalAdvance(entry[0]) + 14, width)
        if left and left + need > width:
            rows.append([])
            left, top = 0.0, top + height
        rows[-1].append((entry, QRectF(left, top, need, height)))
        left += need
    return rows
