"""Parts of the Super-resolve panel: the scale and the back-projection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QSpinBox, QWidget

from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.degradation_choice import DegradationChooser
from napari_hsr.widgets.common.layouts import column, narrow_form
from napari_hsr.widgets.common.models_changed import models_changed

if TYPE_CHECKING:
    from collections.abc import Callable

#: Always offered; those of the installed models are added.
SCALES = (2, 3, 4, 8)
FIRST_SCALE = 4


class ScaleChooser(NarrowComboBox):
    """How many times as many pixels along each side.

    Signals
    -------
    changed(int)
        The chosen scale, when it is another one.
    """

    changed = Signal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._list(FIRST_SCALE)
        self.setToolTip("Pixels of the result for each of the cube's, along each side")
        self._connections = Connections(self)
        self._connections.connect(models_changed, "refresh")
        self.currentIndexChanged.connect(lambda _: self.changed.emit(self.value()))

    def refresh(self, event: object = None) -> None:
        """List the scales of the models there are now; the chosen one stays."""
        self._list(self.value())

    def set_value(self, value: int) -> None:
        """Choose a scale, whether or not there is a model for it."""
        if value not in self.offered():
            self._list(self.value(), value)
        super().set_value(value)

    def _list(self, current: int, *besides: int) -> None:
        from napari_hsr.inference import upscalers

        of_models = (card.scale for card in upscalers.offered())
        scales = sorted({*SCALES, current, *besides, *of_models})
        self.offer({scale: f"×{scale}" for scale in scales}, current)


class BackProjection(QWidget):
    """Whether to refine, under which degradation, and when to stop.

    The degradation also matters without refining: the residual is measured under it.

    Parameters
    ----------
    on_change : callable
        Called without arguments after each change by the user.
    """

    def __init__(self, on_change: Callable[[], object], parent: QWidget | None = None):
        super().__init__(parent)
        self.refine = QCheckBox("Refine with back-projection")
        self.refine.setToolTip(
            "Correct the result until it gives the coarse cube again when it is degraded.\n"
            "Needs no ground truth; a wrong degradation spoils the result."
        )
        self.degradation = DegradationChooser(FIRST_SCALE)
        self.degradation.kind.setToolTip(
            "How the coarse cube is assumed to have come from a fine one.\n"
            "The residual is measured under it, and back-projection lowers it."
        )
        self.tolerance = QDoubleSpinBox()
        self.tolerance.setRange(0, 100)
        self.tolerance.setDecimals(3)
        self.tolerance.setSingleStep(0.05)
        self.tolerance.setValue(0.1)
        self.tolerance.setSuffix("%")
        self.tolerance.setToolTip(
            "Stop when the residual falls to this share of the coarse cube (root mean squares)"
        )
        self.passes = QSpinBox()
        self.passes.setRange(1, 1000)
        self.passes.setValue(20)
        self.passes.setSuffix(" passes")
        self.passes.setToolTip("Stop after this many passes in any case")
        inside = QWidget()
        rows = narrow_form(inside)
        rows.addRow("Until the residual is below", self.tolerance)
        rows.addRow("At most", self.passes)
        self.fold = Fold("Back-projection", inside)
        form = narrow_form()
        form.addRow("Blur from fine to coarse pixels", self.degradation)
        column(form, self.refine, self.fold, into=self)
        self.fold.setEnabled(False)
        self._on_change = on_change
        self.refine.toggled.connect(self._changed)
        for part in (self.tolerance, self.passes):
            part.valueChanged.connect(self._changed)
        self.degradation.changed.connect(self._changed)

    def options(self) -> dict[str, Any]:
        """For :func:`napari_hsr.inference.super_resolve_events`."""
        return {
            "refine": self.refine.isChecked(),
            "degradation": self.degradation.name(),
            "tolerance": self.tolerance.value() / 100,
            "iterations": self.passes.value(),
        }

    def set_scale(self, scale: int) -> None:
        """Adapt the width of a Gaussian to the scale."""
        self.degradation.set_scale(scale)

    def _changed(self, *_ignored: object) -> None:
        self.fold.setEnabled(self.refine.isChecked())
        self._on_change()
