"""The Compare panel, driven as a user would."""

from __future__ import annotations

import csv
import json
import threading
import time

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import FileError, InputError
from napari_hsr.metrics import compare as compare_module
from napari_hsr.metrics import evaluate
from napari_hsr.viewer.comparison import map_layers
from napari_hsr.viewer.layers import add_cube, layer_cube, set_wavelengths
from napari_hsr.widgets.compare import CompareWidget

NM = np.arange(400.0, 501.0, 10.0)


def cubes(shape=(11, 20, 24), noise=0.02, nm=NM):
    rng = np.random.default_rng(3)
    truth = 0.1 + 0.8 * rng.random(shape, dtype=np.float32)
    guess = np.clip(truth + noise * rng.standard_normal(shape).astype(np.float32), 0, 1)
    return Cube(guess, Wavelengths(nm), name="guess"), Cube(truth, Wavelengths(nm), name="truth")


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def pair(viewer):
    truth = add_cube(viewer, cubes()[1])
    return add_cube(viewer, cubes()[0]), truth


@pytest.fixture
def panel(viewer, qtbot):
    widget = CompareWidget(viewer)
    qtbot.addWidget(widget)
    return widget


def wait_for_end(qtbot, panel):
    qtbot.waitUntil(lambda: not panel.running, timeout=20_000)


@pytest.fixture
def compared(viewer, pair, panel, qtbot):
    panel.run_button.click()
    wait_for_end(qtbot, panel)
    return panel


# --- before the run --------------------------------------------------------------------------


def test_says_what_is_missing_before_anything_is_pressed(viewer, panel):
    assert not panel.run_button.isEnabled()
    assert "no cube is open" in panel.reason.text()
    add_cube(viewer, cubes()[0])
    assert not panel.run_button.isEnabled()
    assert "only one cube is open" in panel.reason.text()
    add_cube(viewer, cubes()[1])
    assert panel.run_button.isEnabled()
    assert panel.reason.text() == ""


def test_two_cubes_are_chosen_by_themselves(viewer, pair, panel):
    prediction, truth = pair
    assert panel.form.prediction.layer() == prediction
    assert panel.form.truth.layer() == truth


def test_what_a_model_made_is_the_prediction(viewer, panel):
    from napari_hsr.provenance import Provenance

    guess, truth = cubes()
    made = add_cube(viewer, guess.replace(provenance=Provenance("x.png", model="a model")))
    measured = add_cube(viewer, truth)
    assert panel.form.prediction.layer() == made
    assert panel.form.truth.layer() == measured


def test_the_same_layer_twice_is_refused(pair, panel):
    panel.form.truth.set_layer(pair[0])
    assert not panel.run_button.isEnabled()
    assert "chosen twice" in panel.reason.text()


def test_different_sizes_are_refused(viewer, pair, panel):
    other = add_cube(viewer, cubes((11, 20, 23))[1])
    panel.form.truth.set_layer(other)
    assert not panel.run_button.isEnabled()
    assert "20" in panel.reason.text()
    assert "23" in panel.reason.text()


def test_wavelengths_that_do_not_meet_are_refused(viewer, pair, panel):
    infrared = add_cube(viewer, cubes(nm=NM + 600)[1])
    panel.form.truth.set_layer(infrared)
    assert not panel.run_button.isEnabled()
    assert "nm" in panel.reason.text()
    set_wavelengths(infrared, NM)  # the user corrects them: the panel notices
    assert panel.run_button.isEnabled()
    assert panel.reason.text() == ""


def test_a_protocol_is_described_where_it_is_chosen(panel):
    from napari_hsr.metrics.protocols import PROTOCOLS

    for name, protocol in PROTOCOLS.items():
        panel.form.protocol.setCurrentText(name)
        assert panel.form.protocol_text.text() == protocol.description
    assert panel.form.protocol_text.wordWrap()


def test_a_protocol_that_leaves_nothing_is_refused(pair, panel):
    panel.form.protocol.setCurrentText("mstpp-validation")
    assert not panel.run_button.isEnabled()
    assert "128" in panel.reason.text()


# --- the run ---------------------------------------------------------------------------------


