"""What stands in for a frame that is still computed is shown, and neither measured to be kept nor written."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr import read, write
from napari_hsr.errors import InputError
from napari_hsr.inference.stacks.frame_cubes import FrameCubes, State
from napari_hsr.photograph_stack import StackAxis, stack_of_array
from napari_hsr.spectral_library import SpectralLibrary
from napari_hsr.viewer import frames, rendering
from napari_hsr.viewer.computed_cubes import computed_cube
from napari_hsr.viewer.layer_data import layer_cube
from napari_hsr.widgets.maps.panel import MapsWidget
from napari_hsr.widgets.measurements.panel import MeasurementsWidget
from napari_hsr.widgets.spectra.panel import SpectraWidget
from napari_hsr.widgets.wavelength.panel import WavelengthWidget


@pytest.fixture
def viewer():
    """A film of two frames: the first is computed, a placeholder stands in for the second, which is on show."""
    viewer = ViewerModel()
    values = np.random.default_rng(3).integers(20, 230, (2, 6, 8, 3)).astype(np.uint8)
    stack = stack_of_array(values, name="film", axes=(StackAxis("frame", 2),))
    source = frames.add_stack(viewer, stack)
    cubes = FrameCubes(stack, "rootpoly-srgb", placeholder="instant-photo")
    frames.add_frames(viewer, cubes, source, cubes[0], "cubes")
    cubes.on_ask = lambda: None  # as where a thread computes them
    viewer.dims.set_point(0, 1)
    cubes.look((1,))
    for _ in cubes.events(State.PLACEHOLDER):
        pass
    assert cubes.state((1,)) is State.PLACEHOLDER
    return viewer


def make(kind, viewer, qtbot):
    panel = kind(viewer)
    qtbot.addWidget(panel)
    return panel


def compute(viewer):
    cubes = viewer.layers["cubes"].data.frames
    for _ in cubes.events(State.DONE):
        pass
    assert cubes.state((1,)) is State.DONE
    viewer.layers["cubes"].events.data()


def test_it_is_called_so_and_not_kept(viewer):
    layer = viewer.layers["cubes"]
    assert layer_cube(layer).name == "cubes · frame 2 (not yet computed)"
    for keep in (computed_cube, lambda one: rendering.add_true_colour(viewer, one)):
        with pytest.raises(InputError, match="fills this frame until"):
            keep(layer)
    compute(viewer)
    assert computed_cube(layer).name == "cubes · frame 2"


def test_spectra_say_so_and_are_not_exported(viewer, qtbot, tmp_path):
    panel = make(SpectraWidget, viewer, qtbot)
    panel.pin((1.0, 550.0, 2.0, 3.0))
    panel._update_all()
    assert "fills this frame until" in panel.message.text()
    table = panel.open_window("Table")
    for export in (panel.export_csv, panel.export_png, table.export):
        with pytest.raises(InputError, match="Wait until it is done"):
            export(tmp_path / "spectra.csv")
    match = panel.open_window("Match")
    nm = layer_cube(viewer.layers["cubes"]).wavelengths.nm
    panel.libraries.add(SpectralLibrary(("a",), nm, np.ones((1, len(nm)))), "a.csv")
    panel._update_all()
    match._match()
    assert match.found is None
    assert "Wait until it is done" in match.said.text()
    assert not [*tmp_path.iterdir()]
    compute(viewer)
    panel._update_all()
    assert "fills this frame until" not in panel.message.text()
    assert panel.export_csv(tmp_path / "spectra.csv").is_file()
    panel.release()


def test_maps_wait_and_name_the_frame(viewer, qtbot):
    panel = make(MapsWidget, viewer, qtbot)
    panel.chooser.set_layer(viewer.layers["cubes"])
    assert "fills this frame until" in panel.why_not()
    compute(viewer)
    assert "fills this frame until" not in (panel.why_not() or "")
    panel.release()


def test_a_frame_is_corrected_once_it_is_computed(viewer, qtbot, tmp_path):
    nm = layer_cube(viewer.layers["cubes"]).wavelengths.nm
    values = np.random.default_rng(1).uniform(0.1, 0.9, (2, len(nm)))
    write(SpectralLibrary(("pin 1", "pin 2"), nm, values, "reflectance"), tmp_path / "field.csv")
    viewer.add_points(np.array([[2.0, 3.0], [4.0, 5.0]]), name="pinned spectra")
    panel = make(MeasurementsWidget, viewer, qtbot)
    section = panel.anchors
    section.cube.set_layer(viewer.layers["cubes"])
    section.read(tmp_path / "field.csv")
    assert len(section.attached()) == 2
    section.apply_button.click()
    assert "Wait until it is done" in section.message.text()
    assert section.bar.isHidden()
    panel.release()


def test_a_frame_is_saved_once_it_is_computed(viewer, qtbot, tmp_path):
    panel = make(WavelengthWidget, viewer, qtbot)
    panel.chooser.set_layer(viewer.layers["cubes"])
    panel.save(tmp_path / "frame.npz")
    assert "Wait until it is done" in panel.message.text()
    compute(viewer)
    panel.save(tmp_path / "frame.npz")
    qtbot.waitUntil(lambda: "Wrote" in panel.message.text())
    saved = read(tmp_path / "frame.npz")
    np.testing.assert_array_equal(saved.data, viewer.layers["cubes"].data.frames[1].data)
    panel.release()
