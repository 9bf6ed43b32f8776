"""The Super-resolve panel: explains before it runs, lays the result over the cube, loses nothing."""

from __future__ import annotations

import json
import threading
import time
from html import unescape
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from npe2 import PluginManager
from qtpy.QtWidgets import QLabel

from napari_hsr import Cube, inference, io, super_resolve
from napari_hsr.errors import Cancelled
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.models.card import DETAIL_ESTIMATED, ILL_POSED
from napari_hsr.models.checkpoint_import import import_checkpoint
from napari_hsr.models.model_list import BASELINE
from napari_hsr.progress import Progress
from napari_hsr.provenance import Provenance
from napari_hsr.resample import degrade, refine
from napari_hsr.viewer.layer_data import layer_cube
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.widgets.common import choosers, value_checks
from napari_hsr.widgets.common.models_changed import models_changed
from napari_hsr.widgets.inference.super_resolve import SuperResolveWidget

from ...patience import PATIENCE
from .panel_runs import run, settle


@pytest.fixture(autouse=True)
def _nothing_left_running():
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("napari-hsr"):
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture
def viewer():
    PluginManager.instance().discover()  # a window would do it
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    """With what takes no time, whatever model comes first in the list."""
    panel = SuperResolveWidget(PublicOnlyProxy(viewer))
    panel.model.set_name("bicubic-matlab")
    qtbot.addWidget(panel)
    return panel


@pytest.fixture
def cube():
    values = np.random.default_rng(6).random((6, 9, 7), np.float32)
    return Cube(values, range(400, 460, 10), units="reflectance", name="scene")


@pytest.fixture
def network(tmp_path):
    """``network(scale, name)``: a narrow CoarSR of its own, imported."""

    def imported(scale: int, name: str):
        torch.manual_seed(scale)
        net = CoarSR(scale, width=4, blocks=1)
        with torch.no_grad():  # random weights alone make values far beyond the cube's
            net.tail[1].weight_g *= 1e-3
        torch.save(net.state_dict(), tmp_path / f"{name}.pth")
        return import_checkpoint(tmp_path / f"{name}.pth", name)

    return imported


@pytest.fixture
def slow(monkeypatch):
    """Work that goes on until it is cancelled or released."""
    state = SimpleNamespace(steps=0, release=threading.Event(), real=inference.super_resolve_events)

    def events(*args, cancel, **options):
        while not state.release.is_set():
            if cancel.is_set():
                raise Cancelled
            time.sleep(0.005)
            state.steps += 1
            yield Progress(state.steps, 5000, "Making pixels finer")
        yield from state.real(*args, cancel=cancel, **options)

    monkeypatch.setattr(inference, "super_resolve_events", events)
    return state


def names(panel) -> list[str]:
    return [listing.name for listing in panel.model._listings if listing.at_hand]


# --- before a run -------------------------------------------------------------------------


def test_without_a_cube_it_says_what_is_needed(viewer, panel, qtbot):
    settle(panel, qtbot)
    assert not panel.ready
    assert "Open a cube first" in panel.obstacle.text()
    viewer.add_image(np.zeros((4, 5, 3), np.uint8), rgb=True, name="wall")
    settle(panel, qtbot)
    assert not panel.ready
    assert "wall is an RGB photograph" in panel.obstacle.text()
    assert "Reconstruct" in panel.obstacle.text()
    assert panel.cube.layer() is None


def test_what_was_said_before_is_not_said_of_a_cube_that_is_being_looked_at(
    viewer, panel, cube, qtbot
):
    settle(panel, qtbot)
    assert "Open a cube first" in panel.obstacle.text()
    seen = threading.Event()
    panel.value_checks = value_checks.ValueChecks(
        lambda taken_for, cancel: seen.wait(PATIENCE) and None
    )
    add_cube(viewer, cube)
    try:
        qtbot.waitUntil(lambda: "Checking" in panel.obstacle.text(), timeout=1000 * PATIENCE)
        assert not panel.ready
    finally:
        seen.set()
    settle(panel, qtbot)
    assert panel.ready
    assert panel.obstacle.text() == ""


def test_too_few_bands_are_refused_in_one_sentence(viewer, panel, qtbot):
    viewer.add_image(np.ones((4, 6, 5), np.float32), name="few")
    settle(panel, qtbot)
    assert not panel.ready
    assert panel.obstacle.text().startswith("few has 4 bands")
    assert panel.run_button.toolTip() == panel.obstacle.text()


