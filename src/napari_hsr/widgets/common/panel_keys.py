"""Keys that a panel's controls would keep from napari, and focus that comes to a panel out of sight."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractScrollArea, QAbstractSpinBox, QLineEdit, QTextEdit, QWidget

from napari_hsr.widgets.common.accessible import controls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Alt opens the list of a combo box by these.
_KEPT = (Qt.Key.Key_Up, Qt.Key.Key_Down)
#: On macOS Alt types letters and moves by words in these.
_TYPED_INTO = (QLineEdit, QTextEdit, QAbstractSpinBox)


class PanelKeys(QObject):
    """Lets Alt with a key through to napari's shortcuts, whatever has the keyboard.

    Combo boxes look for an entry by the letter, and buttons and scroll areas take the arrows.

    Parameters
    ----------
    panel : QWidget
    parts : sequence of QWidget
        All that is in it.
    to_front : callable
        Called when a control gets the keyboard by Tab.
    """

    def __init__(self, panel: QWidget, parts: Sequence[QWidget], to_front: Callable[[], object]):
        super().__init__(panel)
        self._to_front = to_front
        areas = (part for part in parts if isinstance(part, QAbstractScrollArea))
        for part in {*controls(panel, parts), *areas}:
            part.installEventFilter(self)

    def eventFilter(self, control, event) -> bool:  # noqa: N802 - Qt's name
        """Leave an event to the widgets around the control, and in the end to napari."""
        if event.type() == QEvent.Type.FocusIn and event.reason() in (
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
        ):
            self._to_front()
        if event.type() != QEvent.Type.KeyPress:
            return False
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier
        if modifiers != Qt.KeyboardModifier.AltModifier or event.key() in _KEPT:
            return False
        if sys.platform == "darwin" and isinstance(control, _TYPED_INTO):
            return False
        event.ignore()
        return True
