"""The Reconstruct panel on a film: the frame on show first, the others when the slider comes to them."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_hsr import Photograph, reconstruct
from napari_hsr.inference.stacks import frame_arrays
from napari_hsr.inference.stacks import run as stack_run
from napari_hsr.inference.stacks.frame_cubes import State
from napari_hsr.inference.stacks.placeholder import PLACEHOLDER
from napari_hsr.models import load_model
from napari_hsr.models.colour_table import looked_up
from napari_hsr.photograph_stack import StackAxis, stack_of_array
from napari_hsr.progress import Progress, stop_if
from napari_hsr.viewer import frames
from napari_hsr.viewer.computed_cubes import why_not_computed
from napari_hsr.viewer.layer_data import layer_cube
from napari_hsr.widgets.inference import frame_worker
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.spectra.panel import SpectraWidget

from .panel_runs import run, settle

MODEL, COUNT = "rootpoly-srgb", 6


@pytest.fixture
def values():
    return np.random.default_rng(5).integers(20, 230, (COUNT, 6, 8, 3)).astype(np.uint8)


@pytest.fixture
def viewer(values):
    viewer = ViewerModel()
    axes = (StackAxis("time", COUNT, 0.5, 0.0, "second"),)
    frames.add_stack(viewer, stack_of_array(values, name="film", axes=axes))
    yield viewer
    viewer.layers.clear()


@pytest.fixture
def panel(viewer, qtbot):
    panel = ReconstructWidget(PublicOnlyProxy(viewer))
    panel.model.set_name(MODEL)
    qtbot.addWidget(panel)
    return panel


def test_a_film_becomes_cubes_that_follow_the_slider(viewer, panel, values, qtbot):
    viewer.dims.set_point(0, 1.0)
    run(panel, qtbot)
    layer = viewer.layers[-1]
    assert layer.name == f"film · {MODEL}"
    cubes = layer.data.frames
    assert cubes.state(2) is State.DONE
    assert cubes.computed == {(2, "done"): 1}
    heard = []
    layer.events.data.connect(heard.append)
    viewer.dims.set_point(0, 2.0)
    qtbot.waitUntil(lambda: cubes.state(4) is State.DONE and not cubes.wants(State.DONE))
    qtbot.waitUntil(lambda: bool(np.isfinite(layer._slice.image.raw).all()) and bool(heard))
    exact = reconstruct(Photograph(values[4]), MODEL)
    qtbot.waitUntil(lambda: np.array_equal(layer._slice.image.raw, exact.data[15]))
    assert cubes.computed[4, "done"] == 1
    viewer.layers.remove(layer)
    assert cubes.on_ask is None
    assert not frame_worker._AT_WORK


def test_cubes_that_are_hidden_are_of_the_frame_at_the_slider(viewer, panel, values, qtbot):
    run(panel, qtbot)
    layer = viewer.layers[-1]
    cubes = layer.data.frames
    qtbot.waitUntil(lambda: not cubes.wants(State.DONE))
    layer.visible = False
    before, heard = dict(cubes.computed), []
    layer.events.data.connect(heard.append)
    viewer.dims.set_point(0, 2.5)
    assert cubes.shown == (5,)
    assert heard
    cube = layer_cube(layer)
    assert cube.name == f"film · {MODEL} · frame 6 (not yet computed)"
    assert "while its layer is shown" in why_not_computed(cube)
    assert cubes.computed == before
    layer.visible = True
    qtbot.waitUntil(lambda: cubes.state(5) is State.DONE)
    exact = reconstruct(Photograph(values[5]), MODEL)
    np.testing.assert_array_equal(layer_cube(layer).data, exact.data)


@pytest.mark.parametrize("cancelled", [False, True])
def test_the_first_frame_has_a_preview_while_it_is_computed(
    viewer, panel, values, qtbot, monkeypatch, cancelled
):
    release, real = threading.Event(), stack_run.reconstruct_events

    def events(*what, cancel, **options):
        while not release.is_set():
            stop_if(cancel)
            time.sleep(0.005)
            yield Progress(1, 5000, "Reconstructing")
        yield from real(*what, cancel=cancel, **options)

    monkeypatch.setattr(stack_run, "reconstruct_events", events)
    monkeypatch.setattr(stack_run, "LEAST_SECONDS", 0.0)
    viewer.dims.set_point(0, 1.0)
    settle(panel, qtbot)
    panel.run_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    shown = viewer.layers[1]
    assert shown.name == f"film · {MODEL} (preview by instant-photo)"
    assert "is a preview" in panel.outcome.text()
    quick = reconstruct(Photograph(values[2]), looked_up(load_model(PLACEHOLDER)))
    np.testing.assert_allclose(shown._slice.image.raw, quick.data[15], atol=1e-5)
    assert shown.data.frames.computed == {(2, "placeholder"): 1}
    panel.cancel_button.click() if cancelled else release.set()
    qtbot.waitUntil(lambda: not panel.running)
    names = [layer.name for layer in viewer.layers]
    assert names == (["film"] if cancelled else ["film", f"film · {MODEL}"])
    assert ("The preview was removed." in panel.outcome.text()) == cancelled


def test_a_jump_waits_a_moment_for_work_that_has_begun(viewer, panel, qtbot, monkeypatch):
    """The viewer waits in the middle of its event loop: nothing that this loop starts would be done by then."""
    run(panel, qtbot)
    monkeypatch.setattr(frame_arrays, "PATIENCE", 10.0)
    layer = viewer.layers[-1]
    viewer.dims.set_point(0, 2.0)
    assert layer.data.frames.state(4) in (State.PLACEHOLDER, State.DONE)
    assert np.isfinite(layer._slice.image.raw).all()


def test_the_spectrum_under_the_mouse_follows_the_frame(viewer, panel, values, qtbot):
    run(panel, qtbot)
    layer = viewer.layers[-1]
    shown = SpectraWidget(viewer)
    qtbot.addWidget(shown)
    shown.pin((1.0, 550.0, 2.0, 3.0))
    viewer.dims.set_point(0, 1.5)
    exact = reconstruct(Photograph(values[3]), MODEL).data[:, 2, 3]
    qtbot.waitUntil(lambda: bool(shown.shown) and np.allclose(shown.shown[0].curve.mean, exact))
    assert shown.shown[0].source.layer == layer


def test_a_run_begins_beside_a_frame_that_cannot_be_read(viewer, panel, values, qtbot):
    stack = viewer.layers[0].data.stack
    whole, read = values[0], stack.frames.read
    stack.frames.read = lambda n: Photograph(whole[:3]) if n in (2, 3) else read(n)  # another size
    viewer.dims.set_point(0, 1.0)
    run(panel, qtbot)
    cubes = viewer.layers[-1].data.frames
    assert cubes.state(1) is State.DONE
    assert cubes.state(2) is State.FAILED
    viewer.dims.set_point(0, 2.0)
    qtbot.waitUntil(lambda: cubes.state(4) is State.DONE)


def test_a_frame_that_cannot_be_read_is_said_before_a_run(viewer, panel, qtbot):
    def broken(_number):
        from napari_hsr.errors import FileError

        raise FileError("film", "frame 1 cannot be read")

    viewer.layers[0].data.stack.frames.read = broken
    panel._on_changed()
    qtbot.waitUntil(lambda: "cannot be read" in panel.obstacle.text())
    assert not panel.ready


def test_a_frame_that_is_there_is_sliced_once(viewer, panel, qtbot):
    """Slicing and drawing it again would take a third of the time of a jump."""
    run(panel, qtbot)
    layer = viewer.layers[-1]
    cubes, sliced, heard = layer.data.frames, [], []
    cubes.on_ask = lambda: None  # nobody computes
    cubes.keep(4, reconstruct(cubes.stack.photograph(4), MODEL))
    layer.events.set_data.connect(sliced.append)
    layer.events.data.connect(heard.append)
    viewer.dims.set_point(0, 2.0)
    assert np.isfinite(layer._slice.image.raw).all()
    assert (len(sliced), len(heard)) == (1, 1)
    viewer.dims.set_point(0, 1.0)  # where there is nothing yet
    cubes.keep(2, reconstruct(cubes.stack.photograph(2), MODEL))
    next(iter(frame_worker._AT_WORK))._update()
    assert np.isfinite(layer._slice.image.raw).all()
