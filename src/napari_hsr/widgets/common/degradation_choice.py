"""A chooser of the degradation from fine to coarse pixels, with its definition below."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QVBoxLayout, QWidget

from napari_hsr.resample import DEGRADATIONS, KINDS
from napari_hsr.resample.methods import FWHM, LEAST_SIGMA, find
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.labels import WrappedLabel

_GAUSSIAN = "gaussian"


class DegradationChooser(QWidget):
    """The degradation, and the width of a Gaussian blur.

    Parameters
    ----------
    scale : int
        Sets the default width of a Gaussian.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, scale: int, parent: QWidget | None = None):
        super().__init__(parent)
        self._scale = scale
        self.kind = NarrowComboBox()
        titles = {name: KINDS[name].title for name in DEGRADATIONS}
        self.kind.offer({n: f"{t[0].upper()}{t[1:]}" for n, t in titles.items()}, DEGRADATIONS[0])
        self.sigma = QDoubleSpinBox()
        self.sigma.setRange(0, 64)
        self.sigma.setDecimals(2)
        self.sigma.setSingleStep(0.25)
        self.sigma.setPrefix("σ = ")
        self.sigma.setSuffix(" fine px")
        self.sigma.setToolTip(
            "Standard deviation of the blur, in fine pixels; at 0 its full width at half maximum is\n"
            "one coarse pixel"
        )
        self.note = WrappedLabel()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for part in (self.kind, self.sigma, self.note):
            column.addWidget(part)
        self.kind.currentIndexChanged.connect(self._on_changed)
        self.sigma.valueChanged.connect(self._on_changed)
        self._show()

    def name(self) -> str:
        """As :func:`napari_hsr.resample.degrade` takes it: ``bicubic-matlab``, ``gaussian:1.6``."""
        name = self.kind.value()
        sigma = self.sigma.value()
        if name != _GAUSSIAN or not sigma:
            return name
        return f"{name}:{max(sigma, LEAST_SIGMA):g}"

    def set_name(self, name: str) -> None:
        """Choose one, as if the user had; InputError if there is none of that name."""
        kind = find(name)
        self.sigma.setValue(kind.sigma or 0)
        self.kind.set_value(kind.name.partition(":")[0])

    def set_scale(self, scale: int) -> None:
        """Set the scale, and with it the default width of a Gaussian."""
        self._scale = scale
        self._show()

    def _on_changed(self, *_ignored) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        name = self.kind.value()
        self.sigma.setVisible(name == _GAUSSIAN)
        self.sigma.setSpecialValueText(f"σ = {self._scale / FWHM:.2f} fine px (a coarse pixel)")
        self.note.setText(f"Exactly: {KINDS[name].describe}.")
