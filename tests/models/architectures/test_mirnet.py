"""MIRNet against the original, and on other hyper-parameters and sizes."""

import pytest
import torch

from napari_hsr.errors import ModelError
from napari_hsr.models.architectures import mirnet

from ...double_precision import assert_exact, assert_original

FORMS = [
    {"features": 31, "groups": 2, "width": 1},
    {"features": 16, "groups": 1, "blocks_each": 2, "width": 2},
    {"features": 16, "groups": 1, "height": 4, "width": 3, "bias": True},
    {"features": 8, "groups": 1, "height": 2, "channels": 4},
]


@pytest.fixture(scope="module")
def original(parity):
    """Spec, filled weights and the loaded model; the blur kernels are the network's own."""
    spec = parity.spec("mirnet")
    weights = parity.filled("mirnet", mirnet.MIRNet().state_dict())
    return spec, weights, mirnet.ARCHITECTURE.load(weights)


@pytest.mark.parametrize("case", [1, 2])
def test_equals_the_original(parity, original, case):
    x, expected = parity.case("mirnet", case)
    module = original[2].module
    assert_original(module(x), expected, module, x, parity.TOLERANCE)


def test_keys_shapes_and_parameters_are_the_originals(original):
    spec, weights, model = original
    state = model.module.state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == spec["keys"]
    assert all(torch.equal(state[key], value) for key, value in weights.items())
    assert sum(p.numel() for p in model.module.parameters()) == spec["params"]


def test_what_is_never_used_is_what_the_original_never_uses(original):
    """Gradients reach every parameter but those that the spec calls dead."""
    spec = original[0]
    module = mirnet.MIRNet()
    module(torch.rand(1, 3, 8, 8)).sum().backward()
    shared = dict(module.named_parameters(remove_duplicate=False))
    dead = {key for key, p in shared.items() if p.grad is None}
    assert dead == set(spec["dead_params"])


def test_one_prelu_serves_all_units():
    keys = [
        k for k in mirnet.MIRNet().state_dict() if ".blocks." in k and k.endswith("body.1.weight")
    ]
    module = mirnet.MIRNet()
    assert len({id(module.get_parameter(key)) for key in keys}) == 1 < len(keys)
    other = mirnet.MIRNet()
    assert module.get_parameter(keys[0]) is not other.get_parameter(keys[0])


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_hyper_parameters_are_read_off_the_weights(parity, form):
    made = mirnet.MIRNet(**form).eval()
    weights = made.state_dict()
    assert mirnet.ARCHITECTURE.detect(weights)
    bands = form["features"]
    model = mirnet.ARCHITECTURE.load(weights, parity.card("mirnet", bands))
    x = torch.rand(1, form.get("channels", 3), 16, 16)
    assert_exact(model.module(x), made, x, 0)
    assert (model.channels, model.bands) == (x.shape[1], bands)
    assert list(model.module.state_dict()) == list(weights)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (5, 5), (13, 7), (8, 17)])
def test_every_size_and_constant_images(original, size):
    for value in (
        torch.rand(1, 3, *size),
        torch.zeros(1, 3, *size),
        torch.full((1, 3, *size), 0.7),
    ):
        with torch.inference_mode():
            found = original[2].module(value)
        assert found.shape == (1, 31, *size)
        assert torch.isfinite(found).all()


def test_a_wrong_shape_is_named(original):
    weights = dict(original[1])
    weights["conv_out.weight"] = torch.zeros(3, 31, 3, 3)
    with pytest.raises(ModelError, match=r"conv_out\.weight is \(3, 31, 3, 3\)"):
        mirnet.ARCHITECTURE.load(weights)
