"""Whole-image rules: measured once, finite on constant images, the originals' arithmetic."""

import numpy as np
import pytest

from napari_hsr.errors import ModelError
from napari_hsr.models import input_rules


def _image(shape=(7, 9, 3)):
    return np.random.default_rng(3).uniform(0.1, 0.8, shape).astype(np.float32)


def _run(rule, image):
    statistics = rule.measure(iter([image[:3], image[3:]]))
    return rule.apply(image, statistics), statistics


def test_min_max_is_over_the_whole_image_and_all_channels():
    image = _image()
    got, statistics = _run(input_rules.MinMax(), image)
    np.testing.assert_allclose(got, (image - image.min()) / (image.max() - image.min()), rtol=1e-6)
    assert statistics == (image.min(), image.max())
    tile = input_rules.MinMax().apply(image[:3], statistics)
    np.testing.assert_array_equal(tile, got[:3])


def test_maximum_is_over_the_whole_image_and_all_channels():
    image = _image()
    got, statistics = _run(input_rules.Maximum(), image)
    np.testing.assert_allclose(got, image / image.max(), rtol=1e-6)
    np.testing.assert_array_equal(input_rules.Maximum().apply(image[3:], statistics), got[3:])


@pytest.mark.parametrize("rule", [input_rules.MinMax(), input_rules.Maximum()])
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_constant_images_stay_finite(rule, value):
    got, _ = _run(rule, np.full((4, 4, 3), value, np.float32))
    assert np.isfinite(got).all()
    assert len(np.unique(got)) == 1
    assert got.max() <= 1


@pytest.mark.parametrize("rule", [input_rules.MinMax(), input_rules.Maximum()])
def test_broken_pixels_take_no_part(rule):
    image = _image()
    broken = image.copy()
    broken[0, 0] = np.nan
    broken[1, 1, 2] = np.inf
    image[0, 0] = image[1, 1, 2] = 0.5
    got, statistics = _run(rule, broken)
    assert statistics == rule.measure(iter([image]))
    assert np.isnan(got[0, 0]).all()
    assert np.isfinite(np.delete(got.reshape(-1, 3), [0, 10], axis=0)).all()
    nothing = rule.measure(iter([np.full((2, 2, 3), np.nan, np.float32)]))
    assert np.isfinite(nothing).all()


@pytest.mark.parametrize("rule", [input_rules.MinMax, input_rules.Maximum])
def test_clipping_is_a_choice(rule):
    bands = np.array([[[-0.5, 0.5, 1.5]]], np.float32)
    assert rule().undo(bands, (0.0, 1.0)) is bands
    assert rule(clip=True).undo(bands, (0.0, 1.0)).tolist() == [[[0, 0.5, 1]]]


def test_symmetric_turns_the_channels_round_and_comes_back():
    got, _ = _run(input_rules.Symmetric(), np.array([[[1.0, 0.5, 0.0]]], np.float32))
    assert got.tolist() == [[[-1, 0, 1]]]
    back = input_rules.Symmetric().undo(np.array([[[-2.0, -1, 0, 1, 2]]], np.float32), None)
    assert back.tolist() == [[[0, 0, 0.5, 1, 1]]]


def test_statistics():
    got, _ = _run(input_rules.NTIRE2020_CLEAN, np.float32([[[0.1801, 0.1821, 0.1468]]]))
    assert abs(got).max() == 0
    got, _ = _run(
        input_rules.NTIRE2020_REAL_WORLD, np.float32([[[0.1859 + 0.1244, 0.1794, 0.0352]]])
    )
    np.testing.assert_allclose(got, [[[1, 0, -1]]], atol=1e-6)


def test_statistics_are_read_from_a_card():
    assert input_rules.statistics_from_words("none") is input_rules.NTIRE2020_CLEAN
    for track in (input_rules.NTIRE2020_CLEAN, input_rules.NTIRE2020_REAL_WORLD):
        assert input_rules.statistics_from_words(track.of) is track
        assert input_rules.statistics_from_words(track.name) is track
    own = input_rules.Statistics((0.1, 0.2, 0.3), (0.5, 1e-2, 2.0))
    assert input_rules.statistics_from_words(own.name) == own
    assert input_rules.statistics_from_words("mean 0.1, 0.2, 0.3, deviation 0.5, 1e-2, 2.0") == own


@pytest.mark.parametrize(
    "words",
    [
        "whitened",
        "mean 1 2 3, deviation 1 0 1",
        "mean 1 2, deviation 1 1",
        "mean e e e, deviation 1 1 1",
    ],
)
def test_other_words_are_refused(words):
    with pytest.raises(ModelError, match="names no statistics"):
        input_rules.statistics_from_words(words)
