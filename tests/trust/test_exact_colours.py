"""The projection onto known colours, held against what it must be for every spectrum."""

import numpy as np
import pytest
from scipy.optimize import minimize

from napari_hsr.trust.exact_colours import AT_LEAST, AT_MOST, EQUAL, project, residual


def error(spectra, colours, seen):
    return np.abs(seen.matrix.T @ spectra - colours).max(axis=0) / np.abs(colours).max(axis=0)


def additive(guess, colours, seen):
    """The projection before anything is done about negative values, written again."""
    shape = seen.second_moment @ seen.matrix
    missing = colours - seen.matrix.T @ guess
    return guess + shape @ np.linalg.solve(seen.matrix.T @ shape, missing)


def test_colours_are_exact_and_nothing_is_negative(seen, truth, guess):
    colours = seen.matrix.T @ truth
    found = project(guess, colours, seen)
    assert found.met.all()
    assert error(found.spectra, colours, seen).max() <= 1e-5
    assert found.spectra.min() >= 0
    plain = additive(guess, colours, seen)
    positive = (plain >= 0).all(axis=0)
    assert 0 < positive.mean() < 1  # both forms were at work
    np.testing.assert_allclose(found.spectra[:, positive], plain[:, positive], atol=1e-12)
    clipped = error(np.maximum(plain, 0)[:, ~positive], colours[:, ~positive], seen)
    assert clipped.max() > 1e-4  # what clipping alone would cost


def test_no_projection_is_farther_from_the_truth_in_its_own_metric(seen, truth, guess):
    colours = seen.matrix.T @ truth
    found = project(guess, colours, seen)
    plain = additive(guess, colours, seen).min(axis=0) >= 0

    def distance(spectra):
        apart = (spectra - truth)[:, plain]
        return (apart * np.linalg.solve(seen.second_moment, apart)).sum(axis=0)

    # projecting what is projected changes nothing
    again = project(found.spectra, colours, seen)
    np.testing.assert_allclose(again.spectra, found.spectra, atol=1e-5)
    assert again.residual.max() < 1e-6
    assert (distance(found.spectra) <= distance(guess) + 1e-12).all()


