"""A frame around what has the keyboard: napari's style shows it for buttons and fields alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QPainter

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget


def frame_focus(widget: QWidget) -> None:
    """Draw the frame if the widget has the focus; called at the end of its ``paintEvent``."""
    if widget.hasFocus():
        painter = QPainter(widget)
        painter.setPen(widget.palette().windowText().color())
        painter.drawRect(widget.rect().adjusted(0, 0, -1, -1))
        painter.end()
