"""A network behind known colours: exact in them, and in exposure, whatever it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import napari_hsr
from napari_hsr.cameras import get_camera, matrix
from napari_hsr.errors import ModelError
from napari_hsr.models.architectures import colour_exact
from napari_hsr.models.architectures.edsr import EDSR
from napari_hsr.models.architectures.mstpp import MSTPlusPlus
from napari_hsr.models.card import ModelCard
from napari_hsr.models.input_rules import Mean
from napari_hsr.models.optimised_copy import prepared
from napari_hsr.models.registry import recognise
from napari_hsr.models.state_dict import from_state_dict
from napari_hsr.photograph import Photograph

NM = tuple(float(nm) for nm in range(400, 701, 10))
CAMERA = matrix(get_camera("nikon-5100-npl"), np.array(NM), None, "sum")


def second_moment(bands: int = 31) -> np.ndarray:
    """Of random smooth spectra."""
    at = np.linspace(0, 1, bands)
    smooth = np.exp(-(((at[:, None] - np.linspace(0, 1, 12)) / 0.15) ** 2))
    spectra = np.random.default_rng(0).random((500, 12)) @ smooth.T
    return spectra.T @ spectra / 500 + 1e-6 * np.eye(bands)


SPREAD = colour_exact.spread_for(CAMERA, second_moment())


def card(**changes) -> ModelCard:
    values = {
        "name": "exact",
        "title": "Exact",
        "architecture": "mstpp",
        "input_encoding": "camera:nikon-5100-npl",
        "units": "radiance",
        "wavelengths_nm": NM,
    }
    return ModelCard(**(values | changes))


def model(network: torch.nn.Module | None = None, exact: bool = True):
    torch.manual_seed(0)
    network = MSTPlusPlus(width=8, stages=1) if network is None else network
    weights = network.state_dict()
    within = from_state_dict(weights, card(architecture=recognise(weights).id))
    tensors = [torch.from_numpy(m.astype(np.float32)) for m in (SPREAD, CAMERA)]
    return colour_exact.wrap(within, tensors[0], tensors[1] if exact else None)


def photograph(scale: float = 1.0, height: int = 24, width: int = 32) -> Photograph:
    rng = np.random.default_rng(1)
    rgb = rng.random((height, width, 3)).astype(np.float32) * np.float32(0.4 * scale)
    return Photograph(rgb, encoding="camera:nikon-5100-npl")


def colours(cube: napari_hsr.Cube) -> np.ndarray:
    return np.einsum("bhw,bc->hwc", np.asarray(cube.data, np.float64), CAMERA)


def reconstruct(model, image, **settings):
    return napari_hsr.reconstruct(image, model, device="cpu", precision="float32", **settings)


class Says(torch.nn.Module):
    """A network with any output."""

    def __init__(self, size: float):
        super().__init__()
        self.size = size

    def forward(self, x):
        noise = torch.randn(len(x), 31, *x.shape[2:], generator=torch.Generator().manual_seed(1))
        return self.size * noise


def test_the_spread_gives_back_the_colours():
    np.testing.assert_allclose(CAMERA.T @ SPREAD, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-3, 1.0, 30.0])
def test_colours_are_exact_whatever_the_network_says(size):
    head = colour_exact.ColourHead(
        Says(size), *(torch.from_numpy(m.astype(np.float32)) for m in (SPREAD, CAMERA))
    )
    x = torch.rand(2, 3, 9, 7, generator=torch.Generator().manual_seed(2))
    found = head(x).double()
    seen = torch.einsum("kc,nkhw->nchw", torch.from_numpy(CAMERA), found)
    assert float((seen - x).abs().max()) < 1e-6 * max(1.0, float(found.abs().max()))
    if size == 1.0:
        free = colour_exact.ColourHead(Says(size), head.colour.spread)(x).double()
        other = torch.einsum("kc,nkhw->nchw", torch.from_numpy(CAMERA), free)
        assert float((other - x).abs().max()) > 0.01


def test_colours_of_a_reconstruction_are_those_of_the_photograph():
    image = photograph()
    cube = reconstruct(model(), image)
    np.testing.assert_allclose(colours(cube), image.data, atol=1e-6)
    assert cube.units == "radiance"


def test_twice_the_photograph_is_twice_the_cube():
    made = model()
    one, two = (reconstruct(made, photograph(scale)).data for scale in (1, 2))
    np.testing.assert_allclose(two, 2 * np.asarray(one), rtol=1e-5, atol=1e-6)


def test_tiles_share_the_mean_of_the_whole_image():
    torch.manual_seed(0)
    plain = EDSR(width=8, blocks=1)
    made = model(plain)
    assert made.context == from_state_dict(plain.state_dict()).context == 5
    image = photograph(height=48, width=56)
    image.data[:, :20] *= 0.1  # tiles of their own would be brighter or darker
    whole, tiles = reconstruct(made, image), reconstruct(made, image, tile=24)
    np.testing.assert_allclose(tiles.data, whole.data, atol=1e-6)
    assert model().context is None  # MST++ looks at the whole image


def test_a_black_photograph_is_a_black_cube():
    black = Photograph(np.zeros((16, 16, 3), np.float32), encoding="camera:nikon-5100-npl")
    assert not np.asarray(reconstruct(model(), black).data).any()


def test_the_mean_does_not_turn_signs_round():
    rule = Mean()
    dark = np.float32([[[-0.2, 0.05, 0.0]]])
    statistics = rule.measure(iter([dark]))
    assert statistics == 0
    np.testing.assert_array_equal(rule.apply(dark, statistics), dark)
    assert not rule.undo(np.ones((2, 1, 1), np.float32), statistics).any()
    bright = np.float32([[[0.2, 0.4, np.nan]], [[0.6, 0.8, np.inf]]])
    assert rule.measure(iter([bright[:1], bright[1:]])) == pytest.approx(0.5)
    np.testing.assert_allclose(rule.apply(bright, 0.5)[0, 0, :2], [0.4, 0.8])


@pytest.mark.parametrize("exact", [True, False])
def test_it_is_recognised_from_its_weights_alone(exact):
    made = model(exact=exact)
    weights = made.module.state_dict()
    assert recognise(weights).id == "colour-exact"
    again = from_state_dict(weights, made.card)
    assert again.rule == Mean()
    assert again.card.input_rule == Mean.name
    assert ("colour.camera" in again.module.state_dict()) == exact
    image = photograph()
    assert np.array_equal(reconstruct(again, image).data, reconstruct(made, image).data)
    without_card = from_state_dict(weights)
    assert without_card.card.input_rule == Mean.name
    assert without_card.bands == 31


def test_its_card_names_its_rule_and_its_network_has_none():
    made = model()
    assert made.card.architecture == "colour-exact"
    assert made.card.input_rule.startswith("mean: v / mean over the whole image")
    assert made.window is None


def test_weights_in_half_precision_keep_the_colours():
    """Rounded together, spread and camera would no longer fit each other."""
    made = model()
    half = {k: v.half() for k, v in made.module.state_dict().items()}
    again = from_state_dict(half, made.card)
    image = photograph()
    camera = half["colour.camera"].double().numpy()
    seen = np.einsum("bhw,bc->hwc", np.asarray(reconstruct(again, image).data, float), camera)
    np.testing.assert_allclose(seen, image.data, atol=1e-6)
    # what training writes leaves both as they are
    from napari_hsr.training.export import in_half

    kept = from_state_dict(in_half(made.module.state_dict()), made.card)
    np.testing.assert_allclose(colours(reconstruct(kept, image)), image.data, atol=1e-6)


def test_the_copy_for_bfloat16_keeps_the_colours():
    made = model()
    assert "bfloat16" in made.precisions
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        exact, low = made.module(x), prepared(made, "bfloat16")(x)
    assert low.dtype == torch.float32
    assert 0 < float((low - exact).abs().max()) < 0.1 * float(exact.abs().max())
    seen = torch.einsum("kc,nkhw->nchw", torch.from_numpy(CAMERA).float(), low)
    torch.testing.assert_close(seen, x, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"colour.spread": torch.full((31, 3), torch.nan)}, r"NaN or infinite .* colour\.spread"),
        ({"colour.camera": torch.full((31, 3), torch.inf)}, r"NaN or infinite .* colour\.camera"),
        ({"colour.camera": torch.ones(30, 3)}, r"colour\.camera is \(30, 3\) where \(31, 3\)"),
        ({"colour.spread": torch.ones(30, 3)}, "30"),
        ({"colour.spread": torch.ones(31, 4)}, r"colour\.spread has 4 channels|\(31, 4\)"),
        ({"colour.other": torch.ones(1)}, r"colour\.other \(1\) has no place"),
        ({"network.conv_in.weight": None}, "not|missing"),
    ],
)
def test_weights_that_do_not_fit_are_one_sentence(change, sentence):
    made = model()
    weights = {**made.module.state_dict(), **change}
    weights = {key: value for key, value in weights.items() if value is not None}
    with pytest.raises(ModelError, match=sentence) as caught:
        from_state_dict(weights, made.card)
    assert "\n" not in str(caught.value)
