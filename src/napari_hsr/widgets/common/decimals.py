"""Numbers have a decimal point, as in all that is shown and written; a comma is taken as one."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QLocale, QObject
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QApplication, QDoubleSpinBox

from napari_hsr.widgets.common.qt_typing import present


def take_point_and_comma(box: QDoubleSpinBox) -> None:
    """Let a box take ``4.5`` and ``4,5`` alike, whatever the language of the system is.

    Qt takes the sign that is not that of the language for one between thousands: 4.5 became 45.
    """
    box.setLocale(QLocale.c())
    if box.findChild(_Commas) is None:
        box.installEventFilter(_Commas(box))


class _Commas(QObject):
    def eventFilter(self, box, event) -> bool:  # noqa: N802 - Qt's name
        if event.type() != QEvent.Type.KeyPress:
            return False
        text = event.text()
        if event.matches(QKeySequence.StandardKey.Paste):
            text = present(QApplication.clipboard()).text().strip()
        if "," not in text:
            return False
        box.lineEdit().insert(text.replace(",", "."))
        return True
