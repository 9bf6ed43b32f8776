"""A panel that is opened again in its viewer is set as it was; in another viewer it is not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_hsr import io
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.spectral_library import SpectralLibrary
from napari_hsr.viewer.fingerprints import Trace
from napari_hsr.viewer.layers import add_cube
from napari_hsr.viewer.session_file import MOST_TEXT, PanelRecord
from napari_hsr.widgets.common.control_settings import settings
from napari_hsr.widgets.compare.panel import CompareWidget
from napari_hsr.widgets.files.calibrate import CalibrateWidget
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.inference.super_resolve import SuperResolveWidget
from napari_hsr.widgets.maps.panel import MapsWidget
from napari_hsr.widgets.measurements.panel import MeasurementsWidget
from napari_hsr.widgets.session.settings import _fits
from napari_hsr.widgets.spectra.panel import SpectraWidget
from napari_hsr.widgets.train.panel import TrainWidget
from napari_hsr.widgets.wavelength.panel import WavelengthWidget

NM = np.arange(400.0, 701.0, 20.0)


@pytest.fixture
def opened(qtbot):
    """Open a panel in a viewer."""
    panels = []

    def open_panel(kind, viewer):
        panel = kind(viewer)
        qtbot.addWidget(panel)
        panels.append(panel)
        return panel

    yield open_panel
    for panel in panels:
        if hasattr(panel, "release"):
            panel.release()


@pytest.fixture
def viewer():
    """A viewer with two cubes and two pins."""
    viewer = ViewerModel()
    for name in ("one", "two"):
        cube = Cube(np.random.default_rng(0).random((NM.size, 8, 8)), Wavelengths(NM))
        add_cube(viewer, cube, name=name)
    viewer.add_points(np.array([[2.0, 2.0], [5.0, 5.0]]), name="pins")
    return viewer


@pytest.fixture
def soils(tmp_path):
    """A library of as many spectra as are not all drawn at once."""
    names = tuple(f"soil {number}" for number in range(8))
    values = np.random.default_rng(1).random((8, NM.size))
    io.write(SpectralLibrary(names, NM, values, "reflectance", "soils"), tmp_path / "soils.csv")
    return tmp_path / "soils.csv"


def test_reconstruct_keeps_its_model_and_its_tiles(opened):
    viewer = ViewerModel()
    panel = opened(ReconstructWidget, PublicOnlyProxy(viewer))
    first = panel.model.name()
    panel.model.set_name("instant-photo")
    panel.advanced.tile_chooser.setCurrentIndex(1)
    wanted = settings(panel)
    panel.close()
    again = opened(ReconstructWidget, viewer)
    assert again.model.name() == "instant-photo" != first
    assert settings(again) == wanted
    assert opened(ReconstructWidget, ViewerModel()).model.name() == first


def test_the_queue_keeps_its_folders_and_its_format(opened, tmp_path):
    viewer = ViewerModel()
    panel = opened(ReconstructWidget, viewer)
    queue, saving = panel.many.open_queue(), panel.many.open_save()
    queue.set_folder(tmp_path)
    queue.format.set_value(".zarr")
    saving.set_folder(tmp_path)
    panel.close()
    again = opened(ReconstructWidget, viewer).many
    queue, saving = again.open_queue(), again.open_save()
    assert (queue.folder, queue.output) == (tmp_path, tmp_path / "cubes")
    assert queue.format.value() == ".zarr"
    assert saving.folder == tmp_path
    assert opened(ReconstructWidget, ViewerModel()).many.open_queue().folder is None


def test_super_resolve_keeps_its_scale(opened):
    viewer = ViewerModel()
    panel = opened(SuperResolveWidget, viewer)
    panel.scale.set_value(next(s for s in panel.scale.offered() if s != panel.scale.value()))
    panel.keep_noise.setChecked(True)
    wanted = settings(panel)
    panel.close()
    assert settings(opened(SuperResolveWidget, viewer)) == wanted


def test_compare_keeps_its_pair_for_as_long_as_the_layers_are_the_same(opened, viewer):
    panel = opened(CompareWidget, viewer)
    one, two = viewer.layers["one"], viewer.layers["two"]
    panel.form.prediction.set_layer(one)
    panel.form.truth.set_layer(two)
    panel.form.checks["sam"].setChecked(False)
    panel.form.more.lights.setText("A")
    panel.close()
    again = opened(CompareWidget, viewer)
    assert (again.form.prediction.layer(), again.form.truth.layer()) == (one, two)
    assert not again.form.checks["sam"].isChecked()
    assert again.form.more.light_names() == ("A",)
    again.close()
    add_cube(viewer, Cube(np.zeros((NM.size, 8, 8)), Wavelengths(NM)), name="three")
    later = opened(CompareWidget, viewer)
    assert later.form.prediction.layer() == viewer.layers["three"]
    assert later.form.more.light_names() == ("A",)


def test_maps_keep_tab_formula_library_and_ticks(opened, viewer, soils):
    panel = opened(MapsWidget, viewer)
    panel.index.what.setText("b600 / b500")
    panel.components.number.setValue(3)
    panel.unmix.add_library(str(soils))
    panel.unmix.tick("pin 1", "soil 2")
    panel.tabs.setCurrentIndex(1)
    panel.close()
    again = opened(MapsWidget, viewer)
    assert again.tabs.currentIndex() == 1
    assert again.index.text() == "b600 / b500"
    assert again.components.number.value() == 3
    assert again.unmix.ticked() == ["pin 1", "soil 2"]


def test_wavelength_keeps_its_speed_and_leaves_the_band_where_it_is(opened, viewer):
    panel = opened(WavelengthWidget, viewer)
    panel.control.speed.setValue(3)
    panel.tint.setChecked(True)
    panel.channels[0].setValue(460)
    panel.control.number.setValue(500)
    panel.close()
    viewer.dims.set_point(0, 660)
    again = opened(WavelengthWidget, viewer)
    assert again.control.speed.value() == 3
    assert again.tint.isChecked()
    assert again.channels[0].value() == 460
    assert again.control.number.value() == viewer.dims.point[0] == 660


def test_spectra_keep_what_is_drawn_hidden_and_ticked(opened, viewer, soils):
    panel = opened(SpectraWidget, viewer)
    panel.processing.choice.set_value("max")
    at = panel.load_library(soils)
    panel.draw_entry(("library", at, 3), True)
    hidden = next(one.key for one in panel.kept)
    panel.set_hidden(hidden, True)
    window = panel.open_window("Classify")
    window.threshold.setValue(3.5)
    window.classes.list.item(0).setCheckState(window.classes.list.item(0).checkState().Checked)
    ticked = window.classes.ticked()
    panel.close()
    again = opened(SpectraWidget, viewer)
    assert again.processing.name == "max"
    assert again.files_in_use() == [Trace.of(soils)]
    assert again.libraries.is_drawn(("library", 0, 3))
    assert again.look.is_hidden(hidden)
    window = again.open_window("Classify")
    assert window.threshold.value() == 3.5
    assert window.classes.ticked() == ticked != []
    again.close()
    assert opened(SpectraWidget, ViewerModel()).files_in_use() == []


def test_calibrate_keeps_the_white_and_no_exposure_of_another_scan(opened, viewer, soils):
    panel = opened(CalibrateWidget, viewer)
    panel.exposures[0].setValue(20)
    panel.read_curve(str(soils))
    panel.close()
    again = opened(CalibrateWidget, viewer)
    assert again.exposures[0].value() == 20
    assert again.curve_button.text() == "soil 0"
    again.close()
    viewer.layers.remove(viewer.layers["two"])
    assert opened(CalibrateWidget, viewer).exposures[0].value() == 0


def test_measurements_keep_spectra_and_light(opened, viewer, soils):
    panel = opened(MeasurementsWidget, viewer)
    panel.chart.light.set_value("A")
    panel.anchors.read(soils)
    panel.anchors.choose(0, "soil 5")
    panel.close()
    again = opened(MeasurementsWidget, viewer)
    assert again.chart.light.value() == "A"
    assert again.anchors.attached()[0][0] == "soil 5"


def test_a_training_that_was_not_started_is_set_up_as_it_was(opened, tmp_path, qtbot):
    viewer = ViewerModel()
    panel = opened(TrainWidget, viewer)
    panel.setup.minutes.setValue(3.5)
    panel.setup.data.show_folder(tmp_path)
    panel._leave()
    again = opened(TrainWidget, viewer)
    qtbot.waitUntil(lambda: not again.setup.looking)
    assert again.setup.minutes.value() == 3.5
    assert again.setup.data.folder() == tmp_path


def test_a_file_that_is_gone_is_told(opened, viewer, soils):
    panel = opened(MapsWidget, viewer)
    panel.unmix.add_library(str(soils))
    panel.close()
    soils.unlink()
    assert "soils.csv" in opened(MapsWidget, viewer).unmix.message.text()


def test_a_session_takes_ticks_and_leaves_out_what_is_too_long(opened, viewer):
    panel = opened(MapsWidget, viewer)
    record = PanelRecord(name="Maps", settings=settings(panel))
    assert record.settings["Endmembers"] == "pin 1\npin 2"
    json.loads(record.model_dump_json())
    assert _fits("x" * MOST_TEXT)
    assert not _fits("x" * (MOST_TEXT + 1))


def test_a_library_that_was_changed_while_its_panel_was_closed_is_told(
    opened, viewer, soils, monkeypatch
):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    panel = opened(MapsWidget, viewer)
    panel.use_files([str(soils)])
    panel.close()
    opened(MapsWidget, viewer).close()
    assert said == []
    text = soils.read_text(encoding="utf-8")
    soils.write_text(text.replace("0.1", "0.2"), encoding="utf-8")
    opened(MapsWidget, viewer)
    (sentence,) = said
    assert f"{soils.name} has changed since it was opened" in sentence
