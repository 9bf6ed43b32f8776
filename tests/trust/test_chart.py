"""A chart photographed by a simulated camera: exposure, balance and matrix are found again."""

import numpy as np
import pytest

from napari_hsr.cameras import get_camera, matrix
from napari_hsr.cameras.response import reflectances
from napari_hsr.colour import rendering_matrix
from napari_hsr.errors import InputError
from napari_hsr.trust.chart import fit_chart

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
        (seen * 50, "over- or under-exposed"),
        (seen[:5], "for each patch"),
    ):
        with pytest.raises(InputError, match=why):
            fit_chart(colours, CHECKER, nm)
    with pytest.raises(InputError, match="grey"):
        fit_chart(seen[:18], CHECKER[:18], nm)
    with pytest.raises(InputError, match=r"0\.\.1"):
        fit_chart(seen, 100 * CHECKER, nm)
