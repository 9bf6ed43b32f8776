"""A finer cube over its coarse one: the same ground, the same band axis, the same greys."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.inference import super_resolve_events
from napari_hsr.metrics.compare import why_not
from napari_hsr.resample import degrade
from napari_hsr.viewer import axis, canvas_text, super_resolved
from napari_hsr.viewer.layer_data import layer_cube, pixel_at, spatial_transform
from napari_hsr.viewer.layers import add_cube, set_wavelengths
from napari_hsr.widgets.spectra.sources import Sources

PLACES = {
    "as it comes": {},
    "scaled and moved": {"scale": (3, 0.5), "translate": (-7, 11)},
    "turned": {"scale": (10, 3, 0.5), "translate": (400, -7, 11), "rotate": (0, 0, 30)},
    "under an affine": {
        "scale": (3, 0.5),
        "affine": np.array([[1, 0, 0, 0], [0, 0.8, -0.6, 4], [0, 0.6, 0.8, 5], [0, 0, 0, 1.0]]),
    },
}


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def truth():
    values = np.random.default_rng(1).random((6, 24, 32), np.float32)
    return Cube(values, range(400, 460, 10), units="reflectance", name="truth")


def made_over(viewer, coarse, scale, way="bicubic-matlab"):
    *_, result = super_resolve_events(layer_cube(coarse), way, scale)
    place = super_resolved.place_over(coarse, scale) | super_resolved.display_of(coarse)
    return super_resolved.add_super_resolved(
        viewer, result, "finer", place, spatial_transform(coarse)
    )


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("scale", [2, 3])
def test_each_coarse_pixel_is_covered_by_its_fine_ones(viewer, truth, place, scale):
    coarse = add_cube(viewer, degrade(truth.replace(data=truth.data[:, :24, :30]), scale), **place)
    fine, residual = made_over(viewer, coarse, scale)
    for row, column in ((0, 0), (2, 5), (7, 9)):
        at = coarse.data_to_world((3, row, column))
        np.testing.assert_allclose(residual.data_to_world((row, column)), at[-2:], atol=1e-9)
        under = np.array(
            [
                fine.data_to_world((3, scale * row + i, scale * column + j))
                for i in range(scale)
                for j in range(scale)
            ]
        )
        np.testing.assert_allclose(under.mean(0), at, atol=1e-9)
        for place_in_world in under:
            assert pixel_at(coarse, place_in_world) == (row, column)


def test_one_slider_goes_through_both(viewer, truth):
    coarse = add_cube(viewer, degrade(truth, 4))
    fine, _ = made_over(viewer, coarse, 4)
    axis.go_to(viewer, 430)
    assert axis.current_band(viewer, coarse) == axis.current_band(viewer, fine) == 3
    assert axis.current_nm(viewer) == 430


@pytest.mark.parametrize("nm", [None, Wavelengths((400.0, 410.0, 450.0, 600.0, 900.0))])
def test_cubes_without_a_regular_grid_go_by_band_and_so_do_the_finer(viewer, nm):
    coarse = add_cube(viewer, Cube(np.random.default_rng(0).random((5, 4, 6)), nm))
    fine, residual = made_over(viewer, coarse, 2)
    assert tuple(viewer.dims.range[0]) == (0, 4, 1)
    assert fine.axis_labels[0] == "band"
    assert "(cube’s values, RMS)" in residual.name


def test_a_foreign_layer_is_met_where_it_is(viewer):
    coarse = viewer.add_image(np.random.default_rng(0).random((5, 4, 6)), scale=(7, 2, 2))
    fine, _ = made_over(viewer, coarse, 2)
    assert tuple(fine.scale) == (7, 1, 1)
    assert tuple(fine.translate) == (0, -0.5, -0.5)
    set_wavelengths(coarse, range(400, 450, 10))
    again, _ = made_over(viewer, coarse, 2)
    assert tuple(again.scale) == (10, 1, 1)


def test_spectra_of_one_place_are_taken_from_the_right_pixel_of_each(viewer, truth):
    coarse = add_cube(viewer, degrade(truth, 4), scale=(2, 2), translate=(3, 4))
    fine, _ = made_over(viewer, coarse, 4)
    sources = Sources(viewer)
    place = fine.data_to_world((0, 13, 22))
    curves = sources.at(place, "pin 1", "#ff0000")
    assert [shown.pixel for shown in curves] == [(3, 5), (13, 22)]
    np.testing.assert_array_equal(curves[0].curve.mean, coarse.data[:, 3, 5])
    np.testing.assert_array_equal(curves[1].curve.mean, fine.data[:, 13, 22])
    assert sources.y_label() == "reflectance"  # the map of the residual is no cube


def test_it_compares_with_a_truth_of_its_size_and_the_coarse_one_does_not(viewer, truth):
    coarse = add_cube(viewer, degrade(truth, 4))
    fine, _ = made_over(viewer, coarse, 4)
    assert why_not(layer_cube(fine), truth) is None
    reason = why_not(layer_cube(coarse), truth)
    assert "6 x 8" in reason
    assert "24 x 32" in reason


def test_greys_are_those_of_the_coarse_cube_and_the_range_is_its_own(viewer, truth):
    coarse = add_cube(viewer, degrade(truth, 4))
    coarse.contrast_limits, coarse.gamma, coarse.colormap = (0.4, 0.5), 0.7, "viridis"
    fine, residual = made_over(viewer, coarse, 4, "bicubic-opencv")
    assert tuple(fine.contrast_limits) == (0.4, 0.5)
    assert fine.gamma == 0.7
    assert fine.colormap.name == "viridis"
    assert fine.contrast_limits_range[1] >= fine.data.max()
    assert residual.colormap.name == "magma"
    assert residual.colorbar.visible
    residual.visible = True
    said = viewer.canvas.overlays[canvas_text.OVERLAY]
    assert said.text == "Residual at low resolution\n(reflectance, RMS)"
    assert residual.metadata["hsr"]["provenance"]["degradation"] == "bicubic-matlab"


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_truth_is_laid_over_what_was_made_finer(viewer, truth, place):
    coarse = add_cube(viewer, degrade(truth, 4), **place)
    fine, _ = made_over(viewer, coarse, 4)
    layer = add_cube(viewer, truth, rotate=(0, 0, 20))
    assert not super_resolved.lies_over(layer, fine)
    band = [layer.data_to_world((b, 0, 0))[0] for b in (0, 5)]
    super_resolved.lay_over(layer, fine)
    assert super_resolved.lies_over(layer, fine)
    for corner in ((0, 0, 0), (2, 23, 31), (5, 7, 9)):
        np.testing.assert_allclose(
            layer.data_to_world(corner)[-2:], fine.data_to_world(corner)[-2:], atol=1e-9
        )
    assert [layer.data_to_world((b, 0, 0))[0] for b in (0, 5)] == band