def test_the_list_of_models_follows_the_scale(viewer, panel, cube, qtbot, network):
    baselines = ["bicubic-matlab", "bicubic-opencv", "bicubic-torch", "box"]
    for scale, name in ((3, "three"), (16, "sixteen")):
        network(scale, name)
    models_changed()
    assert [panel.scale.itemText(i) for i in range(panel.scale.count())] == [
        "×2", "×3", "×4", "×8", "×16",
    ]  # fmt: skip
    add_cube(viewer, cube)
    panel.scale.set_value(8)
    assert names(panel) == ["coarsr-x8", *baselines]
    panel.model.set_name("box")
    panel.scale.setCurrentIndex(1)
    assert names(panel) == ["coarsr-x3", "three", *baselines]
    assert panel.model.name() == "coarsr-x3"  # the first for the scale
    panel.scale.set_value(16)
    assert names(panel) == ["sixteen", *baselines]
    assert panel.model.name() == "sixteen"
    settle(panel, qtbot)
    assert panel.ready
    panel.scale.set_value(8)
    assert panel.model.name() == "box"  # as it was left


def test_a_model_that_is_imported_here_brings_its_scale(panel, network):
    model = network(3, "three")
    panel.models._on_imported(model)
    assert panel.scale.value() == 3
    assert panel.scale.currentText() == "×3"
    assert panel.model.name() == "three"


def test_what_a_model_and_what_an_interpolation_is_good_for_is_said(panel, network):
    network(3, "three")
    models_changed()
    panel.scale.set_value(3)
    assert DETAIL_ESTIMATED in unescape(panel.card.caution.text())
    panel.model.set_name("bicubic-opencv")
    assert BASELINE in unescape(panel.card.caution.text())
    assert "a = -0.75" in panel.card.whole.text()


def test_size_and_memory_are_said_before(viewer, panel, cube, qtbot):
    add_cube(viewer, cube)
    assert "9 × 7 pixels, 6 bands, 400–450 nm" in panel.cube_note.text()
    settle(panel, qtbot)
    assert "36 × 28 pixels in 6 bands" in panel.estimate.text()
    assert "24 kB of memory" in panel.estimate.text()
    panel.scale.set_value(2)
    settle(panel, qtbot)
    assert "18 × 14 pixels" in panel.estimate.text()


def test_too_little_memory_is_announced(viewer, panel, cube, qtbot, monkeypatch):
    import psutil

    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=30_000))
    add_cube(viewer, cube)
    settle(panel, qtbot)
    assert panel.ready
    assert "30 kB are free: consider a smaller scale" in panel.obstacle.text()


# --- a run --------------------------------------------------------------------------------


def test_the_result_and_its_residual_lie_over_the_cube(viewer, panel, cube, qtbot):
    coarse = add_cube(viewer, cube, scale=(3, 2), translate=(10, 20))
    coarse.contrast_limits = (0.25, 0.75)
    run(panel, qtbot)
    fine, residual = viewer.layers[1:]
    assert fine.name == "scene · bicubic-matlab ×4"
    np.testing.assert_array_equal(fine.data, super_resolve(cube, "bicubic-matlab", 4).data)
    assert tuple(fine.scale) == (10, 0.75, 0.5)
    assert [str(unit) for unit in fine.units] == ["nanometer", "pixel", "pixel"]
    assert tuple(viewer.dims.range[0]) == (400, 450, 10)
    np.testing.assert_allclose(corners(fine), corners(coarse)[:, -2:], atol=1e-12)
    assert tuple(fine.contrast_limits) == (0.25, 0.75)  # equal greys are equal values
    low, high = fine.contrast_limits_range
    assert low <= fine.data.min()
    assert high >= fine.data.max()
    assert residual.data.shape == (9, 7)
    assert not residual.visible
    assert fine.visible
    assert "(reflectance, RMS)" in residual.name
    np.testing.assert_allclose(corners(residual), corners(coarse)[:, -2:], atol=1e-12)
    back = degrade(layer_cube(fine), 4).data
    np.testing.assert_allclose(residual.data, np.sqrt(((cube.data - back) ** 2).mean(0)), atol=1e-6)
    assert viewer.layers.selection.active == fine
    assert "reflectance (RMS)" in panel.outcome.text()


def corners(layer) -> np.ndarray:
    """Outer corners of the first and last pixel, in the world."""
    height, width = layer.data.shape[-2:]
    front = (0,) * (layer.ndim - 2)
    places = ((-0.5, -0.5), (-0.5, width - 0.5), (height - 0.5, -0.5), (height - 0.5, width - 0.5))
    return np.array([layer.data_to_world((*front, *place))[-2:] for place in places])


def test_the_cube_stays_chosen_for_the_next_run(viewer, panel, cube, qtbot):
    coarse = add_cube(viewer, cube)
    run(panel, qtbot)
    assert panel.cube.layer() == coarse
    panel.back_projection.refine.setChecked(True)
    run(panel, qtbot)
    assert [layer.name for layer in viewer.layers if layer.ndim == 3] == [
        "scene",
        "scene · bicubic-matlab ×4",
        "scene · bicubic-matlab ×4 refined",
    ]


