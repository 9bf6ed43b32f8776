"""A panel, data that need no reading, and a fake training in a process of its own."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.photograph import Photograph
from napari_hsr.training.data import inspection as training_inspect
from napari_hsr.training.data.inspection import Findings, Row
from napari_hsr.widgets.train.panel import TrainWidget

from ...training.stand_ins import fake_trainings

NM = Wavelengths(np.arange(400.0, 701.0, 10.0))


def row(name: str, held_out: bool = False, **changes) -> Row:
    """A row of what was found; whole unless it is changed."""
    facts = {
        "rgb": f"{name}.png",
        "cube": f"{name}.h5",
        "height": 20,
        "width": 30,
        "bands": 31,
        "cube_range": (0.0, 0.9),
        "rgb_range": (0.0, 1.0),
        "thumbnail": np.full((12, 16, 3), 99, np.uint8),
        "wavelengths": NM,
    }
    return Row(name=name, held_out=held_out, **{**facts, **changes})


@pytest.fixture
def found(monkeypatch):
    """The rows that a look at any data finds; change the list to find others."""
    rows = [row("a"), row("b"), row("c", held_out=True)]

    def look(recipe, cancel=None, *, images=(), keep=False):
        look.recipe, look.images = recipe, list(images)
        yield Findings(tuple(rows), NM)

    monkeypatch.setattr(training_inspect, "inspect_events", look)
    rows_and_look = rows
    look.rows = rows_and_look
    return look


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot, found):
    panel = TrainWidget(viewer)
    qtbot.addWidget(panel)
    yield panel
    panel._timer.stop()


@pytest.fixture
def ready(panel, qtbot, tmp_path):
    """The panel when it could start."""
    (tmp_path / "images").mkdir()
    panel.setup.data.set_folder(tmp_path / "images")
    qtbot.waitUntil(lambda: not panel.setup.looking)
    assert panel.setup.obstacle() == ""
    return panel


@pytest.fixture
def training(monkeypatch):
    """``training("wait")``: trainings are from now on fake ones that behave so."""
    yield from fake_trainings(monkeypatch)


@pytest.fixture
def scene():
    """``scene("name")``: a small cube and its photograph."""

    def make(name: str) -> tuple[Cube, Photograph]:
        values = np.random.default_rng(1).uniform(0.1, 0.8, (31, 10, 14)).astype(np.float32)
        pixels = np.full((10, 14, 3), 120, np.uint8)
        return Cube(values, NM, name=name), Photograph(pixels, "srgb", name=name)

    return make
