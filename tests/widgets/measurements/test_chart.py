"""Four corners over a chart give a photograph in true colours and a kept camera profile."""

import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from skimage.draw import polygon

from napari_hsr import Photograph
from napari_hsr.cameras.estimate import GRID_NM
from napari_hsr.cameras.profiles import list_profiles
from napari_hsr.colour import rendering_matrix
from napari_hsr.trust.chart_layout import CLASSIC, quadrilaterals, reflectances_of
from napari_hsr.viewer.layer_data import layer_photograph
from napari_hsr.viewer.layers import add_photograph
from napari_hsr.widgets.common.close_guard import ENDED
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.measurements import chart
from napari_hsr.widgets.measurements.chart import fitting_corners
from napari_hsr.widgets.measurements.panel import MeasurementsWidget

from ...patience import PATIENCE
from ..inference.panel_runs import run

CORNERS = np.array([[12.0, 15], [9, 140], [95, 150], [100, 8]])
TINT = np.array([0.4, 0.8, 0.6])


@pytest.fixture(scope="module")
def photograph():
    """A chart under the CIE 1931 observer, with a tint instead of a white balance."""
    colours = reflectances_of(CLASSIC, GRID_NM) @ rendering_matrix(GRID_NM, "D65")
    image = np.full((110, 160, 3), 0.03, np.float32)
    for outline, colour in zip(quadrilaterals(CORNERS, CLASSIC, 0.8), colours, strict=True):
        image[polygon(outline[:, 0], outline[:, 1], image.shape[:2])] = np.maximum(colour, 0) * TINT
    return Photograph(image, encoding="linear-srgb", name="shot")


@pytest.fixture
def viewer(photograph):
    viewer = ViewerModel()
    add_photograph(viewer, photograph, scale=(2, 2))
    return viewer


