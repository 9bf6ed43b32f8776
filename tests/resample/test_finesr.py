"""FineSR in the original's form, against the original run in GNU Octave."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from napari_hsr import Cube
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.resample import finesr_events, imresize, resize

from .published_finesr import finesr, gain

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(params=[1, 2])
def golden(request):
    with np.load(GOLDEN / f"finesr_case{request.param}.npz") as held:
        return {k: held[k].transpose(2, 0, 1) if held[k].ndim == 3 else held[k] for k in held}


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_golden(golden, kind):
    import torch

    given = (golden["U"], golden["V"])
    if kind == "torch":
        given = tuple(torch.from_numpy(np.ascontiguousarray(x)) for x in given)
    made = np.asarray(finesr(*given, iterations=int(golden["iters"])))
    assert made.dtype == np.float64
    np.testing.assert_allclose(made, golden["sr"], rtol=0, atol=1e-6)


def test_the_mean_angle_is_the_original_s_and_counts_up_to_one_degree(golden):
    low, goal = imresize(golden["U"].astype(float), 1 / 2), golden["V"].astype(float)
    assert gain(low, goal) == 1.0  # 1.5° and 3.8°
    half_a_degree = np.stack([np.ones((3, 3)), np.full((3, 3), np.tan(np.radians(0.5)))])
    flat = np.stack([np.ones((3, 3)), np.zeros((3, 3))])
    assert gain(half_a_degree, flat) == pytest.approx(0.5)
    # its epsilon makes a black pixel against a dim one count as no angle at all
    assert gain(np.zeros_like(flat), flat / 2) == 0.0


@pytest.mark.parametrize("part", [2**25, 1500])
def test_over_cubes_in_parts_it_is_the_same(golden, part, monkeypatch):
    monkeypatch.setattr(resize, "PART_BYTES", part)
    # an angle below a degree, so that the gain is not just 1
    fine = golden["U"].astype(np.float32)
    half = imresize(fine, 1 / 2) + np.float32(0.002) * golden["V"].astype(np.float32)
    expected = finesr(fine, half)
    given = Cube(fine.copy(), name="fine"), Cube(half.copy(), name="half")
    *progress, made = finesr_events(*given)
    assert 0 < made.gain < 1
    np.testing.assert_allclose(made.cube.data, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(given[0].data, fine)
    np.testing.assert_array_equal(given[1].data, half)
    assert [p.done for p in progress] == sorted({p.done for p in progress})
    assert progress[-1].done == progress[-1].total
    place = given[0].data
    *_, again = finesr_events(*given, overwrite=True)
    np.testing.assert_array_equal(again.cube.data, made.cube.data)
    assert again.cube.data is place
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        list(finesr_events(*given, cancel=cancel))


def test_bad_input(golden):
    cubes = Cube(golden["U"], name="fine"), Cube(golden["V"][:, 1:], name="half")
    with pytest.raises(InputError, match="do not divide"):
        list(finesr_events(*cubes))
    broken = golden["U"].copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        list(finesr_events(Cube(broken), Cube(golden["V"])))
