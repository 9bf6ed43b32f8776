"""The Spectra panel lays itself out once, and holds still while the mouse moves."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.viewer.layers import add_cube
from napari_hsr.widgets.plotting.plot import LEAST_HEIGHT
from napari_hsr.widgets.spectra.panel import SpectraWidget

from ...thorough import thorough

NM = Wavelengths(np.arange(400.0, 701.0, 10.0))
SIZES = [(300, 320), (340, 500), (460, 900)]


class Layouts(QObject):
    """Counts the layouts of a widget and of all in it."""

    def __init__(self, widget: QWidget):
        super().__init__(widget)
        self.count = 0
        for part in (widget, *widget.findChildren(QWidget)):
            part.installEventFilter(self)

    def eventFilter(self, _watched, event):  # noqa: N802 - Qt's name
        self.count += event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize)
        return False


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    for name in ("a cube with a rather long name", "truth"):
        data = np.random.default_rng(0).random((31, 20, 30), dtype=np.float32)
        add_cube(viewer, Cube(data, NM, "reflectance", name))
    widget = SpectraWidget(PublicOnlyProxy(viewer))
    qtbot.addWidget(widget)
    widget.show()
    yield widget
    widget.release()


def settle(panel, qtbot, milliseconds=40):
    panel._cursor_throttle.flush()
    panel._settle.flush(restart_timer=False)
    qtbot.waitUntil(lambda: not panel._meter.busy)
    qtbot.wait(milliseconds)


def places(panel) -> list[tuple]:
    """Where each visible widget lies."""
    return [part.geometry().getRect() for part in panel.findChildren(QWidget) if part.isVisible()]


@pytest.mark.parametrize("size", thorough(SIZES, always=SIZES[:1]))
def test_any_number_of_pins_is_laid_out_and_then_at_rest(viewer, panel, qtbot, size):
    panel.resize(*size)
    settle(panel, qtbot)
    for pins in range(21):
        if pins:
            panel.pin((550, pins % 20, pins))
        settle(panel, qtbot)
        layouts = Layouts(panel)
        qtbot.wait(90)  # more than one turn of what flipped every 80 ms
        assert layouts.count == 0, f"{pins} pins"
        assert panel.plot.view.height() >= LEAST_HEIGHT
        assert _rows_cut(panel.plot.legend) == 0


def _rows_cut(legend) -> int:
    """Rows that the lower edge of the legend, scrolled to the top, cuts in two."""
    legend.verticalScrollBar().setValue(0)
    edge = legend.viewport().height()
    rows = [label.sceneBoundingRect() for _, label in legend.item.items]
    return sum(row.top() + 1 < edge < row.bottom() - 1 for row in rows)


@pytest.mark.parametrize("size", thorough(SIZES, always=SIZES[:1]))
def test_nothing_moves_because_the_mouse_does(viewer, panel, qtbot, size):
    panel.resize(*size)
    for pins in range(4):
        panel.pin((550, pins, pins))
    settle(panel, qtbot)
    before, layouts = places(panel), Layouts(panel)
    for y, x in ((5, 5), (12, 28), (19, 0), (50, 50), (7, 7)):  # one beside the cubes
        viewer.cursor.position = (550.0, float(y), float(x))
        settle(panel, qtbot, 30)
        assert places(panel) == before
    assert panel.readout.text().count("\n") == 2
    assert layouts.count == 0
