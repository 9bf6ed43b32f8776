"""DRCR-Net's prepared copy against the exact module."""

import pytest
import torch

from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import drcr
from napari_hsr.models.architectures.base import shapes_of
from napari_hsr.models.optimised import convolution
from napari_hsr.models.optimised.drcr import prepare
from napari_hsr.models.optimised_copy import prepared

from ...double_precision import assert_exact, assert_original

SIZES = [(1, 1), (2, 9), (13, 7), (33, 34), (40, 21)]


@pytest.fixture(scope="module")
def published(parity):
    return from_state_dict(parity.weights("drcr"))


@pytest.fixture(scope="module")
def small(parity):
    """Two blocks of eight channels, with weights of both signs."""
    shapes = shapes_of(lambda: drcr.DRCR(3, 31, 8, 2, 2))
    return from_state_dict(parity.unit_gain(shapes, 3))


def test_the_original_s_numbers(golden, parity, published):
    case = golden("drcr", 1)
    found = prepared(published, "float32")(case.input)
    assert_original(found, case.output, published.module, case.input, case.tolerance)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch", [1, 2])
def test_equal_to_the_exact_module(parity, small, size, batch):
    image = parity.seeded_input(7, (batch, 3, *size))
    found = prepared(small, "float32")(image)
    assert found.dtype == torch.float32
    assert_exact(found, small.module, image, 1e-5)


def test_equal_to_the_exact_module_in_its_published_size(parity, published):
    image = parity.seeded_input(8, (1, 3, 35, 18))
    assert_exact(prepared(published, "float32")(image), published.module, image, 1e-5)


def test_equal_where_torch_fuses_nothing(parity, small, monkeypatch):
    monkeypatch.setattr(convolution, "_fused", lambda: False)
    image = parity.seeded_input(9, (1, 3, 11, 14))
    assert_exact(prepare(small.module, "float32")(image), small.module, image, 1e-5)


def test_lower_precisions_are_near(parity, published):
    assert published.precisions == ("float32", "bfloat16", "float16")
    image = parity.seeded_input(10, (1, 3, 9, 14))
    exact = published.module(image)
    for precision, least in (("bfloat16", 45), ("float16", 55)):
        found = prepared(published, precision)(image)
        assert found.dtype == torch.float32
        assert parity.psnr(found, exact) >= least


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_images_are_finite(small, precision, value):
    image = torch.full((1, 3, 9, 5), value)
    assert torch.isfinite(prepared(small, precision)(image)).all()


def test_the_exact_module_is_left_as_it_is(parity, small):
    parity.assert_left_as_it_is(small, prepare, parity.seeded_input(11, (1, 3, 12, 9)))
