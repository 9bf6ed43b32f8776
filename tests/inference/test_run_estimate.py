"""What a run will take in memory and time is told before it begins."""

from __future__ import annotations

import threading
import weakref
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_hsr import Cube, load_model
from napari_hsr.errors import InputError
from napari_hsr.inference import (
    estimate,
    estimate_super_resolution,
    reconstruct_events,
    super_resolve,
    super_resolve_events,
)
from napari_hsr.inference.estimates import network_speed, speed, speed_probe
from napari_hsr.inference.run_plan import plan_run
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.resample import find, refine_events


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return from_state_dict(CoarSR(4, width=8, blocks=1).state_dict())


def test_an_interpolation_takes_its_result_and_a_few_coarse_cubes():
    bicubic = find("bicubic-matlab")
    plain = estimate_super_resolution((31, 256, 256), bicubic, 4)
    assert plain.shape == (31, 1024, 1024)
    assert plain.bytes_output == 4 * 31 * 1024**2
    assert plain.tiles == 0
    refined = estimate_super_resolution((31, 256, 256), bicubic, 4, refine=True)
    assert refined.bytes_working - plain.bytes_working == 3 * 4 * 31 * 256**2
    assert refined.words().startswith(
        "The cube of 1024 × 1024 pixels in 31 bands takes 130 MB of memory, and computing it about "
        "158 MB more. "
    )
    assert refined.seconds > plain.seconds > 0  # both measured on a small cube


class Counted(np.ndarray):
    """An array that counts how much of its kind is held at once."""

    held = most = 0

    def __array_finalize__(self, _parent):
        if self.flags.owndata:
            kind, size = type(self), self.nbytes
            kind.held += size
            kind.most = max(kind.most, kind.held)
            weakref.finalize(self, kind._gone, size)

    @classmethod
    def _gone(cls, size):
        cls.held -= size


def test_back_projection_stays_within_what_was_said_of_it():
    class Here(Counted):
        pass

    bicubic, rng = find("bicubic-matlab"), np.random.default_rng(0)
    coarse = Cube(rng.random((31, 40, 36), np.float32))
    fine = Cube(rng.random((31, 160, 144), np.float32))
    whole = 4 * coarse.data.size
    for _ in refine_events(
        fine, coarse, 4, iterations=3, place=lambda x: np.array(x).view(Here).copy()
    ):
        pass
    takes = estimate_super_resolution(coarse.shape, bicubic, 4, refine=True).bytes_working
    assert 5 * whole < Here.most <= takes


def test_what_the_network_leaves_behind_is_there_while_its_result_is_refined(model):
    bicubic, shape = find("bicubic-matlab"), (31, 300, 200)
    alone = estimate_super_resolution(shape, bicubic, 4, refine=True)
    after = estimate_super_resolution(shape, model, 4, refine=True, tile=16)
    assert after.bytes_working > alone.bytes_working + 20e6


def test_a_network_is_counted_with_the_bands_of_the_cube(model):
    few, many = (
        estimate_super_resolution((bands, 300, 200), model, 4, tile=64) for bands in (8, 31)
    )
    assert many.tiles == few.tiles == 20
    assert "in 20 tiles" in many.words()
    assert many.bytes_working > few.bytes_working
    assert (
        "from the whole image at once"
        in estimate_super_resolution((8, 20, 20), model, 4, tile="whole").words()
    )


def test_the_number_of_tiles_is_that_of_the_run(model):
    cube = Cube(np.random.default_rng(0).random((5, 40, 33)))
    *_, result = super_resolve_events(cube, model, tile=16)
    assert result.tiles == estimate_super_resolution(cube.shape, model, 4, tile=16).tiles == 9


def test_an_option_that_does_not_fit_is_refused(model):
    with pytest.raises(InputError, match="float16"):
        estimate_super_resolution((5, 8, 8), model, 4, precision="float16")


# --- time ------------------------------------------------------------------------------------------

IMAGE = np.random.default_rng(0).random((64, 64, 3), np.float32)


def test_the_time_is_unknown_until_such_a_run_was_made():
    model = load_model("rootpoly-srgb")
    options = {"tile": 32, "device": "cpu", "probe": False}
    run = {"tile": 32, "device": "cpu"}
    assert estimate(IMAGE.shape, model, **options).seconds is None
    *_, result = reconstruct_events(IMAGE, model, **run)
    known = estimate(IMAGE.shape, load_model("rootpoly-srgb"), **options).seconds
    assert 0 < known <= result.seconds  # the run also reads, allocates and describes
    larger = estimate((640, 640, 3), model, **options).seconds
    assert larger == pytest.approx(100 * known)
    for other in ({"tile": 4}, {"ensemble": "mean"}, {"tile": "whole", "ensemble": "strips"}):
        assert estimate(IMAGE.shape, model, **{**options, **other}).seconds is None
    assert estimate(IMAGE.shape, load_model("rootpoly-nikon-d700"), **options).seconds is None


def test_small_images_are_measured_where_nothing_is_known():
    model, options = load_model("instant-photo"), {"device": "cpu", "detail": "full"}
    times = [estimate((side, side), model, **options).seconds for side in (30, 300, 3000)]
    assert 0 < times[0] < times[1] < times[2]
    often = estimate((3000, 3000), model, ensemble="mean", **options).seconds
    assert times[2] < often < 8 * times[2]  # each pixel is read and written once
    disk = {**options, "on_disk": True}
    assert estimate((3000, 3000), model, probe=False, **disk).seconds is None
    assert estimate((3000, 3000), model, **disk).seconds > 0


