"""Closing napari in the middle of a run, whatever panel has begun it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMainWindow

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.io.lazy import LazyArray
from napari_hsr.progress import Progress
from napari_hsr.viewer.layers import add_cube
from napari_hsr.widgets.common.close_guard import CANCEL
from napari_hsr.widgets.common.job import Job
from napari_hsr.widgets.compare.panel import CompareWidget
from napari_hsr.widgets.files.calibrate import CalibrateWidget
from napari_hsr.widgets.inference import many
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.maps.panel import MapsWidget
from napari_hsr.widgets.spectra.panel import SpectraWidget
from napari_hsr.widgets.wavelength.panel import WavelengthWidget

from ..patience import PATIENCE


class Gate:
    """A cube on a disk that answers its threads when it is opened."""

    def __init__(self):
        self.values = np.random.default_rng(2).uniform(0.1, 0.9, (8, 6, 5)).astype(np.float32)
        self.shape, self.dtype, self.ndim = self.values.shape, self.values.dtype, 3
        self.opened = threading.Event()

    def __getitem__(self, key):
        if threading.current_thread() is not threading.main_thread():
            self.opened.wait(PATIENCE)
        return self.values[key]


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.opened.set()


@pytest.fixture
def viewer(gate):
    viewer = ViewerModel()
    nm = Wavelengths(np.linspace(450, 650, 8))
    for name in ("scene", "white"):
        add_cube(viewer, Cube(LazyArray(gate), nm, "reflectance", name=name))
    viewer.add_points(np.array([[1.0, 1.0], [4.0, 3.0]]), size=1)
    return viewer


def _index(panel, _folder):
    panel.index.what.setText("b650 - b550")
    panel.run()


def _classes(panel, _folder):
    window = panel.open_window("Classify")
    window.classes.tick_listed(True)
    window.run()


def _saved(panel, folder):
    panel.save(folder / "scene.npy")


def _watched(panel, folder):
    panel.many.watch(folder)


#: A panel, what begins a run in it, and what is said to be running.
RUNS = {
    "maps": (MapsWidget, _index, "Maps of white"),
    "comparison": (CompareWidget, lambda panel, _: panel.run(), "The comparison"),
    "classes": (SpectraWidget, _classes, "Classifying white"),
    "reflectance": (CalibrateWidget, lambda panel, _: panel.run(), "Calibrate scene"),
    "picture": (WavelengthWidget, lambda panel, _: panel.true_button.click(), "Rendering white"),
    "saved cube": (WavelengthWidget, _saved, "Saving white"),
    "watched folder": (ReconstructWidget, _watched, "Watching incoming"),
}


@pytest.mark.parametrize("kind", RUNS)
def test_closing_napari_during_a_run_asks_and_it_goes_on(
    viewer, gate, qtbot, tmp_path, monkeypatch, kind
):
    def waits(*_args, cancel, **_options):
        while not gate.opened.wait(0.01) and not cancel.is_set():
            yield Progress(0, 0, "Waiting")

    monkeypatch.setattr(many, "watched_events", waits)
    made, begin, name = RUNS[kind]
    window, jobs, ended = QMainWindow(), [], []
    qtbot.addWidget(window)
    started = Job.start

    def start(job):
        if job.parent() is not None:
            jobs.append(job)
            job.ended.connect(lambda: ended.append(job))
        started(job)

    panel = made(viewer)
    window.setCentralWidget(panel)
    with qtbot.waitExposed(window):
        window.show()
    monkeypatch.setattr(Job, "start", start)
    folder = tmp_path / "incoming"
    folder.mkdir()
    begin(panel, folder)
    assert closed(window, qtbot) == (False, [name])
    gate.opened.set()
    qtbot.waitUntil(lambda: ended == jobs)
    assert closed(window, qtbot) == (True, [])


def closed(window, qtbot):
    """Whether a window was closed, and of what it was asked before, where the answer is to stay."""
    asked, done = [], []

    def answer():
        box = QApplication.activeModalWidget()
        if box is not None:
            asked.append(box.text().partition(":")[0])
            next(one for one in box.buttons() if one.objectName() == CANCEL).click()

    timer = QTimer(window)
    timer.timeout.connect(answer)
    timer.start(10)
    QTimer.singleShot(0, lambda: done.append(window.close()))  # inside an event loop
    qtbot.waitUntil(lambda: bool(done))
    timer.stop()
    return done[0], asked
