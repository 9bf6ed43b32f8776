"""Pins at a row and a column, for those who use keys alone or have a list of places."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDialog, QLabel, QSpinBox

from napari_hsr.errors import InputError
from napari_hsr.viewer.areas import visible_area
from napari_hsr.viewer.layer_data import layer_shape
from napari_hsr.viewer.world_coordinates import to_world
from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.help_window import HelpButton
from napari_hsr.widgets.common.layouts import column, narrow_form, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.common.plain_text import one_line


class PinAtWindow(QDialog):
    """Row and column in the topmost visible cube; it begins in the middle of what is in sight.

    Parameters
    ----------
    panel : CurvePanel
    viewer : napari viewer
    """

    def __init__(self, panel: Any, viewer: Any):
        super().__init__(panel)
        self._panel, self._viewer = panel, viewer
        self._layer_id: Any = None  # of the cube that the numbers are of
        self.setWindowTitle("Pin at")
        self.cube = QLabel()
        self.row, self.column = QSpinBox(), QSpinBox()
        self.row.setToolTip("From 0, the first the uppermost one")
        self.column.setToolTip("From 0, the first the one farthest left")
        self.pin_button = button("Pin", self.pin, "Pin the spectra of this pixel")
        self.pin_button.setDefault(True)  # Enter in a number
        self.message = Message()
        form = narrow_form()
        form.addRow("Cube", self.cube)
        form.addRow("Row", self.row)
        form.addRow("Column", self.column)
        buttons = row(self.pin_button, HelpButton(self, "spectra"))
        column(form, buttons, self.message, into=self).setContentsMargins(9, 9, 9, 9)
        self.setMinimumWidth(260)  # the sentence in one line
        name_controls(self)

    def showEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Begin in the middle of what is in sight now."""
        self._layer_id = None
        self.message.clear()
        self.refresh()
        self.row.setFocus()
        self.row.selectAll()
        super().showEvent(event)

    def refresh(self) -> None:
        """Another cube may be on top."""
        layer = self._panel.top_layer()
        for control in (self.row, self.column, self.pin_button):
            control.setEnabled(layer is not None)
        if layer is None:
            self._layer_id = None
            self.cube.setText("no visible cube")
            return
        self.cube.setText(one_line(layer.name, 40))
        shown = layer.unique_id, layer_shape(layer)[-2:]  # it may have been given other data
        if shown == self._layer_id:
            return
        self._layer_id = shown
        middle = _middle_in_sight(self._viewer, layer)
        for control, at, count in zip(
            (self.row, self.column), middle, layer_shape(layer)[-2:], strict=True
        ):
            control.setRange(0, count - 1)
            control.setValue(at)

    def pin(self) -> None:
        """Pin what the numbers say."""
        layer = self._panel.top_layer()
        if layer is None:
            return
        at = self.row.value(), self.column.value()
        self._panel.pin(to_world(self._viewer, layer, (*(0,) * (layer.ndim - 2), *at)))
        self.message.show_info(f"Pinned row {at[0]}, column {at[1]}.")


def _middle_in_sight(viewer: Any, layer: Any) -> tuple[int, int]:
    """(row, column) in the middle of what the canvas shows of an image, else of all of it."""
    height, width = layer_shape(layer)[-2:]
    try:
        rows, columns = visible_area(viewer, layer)
    except InputError:
        return height // 2, width // 2
    return (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2
