"""The ground floor: cubes, wavelengths, photographs, provenance."""

import json
import math
import os
import tracemalloc
import warnings

import numpy as np
import pytest

from napari_hsr import Cube, Photograph, Wavelengths
from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM, any_finite, jsonable
from napari_hsr.errors import FileError, HSRError, InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import unit_float
from napari_hsr.provenance import Provenance

from .thorough import thorough


def test_wavelengths_are_an_array_of_nm():
    grid = Wavelengths([400, 410, 420])
    np.testing.assert_array_equal(np.asarray(grid), [400.0, 410.0, 420.0])
    assert np.asarray(grid, dtype=np.float32).dtype == np.float32
    assert len(grid) == 3
    assert list(grid) == [400.0, 410.0, 420.0]
    assert grid.nearest(414) == 1
    assert grid.step == 10
    assert not grid.assumed
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(grid)[0] = 1
    copy = np.array(grid)
    copy[0] = 1
    assert grid[0] == 400


def test_the_default_grid_is_an_assumption():
    grid = Wavelengths.default()
    assert grid.assumed
    assert tuple(grid) == DEFAULT_WAVELENGTHS_NM
    assert grid.describe() == "31 bands, 400–700 nm, every 10 nm (assumed)"
    assert grid != Wavelengths(DEFAULT_WAVELENGTHS_NM)


@pytest.mark.parametrize(
    ("nm", "words"),
    [
        ([], "empty"),
        ([400, np.nan], "finite"),
        ([0, 400], "positive"),
        ([500, 500], "band 1 is 500 nm and band 2 is 500 nm"),
        ([700, 400], "ascend"),
    ],
)
def test_impossible_wavelengths(nm, words):
    with pytest.raises(InputError, match=words):
        Wavelengths(nm)


@pytest.mark.parametrize(
    ("nm", "step"), [([400], None), ([400, 410, 425], None), ([400, 410.4, 420], 10)]
)
def test_regular_to_a_tenth_of_the_step(nm, step):
    assert Wavelengths(nm).step == step


def test_grids_match_within_a_tolerance():
    grid = Wavelengths([400, 410])
    assert grid.matches(Wavelengths([400.4, 409.6]))
    assert not grid.matches(Wavelengths([401, 410]))
    assert not grid.matches(Wavelengths([400, 410, 420]))


def test_a_cube_is_float32_bands_first():
    cube = Cube(np.arange(24, dtype=np.uint16).reshape(2, 3, 4), [500, 600])
    assert cube.data.dtype == np.float32
    assert cube.shape == (2, 3, 4)
    assert cube.bands == 2
    assert cube.value_range == (0, 23)
    assert isinstance(cube.wavelengths, Wavelengths)


@pytest.mark.parametrize(
    ("data", "wavelengths", "words"),
    [
        (np.zeros((3, 4)), None, "three axes"),
        (np.zeros((1, 2, 3, 4, 5)), None, r"has 5: shape \(1, 2, 3, 4, 5\)"),
        (np.zeros((3, 0, 4)), None, "empty"),
        (np.zeros((3, 4, 4), complex), None, "complex"),
        (np.zeros((3, 4, 4)), [400, 500], "2 wavelengths do not fit 3 bands"),
    ],
)
def test_impossible_cubes(data, wavelengths, words):
    with pytest.raises(InputError, match=words):
        Cube(data, wavelengths)


def test_value_range_leaves_out_what_is_not_finite():
    data = np.ones((2, 3, 4), np.float32)
    data[0, 0, 0], data[1, 0, 0], data[1, 1, 1] = np.nan, np.inf, -2
    assert Cube(data).value_range == (-2, 1)
    data[:] = np.nan
    assert Cube(data).value_range == (0, 0)
    partly = np.ones((2, 3, 4), np.float32)
    partly[0] = np.nan
    assert Cube(partly).value_range == (1, 1)


def test_range_of_a_large_memory_map_is_an_estimate(tmp_path, monkeypatch):
    data = np.memmap(tmp_path / "a", np.float32, "w+", shape=(9, 20, 20))
    data[8, 3, 3], data[3, 1, 1] = 5, 9
    cube = Cube(data)
    assert not cube.in_memory
    assert cube.value_range == (0, 9)
    assert not cube.summary()["value_range_is_estimate"]
    monkeypatch.setattr("napari_hsr.cube.EXACT_RANGE_BYTES", 0)
    cube = Cube(data)
    assert cube.value_range == (0, 5)  # every eighth band, and the last
    assert cube.summary()["value_range_is_estimate"]


@pytest.mark.parametrize(
    "shape",
    thorough(
        [(100, 200, 40_000), (1, 2_000, 400_000), (5, 300, 500_000)], always=[(100, 200, 40_000)]
    ),
)
def test_the_range_of_very_many_bands_is_found_in_few_values(tmp_path, shape):
    """A sparse file of gigabytes, all bands of a pixel beside one another."""
    (tmp_path / "a").touch()
    os.truncate(tmp_path / "a", 4 * math.prod(shape))
    data = np.memmap(tmp_path / "a", np.float32, "r", shape=shape).transpose(2, 0, 1)
    tracemalloc.start()
    seen = [plane.size for plane in Cube(data)._planes()]
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(seen) <= 258 * 256**2
    assert largest < 300e6
    assert not any_finite(Cube(np.full((2, 2, 2), np.nan)))


def test_of_very_many_bands_few_are_looked_at(monkeypatch):
    monkeypatch.setattr("napari_hsr.cube.EXACT_RANGE_BYTES", 0)
    data = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (100_000, 9, 9), (0, 0, 0))
    monkeypatch.setattr(Cube, "in_memory", False)
    assert len(list(Cube(data)._planes())) < 300


