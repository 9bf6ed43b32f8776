"""A chart photographed by a simulated camera: exposure, balance and matrix are found again."""

import numpy as np
import pytest

from napari_hsr.cameras import get_camera, matrix
from napari_hsr.cameras.chromatic import terms, undo
from napari_hsr.cameras.estimate import GRID_NM, bundled_components
from napari_hsr.cameras.response import reflectances
from napari_hsr.colour import rendering_matrix
from napari_hsr.colour.observers import illuminant_values
from napari_hsr.errors import InputError
from napari_hsr.trust.chart import fit_chart, srgb_difference
from napari_hsr.trust.chart_layout import CLASSIC, reflectances_of

from .conftest import NM

CHECKER = reflectances(NM)[99:]  # the 24 patches of a ColorChecker


def photographed(spectra, light="D65"):
    sensor = matrix(get_camera("nikon-5100-npl"), np.array(NM), light, "sum")
    return spectra @ sensor * 0.6


@pytest.fixture
def fit():
    return fit_chart(photographed(CHECKER), CHECKER, np.array(NM))


def test_the_chart_is_within_a_just_noticeable_difference(fit):
    assert fit.delta_e.shape == (24,)
    assert fit.delta_e.mean() < 1
    assert fit.delta_e.mean() < 0.4 * fit.delta_e_before.mean()


def test_cameras_like_measured_ones_are_within_a_just_noticeable_difference_each():
    known, rng = bundled_components(), np.random.default_rng(3)
    light = illuminant_values("D65", GRID_NM)
    spectra = reflectances_of(CLASSIC, GRID_NM)
    wanted = spectra @ rendering_matrix(GRID_NM, "D65")
    for _ in range(8):
        parts = rng.uniform(-1.5, 1.5, known.deviations.shape) * known.deviations
        curves = np.maximum(known.mean + (parts[..., None] * known.directions).sum(axis=1), 0).T
        sensor = curves * light[:, None]
        seen = spectra @ (sensor / sensor.sum(axis=0) * [0.4, 0.8, 0.5])
        fit = fit_chart(seen, spectra, GRID_NM)
        assert fit.delta_e.mean() < 0.85
        by_matrix = seen * fit.balance * fit.exposure @ fit.matrix
        assert fit.delta_e.mean() < 0.85 * srgb_difference(by_matrix, wanted).mean()


def test_a_patch_that_had_no_part_is_nearer_by_the_polynomial():
    seen, apart = photographed(CHECKER), []
    wanted = CHECKER @ rendering_matrix(np.array(NM), "D65")
    for left_out in range(24):
        used = np.arange(24) != left_out
        fit = fit_chart(seen[used], CHECKER[used], np.array(NM))
        by_matrix = seen[left_out] * fit.balance * fit.exposure @ fit.matrix
        made = np.stack([fit.apply(seen[left_out]), by_matrix])
        apart.append(srgb_difference(made, np.stack(2 * [wanted[left_out]])))
    polynomial, matrix_alone = np.mean(apart, axis=0)
    assert polynomial < matrix_alone


def test_the_polynomial_keeps_white_follows_exposure_and_can_be_undone(fit):
    np.testing.assert_allclose(fit.polynomial.sum(axis=0), 1)
    colours = np.concatenate([photographed(CHECKER), [[0, 0, 0], [0.2, 0.1, 0]]])
    made = fit.apply(colours)
    np.testing.assert_allclose(fit.apply(3 * colours), 3 * made)
    balanced = colours * fit.balance * fit.exposure
    np.testing.assert_allclose(undo(made, fit.polynomial), balanced, atol=1e-9)
    np.testing.assert_array_equal(terms(np.full((1, 3), 0.5)), 0.5)


def test_few_patches_give_a_matrix_alone():
    few = fit_chart(photographed(CHECKER)[13:], CHECKER[13:], np.array(NM))
    np.testing.assert_array_equal(few.polynomial[:3], few.matrix)
    assert not few.polynomial[3:].any()


def test_other_objects_get_better_too(fit):
    others = reflectances(NM)[:99]
    wanted = others @ rendering_matrix(np.array(NM), "D65")
    plain = photographed(others) * fit.balance * fit.exposure
    made = fit.apply(photographed(others))
    assert np.abs(made - wanted).mean() < 0.4 * np.abs(plain - wanted).mean()


def test_white_is_white_and_exposure_is_undone(fit):
    white = np.ones((1, len(NM)))
    np.testing.assert_allclose(fit.apply(photographed(white)), 1, atol=0.02)
    dim = fit_chart(0.25 * photographed(CHECKER), CHECKER, np.array(NM))
    assert dim.exposure == pytest.approx(4 * fit.exposure)
    np.testing.assert_allclose(dim.matrix, fit.matrix, atol=1e-9)
    np.testing.assert_allclose(fit.matrix.sum(axis=0), 1)
    assert fit.balance[1] == 1


def test_clipped_patches_are_left_out():
    bright = np.minimum(photographed(CHECKER) * 2.2, 1)
    fit = fit_chart(bright, CHECKER, np.array(NM))
    assert 0 < np.isnan(fit.delta_e).sum() < 6
    assert np.nanmean(fit.delta_e) < 1


def test_what_is_no_such_chart_is_refused():
    nm, seen = np.array(NM), photographed(CHECKER)
    for colours, why in (
        (seen[::-1], "upside down"),
        (seen * 50, "24 are clipped, the photograph is over-exposed"),
        (seen - 1, "24 are black, the photograph is under-exposed"),
        (seen * np.nan, "0 of 24 .* not finite"),
        (seen[:5], "for each patch"),
    ):
        with pytest.raises(InputError, match=why):
            fit_chart(colours, CHECKER, nm)
    with pytest.raises(InputError, match="grey"):
        fit_chart(seen[:18], CHECKER[:18], nm)
    with pytest.raises(InputError, match=r"0\.\.1"):
        fit_chart(seen, 100 * CHECKER, nm)
