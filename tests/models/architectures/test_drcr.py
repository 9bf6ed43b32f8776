"""DRCR-Net against the original: numbers, names, sizes, and files that know only an order."""

import numpy as np
import pytest
import torch

from napari_hsr import reconstruct
from napari_hsr.errors import InputError, ModelError
from napari_hsr.inference import ensembles, estimate
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import drcr
from napari_hsr.models.architectures.base import shapes_of

from ...double_precision import assert_exact, assert_original, input_of

SETS = [(3, 31, 100, 10, 12), (3, 31, 16, 1, 2), (3, 31, 24, 3, 5), (1, 31, 8, 2, 1)]


def small(parity, *, blocks=2, seed=0):
    shapes = shapes_of(lambda: drcr.DRCR(3, 31, 8, blocks, 2))
    return parity.random_weights(shapes, seed)


def raw_strips(module, image):
    return list(ensembles.strips(module, image))[-1][0]


def cut_strips(module, image):
    return raw_strips(module, image).clamp(0, 1)


@pytest.fixture(scope="module")
def published(parity):
    return from_state_dict(parity.weights("drcr"))


@pytest.mark.thorough
def test_the_original_s_whole_program(pipeline, parity, published):
    """Photograph to cube: the image's own maximum, two strips, values cut to 0..1.

    Before the cut the values reach 10: float32's rounding there shows in a cube of values up to 1.
    """
    original = pipeline("drcr")
    cube = original.outputs["cube"].transpose(2, 0, 1)
    found = reconstruct(original.photograph, published, ensemble="strips")
    image = input_of(published, original.photograph / np.float32(255))
    assert_original(found.data, cube, published.module, image, 2e-5, run=cut_strips)
    assert_exact(found.data, published.module, image, 0, run=cut_strips)
    once = reconstruct(original.photograph, published, precision="float32")
    assert np.abs(once.data - cube).max() > 1e-3


def test_strips_are_the_exact_module_s_numbers(parity):
    """Not those of its optimised copy."""
    weights = parity.unit_gain(shapes_of(lambda: drcr.DRCR(3, 31, 8, 2, 2)))
    last = "output_conv2D.conv2d.weight"
    model = from_state_dict({**weights, last: 20 * weights[last]})
    photograph = np.random.default_rng(0).integers(7, 221, (24, 40, 3), dtype=np.uint8)
    found = reconstruct(photograph, model, ensemble="strips")
    image = input_of(model, photograph / np.float32(255))
    assert_exact(found.data, model.module, image, 0, run=cut_strips)
    assert found.value_range == (0, 1)
    once = reconstruct(photograph, model, precision="float32")
    assert np.abs(once.data - found.data).max() > 1e-3
    assert any("exactly as it was published" in step for step in found.provenance.steps)
    with pytest.raises(InputError, match=r"Strips reproduce published figures.*float32"):
        reconstruct(photograph, model, ensemble="strips", precision="bfloat16")
    whole = [estimate((400, 400), model, "whole", ensemble=e) for e in ("strips", "mean")]
    assert whole[0].bytes_copy == 0
    assert whole[0].bytes_working > whole[1].bytes_working  # the exact module takes more


def test_the_original_s_raw_numbers_in_strips(pipeline, parity, published):
    original = pipeline("drcr")
    image = np.float32(original.photograph)
    image = torch.from_numpy((image / image.max()).transpose(2, 0, 1).copy())[None]
    raw = original.outputs["raw"].transpose(2, 0, 1)
    found = raw_strips(published.module, image)
    assert_original(found, raw, published.module, image, parity.TOLERANCE, run=raw_strips)


def test_unused_weights_change_nothing_and_shared_ones_two_scales(parity):
    """The quarter scale is computed by the convolutions of the half scale."""
    weights, rgb = small(parity), torch.rand(1, 3, 8, 8)
    before = drcr.ARCHITECTURE.load(weights).module(rgb)
    for kernel in ("33", "11"):
        for part in ("weight", "bias"):
            changed = weights | {f"denosing.conv4_{kernel}.{part}": torch.full((), 9.0)}
            key = f"denosing.conv4_{kernel}.{part}"
            changed[key] = changed[key].expand_as(weights[key])
            assert torch.equal(drcr.ARCHITECTURE.load(changed).module(rgb), before)
    key = "denosing.conv2_33.weight"
    assert not torch.equal(
        drcr.ARCHITECTURE.load(weights | {key: 2 * weights[key]}).module(rgb), before
    )


@pytest.mark.parametrize("numbers", SETS)
def test_recognised_with_its_sizes(parity, numbers):
    shapes = shapes_of(lambda: drcr.DRCR(*numbers))
    weights = {key: torch.zeros(shape) for key, shape in shapes.items()}
    model = from_state_dict(weights)
    assert model.card.architecture == drcr.ARCHITECTURE.id
    assert model.channels == numbers[0]
    assert {k: tuple(v.shape) for k, v in model.module.state_dict().items()} == shapes


def test_a_missing_and_a_foreign_key_are_named(parity):
    weights = small(parity)
    bias = weights.pop("backbone.1.conv3.conv2d.bias")
    with pytest.raises(
        ModelError, match=r"DRCR-Net.*backbone\.1\.conv3\.conv2d\.bias \(8\) is missing"
    ):
        from_state_dict(weights)
    weights["backbone.1.conv3.conv2d.bias"] = bias[:4]
    with pytest.raises(ModelError, match=r"conv2d\.bias is \(4\) where \(8\) was expected"):
        from_state_dict(weights)
    weights["backbone.1.conv3.conv2d.bias"] = bias
    with pytest.raises(ModelError, match=r"extra \(1\) has no place"):
        from_state_dict(weights | {"extra": torch.zeros(1)})


@pytest.mark.parametrize("blocks", [1, 3])
def test_files_that_know_only_an_order(parity, blocks):
    weights = small(parity, blocks=blocks)
    renamed = {f"layer{i}.value": value for i, value in enumerate(weights.values())}
    assert not drcr.ARCHITECTURE.detect(renamed)
    found = drcr.by_position(renamed)
    assert list(found) == list(weights)
    assert all(torch.equal(found[key], weights[key]) for key in weights)
    swapped = dict(reversed(renamed.items()))
    assert drcr.by_position(swapped) is None
    assert drcr.by_position(dict(list(renamed.items())[:-1])) is None
