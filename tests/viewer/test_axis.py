"""The band axis in nanometres, and the text on the canvas."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.viewer import axis, layers
from napari_hsr.viewer.canvas_text import show_wavelength

IRREGULAR = (400.0, 410.0, 450.0, 600.0, 900.0)


def add(viewer, nm, bands=None, **options):
    bands = len(nm) if nm is not None else bands
    cube = Cube(np.zeros((bands, 6, 5), np.float32), None if nm is None else Wavelengths(nm))
    return layers.add_cube(viewer, cube, **options)


@pytest.fixture
def viewer():
    return ViewerModel()


def text(viewer) -> str:
    return viewer.canvas.overlays.text.text


def test_an_empty_viewer_has_no_wavelength(viewer):
    assert axis.current_nm(viewer) is None
    axis.go_to(viewer, 550)
    viewer.add_image(np.zeros((4, 5)))
    assert axis.current_nm(viewer) is None


def test_going_to_a_wavelength(viewer):
    layer = add(viewer, np.arange(400, 701, 10))
    axis.go_to(viewer, 552)
    assert axis.current_nm(viewer) == 550
    assert axis.current_band(viewer, layer) == 15
    assert axis.current_nm(viewer, layer) == 550
    assert axis.on_nm_axis(layer)
    assert text(viewer) == "λ = 550 nm"
    assert viewer.canvas.overlays.text.visible


def test_two_grids_share_the_axis(viewer):
    coarse = add(viewer, np.arange(400, 701, 10))
    fine = add(viewer, np.arange(500, 901, 5))
    axis.go_to(viewer, 515)
    assert axis.current_nm(viewer) == 515
    assert axis.current_nm(viewer, fine) == 515
    assert axis.current_nm(viewer, coarse) == 520  # half to even, as napari slices
    assert text(viewer) == "λ = 515 nm · cube [1]\nλ = 520 nm · cube"
    axis.go_to(viewer, 800)
    assert axis.current_band(viewer, coarse) is None
    assert axis.current_nm(viewer, coarse) is None
    fine.visible = False
    assert not viewer.canvas.overlays.text.visible


def test_a_band_outside_is_what_napari_shows(viewer):
    """The band named is the plane that napari slices, at every place of the slider."""
    coarse = add(viewer, np.arange(400, 701, 10))
    coarse.data = np.broadcast_to(np.arange(31.0)[:, None, None], (31, 6, 5)).copy()
    add(viewer, np.arange(400, 721, 5))
    for nm in range(400, 721, 5):
        axis.go_to(viewer, nm)
        band = axis.current_band(viewer, coarse)
        value = coarse.get_value((nm, 2, 2), world=True)
        assert (band, value) == (value, band) or (band is None and value is None)


def test_irregular_cubes_go_by_band_but_speak_in_nm(viewer):
    layer = add(viewer, IRREGULAR)
    assert not axis.on_nm_axis(layer)
    axis.go_to(viewer, 640)
    assert axis.current_band(viewer, layer) == 3
    assert axis.current_nm(viewer) == axis.current_nm(viewer, layer) == 600
    assert text(viewer) == "λ = 600 nm"


def test_unknown_wavelengths_are_bands(viewer):
    layer = add(viewer, None, bands=9)
    axis.go_to_band(viewer, layer, 6)
    assert axis.current_nm(viewer) is None
    assert axis.current_nm(viewer, layer) is None
    assert text(viewer) == "band 7"
    layers.set_wavelengths(layer, np.arange(400, 490, 10))
    axis.go_to(viewer, 430)
    assert text(viewer) == "λ = 430 nm"


def test_a_fourth_dimension_comes_in_front(viewer):
    layer = add(viewer, np.arange(400, 701, 10))
    viewer.add_image(np.zeros((3, 31, 6, 5)))
    axis.go_to(viewer, 600)
    assert axis.band_axis_index(viewer) == 1
    assert axis.current_nm(viewer, layer) == 600


def test_the_canvas_text_of_others_is_left_alone(viewer):
    viewer.canvas.overlays.text.text = "mine"
    add(viewer, IRREGULAR)
    assert text(viewer) == "mine"


def test_the_canvas_text_can_be_hidden_and_overwritten(viewer):
    layer = add(viewer, np.arange(400, 701, 10))
    viewer.canvas.overlays.text.visible = False
    add(viewer, np.arange(400, 701, 10))
    assert not viewer.canvas.overlays.text.visible
    viewer.canvas.overlays.text.text = "mine"
    axis.go_to(viewer, 600)
    assert text(viewer) == "mine"
    assert layer in viewer.layers


def test_the_canvas_text_goes_with_the_last_cube_and_comes_with_the_next(viewer):
    """Hidden, never emptied: an empty text in a visible overlay crashes the canvas."""
    overlay = viewer.canvas.overlays.text
    layer = add(viewer, np.arange(400, 701, 10))
    assert overlay.visible
    assert overlay.text
    viewer.layers.remove(layer)
    assert not overlay.visible
    assert overlay.text
    add(viewer, np.arange(500, 590, 10))
    assert overlay.visible
    assert text(viewer) == "λ = 550 nm"


def test_a_text_hidden_by_the_user_stays_hidden(viewer):
    layer = add(viewer, np.arange(400, 701, 10))
    viewer.canvas.overlays.text.visible = False
    viewer.layers.remove(layer)
    add(viewer, np.arange(400, 701, 10))
    assert not viewer.canvas.overlays.text.visible


def test_the_canvas_text_does_not_keep_the_viewer(viewer):
    viewer = ViewerModel()
    show_wavelength(viewer)
    gone = weakref.ref(viewer)
    del viewer
    gc.collect()
    assert gone() is None


def test_cubes_that_show_different_bands_are_named(viewer):
    by_band = add(viewer, None, bands=900, name="by band")
    by_nm = add(viewer, np.arange(400, 701, 10), name="by nm")
    axis.go_to(viewer, 550)
    assert text(viewer) == "λ = 550 nm · by nm\nband 551 · by band"
    by_band.visible = False
    assert text(viewer) == "λ = 550 nm"
    by_band.visible, by_nm.visible = True, False
    assert text(viewer) == "band 551"


def test_no_band_is_named_where_all_are_drawn(viewer):
    add(viewer, np.arange(400, 701, 10))
    overlay = viewer.canvas.overlays.text
    for change, back in (
        ({"ndisplay": 3}, {"ndisplay": 2}),
        ({"order": (1, 0, 2)}, {"order": (0, 1, 2)}),
    ):
        for name, value in change.items():
            setattr(viewer.dims, name, value)
        assert not overlay.visible
        for name, value in back.items():
            setattr(viewer.dims, name, value)
        assert overlay.visible


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@pytest.mark.parametrize(
    "turned",
    [
        {"shear": [0.4, 0.3, 0.5]},
        {"rotate": (20, 30, 40)},
        {"affine": np.array([[2, 0, 0.5, 50], [0.1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])},
    ],
)
def test_the_band_of_a_turned_cube_is_what_napari_slices(viewer, turned):
    layer = add(viewer, np.arange(400, 701, 10))
    layer.data = np.broadcast_to(np.arange(31.0)[:, None, None], (31, 6, 5)).copy()
    for name, value in turned.items():
        setattr(layer, name, value)
    bands = []
    for nm in np.linspace(*viewer.dims.range[0][:2], 9):
        viewer.dims.set_point(0, nm)
        band = axis.current_band(viewer, layer)
        if band is not None:
            bands.append(band)
            assert (layer._slice.image.raw == band).all()
    assert len(bands) > 2


def test_a_scale_of_the_users_own_leaves_the_bands_their_wavelengths(viewer):
    layer = add(viewer, np.arange(400, 701, 10))
    layer.scale, layer.translate = (1, 2, 2), (0, 0, 0)
    viewer.dims.set_point(0, 15)
    assert axis.current_nm(viewer) == 550
    axis.go_to(viewer, 600)
    assert axis.current_band(viewer, layer) == 20
    assert text(viewer) == "λ = 600 nm"


def test_going_to_a_band_heeds_the_affine(viewer):
    layer = add(viewer, None, bands=9, affine=np.diag([3.0, 1, 1, 1]) + np.eye(4, k=3) * 7)
    axis.go_to_band(viewer, layer, 6)
    assert axis.current_band(viewer, layer) == 6


def test_a_cube_without_some_of_its_bands_has_no_wavelengths_any_more(viewer):
    layer = add(viewer, np.arange(400, 701, 10))
    viewer.dims.set_point(0, 560)
    layer.data = layer.data[5:25]
    assert axis.current_nm(viewer) is None
    assert axis.current_nm(viewer, layer) is None
    assert not axis.on_nm_axis(layer)
