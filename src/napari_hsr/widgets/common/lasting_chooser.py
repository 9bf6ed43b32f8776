"""A chooser of things that may be out of sight for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtpy.QtWidgets import QWidget


class LastingChooser(NarrowComboBox):
    """Things of the viewer that may be out of sight for a while: what was chosen stays the choice.

    Another one is never taken in its place: that would be seen in numbers alone.
    """

    comes_later = True

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._there: set[Any] = set()
        self._meant: tuple[Any, str] | None = None  # the value that is kept, and its label
        self._removed = ""  # the label of what was kept, and is gone for good
        self._empty = ""
        self.currentIndexChanged.connect(self._on_chosen)
        self.activated.connect(self._on_chosen)

    def set_empty(self, text: str) -> None:
        """What it says where nothing is chosen."""
        self._empty = text
        self.setPlaceholderText(text)

    def offer_there(self, labels: Mapping[Any, str], otherwise: Any, *, in_use: bool) -> None:
        """What is there now, without a signal.

        Parameters
        ----------
        labels : mapping
            Its values, each with its label.
        otherwise : object
            What is taken by itself while nothing is kept.
        in_use : bool
            Whether that is kept from here on, as if the user had chosen it: it is made use of.
        """
        offered, current = dict(labels), otherwise
        if self.awaited or self._removed:
            current = None
        elif self._meant is not None:
            current, label = self._meant
            offered.setdefault(current, label)
        self.offer(offered, current)
        self._there = set(labels)
        current = self.value()
        if current is not None and (in_use or self._meant is not None):
            self._keep(current, offered[current])
        gone = self.missing
        self.setPlaceholderText(f"{visible(gone)}: not there" if gone else self._empty)

    @property
    def missing(self) -> str:
        """The label of what is chosen and not there; empty if it is."""
        if self._meant is None:
            return self.awaited or self._removed
        return self.awaited or ("" if self._meant[0] in self._there else self._meant[1])

    @property
    def removed(self) -> bool:
        """Whether what was chosen is gone for good."""
        return bool(self._removed)

    def said(self) -> str:
        """The text of what is chosen, or was; empty where that is not kept."""
        return super().said() or self._removed if self._meant is not None or self.missing else ""

    def await_text(self, text: str) -> None:
        """Choose the entry with this text as soon as there is one, and none until then."""
        self._meant, self._removed = None, ""
        super().await_text(text)
        self.setCurrentIndex(-1)

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """What is ``gone`` does not come back, though something else may have its value."""
        if self._meant is not None and gone(self._meant[0]):
            self._removed, self._meant = self._meant[1], None
        entries = [(value, self.itemText(row)) for row, value in enumerate(self._values)]
        left = {value: text for value, text in entries if not gone(value)}
        if len(left) < len(entries):  # nobody chooses one of them until others are offered
            self.offer(left, self.value())

    def _on_chosen(self, row: int) -> None:
        if row >= 0:
            self._keep(self._values[row], self.itemText(row))
            self.awaited = ""

    def _keep(self, value: Any, label: str) -> None:
        self._meant, self._removed = (value, label), ""
