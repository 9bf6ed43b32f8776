"""Networks built for their shapes alone."""

import pytest
import torch
from torch import nn

from napari_hsr.models.architectures.without_weights import without_weights

from ...small_zoo import IN_KIND, NETWORKS
from ...thorough import thorough


@pytest.mark.parametrize("network", thorough(NETWORKS, always=IN_KIND))
def test_keys_and_shapes_are_those_of_the_network(network):
    expected = NETWORKS[network]().state_dict()
    with without_weights():
        found = NETWORKS[network]().state_dict()
    assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in expected.items()}
    assert all(value.is_meta for value in found.values())


def test_nothing_is_filled_with_first_values(monkeypatch):
    def filled(*given, **named):
        raise AssertionError("first values were made")

    monkeypatch.setattr("torch._decomp.decompositions.uniform_", filled)
    with without_weights():
        layer = nn.Linear(3, 2)
        assert nn.init.constant_(layer.weight, 1) is layer.weight
        assert nn.init.constant_(tensor=layer.weight, val=1) is layer.weight
        assert nn.init.zeros_(layer.bias) is layer.bias


def test_afterwards_networks_have_first_values_again():
    with pytest.raises(RuntimeError, match="broken off"), without_weights():
        raise RuntimeError("broken off")
    layer = nn.Linear(3, 2)
    assert layer.weight.device.type == "cpu"
    assert nn.init.constant_(layer.weight, 2).eq(2).all()
    assert torch.ones(2).zero_().eq(0).all()
