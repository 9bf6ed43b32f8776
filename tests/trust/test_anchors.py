"""A few measured spectra correct a cube, or are refused."""

import numpy as np
import pytest

from napari_hsr.errors import InputError
from napari_hsr.trust import anchors
from napari_hsr.trust.anchors import fit_anchors


@pytest.fixture
def tinted(truth):
    """A cube under another light than was thought: one gain a band."""
    return truth * np.linspace(0.6, 1.5, 31)[:, None]


def relative(spectra, truth):
    return np.sqrt(((spectra - truth) ** 2).mean() / (truth**2).mean())


def test_another_light_is_found_from_a_few_places(truth, tinted):
    fit = fit_anchors(tinted[:, :6], truth[:, :6])
    assert fit.helps
    rest = slice(6, None)
    assert relative(fit.apply(tinted[:, rest]), truth[:, rest]) < 0.2 * relative(
        tinted[:, rest], truth[:, rest]
    )


def test_the_figures_are_those_of_leaving_each_out_in_truth(truth, guess):
    found, measured = guess[:, :7] + 0.02, truth[:, :7]
    fit = fit_anchors(found, measured)
    for i in range(7):
        kept = [j for j in range(7) if j != i]
        shape, level = anchors._shape(found)
        error = (measured - found) / (found + anchors.DARK * level)
        kernel = anchors._kernel(shape[:, kept], shape[:, kept], fit.common, fit.width)
        weights = np.linalg.solve(kernel + fit.ridge * np.eye(6), error[:, kept].T)
        near = anchors._kernel(shape[:, [i]], shape[:, kept], fit.common, fit.width)
        made = found[:, i] + (found[:, i] + anchors.DARK * level[i]) * (near @ weights)[0]
        apart = np.sqrt(((made - measured[:, i]) ** 2).mean() / (measured[:, i] ** 2).mean())
        assert fit.after[i] == pytest.approx(apart, rel=1e-6)
    np.testing.assert_allclose(
        fit.before, np.sqrt(((found - measured) ** 2).mean(0) / (measured**2).mean(0))
    )


def test_what_is_right_already_is_left_alone(truth):
    fit = fit_anchors(truth[:, :5], truth[:, :5])
    assert not fit.helps  # nothing to gain
    np.testing.assert_allclose(fit.apply(truth), truth, rtol=1e-6)


def test_noise_is_refused_or_does_no_harm(truth, rng):
    """Leave-one-out picks the least of many figures, so chance helps now and then, by little."""
    harmed = []
    for trial in range(20):
        start = 8 * trial
        found = truth[:, start : start + 4]
        measured = found * (1 + 0.3 * rng.standard_normal(found.shape))
        fit = fit_anchors(found, np.abs(measured))
        if fit.helps:
            harmed.append(relative(fit.apply(truth), truth))
    assert len(harmed) <= 3
    assert max(harmed, default=0) < 0.3  # the noise itself


def test_it_follows_the_exposure_and_the_shape(truth, tinted):
    one, other = (fit_anchors(q * tinted[:, :5], q * truth[:, :5]) for q in (1, 0.2))
    np.testing.assert_allclose(other.apply(0.2 * tinted), 0.2 * one.apply(tinted), rtol=1e-5)
    cube = tinted.reshape(31, 20, 20)
    np.testing.assert_allclose(one.apply(cube).reshape(31, -1), one.apply(tinted), rtol=1e-6)
    assert one.apply(cube).dtype == np.float32
    assert one.apply(-cube).min() >= 0


def test_a_local_fault_is_corrected_where_spectra_are_alike(truth, rng):
    """Greens are wrong, reds are right: anchors on both keep the reds as they are."""
    nm = np.linspace(0, 1, 31)
    green, red = (np.exp(-((nm - c) ** 2) / 0.02)[:, None] + 0.1 for c in (0.4, 0.9))
    level = rng.uniform(0.2, 1, 6)
    found = np.concatenate([green * level, red * level], axis=1)
    measured = found.copy()
    measured[:, :6] *= 1 + 0.5 * nm[:, None]
    fit = fit_anchors(found[:, [0, 1, 2, 6, 7, 8]], measured[:, [0, 1, 2, 6, 7, 8]])
    made = fit.apply(found)
    assert relative(made[:, 3:6], measured[:, 3:6]) < 0.25 * relative(
        found[:, 3:6], measured[:, 3:6]
    )
    assert relative(made[:, 9:], measured[:, 9:]) < 0.03


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda x, y: (x[:, :1], y[:, :1]), "two anchors"),
        (
            lambda x, y: (x, 100 * y),
            "measured spectra are 100 times as bright as the cube, as percent",
        ),
        (
            lambda x, y: (x, y / 10),
            "cube is 10 times as bright as the measured spectra, as radiance",
        ),
        (lambda x, y: (x, 4095 * y), "as counts are to reflectance"),
        (lambda x, y: (x, y * [1, 100, 1, 1]), "anchor 2 is 100 times as bright to the cube"),
        (lambda x, y: (x, y * np.nan), "anchor 1 holds a value that is not finite"),
        (lambda x, y: (x, y[:5]), "bands"),
        (lambda x, y: (x, y * [1, 0, 1, 1]), "anchor 2 is black"),
        (
            lambda x, y: (x, y * [1, 1, -1, 1]),
            "anchor 3 is black, or measured as black or negative",
        ),
        (lambda x, y: (x[:, [0, 1, 0]], y[:, [0, 1, 2]]), "anchors 1 and 3 contradict"),
        (lambda x, y: (x[:, [0, 0]], y[:, [0, 0]] * [1, 2]), "anchors 1 and 2 contradict"),
        (lambda x, y: (x[:, [0, 0]], np.stack([np.eye(31)[0], np.eye(31)[30]], 1)), "contradict"),
    ],
)
def test_bad_anchors_are_refused_in_a_sentence(truth, change, why):
    with pytest.raises(InputError, match=why):
        fit_anchors(*change(truth[:, :4], truth[:, :4]))


def test_a_shadow_contradicts_nothing(truth, tinted):
    lit = np.stack([tinted[:, 0], 0.4 * tinted[:, 0], tinted[:, 1], tinted[:, 2]], axis=1)
    fit = fit_anchors(lit, truth[:, [0, 0, 1, 2]])
    assert fit.before.size == 4
