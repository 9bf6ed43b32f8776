"""Results of Reconstruct and Super-resolve in memory or on disk, and what a cancelled run leaves."""

import threading

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr import Cube, Photograph, inference, read, reconstruct, super_resolve
from napari_hsr.errors import Cancelled
from napari_hsr.io.zarr.unfinished_store import unfinished
from napari_hsr.notices import Code, has
from napari_hsr.viewer.layer_data import layer_cube
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.widgets.inference import panel_runs
from napari_hsr.widgets.inference.panel_runs import AUTO, DISK, MEMORY
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.inference.super_resolve import SuperResolveWidget

from .panel_runs import run, settle

MODEL = "rootpoly-srgb"
VALUES = np.random.default_rng(4).integers(20, 230, (40, 600, 3)).astype(np.uint8)


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    add_photograph(viewer, Photograph(VALUES, name="a scene"))
    return viewer


@pytest.fixture
def panel(viewer, qtbot, tmp_path):
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    panel.model.set_name(MODEL)
    panel.place.set_folder(tmp_path)
    panel.advanced.tile_chooser.set_value("size")
    panel.advanced.tile_size.setValue(64)
    yield panel
    panel.release()


@pytest.fixture
def cancelled(qtbot, monkeypatch):
    """Run, and press Cancel once it has come so far."""

    def run_and_cancel(panel, runs="reconstruct_events", share=0.2):
        settle(panel, qtbot)
        real, waits = getattr(inference, runs), threading.Event()

        def events(*image, cancel, **options):
            work = real(*image, cancel=cancel, **options)
            try:
                for event in work:
                    if event.total and event.share >= share and not waits.is_set():
                        waits.set()
                        cancel.wait(60)
                    yield event
            except Cancelled as stop:
                work.throw(stop)  # as where nothing stands between them

        with monkeypatch.context() as patched:
            patched.setattr(inference, runs, events)
            panel.run_button.click()
            qtbot.waitUntil(waits.is_set)
            panel.cancel_button.click()
            qtbot.waitUntil(lambda: not panel.running)

    return run_and_cancel


def test_on_disk_the_layer_reads_a_store_with_its_pyramid(viewer, panel, qtbot, tmp_path):
    panel.place.choice.set_value(DISK)
    settle(panel, qtbot)
    store = tmp_path / f"a_scene_{MODEL}.zarr"
    assert f"{store.name} in {store.parent}" in panel.obstacle.text()
    assert "on disk" in panel.estimate.text()
    run(panel, qtbot)
    layer = viewer.layers[-1]
    assert layer.multiscale
    assert [level.shape for level in layer.data] == [(31, 40, 600), (31, 20, 300)]
    expected = reconstruct(Photograph(VALUES), MODEL)
    np.testing.assert_allclose(np.asarray(layer_cube(layer).data), expected.data, rtol=1e-6)
    assert np.array_equal(np.asarray(read(store).data), np.asarray(layer.data[0]))
    assert str(store) in panel.outcome.text()
    panel._on_changed()
    settle(panel, qtbot)
    assert f"a_scene_{MODEL}_2.zarr" in panel.obstacle.text()  # a finished one is never replaced


def test_automatic_goes_to_disk_only_where_memory_would_not_do(
    viewer, panel, qtbot, tmp_path, monkeypatch
):
    assert panel.place.value()[0] == AUTO
    run(panel, qtbot)
    assert not viewer.layers[-1].multiscale
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(panel_runs, "MEMORY_SHARE", 0)  # as if nothing were free
    panel._on_changed()
    run(panel, qtbot)
    assert viewer.layers[-1].multiscale
    panel.place.choice.set_value(MEMORY)
    settle(panel, qtbot)
    assert "are free" in panel.obstacle.text()
    assert panel.place.where.isHidden()


def test_the_folder_is_named_from_home(panel, tmp_path, monkeypatch):
    def lives_in(home):
        for name in ("HOME", "USERPROFILE"):
            monkeypatch.setenv(name, str(home))

    for home, words in ((tmp_path, "your home folder"), (tmp_path.parent, f"~/{tmp_path.name}")):
        lives_in(home)
        panel.place.set_folder(tmp_path)
        panel.place.show_folder(object())
        assert panel.place.where.text().endswith(f": a zarr store in {words}")
    lives_in(tmp_path / "elsewhere")
    panel.place.show_folder(object())
    assert panel.place.where.text().endswith(str(tmp_path))


def test_what_needs_memory_is_said(panel, qtbot, monkeypatch):
    exact = {"camera": "cie-1931", "exact": True, "intervals": False}
    monkeypatch.setattr(panel.trust, "options", lambda: dict(exact))
    panel.place.choice.set_value(DISK)
    settle(panel, qtbot)
    assert "in memory" in panel.obstacle.text()
    assert not panel.ready


