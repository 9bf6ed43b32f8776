"""Which cubes can be compared, on which bands, and what is said about it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.metrics import evaluate, match

from .pairs import OnDisk, pair

VISIBLE = np.arange(400, 701, 10.0)


def cube(nm, values=None, assumed=False) -> Cube:
    if values is None:
        values = np.random.default_rng(len(nm)).random((len(nm), 12, 13), dtype=np.float32)
    return Cube(values, None if nm is None else Wavelengths(nm, assumed))


def test_one_grid_is_compared_as_it_is():
    prediction, truth = cube(VISIBLE), cube(VISIBLE + 0.4)
    p, t, wavelengths, notes = match(prediction, truth)
    assert p is prediction.data
    assert t is truth.data
    assert wavelengths == truth.wavelengths
    assert notes == ()


@pytest.mark.parametrize("swap", [False, True])
def test_a_grid_inside_a_finer_one(swap):
    fine = cube(np.arange(380, 1001, 5) + 0.2)
    coarse = cube(VISIBLE)
    pair_ = (coarse, fine) if swap else (fine, coarse)
    p, t, wavelengths, notes = match(*pair_)
    inside = fine.data[4:65:2]
    np.testing.assert_array_equal(t if swap else p, inside)
    np.testing.assert_array_equal(p if swap else t, coarse.data)
    np.testing.assert_array_equal(wavelengths.nm, VISIBLE + 0.2 if swap else VISIBLE)
    assert np.shares_memory(t if swap else p, fine.data)
    assert len(notes) == 1
    assert "31 common bands" in notes[0]
    assert ("truth's 125 bands" if swap else "prediction's 125 bands") in notes[0]


def test_bands_at_irregular_places_are_found():
    fine, coarse = cube(np.arange(400, 701, 10)), cube([400, 450, 640])
    p, _, wavelengths, _ = match(fine, coarse)
    np.testing.assert_array_equal(p, fine.data[[0, 5, 24]])
    assert list(wavelengths) == [400, 450, 640]


def test_common_bands_of_a_lazy_cube_stay_lazy():
    values = np.random.default_rng(0).random((31, 12, 13), dtype=np.float32)
    lazy = OnDisk(values)
    coarse = cube([400, 450, 640], values[[0, 5, 24]])
    p, _, _, _ = match(cube(VISIBLE, lazy), coarse)
    assert lazy.reads == []
    assert p.shape == (3, 12, 13)
    assert p.dtype == np.float32
    chosen = values[[0, 5, 24]]
    np.testing.assert_array_equal(p[1], chosen[1])
    np.testing.assert_array_equal(p[-1, 3:5, 6], chosen[-1, 3:5, 6])
    np.testing.assert_array_equal(p[1:, 3:5, ::2], chosen[1:, 3:5, ::2])
    np.testing.assert_array_equal(p[..., 4], chosen[..., 4])
    np.testing.assert_array_equal(np.asarray(p), chosen)
    assert all(np.prod(shape) <= 12 * 13 for shape in lazy.reads)
    assert evaluate(cube(VISIBLE, lazy), coarse).rmse == 0


@pytest.mark.parametrize(
    "other",
    [VISIBLE + 5, VISIBLE[:-1] + 0.6, np.r_[VISIBLE[:-1], 705], [399.9, 400.1]],
    ids=["shifted", "fewer, shifted", "one centre off", "two bands on one"],
)
def test_grids_that_do_not_fit_are_refused_with_both_named(other):
    with pytest.raises(InputError, match="different wavelength grids") as error:
        match(cube(VISIBLE), cube(other))
    assert "31 bands, 400–700 nm, every 10 nm" in str(error.value)
    assert Wavelengths(other).describe() in str(error.value)


def test_an_assumed_grid_is_told():
    _, _, _, notes = match(cube(VISIBLE, assumed=True), cube(VISIBLE))
    assert notes == (
        "The wavelengths of the prediction are an assumption, not stated by the file.",
    )


def test_unknown_wavelengths_go_by_index():
    known, bare = cube(VISIBLE), np.ones((31, 12, 13))
    for p, t, which in ((bare, known, "prediction"), (known, bare, "truth")):
        _, _, wavelengths, notes = match(p, t)
        assert wavelengths == known.wavelengths
        assert f"wavelengths of the {which} are not known" in notes[0]
        assert "by index" in notes[0]
    _, _, wavelengths, notes = match(bare, bare)
    assert wavelengths is None
    assert "by index" in notes[0]


def test_unknown_wavelengths_of_another_number_are_refused():
    with pytest.raises(InputError, match=r"5 bands at unknown wavelengths.*31 bands, 400–700 nm"):
        match(np.ones((5, 12, 13)), cube(VISIBLE))
    with pytest.raises(InputError, match="1 band at unknown wavelengths"):
        match(np.ones((1, 12, 13)), cube(VISIBLE))


def test_sizes_are_refused_with_both_named():
    p, t = pair((3, 12, 13))
    with pytest.raises(InputError, match=r"12 x 13 pixels .* the truth 12 x 11"):
        match(p, t[:, :, 2:])


@pytest.mark.parametrize("wrong", ["a path", None, np.ones((3, 3)), [[1.0], [2.0, 3.0]]])
def test_what_is_no_cube_is_refused(wrong):
    with pytest.raises(InputError, match="truth"):
        match(np.ones((3, 12, 13)), wrong)
