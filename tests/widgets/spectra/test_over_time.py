"""The window that plots pins over the frames of a film."""

import csv
import threading

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.errors import Cancelled
from napari_hsr.inference.stacks.frame_cubes import FrameCubes, State
from napari_hsr.photograph_stack import StackAxis, stack_of_array
from napari_hsr.progress import Progress
from napari_hsr.viewer import axis, frames
from napari_hsr.viewer.layer_data import layer_cube
from napari_hsr.widgets.common.accessible import controls
from napari_hsr.widgets.spectra.over_time import PixelsOverTime
from napari_hsr.widgets.spectra.panel import SpectraWidget

MODEL, COUNT = "rootpoly-srgb", 5


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    values = np.random.default_rng(3).integers(20, 230, (COUNT, 6, 8, 3)).astype(np.uint8)
    return with_film(viewer, values, StackAxis("time", COUNT, 0.5, 0.0, "second"))


def with_film(viewer, values, axis):
    stack = stack_of_array(values, name="film", axes=(axis,))
    source = frames.add_stack(viewer, stack)
    cubes = FrameCubes(stack, MODEL)
    frames.add_frames(viewer, cubes, source, cubes[0], "cubes")
    return viewer


@pytest.fixture
def panel(viewer, qtbot):
    panel = SpectraWidget(viewer)
    qtbot.addWidget(panel)
    yield panel
    panel.release()


def test_frames_without_a_time_are_counted_as_everywhere(qtbot, tmp_path):
    values = np.random.default_rng(3).integers(20, 230, (COUNT, 6, 8, 3)).astype(np.uint8)
    viewer = with_film(ViewerModel(), values, StackAxis("frame", COUNT))
    panel = SpectraWidget(viewer)
    qtbot.addWidget(panel)
    panel.pin((0.0, 550.0, 2.0, 3.0))
    window = panel.open_window("Over time")
    panel._update_all()
    qtbot.waitUntil(lambda: not window.busy and window.values.size == COUNT)
    viewer.dims.set_point(0, 2)
    assert layer_cube(viewer.layers["cubes"]).name == "cubes · frame 3"
    assert (window.plot.marker_value(), window.plot.marker_unit) == (3, "frame")
    np.testing.assert_array_equal(window.plot.curves[0].x, [1, 2, 3, 4, 5])
    window._on_marker(5.2)
    assert viewer.dims.point[0] == 4
    window.export_csv(tmp_path / "t.csv")
    rows = (tmp_path / "t.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["frame", "1", "2", "3", "4", "5"]
    panel.release()


def exact(viewer, nm, row, column):
    cubes = viewer.layers[-2].data.frames  # below the pins
    band = list(cubes.wavelengths).index(nm)
    return np.array([cubes[number].data[band, row, column] for number in range(COUNT)])


def test_pins_over_time_follow_the_sliders(viewer, panel, qtbot, tmp_path):
    panel.pin((0.0, 550.0, 2.0, 3.0))
    window = panel.open_window("Over time")
    panel._update_all()
    qtbot.waitUntil(lambda: not window.busy and window.values.size == COUNT)
    (curve,) = window.plot.curves
    np.testing.assert_allclose(curve.y, exact(viewer, 550.0, 2, 3), rtol=1e-5)
    np.testing.assert_array_equal(curve.x, [0, 0.5, 1, 1.5, 2])
    assert window.plot.labels == ("time (s)", "reflectance at 550 nm")
    axis.go_to(viewer, 650.0)
    np.testing.assert_allclose(window.values[0], exact(viewer, 650.0, 2, 3), rtol=1e-5)
    viewer.dims.set_point(0, 1.5)
    assert (window.plot.marker_value(), window.plot.marker_unit) == (1.5, "s")
    window._on_marker(0.9)
    assert viewer.dims.point[0] == 1.0
    window.index.what.setText("b650 / b550")
    wanted = exact(viewer, 650.0, 2, 3) / exact(viewer, 550.0, 2, 3)
    np.testing.assert_allclose(window.values[0], wanted, rtol=1e-5)
    window.export_csv(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["time (s)", "pin 1 (row 2, column 3): b650 / b550"]
    assert float(rows[3][1]) == pytest.approx(wanted[2], rel=1e-5)
    window.export_png(tmp_path / "t.png")
    assert (tmp_path / "t.png").stat().st_size
    assert all(one.toolTip() and one.accessibleName() for one in controls(window))


def test_costly_frames_are_computed_when_that_is_asked_for(viewer, panel, qtbot, monkeypatch):
    monkeypatch.setattr(PixelsOverTime, "single", False)
    panel.pin((0.0, 550.0, 2.0, 3.0))
    window = panel.open_window("Over time")
    panel._update_all()
    assert not window.busy
    cubes = viewer.layers[-2].data.frames
    known = sum(cubes.state(number) is State.DONE for number in range(COUNT))
    assert f"{known} of 5 frames" in window.message.text()
    assert np.isfinite(window.values).sum() == known
    window.compute_button.click()
    qtbot.waitUntil(lambda: not window.busy)
    np.testing.assert_array_equal(window.values[0], exact(viewer, 550.0, 2, 3))
    assert not window.compute_button.isEnabled()
    assert not window.message.text()


def test_a_window_that_was_closed_while_it_computed_can_compute_again(
    viewer, panel, qtbot, monkeypatch
):
    monkeypatch.setattr(PixelsOverTime, "single", False)
    panel.pin((0.0, 550.0, 2.0, 3.0))
    window = panel.open_window("Over time")
    panel._update_all()
    started = threading.Event()

    def waits(memory, pixels, along, cancel):
        yield Progress(0, 5)
        started.set()
        cancel.wait()
        raise Cancelled

    with monkeypatch.context() as patch:
        patch.setattr(PixelsOverTime, "events", waits)
        window.compute_button.click()
        started.wait()
    window.close()
    assert panel.open_window("Over time") is window
    assert not window.cancel_button.isVisible()
    assert window.compute_button.isEnabled()
    window.compute_button.click()
    qtbot.waitUntil(lambda: not window.busy)
    np.testing.assert_array_equal(window.values[0], exact(viewer, 550.0, 2, 3))


def test_cubes_that_a_layer_was_given_meanwhile_are_those_that_are_plotted(viewer, panel, qtbot):
    panel.pin((0.0, 550.0, 2.0, 3.0))
    window = panel.open_window("Over time")
    panel._update_all()
    qtbot.waitUntil(lambda: not window.busy and window.values.size == COUNT)
    other = np.random.default_rng(4).integers(20, 230, (COUNT, 6, 8, 3)).astype(np.uint8)
    stack = stack_of_array(other, axes=viewer.layers["cubes"].data.frames.stack.axes)
    viewer.layers["cubes"].data = FrameCubes(stack, MODEL).data
    panel._update_all()
    qtbot.waitUntil(lambda: not window.busy and np.isfinite(window.values).all())
    np.testing.assert_allclose(window.values[0], exact(viewer, 550.0, 2, 3), rtol=1e-5)


def test_without_cubes_of_a_film_it_says_what_to_do(panel, viewer):
    window = panel.open_window("Over time")
    assert "Shift-click" in window.plot._placeholder.text()
    viewer.layers.clear()
    assert "Open a film" in window._advice()
    assert not window.compute_button.isEnabled()
