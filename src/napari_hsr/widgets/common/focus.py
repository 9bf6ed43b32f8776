"""A frame around what has the keyboard: napari's style shows it for buttons and fields alone."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QWidget


def frame_focus(widget: QWidget, around: QWidget | None = None) -> None:
    """Draw the frame on a widget if it, or what it lies around, has the focus.

    Called at the end of its ``paintEvent``.
    """
    keyboard = widget if around is None else around  # an empty list is false, so not `or`
    if keyboard.hasFocus():
        painter = QPainter(widget)
        painter.setPen(widget.palette().windowText().color())
        painter.drawRect(widget.rect().adjusted(0, 0, -1, -1))
        painter.end()


class FocusFrame(QWidget):
    """The frame as a sheet over a control whose class is not ours to paint."""

    def __init__(self, around: QWidget):
        super().__init__(around)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.resize(around.size())
        around.installEventFilter(self)
        self.show()  # also in a control that is in sight already

    def eventFilter(self, around, event) -> bool:  # noqa: N802 - Qt's name
        """Be as large as the control, over its other parts."""
        if event.type() == QEvent.Type.Resize:
            self.resize(around.size())  # PyQt may hand over an event as one that was there before
        elif event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.raise_()
            self.update()
        return False

    def paintEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Draw the frame while the control has the keyboard."""
        frame_focus(self, self.parentWidget())
