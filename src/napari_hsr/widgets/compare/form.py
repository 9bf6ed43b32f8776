"""The form of the Compare panel: cubes, protocol and maps."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_hsr.metrics.compare import MAPS
from napari_hsr.metrics.maps import DEFAULT_WINDOW
from napari_hsr.metrics.protocols import PROTOCOLS
from napari_hsr.viewer.layer_data import is_cube
from napari_hsr.widgets.common.choosers import LayerChooser, NarrowComboBox
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.compare.several import MoreForm

#: The maps ticked by default.
FIRST_MAPS = ("sam", "rmse")


class CompareForm(QWidget):
    """Prediction, ground truth, protocol with its description, and maps.

    Signals
    -------
    changed()
        Any choice has changed.
    """

    changed = Signal()

    def __init__(self, viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self.prediction = LayerChooser(viewer, is_cube, empty="no cube open")
        self.truth = LayerChooser(viewer, is_cube, empty="no cube open")
        self.protocol = NarrowComboBox()
        self.protocol.set_choices(list(PROTOCOLS), 0)
        self.protocol.setToolTip("Which pixels and which definitions the figures follow")
        self.protocol_origin = WrappedLabel()
        self.protocol_text = WrappedLabel()
        self.checks = {name: QCheckBox(label) for name, label in MAPS.items()}
        for name, check in self.checks.items():
            check.setChecked(name in FIRST_MAPS)
            check.setToolTip("Add the figure of each pixel as a layer over the prediction")
        self.more = MoreForm(viewer)
        self.more.changed.connect(self._on_change)
        self.window_size = QSpinBox()
        self.window_size.setRange(3, 255)
        self.window_size.setSingleStep(2)
        self.window_size.setValue(DEFAULT_WINDOW)
        self.window_size.setSuffix(" px")
        self.window_size.setToolTip("Side of the sliding window, an odd number of pixels")
        self.window_size.setMinimumWidth(96)  # "255 px" between the buttons

        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        rows.addRow("Prediction", self.prediction)
        rows.addRow("Ground truth", self.truth)
        rows.addRow("Protocol", self.protocol)
        box = QGroupBox("Add as map layers")
        boxed = QVBoxLayout(box)
        for check in self.checks.values():
            boxed.addWidget(check)
        line = QHBoxLayout()
        line.setContentsMargins(22, 0, 0, 0)  # under the text of its check box
        self.window_label = QLabel("window side")
        line.addWidget(self.window_label)
        line.addWidget(self.window_size, 1)
        boxed.addLayout(line)
        # its rows stay together; what is left of a high dock is below them
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(rows)
        layout.addWidget(self.protocol_origin)
        self.rules = Fold("Rules of this protocol", self.protocol_text)
        layout.addWidget(self.rules)
        layout.addWidget(box)
        layout.addWidget(Fold("More predictions, region, colours", self.more))

        self.prediction.changed.connect(self._on_change)
        self.truth.changed.connect(self._on_change)
        self.protocol.currentIndexChanged.connect(self._on_change)
        self.window_size.valueChanged.connect(self._on_change)
        for check in self.checks.values():
            check.toggled.connect(self._on_change)
        self._on_change()

    def options(self) -> dict:
        """``protocol`` and ``window`` for :func:`napari_hsr.metrics.compare.compare_events`."""
        return {"protocol": self.protocol.currentText(), "window": self.window_size.value()}

    def layers(self) -> list[Any]:
        """The layers that figures of what is chosen come from: two cubes, others, and the region."""
        chosen = self.prediction.layer(), self.truth.layer(), *self.more.other_layers()
        every = dict.fromkeys((*chosen, self.more.region.value()))
        return [layer for layer in every if layer is not None]

    def maps(self) -> tuple[str, ...]:
        """The names of the ticked maps."""
        return tuple(name for name, check in self.checks.items() if check.isChecked())

    def _on_change(self, *_ignored) -> None:
        rules = PROTOCOLS[self.protocol.currentText()]
        self.protocol_origin.setText(rules.origin)
        self.protocol_text.setText(rules.rules_text)
        for part in (self.window_size, self.window_label):
            part.setEnabled(self.checks["psnr_window"].isChecked())
        self.changed.emit()
