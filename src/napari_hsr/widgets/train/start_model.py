"""Where a training starts: the model, and for super-resolution the degradation."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_hsr.models.card import RECONSTRUCTION, SUPER_RESOLUTION
from napari_hsr.widgets.common.degradation_choice import DegradationChooser
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import narrow_form
from napari_hsr.widgets.models.model_chooser import ModelChooser


class StartChooser(ModelChooser):
    """The models that a training can start from, for photographs and for cubes."""

    def finer(self) -> bool:
        """Whether the chosen model super-resolves."""
        card = self.card()
        return card is not None and card.task == SUPER_RESOLUTION

    def _offered(self) -> list:
        from napari_hsr.models.model_list import listings

        return [*listings(RECONSTRUCTION), *listings(SUPER_RESOLUTION)]


class CoarseSection(QWidget):
    """How the coarse cubes are made that a model learns to super-resolve.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._scale = 4
        self.words = WrappedLabel()
        self.degradation = DegradationChooser(self._scale)
        self.degradation.kind.setToolTip(
            "How the cubes to super-resolve came to be coarse: the model learns this way alone"
        )
        form = narrow_form(self)
        form.addRow(self.words)
        form.addRow("Blur from fine to coarse pixels", self.degradation)
        self.degradation.changed.connect(self.changed)
        self.set_scale(self._scale)

    def set_scale(self, scale: int) -> None:
        """Show the scale of the model."""
        self._scale = scale
        self.degradation.set_scale(scale)
        self.words.setText(
            f"The model's scale is ×{scale}: {scale} × {scale} fine pixels of each coarse one."
        )

    def settings(self) -> dict[str, Any]:
        """``coarse.scale`` and ``coarse.degradations`` of a recipe."""
        return {"scale": self._scale, "degradations": [self.degradation.name()]}

    def set_settings(self, coarse: dict[str, Any]) -> None:
        """Show those of a recipe, without a signal; the scale stays the model's."""
        blocked = self.blockSignals(True)
        self.degradation.set_name(coarse["degradations"][0])
        self.blockSignals(blocked)
