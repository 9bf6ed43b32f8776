"""A list of names to tick, with a filter: entries of libraries are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit, QListWidget, QListWidgetItem, QWidget

from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.common.plain_text import one_line, tip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class EntryList(QWidget):
    """Names that can be ticked; those that the filter hides keep their ticks.

    What is ticked also stays on the list while it is not there.
    """

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._there: set[Any] = set()
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("filter")
        self.filter.setToolTip("Only names that contain this are listed")
        self.filter.textChanged.connect(self._on_filter)
        self.list = QListWidget()
        self.list.setToolTip("Tick what is to be a class")
        self.list.setAccessibleName("Classes")
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        all_button = button("All", lambda: self.tick_listed(True), "Tick all that are listed")
        none_button = button("None", lambda: self.tick_listed(False), "Untick all that are listed")
        column(row(self.filter, all_button, none_button, stretch=self.filter), self.list, into=self)

    def offer(self, names: Mapping[Any, str]) -> None:
        """List these by their keys; ticks stay."""
        self._there = set(names)
        offered = {one.data(Qt.ItemDataRole.UserRole): one.text() for one in self._items()}
        ticked = set(self.ticked())
        wanted = {key: one_line(name) for key, name in names.items()}
        wanted |= {key: offered[key] for key in offered if key in ticked and key not in wanted}
        if offered == wanted:
            return
        self.list.clear()
        for key, name in wanted.items():
            item = QListWidgetItem(name)
            item.setToolTip(tip(name))
            item.setData(Qt.ItemDataRole.UserRole, key)
            states = Qt.CheckState
            item.setCheckState(states.Checked if key in ticked else states.Unchecked)
            self.list.addItem(item)
        self._on_filter()

    def ticked(self) -> list[Any]:
        """The keys of what is ticked, in order."""
        checked = Qt.CheckState.Checked
        return [
            one.data(Qt.ItemDataRole.UserRole)
            for one in self._items()
            if one.checkState() == checked
        ]

    def missing(self) -> list[str]:
        """What is ticked and not there, by name."""
        ticked = set(self.ticked())
        return [
            one.text()
            for one in self._items()
            if (key := one.data(Qt.ItemDataRole.UserRole)) in ticked and key not in self._there
        ]

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """Take the ticks from what is gone, though something else may have its key."""
        for item in self._items():
            if gone(item.data(Qt.ItemDataRole.UserRole)):
                item.setCheckState(Qt.CheckState.Unchecked)

    def tick_listed(self, ticked: bool) -> None:
        """Tick or untick all that the filter lets through."""
        states = Qt.CheckState
        for item in self._items():
            if not item.isHidden():
                item.setCheckState(states.Checked if ticked else states.Unchecked)

    def _items(self) -> list[QListWidgetItem]:
        items = map(self.list.item, range(self.list.count()))
        return [item for item in items if item is not None]

    def _on_filter(self, *_text: str) -> None:
        wanted = self.filter.text().casefold()
        for item in self._items():
            item.setHidden(wanted not in item.text().casefold())
