"""HRNet against the original, its hyper-parameters, its reach, and its unused gates."""

import numpy as np
import pytest
import torch

from napari_hsr.errors import ModelError
from napari_hsr.inference import reconstruct
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import hrnet
from napari_hsr.models.architectures.base import shapes_of

from ...double_precision import assert_exact, first, input_of


def small(parity, channels=3, bands=31, width=4):
    return parity.random_weights(shapes_of(lambda: hrnet.HRNet(channels, bands, width)))


@pytest.mark.parametrize("form", [(3, 31, 4), (3, 31, 12), (4, 31, 8), (3, 7, 4)])
def test_hyper_parameters_are_read_off_the_weights(parity, form):
    channels, bands, _ = form
    model = from_state_dict(small(parity, *form), parity.card("hrnet", bands))
    assert (model.channels, model.bands) == (channels, bands)
    assert model.module(torch.rand(1, channels, 9, 5)).shape == (1, bands, 9, 5)


def test_the_gates_are_loaded_and_change_nothing(parity):
    spec, weights = parity.spec("hrnet"), small(parity)
    gates = [key for key in weights if ".fc." in key]
    assert sorted(gates) == sorted(spec["dead_params"])
    x = torch.rand(1, 3, 16, 8)
    before = hrnet.ARCHITECTURE.load(weights)
    after = hrnet.ARCHITECTURE.load({k: v + 1 if k in gates else v for k, v in weights.items()})
    assert_exact(after.module(x), before.module, x, 0)
    assert before.weights_sha256 != after.weights_sha256
    assert all(torch.equal(before.module.state_dict()[key], weights[key]) for key in gates)


def test_negative_output_is_a_fifth(parity):
    """The leaky ReLU at the end: turning its convolution round turns -0.2 v into v."""
    weights = small(parity)
    turned = {k: -v if k.startswith("main4.") else v for k, v in weights.items()}
    x = torch.rand(1, 3, 8, 16)
    positive, negative = (hrnet.ARCHITECTURE.load(w).module(x) for w in (weights, turned))
    assert (positive > 0).all()
    torch.testing.assert_close(negative, -0.2 * positive)


def test_context_is_as_far_as_a_pixel_sees(parity):
    """From the corner of a pixel of the coarsest grid, from where it sees farthest."""
    model = hrnet.ARCHITECTURE.load(small(parity))
    assert parity.reach(model.module, 3, 336, (168, 168)) == model.context - 1


def test_tiles_equal_the_whole(parity):
    model = hrnet.ARCHITECTURE.load(small(parity))
    for size in ((403, 21), (13, 389)):
        image = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
        for tile in (101, "whole"):
            tiled = reconstruct(image, model, tile=tile).data
            assert_exact(tiled, model.module, input_of(model, image), 1e-5, run=first)


def test_other_precisions_than_float32(parity):
    """The original fails in them: it builds a float32 kernel inside its forward."""
    x = parity.seeded_input(3, (1, 3, 16, 8))
    module = hrnet.ARCHITECTURE.load(small(parity)).module
    single = module(x)
    assert parity.relative_error(single, module.double()(x.double())) <= 1e-5


def test_the_first_key_that_differs_is_named(parity):
    weights = small(parity) | {"main5.conv2d.weight": torch.zeros(2)}
    with pytest.raises(ModelError, match=r"HRNet, but main5\.conv2d\.weight \(2\) has no place"):
        from_state_dict(weights)
