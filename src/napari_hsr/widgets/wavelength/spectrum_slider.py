"""A slider over the bands of a cube with the colours of the spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPen
from qtpy.QtWidgets import QAbstractSlider, QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Iterable

_RADIUS = 9.0
_NO_COLOUR = QColor(128, 128, 128)


def display_colour(nm: float | None) -> QColor:
    """The display colour of a wavelength in nm; grey for None."""
    if nm is None:
        return QColor(_NO_COLOUR)
    from napari_hsr.colour import wavelength_to_srgb

    return QColor.fromRgbF(*wavelength_to_srgb(nm))


class SpectrumSlider(QAbstractSlider):
    """A horizontal slider whose value is a band index; the handle has the band's colour.

    Painted here, so that it looks the same in every theme. A click jumps to the band; arrow
    keys and the wheel move by one band.
    """

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._nm: list[float] | None = None
        self._nowhere = False
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setSingleStep(1)
        self.setPageStep(5)

    def set_bands(self, bands: int, nm: Iterable[float] | None) -> None:
        """The number of bands, and their centres in nm or None."""
        self._nm = None if nm is None else [float(value) for value in nm]
        self.setRange(0, max(0, bands - 1))
        self.update()

    def set_nowhere(self, nowhere: bool) -> None:
        """Hide the handle while no band is shown; any click then chooses one."""
        self._nowhere = nowhere
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(180, round(2 * _RADIUS) + 4)

    minimumSizeHint = sizeHint  # noqa: N815 - Qt's name

    def paintEvent(self, event) -> None:  # noqa: N802 - Qt's name
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.isEnabled():
            painter.setOpacity(0.35)
        left, right, middle = self._ends()
        groove = QRectF(left - 3, middle - 4, right - left + 6, 8)
        gradient = QLinearGradient(QPointF(left, 0), QPointF(right, 0))
        last = self.maximum()
        for band in sorted({round(last * part / 32) for part in range(33)}):
            gradient.setColorAt(band / last if last else 0.0, self._colour(band))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(gradient)
        painter.drawRoundedRect(groove, 4, 4)
        if self._nowhere:
            return
        at = QPointF(self._position(self.value()), middle)
        # A white ring inside a dark one is visible on light and dark backgrounds.
        painter.setBrush(self._colour(self.value()))
        painter.setPen(QPen(QColor(40, 40, 40), 1.0))
        painter.drawEllipse(at, _RADIUS - 0.5, _RADIUS - 0.5)
        painter.setPen(QPen(QColor(255, 255, 255), 3.0 if self.hasFocus() else 2.0))
        painter.drawEllipse(at, _RADIUS - 2, _RADIUS - 2)

    def mousePressEvent(self, event) -> None:  # noqa: N802 - Qt's name
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._drag_to(event)
        event.accept()

    def mouseMoveEvent(self, event) -> None:  # noqa: N802 - Qt's name
        if self.isSliderDown():
            self._drag_to(event)

    def mouseReleaseEvent(self, event) -> None:  # noqa: N802 - Qt's name
        self.setSliderDown(False)

    def _drag_to(self, event) -> None:
        left, right, _ = self._ends()
        part = (event.position().x() - left) / max(1.0, right - left)
        band = min(max(round(part * self.maximum()), 0), self.maximum())
        if self._nowhere and band == self.value():
            self.valueChanged.emit(band)  # the value did not change, so Qt emits nothing
        self.setValue(band)

    def _ends(self) -> tuple[float, float, float]:
        return _RADIUS, self.width() - _RADIUS, self.height() / 2

    def _position(self, band: int) -> float:
        left, right, _ = self._ends()
        return left + (right - left) * (band / self.maximum() if self.maximum() else 0.0)

    def _colour(self, band: int) -> QColor:
        return display_colour(self._nm[band] if self._nm else None)