def test_figures_are_those_of_the_library(compared, pair):
    expected = evaluate(layer_cube(pair[0]), layer_cube(pair[1]), protocol="default")
    assert compared.comparison.evaluation.values == expected.values
    table = compared.results.table
    rows = {table.item(r, 0).text(): table.item(r, 1).text() for r in range(table.rowCount())}
    assert rows["PSNR"] == f"{expected.values['psnr']:.2f} dB"
    assert rows["SAM"] == f"{expected.values['sam']:.3f} °"
    for metric in ("MRAE", "RMSE", "PSNR, mean of bands", "SSIM", "ERGAS"):
        assert metric in rows
    assert "guess against truth" in compared.results.heading.text()
    assert "default" in compared.results.protocol.text()


def test_curves_over_the_bands(compared):
    view = compared.results
    choices = [view.curve_chooser.itemText(i) for i in range(view.curve_chooser.count())]
    assert choices == ["RMSE", "PSNR", "MRAE"]
    for row, name in enumerate(("rmse", "psnr", "mrae")):
        view.curve_chooser.setCurrentIndex(row)
        (curve,) = view.plot.curves
        np.testing.assert_array_equal(curve.x, NM)
        np.testing.assert_array_equal(curve.y, compared.comparison.evaluation.per_band[name])


def test_marker_and_slider_go_together(compared, viewer):
    viewer.dims.set_point(0, 450)
    assert compared.results.plot.marker_value() == 450
    compared.results.plot.marker_moved.emit(420.0)
    assert viewer.dims.point[0] == 420


def test_ticked_maps_become_layers_and_are_replaced(compared, viewer, pair, qtbot):
    assert list(map_layers(viewer, *pair)) == ["sam", "rmse"]
    for check in compared.form.checks.values():
        check.setChecked(True)
    compared.run()
    wait_for_end(qtbot, compared)
    shown = map_layers(viewer, *pair)
    assert list(sorted(shown)) == sorted(compared.form.checks)
    assert len(viewer.layers) == 2 + len(shown)
    assert all(layer.data.shape == (20, 24) for layer in shown.values())
    assert all(layer.colorbar.visible for layer in shown.values())
    assert "°" in shown["sam"].name
    assert "dB" in shown["psnr"].name
    compared.run()
    wait_for_end(qtbot, compared)
    assert len(viewer.layers) == 2 + len(shown)


def test_the_window_is_the_users(pair, panel, viewer, qtbot):
    assert panel.form.window.isHidden()
    panel.form.checks["psnr_window"].setChecked(True)
    assert not panel.form.window.isHidden()
    maps = []
    for window in (3, 9):
        panel.form.window.setValue(window)
        panel.run()
        wait_for_end(qtbot, panel)
        maps.append(map_layers(viewer, *pair)["psnr_window"].data.copy())
    assert np.nanstd(maps[1]) < np.nanstd(maps[0])  # a larger window smooths more


def test_what_was_left_out_is_said_in_words(viewer, panel, qtbot):
    guess, truth = cubes()
    truth.data[:, :2, :3] = 0
    guess.data[4, 5, 5] = np.nan
    add_cube(viewer, truth)
    add_cube(viewer, guess)
    panel.run()
    wait_for_end(qtbot, panel)
    text = panel.results.notes.text()
    assert "6" in text
    assert "NaN" in text or "finite" in text


@pytest.mark.parametrize("kind", ["equal", "one band", "nothing finite", "negative", "black"])
def test_odd_cubes_give_figures_or_words(viewer, panel, qtbot, kind):
    guess, truth = cubes()
    if kind == "equal":
        guess = truth.replace(name="guess")
    elif kind == "one band":
        guess, truth = (Cube(c.data[:1], Wavelengths([550.0]), name=c.name) for c in (guess, truth))
    elif kind == "nothing finite":
        guess.data[:] = np.nan
    elif kind == "negative":
        truth.data[:] -= 0.6
    else:
        truth.data[:] = 0
    for cube in (truth, guess):
        add_cube(viewer, cube)
    for check in panel.form.checks.values():
        check.setChecked(True)
    panel.grid_button.click()
    wait_for_end(qtbot, panel)
    assert panel.message.text() == ""
    assert len(viewer.layers) == 7
    table = panel.results.table
    shown = {table.item(r, 0).text(): table.item(r, 1).text() for r in range(table.rowCount())}
    assert shown["PSNR"] == {"equal": "∞ dB", "nothing finite": "not defined"}.get(
        kind, f"{panel.comparison.evaluation.values['psnr']:.2f} dB"
    )
    for row in range(3):
        panel.results.curve_chooser.setCurrentIndex(row)
    if kind in ("nothing finite", "black"):
        assert panel.results.notes.text() != ""


