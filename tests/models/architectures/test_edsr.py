"""EDSR against the original, its hyper-parameters and its reach."""

import numpy as np
import pytest
import torch

from napari_hsr.errors import ModelError
from napari_hsr.inference import reconstruct
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import edsr
from napari_hsr.models.architectures.base import shapes_of

from ...double_precision import assert_exact, first, input_of


def small(parity, channels=3, bands=31, width=8, blocks=2):
    return parity.random_weights(shapes_of(lambda: edsr.EDSR(channels, bands, width, blocks)))


@pytest.mark.parametrize("form", [(3, 31, 16, 1), (3, 31, 5, 6), (4, 31, 8, 0), (3, 7, 12, 3)])
def test_hyper_parameters_are_read_off_the_weights(parity, form):
    channels, bands, _, blocks = form
    if blocks == 0:  # then nothing of its body tells it from other networks
        assert not edsr.ARCHITECTURE.detect(small(parity, *form))
        return
    model = from_state_dict(small(parity, *form), parity.card("edsr", bands))
    assert (model.channels, model.bands, model.context) == (channels, bands, 3 + 2 * blocks)
    assert model.module(torch.rand(1, channels, 4, 5)).shape == (1, bands, 4, 5)


def test_an_edsr_that_enlarges_is_another_network(parity):
    """The published super-resolution network keeps its last convolution one step deeper."""
    weights = {
        key.replace("tail.0", "tail.0.0"): value for key, value in small(parity, bands=3).items()
    }
    assert not edsr.ARCHITECTURE.detect(weights)


def test_context_is_as_far_as_a_pixel_sees(parity):
    model = edsr.ARCHITECTURE.load(small(parity))
    assert parity.reach(model.module, 3, 25, (12, 12)) == model.context == 7


def test_tiles_equal_the_whole(parity):
    model = edsr.ARCHITECTURE.load(small(parity))
    image = np.random.default_rng(0).random((53, 41, 3), dtype=np.float32)
    for tile in (16, "whole"):
        tiled = reconstruct(image, model, tile=tile).data
        assert_exact(tiled, model.module, input_of(model, image), 1e-5, run=first)


def test_the_first_key_that_differs_is_named(parity):
    weights = small(parity)
    del weights["body.1.body.2.bias"]
    with pytest.raises(ModelError, match=r"EDSR, but body\.1\.body\.2\.bias \(8\) is missing"):
        from_state_dict(weights)
