"""Augmentation: what each change does, and what it leaves."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr.cameras import matrix
from napari_hsr.errors import InputError
from napari_hsr.training.data import augmentation
from napari_hsr.training.recipe.schema import AugmentationSettings

GRID = np.arange(400.0, 701.0, 10.0)
CAMERA = matrix("Nikon 5100 (NPL)", GRID)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def cube(side: int = 12, seed: int = 0) -> np.ndarray:
    """Smooth spectra with dark ends: some metamers of them would be negative."""
    weights = rng(seed).normal(size=(5, side, side))
    waves = np.cos(np.pi * np.arange(5)[:, None] * np.linspace(0, 1, 31))
    spectra = np.einsum("kb,khw->bhw", waves, weights) / 4 + 0.4
    return np.clip(spectra, 0, 1).astype(np.float32)


def rgb_of(spectra: np.ndarray) -> np.ndarray:
    return np.einsum("bhw,bc->hwc", spectra.astype(np.float64), CAMERA)


# ---- geometry --------------------------------------------------------------------------------


def test_cube_and_picture_turn_alike():
    spectra, settings = cube(), AugmentationSettings()
    seen = set()
    for seed in range(60):
        turned, picture = augmentation.geometric(
            spectra, rgb_of(spectra).astype(np.float32), settings, rng(seed)
        )
        np.testing.assert_allclose(picture, rgb_of(turned), atol=1e-6)
        assert turned.flags.c_contiguous
        assert picture.flags.c_contiguous
        np.testing.assert_array_equal(np.sort(turned, axis=None), np.sort(spectra, axis=None))
        seen.add(turned.tobytes())
    assert len(seen) == 8  # all orientations of a square


def test_only_what_is_asked_for_is_turned():
    spectra = cube()
    still = AugmentationSettings(flips=False, rotations=False)
    for seed in range(5):
        np.testing.assert_array_equal(
            augmentation.geometric(spectra, None, still, rng(seed))[0], spectra
        )
    flips = AugmentationSettings(rotations=False)
    seen = {augmentation.geometric(spectra, None, flips, rng(s))[0].tobytes() for s in range(40)}
    assert len(seen) == 4
    oblong = spectra[:, :7]
    shapes = {
        augmentation.geometric(oblong, None, AugmentationSettings(), rng(s))[0].shape
        for s in range(20)
    }
    assert shapes == {oblong.shape}


# ---- scale -----------------------------------------------------------------------------------


def test_scales_are_drawn_alike():
    settings = AugmentationSettings(scales=(1.0, 0.75, 0.5))
    drawn = [augmentation.pick_scale(settings.scales, rng(seed)) for seed in range(600)]
    for scale in settings.scales:
        assert drawn.count(scale) / 600 == pytest.approx(1 / 3, abs=0.07)
    assert augmentation.pick_scale(AugmentationSettings().scales, rng()) == 1.0


def test_half_the_size_is_the_mean_of_four():
    spectra = cube(12)
    expected = spectra.reshape(31, 6, 2, 6, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(augmentation.reduce(spectra, 0.5, (6, 6)), expected, rtol=1e-5)
    picture = np.moveaxis(spectra[:3], 0, -1)
    np.testing.assert_allclose(
        augmentation.reduce(picture, 0.5, (6, 6), axes=(0, 1)),
        np.moveaxis(expected[:3], 0, -1),
        rtol=1e-5,
    )


def test_other_sizes_average_the_area_they_cover():
    spectra = cube(12)
    thirds = np.repeat(np.repeat(spectra, 3, axis=1), 3, axis=2)  # ¾: 4 thirds of a pixel a side
    expected = thirds.reshape(31, 9, 4, 9, 4).mean(axis=(2, 4))
    got = augmentation.reduce(spectra, 0.75, (9, 9))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert augmentation.source_side(9, 0.75) == 12
    assert augmentation.source_side(64, 0.7) == 92
    assert augmentation.reduce(cube(92), 0.7, (64, 64)).shape == (31, 64, 64)
    np.testing.assert_allclose(
        augmentation.reduce(np.ones((2, 92, 92)), 0.7, (64, 64)), 1, rtol=1e-6
    )


def test_the_whole_size_is_the_patch_itself():
    spectra = cube(12)
    np.testing.assert_array_equal(augmentation.reduce(spectra, 1.0, (12, 12)), spectra)
    np.testing.assert_array_equal(augmentation.reduce(spectra, 1.0, (8, 10)), spectra[:, :8, :10])
    with pytest.raises(InputError, match=r"10 pixels a side at scale 0\.5 takes 20.*has 12"):
        augmentation.reduce(spectra, 0.5, (10, 10))


# ---- light -----------------------------------------------------------------------------------


def test_exposure_is_even_in_its_logarithm():
    settings = AugmentationSettings(exposure=0.5)
    drawn = np.log10([augmentation.exposure(settings, rng(seed)) for seed in range(800)])
    assert np.abs(drawn).max() <= 0.5
    assert abs(drawn.mean()) < 0.04
    assert drawn.std() == pytest.approx(1 / np.sqrt(12), rel=0.06)
    assert augmentation.exposure(AugmentationSettings(), rng()) == 1.0


def test_mixtures_are_convex():
    first, second = cube(seed=1), cube(seed=2)
    shares = []
    for seed in range(200):
        mixed = augmentation.mix(first, second, rng(seed))
        share = np.median((mixed - second)[first != second] / (first - second)[first != second])
        np.testing.assert_allclose(mixed, share * first + (1 - share) * second, atol=1e-5)
        shares.append(share)
    assert mixed.dtype == np.float32
    assert 0 <= min(shares) < 0.1
    assert 0.9 < max(shares) <= 1
    assert np.mean(shares) == pytest.approx(0.5, abs=0.07)


def test_tints_are_smooth_positive_and_as_strong_as_asked_for():
    curves = np.array([augmentation.tint(31, 0.15, rng(seed)) for seed in range(2000)])
    assert curves.dtype == np.float32
    assert (curves > 0).all()
    np.testing.assert_allclose(curves.mean(axis=1), 1, rtol=1e-5)
    logs = np.log(curves)
    assert logs.std() == pytest.approx(0.15, rel=0.05)
    bend = np.diff(logs, 2, axis=1)
    assert np.sqrt((bend**2).mean()) < 0.05 * 0.15 * 2  # white noise would have 2.4 times 0.15
    high = np.abs(np.fft.rfft(np.concatenate([logs, logs[:, ::-1]], axis=1)))[:, 12:]
    assert high.max() < 0.05 * 62 * 0.15
    np.testing.assert_allclose(augmentation.tint(31, 1e-9, rng()), 1, atol=1e-6)


# ---- metamers --------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.7, 3.0])
def test_metamers_have_the_same_colour_and_no_negative_band(strength):
    spectra = cube(24)
    made = augmentation.metamer(spectra, CAMERA, strength)
    assert made.dtype == np.float32
    assert (made >= 0).all()
    np.testing.assert_allclose(rgb_of(made), rgb_of(spectra), atol=1e-6)
    assert np.abs(made - spectra).mean() > 0.01


def test_metamers_follow_the_formula_as_far_as_they_can():
    spectra = cube(24).astype(np.float64)
    fundamental = CAMERA @ np.linalg.inv(CAMERA.T @ CAMERA) @ CAMERA.T
    seen = np.einsum("bc,chw->bhw", fundamental, spectra)
    black = spectra - seen
    for strength in (0.3, 1.4, 2.5):
        made = augmentation.metamer(spectra, CAMERA, strength)
        wanted = seen + strength * black
        free = (wanted >= 0).all(axis=0)
        assert free.mean() > 0.1
        np.testing.assert_allclose(made[:, free], wanted[:, free], atol=1e-6)
        # Elsewhere one band has come to 0 between the spectrum and what was wanted.
        stopped = made[:, ~free]
        np.testing.assert_allclose(stopped.min(axis=0), 0, atol=1e-6)
        alpha = ((stopped - seen[:, ~free]) * black[:, ~free]).sum(0) / (black[:, ~free] ** 2).sum(
            0
        )
        assert (alpha >= min(1, strength) - 1e-4).all()
        assert (alpha <= max(1, strength) + 1e-4).all()
    assert (~free).any()
    np.testing.assert_allclose(augmentation.metamer(spectra, CAMERA, 1.0), spectra, atol=1e-6)


def test_metamers_are_those_of_every_step_of_the_camera():
    """White balance and colour matrix do not change which spectra look alike."""
    spectra = cube()
    mixed = CAMERA @ rng(3).normal(size=(3, 3))
    np.testing.assert_allclose(
        augmentation.metamer(spectra, mixed, 1.4),
        augmentation.metamer(spectra, CAMERA, 1.4),
        atol=1e-6,
    )


def test_pixels_with_negative_bands_stay():
    spectra = cube()
    spectra[3, 2, 2] = -0.01
    made = augmentation.metamer(spectra, CAMERA, 1.4)
    np.testing.assert_allclose(made[:, 2, 2], spectra[:, 2, 2], atol=1e-6)
    np.testing.assert_array_equal(augmentation.metamer(np.zeros((31, 2, 2)), CAMERA, 1.4), 0)


def test_spectral_does_what_its_settings_say():
    spectra = cube()
    nothing = augmentation.spectral(spectra, AugmentationSettings(), rng(), CAMERA)
    np.testing.assert_array_equal(nothing, spectra)
    some = AugmentationSettings(metamers=0.4, metamer_range=0.5)
    one = rng(1)
    changed = [
        np.abs(augmentation.spectral(spectra, some, one, CAMERA) - spectra).max() > 1e-4
        for _ in range(800)
    ]
    assert np.mean(changed) == pytest.approx(0.4, abs=0.06)
    np.testing.assert_array_equal(augmentation.spectral(spectra, some, rng(), None), spectra)
    both = AugmentationSettings(metamers=1.0, tint=0.2)
    made = augmentation.spectral(spectra, both, rng(7), CAMERA)
    assert made.dtype == np.float32
    assert (made >= 0).all()
    np.testing.assert_array_equal(made, augmentation.spectral(spectra, both, rng(7), CAMERA))
    tinted = augmentation.spectral(spectra, AugmentationSettings(tint=0.2), rng(7))
    np.testing.assert_allclose(rgb_of(made), rgb_of(tinted), atol=1e-6)  # tint comes first
    assert np.abs(tinted / np.where(spectra > 0, spectra, 1) - 1).max() > 0.05