def slow(monkeypatch):
    """Hold the comparison until it is asked to stop; returns the event of having begun."""
    begun = threading.Event()
    real = compare_module.evaluate

    def wait_first(*arguments, cancel=None, **options):
        begun.set()
        deadline = time.monotonic() + 10
        while not cancel.is_set() and time.monotonic() < deadline:
            time.sleep(0.01)
        return real(*arguments, cancel=cancel, **options)

    monkeypatch.setattr(compare_module, "evaluate", wait_first)
    return begun


def running_threads():
    return [t for t in threading.enumerate() if "Compare" in t.name]


def test_cancel(viewer, pair, panel, qtbot, monkeypatch):
    begun = slow(monkeypatch)
    panel.run_button.click()
    assert panel.running
    assert not panel.run_button.isEnabled()
    assert not panel.form.isEnabled()
    qtbot.waitUntil(begun.is_set, timeout=5000)
    panel.cancel_button.click()
    wait_for_end(qtbot, panel)
    assert "Cancelled" in panel.message.text()
    assert len(viewer.layers) == 2
    assert panel.comparison is None
    assert panel.run_button.isEnabled()
    assert not running_threads()


@pytest.mark.parametrize("which", [0, 1])
def test_a_layer_deleted_while_it_is_compared(viewer, pair, panel, qtbot, monkeypatch, which):
    begun = slow(monkeypatch)
    panel.run()
    qtbot.waitUntil(begun.is_set, timeout=5000)
    name = pair[which].name
    viewer.layers.remove(pair[which])
    wait_for_end(qtbot, panel)
    assert panel.message.text() == f"Stopped: “{name}” was deleted while it was being compared."
    assert len(viewer.layers) == 1
    assert not panel.run_button.isEnabled()


def test_an_unrelated_layer_deleted_meanwhile_does_not_matter(viewer, pair, panel, qtbot):
    extra = viewer.add_image(np.zeros((4, 4)))
    panel.run()
    viewer.layers.remove(extra)
    wait_for_end(qtbot, panel)
    assert panel.comparison is not None


def test_a_fault_is_one_sentence(viewer, pair, panel, qtbot, monkeypatch):
    def refuse(*arguments, **options):
        raise InputError("The cubes do not agree.")

    monkeypatch.setattr(compare_module, "evaluate", refuse)
    panel.run()
    wait_for_end(qtbot, panel)
    assert panel.message.text() == "The cubes do not agree."
    assert panel.message.kind == "error"
    assert panel.run_button.isEnabled()


def test_closing_the_panel_leaves_nothing_running(viewer, pair, qtbot, monkeypatch):
    panel = CompareWidget(viewer)
    qtbot.addWidget(panel)
    begun = slow(monkeypatch)
    panel.run()
    qtbot.waitUntil(begun.is_set, timeout=5000)
    panel.close()
    deadline = time.monotonic() + 5
    while running_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not running_threads()
    qtbot.wait(100)  # nothing may arrive any more
    assert panel.comparison is None
    assert len(viewer.layers) == 2
    assert not panel.running


# --- grid ------------------------------------------------------------------------------------


def visible(viewer):
    return [layer.name for layer in viewer.layers if layer.visible]


def test_grid_in_one_click_and_back(viewer, pair, panel, qtbot):
    other = viewer.add_image(np.zeros((20, 24)), name="other")
    order = [layer.name for layer in viewer.layers]
    for check in panel.form.checks.values():
        check.setChecked(False)
    panel.grid_button.click()  # the maps that it needs are computed first
    wait_for_end(qtbot, panel)
    assert viewer.canvas.grid.enabled
    assert panel.grid_button.isChecked()
    assert visible(viewer) == ["guess", "truth", "SAM (°) · guess", "RMSE · guess"]
    panel.grid_button.click()
    assert not viewer.canvas.grid.enabled
    assert not panel.grid_button.isChecked()
    assert [layer.name for layer in viewer.layers][:3] == order
    assert other.visible
    viewer.layers.remove(other)
    panel.grid_button.click()  # now they are there
    assert viewer.canvas.grid.enabled


