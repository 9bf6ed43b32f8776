"""The Bayer pattern and the way back."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr.cameras.mosaic import demosaic, mosaic


def test_the_pattern_is_rggb():
    rgb = np.arange(5 * 6 * 3, dtype=np.float32).reshape(5, 6, 3)
    raw = mosaic(rgb)
    for row in range(5):
        for column in range(6):
            channel = (row % 2) + (column % 2)  # 0 red, 1 green, 2 blue
            assert raw[row, column] == rgb[row, column, channel]


@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (8, 8), (7, 6)])
def test_flat_pictures_come_back(shape):
    rgb = np.broadcast_to(np.array([0.2, 0.5, 0.9], np.float32), (*shape, 3))
    np.testing.assert_allclose(demosaic(mosaic(rgb)), rgb, atol=1e-6)


def test_what_was_measured_stays():
    rgb = np.random.default_rng(0).random((9, 12, 3), dtype=np.float32)
    np.testing.assert_allclose(mosaic(demosaic(mosaic(rgb))), mosaic(rgb), atol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_an_edge_is_not_averaged_over(turned):
    step = np.zeros((12, 12), np.float32)
    step[:, 6:] = 1
    grey = np.repeat((step.T if turned else step)[..., None], 3, axis=2)
    back = demosaic(mosaic(grey))
    np.testing.assert_allclose(back, grey, atol=1e-6)  # averaging over the edge would give ½


def test_ramps_of_one_colour_come_back_inside():
    ramp = np.linspace(0, 1, 16, dtype=np.float32)
    rgb = np.stack([np.broadcast_to(ramp, (16, 16)) * f for f in (0.5, 0.5, 0.5)], axis=-1)
    np.testing.assert_allclose(demosaic(mosaic(rgb))[2:-2, 2:-2], rgb[2:-2, 2:-2], atol=1e-6)
