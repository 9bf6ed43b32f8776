"""Coverage of what is promised, on images made to be exchangeable."""

import numpy as np
import pytest

from napari_hsr.trust.conformal import level_quantiles, quantile, worst_source

PIXELS, BANDS = 120, 3


def images(rng, count):
    """Errors of images that differ more from each other than the pixels of one, and a spread."""
    own = rng.gamma(2, 1, (count, 1))
    level = rng.integers(0, 3, (count, PIXELS))
    size = (own * (1 + level))[..., None] * np.array([0.5, 1, 2])
    error = np.abs(rng.standard_normal((count, PIXELS, BANDS))) * size
    return error.reshape(-1, BANDS), level.ravel(), np.repeat(np.arange(count), PIXELS)


def test_images_to_come_are_covered_as_promised(rng):
    """Over 40 splits of exchangeable images, pixels of one image depending on each other."""
    plain, levelled = [], []
    for _ in range(40):
        error, level, image = images(rng, 160)
        old = image < 80
        limit = quantile(error[old], image[old], 0.9)
        plain.append((error[~old] <= limit).mean())
        table = level_quantiles(error[old], level[old], image[old], 0.9, 3)
        levelled.append([(error[~old & (level == k)] <= table[k]).mean() for k in range(3)])
        assert (np.diff(table, axis=0) > 0).all()  # what is less certain gets wider intervals
    assert np.mean(plain) == pytest.approx(0.9, abs=0.02)
    np.testing.assert_allclose(np.mean(levelled, axis=0), 0.9, atol=0.02)


def test_counting_pixels_as_if_they_were_independent_covers_less(rng):
    few, pooled = [], []
    for _ in range(200):
        error, _, image = images(rng, 24)
        old = image < 12
        few.append((error[~old] <= quantile(error[old], image[old], 0.9)).mean())
        pooled.append((error[~old] <= np.quantile(error[old], 0.9, axis=0)).mean())
    assert np.mean(few) >= 0.9
    assert np.mean(pooled) < np.mean(few) - 0.02


def test_it_is_the_ordinary_quantile_for_images_of_one_pixel():
    scores = np.arange(1.0, 20)  # 19: the 18th of 20 places
    assert quantile(scores, np.arange(19), 0.9) == 18
    assert quantile(scores[::-1].copy(), np.arange(19), 0.9) == 18
    assert quantile(scores[:9], np.arange(9), 0.9) == 9
    assert quantile(scores[:8], np.arange(8), 0.9) == np.inf


def test_an_image_counts_once_however_large_it_is():
    scores = np.concatenate([np.ones(1000), np.arange(2.0, 21)])
    image = np.concatenate([np.zeros(1000, int), np.arange(1, 20)])
    assert quantile(scores, image, 0.5) == quantile(np.arange(1.0, 21), np.arange(20), 0.5)


def test_weights_make_sources_count_alike():
    """One source of 90 easy images beside one of 30 hard ones."""
    scores, image = np.concatenate([np.zeros(90), np.ones(30)]), np.arange(120)
    even = np.concatenate([np.full(90, 1 / 90), np.full(30, 1 / 30)])
    assert quantile(scores, image, 0.6) == 0
    assert quantile(scores, image, 0.6, even) == 1


def test_a_level_that_nobody_saw_is_no_narrower_than_the_one_below(rng):
    error, level, image = images(rng, 40)
    table = level_quantiles(error, np.minimum(level, 1), image, 0.9, 4)
    assert np.isfinite(table).all()
    assert (table[2] >= table[1]).all()
    np.testing.assert_array_equal(table[3], table[2])


def test_a_source_to_come_is_covered_where_pooled_sources_leave_it_out(rng):
    """Sources that differ in size and in the band where they are worst, over 60 draws of seven."""
    worst, pooled = [], []
    for _ in range(60):
        size = rng.gamma(4, 1, (7, 1)) * rng.gamma(6, 1 / 6, (7, 12))
        source = np.repeat(np.arange(7), 400)
        level = rng.integers(0, 2, source.size)
        error = np.abs(rng.standard_normal((source.size, 12))) * size[source]
        error *= (1 + level)[:, None]
        old = source < 6
        table = worst_source(error[old], level[old], source[old], 0.86, 2)
        worst.append((error[~old] <= table[level[~old]]).mean())
        plain = np.stack([np.quantile(error[old & (level == k)], 0.9, axis=0) for k in range(2)])
        pooled.append((error[~old] <= plain[level[~old]]).mean())
    assert np.mean(worst) >= 0.9
    assert np.quantile(worst, 0.1) > np.quantile(pooled, 0.1) + 0.05


def test_a_level_without_samples_takes_its_neighbours(rng):
    error, source = rng.random((300, 2)), np.repeat([0, 1, 2], 100)
    table = worst_source(error, np.full(300, 1), source, 0.9, 3)
    np.testing.assert_array_equal(table, table[[1, 1, 1]])
    largest = np.max([np.quantile(error[source == k], 0.9, axis=0) for k in range(3)], axis=0)
    np.testing.assert_allclose(table[1], (largest + largest.mean()) / 2)
