"""Measured spectra attached to pins and shapes correct a cube, or are refused; undone by one click."""

import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.io import write
from napari_hsr.spectral_library import SpectralLibrary
from napari_hsr.viewer.layer_data import layer_cube
from napari_hsr.viewer.layers import add_cube
from napari_hsr.viewer.undo import undo_of
from napari_hsr.widgets.measurements import anchors
from napari_hsr.widgets.measurements.panel import MeasurementsWidget

from ...patience import PATIENCE

NM = np.arange(400.0, 701.0, 10.0)
GAIN = np.linspace(0.7, 1.4, 31)
PLACES = {"leaf": (2, 2), "soil": (2, 9), "wall": (9, 2)}


@pytest.fixture
def viewer():
    """A cube of three flat materials, pinned; a shape around the fourth."""
    viewer = ViewerModel()
    data = np.empty((31, 12, 14), np.float32)
    rng = np.random.default_rng(1)
    for rows in (slice(0, 6), slice(6, 12)):
        for columns in (slice(0, 7), slice(7, 14)):
            data[:, rows, columns] = (0.2 + 0.5 * rng.random(31))[:, None, None]
    add_cube(viewer, Cube(data, Wavelengths(NM), "reflectance", "cube"))
    viewer.add_points(np.array(list(PLACES.values()), float), name="pinned spectra")
    viewer.add_shapes([np.array([[7.6, 8.6], [7.6, 12.4], [10.4, 12.4], [10.4, 8.6]])])
    return viewer


@pytest.fixture
def section(viewer, qtbot):
    panel = MeasurementsWidget(viewer)
    qtbot.addWidget(panel)
    yield panel.anchors
    panel.release()


def measured(viewer, folder, gain):
    data = viewer.layers[0].data
    at = {**PLACES, "sand": (9, 10)}
    values = np.stack([data[:, r, c] * gain for r, c in at.values()])
    return write(SpectralLibrary(tuple(at), NM, values, "reflectance"), folder / "field.csv")


def settled(section, qtbot):
    qtbot.waitUntil(lambda: not section.busy)


def test_spectra_at_pins_and_in_a_shape_correct_the_cube(viewer, section, qtbot, tmp_path):
    settled(section, qtbot)
    assert not section.apply_button.isEnabled()
    section.read(measured(viewer, tmp_path, GAIN))
    # as many spectra as places: each is suggested in its turn
    names, places = zip(*section.attached(), strict=True)
    assert names == ("leaf", "soil", "wall", "sand")
    assert places[:3] == tuple(PLACES.values())
    assert places[3].sum() == 12
    section.run()
    settled(section, qtbot)
    before, after = (layer_cube(layer) for layer in viewer.layers[:2])
    truth = before.data * GAIN[:, None, None]
    assert np.abs(after.data - truth).mean() < 0.3 * np.abs(before.data - truth).mean()
    assert "4 anchors: difference" in section.message.text()
    assert after.provenance.extra["anchors"]["places"]["sand"] == [9.0, 10.5]
    assert not viewer.layers[0].visible
    assert section.cube.layer() == viewer.layers[0]  # still the one to correct
    cover = viewer.add_image(np.zeros(before.data.shape[1:]), name="cover")
    section.run()  # a second time
    settled(section, qtbot)
    assert "“cover” lies over it" in section.message.text()
    viewer.layers.remove(cover)
    assert len(viewer.layers) == 5
    section.cube.set_layer(viewer.layers[1])  # what was corrected, once more
    settled(section, qtbot)
    section.choose(0, "not measured")
    section.run()
    settled(section, qtbot)
    assert "refused" in section.message.text()
    section.undo_button.click()
    assert len(viewer.layers) == 3
    assert viewer.layers[0].visible
    assert not section.undo_button.isEnabled()


def test_places_are_those_where_pins_lie_when_it_is_run(viewer, section, qtbot, tmp_path):
    section.read(measured(viewer, tmp_path, GAIN))
    viewer.layers[1].translate = (0, 1)  # which moves no point in its layer
    section.run()
    settled(section, qtbot)
    found = layer_cube(viewer.layers[1]).provenance.extra["anchors"]["places"]
    assert found["leaf"] == [2, 3]


def test_places_that_are_moved_while_it_runs_are_told(
    viewer, section, qtbot, tmp_path, monkeypatch
):
    go, begun, real = threading.Event(), threading.Event(), anchors.anchored_events

    def waiting(*args):
        begun.set()
        go.wait(PATIENCE)
        return (yield from real(*args))

    section.read(measured(viewer, tmp_path, GAIN))
    settled(section, qtbot)
    section.run()
    settled(section, qtbot)
    assert "meanwhile" not in section.message.text()
    section.undo()
    monkeypatch.setattr(anchors, "anchored_events", waiting)
    section.run()
    qtbot.waitUntil(begun.is_set)
    viewer.layers[1].data = np.array([[2.0, 4.0], *list(PLACES.values())[1:]])
    go.set()
    settled(section, qtbot)
    assert "were changed meanwhile" in section.message.text()
    assert section.message.kind == "warning"
    found = layer_cube(viewer.layers[1]).provenance.extra["anchors"]["places"]
    assert found["leaf"] == [2, 2]


