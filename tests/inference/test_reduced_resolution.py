"""Large photographs by the network at reduced resolution, carried up by the colours."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

import napari_hsr
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.inference import estimate, reconstruct_events, reduced_resolution
from napari_hsr.inference.estimates import run_estimate
from napari_hsr.models import load_model
from napari_hsr.models.architectures import residual_over_base
from napari_hsr.models.architectures.mstpp import MSTPlusPlus
from napari_hsr.models.architectures.per_pixel import PerPixel
from napari_hsr.models.card import ModelCard
from napari_hsr.models.state_dict import from_state_dict
from napari_hsr.notices import Code, has
from napari_hsr.photograph import Photograph

CARD = ModelCard(
    name="over",
    title="Over",
    architecture="mstpp",
    input_encoding="linear-srgb",
    units="reflectance",
    wavelengths_nm=tuple(float(nm) for nm in range(400, 701, 10)),
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    within = from_state_dict(MSTPlusPlus(width=8, stages=1).state_dict(), CARD)
    tensors = {f"base.{key}": value for key, value in PerPixel(31, 8).state_dict().items()}
    tensors["linear.spread"] = torch.rand(31, 3)
    made = residual_over_base.wrap(within, tensors)
    torch.nn.init.constant_(made.module.gate[2].bias, 0.5)
    return made


def photograph(height=50, width=71, edge=True) -> Photograph:
    y, x = np.mgrid[0:height, 0:width] / 60
    rgb = np.stack([0.2 + 0.3 * x, 0.3 + 0.2 * y, 0.25 + 0.1 * x], -1)
    if edge:
        rgb[:, width // 2 :] *= (0.4, 1.2, 0.8)
    return Photograph(rgb.astype(np.float32), "linear-srgb")


def cube(photo, model, **options):
    return np.asarray(napari_hsr.reconstruct(photo, model, **options).data)


@pytest.mark.parametrize("factor", [2, 3, 7])
def test_an_affine_correction_is_carried_exactly(factor, monkeypatch):
    monkeypatch.setattr(reduced_resolution, "SMOOTH", 1e-9)
    rng = np.random.default_rng(0)
    colours = rng.random((3, 6 * factor, 5 * factor)).astype(np.float32)
    matrix, constant = rng.normal(size=(4, 3)), rng.normal(size=(4, 1, 1))
    small = colours.reshape(3, 6, factor, 5, factor).mean((2, 4))
    added = np.einsum("bc,chw->bhw", matrix, small) + constant
    tile = next(iter(detail_tiles(6 * factor, 5 * factor)))
    made = (
        reduced_resolution.Correction(small.transpose(1, 2, 0), added, factor)
        .at(tile, colours)
        .numpy()
    )
    want = np.einsum("bc,chw->bhw", matrix, colours) + constant
    np.testing.assert_allclose(made, want, atol=2e-3)


def detail_tiles(height, width, side=None):
    from napari_hsr.inference.tiles.tiling import plan

    side = side or max(height, width)
    per_pixel = from_state_dict(
        PerPixel(31, 8).state_dict(), CARD.model_copy(update={"architecture": "per-pixel"})
    )
    return plan(height, width, per_pixel, (side, side))


def test_tiles_of_a_correction_fit_together():
    rng = np.random.default_rng(1)
    colours = rng.random((3, 40, 56)).astype(np.float32)
    small = colours.reshape(3, 10, 4, 14, 4).mean((2, 4)).transpose(1, 2, 0)
    correction = reduced_resolution.Correction(small, rng.normal(size=(5, 10, 14)), 4)
    (whole,) = detail_tiles(40, 56)
    want = correction.at(whole, colours).numpy()
    for tile in detail_tiles(40, 56, 13):
        at = slice(None), tile.rows.read, tile.columns.read
        got = correction.at(tile, colours[at]).numpy()
        np.testing.assert_allclose(got, want[at], rtol=1e-4, atol=1e-5)


def test_a_correction_that_is_no_longer_wanted_ends_before_its_next_band(monkeypatch):
    """On a large photograph all bands take many seconds."""
    rng, cancel, done = np.random.default_rng(1), threading.Event(), []
    smooth = reduced_resolution._smooth

    def noting(maps):
        if maps.shape[0] == 4:  # the last step of a band
            done.append(maps)
            cancel.set()
        return smooth(maps)

    monkeypatch.setattr(reduced_resolution, "_smooth", noting)
    with pytest.raises(Cancelled):
        reduced_resolution.Correction(
            rng.random((10, 14, 3)), rng.normal(size=(5, 10, 14)), 4, cancel
        )
    assert len(done) == 1


def test_fast_is_near_full_and_says_so(model):
    photo = photograph()
    full = cube(photo, model, detail="full")
    made = napari_hsr.reconstruct(photo, model, detail="fast")
    base = cube(photo, model.base)
    fast = np.asarray(made.data)
    assert fast.shape == full.shape == (31, 50, 71)
    assert np.square(fast - full).mean() < 0.1 * np.square(base - full).mean()
    assert has(made.notices, Code.DETAIL_FAST)
    assert any("reduced by 2" in step for step in made.provenance.steps)
    assert fast.min() >= 0


def test_the_time_left_is_told_from_the_first_pass_on():
    """That of what comes after the network is known from an earlier run."""
    model, options = load_model("mstpp-photo"), {"detail": "fast", "device": "cpu"}
    for _ in range(2):
        *events, _ = reconstruct_events(photograph(), model, **options)
    left = [event.seconds_left for event in events if event.message == "Reconstructing"]
    assert left[0] > 0
    assert all(one is None or one > 0 for one in left)  # None once it takes longer than known
    assert events[-1].seconds_left == 0
    assert sum(event.message.startswith("Fitting") for event in events) == 31  # a band each


def test_auto_is_fast_for_large_photographs_only(model, monkeypatch):
    photo = photograph()
    np.testing.assert_array_equal(cube(photo, model), cube(photo, model, detail="full"))
    monkeypatch.setattr(reduced_resolution, "LARGE_PIXELS", 1000)
    np.testing.assert_array_equal(
        cube(photo, model, device="cpu"), cube(photo, model, detail="fast", device="cpu")
    )
    # a model without a base is always run in full
    np.testing.assert_array_equal(
        cube(photo, "rootpoly-srgb"), cube(photo, "rootpoly-srgb", detail="full")
    )


def test_a_per_pixel_network_is_looked_up(monkeypatch):
    photo = photograph()
    full = cube(photo, "instant-photo", detail="full", precision="float32")
    made = napari_hsr.reconstruct(photo, "instant-photo", detail="fast")
    fast = np.asarray(made.data)
    assert np.square(fast - full).mean() < 2e-4**2 * np.square(full).mean()
    assert not np.array_equal(fast, full)
    assert has(made.notices, Code.DETAIL_FAST)
    assert made.provenance.model == "instant-photo"
    assert any("Looked up in a table" in step for step in made.provenance.steps)
    monkeypatch.setattr(reduced_resolution, "LARGE_PIXELS", 1000)
    np.testing.assert_array_equal(cube(photo, "instant-photo", device="cpu"), fast)
    assert estimate((50, 71), load_model("instant-photo"), device="cpu").bytes_working > 0


def test_a_pixel_without_a_value_stays_one(model):
    photo = photograph()
    photo.data[10, 20] = np.nan
    fast = cube(photo, model, detail="fast")
    missing = np.isnan(fast).any(0)
    assert missing[10, 20]
    assert missing.sum() == 1


def test_exposure(model):
    one = cube(photograph(), model, detail="fast")
    brighter = Photograph(2 * photograph().data, "linear-srgb")
    np.testing.assert_allclose(cube(brighter, model, detail="fast"), 2 * one, rtol=2e-3, atol=1e-4)


def test_what_is_refused(model):
    with pytest.raises(InputError, match="auto, full or fast"):
        cube(photograph(), model, detail="slow")
    with pytest.raises(InputError, match="rootpoly-srgb cannot be run fast"):  # not smooth enough
        cube(photograph(), "rootpoly-srgb", detail="fast")


def test_a_photograph_reduced_by_what_does_not_divide_it(model):
    small = reduced_resolution.reduced(photograph(), model, 8)
    assert small.data.shape == (7, 9, 3)
    photo = photograph().data
    np.testing.assert_allclose(small.data[0, 0], photo[:8, :8].mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(small.data[6, 8], photo[48:, 64:].mean((0, 1)), rtol=1e-5)


def test_the_estimate_counts_both_passes(model):
    size = (3000, 4000, 3)
    fast, full = (estimate(size, model, detail=d, device="cpu") for d in ("fast", "full"))
    assert fast.shape == full.shape == (31, 3000, 4000)
    assert estimate(size, model, device="cpu") == fast
    assert fast.bytes_output == full.bytes_output
    assert estimate((300, 400, 3), model, device="cpu").tiles == 1


def test_intervals_of_a_fast_run_are_called_approximate():
    photo = Photograph(np.full((16, 16, 3), 0.3, np.float32), "linear-srgb")
    codes = [
        [n.code for n in napari_hsr.reconstruct(photo, intervals=True, detail=d).notices]
        for d in ("fast", "full")
    ]
    assert [Code.INTERVALS_APPROXIMATE in found for found in codes] == [True, False]


def test_what_is_done_around_the_network_is_in_the_time_told(model, monkeypatch):
    reduced_resolution.measure_around(model, 2)
    small = reduced_resolution.around_seconds(100, 100, 31, 2)
    assert small > 0
    assert reduced_resolution.around_seconds(200, 200, 31, 2) == pytest.approx(4 * small)
    monkeypatch.setattr(run_estimate, "tile_seconds", lambda *_: 1.0)
    told = []
    for seconds in (0.0, 1000.0):
        monkeypatch.setattr(run_estimate, "around_seconds", lambda *_, s=seconds: s)
        told.append(estimate((200, 200, 3), model, detail="fast", device="cpu").seconds)
    assert told == [2.0, 1002.0]
