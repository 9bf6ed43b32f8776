"""Copies of layers, as napari's Duplicate makes them: they stay as they are, and need nothing that cannot be copied."""

from __future__ import annotations

from copy import deepcopy

import h5py
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers._layer_actions import _duplicate_layer

from napari_hsr.analysis import index
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.io.lazy import LazyArray
from napari_hsr.io.mapped import map_file
from napari_hsr.metrics.maps import ErrorMap
from napari_hsr.photograph_stack import stack_of_array
from napari_hsr.viewer.analysis_maps import show_analysis
from napari_hsr.viewer.comparison import show_maps
from napari_hsr.viewer.frames import add_stack
from napari_hsr.viewer.layers import add_cube, add_map
from napari_hsr.viewer.rendering import add_true_colour
from napari_hsr.viewer.trust_maps import LazyMap


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def cube(viewer):
    values = np.random.default_rng(0).random((31, 6, 5), dtype=np.float32)
    return add_cube(viewer, Cube(values, Wavelengths(np.arange(400, 701, 10)), name="scene"))


def duplicate(viewer, layer):
    viewer.layers.selection = {layer}
    _duplicate_layer(viewer.layers)
    return viewer.layers[viewer.layers.index(layer) + 1]


def errors(value: float):
    return {"rmse": ErrorMap(np.full((6, 5), value), "RMSE", "", "low", (0.0, 1.0))}


def by_compare(viewer, cube, at):
    truth = viewer.layers["truth"] if at else add_cube(viewer, Cube(cube.data, name="truth"))
    return show_maps(viewer, errors(at), cube, truth)[0]


def by_analysis(viewer, cube, at):
    cube.data = cube.data + at
    made = index(Cube(cube.data, Wavelengths(np.arange(400, 701, 10))), "b500 / b600")
    return show_analysis(viewer, [made], cube, "index")[0]


def by_rendering(viewer, cube, at):
    cube.data = cube.data * (1 - np.linspace(0, at, 31, dtype=np.float32))[:, None, None]
    return add_true_colour(viewer, cube)


@pytest.mark.parametrize("make", [by_compare, by_analysis, by_rendering])
def test_a_copy_that_was_kept_is_not_made_anew(viewer, cube, make):
    copy = duplicate(viewer, make(viewer, cube, 0))
    kept = np.array(copy.data)
    new = make(viewer, cube, 1)
    assert copy in viewer.layers
    np.testing.assert_array_equal(copy.data, kept)
    assert new != copy
    assert not np.array_equal(new.data, kept)
    viewer.layers.remove(new)
    assert make(viewer, cube, 1) != copy
    np.testing.assert_array_equal(copy.data, kept)


def test_a_map_that_was_not_looked_at_can_be_duplicated(viewer):
    found = np.arange(30.0).reshape(6, 5)
    layer = add_map(
        viewer, LazyMap((6, 5), lambda: found), "share", limits=(0.0, 1.0), visible=False
    )
    np.testing.assert_array_equal(duplicate(viewer, layer).data, found)


def test_a_cube_on_disk_is_not_read_to_be_duplicated(viewer, tmp_path):
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        values = file.create_dataset("cube", data=np.random.default_rng(0).random((4, 6, 5), "f4"))
        layer = add_cube(viewer, Cube(LazyArray(values), name="on disk"))
        copy = duplicate(viewer, layer)
        assert isinstance(copy.data, LazyArray)
        np.testing.assert_array_equal(copy.data[2], values[2])


def test_a_cube_that_is_mapped_is_not_read_to_be_duplicated(viewer, tmp_path):
    np.save(tmp_path / "cube.npy", np.ones((4, 6, 5), np.float32))
    mapped = map_file(tmp_path / "cube.npy", np.dtype("f4"), (4, 6, 5), 128)
    layer = add_cube(viewer, Cube(mapped, name="on disk"))
    copy = duplicate(viewer, layer)
    assert np.shares_memory(copy.data, layer.data)
    assert not np.shares_memory(deepcopy(mapped + 1), mapped)


def test_a_stack_can_be_duplicated(viewer):
    frames = np.random.default_rng(0).integers(0, 255, (3, 6, 5, 3), dtype=np.uint8)
    layer = add_stack(viewer, stack_of_array(frames, "srgb", "film"))
    np.testing.assert_array_equal(duplicate(viewer, layer).data[1, 0], frames[1])
