"""A table that is only read, and as tall as its rows: what the tables of the panels share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QAbstractItemView, QSizePolicy, QTableWidget, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence


class PlainTable(QTableWidget):
    """Read-only; fitted anew to its content at another width, font or style sheet.

    Parameters
    ----------
    heads : sequence of str
        Of the columns.
    parent : QWidget, optional
    most : int, optional
        Pixels beyond which it scrolls; else it never does.
    """

    def __init__(
        self, heads: Sequence[str], parent: QWidget | None = None, *, most: int | None = None
    ):
        super().__init__(0, len(heads), parent)
        self._most = most
        self.setHorizontalHeaderLabels(list(heads))
        self.horizontalHeader().setMinimumSectionSize(30)
        self.verticalHeader().hide()
        self.setWordWrap(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        if most is None:
            self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def fit(self) -> None:
        """Give the rows, then the table, the room that they need."""
        self.fit_rows()
        height = self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth()
        height += self.verticalHeader().length()
        self.setFixedHeight(height if self._most is None else min(self._most, height))

    def fit_rows(self) -> None:
        """By default each row is as high as its texts."""
        self.resizeRowsToContents()

    def resizeEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Share the new width out anew."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """And once more with another font, or another style sheet around it."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.fit()
