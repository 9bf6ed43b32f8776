"""Parts of the Super-resolve panel's form: the scale, and the back-projection."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QSpinBox, QVBoxLayout, QWidget

from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.degradation_choice import DegradationChooser
from napari_hsr.widgets.inference.computing_options import narrow_form
from napari_hsr.widgets.models.models_changed import models_changed

#: Offered always; those of models at hand come on top.
SCALES = (2, 3, 4, 8)
FIRST_SCALE = 4


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
        from napari_hsr.inference import upscalers

        self._scales = sorted({*SCALES, self._scale, *(c.scale for c in upscalers.offered())})
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
        self.degradation = DegradationChooser(FIRST_SCALE)
        self.degradation.kind.setToolTip(
            "How the coarse cube is taken to have come from a fine one.\n"
            "The residual is measured under it, and back-projection lowers it."
        )
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
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self.refine)
        layout.addWidget(self.fold)
        self._on_change = on_change
        self.refine.toggled.connect(self._changed)
        for part in (self.tolerance, self.passes):
            part.valueChanged.connect(self._changed)
        self.degradation.changed.connect(self._changed)
        self._show()

    def options(self) -> dict[str, Any]:
        """For :func:`napari_hsr.inference.super_resolve_events`."""
        return {
            "refine": self.refine.isChecked(),
            "degradation": self.degradation.name(),
            "tolerance": self.tolerance.value() / 100,
            "iterations": self.passes.value(),
        }

    def set_scale(self, scale: int) -> None:
        """The width of a gaussian goes by it."""
        self.degradation.set_scale(scale)

    def _changed(self, *_ignored) -> None:
        self._show()
        self._on_change()

    def _show(self) -> None:
        self.fold.setEnabled(self.refine.isChecked())
