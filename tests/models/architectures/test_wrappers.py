"""Networks around networks: recognised from their weights alone, exact, and one in another."""

import numpy as np
import pytest
import torch

import napari_hsr
from napari_hsr.errors import ModelError
from napari_hsr.models.architectures.edsr import EDSR
from napari_hsr.models.architectures.mstpp import MSTPlusPlus
from napari_hsr.models.architectures.wrappers import around
from napari_hsr.models.card import ModelCard, WavelengthsNeededError
from napari_hsr.models.input_rules import Mean
from napari_hsr.models.model_file import save_model
from napari_hsr.models.optimised_copy import prepared
from napari_hsr.models.registry import recognise
from napari_hsr.models.state_dict import from_state_dict

from ...double_precision import assert_exact

NM = tuple(float(nm) for nm in range(400, 701, 10))


def networks() -> dict[str, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    mst = MSTPlusPlus(stages=1).state_dict()
    known = {"colour__spread": torch.rand(31, 3), "colour__camera": torch.rand(31, 3)}
    return {
        "root-polynomial": napari_hsr.load_model("rootpoly-srgb").module.state_dict(),
        "edsr": EDSR(width=8, blocks=1).state_dict(),
        "mstpp": mst,
        "colour-exact": around(mst, **known),
    }


NETWORKS = networks()
INPUT = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(1))


def card(architecture: str, bands: int = 31, **changes) -> ModelCard:
    values = {
        "name": "wrapped",
        "title": "Wrapped",
        "architecture": architecture,
        "input_encoding": "camera:nikon-d700",
        "units": "radiance",
        "wavelengths_nm": NM if bands == 31 else tuple(np.linspace(420, 690, bands)),
    }
    return ModelCard(**(values | changes))


def run(module: torch.nn.Module, x: torch.Tensor = INPUT) -> torch.Tensor:
    with torch.inference_mode():
        return module(x)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_adapter_that_changes_nothing_is_exact(name):
    plain = from_state_dict(NETWORKS[name])
    same = torch.cat([torch.eye(31), torch.zeros(31, 3)], dim=1)
    weights = around(NETWORKS[name], adapter__weight=same, adapter__bias=torch.zeros(31))
    assert recognise(weights).id == "adapted"
    model = from_state_dict(weights)
    assert_exact(run(model.module), plain.module, INPUT, 0)
    assert model.rule.name == plain.rule.name == model.card.input_rule
    inherited = ("context", "precisions", "window", "size_multiple")
    for field in inherited:
        assert getattr(model, field) == getattr(plain, field)
    assert model.bytes_per_pixel > plain.bytes_per_pixel


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bands", [31, 16])
def test_an_adapter_is_an_affine_map_of_spectra_and_colours(name, bands):
    torch.manual_seed(3)
    weight, bias = torch.rand(bands, 34) - 0.5, torch.rand(bands)
    weights = around(NETWORKS[name], adapter__weight=weight, adapter__bias=bias)
    model = from_state_dict(weights, card("adapted", bands))
    inside = run(from_state_dict(NETWORKS[name]).module)
    features = torch.cat([inside, INPUT], dim=1)
    expected = torch.einsum("tk,nkhw->nthw", weight.double(), features.double())
    expected = expected + bias[:, None, None]
    torch.testing.assert_close(run(model.module).double(), expected, rtol=1e-4, atol=1e-5)
    assert model.bands == bands
    assert model.input_encoding == "camera:nikon-d700"
    assert model.card.units == "radiance"


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bands", [31, 16])
def test_a_matrix_of_bands_mixes_them(name, bands):
    torch.manual_seed(4)
    weight = torch.rand(bands, 31)
    weights = around(NETWORKS[name], bands__weight=weight)
    assert recognise(weights).id == "bands"
    model = from_state_dict(weights, card("bands", bands))
    inside = run(from_state_dict(NETWORKS[name]).module)
    expected = torch.einsum("tk,nkhw->nthw", weight, inside)
    torch.testing.assert_close(run(model.module), expected, rtol=1e-4, atol=1e-5)
    assert len(model.wavelengths) == bands


