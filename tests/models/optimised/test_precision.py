"""Exact and prepared modules against double precision: neither is much farther from it."""

import pytest
import torch

from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import coarsr
from napari_hsr.models.architectures.base import shapes_of
from napari_hsr.models.optimised.convolution import CHANNELS_LAST, convolve, packed
from napari_hsr.models.optimised_copy import prepared

from ...double_precision import assert_rounded_alike, distance, in_double
from ...small_zoo import IN_KIND, NETWORKS
from ...thorough import thorough


def check(model, image, largest=1e-5):
    """The exact module as near as the reference sheets ask for, its copy rounded alike."""
    with torch.inference_mode():
        exact, copied = model.module(image), prepared(model, "float32")(image)
    truth = in_double(model.module, image)
    assert 0 < distance(exact, truth).largest <= largest
    assert_rounded_alike(copied, exact, truth)


@pytest.mark.parametrize("kind", ["uniform", "normal"])
@pytest.mark.parametrize("net", thorough(NETWORKS, always=IN_KIND))
def test_photographs(parity, net, kind):
    """Small networks of each kind, with weights that neither raise nor damp."""
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in NETWORKS[net]().state_dict().items()}
    weights = parity.as_trained(shapes)
    if net == "mirnet":  # its blur kernels are constants
        built = NETWORKS[net]().state_dict()
        weights |= {key: value for key, value in built.items() if "filt" in key}
    image = parity.seeded_input(3, (1, 3, 33, 40))
    if kind == "normal":
        image = torch.randn(image.shape, generator=torch.Generator().manual_seed(3))
    check(from_state_dict(weights), image, parity.TOLERANCES.get(net, parity.TOLERANCE))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_cubes(parity, scale):
    model = from_state_dict(parity.as_trained(shapes_of(lambda: coarsr.CoarSR(scale, 16, 1))))
    check(model, parity.seeded_input(4, (1, 6, 20, 17)))


def test_attention_does_not_raise_what_was_rounded_before_it(parity):
    """MXR-U-Net on noise normalised by its statistics, whose logits are the largest there are."""
    model = from_state_dict(parity.weights("mxrunet_shallow"))
    image = (parity.seeded_input(5, (1, 3, 48, 56)) - 0.18) / 0.12
    check(model, image)


@pytest.mark.parametrize("after", ["nothing", "relu", "leaky", "gelu"])
@pytest.mark.parametrize("onto", [False, True])
@pytest.mark.parametrize("size", [1, 3])
def test_a_convolution_in_parts_is_the_same(after, onto, size):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 70, 9, 8, generator=generator).contiguous(memory_format=CHANNELS_LAST)
    weight = torch.randn(20, 70, size, size, generator=generator) / (70 * size**2) ** 0.5
    bias, there = (
        torch.randn(20, generator=generator),
        torch.randn(2, 20, 9, 8, generator=generator),
    )
    how = {"relu": {"slope": 0.0}, "leaky": {"slope": 0.2}, "gelu": {"gelu": True}}.get(after, {})

    def whole(*given):
        made = torch.nn.functional.conv2d(*given[:3], padding=size // 2)
        made = made + given[3] if onto else made
        if after == "gelu":
            return torch.nn.functional.gelu(made)
        return made if after == "nothing" else torch.nn.functional.leaky_relu(made, how["slope"])

    given = (x, weight, bias, there)
    plain, truth = whole(*given), whole(*(t.double() for t in given))
    for terms in (None, 1, 16, 100, 10**6):
        place = there.clone(memory_format=CHANNELS_LAST) if onto else None
        found = convolve(
            x,
            packed(weight, torch.float32),
            bias,
            padding=size // 2,
            onto=place,
            terms=terms,
            **how,
        )
        assert not onto or after == "gelu" or found is place
        assert_rounded_alike(found, plain, truth)


def test_parts_keep_a_long_sum_exact():
    """Where a processor's kernels add up everything in a row, parts make rounding less."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 512, 8, 8, generator=generator).relu_()
    weight = torch.randn(64, 512, 3, 3, generator=generator) / (512 * 9) ** 0.5
    truth = torch.nn.functional.conv2d(x.double(), weight.double(), padding=1)
    x, kernel = x.contiguous(memory_format=CHANNELS_LAST), packed(weight, torch.float32)

    def typical(terms):
        error = convolve(x, kernel, padding=1, terms=terms).double() - truth
        return float((error.square().mean() / truth.square().mean()).sqrt())

    # A sum's rounding walks at random: by half a unit of each partial sum, as large as its root.
    assert typical(576) < 2**-24 * (576 / 2) ** 0.5
    # Within a part it is no more than within the whole; adding up eight parts rounds seven times.
    assert typical(576) < typical(None) + 2**-24 * 7**0.5
