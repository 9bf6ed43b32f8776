import numpy as np

from napari_hsr.trust.metamers import metamers


def test_a_metamer_has_the_same_colour_and_another_spectrum(seen, truth, rng):
    colours = seen.matrix.T @ truth
    for share in (0.3, 1.0):
        other = metamers(truth, seen, rng, share)
        assert other.min() >= 0
        np.testing.assert_allclose(seen.matrix.T @ other, colours, atol=1e-12)
        apart = np.linalg.norm(other - truth, axis=0) / np.linalg.norm(truth, axis=0)
        assert np.median(apart) > 0.05 * share
        assert apart.max() < 3


def test_how_far_it_goes_is_a_share_of_the_way(seen, truth):
    first, second = (
        metamers(truth, seen, np.random.default_rng(0), share) - truth for share in (0.01, 0.02)
    )
    free = (metamers(truth, seen, np.random.default_rng(0), 0.02) > 0).all(axis=0)
    np.testing.assert_allclose(second[:, free], 2 * first[:, free], atol=1e-12)
    assert (metamers(truth, seen, np.random.default_rng(0), 0) == truth).all()


def test_it_scales_with_the_exposure_and_black_stays_black(seen, truth):
    one = metamers(truth, seen, np.random.default_rng(2))
    np.testing.assert_allclose(
        metamers(9 * truth, seen, np.random.default_rng(2)), 9 * one, atol=1e-12
    )
    truth = truth.copy()
    truth[:, 5] = 0
    assert (metamers(truth, seen, np.random.default_rng(2))[:, 5] == 0).all()
