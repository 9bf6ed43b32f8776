"""A layer's metadata is anybody's: what of our state is none is left out, and the rest is used."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.metrics.maps import ErrorMap
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.provenance import Provenance
from napari_hsr.viewer import canvas_text
from napari_hsr.viewer.analysis_maps import show_analysis
from napari_hsr.viewer.comparison import show_maps
from napari_hsr.viewer.layer_data import (
    is_frames,
    layer_cube,
    layer_photograph,
    layer_wavelengths,
    spatial_transform,
)
from napari_hsr.viewer.layers import add_cube, add_map, add_photograph, set_wavelengths

NM = [400.0, 500.0, 600.0]
WRONG = [np.arange(3), 7, [1, [2, 3]], object()]


@pytest.fixture
def viewer():
    return ViewerModel()


def made():
    return Cube(np.ones((3, 4, 5)), Wavelengths(NM), "counts", "scene", Provenance("scene.mat"))


def with_state(layer, **wrong):
    layer.metadata = {**layer.metadata, "hsr": {**layer.metadata["hsr"], **wrong}}
    return layer


@pytest.mark.parametrize("wrong", WRONG, ids=lambda value: type(value).__name__)
def test_a_cube_whose_state_is_damaged_is_a_cube_still(viewer, wrong):
    keys = ("kind", "name", "units", "provenance", "notices", "metadata", "card", "assumed")
    for key in keys:
        layer = with_state(add_cube(viewer, made()), **{key: wrong})
        cube = layer_cube(layer)
        assert list(cube.wavelengths or NM) == NM
        assert cube.name == layer.name
        assert not is_frames(layer)
        assert cube.units == (None if key == "units" else "counts")
        set_wavelengths(layer, [410, 510, 620])
        assert layer_cube(layer).wavelengths.nm[2] == 620


def test_a_cube_that_is_called_frames_is_a_cube_still(viewer):
    layer = with_state(add_cube(viewer, made()), kind="frames")
    assert not is_frames(layer)
    assert layer_cube(layer).bands == 3


@pytest.mark.parametrize("key", ["input", "model", "steps", "extra", "created"])
def test_a_history_with_a_part_that_is_none_is_left_out(viewer, key):
    layer = with_state(add_cube(viewer, made()), provenance={"input": "a.mat", key: [1, 2]})
    assert layer_cube(layer).provenance.input == "scene"


@pytest.mark.parametrize("wrong", [*WRONG, [[1, 2], [3]], ["a"] * 3, NM[::-1], [np.nan] * 3, "abc"])
def test_wavelengths_that_are_none_are_unknown(viewer, wrong):
    assert layer_wavelengths(with_state(add_cube(viewer, made()), wavelengths=wrong)) is None


@pytest.mark.parametrize("wrong", WRONG, ids=lambda value: type(value).__name__)
def test_photographs_and_maps(viewer, wrong):
    pixels = np.zeros((4, 5, 3), np.uint8)
    for key in ("name", "encoding", "provenance", "notices", "metadata"):
        photo = with_state(add_photograph(viewer, Photograph(pixels, SRGB)), **{key: wrong})
        assert layer_photograph(photo).encoding == SRGB
    for key in ("title", "unit", "kind", "provenance"):
        layer = with_state(add_map(viewer, np.ones((4, 5)), "SAM", unit="°"), **{key: wrong})
        assert canvas_text.unit_text(layer).startswith("SAM")


@pytest.mark.parametrize("wrong", [*WRONG, {"pair": 1}, {"cube": [], "kind": "index"}])
def test_maps_marked_by_somebody_else_stay(viewer, wrong):
    cube, other = (add_cube(viewer, made()) for _ in range(2))
    foreign = add_map(viewer, np.ones((4, 5)), "mine", **spatial_transform(cube))
    foreign.metadata |= {"hsr_map": wrong, "hsr_analysis": wrong}
    error = ErrorMap(np.ones((4, 5)), "SAM", "°", "low", (0.0, 1.0))
    show_maps(viewer, {"sam": error}, cube, other)
    index = Cube(np.ones((1, 4, 5)), name="NDVI", metadata={"band names": ["NDVI"]})
    show_analysis(viewer, [index], cube, "index NDVI")
    assert foreign in viewer.layers
