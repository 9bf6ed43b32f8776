"""The bounds of rounding: other orders of the same sums pass, other sums do not."""

import copy

import numpy as np
import pytest
import torch

from .double_precision import (
    assert_exact,
    assert_original,
    assert_rounded_alike,
    chance,
    distance,
    in_double,
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 64, 3), torch.nn.GroupNorm(1, 64), torch.nn.Conv2d(64, 5, 3)]
    return torch.nn.Sequential(*layers).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def image():
    return torch.rand(1, 3, 21, 17, generator=torch.Generator().manual_seed(1))


def one_after_another(module, image, backwards=False):
    """The last convolution adds up its 576 products in a row, all else as the module does."""
    x = module[:-1](image)
    products = (
        torch.nn.functional.unfold(x, 3)[0, :, None] * module[-1].weight.flatten(1).T[..., None]
    )
    found = module[-1].bias[:, None].clone().expand(-1, products.shape[-1])
    for product in reversed(products) if backwards else products:
        found = found + product
    return found.view(1, 5, image.shape[-2] - 4, image.shape[-1] - 4)


def test_other_orders_of_the_same_sums_pass(network, image):
    forwards, backwards = (one_after_another(network, image, order) for order in (False, True))
    assert not torch.equal(forwards, backwards)
    for found in (forwards, backwards):
        for tolerance in (0, 1e-5):
            assert_exact(found, network, image, tolerance)
            assert_exact(network(image), network, image, tolerance, run=one_after_another)
        assert_original(found, network(image), network, image, 1e-6)


def test_another_network_does_not_pass(network, image):
    """The mildest mistake there is: a norm's epsilon."""
    other = copy.deepcopy(network)
    other[1].eps = 1e-4
    found = other(image)
    assert distance(found, network(image)).largest < 1e-3
    with pytest.raises(AssertionError):
        assert_exact(found, network, image, 1e-5)
    with pytest.raises(AssertionError):  # the module is wrong
        assert_original(found, network(image), other, image, 1e-5)
    with pytest.raises(AssertionError):  # what was run is wrong
        assert_original(found, network(image), network, image, 1e-5)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_does_not_pass(network, image, value):
    found = network(image)
    found[0, 1, 2, 3] = value
    with pytest.raises(AssertionError):
        assert_exact(found, network, image, 1e-5)
    with pytest.raises(AssertionError):
        assert_original(found, network(image), network, image, 1e-5)


def test_the_largest_of_errors_is_a_matter_of_chance():
    """Of a thousand draws none is beyond it, and how far apart they are depends on their number."""
    rng = np.random.default_rng(0)
    for number, expected in ((100, 3.8), (10_000, 2.0)):
        draws = rng.standard_normal((1000, number))
        largest = np.abs(draws).max(1)
        factor = chance(draws[0])
        assert factor == pytest.approx(expected, rel=0.1)
        assert 0.5 * factor < largest.max() / largest.min() < factor
    # nine of ten places hardly count
    uneven = rng.standard_normal(10_000) * np.where(np.arange(10_000) % 10, 0.01, 1.0)
    assert chance(uneven) == pytest.approx(chance(uneven[::10]), rel=0.05)
    assert chance(np.zeros(10_000)) == pytest.approx(2.0, rel=0.1)


def test_noise_of_half_precision_does_not_pass(network, image):
    truth = in_double(network, image)
    with pytest.raises(AssertionError):
        assert_rounded_alike(truth.bfloat16().double(), network(image), truth)
    assert_rounded_alike(truth.float(), truth, truth)


def test_distances_are_shares_of_the_largest_value():
    truth = torch.tensor([1.0, -4.0, 0.0, 0.0])
    found = torch.tensor([1.0, -4.0, 1.0, 0.0])
    assert distance(found, truth) == (0.25, 0.125)
