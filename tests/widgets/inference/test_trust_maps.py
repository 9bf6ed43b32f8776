"""Intervals asked for in the Reconstruct panel become hidden maps over the cube."""

import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from napari.utils.notifications import notification_manager

from napari_hsr import Photograph, read
from napari_hsr.errors import InputError
from napari_hsr.inference import reconstruct_events
from napari_hsr.inference.trust.evidence import Evidence
from napari_hsr.progress import result_of
from napari_hsr.viewer.layer_data import layer_state
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.viewer.trust_maps import add_trust_maps, evidence_of, remember
from napari_hsr.widgets.inference import trust_options
from napari_hsr.widgets.inference.map_worker import _AT_WORK, MapWorker
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.inference.save_cubes import ENDS, SaveCubesWindow

from ...patience import PATIENCE
from .panel_runs import run, settle


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def photograph():
    values = np.random.default_rng(0).integers(1, 250, (12, 17, 3), dtype=np.uint8)
    return Photograph(values, encoding="srgb", name="photo")


def test_all_maps_of_a_result_lie_hidden_over_its_cube(viewer, photograph):
    options = {"intervals": True, "camera": "cie-1931"}
    result = result_of(reconstruct_events(photograph, "rootpoly-srgb", **options))
    cube = add_cube(viewer, result.cube, scale=(2, 2))
    maps = add_trust_maps(viewer, result, cube)
    assert [layer.name.split(" · ")[0] for layer in maps] == [
        "Half-width of the 90% interval, mean over the bands",
        "Relative half-width of the 90% interval, mean over the bands",
        "Unlike the training (above 1)",
        "Measured share",
        "Colour residual of the network",
    ]
    assert not any(layer.visible or layer.data.computed for layer in maps)
    np.testing.assert_array_equal(maps[2].data, result.trust.intervals.unlike)
    np.testing.assert_array_equal(maps[3].data, result.trust.colours.share)
    assert all(tuple(layer.scale) == (2, 2) for layer in maps)
    assert viewer.layers[0] is cube
    assert set(viewer.layers) == {cube, *maps}
    assert viewer.layers.selection.active is cube


def test_a_run_asked_for_while_the_last_choice_is_being_checked_follows_the_check(
    viewer, photograph, qtbot
):
    add_photograph(viewer, photograph)
    panel = ReconstructWidget(PublicOnlyProxy(viewer))
    qtbot.addWidget(panel)
    panel.model.set_name("rootpoly-srgb")
    settle(panel, qtbot)
    panel.trust.camera.set_value("cie-1931")
    panel.trust.intervals.setChecked(True)
    panel.run()  # as the key does
    assert not panel.ready
    qtbot.waitUntil(lambda: len(viewer.layers) == 7 and not panel.running)
    assert panel.last_cube.provenance.extra["trust"]["camera"].startswith("CIE 1931")
    panel.trust.exact.setChecked(True)
    panel.run()
    panel.trust.exact.setChecked(False)  # what was asked for is no longer chosen
    settle(panel, qtbot)
    assert panel.ready
    assert not panel.running
    panel.release()


def test_a_map_is_computed_when_it_is_looked_at_and_its_limits_with_it(viewer, photograph):
    result = result_of(reconstruct_events(photograph, "rootpoly-srgb", intervals=True))
    result.trust.intervals.scale[0, 0] *= 50  # one pixel beyond all others
    cube = add_cube(viewer, result.cube)
    widths, relative, _ = add_trust_maps(viewer, result, cube)
    widths.visible = True
    assert widths.data.computed
    assert not relative.data.computed
    expected = result.trust.intervals.mean_half_width()
    np.testing.assert_array_equal(np.asarray(widths.data), expected)
    assert widths.contrast_limits == pytest.approx([0, np.quantile(expected, 0.99)])
    assert layer_state(widths)["beyond"] == pytest.approx(expected.max())
    widths.contrast_limits = (0, 0.01)
    widths.visible = False
    widths.visible = True
    assert widths.contrast_limits == [0, 0.01]


def test_a_thread_computes_the_maps_of_the_panel_and_the_canvas_shows_them_then(
    viewer, photograph, qtbot
):
    result = result_of(reconstruct_events(photograph, "rootpoly-srgb", intervals=True))
    expected = result.trust.intervals.mean_half_width()
    cube = add_cube(viewer, result.cube)
    in_thread, free = [], threading.Event()

    def slowly():
        in_thread.append(threading.current_thread() is not threading.main_thread())
        assert free.wait(5)
        return expected

    maps = add_trust_maps(viewer, result, cube)
    maps[0].data._compute = slowly
    worker = MapWorker(viewer, maps)
    assert not worker.busy
    maps[0].visible = maps[1].visible = True  # nothing waits here
    qtbot.waitUntil(lambda: worker.busy)
    assert np.isnan(maps[0]._slice.image.raw).all()
    free.set()
    qtbot.waitUntil(lambda: maps[1].data.computed and not worker.busy)
    assert in_thread == [True]
    np.testing.assert_array_equal(maps[0]._slice.image.raw, expected)
    assert maps[0].contrast_limits == pytest.approx([0, np.quantile(expected, 0.99)])
    maps[0].contrast_limits = (0, 0.01)  # the user's own stay
    maps[0].visible = False
    maps[0].visible = True
    assert maps[0].contrast_limits == [0, 0.01]
    assert maps[1].data.computed
    assert not maps[2].data.computed
    viewer.layers.clear()
    assert worker not in _AT_WORK


