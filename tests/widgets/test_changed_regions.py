"""A region or a layer's place that changes: no panel goes on showing, or making, what is of the one before."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.viewer.layers import add_cube
from napari_hsr.widgets.compare.panel import CompareWidget
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.maps.panel import UNMIX, MapsWidget
from napari_hsr.widgets.measurements.panel import MeasurementsWidget
from napari_hsr.widgets.spectra.panel import SpectraWidget

from ..patience import PATIENCE
from ..thorough import thorough
from .inference.panel_runs import settle

BOX = np.array([[2.0, 3], [2, 9], [9, 9], [9, 3]])
MOVES = {
    "scale": lambda layer: setattr(layer, "scale", [1.5] * layer.ndim),
    "translate": lambda layer: setattr(layer, "translate", [2.0] * layer.ndim),
    "rotate": lambda layer: setattr(layer, "rotate", 10),
    "shear": lambda layer: setattr(layer, "shear", [0.2]),
    "affine": lambda layer: setattr(layer, "affine", np.diag([1.5, 1, 1])),
}
LABELS = {
    "painted": lambda layer: layer.paint((1, 1), 1),
    "undone": lambda layer: layer.undo(),
    "redone": lambda layer: layer.redo(),
    "assigned": lambda layer: setattr(layer, "data", np.ones((14, 12), int)),
    **MOVES,
}
SHAPES = {
    "assigned": lambda layer: setattr(layer, "data", [BOX + 1]),
    "pasted": lambda layer: layer._paste_data(),
    "an ellipse": lambda layer: setattr(layer, "shape_type", ["ellipse"]),
    **MOVES,
}
#: Of the ways to lie elsewhere, which are followed alike, one of each kind of layer is tested always.
CHANGES = thorough(
    [*(("labels", what) for what in LABELS), *(("shapes", what) for what in SHAPES)],
    always=[
        *(("labels", what) for what in LABELS if what not in MOVES or what == "translate"),
        *(("shapes", what) for what in SHAPES if what not in MOVES or what == "affine"),
    ],
)


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    values = np.random.default_rng(1).uniform(0.2, 0.8, (4, 14, 12)).astype(np.float32)
    nm = Wavelengths(np.arange(400.0, 440.0, 10.0))
    add_cube(viewer, Cube(values, nm, "reflectance", name="truth"))
    add_cube(viewer, Cube(values * values, nm, "reflectance", name="guess"))
    labels = viewer.add_labels(np.zeros((14, 12), int), name="labels", scale=(1, 1))
    labels.data_setitem((np.arange(3, 9), np.arange(3, 9)), 1)
    labels.data_setitem((np.arange(3, 9), np.arange(2, 8)), 2)
    labels.data_setitem((np.array([5]), np.array([10])), 2)
    labels.undo()  # there is something to undo, and to do again
    shapes = viewer.add_shapes([BOX], name="shapes")
    shapes.selected_data = {0}
    shapes._copy_data()
    return viewer


def change(viewer, kind, what):
    (LABELS if kind == "labels" else SHAPES)[what](viewer.layers[kind])


@pytest.fixture
def compare(viewer, qtbot):
    panel = CompareWidget(viewer)
    qtbot.addWidget(panel)
    panel.form.prediction.set_layer(viewer.layers["guess"])
    panel.form.truth.set_layer(viewer.layers["truth"])
    for check in panel.form.checks.values():
        check.setChecked(False)
    yield panel
    panel.release()


def compared(panel, qtbot, region):
    panel.form.more.region.set_value(region)
    panel.run()
    qtbot.waitUntil(lambda: not panel.running)
    assert panel.comparison is not None, panel.message.text()


@pytest.mark.parametrize("changed", CHANGES, ids="-".join)
def test_compare_shows_no_figures_of_another_region(viewer, compare, qtbot, changed):
    kind, what = changed
    compared(compare, qtbot, viewer.layers[kind])
    viewer.layers[kind].visible = False
    viewer.layers[kind].visible = True
    assert compare.comparison is not None  # it is the same region
    change(viewer, kind, what)
    assert compare.comparison is None
    assert compare.results.isHidden()
    assert compare.json_button.isHidden()


@pytest.mark.parametrize("region", [True, False])
def test_compare_minds_where_the_prediction_lies_only_for_a_region(viewer, compare, qtbot, region):
    compared(compare, qtbot, viewer.layers["shapes"] if region else None)
    viewer.layers["truth"].translate = (0, 4, 0)
    assert compare.comparison is not None  # they are compared pixel by pixel
    viewer.layers["guess"].translate = (0, 4, 0)
    assert (compare.comparison is None) == region


@pytest.mark.parametrize(
    ("kind", "what", "became"),
    [
        ("labels", "undone", "changed"),
        ("labels", "painted", "changed"),
        ("shapes", "rotate", "moved"),
        ("shapes", "pasted", "changed"),
    ],
)
def test_compare_tells_of_another_region_while_it_runs(
    viewer, compare, qtbot, monkeypatch, kind, what, became
):
    begun, go = threading.Event(), threading.Event()
    inside = compare.form.more.inside

    def waiting(layer):
        found = inside(layer)

        def mask():
            begun.set()
            go.wait(PATIENCE)
            return found()

        return mask

    monkeypatch.setattr(compare.form.more, "inside", waiting)
    compare.form.more.region.set_value(viewer.layers[kind])
    compare.run()
    qtbot.waitUntil(begun.is_set)
    change(viewer, kind, what)
    go.set()
    qtbot.waitUntil(lambda: not compare.running)
    assert compare.message.text() == f"Stopped: “{kind}” was {became} while it was being compared."
    assert compare.comparison is None


@pytest.mark.parametrize("changed", CHANGES, ids="-".join)
def test_spectra_measures_a_region_anew_and_exports_none_of_before(
    viewer, qtbot, tmp_path, changed
):
    panel = SpectraWidget(viewer)
    qtbot.addWidget(panel)

    def means():
        return {one.key: one.curve.mean.tolist() for one in panel.kept}

    qtbot.waitUntil(panel.measured)
    before = means()
    assert before
    change(viewer, *changed)
    with pytest.raises(InputError, match="are being measured"):
        panel.export_csv(tmp_path / "spectra.csv")
    qtbot.waitUntil(panel.measured)
    assert means() != before
    panel.export_csv(tmp_path / "spectra.csv")
    panel.release()


@pytest.mark.parametrize("what", thorough(SHAPES, always=["assigned", "pasted", "rotate"]))
def test_places_of_measured_spectra_are_listed_anew(viewer, qtbot, what):
    panel = MeasurementsWidget(viewer)
    qtbot.addWidget(panel)
    qtbot.waitUntil(lambda: not panel.anchors.busy)
    change(viewer, "shapes", what)
    assert panel.anchors.busy
    panel.release()


DRAWN = {
    "labels undone": ("labels", ("labels 1", "labels 2"), lambda layer: layer.undo()),
    "labels moved": ("labels", ("labels 1", "labels 2"), MOVES["translate"]),
    "pin moved": (
        "pins",
        ("pin 1", "pin 2"),
        lambda layer: setattr(layer, "data", [[8, 8], [1, 1]]),
    ),
    "pins moved": ("pins", ("pin 1", "pin 2"), MOVES["translate"]),
    "shape moved": ("shapes", ("shapes 1", "pin 1"), SHAPES["assigned"]),
    "shape turned": ("shapes", ("shapes 1", "pin 1"), MOVES["rotate"]),
}


@pytest.mark.parametrize("what", DRAWN)
def test_maps_of_what_is_changed_meanwhile_are_stopped(viewer, qtbot, monkeypatch, what):
    name, ticked, alter = DRAWN[what]
    viewer.add_points([[2, 2], [7, 7], [4, 1]], name="pins")
    panel, go = begun_unmixing(viewer, qtbot, monkeypatch, ticked)
    alter(viewer.layers[name])
    go.set()
    qtbot.waitUntil(panel.run_button.isEnabled)
    assert panel.message.text() == f"Stopped: “{name}” was changed while the maps were made."
    assert len(viewer.layers) == 5
    panel.release()


def test_maps_go_on_while_pins_are_set_that_they_are_not_of(viewer, qtbot, monkeypatch):
    pins = viewer.add_points([[2, 2], [7, 7]], name="pins")
    panel, go = begun_unmixing(viewer, qtbot, monkeypatch, ("pin 1", "pin 2"))
    pins.add([4.0, 1.0])
    go.set()
    qtbot.waitUntil(panel.run_button.isEnabled)
    assert panel.message.text().startswith("Added “pin 1")
    panel.release()


def begun_unmixing(viewer, qtbot, monkeypatch, ticked):
    """A panel that waits with its work, and what lets it go on."""
    begun, go = threading.Event(), threading.Event()
    panel = MapsWidget(viewer)
    qtbot.addWidget(panel)
    panel.tabs.setCurrentIndex(UNMIX)
    panel.unmix.tick(*ticked)
    work = panel.unmix.work

    def waiting(cube):
        real = work(cube)

        def run(cancel):
            begun.set()
            go.wait(PATIENCE)
            yield from real(cancel)

        return run

    monkeypatch.setattr(panel.unmix, "work", waiting)
    panel.run()
    qtbot.waitUntil(begun.is_set)
    return panel, go


def test_a_shape_that_is_moved_over_the_photograph_lets_it_be_reconstructed(qtbot):
    viewer = ViewerModel()
    viewer.add_image(np.full((12, 17, 3), 90, np.uint8), name="leaf", rgb=True)
    shapes = viewer.add_shapes([BOX + 1000], name="far")
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    panel.model.set_name("rootpoly-srgb")
    panel.area.set_value(str(shapes.unique_id))
    settle(panel, qtbot)
    assert "is not covered by the shape" in panel.obstacle.text()
    shapes.translate = (-1000, -1000)
    settle(panel, qtbot)
    assert panel.ready, panel.obstacle.text()
    shapes.data = []
    settle(panel, qtbot)
    assert "has no shape yet" in panel.obstacle.text()
    panel.release()
