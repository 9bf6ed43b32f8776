"""The bundled architecture: its features, its exposure, and its recognition from weights."""

import numpy as np
import pytest
import torch

from napari_hsr.errors import ModelError
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import root_polynomial as rp


def weights(order=2, bands=31, seed=0):
    powers = torch.from_numpy(rp.exponents(order)).float()
    generator = torch.Generator().manual_seed(seed)
    return {
        "exponents": powers,
        "weight": torch.rand(bands, len(powers), generator=generator) - 0.2,
    }


@pytest.mark.parametrize(("order", "features"), [(1, 3), (2, 6), (3, 13), (4, 22)])
def test_number_of_features(order, features):
    exponents = rp.exponents(order)
    assert exponents.shape == (features, 3)
    np.testing.assert_allclose(exponents.sum(1), 1)
    assert len(np.unique(exponents.round(6), axis=0)) == features


def test_forward_is_the_formula():
    """Against a loop over pixels, features and bands in double precision."""
    sd = weights(order=3)
    rgb = np.random.default_rng(1).random((2, 3, 5, 7)).astype(np.float32)
    found = from_state_dict(sd).module(torch.from_numpy(rgb)).numpy()
    expected = np.zeros((2, 31, 5, 7))
    powers, matrix = sd["exponents"].double().numpy(), sd["weight"].double().numpy()
    for n, y, x in np.ndindex(2, 5, 7):
        r, g, b = rgb[n, :, y, x].astype(float)
        features = np.array([r**i * g**j * b**k for i, j, k in powers])
        expected[n, :, y, x] = np.maximum(matrix @ features, 0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6)


@pytest.mark.parametrize("gain", [2.0**-20, 0.125, 0.5, 2.0, 8.0, 2.0**20])
@pytest.mark.parametrize("order", [1, 3, 4])
def test_a_power_of_two_in_exposure_is_exact(order, gain):
    module = from_state_dict(weights(order)).module
    rgb = torch.rand(1, 3, 9, 11, generator=torch.Generator().manual_seed(3))
    assert torch.equal(module(gain * rgb), gain * module(rgb))


@pytest.mark.parametrize("gain", [1e-4, 0.3, 1.7, 30.0])
def test_any_exposure_scales_the_spectra(gain):
    module = from_state_dict(weights(order=4)).module
    rgb = torch.rand(1, 3, 9, 11, generator=torch.Generator().manual_seed(3))
    np.testing.assert_allclose(module(gain * rgb), gain * module(rgb), rtol=0, atol=4e-6 * gain)


def test_black_negative_and_nan_pixels():
    module = from_state_dict(weights()).module
    rgb = torch.rand(1, 3, 4, 4)
    rgb[0, :, 0, 0] = 0
    rgb[0, 0, 1, 1] = -0.5
    rgb[0, 1, 2, 2] = torch.nan
    out = module(rgb)[0]
    assert (out[:, 0, 0] == 0).all()
    assert torch.isfinite(out[:, 1, 1]).all()
    assert torch.isnan(out[:, 2, 2]).all()
    assert torch.isnan(out).any(0).sum() == 1
    assert (out[~torch.isnan(out)] >= 0).all()


@pytest.mark.parametrize("pixels", [1, 3, 64, 1001, 32768, 32769, 70001])
def test_blocks_cover_every_pixel_once(pixels):
    covered = np.concatenate([np.arange(pixels)[part] for part in rp._blocks(pixels, "cpu")])
    np.testing.assert_array_equal(covered, np.arange(pixels))


def test_a_pixel_is_computed_alike_wherever_it_stands():
    """Bit for bit, so that tiles never show."""
    module = from_state_dict(weights(order=3)).module
    rgb = torch.rand(1, 3, 1, 40_001, generator=torch.Generator().manual_seed(5))
    whole = module(rgb)
    for start, stop in [(0, 1), (5, 12), (33, 1034), (39_990, 40_001), (1, 35_000)]:
        assert torch.equal(module(rgb[..., start:stop].clone()), whole[..., start:stop])


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("bands", [31, 61, 5])
def test_recognised_from_weights_alone(order, bands):
    sd = weights(order, bands)
    assert rp.ARCHITECTURE.detect(sd)
    if bands == 31:
        model = from_state_dict(sd)
        assert model.bands == 31
        assert model.context == 0
        assert model.scale == 1
        assert model.card.architecture == rp.ARCHITECTURE.id
    else:  # the grid is a fact that weights do not hold
        with pytest.raises(ModelError, match=f"{bands} wavelengths"):
            from_state_dict(sd)


@pytest.mark.parametrize(
    "change",
    [
        lambda sd: sd.pop("weight"),
        lambda sd: sd.update(bias=torch.zeros(31)),
        lambda sd: sd.update(weight=sd["weight"][:, :-1]),
        lambda sd: sd.update(exponents=sd["exponents"].T),
        lambda sd: sd.clear(),
    ],
)
def test_other_weights_are_not_taken(change):
    sd = weights()
    change(sd)
    with pytest.raises(ModelError, match="not recognised"):
        from_state_dict(sd)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("exponents", -1.0, "sum to 1"), ("weight", float("nan"), "NaN")],
)
def test_impossible_weights_are_refused(key, value, words):
    sd = weights()
    sd[key][0, 0] = value
    with pytest.raises(ModelError, match=words):
        from_state_dict(sd)
