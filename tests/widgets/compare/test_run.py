"""A comparison under way: figures, maps, cancelling, layers that go."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.metrics import evaluate, several
from napari_hsr.viewer.comparison import map_layers
from napari_hsr.viewer.layer_data import layer_cube
from napari_hsr.viewer.layers import add_cube, set_wavelengths
from napari_hsr.widgets.common.close_guard import ENDED
from napari_hsr.widgets.compare.panel import CompareWidget

from ...patience import wait_for


def test_figures_are_those_of_the_library(compared, pair):
    expected = evaluate(layer_cube(pair[0]), layer_cube(pair[1]), protocol="default")
    assert compared.comparison.evaluation.values == expected.values
    table = compared.results.table
    rows = {table.item(r, 0).text(): table.item(r, 1).text() for r in range(table.rowCount())}
    assert rows["PSNR"] == f"{expected.values['psnr']:.2f} dB"
    assert rows["SAM"] == f"{expected.values['sam']:.3f}°"
    for metric in ("MRAE", "RMSE", "PSNR, mean of bands", "SSIM", "ERGAS"):
        assert metric in rows
    assert "guess against truth" in compared.results.heading.text()
    assert "default" in compared.results.protocol.text()


def test_curves_over_the_bands(compared, nm):
    view = compared.results
    choices = [view.curve_chooser.itemText(i) for i in range(view.curve_chooser.count())]
    assert choices == ["RMSE", "PSNR", "MRAE"]
    for row, name in enumerate(("rmse", "psnr", "mrae")):
        view.curve_chooser.setCurrentIndex(row)
        (curve,) = view.plot.curves
        np.testing.assert_array_equal(curve.x, nm)
        np.testing.assert_array_equal(curve.y, compared.comparison.evaluation.per_band[name])


def test_marker_and_slider_go_together(compared, viewer):
    viewer.dims.set_point(0, 450)
    assert compared.results.plot.marker_value() == 450
    compared.results.plot.marker_moved.emit(420.0)
    assert viewer.dims.point[0] == 420


def test_ticked_maps_become_layers_and_are_replaced(compared, viewer, pair, wait_for_end):
    assert list(map_layers(viewer, *pair)) == ["sam", "rmse"]
    for check in compared.form.checks.values():
        check.setChecked(True)
    compared.run()
    wait_for_end(compared)
    shown = map_layers(viewer, *pair)
    assert sorted(shown) == sorted(compared.form.checks)
    assert len(viewer.layers) == 2 + len(shown)
    assert all(layer.data.shape == (20, 24) for layer in shown.values())
    assert all(layer.colorbar.visible for layer in shown.values())
    assert "°" in shown["sam"].name
    assert "dB" in shown["psnr"].name
    compared.run()
    wait_for_end(compared)
    assert len(viewer.layers) == 2 + len(shown)


def test_the_window_is_the_users(pair, panel, viewer, wait_for_end):
    assert not panel.form.window_size.isEnabled()
    panel.form.checks["psnr_window"].setChecked(True)
    assert panel.form.window_size.isEnabled()
    maps = []
    for window in (3, 9):
        panel.form.window_size.setValue(window)
        panel.run()
        wait_for_end(panel)
        maps.append(map_layers(viewer, *pair)["psnr_window"].data.copy())
    assert np.nanstd(maps[1]) < np.nanstd(maps[0])  # a larger window smooths more


def test_what_was_left_out_is_said_in_words(viewer, panel, cubes, wait_for_end):
    guess, truth = cubes()
    truth.data[:, :2, :3] = 0
    guess.data[4, 5, 5] = np.nan
    add_cube(viewer, truth)
    add_cube(viewer, guess)
    panel.run()
    wait_for_end(panel)
    text = panel.results.notes.text()
    assert "6" in text
    assert "NaN" in text or "finite" in text


@pytest.mark.parametrize("kind", ["equal", "one band", "nothing finite", "negative", "black"])
def test_odd_cubes_give_figures_or_words(viewer, panel, kind, cubes, wait_for_end):
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
    wait_for_end(panel)
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


def test_cancel(viewer, pair, panel, qtbot, wait_for_end, hold, running_threads):
    begun = hold()
    panel.run_button.click()
    assert panel.running
    assert not panel.run_button.isEnabled()
    assert not panel.form.isEnabled()
    qtbot.waitUntil(begun.is_set)
    panel.cancel_button.click()
    wait_for_end(panel)
    assert "Cancelled" in panel.message.text()
    assert len(viewer.layers) == 2
    assert panel.comparison is None
    assert panel.run_button.isEnabled()
    assert not running_threads()


@pytest.mark.parametrize("which", [0, 1])
def test_a_layer_deleted_while_it_is_compared(
    viewer, pair, panel, qtbot, which, wait_for_end, hold
):
    begun = hold()
    panel.run()
    qtbot.waitUntil(begun.is_set)
    name = pair[which].name
    viewer.layers.remove(pair[which])
    wait_for_end(panel)
    assert panel.message.text() == f"Stopped: “{name}” was deleted while it was being compared."
    assert len(viewer.layers) == 1
    assert not panel.run_button.isEnabled()


@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize("which", [0, 1])
def test_a_layer_that_is_given_other_values_while_it_is_compared(
    viewer, pair, panel, qtbot, which, chosen, wait_for_end, hold, cubes
):
    begun = hold()
    panel.run()
    qtbot.waitUntil(begun.is_set)
    if not chosen:  # the cube of a run that ends meanwhile is
        another = add_cube(viewer, cubes()[0], name="another")
        panel.form.prediction.set_layer(another)
        panel.form.truth.set_layer(another)
    pair[which].data = np.array(pair[1 - which].data)
    wait_for_end(panel)
    changed = f"“{pair[which].name}” was changed while it was being compared."
    assert panel.message.text() == f"Stopped: {changed}"
    assert panel.comparison is None
    assert len(viewer.layers) == 2 + (not chosen)
    assert panel.run_button.isEnabled() == chosen


def test_wavelengths_that_are_stated_anew_while_a_layer_is_compared(
    pair, panel, qtbot, wait_for_end, hold
):
    begun = hold()
    panel.run()
    qtbot.waitUntil(begun.is_set)
    pair[1].metadata = dict(pair[1].metadata)  # nothing of it is another
    assert panel.message.text() == ""
    set_wavelengths(pair[1], np.arange(410.0, 511.0, 10.0))
    wait_for_end(panel)
    assert panel.message.text() == "Stopped: “truth” was changed while it was being compared."
    assert panel.comparison is None


def test_figures_of_values_that_change_in_a_second_run_are_not_shown_any_more(
    pair, panel, qtbot, wait_for_end, hold
):
    panel.run()
    wait_for_end(panel)
    assert panel.comparison is not None
    begun = hold()
    panel.run()
    qtbot.waitUntil(begun.is_set)
    pair[0].data = np.array(pair[1].data)
    wait_for_end(panel)
    assert panel.message.text().startswith("Stopped: ")
    assert panel.comparison is None
    assert panel.results.isHidden()
    assert panel.json_button.isHidden()


def test_an_unrelated_layer_deleted_meanwhile_does_not_matter(viewer, pair, panel, wait_for_end):
    extra = viewer.add_image(np.zeros((4, 4)))
    panel.run()
    viewer.layers.remove(extra)
    wait_for_end(panel)
    assert panel.comparison is not None


def test_a_fault_is_one_sentence(viewer, pair, panel, monkeypatch, wait_for_end):
    def refuse(*arguments, **options):
        raise InputError("The cubes do not agree.")

    monkeypatch.setattr(several, "evaluate_events", refuse)
    panel.run()
    wait_for_end(panel)
    assert panel.message.text() == "The cubes do not agree."
    assert panel.message.kind == "error"
    assert panel.run_button.isEnabled()


def test_closing_the_panel_leaves_nothing_running(
    viewer, pair, qtbot, hold, running_threads, monkeypatch
):
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    panel = CompareWidget(viewer)
    qtbot.addWidget(panel)
    begun = hold()
    panel.run()
    qtbot.waitUntil(begun.is_set)
    panel.close()
    assert told == [f"The comparison: {ENDED}"]
    wait_for(lambda: not running_threads(), "the end of the comparison's thread")
    qtbot.wait(100)  # nothing may arrive any more
    assert panel.comparison is None
    assert len(viewer.layers) == 2
    assert not panel.running
    panel.show()
    assert panel.run_button.isEnabled()
    assert not panel.cancel_button.isEnabled()


def test_results_of_something_else_are_not_left_on_show(compared, pair, wait_for_end):
    assert not compared.results.isHidden()
    compared.form.checks["mrae"].setChecked(True)  # the figures are still those of this pair
    assert not compared.results.isHidden()
    compared.form.protocol.setCurrentIndex(1)
    assert compared.results.isHidden()
    assert compared.csv_button.isHidden()
    assert compared.comparison is None
    compared.run()
    wait_for_end(compared)
    assert not compared.results.isHidden()
    pair[0].data = pair[0].data * 0.5
    assert compared.results.isHidden()
    compared.run()
    wait_for_end(compared)
    pair[0].metadata = dict(pair[0].metadata)  # nothing of it is another
    assert not compared.results.isHidden()
    set_wavelengths(pair[1], np.arange(410.0, 511.0, 10.0))
    assert compared.results.isHidden()


def test_the_button_stays_where_it_is(panel, pair, qtbot):
    panel.resize(320, 700)
    panel.show()
    qtbot.wait(50)
    before = panel.run_button.geometry()
    for check in panel.form.checks.values():
        check.toggle()
        qtbot.wait(10)
        assert panel.run_button.geometry() == before
