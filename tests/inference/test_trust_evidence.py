"""A pixel looked at later has the interval, the share and the band that the run would have found."""

from dataclasses import replace

import numpy as np
import pytest

from napari_hsr import Photograph
from napari_hsr.inference import reconstruct_events
from napari_hsr.inference.trust.evidence import Evidence
from napari_hsr.notices import Code, has
from napari_hsr.progress import result_of


@pytest.fixture(scope="module")
def photograph():
    image = np.random.default_rng(3).integers(10, 250, (12, 17, 3), dtype=np.uint8)
    return Photograph(image, encoding="srgb")


@pytest.fixture(scope="module")
def plain(photograph):
    return Evidence.of(result_of(reconstruct_events(photograph, "rootpoly-srgb")))


@pytest.fixture(scope="module")
def thorough(photograph):
    options = {"intervals": True, "camera": "cie-1931"}
    return result_of(reconstruct_events(photograph, "rootpoly-srgb", **options))


def test_intervals_are_those_of_a_run_that_was_asked_for_them(plain, thorough):
    found = plain.pixel(4, 5)
    (lower, upper), trust = found.curve.ranges["90%"], thorough.trust.intervals
    half = trust.pixel(4, 5)
    np.testing.assert_allclose(upper - found.curve.mean, half, rtol=1e-4)
    np.testing.assert_allclose(lower, np.maximum(found.curve.mean - half, 0), atol=1e-6)
    assert found.unlike == pytest.approx(trust.unlike[4, 5], rel=1e-4)
    again = Evidence.of(thorough).pixel(4, 5)
    np.testing.assert_allclose(again.curve.ranges["90%"][1], upper, rtol=1e-5)


def test_region_means_have_intervals_of_their_own(plain, thorough):
    mask = np.zeros((12, 17), bool)
    mask[2:9, 3:14] = True
    name, half = plain.region(mask)
    assert name == "90%"
    np.testing.assert_allclose(half, thorough.trust.intervals.region(mask), rtol=1e-4)
    np.testing.assert_allclose(Evidence.of(thorough).region(mask)[1], half, rtol=1e-4)
    assert plain.region(mask & False) is None


def test_share_and_band_follow_the_camera(plain, thorough):
    assert plain.linear_camera is None
    assert "cie-1931" in plain.why_no_camera
    assert plain.pixel(1, 2).measured_share is None
    held = plain.seen_by("cie-1931")
    band = held.feasible(1, 2)
    found = held.pixel(1, 2, band)
    share = thorough.trust.colours.share[1, 2]
    assert found.measured_share == pytest.approx(share, rel=1e-5)
    np.testing.assert_array_equal(found.curve.ranges["feasible"][0], band.lower)
    np.testing.assert_array_equal(found.outside, band.outside(found.curve.mean))
    black = held.cube.replace(data=np.zeros_like(held.cube.data))
    assert replace(held, cube=black).pixel(1, 2).measured_share is None
    assert held.seen_by("no such camera").why_no_camera


def test_what_there_is_no_interval_for_is_said(photograph, plain):
    exact = {"exact": True, "camera": "cie-1931"}
    made = result_of(reconstruct_events(photograph, "rootpoly-srgb", **exact))
    held = Evidence.of(made)
    assert not held.calibrated
    assert "exact" in held.why_no_intervals
    both = Evidence.of(
        result_of(reconstruct_events(photograph, "rootpoly-srgb", **exact, intervals=True))
    )
    assert both.calibrated
    assert both.why_no_intervals is None
    without = Evidence.of(replace(made, looker=None))
    assert "not calibrated" in without.why_no_intervals
    finer = replace(made, cube=made.cube.replace(data=np.zeros((31, 24, 34), np.float32)))
    assert Evidence.of(finer) is None


def test_a_pixel_without_a_value_and_a_black_photograph_are_said_to_be_such():
    data = np.full((4, 5, 3), 0.3, np.float32)
    data[1, 2, 0] = np.nan
    options = {"camera": "cie-1931", "intervals": True}
    photograph = Photograph(data, encoding="linear-srgb")
    held = Evidence.of(result_of(reconstruct_events(photograph, "rootpoly-srgb", **options)))
    band = held.feasible(1, 2)
    assert not band.possible
    found = held.pixel(1, 2, band)
    assert found.words().endswith("it has no value")
    assert found.measured_share is None
    assert found.half_width is None
    assert held.pixel(1, 1, held.feasible(1, 1)).half_width > 0
    black = Photograph(np.zeros((4, 5, 3), np.uint8), encoding="srgb")
    made = result_of(reconstruct_events(black, "rootpoly-srgb", camera="cie-1931", exact=True))
    said = [notice for notice in made.notices if has([notice], Code.COLOURS_EXACT)]
    assert "black" in said[0]
    assert "%" not in said[0]
