"""True and false colour as layers in the place of the cube."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr import colour
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.io.lazy import LazyArray
from napari_hsr.provenance import Provenance
from napari_hsr.viewer import layer_data, layers, rendering

NM = Wavelengths(np.arange(400, 701, 10))


def make_cube(nm=NM) -> Cube:
    bands = 31 if nm is None else len(nm)
    data = np.random.default_rng(3).random((bands, 8, 6), dtype=np.float32)
    return Cube(data, nm, "reflectance", "scene", Provenance(input="scene.mat"))


@pytest.fixture
def viewer():
    return ViewerModel()


def test_true_colour_beside_the_cube(viewer):
    cube = make_cube()
    layer = layers.add_cube(viewer, cube, scale=(4, 4), translate=(1.5, 1.5))
    picture = rendering.add_true_colour(viewer, layer)
    assert picture.name == "scene · true colour"
    assert tuple(picture.scale) == (4, 4)
    assert tuple(picture.translate) == (1.5, 1.5)
    np.testing.assert_array_equal(picture.data, colour.render(cube))
    photo = layer_data.layer_photograph(picture)
    assert photo.encoding == "srgb"
    assert photo.provenance.input == "scene.mat"
    assert "D65" in photo.provenance.steps[-1]


def test_a_second_time_replaces_the_first(viewer):
    layer = layers.add_cube(viewer, make_cube())
    first = rendering.add_true_colour(viewer, layer)
    first.visible = False
    layer.data = layer.data * 0.5
    assert rendering.add_true_colour(viewer, layer) == first
    assert len(viewer.layers) == 2
    assert first.visible
    np.testing.assert_array_equal(first.data, colour.render(layer_data.layer_cube(layer)))
    other = layers.add_cube(viewer, make_cube())
    rendering.add_true_colour(viewer, other)
    rendering.add_false_colour(viewer, layer, (650, 550, 450))
    rendering.add_false_colour(viewer, layer, (700, 550, 450))
    assert len(viewer.layers) == 6


def test_false_colour_is_no_light(viewer):
    layer = layers.add_cube(viewer, make_cube())
    picture = rendering.add_false_colour(viewer, layer, (648, 550, 450))
    assert picture.name == "scene · false colour 650 ∕ 550 ∕ 450 nm"
    assert layer_data.layer_photograph(picture).encoding is None
    np.testing.assert_array_equal(
        picture.data, colour.false_colour(layer_data.layer_cube(layer), (650, 550, 450))
    )


def test_a_cube_on_disk_gives_the_same_picture():
    cube = make_cube()
    lazy = cube.replace(data=LazyArray(cube.data))
    np.testing.assert_array_equal(
        rendering.true_colour(lazy).data, rendering.true_colour(cube).data
    )
    np.testing.assert_array_equal(
        rendering.false_colour(lazy).data, rendering.false_colour(cube).data
    )


def test_unknown_wavelengths_are_refused_in_one_sentence():
    by_nm = partial(rendering.false_colour, nm=(650, 550, 450))
    for render in (rendering.true_colour, by_nm):
        with pytest.raises(InputError, match="avelengths") as caught:
            render(make_cube(nm=None))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ([12, 7, 3], [11, 6, 2]),
        ([12.0, 7.0, 3.0], [11, 6, 2]),
        (None, [25, 15, 5]),
        ([12, 7], [25, 15, 5]),
        ([12, 7, 32], [25, 15, 5]),
        ([12, 7, 0], [25, 15, 5]),
        ([float("nan"), 1, 2], [25, 15, 5]),
        ("12, 7, 3", [25, 15, 5]),
    ],
)
def test_without_wavelengths_false_colour_goes_by_band_number(viewer, named, expected):
    """The header counts from 1; what it names only in part, or wrongly, is not used."""
    cube = make_cube(nm=None).replace(metadata={"default bands": named} if named else {})
    layer = layers.add_cube(viewer, cube)
    picture = rendering.add_false_colour(viewer, layer)
    red, green, blue = (band + 1 for band in expected)
    assert picture.name == f"scene · false colour bands {red} ∕ {green} ∕ {blue}"
    np.testing.assert_array_equal(picture.data, colour.bands_as_rgb(cube, expected))


def test_bands_of_the_users_choice(viewer):
    layer = layers.add_cube(viewer, make_cube(nm=None))
    first = rendering.add_false_colour(viewer, layer, bands=(0, 1, 2))
    assert rendering.add_false_colour(viewer, layer, bands=(0, 1, 2)) == first
    assert rendering.add_false_colour(viewer, layer, bands=(2, 1, 0)) != first
    for wrong in ((0, 1), (0, 1, 31), (-1, 0, 1)):
        with pytest.raises(InputError, match="bands 1 to 31 of scene"):
            rendering.add_false_colour(viewer, layer, bands=wrong)


def test_pictures_lie_directly_above_their_cube_and_below_annotations(viewer):
    cube = layers.add_cube(viewer, make_cube())
    other = layers.add_cube(viewer, make_cube())
    points, shapes = viewer.add_points(np.zeros((1, 2))), viewer.add_shapes()
    picture = rendering.add_true_colour(viewer, cube)
    assert list(viewer.layers) == [cube, picture, other, points, shapes]
    newer = rendering.add_false_colour(viewer, cube)  # the newest of one cube is the one seen
    assert list(viewer.layers) == [cube, picture, newer, other, points, shapes]


@pytest.mark.parametrize(
    ("nm", "expected"),
    [
        (np.arange(400, 701, 10), (650, 550, 450)),
        (np.arange(400, 1001, 10), (800, 660, 560)),
        (np.arange(1000, 2501, 100), (2200, 1700, 1200)),
    ],
)
def test_false_colour_begins_with_bands_of_the_cube(nm, expected):
    found = rendering.false_colour_wavelengths(Wavelengths(nm))
    assert found == pytest.approx(expected, abs=51)
    assert set(found) <= set(nm.astype(float))
    assert found[0] > found[1] > found[2]
