"""Restormer against the original, and on other hyper-parameters and sizes."""

import pytest
import torch

from napari_hsr.errors import ModelError
from napari_hsr.models.architectures import restormer

from ...double_precision import assert_exact

SMALL = {"width": 8, "depths": (1, 1, 1, 1, 1), "hidden": (10, 21, 42, 85)}
FORMS = [
    SMALL,
    {**SMALL, "depths": (1, 2, 1, 3, 2), "heads": (2, 2, 4, 8), "bands": 4},
    {**SMALL, "bias": True},
    {**SMALL, "norm_bias": False, "channels": 6},
]


def test_no_float32_kernel_is_made_in_passing(parity):
    """The original fails in double and half: it builds a float32 kernel inside its forward."""
    made = restormer.Restormer(**SMALL).eval()
    x = parity.seeded_input(3, (1, 3, 16, 8))
    with torch.inference_mode():
        single = made(x)
        double = made.double()(x.double())
    assert parity.relative_error(single, double) <= 1e-5


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_hyper_parameters_are_read_off_the_weights(parity, form):
    made = restormer.Restormer(**form).eval()
    weights = made.state_dict()
    assert restormer.ARCHITECTURE.detect(weights)
    bands = form.get("bands", 31)
    model = restormer.ARCHITECTURE.load(weights, parity.card("restormer", bands))
    x = torch.rand(1, form.get("channels", 3), 16, 8)
    assert_exact(model.module(x), made, x, 0)
    assert (model.channels, model.bands) == (x.shape[1], bands)


def test_the_plain_norm_is_a_layer_norm_without_shift():
    """Without a bias the mean stays in the values and leaves the variance alone."""
    x = torch.randn(2, 5, 3, 4) + 2
    norm = restormer.ChannelNorm(5, bias=False)
    variance = ((x - x.mean(1, keepdim=True)) ** 2).mean(1, keepdim=True)
    torch.testing.assert_close(norm(x), x / (variance + 1e-5).sqrt())
    moved = restormer.ChannelNorm(5, bias=True)(x).permute(0, 2, 3, 1)
    torch.testing.assert_close(moved, torch.nn.functional.layer_norm(x.permute(0, 2, 3, 1), (5,)))


def test_a_wrong_shape_is_named(parity):
    weights = dict(parity.weights("restormer"))
    weights["latent.1.attn.temperature"] = torch.ones(4, 1, 1)
    with pytest.raises(ModelError, match=r"latent\.1\.attn\.temperature is \(4, 1, 1\)"):
        restormer.ARCHITECTURE.load(weights)
