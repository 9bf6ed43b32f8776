"""Intervals and uncertainties held against a truth."""

import numpy as np
import pytest

from napari_hsr import Cube
from napari_hsr.errors import InputError
from napari_hsr.metrics.uncertainty import coverage, curves, error_by_share, risk_coverage

RNG = np.random.default_rng(0)


def cubes(*arrays, nm=(400, 500, 600)):
    return [Cube(np.asarray(a, np.float32), nm) for a in arrays]


def test_coverage_counts_what_lies_inside_band_by_band():
    truth = RNG.random((3, 20, 30))
    width = np.array([0.1, 0.2, 0.4])[:, None, None]
    off = RNG.uniform(-0.4, 0.4, truth.shape)
    lower, upper, true = cubes(truth + off - width, truth + off + width, truth)
    found = coverage(lower, upper, true)
    expected = (np.abs(off) <= width).mean((1, 2))
    np.testing.assert_allclose(found["coverage_bands"], expected, atol=1e-3)
    assert found["coverage"] == pytest.approx(expected.mean(), abs=1e-3)
    assert found["half_width"] == pytest.approx(0.7 / 3, rel=1e-4)
    true.data[:, 0] = np.nan
    assert coverage(lower, upper, true)["coverage"] == pytest.approx(
        (np.abs(off[:, 1:]) <= width).mean(), abs=1e-3
    )


def test_what_does_not_fit_is_refused():
    low, high, truth = cubes(np.zeros((3, 2, 2)), np.ones((3, 2, 2)), np.ones((3, 2, 2)))
    with pytest.raises(InputError, match="wrong way"):
        coverage(high, low, truth)
    with pytest.raises(InputError, match="shape"):
        coverage(*cubes(np.zeros((3, 2, 3)), np.ones((3, 2, 3))), truth)
    with pytest.raises(InputError, match="other wavelengths"):
        coverage(*cubes(low.data, high.data, nm=(410, 510, 610)), truth)


def test_the_risk_rises_with_what_is_kept_if_the_uncertainty_knows():
    size = RNG.gamma(2, 1, 4000)
    error = size * RNG.random(4000)
    share, knowing = risk_coverage(error, size)
    assert share[-1] == 1
    assert (np.diff(knowing) > 0).all()
    assert knowing[-1] == pytest.approx(error.mean())
    _, oracle = risk_coverage(error, error)
    assert (oracle <= knowing + 1e-12).all()
    _, ignorant = risk_coverage(error, RNG.random(4000))
    np.testing.assert_allclose(ignorant[3:], error.mean(), rtol=0.15)
    np.testing.assert_array_equal(risk_coverage([1, 3, 2], [1, 3, 2], 3)[1], [1, 1.5, 2])


def test_error_over_measured_share_is_in_groups_of_equal_size():
    share = RNG.random((40, 50))
    error = 1 - share
    error[0, 0] = np.nan
    at, mean = error_by_share(error, share, 8)
    assert at.shape == mean.shape == (8,)
    np.testing.assert_allclose(mean, 1 - at)
    assert (np.diff(at) > 0).all()
    with pytest.raises(InputError, match="No pixel"):
        error_by_share([np.nan], [1.0])
    with pytest.raises(InputError, match="cannot be compared"):
        error_by_share([1.0, 2.0], [1.0])


@pytest.mark.parametrize("which", range(4))
def test_values_too_large_to_compute_with_are_refused(which):
    lower, upper, made, true = given = cubes(*np.ones((4, 3, 2, 2)))
    given[which].data[1, 0, 0] = (-1 if which == 0 else 1) * 3.4e38
    with pytest.raises(InputError, match="too large to compute with"):
        curves(made, true, (lower, upper))
    if which != 2:
        with pytest.raises(InputError, match="too large to compute with"):
            coverage(lower, upper, true)


def test_a_band_without_truth_leaves_the_figures_of_the_others():
    truth = RNG.random((3, 6, 7))
    lower, upper, made, true = cubes(truth - 0.1, truth + 0.1, truth + 0.05, truth)
    true.data[1] = np.nan
    assert coverage(lower, upper, true)["coverage_bands"] == [1.0, None, 1.0]
    found = curves(made, true, (lower, upper))["risk_coverage"]
    np.testing.assert_allclose(found["error"], 0.05, rtol=1e-3)
    true.data[:] = np.nan
    with pytest.raises(InputError, match="no value"):
        coverage(lower, upper, true)
