"""The general step: what a pass is, that the residual falls, when it ends, what it refuses."""

from __future__ import annotations

import threading
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from napari_hsr import Cube, refine
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.notices import Code
from napari_hsr.photograph import Photograph
from napari_hsr.progress import Progress
from napari_hsr.resample import (
    DEGRADATIONS,
    KINDS,
    Refinement,
    degrade,
    enlarge,
    find,
    refine_events,
    resize,
    shrink,
    upsample,
)


def scene(height, width, bands=6, seed=0):
    """Blurred noise: detail at several sizes, spectra that differ."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).random((bands, height, width))
    blurred = sum(gaussian_filter(noise, (1, s, s)) * s for s in (0.7, 2, 5))
    return Cube(blurred / blurred.max(), name="scene")


def last(*args, **options) -> Refinement:
    *progress, result = refine_events(*args, **options)
    assert all(isinstance(event, Progress) for event in progress)
    assert progress[-1].done == progress[-1].total
    return result


@pytest.mark.parametrize("gain", ["angle", "full"])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("kind", [*DEGRADATIONS, "gaussian:0.5", "gaussian:4"])
def test_the_residual_falls_with_every_pass_whatever_the_estimate(kind, scale, gain):
    truth = scene(9 * scale, 7 * scale)
    low = degrade(truth, scale, kind)
    guess = Cube(np.random.default_rng(5).random(truth.shape), name="guess")
    result = last(guess, low, degradation=kind, gain=gain, tolerance=0, iterations=12)
    figures = [step.rms for step in result.history]
    assert all(a > b for a, b in pairwise(figures))
    assert figures[-1] < 0.35 * figures[0]
    assert result.degradation == find(kind).name


@pytest.mark.parametrize("gain", ["angle", "full"])
@pytest.mark.parametrize("kind", ["bicubic-matlab", "bicubic-opencv", "bicubic-torch", "box"])
def test_it_is_the_textbook_s_loop_on_the_fine_grid(kind, gain):
    truth = scene(20, 28)
    low = degrade(truth, 4, kind)
    start = upsample(low, 4)
    passes = 3
    result = last(start, low, 4, kind, gain=gain, tolerance=0, iterations=passes)
    x, y = start.data.astype(float), low.data.astype(float)
    for number in range(passes):
        down = shrink(x, 4, kind)
        cosine = (down * y).sum(0) / np.linalg.norm(down, axis=0) / np.linalg.norm(y, axis=0)
        angle = np.degrees(np.arccos(cosine.clip(-1, 1))).mean()
        assert result.history[number].angle == pytest.approx(angle, rel=1e-3, abs=1e-4)
        c = min(1, angle) if gain == "angle" else 1.0
        x = x + enlarge(c * (y - down), 4, KINDS[kind].back)
    np.testing.assert_allclose(result.cube.data, x, atol=1e-5)
    left = np.sqrt(((y - shrink(x, 4, kind)) ** 2).mean(0))
    np.testing.assert_allclose(result.residual, left, atol=1e-5)
    first = np.sqrt(((y - shrink(start.data.astype(float), 4, kind)) ** 2).mean(0))
    np.testing.assert_allclose(result.before, first, atol=1e-6)


def test_it_ends_at_the_tolerance_or_after_the_passes():
    low = degrade(scene(32, 24), 4)
    start = upsample(low, 4)
    result = last(start, low, tolerance=1e-4, iterations=100)
    assert result.stopped == "tolerance"
    assert result.relative <= 1.01e-4
    length = float(np.sqrt(np.mean(low.data.astype(float) ** 2)))
    assert result.history[-2].rms > 1e-4 * length >= result.history[-1].rms
    assert np.sqrt(np.mean(result.residual**2)) == pytest.approx(result.relative * length, rel=1e-3)
    few = last(start, low, tolerance=0, iterations=2)
    assert (few.stopped, few.passes) == ("iterations", 2)
    assert "2 passes" in few.summary()
    again = last(result.cube, low, tolerance=1e-3)
    assert (again.stopped, again.passes) == ("tolerance", 0)
    np.testing.assert_array_equal(again.cube.data, result.cube.data)
    endless = last(start, low, tolerance=0, iterations=1000)
    assert endless.stopped == "no further"
    assert endless.relative < 1e-6


def test_a_tolerance_that_is_not_reached_is_said():
    low = degrade(scene(32, 24), 4)
    start = upsample(low, 4)
    reached = last(start, low, tolerance=1e-3, iterations=50)
    assert (reached.notices(), reached.cube.notices) == ((), start.notices)
    few = last(start, low, tolerance=1e-6, iterations=1)
    (told,) = few.notices()
    assert told.code == Code.RESIDUAL_ABOVE_TOLERANCE
    assert told == (
        f"The back-projection ended after 1 pass with a residual of {few.relative:.2g} of the "
        "coarse cube's values, above the tolerance of 1e-06."
    )
    assert few.cube.notices == (*start.notices, told)
    assert refine(start, low, tolerance=1e-6, iterations=1).notices == few.cube.notices
    for tolerance, end in (
        (1e-12, "above the tolerance of 1e-12, which is the rounding of float32."),
        (1e-60, "above the tolerance of 1e-60 and no further pass would lower it."),
    ):
        (told,) = last(start, low, tolerance=tolerance, iterations=1000).notices()
        assert told.endswith(end)
    assert last(start, low, tolerance=0, iterations=1).notices() == ()  # as many as there may be


def test_a_step_that_would_overshoot_is_shortened(monkeypatch):
    low = degrade(scene(16, 16), 2)
    up = resize.Resampler.up
    monkeypatch.setattr(resize.Resampler, "up", lambda *args: 5 * up(*args))
    result = last(upsample_plain(low), low, tolerance=1e-3, iterations=40)
    figures = [step.rms for step in result.history]
    assert all(a > b for a, b in pairwise(figures))
    assert result.stopped == "tolerance"
    assert 0 < result.history[1].gain < 0.5


def upsample_plain(low):
    return Cube(np.kron(low.data, np.ones((1, 2, 2), np.float32)), name="plain")


def test_it_comes_nearer_to_the_truth_and_not_with_a_wrong_degradation():
    truth = scene(64, 64)
    low = degrade(truth, 4)
    start = upsample(low, 4)

    def error(cube):
        return float(np.sqrt(np.mean((cube.data - truth.data) ** 2)))

    assert error(refine(start, low)) < 0.95 * error(start)
    assert error(refine(start, low, degradation="opencv-bicubic")) > error(refine(start, low))


def test_in_parts_and_as_tensors_it_is_the_same(monkeypatch):
    import torch

    low = degrade(scene(36, 20), 4)
    start = upsample(low, 4)
    whole = last(start, low, iterations=4)
    placed = last(start, low, iterations=4, place=torch.from_numpy)
    monkeypatch.setattr(resize, "PART_BYTES", 1500)
    parts = last(start, low, iterations=4)
    for other in (placed, parts):
        np.testing.assert_allclose(other.cube.data, whole.cube.data, atol=2e-6)
        np.testing.assert_allclose(other.residual, whole.residual, atol=2e-6)
        assert isinstance(other.cube.data, np.ndarray)


def test_memory_is_the_result_and_some_coarse_cubes(monkeypatch):
    monkeypatch.setattr(resize, "PART_BYTES", 2**17)
    low = Cube(np.random.default_rng(0).random((6, 48, 48), np.float32))
    start = upsample(low, 8)
    tracemalloc.start()
    try:
        last(start, low, iterations=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < start.data.nbytes + 8 * low.data.nbytes + 12 * 2**17


def test_history_of_the_cube_and_single_pixels_and_black():
    low = Cube(np.zeros((5, 1, 1), np.float32), name="black")
    result = last(upsample(low, 2), low)
    assert result.stopped == "tolerance"
    assert not result.cube.data.any()
    lit = last(Cube(np.ones((5, 2, 2)), name="lit"), low, tolerance=0, iterations=5)
    assert np.abs(lit.cube.data).max() < 1e-6
    assert "against black" in lit.cube.provenance.steps[-1]
    assert "MATLAB's imresize" in lit.cube.provenance.steps[-1]


def test_cancelling():
    low = degrade(scene(16, 16), 2)
    cancel = threading.Event()
    events = refine_events(upsample(low, 2), low, cancel=cancel)
    next(events)
    cancel.set()
    with pytest.raises(Cancelled):
        list(events)


def test_bad_input_in_one_sentence():
    low = degrade(scene(24, 24), 4)
    high = upsample(low, 4)
    for fine, coarse, scale, sentence in (
        (Cube(high.data[:, :23]), low, None, "which do not divide"),
        (high, low, 2, "is ×4 and not ×2"),
        (low, low, None, "already at the target size"),
        (low, high, None, "which do not divide"),
        (Cube(high.data[:5]), low, None, "has 5 bands and"),
        (
            high,
            Photograph(np.zeros((6, 6, 3)), encoding="srgb", name="photo"),
            None,
            "coarse must be a Cube",
        ),
        (
            high.with_wavelengths(range(400, 460, 10)),
            low.with_wavelengths(range(6, 12)),
            4,
            "waveleng",
        ),
    ):
        with pytest.raises(InputError, match=sentence):
            refine(fine, coarse, scale)
    for options, sentence in (
        ({"gain": "none"}, "gain 'none'"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"iterations": 0}, "passes"),
        ({"degradation": "nearest"}, "no resampling 'nearest'"),
    ):
        with pytest.raises(InputError, match=sentence):
            refine(high, low, **options)
    with pytest.raises(InputError, match="has no values: all are NaN"):
        refine(high, low.replace(data=np.full_like(low.data, np.nan)))
