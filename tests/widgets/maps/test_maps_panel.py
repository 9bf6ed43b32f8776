"""The Maps panel: what it offers, refuses and adds."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog, QMessageBox

import napari_hsr
from napari_hsr.analysis import components, from_spectra, index, unmix
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.matching import classify
from napari_hsr.provenance import Provenance
from napari_hsr.spectral_library import SpectralLibrary
from napari_hsr.viewer.classes import add_classes
from napari_hsr.viewer.layer_data import layer_cube, layer_state
from napari_hsr.viewer.layers import add_cube, set_wavelengths
from napari_hsr.viewer.names import rename
from napari_hsr.widgets.common.close_guard import GOES_ON
from napari_hsr.widgets.maps import panel as maps_panel
from napari_hsr.widgets.maps.panel import COMPONENTS, INDEX, UNMIX, MapsWidget
from napari_hsr.widgets.maps.unmix_form import _of_library

NM = np.arange(400.0, 701.0, 20.0)
SPECTRA = np.random.default_rng(3).uniform(0.1, 0.9, (2, NM.size))
RANDOM = np.random.default_rng(8)


def scene():
    share = np.linspace(0, 1, 30).reshape(5, 6)
    values = np.tensordot(SPECTRA.T, np.stack([share, 1 - share]), 1)
    values += np.random.default_rng(0).normal(0, 0.001, values.shape)
    made = Provenance("p.png", model="a model")
    return Cube(values, Wavelengths(NM), "reflectance", name="scene", provenance=made)


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    add_cube(viewer, scene())
    viewer.add_points(np.array([[2.0, 2.0]]), name="user's")
    return viewer


@pytest.fixture
def panel(viewer, qtbot):
    widget = MapsWidget(viewer)
    qtbot.addWidget(widget)
    yield widget
    widget.release()


def ran(panel, qtbot):
    assert panel.run_button.isEnabled(), panel.reason.text()
    panel.run()
    assert not panel.run_button.isEnabled()
    qtbot.waitUntil(panel.run_button.isEnabled)


def test_an_index_is_a_layer_directly_above_its_cube(panel, viewer, qtbot):
    qtbot.waitUntil(lambda: "VARI" in panel.index.choices.offered())
    assert "NDVI" not in panel.index.choices.offered()
    texts = [panel.index.choices.itemText(row) for row in range(panel.index.choices.count())]
    assert "VARI · Visible Atmospherically Resistant Index" in texts
    panel.index.what.setText("vari")
    assert "Visible Atmospherically" in panel.index.about.text()
    ran(panel, qtbot)
    assert [layer.name for layer in viewer.layers] == ["scene", "VARI · scene", "user's"]
    made = viewer.layers[1]
    np.testing.assert_array_equal(made.data, index(scene(), "VARI").data[0])
    assert layer_state(made)["provenance"]["extra"]["analysis"]["index"] == "VARI"
    assert "a model" in panel.message.text()
    assert panel.message.kind == "warning"
    ran(panel, qtbot)
    assert len(viewer.layers) == 3  # in place of the first


def test_what_cannot_be_made_is_said_before_the_run(panel, viewer, qtbot):
    assert panel.reason.kind == "info"
    assert not panel.run_button.isEnabled()
    for text in ("ndvi", "b650 +", "b900"):
        panel.index.what.setText(text)
        assert panel.reason.kind == "warning"
        assert not panel.run_button.isEnabled()
    panel.index.what.setText("b651 - b550")
    assert panel.run_button.isEnabled()
    panel.tabs.setCurrentIndex(UNMIX)
    assert "Two endmembers" in panel.reason.text()
    viewer.layers.remove("scene")
    assert "Open a cube" in panel.reason.text()


def test_components_have_maps_a_scree_plot_and_loadings(panel, viewer, qtbot, tmp_path):
    panel.tabs.setCurrentIndex(COMPONENTS)
    panel.components.method.set_value("mnf")
    panel.components.number.setValue(3)
    ran(panel, qtbot)
    layers = [layer for layer in viewer.layers if "MNF" in layer.name]
    assert [layer.visible for layer in layers] == [True, False, False]
    assert all(layer_state(layer)["unit"] for layer in layers)
    expected = components(scene(), "mnf", 3)
    (scree,) = panel.components.plot.curves
    np.testing.assert_allclose(scree.y, np.log10(expected.eigenvalues[:10]))
    panel.components.view.set_value("loadings")
    assert [curve.name for curve in panel.components.plot.curves] == expected.names
    assert "nm" in panel.components.plot.labels[0]
    assert not panel.components.results.isHidden()
    panel.tabs.setCurrentIndex(INDEX)
    assert panel.components.results.isHidden()
    panel.index.what.setText("b650")
    ran(panel, qtbot)
    assert not any(layer.visible for layer in layers)
    panel.tabs.setCurrentIndex(COMPONENTS)
    panel.components.number.setValue(2)
    ran(panel, qtbot)
    assert sum("MNF" in layer.name for layer in viewer.layers) == 2
    panel.save(tmp_path / "mnf.tif")
    assert napari_hsr.read(tmp_path / "mnf.tif").shape == (2, 5, 6)


@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize("change", ["data", "removed", "wavelengths"])
def test_maps_of_what_a_cube_no_longer_holds_are_not_shown(panel, viewer, qtbot, change, chosen):
    panel.tabs.setCurrentIndex(COMPONENTS)
    panel.run()
    layer = viewer.layers["scene"]
    if not chosen:  # the cube of a run that ends meanwhile is
        viewer.layers.selection.active = add_cube(viewer, scene(), name="another")
        assert panel.chooser.layer() != layer
    if change == "data":
        layer.data = np.ones((NM.size, 2, 3), np.float32)
    elif change == "wavelengths":
        set_wavelengths(layer, NM + 250)
    else:
        viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: not panel.cancel_button.isEnabled())
    others = [one.name for one in viewer.layers if one != layer]
    assert others == (["user's"] if chosen else ["user's", "another"])
    assert panel.message.text().startswith("Stopped: ")


def test_indices_are_offered_by_the_wavelengths_that_a_cube_has_now(panel, viewer, qtbot):
    qtbot.waitUntil(lambda: "VARI" in panel.index.choices.offered())
    set_wavelengths(viewer.layers["scene"], NM + 250)
    qtbot.waitUntil(lambda: "NDVI" in panel.index.choices.offered())


def test_endmembers_are_pins_regions_and_spectra_of_a_library(
    panel, viewer, qtbot, tmp_path, monkeypatch
):
    library = SpectralLibrary(("leaf", "soil"), NM, SPECTRA, "reflectance")
    path = napari_hsr.write(library, tmp_path / "lib.csv")
    panel.tabs.setCurrentIndex(UNMIX)
    panel.unmix.add_library(path)
    image = np.zeros((5, 6), int)
    image[0, :2] = 1
    viewer.add_labels(image, name="patch")
    assert panel.unmix.ticked() == ["pin 1", "patch 1"]
    panel.unmix.tick("leaf", "soil")
    ran(panel, qtbot)
    named = {layer.name.split(" · ")[0]: layer for layer in viewer.layers}
    share = np.linspace(0, 1, 30).reshape(5, 6)
    np.testing.assert_allclose(named["leaf"].data, share, atol=0.01)
    assert named["leaf"].contrast_limits == [0, 1]
    residual = next(layer for name, layer in named.items() if name.startswith("residual"))
    assert float(residual.data.max()) < 0.004
    assert [p.name for p in panel.save(tmp_path / "u.tif")] == ["u.tif", "u_residual.tif"]
    (tmp_path / "new_residual.tif").write_text("the user's own")
    chosen, asked = str(tmp_path / "new.tif"), []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (chosen, ""))
    no = QMessageBox.StandardButton.No
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()) or no)
    panel.save_button.click()
    assert asked == ["“new_residual.tif” already exists. Replace it?"]
    assert (tmp_path / "new_residual.tif").read_text() == "the user's own"
    assert not (tmp_path / "new.tif").exists()
    panel.unmix.tick("pin 1", "patch 1")
    ran(panel, qtbot)
    pin = next(layer for layer in viewer.layers if layer.name.startswith("pin 1"))
    assert pin.data[2, 2] == pytest.approx(1, abs=0.02)


def test_the_window_goes_on_while_maps_are_saved_and_a_fault_is_told(
    panel, qtbot, tmp_path, monkeypatch
):
    panel.index.what.setText("b650")
    ran(panel, qtbot)
    threads, work = [], maps_panel._written

    def noted(*about):
        threads.append(threading.current_thread())
        return work(*about)

    monkeypatch.setattr(maps_panel, "_written", noted)
    for folder, kind in ((tmp_path, "info"), (tmp_path / "missing", "error")):
        chosen = str(folder / "m.tif")
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, chosen=chosen: (chosen, ""))
        panel.save_button.click()
        assert not panel.save_button.isEnabled()
        qtbot.waitUntil(panel.save_button.isEnabled)
        assert panel.message.kind == kind
        assert chosen in panel.message.text()
    assert napari_hsr.read(tmp_path / "m.tif").shape == (1, 5, 6)
    assert threading.main_thread() not in threads


def test_maps_that_are_written_on_after_their_panel_was_closed_are_told(
    panel, qtbot, tmp_path, monkeypatch
):
    panel.index.what.setText("b650")
    ran(panel, qtbot)
    go, told, path = threading.Event(), [], tmp_path / "m.tif"
    monkeypatch.setattr(maps_panel, "_written", lambda _made, paths: go.wait(10) and paths)
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    panel.save_button.click()
    panel.release()
    go.set()
    (said,) = told
    assert said.endswith(GOES_ON)


def test_a_pin_that_was_moved_since_it_was_listed_is_measured_where_it_is(panel, viewer, qtbot):
    panel.tabs.setCurrentIndex(UNMIX)
    pins, made = viewer.layers["user's"], scene()
    pins.add([0.0, 0.0])
    panel.unmix.refresh()
    panel.unmix.tick("pin 1", "pin 2")
    pins.data = [[4.0, 5.0], [0.0, 0.0]]
    ran(panel, qtbot)
    share = next(layer for layer in viewer.layers if layer.name.startswith("pin 1"))
    ends = from_spectra(made, {"a": made.data[:, 4, 5], "b": made.data[:, 0, 0]})
    np.testing.assert_allclose(share.data, unmix(made, ends).abundances.data[0], atol=1e-5)


def test_endmembers_of_another_quantity_or_on_other_bands_are_told(panel, qtbot, tmp_path):
    panel.tabs.setCurrentIndex(UNMIX)
    nm = np.arange(390.0, 721.0, 10.0)
    dyes = SpectralLibrary(("dye", "ink"), nm, RANDOM.random((2, nm.size)), "absorbance")
    panel.unmix.add_library(str(napari_hsr.write(dyes, tmp_path / "dyes.csv")))
    panel.unmix.tick("dye", "ink")
    ran(panel, qtbot)
    assert "The spectra of dyes are absorbance, and scene holds reflectance" in panel.message.text()
    assert panel.message.text().count("The spectra of dyes") == 1


def test_a_layer_of_points_without_a_point_has_no_endmembers(panel, viewer):
    panel.tabs.setCurrentIndex(UNMIX)
    viewer.add_points(np.zeros((0, 2)), name="new")  # as pinning does, and napari's own button
    assert panel.unmix.ticked() == ["pin 1"]


def test_many_regions_are_not_ticked_by_themselves(panel, viewer):
    panel.tabs.setCurrentIndex(UNMIX)
    viewer.add_labels(np.arange(30).reshape(5, 6), name="patches")
    assert len(panel.unmix.list.texts()) == 30
    assert panel.unmix.ticked() == ["pin 1"]


def test_a_classification_is_no_endmember(panel, viewer):
    panel.tabs.setCurrentIndex(UNMIX)
    layer = viewer.layers[0]
    library = SpectralLibrary(("leaf", "soil"), NM, SPECTRA, "reflectance")
    found = classify(layer_cube(layer), library)
    add_classes(viewer, found, ["#ff0000", "#00ff00"], layer)
    assert panel.unmix.ticked() == ["pin 1"]


def test_a_damaged_library_and_alike_endmembers_are_said(panel, viewer, qtbot, tmp_path):
    (tmp_path / "bad.csv").write_text("nothing")
    panel.unmix.add_library(tmp_path / "bad.csv")
    assert panel.unmix.message.kind == "error"
    twice = from_spectra(scene(), {"a": SPECTRA[0], "b": SPECTRA[0]})
    panel.unmix.add_library(napari_hsr.write(twice, tmp_path / "twice.csv"))
    assert panel.unmix.message.text() == ""
    panel.tabs.setCurrentIndex(UNMIX)
    panel.unmix.tick("a", "b")
    ran(panel, qtbot)
    assert panel.message.kind == "error"
    assert len(viewer.layers) == 2


def test_another_cube_and_another_tab_have_their_own_reasons(panel, viewer, qtbot):
    wide = np.arange(400.0, 1001.0, 20.0)
    other = Cube(np.random.default_rng(0).random((wide.size, 4, 4)), wide, name="wide")
    panel.index.what.setText("ndvi")
    assert not panel.run_button.isEnabled()
    layer = add_cube(viewer, other)
    panel.chooser.set_layer(layer)
    assert panel.run_button.isEnabled()
    assert panel.tabs.currentIndex() == INDEX


def test_a_map_that_another_picture_hides_is_told_and_nothing_is_said_of_other_maps(
    panel, viewer, qtbot
):
    viewer.add_image(np.zeros((5, 6)), name="far away", translate=(90, 90))
    viewer.add_image(np.zeros((5, 6)), name="cover")
    panel.tabs.setCurrentIndex(COMPONENTS)
    ran(panel, qtbot)
    assert "“cover” lies over it" in panel.message.text()
    panel.tabs.setCurrentIndex(UNMIX)
    assert not panel.message.text()
    viewer.layers["cover"].visible = False
    panel.tabs.setCurrentIndex(COMPONENTS)
    ran(panel, qtbot)
    assert "lies over" not in panel.message.text()


def test_a_library_in_percent_is_brought_to_the_cube_as_it_is_listed_beside_pins_and_told():
    percent = SpectralLibrary(("dye",), NM, 100 * SPECTRA[1:], "%", "dyes")
    spectrum, told = _of_library(percent, 0)(scene())
    np.testing.assert_allclose(spectrum, SPECTRA[1], rtol=1e-6)
    assert "dyes were in % and multiplied by 0.01, as reflectance takes" in told[0]


def test_a_hidden_endmember_is_told_and_no_other_of_its_name_takes_its_place(panel, viewer, qtbot):
    panel.tabs.setCurrentIndex(UNMIX)
    viewer.layers["user's"].add([0.0, 0.0])
    viewer.add_points(np.array([[4.0, 5.0], [4.0, 4.0]]), name="others")
    panel.unmix.refresh()
    assert panel.unmix.list.texts() == [
        f"pin {n} · {of}" for of in ("user's", "others") for n in (1, 2)
    ]
    panel.unmix.tick("pin 1 · user's", "pin 2 · user's")
    viewer.layers["user's"].visible = False
    panel.run()
    assert "pin 1 · user's, pin 2 · user's are not there" in panel.unmix.message.text()
    assert panel.unmix.list.texts() == ["pin 1", "pin 2"]  # those of the others
    assert panel.unmix.ticked() == []
    viewer.layers["user's"].visible = True
    panel.unmix.refresh()
    assert panel.unmix.ticked() == ["pin 1 · user's", "pin 2 · user's"]
    ran(panel, qtbot)
    share = next(layer for layer in viewer.layers if layer.name.startswith("pin 1 · user's "))
    ends = from_spectra(scene(), {"a": scene().data[:, 2, 2], "b": scene().data[:, 0, 0]})
    np.testing.assert_allclose(share.data, unmix(scene(), ends).abundances.data[0], atol=1e-5)


def test_pins_have_the_names_that_the_user_gave_them(panel, viewer, qtbot):
    panel.tabs.setCurrentIndex(UNMIX)
    viewer.layers["user's"].add([0.0, 0.0])
    viewer.add_points(np.array([[4.0, 5.0]]), name="others")
    panel.unmix.refresh()
    for name in ("user's", "others"):
        rename(viewer.layers[name], 0, "leaf")
    panel.unmix.refresh()
    assert panel.unmix.list.texts() == ["leaf · user's", "pin 2", "leaf · others"]
    panel.unmix.tick("leaf · user's", "pin 2")
    ran(panel, qtbot)
    assert any(layer.name.startswith("leaf · user's · ") for layer in viewer.layers)