def test_back_projection_is_as_it_was_asked_for(viewer, panel, cube, qtbot):
    add_cube(viewer, cube)
    assert not panel.back_projection.fold.isEnabled()
    panel.back_projection.refine.setChecked(True)
    assert panel.back_projection.fold.isEnabled()
    panel.scale.set_value(2)
    panel.model.set_name("bicubic-matlab")
    panel.back_projection.degradation.kind.setCurrentIndex(4)
    assert not panel.back_projection.degradation.sigma.isHidden()
    assert "0.85 fine px" in panel.back_projection.degradation.sigma.specialValueText()
    panel.back_projection.degradation.sigma.setValue(1.5)
    panel.back_projection.tolerance.setValue(5)
    panel.back_projection.passes.setValue(3)
    run(panel, qtbot)
    start = super_resolve(cube, "bicubic-matlab", 2)
    expected = refine(start, cube, 2, "gaussian:1.5", tolerance=0.05, iterations=3)
    np.testing.assert_array_equal(panel.last_cube.data, expected.data)
    assert "gaussian:1.5" in panel.outcome.text()
    assert "of back-projection" in panel.outcome.text()
    assert "σ = 1.5 fine pixels" in panel.provenance.toPlainText()


def test_options_of_computing_reach_the_run(viewer, panel, cube, qtbot, network, monkeypatch):
    asked = {}
    real = inference.super_resolve_events

    def events(image, way, scale, **options):
        asked.update(options, way=way.name, scale=scale)
        return real(image, way, scale, **options)

    monkeypatch.setattr(inference, "super_resolve_events", events)
    network(3, "three")
    models_changed()
    add_cube(viewer, cube)
    panel.scale.set_value(3)
    panel.model.set_name("three")
    panel.computing.tile_chooser.setCurrentIndex(2)
    panel.computing.tile_size.setValue(16)
    panel.computing.precision_chooser.setCurrentIndex(1)
    run(panel, qtbot)
    assert (asked["tile"], asked["precision"], asked["way"], asked["scale"]) == (
        16, "float32", "three", 3,
    )  # fmt: skip
    assert asked["denoise"] is None
    assert viewer.layers[1].name == "scene · three ×3"
    assert DETAIL_ESTIMATED in panel.notices.text()
    panel.keep_noise.setChecked(True)
    run(panel, qtbot)
    assert asked["denoise"] is False
    panel.computing.precision_chooser.setCurrentIndex(3)
    settle(panel, qtbot)
    assert not panel.ready
    assert "float16" in panel.obstacle.text()


def test_nan_is_told_before_the_run(viewer, panel, cube, qtbot):
    cube.data[3, 4, 5] = np.nan
    layer = add_cube(viewer, cube)
    settle(panel, qtbot)
    assert panel.ready
    assert "1 value of the cube is missing" in panel.obstacle.text()
    layer.data = np.nan_to_num(cube.data)
    settle(panel, qtbot)
    assert "missing" not in panel.obstacle.text()
    layer.data[0, 0, :2] = np.inf
    layer.data = layer.data  # changed in its place, and told
    settle(panel, qtbot)
    assert "2 values of the cube are missing" in panel.obstacle.text()


def test_nan_in_a_large_cube_is_told_on_the_run(viewer, panel, cube, qtbot, monkeypatch):
    monkeypatch.setattr(value_checks, "LARGEST_CHECKED", 10)
    cube.data[3, 4, 5] = np.nan
    add_cube(viewer, cube)
    run(panel, qtbot)
    assert panel.outcome.kind != "error"
    assert "1 value of the cube is missing" in panel.notices.text()


def test_a_chain_says_what_each_step_assumed_and_is_saved_so(
    viewer, panel, qtbot, network, tmp_path
):
    pixels = np.random.default_rng(0).integers(20, 230, (8, 9, 3), dtype=np.uint8)
    photo = add_photograph(viewer, io_photograph(pixels))
    reconstructed = inference.reconstruct(pixels, "rootpoly-srgb", encoding="srgb")
    add_cube(viewer, reconstructed, name="wall · rootpoly-srgb")
    network(3, "three")
    models_changed()
    panel.scale.set_value(3)
    panel.model.set_name("three")
    panel.back_projection.refine.setChecked(True)
    assert ILL_POSED in panel.cube_note.text()
    run(panel, qtbot)
    for guess in (ILL_POSED, DETAIL_ESTIMATED):
        assert guess in panel.notices.text()
        assert guess in json.loads(panel.provenance.toPlainText())["steps"]
    fine = next(layer for layer in viewer.layers if layer.name.endswith("refined"))
    np.testing.assert_allclose(corners(fine), corners_of_photograph(photo), atol=1e-12)
    paths = fine.save(str(tmp_path / "fine.mat"), plugin="napari-hsr")
    back = io.read(paths[0]).provenance
    assert ILL_POSED in back.steps
    assert DETAIL_ESTIMATED in back.steps
    assert back.model == "rootpoly-srgb"
    assert back.extra["super_resolution"]["by"] == "three"
    panel.cube.set_layer(fine)
    settle(panel, qtbot)
    assert "super-resolved ×3 by three before" in panel.cube_note.text()


