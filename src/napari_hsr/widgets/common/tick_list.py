"""A list whose entries are ticked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget
from superqt.utils import signals_blocked

from napari_hsr.widgets.common.plain_text import one_line, tip

if TYPE_CHECKING:
    from collections.abc import Iterable

_STATES = {True: Qt.CheckState.Checked, False: Qt.CheckState.Unchecked}


class TickList(QListWidget):
    """Entries as lines of plain text, long ones shortened in the middle.

    Parameters
    ----------
    name, what : str
        For those who do not see it, and as its tool tip.
    height : int
        In pixels.

    Signals
    -------
    ticks_changed()
        The user has ticked an entry, or taken a tick away.
    """

    ticks_changed = Signal()

    def __init__(self, name: str, what: str, height: int, parent: QWidget | None = None):
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setToolTip(what)
        self.setFixedHeight(height)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemChanged.connect(lambda _item: self.ticks_changed.emit())

    def offer(self, entries: Iterable[tuple[str, bool]]) -> None:
        """Replace all entries by these texts, ticked or not, without a signal."""
        with signals_blocked(self):
            self.clear()
            for text, on in entries:
                item = QListWidgetItem(one_line(text))
                item.setToolTip(tip(text))
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(_STATES[on])
                self.addItem(item)

    def texts(self) -> list[str]:
        """What is listed."""
        return [item.text() for item in self._items()]

    def ticked(self) -> list[int]:
        """The rows that are ticked."""
        states = [item.checkState() for item in self._items()]
        return [row for row, state in enumerate(states) if state == _STATES[True]]

    def tick(self, rows: Iterable[int]) -> None:
        """Tick exactly these rows, as the user would."""
        wanted = set(rows)
        for row, item in enumerate(self._items()):
            item.setCheckState(_STATES[row in wanted])

    def _items(self) -> list[QListWidgetItem]:
        return [item for item in map(self.item, range(self.count())) if item is not None]
