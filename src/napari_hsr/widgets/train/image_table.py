"""The images that were found: a picture, the size, whether it is held out, and what is wrong."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QIcon, QImage, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidgetItem, QWidget

from napari_hsr.training.runs.figures import describe_left_over
from napari_hsr.widgets.common.messages import breakable
from napari_hsr.widgets.common.plain_text import one_line, tip
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.table import PlainTable

_PICTURE = QSize(44, 44)
#: Pixels of a tick box and the gaps beside it.
_TICK = 36
#: Pixels of the table's content that are shown before it scrolls.
_MOST = 340
_RED, _YELLOW, _BLUE = (
    QColor(225, 60, 60, 70),
    QColor(227, 182, 23, 55),
    QColor(80, 140, 230, 55),
)


class ImageTable(PlainTable):
    """One row an image; under one with a problem, the sentence that says which.

    Signals
    -------
    held_out_changed(str, bool)
        The user holds an image out, or no longer.
    used_changed(str, bool)
        The user leaves an image out altogether, or takes it again.
    """

    held_out_changed = Signal(str, bool)
    used_changed = Signal(str, bool)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(["Image", "Held out"], parent, most=_MOST)
        self.setAccessibleName("Images found")
        self.setToolTip("The images found, and which of them are held out")
        header = present(self.horizontalHeader())
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.setIconSize(_PICTURE)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._names: dict[int, str] = {}
        self.itemChanged.connect(self._on_item)
        self.fit()

    def show_rows(self, rows) -> None:
        """Show the rows of :class:`napari_hsr.training.data.findings.Findings`, all ticked."""
        self.blockSignals(True)
        self.clearSpans()
        self.setRowCount(0)
        self._names = {}
        for row in rows:
            at = self._add_row()
            self._names[at] = row.name
            image = QTableWidgetItem(f"{one_line(row.name)}\n{facts_of(row)}")
            image.setToolTip(tip(tool_tip(row)))
            if not row.left_out:
                image.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                image.setCheckState(Qt.CheckState.Checked)
            if row.thumbnail is not None:
                image.setIcon(QIcon(_pixmap(row.thumbnail)))
            part = QTableWidgetItem()
            if not row.problem:
                part.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                part.setCheckState(
                    Qt.CheckState.Checked if row.held_out else Qt.CheckState.Unchecked
                )
                part.setToolTip("Ticked: it is not trained on, and tells whether training helps")
            for column, item in enumerate((image, part)):
                self.setItem(at, column, item)
            if row.problem:
                self._mark(at, _RED)
                self._add_sentence(breakable(f"✕ {row.problem}"), _RED)
            for warning in row.warnings:
                self._add_sentence(breakable(f"⚠ {warning}"), _YELLOW)
            if not row.problem and (over := describe_left_over(row)):
                self._add_sentence(
                    f"Height or width is no multiple of the scale: {over} "
                    f"{'is' if sum(row.left_over) == 1 else 'are'} left out where it is measured.",
                    _BLUE,
                )
        self.blockSignals(False)
        self.fit()

    def sentences(self) -> list[str]:
        """The problems and warnings that are shown."""
        others = (r for r in range(self.rowCount()) if r not in self._names)
        return [present(self.item(r, 0)).toolTip() for r in others]

    def _add_row(self) -> int:
        at = self.rowCount()
        self.insertRow(at)
        return at

    def _add_sentence(self, text: str, color: QColor) -> None:
        at = self._add_row()
        item = QTableWidgetItem(text)
        item.setFlags(Qt.ItemFlag.ItemIsEnabled)
        item.setToolTip(tip(text.replace("\u200b", "")))
        self.setItem(at, 0, item)
        self.setSpan(at, 0, 1, 2)
        self._mark(at, color)

    def _mark(self, row: int, color: QColor) -> None:
        for column in range(2):
            item = self.item(row, column)
            if item is not None:
                item.setBackground(QBrush(color))

    def _on_item(self, item: QTableWidgetItem) -> None:
        if item.row() in self._names:
            changed = (self.used_changed, self.held_out_changed)[item.column()]
            changed.emit(self._names[item.row()], item.checkState() == Qt.CheckState.Checked)

    def fit_rows(self) -> None:
        room = max(60, present(self.viewport()).width())
        metrics = self.fontMetrics()
        for row in range(self.rowCount()):
            image = row in self._names
            width = self.columnWidth(0) - _PICTURE.width() - _TICK if image else room - 16
            box = metrics.boundingRect(
                *(0, 0, max(40, width), 10_000),
                int(Qt.TextFlag.TextWordWrap),
                present(self.item(row, 0)).text(),
            )
            least = _PICTURE.height() + 6 if image else 0
            self.setRowHeight(row, max(least, box.height() + 10))
        self.setVisible(self.rowCount() > 0)


def facts_of(row) -> str:
    """``512 × 482 px, 31 bands``; for finer pixels, under it what it is made coarse to."""
    if not row.height:
        return "not read"
    if row.coarse is not None:
        coarse = f"coarse: {row.coarse[1]} × {row.coarse[0]} px"
        return f"{row.width} × {row.height} px\n{coarse}\n{row.bands} bands"
    simulated = "" if row.rgb else ", RGB simulated"
    return f"{row.width} × {row.height} px, {row.bands} bands{simulated}"


def tool_tip(row) -> str:
    """The files and the ranges of their values."""
    lines = [f"Cube: {row.cube}"]
    if row.coarse is None:
        lines.append(f"Photograph: {row.rgb or 'simulated'}")
    for label, values in (("Cube", row.cube_range), ("Photograph", row.rgb_range)):
        if values is not None:
            lines.append(f"{label}: values from {values[0]:.4g} to {values[1]:.4g}")
    if row.resampled:
        lines.append(row.resampled)
    return "\n".join(lines)


def _pixmap(picture) -> QPixmap:
    import numpy as np

    picture = np.ascontiguousarray(picture)
    height, width = picture.shape[:2]
    image = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image.copy())
