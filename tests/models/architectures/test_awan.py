"""AWAN against the original, its hyper-parameters, its attentions and its sizes."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from napari_hsr.errors import ModelError
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import awan
from napari_hsr.models.architectures.base import shapes_of

#: channels, bands, width, blocks, inside the gate, inside the end, kernels around the attention
FORMS = [
    (3, 31, 32, 1, 2, 3, 5, 3),
    (4, 31, 16, 3, 1, 3, 3, 1),
    (3, 8, 24, 2, 1, 1, 5, 3),
    (3, 16, 8, 1, 4, 2, 7, 5),
]


def small(parity, *form):
    made = shapes_of(lambda: awan.AWAN(*(form or (3, 31, 16, 2, 1, 3))))
    return parity.random_weights(made)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_hyper_parameters_are_read_off_the_weights(parity, form):
    channels, bands = form[:2]
    weights = small(parity, *form)
    model = from_state_dict(weights, parity.card("awan", bands))
    assert (model.channels, model.bands) == (channels, bands)
    for size in ((9, 12), (1, 2)):
        found = model.module(torch.rand(1, channels, *size))
        assert found.shape == (1, bands, *size)
        assert torch.isfinite(found).all()


@pytest.mark.parametrize(("narrow", "size"), [(2, (5, 4)), (3, (1, 1)), (3, (37, 31)), (9, (6, 5))])
def test_the_end_is_the_formula(parity, narrow, size):
    """Rows of all pixels by all pixels, centred over the few channels, in double precision."""
    block = awan.NonLocal(8, narrow).eval().requires_grad_(False)
    x = torch.randn(2, 8, *size)
    found = block(x)
    block, x = block.double(), x.double()
    theta = block.theta(x).flatten(2).transpose(1, 2)  # (N, pixels, narrow)
    covariance = (theta - theta.mean(2, keepdim=True)) @ theta.transpose(1, 2) / narrow
    mean = covariance.softmax(-1) @ block.g(x).flatten(2).transpose(1, 2)
    expected = block.W(mean.transpose(1, 2).reshape(2, narrow, *size)) + x
    assert parity.relative_error(found, expected) <= 1e-6


class Largest(TorchDispatchMode):
    """Remembers how many values the largest tensor had that was made."""

    values = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(tensor, torch.Tensor):
                self.values = max(self.values, tensor.numel())
        return out


def test_the_matrix_of_all_pixels_is_never_made():
    block = awan.NonLocal(8, 3).eval().requires_grad_(False)
    x = torch.rand(1, 8, 40, 30)
    with torch.inference_mode(), Largest() as largest:
        block(x)
    assert 0 < largest.values <= 8 * 40 * 30


def test_each_quarter_stands_alone():
    """Of odd sides, the first half is the smaller one."""
    block = awan.Quarters(8, 2).eval().requires_grad_(False)
    x = torch.randn(1, 8, 5, 7)
    found = block(x)
    for rows in (slice(0, 2), slice(2, 5)):
        for columns in (slice(0, 3), slice(3, 7)):
            torch.testing.assert_close(
                found[..., rows, columns], block.non_local(x[..., rows, columns])
            )


def test_the_gate_is_made_of_weighted_means(parity):
    gate = awan.ChannelAttention(6, 2).eval().requires_grad_(False)
    x = torch.randn(2, 6, 3, 4)
    weight = gate.conv(x).exp()
    means = (x * weight / weight.sum((2, 3), keepdim=True)).sum((2, 3))
    torch.testing.assert_close(gate(x), x * gate.fc(means)[:, :, None, None])


def test_the_first_key_that_differs_is_named(parity):
    weights = small(parity)
    del weights["backbone.0.se.fc.0.weight"]
    with pytest.raises(ModelError, match=r"AWAN, but backbone\.0\.se\.fc\.0\.weight \(1, 16\) is"):
        from_state_dict(weights)
