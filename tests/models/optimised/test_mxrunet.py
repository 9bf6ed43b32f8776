"""MXR-U-Net's prepared copy against the exact module."""

from dataclasses import replace

import pytest
import torch

from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import mxrunet
from napari_hsr.models.optimised import convolution, large_kernels
from napari_hsr.models.optimised import mxrunet as fast
from napari_hsr.models.optimised_copy import prepared

from ...double_precision import assert_exact, assert_original
from ...small_zoo import MXRUNET

SMALL = replace(MXRUNET, blocks=(1, 2, 1, 1))
DEEP = replace(SMALL, inner=(8, 12, 16, 16), outer=(16, 24, 32, 48), bottleneck=True)
PLAIN = replace(SMALL, stem=(5, 7, 10), attention=False)
#: With and without a difference between the decoder's sizes and the encoder's.
SIZES = [(1, 1), (2, 9), (13, 7), (33, 34), (64, 32), (47, 82)]


def _model(layout):
    """Norms that do something, gates that are open, weights of both signs."""
    torch.manual_seed(3)
    weights = mxrunet.MXRUNet(layout).state_dict()
    for key, value in weights.items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif key.endswith("running_mean") or (value.ndim == 1 and "weight_" not in key):
            value.normal_(0.5 if key.endswith("weight") else 0.0, 0.5)
        elif key.endswith("weight_g"):
            value.normal_(0.0, 1.0)
    return from_state_dict(weights)


@pytest.fixture(scope="module", params=[SMALL, DEEP, PLAIN], ids=["small", "deep", "plain"])
def model(request):
    return _model(request.param)


@pytest.fixture(scope="module")
def shallow(parity):
    return from_state_dict(parity.weights("mxrunet_shallow"))


@pytest.mark.parametrize("case", [1, 2])
def test_the_original_s_numbers(golden, parity, shallow, case):
    case = golden("mxrunet_shallow", case)
    found = prepared(shallow, "float32")(case.input)
    assert_original(found, case.output, shallow.module, case.input, case.tolerance)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch", [1, 2])
def test_equal_to_the_exact_module(parity, model, size, batch):
    image = 4 * parity.seeded_input(7, (batch, 3, *size)) - 2
    found = prepared(model, "float32")(image)
    assert found.dtype == torch.float32
    assert_exact(found, model.module, image, 1e-5)


def test_equal_in_bands_of_rows(parity, model, monkeypatch):
    image = parity.seeded_input(8, (1, 3, 53, 40))
    rows = []
    joined = fast._Last._joined
    monkeypatch.setattr(
        fast._Last,
        "_joined",
        lambda self, x, rgb: (rows.append(len(rgb[0, 0])), joined(self, x, rgb))[1],
    )
    monkeypatch.setattr(fast, "_VALUES_AT_ONCE", 1)
    found = prepared(model, "float32")(image)
    assert len(rows) > 2
    assert_exact(found, model.module, image, 1e-5)


def test_equal_with_shared_kernels(parity, model, monkeypatch):
    monkeypatch.setattr(fast, "LARGE_KERNEL", 100)
    monkeypatch.setattr(large_kernels, "_VALUES_AT_ONCE", 300)
    copy = fast.prepare(model.module, "float32")
    ours = [part for part in copy.modules() if isinstance(part, large_kernels.SharedConvolution)]
    kernels = {p.data_ptr() for k, p in model.module.named_parameters() if k.endswith("weight_v")}
    assert len(ours) == 13
    assert all(part.kernel.data_ptr() in kernels for part in ours)
    for size in ((3, 5), (33, 34)):
        image = parity.seeded_input(9, (2, 3, *size))
        assert_exact(copy(image), model.module, image, 1e-5)


def test_equal_where_torch_fuses_nothing(parity, model, monkeypatch):
    monkeypatch.setattr(convolution, "_fused", lambda: False)
    image = parity.seeded_input(9, (1, 3, 11, 14))
    found = fast.prepare(model.module, "float32")(image)
    assert_exact(found, model.module, image, 1e-5)


def test_attention_elsewhere_than_on_the_cpu(parity):
    """The way of GPUs, heads as narrow as the queries, gives the same numbers."""
    exact = mxrunet.SelfAttention(16).eval().requires_grad_(False)
    exact.gamma.fill_(0.7)
    x = parity.seeded_input(10, (2, 16, 5, 7))
    attention = fast._Attention(exact, torch.float32)
    for narrow in (False, True):
        found = attention.mix(x.clone(), narrow)
        assert_exact(found, exact, x, 1e-6)


def test_lower_precisions_are_near(parity, shallow):
    assert shallow.precisions == ("float32", "bfloat16", "float16")
    image = (parity.seeded_input(10, (1, 3, 34, 26)) - 0.18) / 0.12
    exact = shallow.module(image)
    for precision, least in (("bfloat16", 45), ("float16", 55)):
        found = prepared(shallow, precision)(image)
        assert found.dtype == torch.float32
        assert parity.psnr(found, exact) >= least


def test_mish():
    x = torch.linspace(-110, 110, 5001)
    expected = torch.nn.functional.mish(x.double())
    error = (fast.mish_(x.clone()) - expected).abs()
    assert (error <= 2e-7 * x.abs().clamp(min=1)).all()
    half = x.to(torch.bfloat16)
    expected = torch.nn.functional.mish(half.double())
    torch.testing.assert_close(fast.mish_(half.clone()).double(), expected, rtol=2**-8, atol=4e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("value", [-1.5, 0.0, 1.0])
def test_constant_images_are_finite(model, precision, value):
    image = torch.full((1, 3, 9, 5), value)
    assert torch.isfinite(prepared(model, precision)(image)).all()


def test_the_exact_module_is_left_as_it_is(parity, model):
    parity.assert_left_as_it_is(model, fast.prepare, parity.seeded_input(11, (1, 3, 12, 9)))
