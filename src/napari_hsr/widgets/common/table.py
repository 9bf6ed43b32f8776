"""A read-only table as tall as its rows, the base of the tables in panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QSizePolicy,
    QStyledItemDelegate,
    QTableWidget,
    QWidget,
)

from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Letters of a name in a table that keeps room for figures, about.
LONGEST = 36


class PlainTable(QTableWidget):
    """A read-only table that follows its content, width, font and style sheet in height.

    Parameters
    ----------
    heads : sequence of str
        Titles of the columns.
    parent : QWidget, optional
    most : int, optional
        Greatest height in pixels before it scrolls; by default it never scrolls.
    """

    def __init__(
        self, heads: Sequence[str], parent: QWidget | None = None, *, most: int | None = None
    ):
        super().__init__(0, len(heads), parent)
        self._most = most
        self.setHorizontalHeaderLabels(list(heads))
        present(self.horizontalHeader()).setMinimumSectionSize(30)
        present(self.verticalHeader()).hide()
        self.setWordWrap(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        if most is None:
            self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def fit(self) -> None:
        """Fit the rows to their content, and the table to its rows."""
        self.fit_rows()
        height = present(self.horizontalHeader()).sizeHint().height() + 2 * self.frameWidth()
        height += present(self.verticalHeader()).length()
        self.setFixedHeight(height if self._most is None else min(self._most, height))

    def fit_rows(self) -> None:
        """Make each row as high as its content; subclasses may do otherwise."""
        self.resizeRowsToContents()

    def resizeEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Fit again to another width."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.fit()

    def changeEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Fit again to another font or style sheet."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.fit()


class Sentences(QStyledItemDelegate):
    """Cells of sentences, which lose their end where names lose their middle."""

    def initStyleOption(self, option, index) -> None:  # noqa: N802 - Qt's name
        """Say where a text is cut."""
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideRight


def fit_columns(table: QTableWidget) -> None:
    """Give columns the width of their content; longer names lose their middle, which a tool tip has."""
    table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    table.setWordWrap(False)
    table.resizeColumnsToContents()
    most = LONGEST * table.fontMetrics().averageCharWidth()
    for at in range(table.columnCount()):
        table.setColumnWidth(at, min(most, table.columnWidth(at)))


def widen_for(table: QTableWidget) -> None:
    """Give the window around a table room for all its columns, as far as the screen goes."""
    window = present(table.window())
    columns, rows = (
        present(h).length() for h in (table.horizontalHeader(), table.verticalHeader())
    )
    view, bar = present(table.viewport()), present(table.verticalScrollBar())
    hidden = columns - view.width()
    if rows > view.height() and not bar.isVisible():  # it comes when the table is laid out again
        hidden += bar.sizeHint().width()
    there = present(window.screen()).availableGeometry()
    most = there.width() - (window.frameGeometry().width() - window.width())
    window.resize(min(most, window.width() + max(hidden, 0)), window.height())
    beyond = window.frameGeometry().right() - there.right()
    if window.isVisible() and beyond > 0:  # what is at its right edge would be out of sight
        window.move(max(window.x() - beyond, there.left()), window.y())
