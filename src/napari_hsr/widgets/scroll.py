"""A column that scrolls when its panel is too low, and is never wider than it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QSizePolicy, QWidget


class VerticalScroll(QScrollArea):
    """Takes the height that its content needs where there is room, and scrolls where not.

    Parameters
    ----------
    content : QWidget
    least : int
        Its own minimum height, in pixels.
    """

    def __init__(self, content: QWidget, least: int = 80, parent: QWidget | None = None):
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setMinimumHeight(least)
        self.setWidget(content)
        content.installEventFilter(self)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """The height of the whole content."""
        needed = self.widget().minimumSizeHint().height() + 2 * self.frameWidth()
        return QSize(super().sizeHint().width(), needed)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As wide as its content must be, with the scroll bar: nothing is cut off at the side."""
        bar = self.verticalScrollBar().sizeHint().width()
        width = self.widget().minimumSizeHint().width() + bar + 2 * self.frameWidth()
        return QSize(width, super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Follow the content as labels change and folds open."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)
