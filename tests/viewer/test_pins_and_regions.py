"""Pins and regions of any number, anywhere: told apart soon, and measured where they cover the cube."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel

from napari_hsr.cube import Cube
from napari_hsr.viewer import pins, regions
from napari_hsr.viewer.distinct_colors import hex_colors
from napari_hsr.viewer.names import numbered, rows_changed
from napari_hsr.viewer.regions import LabelRegions, Plane, ShapeRegion, Target

RNG = np.random.default_rng(0)
CUBE = Cube(RNG.random((2, 9, 7), dtype=np.float32))
PLANE = Plane(np.eye(2), np.zeros(2))
TARGET = Target("cube", CUBE, PLANE)


def line(*corners, closed=False):
    return ShapeRegion("line", "#ffffff", np.array(corners, float), closed)


class Stub(SimpleNamespace):
    """Stands for a layer: in sets, each is one of its own."""

    __hash__ = object.__hash__


def test_tens_of_thousands_of_points_are_numbered_soon_and_without_texts():
    count = 30_000
    points = Stub(  # as napari's layer, which takes seconds to make
        data=np.zeros((count, 2)),
        features=pd.DataFrame(index=range(count)),
        face_color=np.ones((count, 4)),
        text=SimpleNamespace(values=np.array([""])),
        metadata={},
    )
    pins.tidy(points)  # minutes, if each were compared with all
    assert list(points.features["pin"]) == list(range(1, count + 1))
    assert list(points.text.values) == [""]
    assert len(set(hex_colors(points.face_color))) == len(pins.PALETTE)


def test_few_points_have_their_numbers_beside_them_and_colours_of_their_own():
    points = ViewerModel().add_points(RNG.random((5, 2)))
    pins.tidy(points, avoid={pins.PALETTE[0]})
    assert list(points.text.values) == ["1", "2", "3", "4", "5"]
    assert hex_colors(points.face_color) == list(pins.PALETTE[1:6])


@pytest.mark.parametrize("far", [30.0, 1e9, 1e15])
def test_a_line_that_goes_far_beyond_the_cube_is_measured_where_it_crosses_it(far):
    crossed = regions.shape_mask(line((-far, 3.0), (far, 3.0)), TARGET)
    assert crossed[:, 3].all()
    assert crossed.sum() == 9
    diagonal = regions.shape_mask(line((0.0, 0.0), (far, far)), TARGET)
    assert np.diag(diagonal).all()
    assert regions.shape_mask(line((far, far), (2 * far, far)), TARGET).sum() == 0


def test_lines_cover_what_all_their_points_lie_in():
    for start, stop in RNG.uniform(-20, 30, (60, 2, 2)):
        steps = int(np.ceil(2 * np.abs(stop - start).max())) + 1
        points = np.floor(np.linspace(start, stop, steps + 1) + 0.5).astype(int)
        expected = np.zeros((9, 7), bool)
        expected[tuple(points[((points >= 0) & (points < (9, 7))).all(axis=1)].T)] = True
        np.testing.assert_array_equal(regions.shape_mask(line(start, stop), TARGET), expected)


@pytest.mark.parametrize("closed", [True, False])
def test_shapes_without_a_place_cover_nothing(closed):
    nowhere = line((np.nan, 1), (2, 2), (3, 1), closed=closed)
    assert not regions.shape_mask(nowhere, TARGET).any()
    flat = Target("cube", CUBE, Plane(np.diag([1.0, 0.0]), np.zeros(2)))
    assert not regions.shape_mask(line((0, 1), (2, 2), (3, 1), closed=closed), flat).any()


def test_labels_without_extent_cover_nothing():
    image = np.ones((4, 5), int)
    flat = Plane(np.zeros((2, 2)), np.ones(2))
    found = LabelRegions("labels", {1: "#ffffff"}, image, flat)
    assert not regions.labels_on(found, TARGET).any()


@pytest.mark.parametrize("kind", ["points", "shapes"])
def test_the_number_of_one_that_was_removed_is_not_given_again(kind):
    viewer, square = ViewerModel(), np.array([[0, 0], [0, 2], [2, 2], [2, 0]])
    layer = viewer.add_points(ndim=2) if kind == "points" else viewer.add_shapes(ndim=2)
    layer.events.data.connect(rows_changed)  # as panels do

    def add(at):
        if kind == "points":
            layer.add(np.array([at, at]))
        else:
            layer.add(square + at, shape_type="polygon")

    for at in range(3):
        add(at)
    assert numbered(layer)[0] == [1, 2, 3]
    layer.selected_data = {2}
    layer.remove_selected()
    add(5)  # napari gives it the features of the one that was removed
    assert numbered(layer) == ([1, 2, 4], [2])
    layer.selected_data = {0, 1, 2}
    layer.remove_selected()
    assert numbered(layer)[0] == []
    add(1)
    assert numbered(layer)[0] == [1]  # all begin anew
