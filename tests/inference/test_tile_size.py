"""Automatic tiles by the memory that is free, and what is said of it before the run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_hsr import load_model
from napari_hsr.errors import InputError
from napari_hsr.inference import estimate, memory_budget, reconstruct, reconstruct_events
from napari_hsr.inference.estimates.memory_use import PeakMemory
from napari_hsr.inference.run_plan import plan_run
from napari_hsr.inference.tiles.tiling import CHEAP_BYTES, notice
from napari_hsr.models import ModelCard
from napari_hsr.models.model import Model, TileDifference
from napari_hsr.models.optimised_copy import prepared

CARD = ModelCard(
    name="toy",
    title="A toy",
    architecture="toy",
    input_encoding="linear-srgb",
    wavelengths_nm=(500, 550, 600),
)
GB = 10**9


def plan(height, width, model, tile="auto"):
    """The tiles of an image on the CPU."""
    return plan_run(model, height, width, tile=tile, device="cpu").tiles


def toy(**facts):
    return Model(
        module=torch.nn.Identity(),
        card=CARD,
        weights_sha256="",
        **{"bands": 3, "bytes_per_pixel": 3000, **facts},
    )


@pytest.fixture
def free(monkeypatch):
    """Sets how much memory is free."""
    return lambda count: monkeypatch.setattr(memory_budget, "free", lambda device=None: int(count))


def taken(height, width, model, **options):
    return estimate((height, width), model, **options).bytes_working


def waste(height, width, tiles):
    return sum(t.shape[0] * t.shape[1] for t in tiles) / (height * width)


def test_a_pixel_wise_model_takes_small_cheap_tiles_whatever_is_free(free):
    model, plans = load_model("rootpoly-srgb"), []
    for count in (0.2 * GB, 4 * GB, 500 * GB):
        free(count)
        plans.append(plan(4000, 6000, model))
    assert plans[0] == plans[1] == plans[2]
    assert plans[0][0].shape == (640, 640)


@pytest.mark.parametrize("context", [1, 8, 20])
def test_small_context_keeps_small_cheap_tiles(free, context):
    free(64 * GB)
    model = toy(context=context)
    assert taken(4000, 6000, model) <= 1.5 * CHEAP_BYTES
    assert waste(4000, 6000, plan(4000, 6000, model)) <= 1.6


@pytest.mark.parametrize("context", [35, 70, 160])
@pytest.mark.parametrize("size", [(1500, 2200), (4000, 6000), (300, 5000)])
def test_large_context_does_not_waste_the_work(free, size, context):
    free(24 * GB)
    model = toy(context=context)
    tiles = plan(*size, model)
    assert waste(*size, tiles) <= 2.3
    assert taken(*size, model) <= 12 * GB


def test_cores_are_even(free):
    """The last row of tiles is no sliver that reads as far around as the others."""
    free(16 * GB)
    for size in ((482, 512), (1000, 1500), (4000, 6000)):
        tiles = plan(*size, toy(context=35, size_multiple=8))
        heights = {t.rows.core.stop - t.rows.core.start for t in tiles}
        assert max(heights) - min(heights) <= 8 * len({t.rows.core.start for t in tiles})
        assert all(t.rows.core.start % 8 == t.columns.core.start % 8 == 0 for t in tiles)


def test_where_nothing_fits_the_tile_is_the_best_there_is(free):
    free(1 * GB)
    model = toy(context=160)
    assert len(plan(4000, 6000, model)) > 1
    assert taken(4000, 6000, model) <= 0.5 * GB


@pytest.mark.parametrize("available", [2 * GB, 8 * GB, 64 * GB, 2000 * GB])
@pytest.mark.parametrize("size", [(480, 512), (1000, 1500), (4000, 6000), (400, 9000)])
def test_the_whole_image_is_run_while_memory_allows(free, size, available):
    free(available)
    model = toy(context=None, bands=31)
    found = estimate(size, model)
    whole = estimate(size, model, tile="whole")
    least = min(0.4 * GB, available / 2)
    room = max(available / 2 - found.bytes_output, least)
    assert (found.tiles == 1) == (whole.bytes_working <= min(8 * GB, room))
    if found.tiles > 1:
        most = min(room, max(3.4 * GB - found.bytes_output, least))
        # windows are made even, but fill the budget
        assert most / 4 <= found.bytes_working <= most
        tiles = plan(*size, model)
        assert waste(*size, tiles) <= 2
        assert len({t.shape for t in tiles}) == 1


def test_a_large_photograph_stays_within_four_gigabytes(free):
    free(2000 * GB)
    found = estimate((4000, 6000, 3), toy(context=None, bands=31, bytes_per_pixel=3500))
    assert found.bytes_output == 4000 * 6000 * 31 * 4
    assert found.bytes_output + found.bytes_working + memory_budget.PROCESS <= 4 * GB


def test_half_of_a_gpus_memory_is_used(monkeypatch):
    class Device:
        type = "cuda"

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (60 * GB, 80 * GB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 5 * GB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1 * GB)
    found = memory_budget.budget(toy(), 4 * 3 * 4000 * 6000, Device(), "float32")
    assert found == (32 * GB,) * 3


def test_ensembles_take_memory_too(free):
    free(8 * GB)
    model = toy(context=None, bands=31)
    single, mean, median = (
        taken(500, 500, model, tile="whole", ensemble=e) for e in ("single", "mean", "median")
    )
    cube = 500 * 500 * 31 * 4
    assert mean - single == 2 * cube
    assert median - single == 9 * cube
    free(8 * GB)
    many = estimate((1000, 1000), model, ensemble="median")
    assert many.tiles > estimate((1000, 1000), model).tiles == 1


def test_an_estimate_is_what_a_run_takes(returned_memory):
    """Each pixel of a tile takes 500 floats and no more on the way."""

    class Wide(torch.nn.Module):
        def forward(self, x):
            return x.mean(1, keepdim=True).expand(-1, 500, -1, -1).contiguous()[:, :3]

    model = replace(toy(context=None, bytes_per_pixel=2000), module=Wide())
    image = np.random.default_rng(0).random((700, 900, 3), dtype=np.float32)
    reconstruct(image[:64, :64], model, device="cpu")  # libraries are loaded
    for tile in ("whole", 400):
        said = estimate(image.shape, model, tile, device="cpu")
        with PeakMemory() as memory:
            *_, result = reconstruct_events(image, model, tile=tile, device="cpu")
        assert result.tiles == said.tiles
        assert result.cube.data.nbytes == said.bytes_output
        total = said.bytes_output + said.bytes_working
        assert 0.6 * total < memory.bytes < 1.1 * total


def test_what_is_said_before_the_run(free):
    free(16 * GB)
    model = toy(context=None, bands=31)
    assert estimate((4000, 6000), model, "whole").words() == (
        "The cube of 4000 × 6000 pixels in 31 bands takes 3.0 GB of memory, and computing it about "
        "76.1 GB more, from the whole image at once."
    )
    assert estimate((100, 100), model, 60).words() == (
        "The cube of 100 × 100 pixels in 31 bands takes 1 MB of memory, and computing it about "
        "11 MB more, in 4 tiles."
    )


def test_no_estimate_is_zero():
    said = estimate((1, 1), toy()).words()
    assert said.startswith("The cube of 1 × 1 pixels in 3 bands takes less than 1 kB of memory, ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tile": 0}, "tile"),
        ({"precision": "half"}, "no precision"),
        ({"device": "tpu"}, "no device"),
        ({"ensemble": "best"}, "no ensemble"),
    ],
)
def test_estimates_of_nonsense_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        estimate((10, 10), toy(context=None), **options)


def test_an_explicit_tile_of_a_model_of_the_whole_image_is_blended_and_said():
    model = toy(context=None, tile_difference=TileDifference(0.0123))
    image = np.random.default_rng(0).random((30, 41, 3), dtype=np.float32)
    cube = reconstruct(image, model, tile=16)
    np.testing.assert_allclose(cube.data, image.transpose(2, 0, 1), atol=1e-6)
    assert cube.notices == (
        "Computed in 12 overlapping tiles of 16 × 16 pixels, blended: toy depends on the whole "
        "image, and its result in tiles differs, by more, in tiles this small, than the 1.2% of its root mean square measured with random weights of the published size in "
        "tiles of 128 × 128 of 256 × 256 pixels.",
    )
    as_measured = notice(model, plan(200, 300, model, 128))
    assert as_measured.endswith(
        "in tiles differs, by 1.2% of its root mean square, as measured with random weights of the "
        "published size in tiles of 128 × 128 of 256 × 256 pixels."
    )
    assert "by more, in tiles this small" in notice(model, plan(20, 30, model, 1))
    assert reconstruct(image, model).notices == ()
    assert reconstruct(image, toy(context=3), tile=16).notices == ()
    unmeasured = reconstruct(image, toy(context=None), tile=16).notices[0]
    assert unmeasured.endswith("its result in tiles differs.")


def test_what_a_network_takes_for_any_image_is_counted_once(free):
    free(8 * GB)
    plain, heavy = (toy(context=None, bands=31, bytes_fixed=n) for n in (0, 100_000_000))
    for size in ((64, 64), (500, 400)):
        assert taken(*size, heavy) - taken(*size, plain) == 100_000_000
    assert estimate((2000, 3000), heavy).bytes_working <= 3.4 * GB
    free(0.9 * GB)
    size = (400, 300)
    assert estimate(size, plain).tiles == 1 < estimate(size, heavy).tiles


class Copied(torch.nn.Module):
    """What inference runs in place of a network: as large as it is wanted."""

    def __init__(self, exact, count):
        super().__init__()
        self.exact = exact
        held = torch.zeros(count // 4, device=exact.weight.device)
        self.register_buffer("laid_out", held)

    def forward(self, image):
        return image + 0 * self.exact.weight.sum()


def copied(count, **facts):
    return replace(
        toy(**{"context": None, "bands": 31, **facts}),
        module=torch.nn.Linear(1, 1),
        prepare=lambda module, precision: Copied(module, count),
    )


def test_the_copy_of_the_network_is_part_of_what_a_run_takes_until_it_is_there(
    free, returned_memory
):
    free(64 * GB)
    image = np.random.default_rng(0).random((40, 50, 3), dtype=np.float32)
    model, plain = copied(120_000_000, bands=3), toy(context=None)
    said = estimate(image.shape, model, device="cpu")
    assert said.bytes_copy == 120_000_000
    assert said.bytes_working - taken(40, 50, plain) == 120_000_000
    assert (
        "about 126 MB more (120 MB of it for a copy of the network that later runs share), from "
        in said.words()
    )
    with PeakMemory() as memory:
        reconstruct(image, model, device="cpu")
    assert 110e6 < memory.bytes < 1.1 * (said.bytes_working + said.bytes_output)
    again = estimate(image.shape, model, device="cpu")
    assert again == estimate(image.shape, plain, device="cpu")
    assert "copy" not in again.words()


def test_tiles_leave_room_for_the_copy_and_are_the_same_once_it_is_there(free):
    free(0.9 * GB)
    assert estimate((400, 300), copied(4), device="cpu").tiles == 1
    assert estimate((400, 300), copied(100_000_000), device="cpu").tiles > 1
    free(500 * GB)
    model = copied(100_000_000, bytes_per_pixel=30_000)
    first = plan(2000, 1000, model)
    assert first != plan(2000, 1000, copied(4, bytes_per_pixel=30_000))
    prepared(model, "float32")
    assert plan(2000, 1000, model) == first
