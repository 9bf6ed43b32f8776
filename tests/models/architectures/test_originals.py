"""The networks against their originals: numbers, names, what is known of them, and sizes."""

import pytest
import torch

from napari_hsr.models import from_state_dict

from ...double_precision import assert_original
from ...thorough import thorough

#: What the descriptor says of each: its reach in pixels, and what its sides must be divisible by.
NETWORKS = {
    "awan": {"context": None},
    "drcr": {"context": None, "rule": "maximum"},
    "edsr": {"context": 67},
    "hdnet": {"context": None},
    "hinet": {"context": None, "size_multiple": 16},
    "hrnet": {"context": 160, "size_multiple": 8},
    "hscnn_plus": {"context": 31},
    "mprnet": {},
    "mst_l": {},
    "mstpp": {"context": None},
    "restormer": {},
}
#: Those whose limits name what had to be assumed.
ASSUMED = {"awan", "drcr", "edsr", "hinet", "hrnet", "hscnn_plus"}
#: Those whose keys need not come in the original's order, by which no file is read.
IN_ANY_ORDER = {"hinet", "mprnet", "restormer"}
SIZES = thorough(
    [(1, 1), (1, 9), (2, 3), (4, 30), (5, 5), (13, 7), (8, 17), (34, 6)],
    always=[(1, 1), (2, 3), (13, 7)],
)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request, parity):
    """The name of a network, and the model of its published size."""
    return request.param, from_state_dict(parity.weights(request.param))


@pytest.mark.parametrize("case", thorough([1, 2], always=[1]))
def test_equals_the_original(golden, network, case):
    name, model = network
    case = golden(name, case)
    found = model.module(case.input)
    assert_original(found, case.output, model.module, case.input, case.tolerance)


def test_keys_shapes_and_parameters_are_the_originals(parity, network):
    name, model = network
    spec, state = parity.spec(name), model.module.state_dict()
    found = [(key, list(value.shape)) for key, value in state.items()]
    if name in IN_ANY_ORDER:
        assert dict(found) == spec["keys"]
    else:
        assert found == list(spec["keys"].items())
    assert {key for key, v in state.items() if v.dtype == torch.int64} == set(spec["dtypes"])
    assert all(torch.equal(state[key], value) for key, value in parity.weights(name).items())
    assert sum(p.numel() for p in model.module.parameters()) == spec["params"]


def test_what_the_descriptor_says(network):
    name, model = network
    facts = {"rule": "min-max", **NETWORKS[name]}
    assert model.rule.name.startswith(facts.pop("rule"))
    assert (model.card.architecture, model.card.name) == (name, name)
    assert (model.channels, model.bands) == (3, 31)
    assert {key: getattr(model, key) for key in facts} == facts
    assert name not in ASSUMED or "assumption" in model.card.limits
    assert not model.module.training


@pytest.mark.parametrize("size", SIZES)
def test_every_size_and_constant_images(network, size):
    flat = (torch.full((1, 3, *size), value) for value in (0.0, 0.3, 1.0))
    for image in (torch.rand(1, 3, *size), *flat):
        with torch.inference_mode():
            found = network[1].module(image)
        assert found.shape == (1, 31, *size)
        assert torch.isfinite(found).all()