@pytest.mark.parametrize("name", NETWORKS)
def test_one_in_another_saved_and_loaded_by_its_file(name, tmp_path):
    torch.manual_seed(5)
    narrow = around(NETWORKS[name], bands__weight=torch.rand(16, 31) / 31)
    both = around(narrow, adapter__weight=torch.rand(9, 19) / 19, adapter__bias=torch.rand(9))
    model = from_state_dict(both, card("adapted", 9))
    path = save_model(tmp_path / "wrapped.safetensors", model.module.state_dict(), model.card)
    loaded = napari_hsr.load_model(path)
    assert loaded.weights_sha256 == model.weights_sha256
    assert_exact(run(loaded.module), model.module, INPUT, 0)
    photograph = napari_hsr.Photograph(
        INPUT[0].permute(1, 2, 0).numpy(), encoding="camera:nikon-d700"
    )
    cube = napari_hsr.reconstruct(photograph, loaded, device="cpu")
    assert cube.shape == (9, 16, 24)
    assert cube.units == "radiance"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_prepared_copy_is_the_same_and_leaves_the_exact_module(name):
    torch.manual_seed(6)
    bias = torch.rand(31)
    weights = around(NETWORKS[name], adapter__weight=torch.rand(31, 34) / 9, adapter__bias=bias)
    model = from_state_dict(weights)
    network = model.module.network
    exact = run(model.module)
    copy = prepared(model, "float32")
    assert_exact(run(copy), model.module, INPUT, 1e-5)
    assert model.module.network is network
    copy.adapter.to("meta")  # as to another device: the exact module does not follow
    assert torch.equal(run(model.module), exact)
    if "bfloat16" in model.precisions:
        reduced = run(prepared(model, "bfloat16"))
        assert reduced.dtype == torch.float32
        assert 0 < (reduced - exact).abs().max() < 0.1 * exact.abs().max()


def test_the_network_and_the_adapter_take_gradients():
    weights = around(NETWORKS["edsr"], adapter__weight=torch.rand(31, 34), adapter__bias=torch.zeros(31))  # fmt: skip
    module = from_state_dict(weights).module.requires_grad_(True).train()
    module(INPUT).square().mean().backward()
    names = {name for name, p in module.named_parameters() if p.grad is not None}
    assert {"adapter.weight", "adapter.bias", "network.head.0.weight"} <= names


def test_damaged_wrappers_are_refused_in_one_sentence():
    good = around(NETWORKS["edsr"], adapter__weight=torch.rand(31, 34), adapter__bias=torch.zeros(31))  # fmt: skip
    cases = [
        ({"adapter.bias": None}, r"adapter.bias \(31\) is missing"),
        ({"adapter.bias": torch.zeros(30)}, r"adapter.bias is \(30\) where \(31\)"),
        ({"adapter.weight": torch.rand(31, 33)}, "wrapped EDSR.* does not fit what is around it: .*30 wavelengths"),
        ({"adapter.weight": torch.full((31, 34), torch.nan)}, "NaN or infinite values in adapter.w"),
        ({"adapter.more": torch.zeros(1)}, r"adapter.more \(1\) has no place"),
        ({"network.tail.0.weight": None}, "not recognised"),
        ({"network.more": torch.zeros(1)}, "nearest is EDSR"),
    ]  # fmt: skip
    for changes, sentence in cases:
        weights = {k: v for k, v in (good | changes).items() if v is not None}
        with pytest.raises(ModelError, match=sentence):
            from_state_dict(weights)


def test_other_bands_need_a_card():
    weights = around(NETWORKS["edsr"], bands__weight=torch.rand(16, 31))
    with pytest.raises(WavelengthsNeededError, match="16 wavelengths"):
        from_state_dict(weights)
    with pytest.raises(ModelError, match="names 31 wavelengths, but its weights make 16 bands"):
        from_state_dict(weights, card("bands", 31))


def test_a_network_of_other_bands_behind_31_needs_none():
    torch.manual_seed(0)
    inside = EDSR(bands=7, width=8, blocks=1).state_dict()
    model = from_state_dict(around(inside, bands__weight=torch.rand(31, 7)))
    assert run(model.module).shape == (1, 31, 16, 24)


def test_the_colour_heads_rule_is_kept_behind_an_adapter():
    weights = around(NETWORKS["colour-exact"], bands__weight=torch.eye(31))
    model = from_state_dict(weights, card("bands"))
    again = from_state_dict(model.module.state_dict(), model.card)
    assert again.rule.name == Mean.name == again.card.input_rule
