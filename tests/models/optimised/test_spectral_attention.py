"""The prepared copies of MST++ and MST-L against the exact modules."""

import pytest
import torch

from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import mst_l, mstpp
from napari_hsr.models.architectures.base import shapes_of
from napari_hsr.models.optimised import convolution, spectral_attention
from napari_hsr.models.optimised.mst_l import prepare as prepare_mst_l
from napari_hsr.models.optimised.mstpp import prepare as prepare_mstpp
from napari_hsr.models.optimised_copy import prepared

from ...double_precision import assert_exact, assert_original, one_by_one
from ...thorough import thorough

SIZES = thorough([(1, 1), (2, 9), (13, 7), (33, 34), (40, 21)], always=[(1, 1), (13, 7), (33, 34)])


PREPARE = {"mst_l": prepare_mst_l, "mstpp": prepare_mstpp}
#: Few blocks, heads and levels of several numbers.
FEW = {
    "mst_l": lambda: mst_l.MST(3, 31, (1, 2, 1, 1)),
    "mstpp": lambda: mstpp.MSTPlusPlus(3, 31, 8, 2, (2, 1, 1, 1)),
}


@pytest.fixture(scope="module", params=PREPARE)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def published(parity, name):
    return from_state_dict(parity.weights(name))


@pytest.fixture(scope="module")
def small(parity, name):
    """Few blocks, with weights of both signs."""
    return from_state_dict(parity.unit_gain(shapes_of(FEW[name]), 3))


def test_the_original_s_numbers(golden, name, published):
    case = golden(name, 1)
    found = prepared(published, "float32")(case.input)
    assert_original(found, case.output, published.module, case.input, case.tolerance)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch", thorough([1, 2], always=[2]))
def test_equal_to_the_exact_module(parity, published, size, batch):
    image = parity.seeded_input(7, (batch, 3, *size))
    found = prepared(published, "float32")(image)
    assert found.dtype == torch.float32
    # MST-L's exact module weights a whole batch by its first image's mask; inference never does.
    assert_exact(found, published.module, image, 1e-5, run=one_by_one)


@pytest.mark.parametrize("size", SIZES)
def test_equal_with_other_depths_and_widths(parity, small, size):
    image = parity.seeded_input(8, (1, 3, *size))
    found = prepared(small, "float32")(image)
    assert_exact(found, small.module, image, 1e-5)


def test_equal_in_bands_of_any_height(parity, published, monkeypatch):
    image = parity.seeded_input(9, (1, 3, 43, 16))
    fast, exact = prepared(published, "float32"), published.module(image)

    def run(module, given):
        return exact if given is image else module(given)

    monkeypatch.setattr(spectral_attention, "BAND", 1)
    for rows in (1, 2, 5, 47, 48):
        monkeypatch.setattr(spectral_attention, "ROWS", rows)
        monkeypatch.setattr(spectral_attention, "PIXELS", 50 * rows)
        assert_exact(fast(image), published.module, image, 1e-5, run=run)


def test_equal_where_torch_fuses_nothing(parity, name, published, monkeypatch):
    monkeypatch.setattr(convolution, "_fused", lambda: False)
    image = parity.seeded_input(10, (1, 3, 11, 14))
    fast = PREPARE[name](published.module, "float32")
    assert_exact(fast(image), published.module, image, 1e-5)


def test_equal_where_features_nearly_cancel(parity, published):
    """A nearly even image: the features are one spectrum, and lengths small differences."""
    image = 0.5 + 1e-4 * parity.seeded_input(11, (1, 3, 48, 48))
    found = prepared(published, "float32")(image)
    assert_exact(found, published.module, image, 1e-5)


def test_lower_precisions_are_near(parity, published):
    assert published.precisions == ("float32", "bfloat16", "float16")
    image = parity.seeded_input(12, (1, 3, 13, 18))
    exact = published.module(image)
    for precision, least in (("bfloat16", 45), ("float16", 55)):
        found = prepared(published, precision)(image)
        assert found.dtype == torch.float32
        assert parity.psnr(found, exact) >= least


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("value", thorough([0.0, 1.0], always=[0.0]))
def test_constant_images_are_finite(published, precision, value):
    image = torch.full((1, 3, 9, 5), value)
    assert torch.isfinite(prepared(published, precision)(image)).all()


def test_the_exact_module_is_left_as_it_is(parity, name, published):
    image = parity.seeded_input(13, (1, 3, 12, 9))
    parity.assert_left_as_it_is(published, PREPARE[name], image)
