"""DualSR's refinement in the product: two networks and FineSR are what each gives by hand."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from napari_hsr import Cube, super_resolve
from napari_hsr.errors import HSRError, InputError
from napari_hsr.inference import (
    SuperResolutionResult,
    refinement_choice,
    super_resolve_events,
    why_not_super_resolve,
)
from napari_hsr.inference import estimate_super_resolution as estimate
from napari_hsr.models import from_state_dict, import_checkpoint
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.resample import Agreement, enlarge, resize

from ..resample.published_finesr import finesr


@pytest.fixture(scope="module")
def networks():
    """Narrow ones with random weights, by scale."""

    def build(scale):
        torch.manual_seed(scale)
        net = CoarSR(scale, width=4, blocks=1).eval()
        with torch.no_grad():  # random weights alone make values far beyond the cube's
            net.tail[1].weight_g *= 1e-3
        return net

    return {scale: build(scale) for scale in (2, 3, 4, 8)}


@pytest.fixture(scope="module")
def models(networks):
    return {scale: from_state_dict(net.state_dict()) for scale, net in networks.items()}


@pytest.fixture
def cube():
    values = np.random.default_rng(6).random((6, 11, 9), np.float32)
    return Cube(values, range(400, 460, 10), units="reflectance", name="scene")


@pytest.fixture
def keep(networks, tmp_path):
    """Keeps a network among the user's models."""

    def under(scale, name):
        file = tmp_path / "net.pth"
        torch.save(networks[scale].state_dict(), file)
        return import_checkpoint(file, name, overwrite=True)

    return under


def last(*args, **options) -> SuperResolutionResult:
    return list(super_resolve_events(*args, **options))[-1]


