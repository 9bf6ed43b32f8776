"""The legend of a plot: pyqtgraph's own, beside the axes rather than over the curves."""

from __future__ import annotations

from html import escape
from math import ceil
from typing import TYPE_CHECKING

import pyqtgraph as pg
from pyqtgraph.graphicsItems.LegendItem import ItemSample
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QFont, QFontMetrics
from qtpy.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QSizePolicy

from napari_hsr.widgets.common.focus import FocusFrame
from napari_hsr.widgets.common.plain_text import one_line, tip
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.plotting.curves import pen_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_SWATCH, _GAP = 30, 12
Entry = tuple[str, str, str]  # name, colour, style


class _Swatch(ItemSample):
    """A piece of line long enough to show every dash pattern."""

    def __init__(self, item: pg.PlotCurveItem):
        super().__init__(item)
        self.setFixedWidth(_SWATCH)

    def boundingRect(self):  # noqa: N802 - Qt's name
        return QRectF(0, 0, _SWATCH, self.height())

    def paint(self, painter, *_ignored) -> None:
        painter.setRenderHint(painter.RenderHint.Antialiasing)
        painter.setPen(self.item.opts["pen"])
        middle = self.height() / 2
        painter.drawLine(QPointF(0, middle), QPointF(_SWATCH, middle))


def columns_of(widths: Sequence[float], room: float) -> int:
    """As many columns as fit, each as wide as its own widest name: one long name takes one column.

    Parameters
    ----------
    widths : sequence of float
        Of the names, in pixels, in the order in which they fill row after row.
    room : float
        For all columns with their swatches, in pixels.
    """
    for count in range(len(widths), 1, -1):
        taken = sum(max(widths[column::count]) + _SWATCH + _GAP for column in range(count))
        if taken <= room:
            return count
    return 1


def legend_item(
    entries: Sequence[Entry], width: float, font: QFont, color: QColor, line: float = 2.0
) -> pg.LegendItem:
    """A legend in as many columns as fit into ``width``; longer names lose their middle."""
    metrics = QFontMetrics(font)
    room = max(width - _SWATCH - _GAP, 60)
    widths = [min(metrics.horizontalAdvance(name), room) for name, *_ in entries]
    legend = pg.LegendItem(
        frame=False,
        colCount=columns_of(widths, width),
        sampleType=_Swatch,
        labelTextColor=color,
        labelTextSize=f"{font.pointSizeF():g}pt",
    )
    legend.layout.setContentsMargins(0, 0, 0, 0)
    for name, curve_color, style in entries:
        text = metrics.elidedText(one_line(name), Qt.TextElideMode.ElideMiddle, int(room))
        legend.addItem(pg.PlotCurveItem(pen=pen_of(curve_color, style, line)), escape(text))
        legend.items[-1][1].setToolTip(tip(name))
    return legend


class PlotLegend(QGraphicsView):
    """The legend under a plot, as high as its rows, scrolling beyond the first few.

    Its height depends on its width and its entries alone: room for the scroll bar is kept whether
    or not it is there, so that its coming and going changes nothing.
    """

    #: An entry was clicked: its number from 0.
    clicked = Signal(int)
    #: Rows shown before the legend scrolls.
    MAX_ROWS = 4

    def __init__(self, parent=None):
        super().__init__(parent)
        self.entries: list[Entry] = []
        self.item = pg.LegendItem()
        self._color = QColor("white")
        self.setScene(QGraphicsScene(self))
        FocusFrame(self)  # arrow keys scroll it
        self.setAccessibleName("Legend")
        self.setToolTip(
            "The curves of the plot, by colour and line style; click one to highlight it"
        )
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        present(self.viewport()).setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # no stop of Tab
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._fill()

    def set_entries(self, entries: Sequence[Entry]) -> None:
        """Show (name, colour, style) of these curves; nothing is done if they are shown."""
        if list(entries) != self.entries:
            self.entries = list(entries)
            self._fill()

    def set_colors(self, foreground: QColor, background: QColor) -> None:
        """Take the colours of the plot above."""
        self._color = foreground
        self.setStyleSheet(f"background: {background.name()}; border: none;")
        self._fill()

    def setFont(self, font: QFont) -> None:  # noqa: N802 - Qt's name
        """Write in this font."""
        super().setFont(font)
        self._fill()

    def mousePressEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Tell which entry was clicked."""
        at = self.mapToScene(event.pos())
        for number, parts in enumerate(self.item.items):
            if any(part.sceneBoundingRect().contains(at) for part in parts):
                self.clicked.emit(number)
                return
        super().mousePressEvent(event)

    def resizeEvent(self, event) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fill()

    def _fill(self) -> None:
        present(self.scene()).clear()
        room = max(1, self.width() - present(self.verticalScrollBar()).sizeHint().width())
        self.item = legend_item(self.entries, room, self.font(), self._color)
        present(self.scene()).addItem(self.item)
        layout = self.item.layout
        layout.activate()
        self.item.resize(layout.effectiveSizeHint(Qt.SizeHint.MinimumSize))
        layout.activate()
        self.setSceneRect(self.item.boundingRect())
        last = min(layout.rowCount(), self.MAX_ROWS) - 1
        # The sample and the name of an entry may differ in height.
        rows = [layout.itemAt(last, column) for column in (0, 1)] if self.entries else []
        bottom = max((part.geometry().bottom() for part in rows if part), default=0.0)
        height, scrolls = ceil(bottom), layout.rowCount() > self.MAX_ROWS
        if height != self.height():
            self.setFixedHeight(height)
        # A style's margins would make it scroll by a pixel. At the very end: it may fill it again.
        policy = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(
            policy.ScrollBarAsNeeded if scrolls else policy.ScrollBarAlwaysOff
        )
