"""HSCNN+ against the original, its hyper-parameters, its reach, and its growing features."""

import numpy as np
import pytest
import torch

from napari_hsr.errors import ModelError
from napari_hsr.inference import reconstruct
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import hscnn_plus
from napari_hsr.models.architectures.base import shapes_of

from ...double_precision import assert_exact, first, input_of


def small(parity, channels=3, bands=31, blocks=2):
    return parity.random_weights(shapes_of(lambda: hscnn_plus.HSCNNPlus(channels, bands, blocks)))


@pytest.mark.parametrize("form", [(3, 31, 1), (3, 31, 5), (4, 31, 2), (3, 7, 3)])
def test_hyper_parameters_are_read_off_the_weights(parity, form):
    channels, bands, blocks = form
    model = from_state_dict(small(parity, *form), parity.card("hscnn_plus", bands))
    assert (model.channels, model.bands, model.context) == (channels, bands, 1 + blocks)
    assert model.module(torch.rand(1, channels, 4, 5)).shape == (1, bands, 4, 5)


def test_features_grow_alike_with_and_without_gradients(parity):
    """In place where nothing is remembered, by copies where gradients are asked for."""
    module = hscnn_plus.ARCHITECTURE.load(small(parity)).module
    x = torch.rand(2, 3, 7, 6)
    plain = module(x)
    followed = module(x.clone().requires_grad_())
    assert plain.grad_fn is None
    followed.sum().backward()
    assert parity.relative_error(plain, followed.detach()) <= 1e-6


def test_context_is_as_far_as_a_pixel_sees(parity):
    model = hscnn_plus.ARCHITECTURE.load(small(parity, blocks=3))
    assert parity.reach(model.module, 3, 21, (10, 10)) == model.context == 4


def test_tiles_equal_the_whole(parity):
    model = hscnn_plus.ARCHITECTURE.load(small(parity))
    image = np.random.default_rng(0).random((53, 41, 3), dtype=np.float32)
    for tile in (16, "whole"):
        tiled = reconstruct(image, model, tile=tile).data
        assert_exact(tiled, model.module, input_of(model, image), 1e-5, run=first)


def test_the_first_key_that_differs_is_named(parity):
    weights = small(parity)
    weights["ddfn.dfus_blocks.1.conv1.weight"] = torch.zeros(128, 128, 1, 1)
    with pytest.raises(ModelError, match=r"HSCNN\+, but ddfn\.dfus_blocks\.1\.conv1\.weight"):
        from_state_dict(weights)
