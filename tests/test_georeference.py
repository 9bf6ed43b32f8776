"""Where pixels lie over those of their source, and what follows when there are more or fewer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_hsr.cube import Cube
from napari_hsr.errors import InputError
from napari_hsr.georeference import Place, aligned, resized_metadata
from napari_hsr.resample import degrade, upsample


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_finer_pixels_cover_the_coarse_ones(scale):
    place = Place((2.0, 3.0), (10.0, -5.0)).resized((4, 5), (4 * scale, 5 * scale))
    pixel, origin = aligned(scale, (2.0, 3.0), (10.0, -5.0))
    np.testing.assert_allclose(place.pixel, pixel, rtol=1e-15)
    np.testing.assert_allclose(place.origin, origin, rtol=1e-15)
    first = np.array(place.origin) + np.array(place.pixel) * (scale - 1) / 2
    np.testing.assert_allclose(first, (10.0, -5.0), rtol=1e-12)  # the mean of the first ones
    back = place.resized((4 * scale, 5 * scale), (4, 5))
    np.testing.assert_allclose([back.pixel, back.origin], [(2, 3), (10, -5)], rtol=1e-12)


def test_four_times_as_fine():
    place = Place().resized((6, 8), (24, 32))
    assert place == Place((0.25, 0.25), (-0.375, -0.375))
    assert place.describe() == "0.25 × 0.25 of its source's, the first centred at -0.375, -0.375"
    assert Place.from_dict(json.loads(json.dumps(place.to_dict()))) == place


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({"pixel": [0, 1], "origin": [0, 0]}, "0 × 1"),
        ({"pixel": [-0.25, 0.25], "origin": [0, 0]}, "-0.25 × 0.25"),
        ({"pixel": [float("nan"), 1], "origin": [0, 0]}, "two finite numbers"),
        ({"pixel": [float("inf"), 1], "origin": [0, 0]}, "two finite numbers"),
        ({"pixel": [1e300, 1], "origin": [0, 0]}, "1e+300"),
        ({"pixel": ["0.25", "0.25"], "origin": [0, 0]}, "two finite numbers"),
        ({"pixel": "11", "origin": [0, 0]}, "two finite numbers"),
        ({"pixel": [True, True], "origin": [0, 0]}, "two finite numbers"),
        ({"pixel": [1, 1, 1], "origin": [0, 0]}, "two finite numbers"),
        ({"pixel": [1, 1], "origin": [0, None]}, "two finite numbers"),
        ({"pixel": [1, 1], "origin": [0, 1e300]}, "1e+300"),
        ({"pixel": [1, 1]}, "A pixel and an origin"),
        ([0.25, -0.375], "A pixel and an origin"),
        ("a quarter", "a quarter"),
        (0.25, "0.25"),
    ],
)
def test_what_is_no_place_is_refused_in_one_sentence(stored, told):
    with pytest.raises(InputError) as fault:
        Place.from_dict(stored)
    assert told in str(fault.value)
    assert str(fault.value).count(". ") == 0


def test_a_cube_made_finer_and_coarser_keeps_its_ground():
    cube = Cube(np.random.default_rng(0).random((5, 8, 12)), range(400, 450, 10))
    fine = upsample(cube, 4)
    assert fine.place == Place((0.25, 0.25), (-0.375, -0.375))
    assert degrade(fine, 4).place == Place()
    assert degrade(fine, 2).place == Place((0.5, 0.5), (-0.25, -0.25))
    assert upsample(fine, 2).place == Place((0.125, 0.125), (-0.4375, -0.4375))
    assert degrade(cube, 4).place == Place((4, 4), (1.5, 1.5))
    assert upsample(degrade(cube, 4), 4).place == Place()  # as the cube itself
    assert fine.replace(name="x").place == fine.place
    assert fine.summary()["place"] == {"pixel": [0.25, 0.25], "origin": [-0.375, -0.375]}


MAP = ["UTM", "1.5", "2", "699960", "3300000", "20", "10", "43", "North", "WGS-84"]


def test_the_map_of_a_finer_cube_has_finer_pixels():
    """The ground of both reference points is the same, as GDAL reads it."""

    def corner(info):
        x, y, east, north, width, height = map(float, info[1:7])
        return east - (x - 1) * width, north + (y - 1) * height

    facts = {"map info": MAP, "pixel size": ["20", "10", "units=Meters"], "bbl": [1, 0]}
    found = resized_metadata(facts, (6, 8), (24, 32))
    assert [float(v) for v in found["map info"][5:7]] == [5, 2.5]
    assert corner(found["map info"]) == corner(MAP)
    assert found["map info"][7:] == MAP[7:]
    assert [float(v) for v in found["pixel size"][:2]] == [5, 2.5]
    assert found["bbl"] == [1, 0]
    assert facts["map info"] == MAP  # left as it was


@pytest.mark.parametrize("broken", ["UTM", ["UTM", "1"], [*MAP[:5], "wide", "10"], 7, None])
def test_a_map_that_is_not_understood_is_left_out_of_a_finer_cube(broken):
    assert resized_metadata({"map info": broken, "note": 1}, (2, 2), (4, 4)) == {"note": 1}