def test_new_data_forget_the_old_range():
    cube = Cube(np.zeros((1, 2, 2)))
    assert cube.value_range == (0, 0)
    assert cube.replace(data=np.ones((1, 2, 2))).value_range == (1, 1)
    assert cube.replace(name="other").value_range == (0, 0)


@pytest.mark.parametrize("how", ["assigned", "divided", "inside"])
def test_values_that_are_scaled_have_another_range(how):
    """A model had been given values divided by the largest of the old ones."""
    cube = Cube(np.arange(24).reshape(2, 3, 4))
    assert cube.value_range == (0, 23)
    if how == "assigned":
        cube.data = cube.data / np.float64(23)
    elif how == "divided":
        cube.data /= 23
    else:
        values = cube.data
        values /= 23
    assert cube.value_range == (0, 1)
    assert cube.data.dtype == np.float32


def test_a_range_that_was_stated_stays_while_the_values_do():
    cube = Cube(np.zeros((2, 3, 4)), _value_range=(0.0, 5.0))
    assert cube.value_range == cube.replace(name="other").value_range == (0, 5)
    with pytest.raises(InputError, match="three axes"):
        cube.data = np.zeros((2, 3))


def test_stating_wavelengths_clears_the_notice():
    unknown = Notice.warning(Code.WAVELENGTHS_MISSING, "No wavelengths were found.")
    cube = Cube(np.zeros((2, 2, 2)), notices=(unknown, "Two bad lines near 550 nm wavelength."))
    known = cube.with_wavelengths([500, 600])
    assert known.notices == ("Two bad lines near 550 nm wavelength.",)
    assert cube.wavelengths is None


def test_summary_is_json():
    cube = Cube(np.zeros((2, 2, 2)), [500, 600], metadata={"bbl": np.array([1, 0]), "x": np.nan})
    assert json.loads(json.dumps(cube.summary(), allow_nan=False))["metadata"]["bbl"] == [1, 0]


def test_jsonable():
    value = {"a": (np.float32(1), np.inf), 3: np.arange(2), "p": Provenance}
    assert jsonable(value)["a"] == [1.0, "inf"]
    assert jsonable(value)["3"] == [0, 1]
    assert isinstance(jsonable(value)["p"], str)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((2, 2)), "three colour channels"),
        (np.zeros((2, 2, 4), np.uint8), "three colour channels"),
        (np.zeros((0, 2, 3), np.uint8), "empty"),
        (np.zeros((2, 2, 3), np.int32), "int32"),
        (np.zeros((2, 2, 3), bool), "bool"),
    ],
)
def test_impossible_photographs(data, words):
    with pytest.raises(InputError, match=words):
        Photograph(data)


def test_full_scale_is_one():
    assert unit_float(np.array([255], np.uint8)) == 1
    assert unit_float(np.array([65535], np.uint16)) == 1
    assert unit_float(np.array([0.25])) == np.float32(0.25)
    np.testing.assert_array_equal(
        unit_float(np.arange(256, dtype=np.uint8)),
        unit_float(np.arange(256, dtype=np.uint16) * np.uint16(257)),
    )


def test_provenance_survives_a_dictionary():
    history = Provenance(input="a.png", model="m", extra={"k": 1}).with_step("Decoded.")
    assert Provenance.from_dict(history.to_dict()) == history
    assert Provenance.from_dict({"input": "a", "lens": "50 mm"}).extra == {"lens": "50 mm"}
    assert Provenance().to_dict() == {}


def test_errors_are_sentences():
    error = FileError("folder/x.mat", "a cube was expected, found text")
    assert str(error) == "folder/x.mat: a cube was expected, found text."
    assert isinstance(error, HSRError)
    assert isinstance(error, ValueError)


def test_a_notebook_shows_what_it_is_and_not_its_values():
    cube = Cube(np.zeros((31, 4, 6)), range(400, 701, 10), units="reflectance", name="scan")
    said = "31 bands, 400–700 nm, every 10 nm, 4 × 6 pixels, reflectance"
    assert repr(cube) == f"<Cube 'scan': {said}>"
    assert repr(Cube(np.zeros((3, 4, 6)))) == "<Cube 'cube': 3 bands, 4 × 6 pixels>"
    photograph = Photograph(np.zeros((4, 6, 3), np.uint8))
    assert repr(photograph) == "<Photograph 'photograph': 4 × 6 pixels, uint8, srgb>"


def test_what_is_made_coarse_and_finer_again_lies_where_it_was():
    cube = Cube(np.zeros((5, 8, 12)))
    coarse = cube.over_same_area(np.zeros((5, 2, 3)))
    assert (coarse.place.pixel, coarse.place.origin) == ((4, 4), (1.5, 1.5))
    again = coarse.over_same_area(np.zeros((5, 8, 12)))
    assert (again.place.pixel, again.place.origin) == ((1, 1), (0, 0))
    assert cube.over_same_area(np.ones((5, 8, 12))).place is None


def test_values_beyond_float32_are_infinite_without_a_warning_of_numpy():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cube = Cube(np.full((2, 3, 4), 1e300))
    assert np.isinf(cube.data).all()


@pytest.mark.parametrize("nm", [[5e-324, 500], [500, 1.7e308], [1e-9, 2e-9], [1e12]])
def test_wavelengths_are_those_of_light(nm):
    with pytest.raises(InputError, match=r"Wavelengths lie between 0.001 and 1e\+09 nm"):
        Wavelengths(np.array(nm))
