"""Layers in units of length: what is derived from them keeps the units, and places stay right."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.analysis import index
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.matching import classify
from napari_hsr.metrics.maps import ErrorMap
from napari_hsr.photograph import Photograph
from napari_hsr.spectra import pixel
from napari_hsr.viewer import axis, layer_data, layers, rendering, super_resolved, world_coordinates
from napari_hsr.viewer.analysis_maps import show_analysis
from napari_hsr.viewer.classes import add_classes
from napari_hsr.viewer.comparison import show_maps

NM = Wavelengths(np.arange(400, 701, 10))
MICRONS = {"scale": (0.5, 0.5), "translate": (3.0, 4.0), "units": ("um", "um")}


def make_cube(height=8, width=6, nm=NM) -> Cube:
    data = np.random.default_rng(0).random((31, height, width), dtype=np.float32)
    return Cube(data, nm, "reflectance", "scene")


@pytest.fixture
def viewer():
    return ViewerModel()


def units(layer) -> list[str]:
    return [str(unit) for unit in layer.units]


def test_a_cube_takes_the_units_of_its_source_beside_its_nanometres(viewer):
    photo = layers.add_photograph(viewer, Photograph(np.zeros((8, 6, 3), np.uint8)), **MICRONS)
    turn = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    photo.affine = turn
    cube = layers.add_cube(viewer, make_cube(), **layer_data.spatial_transform(photo))
    assert units(cube) == ["nanometer", "micrometer", "micrometer"]
    assert viewer.layers.extent.units is not None  # napari finds no contradiction
    for corner in ((0, 0), (7, 5)):
        np.testing.assert_allclose(
            cube.data_to_world((0, *corner))[1:], photo.data_to_world(corner)
        )


def test_wavelengths_stated_later_leave_the_units_of_the_plane(viewer):
    cube = layers.add_cube(viewer, make_cube(nm=None), **MICRONS)
    assert units(cube) == ["pixel", "micrometer", "micrometer"]
    layers.set_wavelengths(cube, NM)
    assert units(cube) == ["nanometer", "micrometer", "micrometer"]


def test_pictures_maps_and_finer_cubes_keep_units(viewer):
    cube = layers.add_cube(viewer, make_cube(), **MICRONS)
    picture = rendering.add_true_colour(viewer, cube)
    like = layers.add_map(viewer, np.zeros((8, 6)), "map", like=cube)
    place = super_resolved.place_over(cube, 2)
    fine = layers.add_cube(viewer, make_cube(16, 12), **place)
    assert units(picture) == units(like) == ["micrometer", "micrometer"]
    assert units(fine) == ["nanometer", "micrometer", "micrometer"]
    assert viewer.layers.extent.units is not None


def test_what_is_derived_lies_over_a_turned_cube(viewer):
    cube = layers.add_cube(viewer, make_cube(), **MICRONS)
    cube.rotate, cube.affine = (0, 0, 30), [[1, 0, 0, 0], [0, 2, 0, 5], [0, 0, 1, 7], [0, 0, 0, 1]]
    data = layer_data.layer_cube(cube)
    angle = ErrorMap(np.zeros((8, 6), np.float32), "SAM", "°", "low", (0.0, 1.0))
    curves = [pixel(data, 1, column) for column in (0, 3)]
    derived = [
        rendering.add_true_colour(viewer, cube),
        rendering.add_false_colour(viewer, cube, bands=(0, 1, 2)),
        *show_analysis(viewer, [index(data, "b500 / b600")], cube, kind="index"),
        *show_maps(viewer, {"sam": angle}, cube, cube),
        add_classes(viewer, classify(data, curves), ["red", "blue"], cube),
    ]
    for layer in derived:
        assert units(layer) == ["micrometer", "micrometer"]
        matrices = world_coordinates.plane_in_world(layer), world_coordinates.plane_in_world(cube)
        for one, other in zip(*matrices, strict=True):
            np.testing.assert_allclose(one, other)


def test_a_cube_laid_over_another_takes_its_units(viewer):
    there = layers.add_cube(viewer, make_cube(), **MICRONS)
    layer = layers.add_cube(viewer, make_cube())
    assert not super_resolved.lies_over(layer, there)
    super_resolved.lay_over(layer, there)
    assert units(layer) == ["nanometer", "micrometer", "micrometer"]
    assert super_resolved.lies_over(layer, there)


def test_equal_places_in_different_units_are_the_same_place(viewer):
    here = layers.add_cube(viewer, make_cube(), scale=(500, 500), units=("nm", "nm"))
    there = layers.add_cube(viewer, make_cube(), scale=(0.5, 0.5), units=("um", "um"))
    assert super_resolved.lies_over(here, there)
    there.scale = (10, 0.6, 0.5)
    assert not super_resolved.lies_over(here, there)


def test_a_position_in_the_world_is_converted_to_the_layers_units(viewer):
    """napari's world is in nanometres then: a pixel of 0.5 µm is 500 of them."""
    cube = layers.add_cube(viewer, make_cube(), scale=(0.5, 0.5), units=("um", "um"))
    assert world_coordinates.unit_factors(viewer, cube) == pytest.approx([1, 1000, 1000])
    assert layer_data.pixel_at(cube, (550, 1600, 2100), viewer) == (3, 4)
    assert layer_data.pixel_at(cube, (550, 1.6, 2.1)) == (3, 4)
    np.testing.assert_allclose(
        world_coordinates.to_world(viewer, cube, (0, 3, 4)), (400, 1500, 2000)
    )
    matrix, origin = world_coordinates.plane_in_world(cube, viewer)
    np.testing.assert_allclose(matrix, 500 * np.eye(2))
    np.testing.assert_allclose(origin, 0)


def test_the_slider_goes_by_nanometres_whatever_its_unit(viewer):
    """A scale bar in picometres makes napari's slider one of picometres."""
    cube = layers.add_cube(viewer, make_cube(), units=("pm", "pm"))
    assert viewer.dims.range[0].start == pytest.approx(400e3)
    axis.go_to(viewer, 620)
    assert axis.current_nm(viewer) == pytest.approx(620)
    assert axis.current_band(viewer, cube) == 22
    axis.go_to_band(viewer, cube, 3)
    assert axis.current_nm(viewer, cube) == pytest.approx(430)


def test_units_that_contradict_each_other_are_left_out_of_account(viewer):
    """As napari does: a photograph in pixels beside a cube in micrometres."""
    cube = layers.add_cube(viewer, make_cube(), scale=(0.5, 0.5), units=("um", "um"))
    viewer.add_image(np.zeros((8, 6)))
    assert viewer.layers.extent.units is None
    assert layer_data.pixel_at(cube, (550, 1.6, 2.1), viewer) == (3, 4)


@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 3, 5, 4)])
def test_a_layer_that_is_being_removed_has_other_units_than_those_that_stay(viewer, shape):
    gone = layers.add_cube(viewer, make_cube(), units=("nm", "um", "um"))
    if len(shape) == 4:
        gone = viewer.add_image(np.zeros(shape), rgb=False)
    viewer.layers.remove(gone)
    viewer.layers.clear()
    viewer.add_image(np.zeros((2, 5, 4)), rgb=False)
    place = world_coordinates.to_layer(viewer, gone, (1.0, 2.0, 3.0))
    np.testing.assert_allclose(place[-3:], gone.world_to_data((1.0, 2.0, 3.0))[-3:])
    axis.go_to_band(viewer, gone, 1)
