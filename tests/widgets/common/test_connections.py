"""Connections to napari's events end with the widget, and leave nothing behind when closed before."""

from __future__ import annotations

from napari.utils.events import EmitterGroup
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QWidget

from napari_hsr.widgets.common import connections
from napari_hsr.widgets.common.connections import Connections


class Heard(QWidget):
    def __init__(self):
        super().__init__()
        self.count = 0

    def hear(self, event=None):
        self.count += 1


def test_closed_and_made_again_they_do_not_pile_up(qtbot):
    widget, events = Heard(), EmitterGroup(None, told=None)
    qtbot.addWidget(widget)
    waiting = len(connections._WAITING)
    for _ in range(5):
        Connections(widget).close()
        made = Connections(widget)
        made.connect(events.told, "hear")
        made.close()
    assert len(connections._WAITING) == waiting
    made.connect(events.told, "hear")
    events.told()
    assert widget.count == 1
    assert len(connections._WAITING) == waiting + 1


def test_a_deleted_widget_hears_nothing_though_its_python_half_lives(qtbot):
    widget, events = Heard(), EmitterGroup(None, told=None)
    waiting = len(connections._WAITING)
    made = Connections(widget)
    made.connect(events.told, "hear")
    made.close()
    made.connect(events.told, "hear")
    widget.deleteLater()
    QCoreApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)
    events.told()
    assert widget.count == 0
    assert len(connections._WAITING) == waiting
    made.close()