def test_maps_that_are_removed_are_not_computed_any_more(viewer, photograph, qtbot):
    result = result_of(reconstruct_events(photograph, "rootpoly-srgb", intervals=True))
    maps = add_trust_maps(viewer, result, add_cube(viewer, result.cube))
    begun, free, work = threading.Event(), threading.Event(), maps[0].data._compute

    def slowly():
        begun.set()
        assert free.wait(PATIENCE)
        return work()

    maps[0].data._compute = slowly
    worker = MapWorker(viewer, maps)
    for layer in maps:
        layer.visible = True
    qtbot.waitUntil(lambda: begun.is_set() and len(worker._wanted) == len(maps))
    viewer.layers.clear()
    free.set()
    qtbot.waitUntil(lambda: not worker.busy)
    assert [layer.data.computed for layer in maps] == [True, *[False] * (len(maps) - 1)]


def test_a_map_that_cannot_be_computed_is_hidden_and_says_why(viewer, photograph, qtbot):
    result = result_of(reconstruct_events(photograph, "rootpoly-srgb", intervals=True))
    layer = add_trust_maps(viewer, result, add_cube(viewer, result.cube))[0]
    working = layer.data._compute

    def gone():
        raise InputError("The file is gone.")

    layer.data._compute = gone
    worker = MapWorker(viewer, [layer])
    with notification_manager:
        layer.visible = True
        qtbot.waitUntil(lambda: not layer.visible)
        assert "The file is gone." in notification_manager.records[-1].message
    layer.data._compute = working
    qtbot.waitUntil(lambda: not worker.busy)
    layer.visible = True
    qtbot.waitUntil(lambda: layer.data.computed)


def test_evidence_stays_with_its_layer_as_long_as_the_values_do(viewer, photograph):
    result = result_of(reconstruct_events(photograph, "rootpoly-srgb"))
    cube, other = add_cube(viewer, result.cube), add_cube(viewer, result.cube)
    found = Evidence.of(result)
    remember(cube, found)
    assert evidence_of(PublicOnlyProxy(viewer).layers[0]) is found
    assert evidence_of(other) is None
    cube.data = np.zeros_like(cube.data)
    assert evidence_of(cube) is None


def test_a_cube_is_saved_with_the_ends_of_its_intervals_beside_it(
    viewer, photograph, qtbot, tmp_path
):
    result = result_of(reconstruct_events(photograph, "rootpoly-srgb"))
    cube = add_cube(viewer, result.cube)
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    window = SaveCubesWindow(panel, viewer)
    window.set_folder(tmp_path)
    assert window.what.count() == 1  # nothing is known of it
    remember(cube, Evidence.of(result))
    window.refresh()
    window.what.set_value(ENDS)
    window.save()
    qtbot.waitUntil(lambda: not window.busy)
    stem = next(path.stem for path in tmp_path.iterdir() if not path.stem.endswith("er"))
    made, lower, upper = (read(tmp_path / f"{stem}{end}.mat") for end in ("", "_lower", "_upper"))
    expected = Evidence.of(result).intervals.bounds(result.cube)
    np.testing.assert_array_equal(made.data, result.cube.data)
    np.testing.assert_array_equal(lower.data, expected[0].data)
    np.testing.assert_array_equal(upper.data, expected[1].data)
    assert "upper end of 90%" in upper.provenance.steps[-1]
    panel.release()


def test_the_panel_offers_them_where_the_model_is_calibrated(
    viewer, photograph, qtbot, monkeypatch
):
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    panel.model.set_name("rootpoly-srgb")
    add_photograph(viewer, photograph)
    settle(panel, qtbot)
    box = panel.trust.intervals
    assert box.isEnabled()
    run(panel, qtbot)
    assert len(viewer.layers) == 2  # no maps unless asked for
    box.setChecked(True)
    run(panel, qtbot)
    assert sum("interval" in layer.name for layer in viewer.layers) == 2
    monkeypatch.setattr("napari_hsr.inference.trust.intervals.witnesses_of", lambda _model: None)
    panel.model.set_name("instant-photo")
    settle(panel, qtbot)
    assert not box.isEnabled()
    assert "no calibrated intervals" in box.toolTip()
    assert not panel.trust.options()["intervals"]


def test_the_camera_and_exact_colours_go_into_the_run_and_what_is_missing_is_said(
    viewer, photograph, qtbot, tmp_path, monkeypatch
):
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    panel.model.set_name("rootpoly-srgb")
    add_photograph(viewer, photograph)
    panel.trust.exact.setChecked(True)
    settle(panel, qtbot)
    assert not panel.ready
    assert "cie-1931" in panel.obstacle.text()
    panel.trust.camera.set_value("cie-1931")
    run(panel, qtbot)
    record = panel.last_cube.provenance.extra["trust"]
    assert record["exact"]
    assert record["intervals"] == 0.9  # of exact spectra they are found in the run
    assert evidence_of(viewer.layers[1]).calibrated
    table = tmp_path / "measured.csv"
    rows = [f"{c},{nm},{nm},{700 - nm / 2},{nm / 3}" for c in ("One", "Two") for nm in (380, 720)]
    table.write_text("camera,wavelength,R,G,B\n" + "\n".join(rows), encoding="utf-8")
    monkeypatch.setattr(
        trust_options.QFileDialog, "getOpenFileName", lambda *_ignored: (str(table), "")
    )
    panel.trust.camera.set_value("table")
    assert panel.trust.options()["camera"] == f"{table}:One"
    assert f"{table}:Two" in panel.trust.camera.offered()
    table.write_text("nothing", encoding="utf-8")
    panel.trust.camera.set_value("table")
    assert panel.trust.options()["camera"] == f"{table}:One"
    assert "sensitivities" in panel.trust.message.text()