def test_one_step_back_shows_the_cube_again_also_where_it_is_asked_for_elsewhere(
    viewer, section, qtbot, tmp_path
):
    section.read(measured(viewer, tmp_path, GAIN))
    settled(section, qtbot)
    cube = viewer.layers[0]
    section.run()
    settled(section, qtbot)
    assert not cube.visible
    assert undo_of(viewer).undo() == "correct cube"  # as Spectra does
    assert cube.visible
    assert len(viewer.layers) == 3
    settled(section, qtbot)
    assert not section.undo_button.isEnabled()
    cube.visible = False  # by the user
    section.run()
    settled(section, qtbot)
    section.cube.set_layer(viewer.layers[1])
    made = viewer.layers[1]
    made.data = made.data / GAIN[:, None, None].astype(np.float32)
    settled(section, qtbot)
    section.run()  # of what was corrected
    settled(section, qtbot)
    assert len(viewer.layers) == 5
    section.undo_button.click()
    assert len(viewer.layers) == 3
    assert not cube.visible


def test_what_does_not_help_is_refused(viewer, section, qtbot, tmp_path):
    settled(section, qtbot)
    section.read(measured(viewer, tmp_path, np.ones(31)))
    section.run()
    settled(section, qtbot)
    assert "refused" in section.message.text()
    assert len(viewer.layers) == 3
    assert not section.undo_button.isEnabled()


def test_the_choice_stays_with_its_place_and_bad_files_are_told(viewer, section, qtbot, tmp_path):
    settled(section, qtbot)
    section.read(measured(viewer, tmp_path, GAIN))
    section.choose(1, "not measured")
    assert [name for name, _ in section.attached()] == ["leaf", "wall", "sand"]
    viewer.layers["pinned spectra"].add([[5.0, 5.0]])
    settled(section, qtbot)
    assert [name for name, _ in section.attached()] == ["leaf", "wall", "sand"]
    section.choose(0, "not measured")
    section.choose(2, "not measured")
    assert not section.apply_button.isEnabled()  # one anchor shows nothing
    bad = tmp_path / "bad.csv"
    bad.write_text("nothing here", encoding="utf-8")
    section.read(bad)
    assert "bad.csv" in section.message.text()


def test_a_pin_that_begins_anew_has_not_the_spectrum_of_one_that_was_removed(
    viewer, section, qtbot, tmp_path
):
    pins = viewer.layers["pinned spectra"]
    settled(section, qtbot)
    section.read(measured(viewer, tmp_path, GAIN))
    section.choose(0, "sand")
    pins.selected_data = {*range(len(pins.data))}
    pins.remove_selected()
    settled(section, qtbot)
    pins.add([[5.0, 5.0]])
    settled(section, qtbot)
    place, box = next(iter(section._choosers.values()))
    assert place.name == "pin 1 (row 5, column 5)"
    assert box.value() != "sand"


def test_measured_spectra_stay_with_their_shapes_when_another_is_removed(
    viewer, section, qtbot, tmp_path
):
    shapes = viewer.layers[-1]
    shapes.add_rectangles([[1.6, 1.6], [3.4, 3.4]])
    shapes.add_rectangles([[5.6, 1.6], [7.4, 3.4]])
    section.read(measured(viewer, tmp_path, GAIN))
    settled(section, qtbot)
    places = len(section.attached())
    names = [place.name for place, _ in section._choosers.values()]
    at = names.index("Shapes 2")
    section.choose(at, "sand")
    section.choose(at + 1, "not measured")
    shapes.selected_data = {0}
    shapes.remove_selected()
    settled(section, qtbot)
    kept = {place.name: box.value() for place, box in section._choosers.values()}
    assert kept["Shapes 2"] == "sand"
    assert kept["Shapes 3"] == "not measured"
    assert "Shapes 1" not in kept
    assert places >= len(section.attached())


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_a_cube_that_is_none_any_more_is_not_corrected(viewer, section, qtbot, tmp_path, change):
    section.read(measured(viewer, tmp_path, GAIN))
    settled(section, qtbot)
    section.run()
    cube = viewer.layers[0]
    if change == "changed":
        cube.data = np.array(cube.data)
    else:
        viewer.layers.remove(cube)
    settled(section, qtbot)
    assert section.message.text() == f"The cube was {change} before it was corrected."


def test_spectra_on_another_scale_are_refused_in_one_sentence(viewer, section, qtbot, tmp_path):
    settled(section, qtbot)
    section.read(measured(viewer, tmp_path, GAIN))
    viewer.layers[0].data = viewer.layers[0].data / 100
    settled(section, qtbot)
    section.run()
    settled(section, qtbot)
    assert section.message.kind == "error"
    assert "scale" in section.message.text()


def test_two_spectra_for_one_place_contradict_each_other(viewer, section, qtbot, tmp_path):
    settled(section, qtbot)
    section.read(measured(viewer, tmp_path, GAIN))
    viewer.layers["pinned spectra"].add([PLACES["leaf"]])
    settled(section, qtbot)
    section.choose(3, "soil")
    section.run()
    settled(section, qtbot)
    assert section.message.kind == "error"
    assert "leaf and soil contradict each other" in section.message.text()
    assert len(viewer.layers) == 3


def test_names_of_places_are_no_markup(viewer, section, qtbot, tmp_path):
    viewer.layers[-1].features = {"name": ['<img src="file:///a">']}
    section.read(measured(viewer, tmp_path, GAIN))
    settled(section, qtbot)
    tips = [chooser.toolTip() for _, chooser in section._choosers.values()]
    assert any("&lt;img" in one for one in tips)
    labels = section._rows.findChildren(QLabel)
    assert any("<img" in one.text() for one in labels)
    assert all(one.textFormat() == Qt.TextFormat.PlainText for one in labels if "<" in one.text())
