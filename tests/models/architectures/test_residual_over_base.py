"""A network over a per-pixel base: begins near it, keeps exposure, is read back from its weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import napari_hsr
from napari_hsr.errors import ModelError
from napari_hsr.models.architectures import residual_over_base
from napari_hsr.models.architectures.mstpp import MSTPlusPlus
from napari_hsr.models.architectures.per_pixel import PerPixel
from napari_hsr.models.card import ModelCard
from napari_hsr.models.optimised_copy import prepared
from napari_hsr.models.registry import recognise
from napari_hsr.models.state_dict import from_state_dict
from napari_hsr.photograph import Photograph

CARD = ModelCard(
    name="over",
    title="Over",
    architecture="mstpp",
    input_encoding="linear-srgb",
    units="reflectance",
    wavelengths_nm=tuple(float(nm) for nm in range(400, 701, 10)),
)


def tensors(width: int = 8) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    found = {f"base.{key}": value for key, value in PerPixel(31, width).state_dict().items()}
    found["linear.spread"] = torch.rand(31, 3)
    return found


def model(closed: float | None = None):
    torch.manual_seed(0)
    within = from_state_dict(MSTPlusPlus(width=8, stages=1).state_dict(), CARD)
    made = residual_over_base.wrap(within, tensors())
    if closed is not None:
        with torch.no_grad():
            made.module.gate[2].bias.fill_(closed)
    return made


def photograph(scale: float = 1.0) -> Photograph:
    rgb = np.random.default_rng(1).random((24, 32, 3)).astype(np.float32)
    return Photograph(rgb * np.float32(0.4 * scale), "linear-srgb")


def base_alone(photo: Photograph) -> np.ndarray:
    weights = {k.removeprefix("base."): v for k, v in tensors().items() if "base." in k}
    base = from_state_dict(weights, CARD.model_copy(update={"architecture": "per-pixel"}))
    return np.asarray(napari_hsr.reconstruct(photo, base).data)


def test_a_closed_gate_leaves_the_base():
    photo = photograph()
    want = base_alone(photo)
    made = np.asarray(napari_hsr.reconstruct(photo, model(-40.0)).data)
    np.testing.assert_allclose(made, want, rtol=1e-5, atol=1e-6)


def test_an_open_gate_leaves_the_network():
    made = model(40.0)
    x = torch.rand(1, 3, 16, 16)
    f = made.module.network(x) + torch.einsum("kc,nchw->nkhw", made.module.linear.spread, x)
    torch.testing.assert_close(made.module(x), f.relu(), rtol=1e-5, atol=1e-6)


def test_twice_the_exposure_gives_twice_the_spectra():
    made = model(0.0)
    one, two = (np.asarray(napari_hsr.reconstruct(photograph(s), made).data) for s in (1.0, 2.0))
    np.testing.assert_allclose(two, 2 * one, rtol=1e-4, atol=1e-5)
    assert one.min() >= 0


def test_weights_are_recognised_and_give_the_same_numbers():
    made = model(0.3)
    weights = made.module.state_dict()
    assert recognise(weights).id == "over-base"
    again = from_state_dict(weights, made.card)
    photo = photograph()
    want, got = (np.asarray(napari_hsr.reconstruct(photo, m).data) for m in (made, again))
    np.testing.assert_array_equal(got, want)


def test_a_tensor_of_another_shape_is_named():
    weights = dict(model().module.state_dict())
    weights["gate.2.weight"] = torch.zeros(2, 16, 1, 1)
    with pytest.raises(ModelError, match=r"gate\.2\.weight"):
        from_state_dict(weights, CARD.model_copy(update={"architecture": "over-base"}))


def test_the_optimised_copy_computes_the_same():
    made = model(0.3)
    x = torch.rand(1, 3, 24, 32)
    with torch.inference_mode():
        exact, fast = made.module(x), prepared(made, "float32")(x)
    torch.testing.assert_close(fast, exact, rtol=1e-4, atol=1e-5)


def test_training_leaves_the_base_alone():
    names = dict(model().module.named_parameters())
    assert not [name for name in names if name.startswith("base.")]
    assert [name for name in names if name.startswith("gate.")]
