"""CoarSR against the original: numbers under both rules of neighbours, names, bands, sizes."""

from functools import cache

import numpy as np
import pytest
import torch

from napari_hsr.errors import InputError, ModelError
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import coarsr
from napari_hsr.models.architectures.base import shapes_of
from napari_hsr.models.card import SUPER_RESOLUTION
from napari_hsr.models.optimised_copy import prepared

from ...double_precision import assert_exact, assert_original
from ...thorough import thorough

SCALES = (2, 3, 4, 8)
RULES = {"as_coded": False, "intended": True}
#: scale, width, blocks, rule
SETS = [
    (2, 8, 1, False),
    (3, 8, 2, True),
    (4, 12, 3, False),
    (8, 4, 1, True),
    (16, 4, 2, False),
    (4, 9, 2, True),
]


@pytest.fixture(scope="module")
def published(parity):
    """The network in its published size, for a scale and a rule."""

    @cache
    def load(scale, intended):
        weights = parity.weights(f"coarsr_x{scale}")
        mark = {coarsr.INTENDED: torch.ones((), dtype=torch.int64)}
        return from_state_dict({**weights, **mark} if intended else weights)

    return load


def small(parity, intended=False, scale=2, width=6, blocks=1):
    shapes = shapes_of(lambda: coarsr.CoarSR(scale, width, blocks, intended))
    return from_state_dict(parity.as_trained(shapes))


def originals(parity, scale, case):
    """(input, bands, {rule: output}, bicubic); of the first case, some bands are in the repository."""
    name = "bands" if case == 1 else f"case{case}"
    with np.load(parity.find(f"coarsr_x{scale}_{name}.npz")) as file:
        image = parity.seeded_input(int(file["seed"]), tuple(int(n) for n in file["shape"]))
        bands = file["bands"] if "bands" in file else np.arange(len(image))
        return image[None], bands, {r: file[f"output_{r}"] for r in RULES}, file["bicubic"]


@pytest.mark.parametrize("kind", ["exact", "prepared"])
@pytest.mark.parametrize("case", thorough([1, 2], always=[1]))
@pytest.mark.parametrize("scale", thorough(SCALES, always=[3, 4]))
def test_the_original_s_numbers(parity, published, scale, case, kind):
    image, bands, outputs, _ = originals(parity, scale, case)
    for rule, intended in RULES.items():
        model = published(scale, intended)
        module = model.module if kind == "exact" else prepared(model, "float32")
        found = module(image)[0, bands]
        assert_original(
            found,
            outputs[rule],
            model.module,
            image,
            parity.TOLERANCE,
            run=lambda net, x: net(x)[0, bands],
        )


@pytest.mark.parametrize("scale", SCALES)
def test_the_original_s_bicubic_enlargement(parity, scale):
    image, bands, _, bicubic = originals(parity, scale, 1)
    assert parity.relative_error(coarsr.enlarged(image, scale)[0, bands], bicubic) <= 1e-6


@pytest.mark.parametrize("scale", thorough(SCALES, always=[3, 4]))
def test_the_original_s_keys_in_its_order(parity, published, scale):
    spec, module = parity.spec(f"coarsr_x{scale}"), published(scale, False).module
    found = {key: list(value.shape) for key, value in module.state_dict().items()}
    assert list(found.items()) == list(spec["keys"].items())
    assert sum(p.numel() for p in module.parameters()) == spec["params"]


def test_what_the_descriptor_says(published):
    coded, meant = published(4, False), published(4, True)
    for model in (coded, meant):
        assert (model.channels, model.bands, model.least_bands) == (None, None, 5)
        assert (model.scale, model.card.scale, model.context) == (4, 4, 24)
        assert model.task == model.card.task == SUPER_RESOLUTION
        assert not model.module.training
    assert "bands 3, 1, 2 and 4" in coded.card.input_rule
    assert "on either side" in meant.card.input_rule
    assert ("Output", "the same bands in pixels 4 × as fine along each side") in (
        coded.card.sentences()
    )


@pytest.mark.parametrize("numbers", SETS)
def test_recognised_with_its_sizes(parity, numbers):
    shapes = shapes_of(lambda: coarsr.CoarSR(*numbers))
    model = from_state_dict(parity.as_trained(shapes))
    assert model.card.architecture == coarsr.ARCHITECTURE.id
    assert (model.scale, model.module.intended) == (numbers[0], numbers[3])
    assert {k: tuple(v.shape) for k, v in model.module.state_dict().items()} == shapes


def test_neighbours_as_coded_are_those_of_the_first_band():
    assert coarsr.neighbours(7, False) == [(3, 1, 2, 4)] * 7


def test_neighbours_as_intended():
    assert coarsr.neighbours(7, True) == [
        *((3, 1, 2, 4), (3, 0, 2, 4), (0, 1, 3, 4), (1, 2, 4, 5)),
        *((2, 3, 5, 6), (2, 4, 6, 3), (3, 5, 4, 2)),
    ]
    for bands in (5, 6, 31):
        for band, helpers in enumerate(coarsr.neighbours(bands, True)):
            assert len({band, *helpers}) == 5
            assert {band, *helpers} <= set(range(bands))


