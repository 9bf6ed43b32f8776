"""Spectral norm in training, against torch's own."""

import warnings

import pytest
import torch

from napari_hsr.models.layers import SpectralConv1d


@pytest.fixture
def pair():
    """Ours and torch's, with the same weights."""
    torch.manual_seed(3)
    ours = SpectralConv1d(8, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # this form of it is the published one
        theirs = torch.nn.utils.spectral_norm(torch.nn.Conv1d(8, 5, 1, bias=False))
    theirs.load_state_dict(ours.state_dict(), strict=False)
    assert set(theirs.state_dict()) == set(ours.state_dict())
    return ours, theirs


def test_training_finds_the_singular_vectors_as_torch_does(pair):
    ours, theirs = pair
    for seed in range(3):
        x = torch.randn(2, 8, 9, generator=torch.Generator().manual_seed(seed))
        found, expected = ours(x), theirs(x)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
        gradients = [
            torch.autograd.grad(y.square().sum(), m.weight_orig)[0]
            for y, m in ((found, ours), (expected, theirs))
        ]
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.weight_u, theirs.weight_u)
    for _ in range(200):
        ours(x)
    largest = torch.linalg.svdvals(ours.kernel().detach()[..., 0])[0].item()
    assert largest == pytest.approx(1, abs=1e-4)


def test_a_trained_layer_leaves_its_vectors_as_they_are(pair):
    ours, theirs = (layer.eval() for layer in pair)
    before = ours.weight_u.clone()
    x = torch.randn(1, 8, 4)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-6)
    assert torch.equal(ours.weight_u, before)


def test_two_calls_before_a_gradient_do_not_disturb_it(pair):
    ours, _ = pair
    x = torch.randn(1, 8, 4)
    (ours(x) + ours(x)).sum().backward()
    assert torch.isfinite(ours.weight_orig.grad).all()


def test_half_precision_keeps_the_norm_in_full(pair):
    ours, _ = pair
    with torch.autocast("cpu", torch.bfloat16):
        kernel = ours.kernel()
    assert kernel.dtype == torch.float32
