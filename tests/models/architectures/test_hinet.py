"""HINet against the original, its hyper-parameters, its sizes and its half norms."""

import pytest
import torch

from napari_hsr.errors import ModelError
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import hinet
from napari_hsr.models.architectures.base import shapes_of

#: channels, bands, depth, which levels have the half norm
FORMS = [
    (3, 31, 2, (True, True)),
    (3, 5, 3, (True, True, True)),
    (4, 8, 4, (True, True, False, False)),
    (3, 3, 1, (False,)),
    (3, 2, 6, (True,) * 5 + (False,)),
]


def small(parity, channels=3, bands=4, depth=3, normed=(True,) * 3):
    made = shapes_of(lambda: hinet.HINet(channels, bands, depth, normed))
    # around 0, or the deeper networks' values run over
    return {key: value - 0.1 for key, value in parity.random_weights(made).items()}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_hyper_parameters_are_read_off_the_weights(parity, form):
    channels, bands, depth, _ = form
    weights = small(parity, *form)
    model = from_state_dict(weights, parity.card("hinet", bands))
    assert (model.channels, model.bands) == (channels, bands)
    assert model.size_multiple == max(16, 2 ** (depth - 1))
    assert {k: tuple(v.shape) for k, v in model.module.state_dict().items()} == {
        k: tuple(v.shape) for k, v in weights.items()
    }
    for size in ((20, 17), (1, 1)):
        found = model.module(torch.rand(1, channels, *size))
        assert found.shape == (1, bands, *size)
        assert torch.isfinite(found).all()


@pytest.mark.parametrize("bands", [4, 5])
def test_the_first_half_of_the_channels_is_normalised(bands):
    """By each image's own mean and variance; of an odd number, the larger half."""
    block = hinet.Block(bands, bands, half_norm=True).eval().requires_grad_(False)
    half = (bands + 1) // 2
    assert block.norm.weight.shape == (half,)
    block.norm.weight.uniform_(0.5, 2)
    block.norm.bias.uniform_(-1, 1)
    x = torch.rand(2, bands, 6, 7)
    inner = block.conv_1(x)
    first = inner[:, :half]
    mean = first.mean((2, 3), keepdim=True)
    variance = ((first - mean) ** 2).mean((2, 3), keepdim=True)
    scaled = (first - mean) / (variance + 1e-5).sqrt()
    normed = scaled * block.norm.weight[:, None, None] + block.norm.bias[:, None, None]
    inner = torch.cat([normed, inner[:, half:]], 1)
    leaky = torch.nn.functional.leaky_relu
    expected = leaky(block.conv_2(leaky(inner, 0.2)), 0.2) + block.identity(x)
    torch.testing.assert_close(block(x), expected)


def test_a_single_pixel_is_normalised_to_the_shift():
    """In double precision: value and mean, 300 times as large, cancel."""
    norm = hinet.InstanceNorm(2, affine=True).requires_grad_(False).double()
    norm.bias.fill_(0.25)
    found = norm(torch.rand(1, 2, 1, 1).double())
    torch.testing.assert_close(found, torch.full((1, 2, 1, 1), 0.25).double())


def test_the_first_key_that_differs_is_named(parity):
    weights = small(parity)
    weights["up_path_2.1.up.bias"] = torch.zeros(3)
    with pytest.raises(ModelError, match=r"HINet, but up_path_2\.1\.up\.bias is \(3\)"):
        from_state_dict(weights)
