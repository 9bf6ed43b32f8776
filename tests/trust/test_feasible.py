"""The feasible band against brute force: spectra made to have the colour, and another solver."""

import numpy as np
import pytest
from scipy.linalg import null_space
from scipy.optimize import linprog

from napari_hsr.cameras.response import reflectances
from napari_hsr.errors import InputError
from napari_hsr.trust.feasible import feasible_band, smoothness, tolerance

from .conftest import NM


def limits(spectrum, seen, width=0.0):
    colour = seen.matrix.T @ spectrum
    return colour - width, colour + width


@pytest.fixture
def smooth():
    """A natural spectrum within the bound."""
    known, tau = reflectances(NM), smoothness(NM)
    return known[np.abs(np.diff(known, 2)).max(axis=1) < 0.5 * tau][7]


def test_every_spectrum_of_the_colour_lies_within(seen, smooth, rng):
    """By walks through the null space that touch the bounds."""
    tau = smoothness(NM)
    band = feasible_band(*limits(smooth, seen, 1e-9), seen)
    free = null_space(seen.matrix.T)
    found = smooth.copy()
    reached = np.stack([smooth, smooth])
    for _ in range(4000):
        direction = free @ rng.standard_normal(28)
        bend, now = np.diff(direction, 2), np.diff(found, 2)
        with np.errstate(divide="ignore"):
            steps = np.concatenate(
                [
                    (np.where(direction > 0, 1, 0) - found) / direction,
                    (np.sign(bend) * tau - now) / bend,
                ]
            )
        step = steps[steps >= 0].min()
        found = found + rng.uniform(0.3, 1) * step * direction
        assert not band.outside(found).any()
        reached = np.stack([np.minimum(reached[0], found), np.maximum(reached[1], found)])
    inside = (reached[1] - reached[0]) / (band.upper - band.lower)
    assert inside.max() <= 1 + 1e-6
    assert inside.mean() > 0.3  # the walk went far, and so the band is no idle bound


def test_it_equals_one_programme_after_the_other(seen, smooth):
    low, high = limits(smooth, seen, 0.003)
    band = feasible_band(low, high, seen, bound=0.03)
    bends = np.diff(np.eye(31), 2, axis=0)
    rows = np.vstack([seen.matrix.T, -seen.matrix.T, bends, -bends])
    most = np.concatenate([high, -low, np.full(58, 0.03)])
    for b in (0, 9, 17, 30):
        for sign, ends in ((1, band.lower), (-1, band.upper)):
            best = linprog(
                sign * np.eye(31)[b], A_ub=rows, b_ub=most, bounds=(0, 1), method="highs-ipm"
            )
            assert best.status == 0
            assert ends[b] == pytest.approx(sign * best.fun, abs=1e-6)


def test_three_bands_are_determined_and_the_fourth_is_open(rng):
    from napari_hsr.trust.linear_camera import LinearCamera

    nm = (450.0, 500.0, 550.0, 600.0)
    camera = np.vstack([np.eye(3), [[0.5, 0.5, 0.5]]])
    seen = LinearCamera(camera, nm, "camera:x", "x")
    band = feasible_band([0.5, 0.6, 0.7], [0.5, 0.6, 0.7], seen, bound=np.inf)
    np.testing.assert_allclose(
        band.lower, [0, 0.1, 0.2, 0], atol=1e-9
    )  # x4 in 0..1, 0.5 - x4/2 in 0..1
    np.testing.assert_allclose(band.upper, [0.5, 0.6, 0.7, 1], atol=1e-9)


def test_more_noise_and_less_smoothness_leave_more_open(seen, smooth):
    narrow = feasible_band(*limits(smooth, seen), seen)
    noisy = feasible_band(*limits(smooth, seen, 0.02), seen)
    rough = feasible_band(*limits(smooth, seen), seen, bound=np.inf)
    for wider in (noisy, rough):
        assert (wider.lower <= narrow.lower + 1e-7).all()
        assert (wider.upper >= narrow.upper - 1e-7).all()
    assert (rough.upper - rough.lower).mean() > 1.5 * (narrow.upper - narrow.lower).mean()
    open_above = feasible_band(limits(smooth, seen)[0], [np.inf] * 3, seen)
    assert open_above.upper.mean() > narrow.upper.mean()


def test_a_curve_outside_is_told_band_by_band(seen, smooth):
    band = feasible_band(*limits(smooth, seen), seen)
    assert not band.outside(smooth).any()
    other = smooth.copy()
    other[4], other[20] = band.upper[4] + 0.01, band.lower[20] - 0.01
    assert np.flatnonzero(band.outside(other)).tolist() == [4, 20]


def test_a_colour_that_no_spectrum_has(seen):
    band = feasible_band([1.4] * 3, [1.5] * 3, seen)
    assert not band.possible
    assert band.outside(np.full(31, 0.5)).all()
    with pytest.raises(InputError, match="between"):
        feasible_band([1, 1, 1], [0, 2, 2], seen)


def test_noise_grows_with_the_root_of_light():
    np.testing.assert_allclose(tolerance(np.array([0, 0.25, 1]), 10_000), [0, 0.01, 0.02])
