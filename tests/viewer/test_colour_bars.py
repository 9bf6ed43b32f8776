"""A colour bar says in words what it counts, and in which unit."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.viewer import canvas_text
from napari_hsr.viewer.layers import add_map

DATA = np.random.default_rng(0).random((5, 6), np.float32)


@pytest.fixture
def viewer():
    return ViewerModel()


def text(viewer) -> str:
    overlay = viewer.canvas.overlays.get(canvas_text.OVERLAY)
    return overlay.text if overlay is not None and overlay.visible else ""


def test_bar_and_text_stand_under_each_other(viewer):
    layer = add_map(viewer, DATA, "SAM · guess", unit="°", title="SAM")
    assert text(viewer) == "SAM (°)"
    assert layer.colorbar.visible
    overlay = viewer.canvas.overlays[canvas_text.OVERLAY]
    assert str(layer.colorbar.position) == str(overlay.position) == canvas_text.CORNER
    assert str(getattr(viewer.canvas.overlay_tiling, canvas_text.CORNER)) == "vertical"


def test_it_follows_what_is_in_sight(viewer):
    sam = add_map(viewer, DATA, "SAM", unit="°")
    rmse = add_map(viewer, DATA, "RMSE", unit="reflectance")
    assert text(viewer) == "RMSE (reflectance)\nSAM (°)"  # topmost first, as the bars
    rmse.visible = False
    assert text(viewer) == "SAM (°)"
    sam.colorbar.visible = False
    assert text(viewer) == ""
    sam.colorbar.visible = True
    assert text(viewer) == "SAM (°)"
    viewer.layers.remove(sam)
    assert text(viewer) == ""


def test_a_map_that_comes_hidden_is_named_when_it_is_shown(viewer):
    layer = add_map(viewer, DATA, "SAM", unit="°", visible=False)
    assert text(viewer) == ""
    layer.visible = True
    assert text(viewer) == "SAM (°)"


def test_one_bad_pixel_makes_no_map_black_and_is_told(viewer):
    data = np.full((20, 20), 3.0, np.float32)
    data[4, 5] = 99.6
    layer = add_map(viewer, data, "SAM", unit="°")
    assert layer.contrast_limits[1] < 5
    assert text(viewer) == "SAM (°) up to 99.6"


def test_a_long_line_breaks_before_its_unit(viewer):
    add_map(viewer, DATA, "Residual at low resolution (reflectance, RMS)", unit="reflectance")
    assert text(viewer) == "Residual at low resolution\n(reflectance, RMS)"


def test_in_a_grid_each_map_has_its_name(viewer):
    sam = add_map(viewer, DATA, "SAM", unit="°")
    named = add_map(viewer, DATA, "PSNR", unit="dB")
    named.name_overlay.visible = True
    viewer.canvas.grid.enabled = True
    assert text(viewer) == ""
    assert sam.name_overlay.visible
    viewer.canvas.grid.enabled = False
    assert text(viewer) == "PSNR (dB)\nSAM (°)"
    assert not sam.name_overlay.visible
    assert named.name_overlay.visible  # the user's own wish stays


def test_long_names_are_small_enough_for_their_tiles(viewer):
    long = add_map(viewer, DATA, "Relative half-width of the intervals of a photograph", unit="°")
    short = add_map(viewer, DATA, "SAM", unit="°")
    before = short.name_overlay.font_size
    viewer.canvas.grid.enabled = True
    width = viewer.canvas.viewbox_size(viewer.layers)[1]
    assert 6 <= long.name_overlay.font_size <= max(6, width / len(long.name)) < before
    assert short.name_overlay.font_size == before


def test_other_images_are_left_alone(viewer):
    viewer.add_image(DATA).colorbar.visible = True
    add_map(viewer, DATA, "SAM", unit="°", visible=False)
    assert text(viewer) == ""


def test_the_viewer_is_not_kept_alive():
    viewer = ViewerModel()
    add_map(viewer, DATA, "SAM", unit="°")
    gone = weakref.ref(viewer)
    del viewer
    gc.collect()
    assert gone() is None
