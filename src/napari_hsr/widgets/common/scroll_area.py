"""A column that scrolls vertically when its panel is too low."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QPoint, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QScrollArea,
    QSizePolicy,
    QWidget,
)

from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    from collections.abc import Iterable


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
        self._top: QWidget | None = None  # what is kept at the top
        self._left_at = 0  # where the bar was put then
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.setMinimumHeight(least)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its controls have it, and scroll it
        self.setWidget(content)
        content.installEventFilter(self)
        present(self.verticalScrollBar()).rangeChanged.connect(self._follow)

    def keep_at_top(self, part: QWidget) -> None:
        """Scroll to a part of the content, again while it grows, until the user scrolls."""
        self._top, self._left_at = part, present(self.verticalScrollBar()).value()
        self._follow()

    def _follow(self, *_range: int) -> None:
        bar = present(self.verticalScrollBar())
        if self._top is None:
            return
        # The bar itself moves back when the content gets shorter.
        if bar.value() not in (self._left_at, bar.maximum()):
            self._top = None
            return
        bar.setValue(self._top.mapTo(self.widget(), QPoint(0, 0)).y())
        self._left_at = bar.value()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As wide as the content asks for (Qt remembers what it first did), as high or ``asked``."""
        height = self._needed() if self._asked is None else min(self._asked, self._needed())
        bar = present(self.verticalScrollBar()).sizeHint().width()
        wanted = present(self.widget()).sizeHint().width() + bar + 2 * self.frameWidth()
        return QSize(wanted, height).expandedTo(QSize(self.minimumSizeHint().width(), 0))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """At least as wide as the content and the scroll bar: nothing is clipped."""
        bar = present(self.verticalScrollBar()).sizeHint().width()
        width = present(self.widget()).minimumSizeHint().width() + bar + 2 * self.frameWidth()
        return QSize(width, super().minimumSizeHint().height())

    def eventFilter(self, watched, event) -> bool:  # noqa: N802 - Qt's name
        """Follow the height of the content."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            if self._asked is not None:  # what grows into free room must know where to stop
                self.setMaximumHeight(max(self._needed(), self.minimumHeight()))
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def _needed(self) -> int:
        return present(self.widget()).minimumSizeHint().height() + 2 * self.frameWidth()


def scroll_by_wheel(panel: QWidget, parts: Iterable[QWidget]) -> None:
    """Let the wheel scroll past the choices and numbers of a panel, and change none of them.

    A model, a device or a camera would be another one, unseen, by scrolling to what is below it.

    Parameters
    ----------
    panel : QWidget
    parts : iterable of QWidget
        All that is in it.
    """
    passing = _PassesOn(panel)
    for part in parts:
        if isinstance(part, (QComboBox, QAbstractSpinBox)) and _in_area(part, panel):
            if part.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                part.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            part.installEventFilter(passing)


def _in_area(part: QWidget, panel: QWidget) -> bool:
    around = part.parentWidget()
    while around is not None and around is not panel and not isinstance(around, VerticalScroll):
        around = around.parentWidget()
    return isinstance(around, VerticalScroll) and around is not panel


class _PassesOn(QObject):
    """Leaves turns of the wheel to what lies around a control."""

    def eventFilter(self, control, event) -> bool:  # noqa: N802 - Qt's name
        if event.type() != QEvent.Type.Wheel:
            return super().eventFilter(control, event)
        event.ignore()
        return True
