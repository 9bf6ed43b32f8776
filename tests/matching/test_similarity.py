"""The three measures against the `spectral` package, NumPy and the definition."""

from __future__ import annotations

import numpy as np
import pytest
from spectral import spectral_angles

from napari_hsr.matching import correlation, divergence, spectral_angle

RNG = np.random.default_rng(0)
ONE, TWO = RNG.random((5, 31)) + 0.05, RNG.random((7, 31)) + 0.05


def test_angles_are_those_of_the_spectral_package():
    expected = np.degrees(spectral_angles(ONE[None], TWO)[0])
    np.testing.assert_allclose(spectral_angle(ONE, TWO), expected, atol=1e-9)


def test_correlations_are_pearsons():
    expected = np.corrcoef(np.concatenate([ONE, TWO]))[:5, 5:]
    np.testing.assert_allclose(correlation(ONE, TWO), expected, atol=1e-12)
    shifted = correlation(ONE + 1000, TWO)  # nothing is lost beside a large offset
    np.testing.assert_allclose(shifted, expected, atol=1e-9)


def definition(x, y):
    p, q = x / x.sum(), y / y.sum()
    return (p * np.log(p / q)).sum() + (q * np.log(q / p)).sum()


def test_divergences_follow_the_definition():
    expected = [[definition(x, y) for y in TWO] for x in ONE]
    np.testing.assert_allclose(divergence(ONE, TWO), expected, rtol=1e-9)


@pytest.mark.parametrize("measure", [spectral_angle, correlation, divergence])
def test_missing_values_are_left_out_pair_by_pair(measure):
    one, two = ONE.copy(), TWO.copy()
    one[1, 3], two[2, 5], two[2, 6] = np.nan, np.nan, np.inf
    found = measure(one, two)
    kept = np.setdiff1d(np.arange(31), [3, 5, 6])
    np.testing.assert_allclose(
        found[1, 2], measure(ONE[1:2, kept], TWO[2:3, kept])[0, 0], rtol=1e-9
    )
    np.testing.assert_allclose(found[0, 0], measure(ONE[:1], TWO[:1])[0, 0], rtol=1e-9)


def test_what_has_no_value_is_missing():
    black, flat = np.zeros((1, 31)), np.full((1, 31), 0.1)
    assert np.isnan(spectral_angle(black, ONE)).all()
    assert np.isnan(correlation(flat, ONE)).all()
    assert np.isnan(divergence(black, ONE)).all()
    assert np.isfinite(divergence(np.where(np.arange(31) == 3, -1.0, 0.5)[None], ONE)).all()
    lonely = np.full((1, 31), np.nan)
    lonely[0, 4] = 1
    for measure in (spectral_angle, correlation, divergence):
        assert np.isnan(measure(lonely, ONE)).all()


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e200, 1e308])
@pytest.mark.parametrize("measure", [spectral_angle, correlation, divergence])
def test_no_measure_depends_on_the_size_of_a_spectrum(measure, size):
    of_size = TWO / TWO.max() * size  # their squares leave float64
    np.testing.assert_allclose(measure(ONE, of_size), measure(ONE, TWO), rtol=1e-6)
    np.testing.assert_allclose(measure(of_size, ONE), measure(TWO, ONE), rtol=1e-6)
