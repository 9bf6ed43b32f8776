"""Networks that are prepared by their memory format and precision alone."""

import pytest
import torch

from napari_hsr.models import from_state_dict
from napari_hsr.models.optimised import channels_last
from napari_hsr.models.optimised_copy import prepared
from napari_hsr.models.registry import ARCHITECTURES

from ...double_precision import assert_exact
from ...thorough import thorough

#: By name, whether bfloat16 is near enough to be offered.
NETS = {
    "awan": True,
    "edsr": True,
    "hdnet": False,
    "hinet": True,
    "hrnet": True,
    "mirnet": True,
    "mprnet": True,
    "restormer": True,
}


@pytest.fixture(scope="module", params=thorough(NETS, always=("edsr", "hdnet", "hrnet")))
def net(request):
    return request.param


@pytest.fixture(scope="module")
def model(parity, net):
    published = next(a for a in ARCHITECTURES if a.id == net).published[0]
    return from_state_dict(parity.filled(net, published().state_dict()))


def test_what_is_offered(net, model):
    assert model.precisions == ("float32", *(("bfloat16", "float16") if NETS[net] else ()))
    assert model.prepare in (channels_last.prepare, channels_last.prepare_reduced)


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (2, 3, 19, 22)])
def test_equal_to_the_exact_module(parity, model, shape):
    image = parity.seeded_input(7, shape)
    found = prepared(model, "float32")(image)
    assert found.dtype == torch.float32
    assert_exact(found, model.module, image, 1e-5)


def test_float32_takes_no_second_copy_of_the_weights(model):
    exact = {value.data_ptr() for value in model.module.state_dict().values()}
    copy = model.prepare(model.module, "float32")
    assert {value.data_ptr() for value in copy.state_dict().values()} == exact
    channels_last.prepare(model.module, "float32").to("meta")
    assert {value.device.type for value in model.module.state_dict().values()} == {"cpu"}


def attention_in_bfloat16() -> bool:
    """Whether torch's fused attention computes in it: not where its vector code is switched off."""
    pixels = torch.ones(1, 1, 1024, 8, dtype=torch.bfloat16)
    try:
        torch.nn.functional.scaled_dot_product_attention(pixels, pixels, pixels)
    except RuntimeError:
        return False
    return True


def test_reduced_precision_is_near(parity, net, model):
    if net == "awan" and not attention_in_bfloat16():
        pytest.skip("torch's attention takes no bfloat16 under these instructions")
    parity.assert_reduced_precision_is_near(model)


def test_the_exact_module_is_left_as_it_is(parity, model):
    image = parity.seeded_input(9, (1, 3, 8, 8))
    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    exact = model.module(image)
    for precision in model.precisions:
        model.prepare(model.module, precision)(image)
    assert torch.equal(model.module(image), exact)
    after = model.module.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert all(after[key].stride() == before[key].stride() for key in before)