def test_a_cancelled_run_offers_what_is_finished(viewer, panel, qtbot, cancelled):
    cancelled(panel)
    assert "% of the pixels are there" in panel.outcome.text()
    assert len(viewer.layers) == 1
    assert not panel.keep_button.isHidden()
    panel.keep_button.click()
    layer = viewer.layers[-1]
    assert layer.name.endswith("(unfinished)")
    known = np.isfinite(layer.data).all(axis=0)
    assert 0 < known.mean() < 1
    expected = reconstruct(Photograph(VALUES), MODEL).data
    np.testing.assert_array_equal(layer.data[:, known], expected[:, known])
    assert panel.keep_button.isHidden()


def test_a_run_on_disk_goes_on_where_it_was_cancelled(viewer, panel, qtbot, tmp_path, cancelled):
    panel.place.choice.set_value(DISK)
    cancelled(panel)
    begun = unfinished(tmp_path / f"a_scene_{MODEL}.zarr")
    assert begun.is_dir()
    assert begun.name in panel.outcome.text()
    assert panel.keep_button.isHidden()
    run(panel, qtbot)
    assert not begun.exists()
    assert has(panel.last_cube.notices, Code.RESUMED)


@pytest.fixture
def finer(viewer, qtbot, tmp_path):
    """The other panel, with a cube of 6 bands and an interpolation ×4."""
    values = np.random.default_rng(6).random((6, 20, 150), np.float32)
    add_cube(viewer, Cube(values, range(400, 460, 10), name="coarse"))
    panel = SuperResolveWidget(viewer)
    qtbot.addWidget(panel)
    panel.model.set_name("bicubic-matlab")
    panel.place.set_folder(tmp_path)
    yield panel
    panel.release()


def test_a_cancelled_finer_cube_is_offered_too(viewer, finer, qtbot, cancelled):
    finer.scale.set_value(2)
    finer.model.set_name("coarsr-x2")
    finer.keep_noise.setChecked(True)
    finer.computing.tile_chooser.set_value("size")
    finer.computing.tile_size.setValue(32)
    coarse = viewer.layers[-1]
    cancelled(finer, "super_resolve_events", 0.4)
    assert "% of the pixels are there" in finer.outcome.text()
    finer.keep_button.click()
    layer = viewer.layers.selection.active
    assert layer.name.endswith("(unfinished)")
    assert len(viewer.layers) == 3  # no map: nothing was compared
    known = np.isfinite(layer.data).all(axis=0)
    assert 0 < known.mean() < 1
    expected = super_resolve(layer_cube(coarse), "coarsr-x2", denoise=False).data
    np.testing.assert_allclose(layer.data[:, known], expected[:, known], atol=1e-5)


def test_a_finer_cube_on_disk_lies_over_the_coarse_one(viewer, finer, qtbot, tmp_path):
    coarse = viewer.layers[-1]
    finer.place.choice.set_value(DISK)
    settle(finer, qtbot)
    store = tmp_path / "coarse_bicubic-matlab_4.zarr"
    assert f"{store.name} in {store.parent}" in finer.obstacle.text()
    assert "on disk" in finer.estimate.text()
    run(finer, qtbot)
    layer = viewer.layers.selection.active
    assert [level.shape for level in layer.data] == [(6, 80, 600), (6, 40, 300)]
    assert tuple(layer.scale[-2:]) == (0.25, 0.25)
    np.testing.assert_array_equal(
        layer.extent.world[:, 1:], coarse.extent.world[:, 1:] + [[-0.375], [0.375]]
    )
    expected = super_resolve(layer_cube(coarse), "bicubic-matlab", 4)
    np.testing.assert_allclose(np.asarray(read(store).data), expected.data, rtol=0, atol=1e-6)
    assert str(store) in finer.outcome.text()


def test_a_finer_cube_goes_to_disk_where_memory_would_not_do(
    viewer, finer, qtbot, tmp_path, monkeypatch
):
    run(finer, qtbot)
    assert not viewer.layers.selection.active.multiscale
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(panel_runs, "MEMORY_SHARE", 0)  # as if nothing were free
    finer.cube.set_layer(viewer.layers["coarse"])
    finer._on_changed()
    run(finer, qtbot)
    assert viewer.layers.selection.active.multiscale


def test_what_is_refined_needs_memory(finer, qtbot):
    finer.back_projection.refine.setChecked(True)
    finer.place.choice.set_value(DISK)
    settle(finer, qtbot)
    assert "refined in memory" in finer.obstacle.text()
    assert not finer.ready
    finer.place.choice.set_value(AUTO)
    settle(finer, qtbot)
    assert finer.ready
