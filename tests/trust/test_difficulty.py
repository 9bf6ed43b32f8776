"""What is known of a pixel before any truth."""

import numpy as np
import pytest

from napari_hsr.trust.difficulty import (
    CELLS,
    DARK,
    RARITY_CELLS,
    auroc,
    brightness_of,
    cell_colours,
    chromaticity_cell,
    difficulty,
    fit_share,
    fit_slopes,
    missed,
    missed_square,
    rarity,
    rarity_table,
    spread,
)


def test_cells_hold_chromaticities_whatever_the_exposure(rng):
    colours = rng.random((3, 500))
    cell, brightness = chromaticity_cell(colours)
    np.testing.assert_allclose(brightness, colours.sum(axis=0))
    other, dimmer = chromaticity_cell(colours / 8)
    np.testing.assert_array_equal(other, cell)
    np.testing.assert_allclose(dimmer, brightness / 8)
    middle = cell_colours(cell)
    assert np.abs(middle - colours / brightness).max() < 1.5 / CELLS
    for extreme in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [-1, 2, 0]):
        cell, brightness = chromaticity_cell(np.array(extreme, float)[:, None])
        assert 0 <= cell[0] < CELLS**2
        assert brightness[0] == np.maximum(extreme, 0).sum()


def test_the_spread_is_the_root_mean_square_distance_from_the_witnesses(rng):
    witnesses = rng.random((3, CELLS**2, 5)).astype(np.float32)
    colours, spectra = rng.random((3, 40)) + 0.1, rng.random((5, 40))
    cell, brightness = chromaticity_cell(colours)
    mean, variance = witnesses.mean(axis=0), witnesses.var(axis=0).mean(axis=1)
    expected = [
        np.sqrt(np.mean((witnesses[:, c] * b - s) ** 2)) / (s.mean() + DARK)
        for c, b, s in zip(cell, brightness, spectra.T, strict=True)
    ]
    np.testing.assert_allclose(
        spread(spectra, cell, brightness, mean.T, variance), expected, rtol=1e-4
    )


def test_what_the_training_shows_often_is_not_rare(rng):
    common = rng.dirichlet((60, 30, 30), 5000).T
    cells, _ = chromaticity_cell(common)
    table = rarity_table(cells, np.ones(len(cells)))
    assert table.shape == (RARITY_CELLS, RARITY_CELLS)
    usual, unusual = (
        rarity(chromaticity_cell(np.array(c, float)[:, None])[0], table)[0]
        for c in ((0.5, 0.25, 0.25), (0.05, 0.05, 0.9))
    )
    assert usual < 5
    assert unusual > 13


def test_slopes_are_found_again_and_never_negative(rng):
    apart, rare = rng.lognormal(-1.5, 0.8, 4000), rng.uniform(4, 13, 4000)
    error = 0.2 * difficulty(apart, rare, (0.6, 0.1)) * rng.lognormal(0, 0.1, 4000)
    one, even = np.zeros(4000, int), np.ones(4000)
    bright = rng.lognormal(-2, 1, 4000)
    found = fit_slopes(apart, rare, error, even, one, bright)
    np.testing.assert_allclose(found, (0.6, 0.1, 0), atol=0.06)
    assert fit_slopes(apart, rare, 1 / apart, even, one, bright)[0] == 0
    darker = fit_slopes(apart, rare, error * bright**-0.3, even, one, bright)
    np.testing.assert_allclose(darker, (0.6, 0.1, 0.3), atol=0.06)


def test_what_spectra_miss_of_the_colours_is_a_reflectance(rng):
    camera = rng.random((5, 3))
    spectra = rng.random((5, 40))
    colours = camera.T @ (spectra + 0.2)  # of which each channel misses a grey of 0.2
    np.testing.assert_allclose(missed_square(spectra, colours, camera), 0.04)
    level = brightness_of(spectra)
    np.testing.assert_allclose(
        missed(spectra, colours, camera, np.full(40, 0.04), level), 0.2 / level
    )
    assert missed_square(spectra, camera.T @ spectra, camera).max() < 1e-30


def test_the_share_of_what_is_missed_is_found_again(rng):
    apart, failed = (np.exp(rng.normal(-3, 0.8, 4000)) for _ in range(2))
    bright = rng.lognormal(-2, 0.5, 4000)
    source = np.repeat([0, 1], 2000)
    hard = difficulty(apart, np.zeros(1), (0.3, 0.0), failed)
    np.testing.assert_allclose(hard, (apart + 1e-3) ** 0.3 * (failed + 3e-4) ** 0.7)
    error = hard * rng.lognormal(0, 0.05, 4000) * np.where(source, 0.05, 1)
    assert fit_share(apart, failed, error, bright, source) == pytest.approx(0.3)


def test_what_sources_differ_by_is_not_taken_for_what_pixels_differ_by(rng):
    apart, rare = rng.lognormal(-1.5, 0.8, 4000), rng.uniform(4, 13, 4000)
    second = np.arange(4000) >= 2000
    apart = np.where(second, 5 * apart, apart)  # where the model errs less
    error = 0.2 * difficulty(apart, rare, (0.6, 0.1)) * np.where(second, 0.02, 1)
    bright = rng.lognormal(-2, 1, 4000)
    found = fit_slopes(apart, rare, error + 1e-4, np.ones(4000), second.astype(int), bright)
    together = fit_slopes(apart, rare, error + 1e-4, np.ones(4000), np.zeros(4000, int), bright)
    assert found[0] > 0.3 > together[0]


def test_the_area_under_the_roc(rng):
    assert auroc(np.array([1.0, 2, 3, 4]), np.array([False, False, True, True])) == 1
    assert auroc(np.array([4.0, 3, 2, 1]), np.array([False, False, True, True])) == 0
    score, positive = rng.integers(0, 9, 300).astype(float), rng.random(300) < 0.3
    pairs = score[positive][:, None] - score[~positive]
    assert auroc(score, positive) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    assert np.isnan(auroc(score, np.zeros(300, bool)))
