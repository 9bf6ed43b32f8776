"""Overlapping windows for networks that know only crops of one size: blended without a seam."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from napari_hsr.inference import reconstruct, reconstruct_events
from napari_hsr.inference.run_plan import plan_run
from napari_hsr.inference.tiles.tiling import windows
from napari_hsr.models import ModelCard
from napari_hsr.models.model import Model

CARD = ModelCard(
    name="toy",
    title="A toy",
    architecture="toy",
    input_encoding="linear-srgb",
    wavelengths_nm=(500, 550, 600),
)


def plan(height, width, model, tile="auto"):
    """The tiles of an image on the CPU."""
    return plan_run(model, height, width, tile=tile, device="cpu").tiles


class Spy(torch.nn.Module):
    """The image itself, enlarged; remembers the sizes it was given."""

    def __init__(self, scale=1, by_size=False):
        super().__init__()
        self.scale, self.by_size, self.sizes = scale, by_size, []

    def forward(self, x):
        self.sizes.append(tuple(x.shape[-2:]))
        if self.by_size:
            x = x * 0 + len(self.sizes)
        return x.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


def toy(window=16, scale=1, **options):
    return Model(
        module=Spy(scale, **options),
        card=CARD,
        weights_sha256="",
        bands=3,
        context=None,
        window=window,
        scale=scale,
    )


@pytest.mark.parametrize("length", [1, 15, 16, 17, 28, 29, 64, 100])
@pytest.mark.parametrize("side", [1, 2, 8, 16])
def test_windows_cover_every_pixel_with_weights_that_sum_to_one(length, side):
    spans = windows(length, side)
    cores = np.concatenate([np.arange(length)[s.core] for s in spans])
    np.testing.assert_array_equal(cores, np.arange(length))
    assert {s.read.stop - s.read.start for s in spans} == {min(length, side)}
    if length <= side:
        assert [s.weights for s in spans] == [None]
        return
    total = np.zeros(length)
    for span in spans:
        assert (span.weights > 0).all()
        total[span.read] += span.weights
        assert span.read.start <= span.core.start <= span.core.stop <= span.read.stop
    assert (total == 1).all()
    for one, two in pairwise(spans):
        assert one.read.stop - two.read.start >= side // 4


@pytest.mark.parametrize("size", [(16, 16), (5, 40), (33, 47), (16, 17)])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_network_without_context_gives_the_same_in_windows_and_whole(size, scale):
    image = np.random.default_rng(1).random((*size, 3)).astype(np.float32)
    model = toy(scale=scale)
    cube = reconstruct(image, model, device="cpu")
    whole = reconstruct(image, model, tile="whole", device="cpu")
    np.testing.assert_allclose(cube.data, whole.data, atol=3e-7)
    assert cube.value_range == pytest.approx(whole.value_range, abs=1e-6)
    assert set(model.module.sizes[:-1]) == {(min(16, size[0]), min(16, size[1]))}
    assert model.module.sizes[-1] == size


def test_one_window_is_the_whole_image_to_the_last_bit():
    image = np.random.default_rng(1).random((16, 12, 3)).astype(np.float32)
    windowed, whole = (reconstruct(image, toy(), tile=t).data for t in ("auto", "whole"))
    np.testing.assert_array_equal(windowed, whole)


def test_a_blend_stays_within_what_is_blended():
    cube = reconstruct(np.ones((50, 61, 3)), toy(), device="cpu")
    assert cube.value_range == (1, 1)


def test_windows_that_differ_are_blended_without_a_step():
    cube = reconstruct(np.zeros((16, 40, 3)), toy(by_size=True))
    row = cube.data[0, 5]
    assert (row[0], row[-1]) == pytest.approx((1, 3))
    assert np.diff(row).min() >= 0
    assert np.diff(row).max() < 0.5


def test_pixels_are_counted_once_where_windows_overlap():
    image = np.zeros((24, 40, 3), np.uint8)
    image[:, 10:30] = 255
    notices = reconstruct(image, toy()).notices
    assert notices[0].startswith(f"{24 * 20} pixels")


def test_the_user_is_told():
    image = np.zeros((20, 40, 3))
    model = replace(toy(), notices=("Not trained for this.",))
    said = {tile: reconstruct(image, model, tile=tile).notices for tile in ("auto", "whole", 20)}
    assert "6 overlapping windows of 16 × 16 pixels" in said["auto"][0]
    assert "as the network was trained" in said["auto"][0]
    assert "trained on crops of 16 × 16 pixels only" in said["whole"][0]
    assert "windows of 20 × 20 pixels" in said[20][0]
    assert "trained on crops of 16 × 16 pixels" in said[20][0]
    assert all(notices[-1] == "Not trained for this." for notices in said.values())
    assert reconstruct(np.zeros((8, 8, 3)), toy()).notices == ()


def test_progress_counts_windows():
    steps = [e.done for e in reconstruct_events(np.zeros((20, 40, 3)), toy()) if hasattr(e, "done")]
    assert steps[-1] == len(plan(20, 40, toy())) == 6
