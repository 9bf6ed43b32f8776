"""INR-HSISR's prepared copy against the exact module."""

import pytest
import torch

from napari_hsr.models import between_pixels, from_state_dict
from napari_hsr.models.architectures import inr
from napari_hsr.models.optimised import convolution, winograd
from napari_hsr.models.optimised import inr as fast
from napari_hsr.models.optimised_copy import prepared

from ...double_precision import assert_exact, assert_original
from ...thorough import thorough

SMALL = inr.Layout(channels=3, widths=(4, 6, 8, 8, 12), blocks=2, hidden=inr.HIDDEN, bands=31)
TOLERANCE = 3e-5
SIZES = [(2, 9), (13, 7), (33, 34), (40, 21), (64, 64)]


@pytest.fixture(scope="module")
def published(parity):
    return from_state_dict(parity.weights("inr"))


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(3)
    weights = inr.INR(SMALL).state_dict()
    for key, value in weights.items():
        if key.endswith("0.1.bias") or (key.endswith(".1.bias") and value.ndim == 1):
            value.normal_(0.2, 0.5)
    return from_state_dict(weights)


@pytest.mark.parametrize("case", thorough([1, 2], always=[1]))
def test_the_original_s_numbers(golden, parity, published, case):
    case = golden("inr", case)
    found = prepared(published, "float32")(case.input)
    assert_original(found, case.output, published.module, case.input, case.tolerance)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch", [1, 2])
def test_equal_to_the_exact_module(parity, small, size, batch):
    image = 2 * parity.seeded_input(7, (batch, 3, *size)) - 1
    found = prepared(small, "float32")(image)
    assert found.dtype == torch.float32
    assert_exact(found, small.module, image, TOLERANCE)


def test_equal_in_its_published_size(parity, published):
    assert prepared(published, "float32").squares
    image = 2 * parity.seeded_input(8, (1, 3, 45, 30)) - 1
    found = prepared(published, "float32")(image)
    assert_exact(found, published.module, image, TOLERANCE)


def test_equal_in_bands_of_cells_and_of_squares(parity, small, monkeypatch):
    monkeypatch.setattr(winograd, "WORTH_FROM", 12)
    monkeypatch.setattr(winograd, "_SQUARES_AT_ONCE", 9)
    monkeypatch.setattr(fast, "_CELLS_AT_ONCE", 25)
    monkeypatch.setattr(fast, "_SQUARED_AT_ONCE", 100)
    image = 2 * parity.seeded_input(9, (1, 3, 53, 39)) - 1
    copy = fast.prepare(small.module, "float32")
    assert copy.squares
    assert_exact(copy(image), small.module, image, TOLERANCE)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_finer_grid(parity, small, factor, precision):
    fine = between_pixels(small, factor)
    image = 2 * parity.seeded_input(10, (1, 3, 17, 22)) - 1
    found, exact = prepared(fine, precision)(image), fine.module(image)
    assert found.shape == (1, 31, 17 * factor, 22 * factor)
    if precision == "float32":
        assert_exact(found, fine.module, image, TOLERANCE)
    assert parity.relative_error(found, exact) <= 0.1


def test_equal_where_torch_fuses_nothing(parity, small, monkeypatch):
    monkeypatch.setattr(convolution, "_fused", lambda: False)
    image = 2 * parity.seeded_input(9, (1, 3, 11, 14)) - 1
    found = fast.prepare(small.module, "float32")(image)
    assert_exact(found, small.module, image, TOLERANCE)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4), (16, 33)])
def test_winograd_is_convolution(parity, monkeypatch, size):
    monkeypatch.setattr(winograd, "_SQUARES_AT_ONCE", 20)
    image = parity.seeded_input(11, (1, 7, *size)).contiguous(memory_format=torch.channels_last)
    kernel = parity.seeded_input(12, (7, 7, 3, 3)) - 0.5
    frame = winograd.Frame(image.shape, 2, image)
    frame.image().copy_(image)
    expected = image.double()
    for _ in range(2):
        frame.convolve_(winograd.transformed(kernel))
        expected = torch.nn.functional.conv2d(expected, kernel.double(), padding=1)
    assert parity.relative_error(frame.image(), expected) <= 1e-6


def test_lower_precisions_are_near(parity, published):
    assert published.precisions == ("float32", "bfloat16", "float16")
    image = 2 * parity.seeded_input(10, (1, 3, 16, 16)) - 1
    exact = published.module(image)
    for precision, least in (("bfloat16", 45), ("float16", 55)):
        found = prepared(published, precision)(image)
        assert found.dtype == torch.float32
        assert parity.psnr(found, exact) >= least


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_constant_images_are_finite(small, precision, value):
    for size in ((1, 1), (9, 5)):
        assert torch.isfinite(prepared(small, precision)(torch.full((1, 3, *size), value))).all()


def test_the_exact_module_is_left_as_it_is(parity, small):
    image = 2 * parity.seeded_input(11, (1, 3, 12, 9)) - 1
    parity.assert_left_as_it_is(small, fast.prepare, image)
