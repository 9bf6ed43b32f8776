"""Weights before the first step: passed on, taken over, or nothing added."""

import pytest
import torch
from pydantic import ValidationError

from napari_hsr.models.architectures.drcr import DRCR
from napari_hsr.training.engine.initial_weights import PASSES, first_weights, pass_through
from napari_hsr.training.recipe.schema import ModelSettings


def drcr() -> DRCR:
    torch.manual_seed(0)
    return DRCR(width=16, blocks=10, hidden=2)


def share_that_comes_through(network: DRCR) -> float:
    """Variation over the image behind the last block, beside that before the first."""
    seen = []
    for layer in (network.head_conv2D, network.backbone[-1]):
        layer.register_forward_hook(lambda m, i, output: seen.append(output))
    with torch.no_grad():
        network(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)))
    before, after = (x.std((2, 3)).mean().item() for x in seen)
    return after / before


def test_the_image_comes_through_a_deep_network_that_loses_it_by_default():
    network = drcr()
    assert share_that_comes_through(network) < 0.05
    pass_through(network)
    assert 0.3 < share_that_comes_through(network) < 10


def test_features_side_by_side_begin_as_their_mean():
    layer = torch.nn.Conv2d(8, 4, 3, padding=1)
    torch.nn.init.zeros_(layer.weight)
    pass_through(layer)
    x = torch.rand(1, 8, 5, 5)
    torch.testing.assert_close(layer(x), PASSES * (x[:, :4] + x[:, 4:]) / 2)


def test_what_changes_the_number_of_channels_keeps_the_variance():
    torch.manual_seed(2)
    layer = torch.nn.Conv2d(3, 400, 3, padding=1)
    pass_through(layer)
    assert layer.weight.square().sum((1, 2, 3)).mean().item() == pytest.approx(2, rel=0.1)
    assert not layer.bias.any()


def test_behind_a_head_the_last_layer_still_adds_nothing():
    settings = ModelSettings(architecture="drcr", initialisation="identity", head="base")
    network = drcr()
    first_weights(network, settings)
    assert not network(torch.rand(1, 3, 8, 8)).any()
    plain = drcr()
    first_weights(plain, ModelSettings(architecture="drcr"))
    assert all(
        torch.equal(a, b) for a, b in zip(plain.parameters(), drcr().parameters(), strict=True)
    )


@pytest.mark.parametrize(
    "other", [{"start": "mstpp-photo"}, {"architecture": "drcr", "begin": "x"}]
)
def test_weights_that_are_given_are_not_drawn(other):
    with pytest.raises(ValidationError, match="initialisation"):
        ModelSettings(initialisation="identity", **other)
