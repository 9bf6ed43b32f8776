"""The frame around what has the keyboard follows the control."""

from __future__ import annotations

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QPushButton

from napari_hsr.widgets.common.focus import FocusFrame


def test_the_frame_is_as_large_as_its_control_whatever_the_event_brings(qtbot):
    control = QPushButton("Run")
    qtbot.addWidget(control)
    frame = FocusFrame(control)
    control.show()
    control.resize(140, 40)
    assert frame.size() == control.size()
    # PyQt may wrap an event by the class of an earlier one at its address: without a size
    frame.eventFilter(control, QEvent(QEvent.Type.Resize))
    assert frame.size() == control.size()