def test_the_tiles_of_a_run_are_one_measurement():
    """Those at the beginning of a row take longer: most would not stand for all."""
    run = plan_run(load_model("rootpoly-srgb"), 40, 160, device="cpu", tile=40)
    pace = network_speed.Pace(run)
    for tile, seconds in zip(run.tiles, (5, 1, 1, 1), strict=True):
        pace.add(tile, seconds)
    assert network_speed.tile_seconds(run, run.tiles) == pytest.approx(8)
    later = network_speed.Pace(run)
    for tile in run.tiles:
        later.add(tile, 3)
    assert network_speed.tile_seconds(run, run.tiles) == pytest.approx(10)  # between both runs


def test_the_first_pass_over_each_size_is_not_counted(monkeypatch):
    """Libraries prepare themselves in it, which had doubled the time told of large networks."""
    run, clock, seen = plan_run(load_model("instant-photo"), 500, 640, device="cpu"), [0.0], set()

    def passed(_module, images):
        height, width = images.shape[-2:]
        clock[0] += 1e-5 * height * width + (0 if height in seen else 5)
        seen.add(height)
        return images

    monkeypatch.setattr(speed_probe.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(speed_probe, "_around", lambda _: 1e-9)
    speed_probe.measure(run, SimpleNamespace(run=passed))
    assert network_speed.tile_seconds(run, run.tiles) == pytest.approx(1e-5 * 500 * 640, rel=0.01)
    assert max(seen) == 192  # the largest that takes less than half a second


def test_the_time_of_many_tiles_is_looked_up_once_for_each_size(monkeypatch):
    """A thousand tiles took a tenth of a second, at every report of progress."""
    run = plan_run(load_model("rootpoly-srgb"), 400, 400, device="cpu", tile=10)
    asked = []
    monkeypatch.setattr(
        network_speed, "expected_seconds", lambda work, amount: asked.append(1) or amount
    )
    assert network_speed.tile_seconds(run, run.tiles) == 400**2
    assert len(asked) < 10


def test_what_was_measured_is_known_to_the_next_process(monkeypatch):
    model, options = load_model("instant-photo"), {"device": "cpu", "detail": "full"}
    known = estimate((300, 300), model, **options).seconds
    speed.forget()
    assert estimate((300, 300), model, probe=False, **options).seconds == known
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        assert estimate((300, 300), model, probe=False, **options).seconds is None
    finally:
        torch.set_num_threads(threads)
    monkeypatch.setattr(speed, "_processor", lambda: "another")
    assert estimate((300, 300), model, probe=False, **options).seconds is None


@pytest.mark.parametrize("damaged", ["", "[1]", '{"a": 3}', '{"a": ["x"]}', '{"a": [-1]}'])
def test_a_damaged_file_of_measurements_counts_as_empty(damaged):
    speed.file().parent.mkdir(parents=True, exist_ok=True)
    speed.file().write_text(damaged)
    speed.remember(("a",), 2, 3)
    assert speed.expected_seconds(("a",), 4) == 6
    speed.keep()
    speed.forget()
    assert speed.expected_seconds(("a",), 4) == 6


def test_a_machine_whose_cache_cannot_be_written_measures_again(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(speed.FILE_VARIABLE, str(tmp_path / "file" / "speed.json"))
    speed.remember(("a",), 1, 1)
    speed.keep()
    assert speed.expected_seconds(("a",), 1) == 1
    speed.forget()
    assert speed.expected_seconds(("a",), 1) is None


def test_the_time_is_told():
    found = estimate((300, 300, 3), load_model("rootpoly-srgb"), device="cpu")
    words = replace(found, seconds=None).words()
    assert words.endswith("image at once.")
    assert replace(found, seconds=0.4).words() == f"{words} Less than a second on this device."
    assert replace(found, seconds=75).words() == f"{words} About 75 s on this device."


@pytest.mark.parametrize("refine", [False, True])
def test_the_time_of_a_super_resolution_has_that_of_its_refinement(model, refine):
    cube = Cube(np.random.default_rng(0).random((5, 40, 33)))
    for upscaler in (model, find("bicubic-matlab")):
        run = {"refine": refine, "device": "cpu"}
        options = {**run, "probe": False}
        assert estimate_super_resolution(cube.shape, upscaler, 4, **options).seconds is None
        *_, result = super_resolve_events(cube, upscaler, 4, **run)
        known = estimate_super_resolution(cube.shape, upscaler, 4, **options).seconds
        assert 0 < known <= result.seconds
        speed.file().unlink()
        speed.forget()
    super_resolve(cube, model, refine=not refine, device="cpu")
    assert estimate_super_resolution(cube.shape, model, 4, **options).seconds is None


def test_progress_tells_the_time_left():
    model = load_model("rootpoly-srgb")
    for known in (False, True):
        *events, _ = reconstruct_events(IMAGE, model, tile=32, device="cpu")
        left = [event.seconds_left for event in events[1:]]
        assert (left[0] is not None) == known
        assert all(seconds > 0 for seconds in left[1:-1])
        assert left[-1] == 0


def test_what_was_measured_on_a_disk_gives_no_signs_of_life_any_more():
    run = plan_run(load_model("rootpoly-srgb"), 16, 16, device="cpu", on_disk=True)
    before = set(threading.enumerate())
    assert speed_probe._around(run) > 0
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert "napari-hsr alive" not in left
