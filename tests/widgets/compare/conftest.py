"""Two cubes, the panel that compares them, and a way to hold it in mid-run."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.metrics import several
from napari_hsr.viewer.layers import add_cube
from napari_hsr.widgets.compare.panel import CompareWidget

from ...patience import PATIENCE


@pytest.fixture
def nm():
    return np.arange(400.0, 501.0, 10.0)


@pytest.fixture
def cubes(nm):
    """``cubes()`` gives a noisy prediction and its truth, always the same."""

    def make(shape=(11, 20, 24), nm=nm):
        rng = np.random.default_rng(3)
        truth = 0.1 + 0.8 * rng.random(shape, dtype=np.float32)
        noise = 0.02 * rng.standard_normal(shape).astype(np.float32)
        return (
            Cube(np.clip(truth + noise, 0, 1), Wavelengths(nm), name="guess"),
            Cube(truth, Wavelengths(nm), name="truth"),
        )

    return make


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def pair(viewer, cubes):
    truth = add_cube(viewer, cubes()[1])
    return add_cube(viewer, cubes()[0]), truth


@pytest.fixture
def panel(viewer, qtbot):
    widget = CompareWidget(viewer)
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def wait_for_end(qtbot):
    """``wait_for_end(panel)`` returns when nothing is running any more."""
    return lambda panel: qtbot.waitUntil(lambda: not panel.running)


@pytest.fixture
def compared(viewer, pair, panel, wait_for_end):
    """The panel after a comparison of the pair."""
    panel.run_button.click()
    wait_for_end(panel)
    return panel


@pytest.fixture
def hold(monkeypatch):
    """``hold()`` lets no comparison end by itself; returns the event of one having begun."""

    def patch():
        begun = threading.Event()
        real = several.evaluate_events

        def wait_first(*arguments, cancel=None, **options):
            begun.set()
            deadline = time.monotonic() + PATIENCE
            while not cancel.is_set() and time.monotonic() < deadline:
                time.sleep(0.01)
            yield from real(*arguments, cancel=cancel, **options)

        monkeypatch.setattr(several, "evaluate_events", wait_first)
        return begun

    return patch


@pytest.fixture
def running_threads():
    return lambda: [t for t in threading.enumerate() if "Compare" in t.name]
