"""Controls for the band of a cube: a number with its unit, a slider, a play button."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_hsr.widgets.wavelength.spectrum_slider import SpectrumSlider

if TYPE_CHECKING:
    from napari_hsr.cube import Wavelengths


class NanometreBox(QDoubleSpinBox):
    """A spin box over the band centres of a cube; its arrows step from band to band.

    Without wavelengths it shows band numbers, from 1.
    """

    band_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._centres = np.ones(1)
        self._known = False
        self._nowhere = False
        self.setKeyboardTracking(False)
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.UpDownArrows)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.valueChanged.connect(self._choose)
        self._typed = False
        editor = self.lineEdit()
        assert editor is not None  # a spin box always has one
        editor.textEdited.connect(self._note_typing)
        self.editingFinished.connect(self._enter)

    def set_bands(self, bands: int, wavelengths: Wavelengths | None) -> None:
        """Use the bands of a cube, without a signal."""
        self._known = wavelengths is not None
        self._nowhere = False
        self._centres = np.arange(1.0, bands + 1) if wavelengths is None else wavelengths.nm
        with signals_blocked(self):
            self.setDecimals(decimals(self._centres))
            self._name_unit()
            self.setRange(float(self._centres[0]), float(self._centres[-1]))

    def set_band(self, band: int | None) -> None:
        """Show a band, or a dash for None, without a signal."""
        with signals_blocked(self):
            if self._nowhere != (band is None):
                self._nowhere = band is None
                self._name_unit()
            if band is not None:
                self.setValue(float(self._centres[band]))

    def textFromValue(self, value: float) -> str:  # noqa: N802 - Qt's name
        return "—" if self._nowhere else super().textFromValue(value)

    def _name_unit(self) -> None:
        self.setPrefix("" if self._known or self._nowhere else "band ")
        self.setSuffix(" nm" if self._known and not self._nowhere else "")

    def _note_typing(self, _text: str) -> None:
        self._typed = True

    def _enter(self) -> None:
        typed, self._typed = self._typed, False
        if self._nowhere and typed:  # the value did not change, so Qt emits nothing
            self._choose(self.value())

    def stepBy(self, steps: int) -> None:  # noqa: N802 - Qt's name
        band = int(np.clip(self.band() + steps, 0, len(self._centres) - 1))
        self.set_band(band)
        self.band_chosen.emit(band)

    def band(self) -> int:
        """The band whose centre is shown, from 0."""
        return int(np.abs(self._centres - self.value()).argmin())

    def _choose(self, _value: float) -> None:
        band = self.band()
        self.set_band(band)  # snap to a band
        self.band_chosen.emit(band)


class BandControl(QWidget):
    """Number, slider and play button for the bands of one cube.

    Signals
    -------
    band_chosen(int)
        The user, or the play button, chose this band (from 0).
    """

    band_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.number = NanometreBox()
        self.number.setToolTip("The band shown; type a wavelength to go to the nearest band")
        font = self.number.font()
        font.setPointSizeF(font.pointSizeF() * 1.25)
        self.number.setFont(font)
        self.slider = SpectrumSlider()
        self.slider.setAccessibleName("Band")
        self.slider.setToolTip("The band shown; arrow keys and the wheel go to the next one")
        self.low, self.high = QLabel(), QLabel()
        self.play = QPushButton("▶  Play")
        self.play.setCheckable(True)
        self.play.setToolTip("Play the bands in a loop")
        self.speed = QSpinBox()
        self.speed.setRange(1, 60)
        self.speed.setValue(10)
        self.speed.setSuffix(" bands/s")
        self.speed.setMinimumWidth(118)  # "60 bands/s" between the buttons
        self.speed.setToolTip("Bands shown each second")
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._next)

        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.number, 0, 0, 1, 2)
        layout.addWidget(self.play, 0, 2)
        layout.addWidget(self.speed, 0, 3)
        layout.addWidget(self.slider, 1, 0, 1, 4)
        layout.addWidget(self.low, 2, 0, 1, 2)
        layout.addWidget(self.high, 2, 2, 1, 2, Qt.AlignmentFlag.AlignRight)
        layout.setColumnStretch(1, 1)

        self.number.band_chosen.connect(self._chosen)
        self.slider.valueChanged.connect(self._chosen)
        self.play.toggled.connect(self._play)
        self.speed.valueChanged.connect(lambda rate: self._timer.setInterval(round(1000 / rate)))
        self.set_bands(1, None)
        self.setEnabled(False)

    def set_bands(self, bands: int, wavelengths: Wavelengths | None) -> None:
        """Take over the bands of a cube, without a signal."""
        self.number.set_bands(bands, wavelengths)
        with signals_blocked(self.slider):
            self.slider.set_bands(bands, None if wavelengths is None else wavelengths.nm)
        for label, band in ((self.low, 0), (self.high, bands - 1)):
            nm = None if wavelengths is None else wavelengths.nm[band]
            label.setText(band_name(band, nm))

    def bands(self) -> int:
        """How many bands there are to choose from."""
        return int(self.slider.maximum()) + 1

    def set_band(self, band: int | None) -> None:
        """Show a band, or none, without a signal."""
        self.number.set_band(band)
        with signals_blocked(self.slider):
            self.slider.set_nowhere(band is None)
            if band is not None:
                self.slider.setValue(band)
        self.slider.update()

    def stop(self) -> None:
        """Stop playing."""
        self.play.setChecked(False)

    def _chosen(self, band: int) -> None:
        self.set_band(band)
        self.band_chosen.emit(band)

    def _play(self, on: bool) -> None:
        self.play.setText("■  Stop" if on else "▶  Play")
        if on:
            self._timer.start(round(1000 / self.speed.value()))
        else:
            self._timer.stop()

    def _next(self) -> None:
        self._chosen((self.slider.value() + 1) % (self.slider.maximum() + 1))


def band_name(band: int, nm: float | None) -> str:
    """``550 nm``, or ``band 7`` (counted from 1) if the wavelength is unknown."""
    return f"band {band + 1}" if nm is None else f"{nm:.5g} nm"


def decimals(values: np.ndarray) -> int:
    """Decimals that these values need, at most 2."""
    return next((d for d in (0, 1) if np.allclose(values, np.round(values, d), atol=1e-6)), 2)