@pytest.mark.parametrize("scale", [4, 8])
def test_it_is_both_networks_and_finesr(cube, networks, models, scale):
    result = last(cube, models[scale], refine="dualsr", half_model=models[scale // 2])
    with torch.inference_mode():
        whole, half = (
            networks[s](torch.from_numpy(cube.data)[None])[0].numpy() for s in (scale, scale // 2)
        )
    expected = finesr(whole, half)
    assert np.abs(expected - whole).max() > 1e-3  # it does change something
    np.testing.assert_allclose(result.cube.data, expected, rtol=0, atol=1e-5)
    assert type(result.agreement) is Agreement
    back = resize.shrink(expected, scale)
    left = np.sqrt(((cube.data - back) ** 2).mean(0))
    np.testing.assert_allclose(result.agreement.residual, left, atol=1e-5)
    assert (result.refined_by, result.scale) == ("dualsr", scale)


def test_in_small_parts_and_tiles_it_is_the_same(cube, models, monkeypatch):
    whole = last(cube, models[4], refine="dualsr", half_model=models[2]).cube.data
    monkeypatch.setattr(resize, "PART_BYTES", 2000)
    tiled = last(cube, models[4], refine="dualsr", half_model=models[2], tile=4)
    assert tiled.tiles > 4
    np.testing.assert_allclose(tiled.cube.data, whole, rtol=0, atol=1e-5)


def test_a_baseline_is_refined_against_itself_at_half_the_scale(cube):
    result = last(cube, "bicubic-opencv", 4, refine="dualsr")
    expected = finesr(*(enlarge(cube.data, s, "bicubic-opencv") for s in (4, 2)))
    np.testing.assert_allclose(result.cube.data, expected, atol=1e-6)


def test_what_is_told_of_it(cube, models):
    events = list(super_resolve_events(cube, models[4], refine="DualSR", half_model=models[2]))
    shares = [e.done / e.total for e in events[:-1] if e.total]
    assert shares == sorted(shares)
    assert any("DualSR's refinement" in e.message for e in events[:-1])
    made = events[-1].cube
    assert made.name == "scene coarsr refined"
    steps = made.provenance.steps
    assert "Made 4 times as fine by coarsr" in steps[0]
    assert "Refined by FineSR as DualSR published it: one pass against scene coarsr" in steps[-1]
    facts = made.provenance.extra["super_resolution"]
    assert (facts["refined_by"], facts["half_by"], facts["passes"]) == ("dualsr", "coarsr", 1)
    assert facts["half_sha256"] == models[2].weights_sha256
    assert 0 < facts["gain"] <= 1
    general = last(cube, models[4], refine=True)
    assert general.refined_by == "back-projection"
    assert general.cube.provenance.extra["super_resolution"]["refined_by"] == "back-projection"
    assert last(cube, models[4]).refined_by is None
    same = last(cube, models[4], refine="back-projection")
    np.testing.assert_array_equal(same.cube.data, general.cube.data)


def test_the_half_is_found_in_the_family(cube, models, keep, monkeypatch):
    every = refinement_choice.offered  # without the bundled ones

    def mine(scale=None):
        return [card for card in every(scale) if not card.name.startswith("coarsr")]

    monkeypatch.setattr(refinement_choice, "offered", mine)
    four = keep(4, "mine-x4-cave")
    sentence = r"mine-x4-cave \(×4\) needs a model of the same network for ×2 too"
    with pytest.raises(InputError, match=sentence):
        super_resolve(cube, four, refine="dualsr")
    first = keep(2, "another")
    assert refinement_choice.half_scale_upscaler(four, 4, "dualsr").source == first.source
    keep(2, "mine-x2-cave")
    assert refinement_choice.half_scale_upscaler(four, 4, "dualsr").name == "mine-x2-cave"
    made = last(cube, four, refine="dualsr").cube
    assert made.provenance.extra["super_resolution"]["half_by"] == "mine-x2-cave"
    by_hand = super_resolve(cube, models[4], refine="dualsr", half_model=models[2])
    np.testing.assert_array_equal(made.data, by_hand.data)


def test_what_it_refuses_in_one_sentence(cube, models):
    for scale, options, sentence in (
        (2, {"refine": "dualsr"}, "takes ×4 or ×8 and not ×2"),
        (3, {"refine": "dualsr"}, "takes ×4 or ×8 and not ×3"),
        (4, {"refine": "finest"}, "no refinement 'finest'; there are back-projection, dualsr"),
        (4, {"refine": True, "half_model": models[2]}, "for DualSR's refinement alone"),
        (8, {"refine": "dualsr", "half_model": models[2]}, "needs a second model for ×4"),
        (
            4,
            {"refine": "dualsr", "half_model": "rootpoly-srgb"},
            "reconstructs cubes from photographs",
        ),
        (4, {"refine": "dualsr", "half_model": "nowhere"}, "no model or file 'nowhere'"),
    ):
        with pytest.raises(HSRError, match=sentence):
            super_resolve(cube, models[scale], **options)
        said = why_not_super_resolve(
            cube, models[scale], scale, options["refine"], options.get("half_model")
        )
        assert sentence in said
    assert why_not_super_resolve(cube, models[4], 4, "dualsr", models[2]) is None


def test_both_calls_have_the_same_options():
    plain = dict(inspect.signature(super_resolve).parameters)
    assert plain.pop("progress").default is None
    assert plain == dict(inspect.signature(super_resolve_events).parameters)


def test_what_it_takes_is_estimated(models):
    shape, way = (31, 512, 512), models[4]
    plain, general, named, published = (
        estimate(shape, way, 4, refine=refine, device="cpu")
        for refine in (False, True, "back-projection", "dualsr")
    )
    assert named == general
    assert general.bytes_working > plain.bytes_working
    second = 31 * 1024 * 1024 * 4  # the result at half the scale stays until both are joined
    assert published.bytes_output == 4 * second
    assert published.bytes_working > max(second, plain.bytes_working)
    network = estimate((31, 64, 64), way, 4, device="cpu").bytes_working
    assert published.bytes_working > second + network
