"""A column that scrolls vertically when its panel is too low."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QSizePolicy, QWidget


class VerticalScroll(QScrollArea):
    """As high as its content where there is room; scrolls where there is not.

    Parameters
    ----------
    content : QWidget
    least : int
        Its own minimum height, in pixels.
    asked : int, optional
        Height to ask for at most, so that other widgets of the column get theirs; it still
        grows to the height of its content where they leave room.
    """

    def __init__(
        self,
        content: QWidget,
        least: int = 80,
        parent: QWidget | None = None,
        *,
        asked: int | None = None,
    ):
        super().__init__(parent)
        self._asked = asked
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setMinimumHeight(least)
        self.setWidget(content)
        content.installEventFilter(self)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """The height of the content, or ``asked``."""
        height = self._needed() if self._asked is None else min(self._asked, self._needed())
        return QSize(super().sizeHint().width(), height)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """At least as wide as the content and the scroll bar: nothing is clipped."""
        bar = self.verticalScrollBar().sizeHint().width()
        width = self.widget().minimumSizeHint().width() + bar + 2 * self.frameWidth()
        return QSize(width, super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Follow the height of the content."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            if self._asked is not None:  # what grows into free room must know where to stop
                self.setMaximumHeight(max(self._needed(), self.minimumHeight()))
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def _needed(self) -> int:
        return self.widget().minimumSizeHint().height() + 2 * self.frameWidth()