@pytest.mark.parametrize("exposure", [1 / 64, 0.3, 4, 1000])
def test_it_scales_with_the_exposure(seen, truth, guess, exposure):
    colours = seen.matrix.T @ truth
    one = project(guess, colours, seen)
    other = project(exposure * guess, exposure * colours, seen)
    np.testing.assert_allclose(other.spectra, exposure * one.spectra, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(other.residual, one.residual, rtol=1e-9)


def test_pixels_are_computed_alone(seen, truth, guess, rng):
    colours = seen.matrix.T @ truth
    says = rng.integers(0, 3, colours.shape)
    whole = project(guess, colours, seen, says)
    order = rng.permutation(guess.shape[1])[:50]
    part = project(guess[:, order], colours[:, order], seen, says[:, order])
    np.testing.assert_allclose(part.spectra, whole.spectra[:, order], rtol=1e-9, atol=1e-12)


def test_a_black_pixel_is_black_and_a_black_guess_gets_its_colour(seen, truth):
    colours = seen.matrix.T @ truth
    assert (project(truth, 0 * colours, seen).spectra == 0).all()
    found = project(0 * truth, colours, seen)
    assert found.met.all()
    assert error(found.spectra, colours, seen).max() <= 1e-5


def test_the_residual_is_that_of_the_guess(seen, truth, guess):
    colours = seen.matrix.T @ truth
    expected = np.linalg.norm(seen.matrix.T @ (guess - truth), axis=0)
    expected /= np.linalg.norm(colours, axis=0)
    np.testing.assert_allclose(project(guess, colours, seen).residual, expected)
    np.testing.assert_allclose(residual(2 * truth, colours, seen), 1)


def test_saturated_channels_bind_only_where_they_are_violated(seen, truth, guess, rng):
    colours = seen.matrix.T @ truth
    says = np.where(rng.random(colours.shape) < 0.4, AT_LEAST, EQUAL)
    found = project(guess, colours, seen, says)
    assert found.met.all()
    over = (seen.matrix.T @ found.spectra - colours) / np.abs(colours).max(axis=0)
    assert np.abs(over[says == EQUAL]).max() <= 1e-5
    assert over[says == AT_LEAST].min() >= -1e-5
    assert over[says == AT_LEAST].max() > 0.01  # more than the photograph could say
    inside = (colours >= 0).all(axis=0)
    truth, colours = truth[:, inside], colours[:, inside]
    brighter = project(3 * truth, colours, seen, np.full(colours.shape, AT_LEAST))
    np.testing.assert_array_equal(brighter.spectra, 3 * truth)
    assert (brighter.residual == 0).all()
    darker = project(truth, 3 * colours, seen, np.full(colours.shape, AT_MOST))
    np.testing.assert_array_equal(darker.spectra, truth)


def test_inequalities_give_the_nearest_spectrum(seen, truth, guess, rng):
    """Against a general optimiser, where the answer has no negative band."""
    colours = (seen.matrix.T @ truth)[:, :40]
    says = rng.integers(0, 3, colours.shape)
    start = guess[:, :40] + 0.3 * truth[:, :40].mean(axis=0)
    found = project(start, colours, seen, says)
    inverse = np.linalg.inv(seen.second_moment)
    compared = 0
    for i in range(40):
        limits = [
            {
                "type": "eq" if kind == EQUAL else "ineq",
                "fun": lambda s, c=c, i=i, sign=-1 if kind == AT_MOST else 1: (
                    sign * (seen.matrix[:, c] @ s - colours[c, i])
                ),
                "jac": lambda s, c=c, sign=-1 if kind == AT_MOST else 1: sign * seen.matrix[:, c],
            }
            for c, kind in enumerate(says[:, i])
        ]
        best = minimize(
            lambda s, i=i: (s - start[:, i]) @ inverse @ (s - start[:, i]),
            start[:, i],
            jac=lambda s, i=i: 2 * inverse @ (s - start[:, i]),
            constraints=limits,
            method="SLSQP",
            options={"maxiter": 500, "ftol": 1e-14},
        )
        assert best.success
        if best.x.min() < 0:
            continue
        np.testing.assert_allclose(found.spectra[:, i], best.x, atol=2e-3)
        compared += 1
    assert compared >= 4


def test_a_colour_that_no_spectrum_has_is_told(seen):
    if "Nikon" not in seen.name:
        pytest.skip("its colours may be negative")
    only_red = np.array([[0.5, 0.2], [0.0, 0.2], [0.0, 0.2]])  # and a grey beside it
    found = project(np.full((31, 2), 0.1), only_red, seen)
    assert found.met.tolist() == [False, True]
    assert np.isfinite(found.spectra).all()
    assert found.spectra.min() >= 0


def test_saturated_colours_of_narrow_peaks_are_met_too(seen, rng):
    """At the limit of what positive spectra have, Newton's method needs long, or never ends."""
    nm = np.array(seen.wavelengths_nm)[:, None]
    centre, width = rng.uniform(400, 700, 300), rng.uniform(3, 30, 300)
    peaks = np.exp(-(((nm - centre) / width) ** 2)) + np.where(rng.random(300) < 0.5, 1e-4, 0)
    peaks[:, :31] = np.eye(31)  # a single band
    colours = seen.matrix.T @ peaks
    wrong = np.abs(
        peaks * rng.uniform(0.2, 3, peaks.shape) + 0.3 * rng.standard_normal(peaks.shape)
    )
    found = project(wrong, colours, seen)
    assert found.met.all()
    assert error(found.spectra, colours, seen).max() <= 1e-5
    assert found.spectra.min() >= 0
    says = rng.integers(0, 3, colours.shape)
    loose = project(wrong, colours, seen, says)
    assert loose.met.all()
    off = (seen.matrix.T @ loose.spectra - colours) / np.abs(colours).max(axis=0)
    assert np.abs(off[says == EQUAL]).max() <= 1e-5
    assert off[says == AT_LEAST].min() >= -1e-5
    assert off[says == AT_MOST].max() <= 1e-5
