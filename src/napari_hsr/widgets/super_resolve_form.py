"""Parts of the Super-resolve panel's form: the scale, and the back-projection."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QSpinBox, QVBoxLayout, QWidget

from napari_hsr.resample import DEGRADATIONS, KINDS
from napari_hsr.resample.kinds import FWHM, LEAST_SIGMA
from napari_hsr.widgets.choosers import NarrowComboBox
from napari_hsr.widgets.computing_options import narrow_form
from napari_hsr.widgets.connections import Connections
from napari_hsr.widgets.fold import Fold
from napari_hsr.widgets.messages import WrappedLabel
from napari_hsr.widgets.model_news import models_changed

#: Offered always; those of models at hand come on top.
SCALES = (2, 3, 4, 8)
FIRST_SCALE = 4

_GAUSSIAN = "gaussian"


class ScaleChooser(NarrowComboBox):
    """How many times as fine.

    Signals
    -------
    changed(int)
        Another one became current.
    """

    changed = Signal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._scales: list[int] = []
        self._scale = FIRST_SCALE
        self.refresh()
        self._connections = Connections(self)
        self._connections.connect(models_changed, "refresh")
        self.currentIndexChanged.connect(lambda row: self.set_scale(self._scales[row]))

    def refresh(self, event=None) -> None:
        """Look again at what scales there are models for; the chosen one stays."""
        from napari_hsr.inference import finer_pixels

        self._scales = sorted({*SCALES, self._scale, *(c.scale for c in finer_pixels.offered())})
        texts = [f"×{scale}" for scale in self._scales]
        self.set_choices(texts, self._scales.index(self._scale))

    def scale(self) -> int:
        """The chosen one."""
        return self._scale

    def set_scale(self, scale: int) -> None:
        """Choose one, whether or not it was offered so far."""
        if scale == self._scale:
            return
        self._scale = scale
        self.refresh()
        self.changed.emit(scale)


class BackProjection(QWidget):
    """Whether to refine, under which degradation, and until when.

    The degradation counts without refining too: the residual is measured under it.

    Parameters
    ----------
    on_change : callable
        Called without arguments after each change by the user.
    """

    def __init__(self, on_change, parent: QWidget | None = None):
        super().__init__(parent)
        self.refine = QCheckBox("Refine with back-projection")
        self.refine.setToolTip(
            "Correct the result until it gives the coarse cube again when it is brought down.\n"
            "Needs no truth; a wrong degradation spoils the result."
        )
        self.degradation = NarrowComboBox()
        titles = [f"{KINDS[name].title[0].upper()}{KINDS[name].title[1:]}" for name in DEGRADATIONS]
        self.degradation.set_choices(titles, 0)
        self.degradation.setToolTip(
            "How the coarse cube is taken to have come from a fine one.\n"
            "The residual is measured under it, and back-projection lowers it."
        )
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
        self.degradation_note = WrappedLabel()
        self.tolerance = QDoubleSpinBox()
        self.tolerance.setRange(0, 100)
        self.tolerance.setDecimals(3)
        self.tolerance.setSingleStep(0.05)
        self.tolerance.setValue(0.1)
        self.tolerance.setSuffix(" %")
        self.tolerance.setToolTip(
            "It ends when the residual falls to this share of the coarse cube (root mean squares)"
        )
        self.passes = QSpinBox()
        self.passes.setRange(1, 1000)
        self.passes.setValue(20)
        self.passes.setSuffix(" passes")
        self.passes.setToolTip("It ends after so many, whatever the residual is then")
        inside = QWidget()
        rows = narrow_form(inside)
        rows.addRow("Until the residual is below", self.tolerance)
        rows.addRow("At most", self.passes)
        self.fold = Fold("Back-projection", inside)
        form = narrow_form()
        form.addRow("Coarse pixels come from fine ones by", self.degradation)
        form.addRow(self.sigma)
        form.addRow(self.degradation_note)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self.refine)
        layout.addWidget(self.fold)
        self._scale = FIRST_SCALE
        self._on_change = on_change
        self.refine.toggled.connect(self._changed)
        for part in (self.sigma, self.tolerance, self.passes):
            part.valueChanged.connect(self._changed)
        self.degradation.currentIndexChanged.connect(self._changed)
        self._show()

    def options(self) -> dict[str, Any]:
        """For :func:`napari_hsr.inference.super_resolve_events`."""
        return {
            "refine": self.refine.isChecked(),
            "degradation": self._degradation(),
            "tolerance": self.tolerance.value() / 100,
            "iterations": self.passes.value(),
        }

    def set_scale(self, scale: int) -> None:
        """The width of a gaussian goes by it."""
        self._scale = scale
        self._show()

    def _degradation(self) -> str:
        name = DEGRADATIONS[self.degradation.currentIndex()]
        sigma = self.sigma.value()
        if name != _GAUSSIAN or not sigma:
            return name
        return f"{name}:{max(sigma, LEAST_SIGMA):g}"

    def _changed(self, *_ignored) -> None:
        self._show()
        self._on_change()

    def _show(self) -> None:
        name = DEGRADATIONS[self.degradation.currentIndex()]
        self.sigma.setVisible(name == _GAUSSIAN)
        self.sigma.setSpecialValueText(f"σ = {self._scale / FWHM:.2f} fine px (a coarse pixel)")
        self.degradation_note.setText(f"Exactly: {KINDS[name].describe}.")
        self.fold.setEnabled(self.refine.isChecked())
