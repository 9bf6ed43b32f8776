"""MXR-U-Net against the original's outputs, and its recognition from keys and shapes."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_hsr import reconstruct
from napari_hsr.errors import ModelError
from napari_hsr.models import from_state_dict, input_rules
from napari_hsr.models.architectures import mxrunet

from ...double_precision import assert_exact, assert_original, first, input_of, one_by_one
from ...small_zoo import MXRUNET
from ...thorough import thorough

#: A network of the same build, small enough to be made in no time.
SMALL = replace(MXRUNET, blocks=(1, 2, 1, 1))
DEEP = replace(SMALL, outer=(16, 24, 32, 48), blocks=(3, 1, 2, 1), bottleneck=True)
PLAIN = replace(SMALL, attention=False)
OTHER_BANDS = replace(SMALL, bands=24, stem=(5, 7, 10))
LAYOUTS = [SMALL, DEEP, PLAIN, OTHER_BANDS]


def _weights(layout, seed=0):
    torch.manual_seed(seed)
    weights = mxrunet.MXRUNet(layout).state_dict()
    for key, value in weights.items():
        if key.endswith("gamma"):
            value.fill_(0.7)  # zero at the start of training: attention would not be seen
    return weights


@pytest.fixture(scope="module")
def small():
    return from_state_dict(_weights(SMALL))


ORIGINALS = {
    "mxrunet_shallow": "mxresnet18, with",
    "mxrunet_34": "mxresnet34, with",
    "mxrunet_34_nosa": "mxresnet34, without",
    "mxrunet_full": "mxresnet50, with",
}


@pytest.fixture(
    scope="module", params=thorough(ORIGINALS, always=("mxrunet_shallow", "mxrunet_34_nosa"))
)
def original(request, parity):
    """Name of a network, what its title says, and the model with its filled weights.

    The full network has 1.4 GB of them: as with those of a large file, no copy is made.
    """
    net = request.param
    return net, ORIGINALS[net], from_state_dict(parity.weights(net), share=True)


@pytest.mark.parametrize("case", thorough([1, 2], always=[1]))
def test_parity(golden, parity, original, case):
    net, _, model = original
    expected = golden(net, case)
    found = model.module(expected.input)
    assert_original(found, expected.output, model.module, expected.input, expected.tolerance)


def test_keys_and_shapes(parity, original):
    net, described, model = original
    shapes = {key: list(value.shape) for key, value in model.module.state_dict().items()}
    assert shapes == parity.spec(net)["keys"]
    assert model.card.architecture == mxrunet.ARCHITECTURE.id
    assert described in model.title
    assert not model.module.training


def test_pipeline_of_the_original(pipeline, parity):
    original = pipeline("mxrunet_shallow")
    model = from_state_dict(original.weights)
    cube = reconstruct(original.photograph, model, device="cpu")
    assert_original(
        cube.data,
        original.outputs["raw"].transpose(2, 0, 1),
        model.module,
        input_of(model, original.photograph / np.float32(255)),
        parity.TOLERANCE,
        run=first,
    )


def test_published_layout(parity):
    with torch.device("meta"):
        weights = mxrunet.ARCHITECTURE.published[0]().state_dict()
    assert {k: list(v.shape) for k, v in weights.items()} == parity.spec("mxrunet_shallow")["keys"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_is_read_off_the_weights(layout):
    weights = _weights(layout)
    assert mxrunet.ARCHITECTURE.detect(weights)
    assert mxrunet.layout_of(weights) == layout


def test_half_precision_weights_are_widened():
    weights = _weights(SMALL)
    half = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    model = from_state_dict(half)
    assert {v.dtype for v in model.module.parameters()} == {torch.float32}


def test_weights_with_another_number_of_bands_need_a_card():
    with pytest.raises(ModelError, match="24 wavelengths"):
        from_state_dict(_weights(OTHER_BANDS))


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (2, 2), (5, 3), (33, 47), (34, 16)])
def test_any_size(small, size):
    out = small.module(torch.rand(2, 3, *size))
    assert out.shape == (2, 31, *size)
    assert out.isfinite().all()


def test_odd_sizes_are_grown_by_repeating_the_last_row_and_column(small):
    image = torch.rand(1, 3, 9, 11)
    grown = torch.nn.functional.pad(image, (0, 1, 0, 1), mode="replicate")
    assert_exact(
        small.module(image), small.module, grown, 1e-6, run=lambda net, x: net(x)[..., :9, :11]
    )


def test_attention_in_parts_is_attention():
    torch.manual_seed(0)
    attention = mxrunet.SelfAttention(16).eval().requires_grad_(False)
    attention.gamma.fill_(0.7)
    x = torch.randn(2, 16, 5, 7)
    in_parts = copy.deepcopy(attention)
    in_parts.values_at_once = 2 * 35 * 4
    found = in_parts(x)
    assert_exact(found, attention, x, 1e-6)
    assert (found - x).abs().mean() > 0.01


def test_images_of_a_batch_do_not_touch_each_other(small):
    images = torch.rand(3, 3, 18, 20)
    assert_exact(small.module(images), small.module, images, 1e-6, run=one_by_one)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_constant_images_give_finite_cubes(small, value):
    cube = reconstruct(np.full((7, 9, 3), value), small, device="cpu")
    assert np.isfinite(cube.data).all()


def test_statistics_of_a_card_are_used(small):
    image = np.random.default_rng(0).random((8, 8, 3))
    card = small.card.model_copy(update={"input_rule": "ntire2020-real-world"})
    other = from_state_dict(_weights(SMALL), card)
    assert other.rule is input_rules.NTIRE2020_REAL_WORLD
    assert other.card.input_rule == input_rules.NTIRE2020_REAL_WORLD.name
    assert small.rule is input_rules.NTIRE2020_CLEAN
    assert not np.allclose(reconstruct(image, small).data, reconstruct(image, other).data)
    with pytest.raises(ModelError, match="names no statistics"):
        from_state_dict(_weights(SMALL), card.model_copy(update={"input_rule": "whitened"}))


def test_faults_are_named():
    weights = _weights(SMALL)
    key = "layers.6.conv1.0.weight_g"
    with pytest.raises(ModelError, match=f"{key}.*missing"):
        from_state_dict({k: v for k, v in weights.items() if k != key})
    with pytest.raises(ModelError, match=rf"{key} is \(3, 1, 1, 1\)"):
        from_state_dict({**weights, key: torch.ones(3, 1, 1, 1)})
    with pytest.raises(ModelError, match=r"layers.12.weight .* has no place"):
        from_state_dict({**weights, "layers.12.weight": torch.ones(1)})