@pytest.fixture
def section(viewer, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_HSR_DATA", str(tmp_path))
    panel = MeasurementsWidget(viewer)
    qtbot.addWidget(panel)
    yield panel.chart
    panel.release()


def test_the_layout_follows_the_corners_and_the_chart(viewer, section):
    section.place_button.click()
    overlay = section.overlay
    assert len(overlay.layout.data) == 24
    assert tuple(overlay.points.scale) == (2, 2)
    assert viewer.layers[0].extent.data.min() <= overlay.corners().min()
    overlay.points.data = CORNERS
    np.testing.assert_allclose(overlay.layout.data[3], quadrilaterals(CORNERS, CLASSIC)[3])
    section.chart.set_value("sg")
    assert len(overlay.layout.data) == 140
    section.place_button.click()  # a second time: the first is taken away
    assert len(viewer.layers) == 3


def test_a_chart_is_placed_in_three_dimensions_too(viewer, section):
    viewer.dims.ndisplay = 3
    for _ in range(2):
        section.place_button.click()
    section.chart.set_value("sg")
    assert len(section.overlay.layout.data) == 140


def test_measured_the_photograph_is_in_true_colours_and_reconstruct_takes_it(
    viewer, section, photograph, qtbot
):
    reconstruct = ReconstructWidget(viewer)
    qtbot.addWidget(reconstruct)
    section.place()
    section.overlay.points.data = CORNERS
    section.name.setText("my camera")
    cover = viewer.add_image(np.zeros(photograph.data.shape[:2]), name="cover")
    section.measure_button.click()
    qtbot.waitUntil(lambda: not section.busy)
    assert "“cover” lies over it" in section.message.text()
    viewer.layers.remove(cover)
    made = layer_photograph(viewer.layers[1])
    assert len(viewer.layers) == 2
    np.testing.assert_allclose(made.data, photograph.data / TINT, rtol=0.06, atol=0.03)
    assert "Kept as the camera profile my camera" in section.message.text()
    assert list_profiles() == ["my camera"]
    assert reconstruct.photograph.layer() == viewer.layers[1]
    # the profile is among the cameras, and makes the photograph as taken the same
    reconstruct.photograph.set_layer(viewer.layers[0])
    reconstruct.model.set_name("rootpoly-srgb")
    reconstruct.trust.camera.set_value("profile:my camera")
    reconstruct.trust.exact.setChecked(True)
    run(reconstruct, qtbot)
    record = reconstruct.last_cube.provenance
    assert record.extra["trust"]["camera"] == "my camera, estimated from a chart"
    assert any("camera profile my camera" in step for step in record.steps)
    reconstruct.release()


def test_a_chart_that_is_being_measured_is_not_measured_again(viewer, section, qtbot):
    section.place(CORNERS)
    section.measure_button.click()
    section.measure_button.click()  # impatient
    section.find_button.click()  # which would take the place of the first
    qtbot.waitUntil(lambda: not section.busy)
    assert "Kept as the camera profile shot" in section.message.text()
    assert list_profiles() == ["shot"]
    assert section.find_button.isEnabled()


def test_a_profile_is_not_replaced_and_a_name_that_cannot_be_kept_is_told(viewer, section, qtbot):
    first = viewer.layers[0]
    for name in ("lab", "lab", "Lab"):
        section.photograph.set_layer(first)
        section.place()
        section.overlay.points.data = CORNERS
        section.name.setText(name)
        section.measure()
        qtbot.waitUntil(lambda: not section.busy)
    assert list_profiles() == ["lab 2", "Lab 3", "lab"]
    section.photograph.set_layer(first)
    section.place()
    section.overlay.points.data = CORNERS
    section.name.setText("照片")
    section.measure()
    qtbot.waitUntil(lambda: not section.busy)
    assert "no letter a to z" in section.message.text()


def test_what_is_wrong_is_said_and_nothing_is_kept(viewer, section, qtbot):
    section.place()
    section.overlay.points.data = CORNERS[[2, 3, 0, 1]]
    section.measure()
    qtbot.waitUntil(lambda: not section.busy)
    assert "upside down" in section.message.text()
    section.overlay.points.data = CORNERS[:3]
    section.measure()
    assert "four corners" in section.message.text()
    viewer.layers.remove(section.overlay.points)
    section.measure()
    assert "no longer there" in section.message.text()
    assert list_profiles() == []


def test_corners_are_those_of_the_photograph_that_they_were_placed_on(
    viewer, section, photograph, qtbot, monkeypatch
):
    first = viewer.layers[0]
    half = replace(photograph, data=photograph.data[::2, ::2], name="half")
    second = add_photograph(viewer, half)
    section.photograph.set_layer(first)
    begun, go_on = threading.Event(), threading.Event()

    def find(_photograph, _cancel):
        begun.set()
        go_on.wait()
        yield CORNERS

    monkeypatch.setattr(chart, "find_spec", lambda _name: True)
    monkeypatch.setattr(chart, "_find", find)
    section.find_button.click()
    begun.wait()
    section.photograph.set_layer(second)
    go_on.set()
    qtbot.waitUntil(lambda: section.overlay is not None)
    assert section.overlay.lies_over(first)
    section.measure()
    assert "lie over another photograph" in section.message.text()
    section.photograph.set_layer(first)
    section.measure()
    qtbot.waitUntil(lambda: not section.busy)
    assert viewer.layers[1].name == "shot · by its chart"


def test_where_nothing_finds_charts_a_sentence_says_what_would(section, monkeypatch):
    monkeypatch.setattr(chart, "find_spec", lambda _name: None)
    section.find_button.click()
    assert "pip install colour-checker-detection" in section.message.text()
    assert not section.busy
    assert section.overlay is None


def test_corners_found_in_any_order_are_put_right(photograph):
    turned = CORNERS[[2, 1, 0, 3]]
    np.testing.assert_allclose(fitting_corners(photograph, turned), CORNERS, atol=6)
    assert fitting_corners(photograph, CORNERS[0] + np.zeros((4, 2))) is None


def test_a_chart_that_noise_hides_is_found_in_a_softer_picture(photograph, monkeypatch):
    pictures = []
    large = replace(photograph, data=np.kron(photograph.data, np.ones((4, 4, 1), np.float32)))
    corners = 4 * CORNERS + 1.5

    def detect(picture, additional_data):
        pictures.append(picture)
        outline = corners[:, ::-1] * (1440 / 640)
        return (SimpleNamespace(quadrilateral=outline),) if len(pictures) > 1 else ()

    library = SimpleNamespace(detect_colour_checkers_segmentation=detect)
    monkeypatch.setitem(sys.modules, chart.DETECTION, library)
    found = next(chart._find(large, threading.Event()))
    np.testing.assert_allclose(found, corners, atol=24)
    sharp, soft = (np.abs(np.diff(one, axis=0)).max() for one in pictures)
    assert soft < sharp


def test_a_layer_of_corners_that_was_moved_as_a_whole_is_not_measured(viewer, section):
    section.place(CORNERS)
    section.overlay.points.translate = (10, 0)
    section.measure()
    assert section.message.text() == "The layer of the corners was moved: place them again."
    assert not section.busy


def test_a_photograph_that_changes_while_its_chart_is_measured(viewer, section, qtbot, monkeypatch):
    go, real = threading.Event(), chart.measure_chart

    def slow(*arguments):
        go.wait(PATIENCE)
        return real(*arguments)

    monkeypatch.setattr(chart, "measure_chart", slow)
    section.place(CORNERS)
    section.measure()
    viewer.layers["shot"].data = np.ones_like(viewer.layers["shot"].data)
    go.set()
    qtbot.waitUntil(lambda: not section.busy)
    assert "was changed before its chart was measured" in section.message.text()
    assert "shot · by its chart" not in viewer.layers


def test_a_chart_whose_panel_is_closed_is_told_and_keeps_no_profile(
    viewer, section, qtbot, monkeypatch
):
    go, real, told = threading.Event(), chart.measure_chart, []

    def slow(*arguments):
        go.wait(PATIENCE)
        return real(*arguments)

    monkeypatch.setattr(chart, "measure_chart", slow)
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    before = set(threading.enumerate())
    section.place(CORNERS)
    section.measure()
    section.release()
    assert told == [f"The chart in shot: {ENDED}"]
    go.set()
    qtbot.waitUntil(lambda: not set(threading.enumerate()) - before)
    assert list_profiles() == []
