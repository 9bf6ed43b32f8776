"""Set wavelengths…: what is typed is checked at once and said in one sentence."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.viewer import axis, layer_data, layers
from napari_hsr.viewer.undo import undo_of
from napari_hsr.widgets.wavelength.set_wavelengths import SetWavelengthsWidget


def add(viewer, bands, nm=None, assumed=False):
    cube = Cube(
        np.zeros((bands, 6, 5), np.float32), None if nm is None else Wavelengths(nm, assumed)
    )
    return layers.add_cube(viewer, cube)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    widget = SetWavelengthsWidget(viewer)
    qtbot.addWidget(widget)
    return widget


def test_without_a_cube(panel):
    assert panel.now.text() == "Open a cube first."
    assert not panel.apply_button.isEnabled()
    assert not panel.apply()


def test_evenly_spaced(viewer, panel):
    layer = add(viewer, 12)
    assert panel.now.text() == "Now: 12 bands, wavelengths not known."
    axis.go_to_band(viewer, layer, 5)
    panel.form.first.value = 450
    panel.form.last.value = 1000
    assert "450–1000 nm, every 50 nm" in panel.message.text()
    panel.apply_button.click()
    assert list(layer_data.layer_wavelengths(layer)) == list(np.linspace(450, 1000, 12))
    assert axis.current_band(viewer, layer) == 5  # the same picture as before
    assert panel.now.text() == "Now: 12 bands, 450–1000 nm, every 50 nm."


def test_taken_back_they_leave_what_else_was_changed_since(viewer, panel):
    layer = add(viewer, 12)
    layer.metadata["note"] = "before"
    panel.form.first.value, panel.form.last.value = 450, 1000
    panel.apply_button.click()
    layer.metadata.update({"note": "since", "mine": 1})
    layer.scale, layer.translate = (*layer.scale[:1], 3, 3), (*layer.translate[:1], 7, 8)
    assert undo_of(viewer).undo() == "set wavelengths"
    assert layer_data.layer_wavelengths(layer) is None
    assert (layer.metadata["note"], layer.metadata["mine"]) == ("since", 1)
    assert (*layer.scale, *layer.translate) == (1, 3, 3, 0, 7, 8)
    assert layer.axis_labels == ("band", "y", "x")


def test_they_are_not_taken_back_from_values_of_other_bands(viewer, panel):
    layer = add(viewer, 31, np.arange(400, 701, 10))
    panel.form.first.value, panel.form.last.value = 500, 800
    panel.apply_button.click()
    told, stack = [], undo_of(viewer)
    stack.events.changed.connect(lambda event: told.append(stack.last()))
    layer.data = layer.data[:20]
    assert told
    assert "set wavelengths" not in (told[-1], stack.last(), stack.undo())
    layer.data = np.zeros((31, 6, 5), np.float32)
    assert stack.last() == ""  # the step was passed over, and is gone


def test_an_assumption_is_confirmed_with_one_click(viewer, panel):
    layer = add(viewer, 31, np.arange(400, 701, 10), assumed=True)
    assert "assumed" in panel.now.text()
    panel.apply_button.click()
    assert not layer_data.layer_wavelengths(layer).assumed
    assert "assumed" not in panel.now.text()


def test_a_wrong_order_is_told(viewer, panel):
    add(viewer, 12)
    panel.form.first.value = 900
    panel.form.last.value = 450
    assert panel.message.kind == "warning"
    assert "must lie above" in panel.message.text()
    assert not panel.apply_button.isEnabled()
    assert panel.wavelengths is None


def test_a_list(viewer, panel):
    layer = add(viewer, 4)
    panel.form.spacing.value = "list"
    assert "4 wavelengths are needed" in panel.message.text()
    assert not panel.apply_button.isEnabled()
    panel.form.centres.value = "400, 410, 500"
    assert "3 wavelengths are given, but the cube has 4 bands" in panel.message.text()
    panel.form.centres.value = "0.4 0.41 0.5 0.9"
    assert "choose µm" in panel.message.text()
    panel.form.unit.value = "µm"
    assert "irregularly spaced" in panel.message.text()
    panel.apply_button.click()
    assert list(layer_data.layer_wavelengths(layer)) == pytest.approx([400, 410, 500, 900])
    assert not axis.on_nm_axis(layer)


def test_a_file(viewer, panel, tmp_path):
    layer = add(viewer, 3)
    (tmp_path / "a.csv").write_text("band,nm\n1,500\n2,510\n3,520\n")
    panel.read_file(tmp_path / "a.csv")
    assert panel.apply()
    assert list(layer_data.layer_wavelengths(layer)) == [500, 510, 520]
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x81")
    panel.read_file(tmp_path / "b.csv")
    assert panel.message.kind == "error"
    assert "binary" in panel.message.text()


def test_the_cube_removed(viewer, panel):
    layer = add(viewer, 3)
    viewer.layers.remove(layer)
    assert panel.wavelengths is None
    assert not panel.apply_button.isEnabled()
    assert not panel.apply()


def test_an_irregular_grid_is_not_replaced_by_one_click(viewer, panel):
    nm = [400, 410, 437.25, 900]
    layer = add(viewer, 4, nm)
    assert panel.form.spacing.value == "list"
    assert panel.apply_button.isEnabled()
    panel.apply_button.click()
    assert list(layer_data.layer_wavelengths(layer)) == nm
    regular = add(viewer, 3, [500, 510, 520])
    panel.chooser.set_layer(regular)
    assert panel.form.spacing.value == "evenly spaced"
    panel.apply_button.click()
    assert list(layer_data.layer_wavelengths(regular)) == [500, 510, 520]


def test_one_band_is_one_band(viewer, panel):
    add(viewer, 1)
    assert panel.now.text() == "Now: 1 band, wavelengths not known."
    panel.form.spacing.value = "list"
    assert panel.message.text() == "One wavelength is needed."
    panel.form.centres.value = "400 410"
    assert panel.message.text() == "2 wavelengths are given, but the cube has 1 band."
    panel.form.centres.value = "550"
    assert panel.apply()
    assert panel.now.text() == "Now: 1 band, 550 nm."


def test_through_the_menu(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    layer = add(viewer, 5)
    _, panel = viewer.window.add_plugin_dock_widget("napari-hsr", "Set wavelengths…")
    assert panel.chooser.layer() == layer
    panel.form.first.value = 500
    panel.form.last.value = 540
    assert panel.apply()
    assert tuple(viewer.dims.range[0]) == (500, 540, 10)
