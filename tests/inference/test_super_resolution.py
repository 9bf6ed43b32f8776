"""From coarse to fine pixels: models in tiles, baselines, agreement with what was measured."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_hsr import Cube, Photograph, super_resolve
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.inference import (
    SuperResolutionResult,
    super_resolve_events,
    upscalers,
    why_not_super_resolve,
)
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.models.card import DETAIL_ESTIMATED
from napari_hsr.resample import BASELINES, degrade, refine_events, upsample


@pytest.fixture(scope="module")
def network():
    """A narrow CoarSR ×4, its state dict as a checkpoint would hold it."""
    torch.manual_seed(3)
    net = CoarSR(4, width=8, blocks=1).eval()
    with torch.no_grad():  # random weights alone make values far beyond the cube's
        net.tail[1].weight_g *= 1e-3
    return net


@pytest.fixture(scope="module")
def model(network):
    return from_state_dict(network.state_dict())


@pytest.fixture
def cube():
    values = np.random.default_rng(6).random((6, 37, 29), np.float32)
    return Cube(values, range(400, 460, 10), units="reflectance", name="scene")


def last(*args, **options) -> SuperResolutionResult:
    return list(super_resolve_events(*args, **options))[-1]


def test_it_is_what_the_network_says(cube, model, network):
    result = last(cube, model)
    with torch.inference_mode():
        expected = network(torch.from_numpy(cube.data)[None])[0].numpy()
    np.testing.assert_allclose(result.cube.data, expected, rtol=1e-5, atol=1e-6)
    assert (result.scale, result.tiles, result.cube.shape) == (4, 1, (6, 148, 116))
    assert result.cube.wavelengths == cube.wavelengths
    assert result.cube.units == "reflectance"
    assert DETAIL_ESTIMATED in result.notices
    assert any("never saw these" in notice for notice in result.notices)
    assert "Made 4 times as fine by coarsr" in result.cube.provenance.steps[0]
    assert result.cube.provenance.model == "coarsr"


@pytest.mark.parametrize(
    ("scale", "blocks", "intended", "bands"),
    [
        (2, 1, True, 28),
        (3, 2, False, 5),
        pytest.param(8, 1, False, 5, marks=pytest.mark.thorough),
        pytest.param(4, 2, True, 9, marks=pytest.mark.thorough),
    ],
)
def test_in_tiles_it_equals_the_whole_at_any_scale_under_both_rules(scale, blocks, intended, bands):
    torch.manual_seed(scale)
    model = from_state_dict(CoarSR(scale, 6, blocks, intended).state_dict())
    cube = Cube(np.random.default_rng(1).random((bands, 33, 47), np.float32))
    whole, tiled = (last(cube, model, tile=tile).cube.data for tile in ("whole", 15))
    assert whole.shape == (bands, 33 * scale, 47 * scale)
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("tile", [11, 16])
def test_in_tiles_it_equals_the_whole(cube, model, tile):
    whole, tiled = last(cube, model, tile="whole"), last(cube, model, tile=tile)
    assert (whole.tiles, tiled.tiles > 4) == (1, True)
    scale = np.abs(whole.cube.data).max()
    np.testing.assert_allclose(tiled.cube.data, whole.cube.data, rtol=0, atol=1e-5 * scale)
    near = replace(model, context=model.context - 8)  # the context is not just any large number
    wrong = last(cube, near, tile=tile).cube.data
    assert np.abs(wrong - whole.cube.data).max() > 1e-4 * scale


@pytest.mark.parametrize("bands", [5, 28, 128])
def test_any_number_of_bands_from_five_and_odd_sizes(model, bands):
    cube = Cube(np.random.default_rng(0).random((bands, 7, 5)))
    result = last(cube, model, refine=True)
    assert result.cube.shape == (bands, 28, 20)
    assert result.agreement.relative < 1e-2


@pytest.mark.parametrize("name", [*BASELINES, "box"])
def test_baselines_are_the_named_interpolations(cube, name):
    result = last(cube, name, 3)
    np.testing.assert_array_equal(result.cube.data, upsample(cube, 3, name).data)
    assert result.tiles == 0
    assert "no detail is added" in result.cube.provenance.steps[-1]


def test_refining_is_the_back_projection_and_its_residual_is_told(cube):
    start = upsample(cube, 4)
    expected = list(refine_events(start, cube, 4, "box"))[-1]
    result = last(cube, "bicubic-matlab", 4, refine=True, degradation="box")
    np.testing.assert_array_equal(result.cube.data, expected.cube.data)
    np.testing.assert_array_equal(result.agreement.residual, expected.residual)
    plain = last(cube, "bicubic-matlab", 4, degradation="box")
    # the same sum in another order
    np.testing.assert_allclose(plain.agreement.residual, expected.before, rtol=1e-6)
    assert plain.agreement.residual.shape == cube.shape[1:]
    back = degrade(plain.cube, 4, "box").data
    by_hand = np.sqrt(((cube.data - back) ** 2).mean(0))
    np.testing.assert_allclose(plain.agreement.residual, by_hand, atol=1e-5)
    assert result.cube.provenance.extra["super_resolution"]["passes"] == result.agreement.passes


def test_the_input_stays_as_it_was_and_a_chain_keeps_its_history(cube, model):
    before = cube.data.copy()
    first = last(cube, model, refine=True)
    np.testing.assert_array_equal(cube.data, before)
    assert not cube.provenance.extra
    reconstructed = cube.replace(
        provenance=replace(cube.provenance, model="mstpp", steps=("Reconstructed by mstpp.",))
    )
    chained = last(reconstructed, model, refine=True).cube
    np.testing.assert_array_equal(chained.data, first.cube.data)
    steps = chained.provenance.steps
    assert steps[0] == "Reconstructed by mstpp."
    assert "Made 4 times as fine by coarsr" in steps[1]
    assert "back-projection" in steps[-1]
    assert chained.provenance.model == "mstpp"
    assert chained.provenance.extra["super_resolution"]["by"] == "coarsr"


def test_a_cube_that_was_made_finer_already_is_told(cube, model):
    first = last(cube, "bicubic-matlab", 2)
    sentence = "scene bicubic-matlab ×2 was already made 2 times as fine, by bicubic-matlab"
    assert sentence in last(first.cube, model).notices[0]
    assert not any("already" in notice for notice in first.notices)
    again = degrade(first.cube, 2)  # coarse once more: what was made finer is gone
    assert not any("already" in notice for notice in last(again, model).notices)


def test_a_back_projection_that_ends_above_its_tolerance_is_told(cube):
    short = last(cube, "bicubic-matlab", 4, refine=True, tolerance=1e-9, iterations=2)
    assert short.notices == short.agreement.notices()
    assert "after 2 passes" in short.notices[0]
    assert last(cube, "bicubic-matlab", 4, refine=True, iterations=50).notices == ()


def test_values_beyond_one_are_scaled_for_the_network_and_back(cube, model):
    counts = cube.replace(data=4000 * cube.data / cube.data.max())
    result = last(counts, model)
    unit = last(counts.replace(data=counts.data / np.float32(4000)), model)
    np.testing.assert_allclose(result.cube.data, 4000 * unit.cube.data, rtol=1e-5, atol=1e-3)
    assert any("reach 4000" in notice for notice in result.notices)
    assert not any("reach" in notice for notice in unit.notices)


def test_where_memory_gives_out_the_tile_is_halved(cube, model, monkeypatch):
    read, sides = upscalers._CubeJob.read, []

    def short(job, tile):
        side = tile.rows.core.stop - tile.rows.core.start
        sides.append(side)
        if side > 20:
            raise MemoryError
        return read(job, tile)

    whole = last(cube, model).cube.data
    monkeypatch.setattr(upscalers._CubeJob, "read", short)
    result = last(cube, model, tile=32)
    assert sides[:2] == [32, 16]
    np.testing.assert_allclose(result.cube.data, whole, rtol=1e-5, atol=1e-5)
    assert any("not enough memory" in notice for notice in result.notices)


def test_cancelling(cube, model):
    cancel = threading.Event()
    events = super_resolve_events(cube, model, tile=8, cancel=cancel)
    seen = [next(events) for _ in range(4)]
    assert seen[-1].message == "Super-resolving"
    cancel.set()
    with pytest.raises(Cancelled):
        list(events)


def test_bad_input_in_one_sentence(cube, model, tmp_path):
    photo = Photograph(np.zeros((6, 6, 3), np.uint8), encoding="srgb", name="photo.png")
    few = Cube(np.ones((4, 6, 6)), name="few")
    for image, way, scale, sentence in (
        (photo, model, None, "photo.png is an RGB photograph"),
        (photo.data, model, None, r"array of shape \(6, 6, 3\) looks like an RGB image"),
        (few, model, None, "few has 4 bands"),
        (few, "bicubic-matlab", 2, "few has 4 bands"),
        (cube, model, 2, "coarsr has scale ×4, not ×2"),
        (cube, model, 1, "already at the target size"),
        (cube, "bicubic-matlab", None, "needs a scale"),
        (cube, "bicubic-matlab", 2.5, "whole number"),
        (cube, "rootpoly-srgb", None, "reconstructs cubes from photographs"),
        (cube, None, 16, "No model of scale ×16 is installed"),
        (cube, None, None, "State a scale"),
        (
            cube,
            "bicubik-matlab",
            4,
            r"did you mean bicubic-matlab\?.* there are coarsr-x2, coarsr-x3, coarsr-x4",
        ),
    ):
        assert re.search(sentence, why_not_super_resolve(image, way, scale))
        with pytest.raises(InputError, match=sentence):
            super_resolve(image, way, scale)
    assert why_not_super_resolve(cube, model, 4) is None


def test_an_array_is_a_cube_of_no_known_bands(model):
    result = last(np.full((5, 4, 3), 0.25), model)
    assert result.cube.shape == (5, 16, 12)
    assert any("array names no wavelengths" in notice for notice in result.notices)
