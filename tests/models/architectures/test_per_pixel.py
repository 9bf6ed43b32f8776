"""The per-pixel network: any exposure, one pixel at a time, recognised from its weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_hsr.inference import reconstruct
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import per_pixel
from napari_hsr.models.registry import recognise


@pytest.fixture
def network():
    torch.manual_seed(0)
    return per_pixel.PerPixel(31, 16, 2).eval()


@pytest.fixture
def image():
    return torch.rand(1, 3, 7, 11, generator=torch.Generator().manual_seed(1))


def run(network, image):
    with torch.inference_mode():
        return network(image)


@pytest.mark.parametrize("exposure", [0.25, 2.0, 8.0])
def test_twice_the_light_is_twice_the_spectrum(network, image, exposure):
    expected = exposure * run(network, image)
    torch.testing.assert_close(run(network, exposure * image), expected, rtol=1e-4, atol=1e-6)


def test_spectra_are_not_negative_and_black_is_black(network, image):
    image[..., 0] = 0
    image[:, 1, :, 1] = -0.5
    found = run(network, image)
    assert (found >= 0).all()
    assert (found[..., 0] == 0).all()


def test_a_pixel_does_not_touch_others(network, image, monkeypatch):
    whole = run(network, image)
    image[0, 2, 3, 4] = torch.nan
    found = run(network, image)
    assert found[..., 3, 4].isnan().all()
    assert found.isnan().sum() == 31
    monkeypatch.setattr(per_pixel, "_BLOCK", 5)
    kept = ~found.isnan()
    torch.testing.assert_close(run(network, image)[kept], whole[kept], rtol=1e-5, atol=1e-7)


def test_it_is_recognised_and_described(network):
    model = from_state_dict(network.state_dict())
    assert recognise(network.state_dict()).id == "per-pixel"
    assert (model.bands, model.context, model.channels) == (31, 0, 3)
    torch.testing.assert_close(model.module.state_dict(), network.state_dict())


def test_inference_hands_it_the_colours_as_they_are(network):
    model = from_state_dict(network.state_dict())
    dark, bright = (reconstruct(np.full((4, 5, 3), v, np.float32), model).data for v in (0.2, 0.8))
    np.testing.assert_allclose(bright, 4 * dark, rtol=1e-4)
    assert dark.max() > 0
