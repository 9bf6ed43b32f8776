"""What panels leave behind when they are closed: nothing waits for what is gone."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref

from napari.components import ViewerModel
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_hsr.widgets.common import closed_panels
from napari_hsr.widgets.common.connections import _WAITING, when_gone
from napari_hsr.widgets.common.panel import Panel
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget


def test_what_the_collector_finds_is_gone_too(qapp, swept):
    before, said = len(_WAITING), []
    thing = QObject()
    thing.itself = thing  # only the collector frees it
    when_gone(thing, lambda: said.append(1))
    assert len(_WAITING) == before + 1
    del thing
    gc.collect()
    assert (said, len(_WAITING)) == ([1], before)


def test_what_qt_destroys_is_told_once(qapp, qtbot, swept):
    before, said = len(_WAITING), []
    thing = QObject()
    when_gone(thing, lambda: said.append(1))
    thing.deleteLater()
    qtbot.waitUntil(lambda: said == [1])
    del thing
    gc.collect()
    assert (said, len(_WAITING)) == ([1], before)


def test_a_panel_leaves_no_callback_behind(qapp, swept):
    viewer = ViewerModel()
    before = len(_WAITING)
    panel = ReconstructWidget(viewer)
    assert len(_WAITING) > before
    gone = weakref.ref(panel)
    panel.close()
    del panel
    gc.collect()
    assert gone() is None
    assert len(_WAITING) == before


def test_a_panel_taken_out_of_its_dock_is_collected_without_being_asked(qtbot, swept, monkeypatch):
    monkeypatch.setattr(closed_panels, "GONE_MS", 0)
    dock = QWidget()
    qtbot.addWidget(dock)
    panel = Panel()
    panel.itself = panel
    QVBoxLayout(dock).addWidget(panel)
    gone = weakref.ref(panel)
    gc.disable()
    try:
        panel.setParent(None)
        del panel
        qtbot.waitUntil(lambda: gone() is None)
    finally:
        gc.enable()


#: A script that ends with two windows open. What is registered first is called last.
ENDS_WITH_WINDOWS_OPEN = """
import atexit
from qtpy.QtWidgets import QApplication, QMainWindow
atexit.register(print, "PyQt6 destroys what is left")
from napari.components import ViewerModel
from napari_hsr.widgets.wavelength.panel import WavelengthWidget
application = QApplication([])
windows = [QMainWindow() for _ in range(2)]
for window in windows:
    panel = WavelengthWidget(ViewerModel())
    panel.destroyed.connect(lambda *_: print("a panel is destroyed"))
    window.setCentralWidget(panel)
    window.show()
"""


def test_panels_are_destroyed_before_what_pyqt_destroys_at_exit():
    ended = subprocess.run(
        [sys.executable, "-c", ENDS_WITH_WINDOWS_OPEN],
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split("\n") == [
        *["a panel is destroyed"] * 2,
        "PyQt6 destroys what is left",
        "",
    ]