def test_leaving_the_grid_by_naparis_button_restores_too(compared, viewer):
    before = visible(viewer)
    order = list(viewer.layers)
    compared.grid_button.click()
    viewer.canvas.grid.enabled = False
    assert not compared.grid_button.isChecked()
    assert visible(viewer) == before
    assert list(viewer.layers) == order


def test_cancelled_on_the_way_to_the_grid(viewer, pair, panel, qtbot, monkeypatch):
    begun = slow(monkeypatch)
    panel.grid_button.click()
    qtbot.waitUntil(begun.is_set, timeout=5000)
    panel.cancel()
    wait_for_end(qtbot, panel)
    assert not viewer.canvas.grid.enabled
    assert not panel.grid_button.isChecked()


def test_grid_outlives_the_deletion_of_its_layers(compared, viewer, pair):
    compared.grid_button.click()
    viewer.layers.remove(pair[0])
    assert compared.grid_button.isEnabled()
    compared.grid_button.click()
    assert not viewer.canvas.grid.enabled
    assert pair[1].visible


# --- export ----------------------------------------------------------------------------------


def test_export_json(compared, tmp_path):
    compared.export_json(tmp_path / "c.json")
    found = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    values = compared.comparison.evaluation.values
    assert found["values"] == pytest.approx(values, rel=0, abs=0)
    assert (found["prediction"], found["truth"]) == ("guess", "truth")
    assert found["protocol"] == "default"


def test_export_csv(compared, tmp_path):
    compared.export_csv(tmp_path / "c.csv")
    rows = list(csv.reader((tmp_path / "c.csv").read_text(encoding="utf-8").splitlines()))
    text = [cell for row in rows for cell in row]
    assert repr(compared.comparison.evaluation.values["rmse"]) in text


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_failed_export_keeps_the_old_file(compared, tmp_path, kind, monkeypatch):
    path = tmp_path / f"c.{kind}"
    path.write_text("earlier")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
    with pytest.raises(FileError, match=f"c.{kind}"):
        getattr(compared, f"export_{kind}")(path)
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_export_into_nowhere_is_one_sentence(compared, tmp_path, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    path = str(tmp_path / "missing" / "c.json")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))
    compared.json_button.click()
    assert path in compared.message.text()
    assert compared.message.kind == "error"
    good = str(tmp_path / "c")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (good, ""))
    compared.json_button.click()
    assert (tmp_path / "c.json").exists()
    assert compared.message.kind == "info"


# --- looks -----------------------------------------------------------------------------------


def test_fits_a_narrow_dock(compared, qtbot):
    compared.resize(320, 900)
    compared.show()
    qtbot.waitExposed(compared)
    inside = compared.findChild(type(compared.results)).parentWidget()
    assert inside.minimumSizeHint().width() <= 320


def test_theme_reaches_the_plot(compared, viewer):
    dark = compared.results.plot.foreground
    viewer.theme = "light"
    assert compared.results.plot.foreground != dark
    (curve,) = compared.results.plot.curves
    assert curve.color == compared.results.plot.foreground


@pytest.fixture
def docked(make_napari_viewer, qtbot):
    """The panel as napari opens it, in a real window, with the grid shown."""
    viewer = make_napari_viewer()
    for cube in cubes()[::-1]:
        add_cube(viewer, cube)
    dock, panel = viewer.window.add_plugin_dock_widget("napari-hsr", "Compare")
    panel.grid_button.click()
    wait_for_end(qtbot, panel)
    assert viewer.canvas.grid.enabled
    return viewer, dock, panel


def test_in_naparis_window_until_its_dock_is_closed(docked):
    viewer, dock, panel = docked
    assert len(viewer.layers) == 4
    panel.grid_button.click()
    assert not viewer.canvas.grid.enabled
    panel.grid_button.click()
    viewer.window.remove_dock_widget(dock)
    assert not viewer.canvas.grid.enabled
    assert [layer.name for layer in viewer.layers][:2] == ["truth", "guess"]


def test_closing_the_viewer_in_mid_run_and_in_the_grid(docked, qtbot, monkeypatch):
    viewer, _, panel = docked
    begun = slow(monkeypatch)
    panel.run()
    qtbot.waitUntil(begun.is_set, timeout=5000)
    viewer.close()
    assert not running_threads()
    qtbot.wait(50)
