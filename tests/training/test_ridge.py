"""The closed-form fit: sums that add up, and the least-squares solution."""

import numpy as np
import pytest

from napari_hsr.errors import InputError
from napari_hsr.models.architectures.root_polynomial import exponents
from napari_hsr.training.ridge import gather_root_polynomial as gather
from napari_hsr.training.ridge import root_features, solve

RNG = np.random.default_rng(2)
RGB = RNG.random((500, 3))
SPECTRA = RNG.random((500, 31))


def test_sum_of_parts_is_the_whole():
    powers = exponents(3)
    whole = gather(RGB, SPECTRA, powers, 0.5)
    parts = gather(RGB[:123], SPECTRA[:123], powers, 0.5) + gather(
        RGB[123:], SPECTRA[123:], powers, 0.5
    )
    np.testing.assert_allclose(parts.gram, whole.gram, rtol=1e-12)
    np.testing.assert_allclose(parts.cross, whole.cross, rtol=1e-12)
    assert parts.weight == whole.weight == 500


@pytest.mark.parametrize("dark", [0.0, 0.5])
def test_without_ridge_it_is_weighted_least_squares(dark):
    powers = exponents(2)
    found = solve(gather(RGB, SPECTRA, powers, dark), 0.0)
    root = ((RGB.mean(1) + 1e-3) ** (-dark / 2))[:, None]
    expected, *_ = np.linalg.lstsq(root * root_features(RGB, powers).T, root * SPECTRA, rcond=None)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)


def test_a_known_map_is_recovered():
    powers = exponents(3)
    truth = RNG.standard_normal((13, 31))
    spectra = root_features(RGB, powers).T @ truth
    np.testing.assert_allclose(solve(gather(RGB, spectra, powers, 0), 0.0), truth, atol=1e-6)


def test_ridge_shrinks_the_matrix():
    sums = gather(RGB, SPECTRA, exponents(3), 0.0)
    sizes = [np.linalg.norm(solve(sums, ridge)) for ridge in (0, 1e-6, 1e-3, 1)]
    assert sizes == sorted(sizes, reverse=True)


def test_features_of_negative_light_are_those_of_none():
    powers = exponents(4)
    np.testing.assert_array_equal(
        root_features(np.array([[-0.2, 0.5, 0.1]]), powers),
        root_features(np.array([[0.0, 0.5, 0.1]]), powers),
    )


def test_bad_pixels_are_refused():
    with pytest.raises(InputError, match="do not fit"):
        gather(RGB, SPECTRA[:9], exponents(1), 0)
    broken = SPECTRA.copy()
    broken[3, 4] = np.nan
    with pytest.raises(InputError, match="NaN"):
        gather(RGB, broken, exponents(1), 0)
