"""Side by side in one click, and back; the panel in a real window."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr.viewer.layers import add_cube


def visible(viewer):
    return [layer.name for layer in viewer.layers if layer.visible]


def test_grid_in_one_click_and_back(viewer, pair, panel, wait_for_end):
    other = viewer.add_image(np.zeros((20, 24)), name="other")
    order = [layer.name for layer in viewer.layers]
    for check in panel.form.checks.values():
        check.setChecked(False)
    panel.grid_button.click()  # the maps that it needs are computed first
    wait_for_end(panel)
    assert viewer.canvas.grid.enabled
    assert panel.grid_button.isChecked()
    assert visible(viewer) == ["guess", "truth", "SAM (°) · guess", "RMSE · guess"]
    panel.grid_button.click()
    assert not viewer.canvas.grid.enabled
    assert not panel.grid_button.isChecked()
    assert [layer.name for layer in viewer.layers if layer.name in order] == order
    assert other.visible
    viewer.layers.remove(other)
    panel.grid_button.click()  # now they are there
    assert viewer.canvas.grid.enabled


def test_the_grid_shows_no_maps_of_what_a_cube_held_before(viewer, pair, panel, wait_for_end):
    panel.grid_button.click()
    wait_for_end(panel)
    panel.grid_button.click()
    angles = viewer.layers["SAM (°) · guess"].data.copy()
    assert angles.max() > 0
    prediction, truth = panel.form.prediction.layer(), panel.form.truth.layer()
    truth.data = np.array(prediction.data)
    panel.grid_button.click()
    wait_for_end(panel)
    assert viewer.canvas.grid.enabled
    assert viewer.layers["SAM (°) · guess"].data.max() < 1e-3 < angles.max()


def test_leaving_the_grid_by_naparis_button_restores_too(compared, viewer):
    before = visible(viewer)
    order = list(viewer.layers)
    compared.grid_button.click()
    viewer.canvas.grid.enabled = False
    assert not compared.grid_button.isChecked()
    assert visible(viewer) == before
    assert list(viewer.layers) == order


def test_cancelled_on_the_way_to_the_grid(viewer, pair, panel, qtbot, wait_for_end, hold):
    begun = hold()
    panel.grid_button.click()
    qtbot.waitUntil(begun.is_set)
    panel.cancel()
    wait_for_end(panel)
    assert not viewer.canvas.grid.enabled
    assert not panel.grid_button.isChecked()


def test_grid_outlives_the_deletion_of_its_layers(compared, viewer, pair):
    compared.grid_button.click()
    viewer.layers.remove(pair[0])
    assert compared.grid_button.isEnabled()
    compared.grid_button.click()
    assert not viewer.canvas.grid.enabled
    assert pair[1].visible


@pytest.fixture
def docked(make_napari_viewer, cubes, wait_for_end):
    """The panel as napari opens it, in a real window, with the grid shown."""
    viewer = make_napari_viewer()
    for cube in cubes()[::-1]:
        add_cube(viewer, cube)
    dock, panel = viewer.window.add_plugin_dock_widget("napari-hsr", "Compare")
    panel.grid_button.click()
    wait_for_end(panel)
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


def test_closing_the_viewer_in_mid_run_and_in_the_grid(docked, qtbot, hold, running_threads):
    viewer, _, panel = docked
    begun = hold()
    panel.run()
    qtbot.waitUntil(begun.is_set)
    viewer.close()
    assert not running_threads()
    qtbot.wait(50)