def io_photograph(pixels):
    from napari_hsr.photograph import Photograph

    return Photograph(pixels, encoding="srgb", name="wall", provenance=Provenance(input="wall.png"))


def corners_of_photograph(layer) -> np.ndarray:
    height, width = layer.data.shape[:2]
    places = ((-0.5, -0.5), (-0.5, width - 0.5), (height - 0.5, -0.5), (height - 0.5, width - 0.5))
    return np.array([layer.data_to_world(place) for place in places])


def test_cancel_adds_nothing_and_allows_another_run(viewer, panel, cube, qtbot, slow):
    add_cube(viewer, cube)
    settle(panel, qtbot)
    panel.run_button.click()
    qtbot.waitUntil(lambda: panel.bar.value() > 60)
    assert "%" in panel.status.text()
    panel.cancel_button.click()
    qtbot.waitUntil(lambda: not panel.running)
    assert len(viewer.layers) == 1
    assert "Cancelled" in panel.outcome.text()
    slow.release.set()
    run(panel, qtbot)
    assert len(viewer.layers) == 3


def test_a_cube_deleted_in_mid_run_loses_nothing(viewer, panel, cube, qtbot, slow):
    layer = add_cube(viewer, cube, translate=(5, 6))
    settle(panel, qtbot)
    panel.run()
    qtbot.waitUntil(lambda: slow.steps > 3)
    place = corners(layer)
    viewer.layers.remove(layer)
    slow.release.set()
    qtbot.waitUntil(lambda: not panel.running)
    assert len(viewer.layers) == 2
    np.testing.assert_allclose(corners(viewer.layers[0]), place, atol=1e-12)
    settle(panel, qtbot)
    assert panel.cube.layer() == viewer.layers[0]


def test_memory_that_gives_out_is_one_sentence(viewer, panel, cube, qtbot, monkeypatch):
    def events(*args, **options):
        yield Progress(0, 1)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(inference, "super_resolve_events", events)
    add_cube(viewer, cube)
    run(panel, qtbot)
    assert panel.outcome.kind == "error"
    assert "not enough memory" in panel.outcome.text()
    assert "CUDA out of memory" not in panel.outcome.text()


def test_closing_the_panel_in_mid_run_leaves_nothing(viewer, cube, qtbot, slow):
    panel = SuperResolveWidget(viewer)
    add_cube(viewer, cube)
    settle(panel, qtbot)
    panel.run()
    qtbot.waitUntil(lambda: slow.steps > 3)
    with qtbot.waitSignal(panel.destroyed):
        panel.deleteLater()
    add_cube(viewer, cube)  # reaches no deleted widget
    qtbot.wait(80)
    assert len(viewer.layers) == 2


# --- appearance ---------------------------------------------------------------------------


def test_nothing_is_clipped_in_a_narrow_panel(viewer, panel, cube, qtbot, network):
    network(3, "three")
    models_changed()
    panel.scale.set_value(3)
    panel.back_projection.degradation.kind.setCurrentIndex(4)
    panel.back_projection.refine.setChecked(True)
    add_cube(viewer, cube, name="a cube with a very long name " * 3)
    panel.resize(300, 1400)
    panel.show()
    run(panel, qtbot)
    panel.card.fold.set_open(True)
    panel.provenance_fold.set_open(True)
    panel.back_projection.fold.set_open(True)
    labels = [label for label in panel.findChildren(QLabel) if label.isVisible()]
    assert len(labels) > 8

    def fits(label) -> bool:
        parent = label.parentWidget()
        inside = (
            label.geometry().right() <= parent.width()
            and label.geometry().bottom() <= parent.height()
        )
        return inside and (
            not label.wordWrap() or label.height() >= label.heightForWidth(label.width())
        )

    qtbot.waitUntil(lambda: all(map(fits, labels)))
    assert panel.width() == 300
    for chooser in panel.findChildren(choosers.NarrowComboBox):
        if chooser.isVisible():
            assert chooser.geometry().right() < chooser.parentWidget().width()