@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize("kind", ["exact", "prepared"])
def test_fewer_than_five_bands_are_refused(parity, bands, kind):
    model = small(parity)
    module = model.module if kind == "exact" else prepared(model, "float32")
    with pytest.raises(InputError, match=f"needs 5 bands or more; this cube has {bands}"):
        module(torch.rand(1, bands, 4, 4))


def test_the_rule_matters_and_is_kept_in_the_weights(parity):
    coded = small(parity)
    image = parity.seeded_input(5, (1, 9, 6, 5))
    meant = from_state_dict(
        {**coded.module.state_dict(), coarsr.INTENDED: torch.ones((), dtype=torch.int64)}
    )
    assert parity.relative_error(meant.module(image), coded.module(image)) > 1e-3
    again = from_state_dict(meant.module.state_dict())
    assert_exact(again.module(image), meant.module, image, 0)
    assert coarsr.INTENDED not in coded.module.state_dict()


@pytest.mark.parametrize(
    "size", thorough([(1, 1), (1, 7), (2, 3), (5, 4), (9, 13)], always=[(1, 1), (2, 3)])
)
@pytest.mark.parametrize("bands", [5, 28])
def test_any_size_and_number_of_bands(parity, size, bands):
    model = small(parity, scale=3)
    found = model.module(parity.seeded_input(6, (2, bands, *size)))
    assert found.shape == (2, bands, 3 * size[0], 3 * size[1])
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("rule", [False, True])
@pytest.mark.parametrize("at_once", [2, 5, 40])
def test_bands_together_are_bands_one_by_one(parity, rule, at_once):
    module = small(parity, rule).module
    image = parity.seeded_input(7, (2, 11, 6, 8))
    together = small(parity, rule).module
    together.at_once = at_once
    assert_exact(together(image), module, image, 1e-6)


def test_it_can_be_trained_with_all_bands_at_once(parity):
    module = small(parity, True).module.requires_grad_(True).train()
    module.at_once = 7
    module(parity.seeded_input(8, (2, 7, 6, 6))).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("scale", SCALES)
def test_in_training_the_tail_of_the_other_images_is_one_convolution(parity, scale):
    """The same values, and inside the same gradients; the rims of the others have none."""
    module = small(parity, True, scale, width=4).module.double().requires_grad_(True)
    image = parity.seeded_input(11, (3, 5, 8, 7)).double()
    inside = (..., slice(scale, -scale), slice(scale, -scale))
    exact, trained = module.train(False)(image), module.train(True)(image)
    torch.testing.assert_close(trained[0], exact[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(trained[inside], exact[inside])
    tail = list(module.tail.parameters())
    gradients = [torch.autograd.grad(x[inside].square().sum(), tail) for x in (exact, trained)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("across", [0.0, 0.4, 1.0])
def test_what_turns_spectra_is_kept_in_part(parity, across):
    """In the exact network and in the copy made for speed; 1 keeps all, 0 changes brightness alone."""
    plain = small(parity, True, 2, width=4)
    weights = {**plain.module.state_dict(), coarsr.ACROSS: torch.tensor(across)}
    model = from_state_dict(weights)
    image = parity.seeded_input(12, (1, 9, 7, 6))
    bicubic = coarsr.enlarged(image, 2)
    with torch.inference_mode():
        whole, made = plain.module(image) - bicubic, model.module(image) - bicubic
        fast = prepared(model, "float32", "cpu")(image)
    along = (whole * bicubic).sum(1, keepdim=True) / bicubic.square().sum(1, keepdim=True) * bicubic
    torch.testing.assert_close(made, along + across * (whole - along), rtol=1e-4, atol=1e-5)
    assert parity.relative_error(fast, made + bicubic) <= 1e-5
    assert (whole - along).abs().max() > 0.01


def test_checkpoints_without_the_norms_counters_load(parity):
    model = small(parity)
    weights = model.module.state_dict()
    old = {k: v for k, v in weights.items() if not k.endswith("num_batches_tracked")}
    assert len(old) < len(weights)
    image = parity.seeded_input(9, (1, 5, 4, 4))
    assert torch.equal(from_state_dict(old).module(image), model.module(image))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda w: {"epoch": 85, "model": w},
        lambda w: {f"module.{k}": v for k, v in w.items()},
        lambda w: {"epoch": 85, "model": {f"module.{k}": v for k, v in w.items()}},
    ],
)
def test_the_authors_wrappings_come_off(parity, wrap):
    weights = small(parity).module.state_dict()
    found = from_state_dict(wrap(weights)).module.state_dict()
    assert all(torch.equal(found[key], value) for key, value in weights.items())


def test_a_card_for_another_scale_is_refused(parity):
    model = small(parity)
    card = model.card.model_copy(update={"scale": 4})
    with pytest.raises(ModelError, match=r"×4, but its weights make .* 2 times as fine"):
        from_state_dict(model.module.state_dict(), card)


@pytest.mark.parametrize("scale", [1, 5, 6, 12])
def test_scales_that_the_network_cannot_have(scale):
    with pytest.raises(ModelError, match=f"3 or a power of two times as fine, not {scale}"):
        coarsr.CoarSR(scale, 4, 1)


def test_a_missing_kernel_is_named(parity):
    weights = dict(small(parity).module.state_dict())
    del weights["GFM_intra_two.fusion_one.0.weight_v"]
    with pytest.raises(ModelError, match=r"CoarSR, but GFM_intra_two\.fusion_one\.0\.weight_v"):
        from_state_dict(weights)
