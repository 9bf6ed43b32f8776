"""MST++ against the original: numbers, names, sizes."""

import numpy as np
import pytest
import torch

from napari_hsr import reconstruct
from napari_hsr.errors import ModelError
from napari_hsr.inference import ensembles
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import mstpp
from napari_hsr.models.architectures.base import shapes_of

from ...double_precision import assert_exact, assert_original, input_of, one_by_one

#: channels, bands, width, stages, depths
SETS = [
    (3, 31, 31, 3, (1, 1, 1)),
    (3, 31, 31, 1, (2, 1, 3)),
    (4, 31, 16, 2, (1, 2)),
    (3, 31, 8, 1, (1, 1, 1, 1, 1)),
    (3, 31, 5, 4, (3,)),
]


def small(parity, depths=(1, 1, 1)):
    return parity.random_weights(shapes_of(lambda: mstpp.MSTPlusPlus(3, 31, 8, 1, depths)))


@pytest.fixture(scope="module")
def published(parity):
    return from_state_dict(parity.weights("mstpp"))


@pytest.mark.parametrize("ensemble", ["single", "mean", "median"])
def test_the_original_s_whole_program(pipeline, parity, published, ensemble):
    """Photograph to cube: min-max of the whole image, one pass or eight."""
    original = pipeline("mstpp")
    found = reconstruct(original.photograph, published, ensemble=ensemble, precision="float32")
    assert_original(
        found.data,
        original.outputs[ensemble].transpose(2, 0, 1),
        published.module,
        input_of(published, original.photograph / np.float32(255)),
        parity.TOLERANCE,
        run=lambda net, x: list(ensembles.find(ensemble).run(net, x))[-1][0],
    )


def test_exposure_and_offset_of_a_photograph_do_not_matter(published):
    """What min-max means, and what a user must know of it."""
    image = np.random.default_rng(5).random((9, 8, 3), dtype=np.float32)
    other = reconstruct(0.5 * image + 0.25, published, precision="float32")
    same = reconstruct(image, published, precision="float32")
    np.testing.assert_allclose(other.data, same.data, rtol=0, atol=1e-4)


@pytest.mark.parametrize("numbers", SETS)
def test_recognised_with_its_sizes(parity, numbers):
    shapes = shapes_of(lambda: mstpp.MSTPlusPlus(*numbers))
    model = from_state_dict(parity.random_weights(shapes))
    assert model.card.architecture == mstpp.ARCHITECTURE.id
    assert model.channels == numbers[0]
    assert {k: tuple(v.shape) for k, v in model.module.state_dict().items()} == shapes


def test_deeper_than_published_pads_further(parity):
    module = mstpp.ARCHITECTURE.load(small(parity, (1,) * 5)).module
    assert module.multiple == 16
    assert module(torch.rand(1, 3, 9, 17)).shape == (1, 31, 9, 17)


def test_padding_reflects_below_and_to_the_right(parity):
    module = mstpp.ARCHITECTURE.load(small(parity)).module
    rgb = torch.rand(1, 3, 6, 7)
    larger = torch.cat([rgb, rgb[:, :, 3:5].flip(2)], 2)
    larger = torch.cat([larger, larger[..., 5:6]], 3)
    assert torch.equal(module(rgb), module(larger)[..., :6, :7])


def test_batches_are_images_one_by_one(parity):
    module, rgb = mstpp.ARCHITECTURE.load(small(parity)).module, torch.rand(3, 3, 8, 12)
    assert_exact(module(rgb), module, rgb, 1e-6, run=one_by_one)


def test_a_short_stage_is_named(parity):
    weights = small(parity)
    del weights["body.0.decoder_layers.1.0.bias"]
    with pytest.raises(ModelError, match=r"MST\+\+, but body\.0\.decoder_layers\.1\.0\.bias"):
        from_state_dict(weights)


def test_training_takes_a_shorter_way_to_the_same_attention():
    """Output and gradients in float64: sums of products in place of queries and keys."""
    torch.manual_seed(2)
    network = mstpp.MSTPlusPlus(3, 31, 8, 1, (1, 2, 1)).double()
    image = torch.rand(2, 3, 24, 16, dtype=torch.float64)
    found = {}
    for training in (False, True):
        result = network.train(training)(image)
        found[training] = (
            result,
            *torch.autograd.grad(result.square().sum(), network.parameters()),
        )
    for exact, short in zip(found[False], found[True], strict=True):
        torch.testing.assert_close(short, exact, rtol=1e-9, atol=1e-11)
