"""Reflectance from a raw scan: the scans are made here from a known reflectance."""

from __future__ import annotations

import numpy as np
import pytest

import napari_hsr
from napari_hsr import Cube, calibrate
from napari_hsr.errors import InputError
from napari_hsr.io.lazy import LazyArray
from napari_hsr.notices import Code, Notice, has
from napari_hsr.spectral_library import SpectralLibrary

BANDS, HEIGHT, WIDTH = 6, 9, 5
NM = np.linspace(400, 650, BANDS)
RNG = np.random.default_rng(3)
TRUTH = RNG.uniform(0.05, 0.95, (BANDS, HEIGHT, WIDTH))
GAIN = RNG.uniform(500, 3000, (BANDS, 1, WIDTH))
BLACK = RNG.uniform(10, 40, (BANDS, 1, WIDTH))


def cube(data, name="scan", **changes) -> Cube:
    return Cube(np.asarray(data, np.float32), NM, name=name, **changes)


def scan(exposure=1.0, **changes) -> Cube:
    return cube(TRUTH * GAIN * exposure + BLACK, **changes)


def white(lines=1, noise=0.0, **changes) -> Cube:
    clean = np.repeat(GAIN + BLACK, lines, axis=1)
    return cube(clean + RNG.normal(0, noise or 1e-9, clean.shape), name="white", **changes)


def dark(lines=1, noise=0.0, **changes) -> Cube:
    clean = np.repeat(BLACK, lines, axis=1)
    return cube(clean + RNG.normal(0, noise or 1e-9, clean.shape), name="dark", **changes)


def near(found: Cube, truth=TRUTH, tolerance=2e-6):
    """float32 of counts up to 3000 after a difference of 10 at least: a few 1e-7 of the values."""
    np.testing.assert_allclose(np.asarray(found.data), truth, atol=tolerance)


def test_references_of_one_line():
    found = calibrate(scan(), white(), dark())
    near(found)
    assert found.units == "reflectance"
    assert found.wavelengths == scan().wavelengths
    assert "white" in found.provenance.steps[-1]


def test_references_of_many_lines_are_averaged_and_their_noise_told():
    found = calibrate(scan(), white(400, 5.0), dark(400, 5.0))
    # the noise of the mean is 5/√400 of 500 counts at least; five times that covers all values
    near(found, tolerance=5 * np.sqrt(2) * 5 / np.sqrt(400) / 500)
    assert has(found.notices, Code.REFERENCE_NOISE)
    told = [n for n in found.notices if n.code == Code.REFERENCE_NOISE]
    assert len(told) == 2
    assert "400 lines" in told[0]


def test_a_scan_on_disk_stays_there_and_is_computed_as_it_is_read(tmp_path):
    raw = scan()
    stored = np.memmap(tmp_path / "raw", np.float32, "w+", shape=(HEIGHT, BANDS, WIDTH))
    stored[:] = raw.data.transpose(1, 0, 2)
    lazy = raw.replace(data=LazyArray(stored, (1, 0, 2)))
    found = calibrate(lazy, white(), dark())
    assert isinstance(found.data, LazyArray)
    near(found)
    for key in (
        (2, 3, 4),
        (slice(None), 3, 2),
        (1, slice(2, 8, 3), slice(None, None, -1)),
        (slice(4, 0, -2), slice(1, 4), 3),
        (slice(None), np.array([1, 2]), np.array([0, 4])),
        Ellipsis,
    ):
        np.testing.assert_allclose(found.data[key], TRUTH[key], atol=2e-6)
    napari_hsr.write(found, tmp_path / "leaf.hdr")
    near(napari_hsr.read(tmp_path / "leaf.hdr"))


def test_exposure_times_stated_or_in_the_files():
    found = calibrate(scan(0.5), white(), dark(), exposures=(10.0, 20.0))
    near(found)
    assert has(found.notices, Code.SCALE_APPLIED)
    by_file = calibrate(
        scan(0.5, metadata={"exposure": "10 ms"}), white(metadata={"exposure": 20}), dark()
    )
    near(by_file)
    assert "exposure" not in by_file.metadata
    half = calibrate(scan(metadata={"exposure": 10}), white(), dark())
    near(half)
    assert has(half.notices, Code.REFERENCE_FITTED)


def test_a_dark_of_the_whites_own_exposure():
    brighter = cube(GAIN * 2 + 3 * BLACK)
    found = calibrate(scan(), brighter, dark(), white_dark=cube(3 * BLACK), exposures=(10.0, 20.0))
    near(found)


def test_the_whites_own_reflectance():
    near(calibrate(scan(), white(), dark(), white_reflectance=0.5), TRUTH / 2)
    curve = np.linspace(0.9, 0.8, BANDS)
    near(calibrate(scan(), white(), dark(), white_reflectance=curve), TRUTH * curve[:, None, None])
    library = SpectralLibrary(("panel",), np.array([390.0, 700.0]), np.array([[0.39, 0.7]]))
    found = calibrate(scan(), white(), dark(), white_reflectance=library)
    near(found, TRUTH * (NM / 1000)[:, None, None])
    short = SpectralLibrary(("panel",), np.array([450.0, 700.0]), np.array([[0.45, 0.7]]))
    with pytest.raises(InputError, match="450–700"):
        calibrate(scan(), white(), dark(), white_reflectance=short)


def test_where_the_white_is_no_brighter_than_the_dark_it_is_nan():
    lost = white(50, 1.0)
    lost.data[2] = BLACK[2] + RNG.normal(0, 1.0, (50, WIDTH))
    lost.data[4, :, 1] = BLACK[4, :, 1]
    found = calibrate(scan(), lost, dark(50, 1.0))
    values = np.asarray(found.data)
    assert np.isnan(values[2]).all()
    assert np.isnan(values[4, :, 1]).all()
    assert np.isfinite(np.delete(values[4], 1, axis=1)).all()
    assert found.metadata["bbl"] == [1, 1, 0, 1, 1, 1]
    assert has(found.notices, Code.WHITE_TOO_DARK)
    single = calibrate(scan(), cube(lost.data[:, :1]), dark())
    assert np.isnan(np.asarray(single.data)[2]).all()
    assert np.isfinite(np.asarray(single.data)[3]).all()


def test_the_least_signal_can_be_stated():
    found = calibrate(scan(), white(), dark(), least_signal=1000)
    np.testing.assert_array_equal(
        np.isnan(np.asarray(found.data)), np.broadcast_to(GAIN <= 1000, TRUTH.shape)
    )


def test_a_white_patch_in_the_scan():
    flat = np.full((BANDS, 1, 1), 1500.0) * np.linspace(1, 2, BANDS)[:, None, None]
    truth = TRUTH.copy()
    truth[:, 1:3, 2:5] = 1.0
    found = calibrate(
        cube(truth * flat + 20), dark=cube(np.full((BANDS, 1, 1), 20.0)), patch=(1, 2, 3, 5)
    )
    near(found, truth)
    with pytest.raises(InputError, match="inside"):
        calibrate(scan(), patch=(0, 0, HEIGHT + 1, 2))


def test_other_widths():
    twice = cube(np.repeat(GAIN + BLACK, 2, axis=2), name="white")
    found = calibrate(scan(), twice, dark())
    near(found)
    assert has(found.notices, Code.REFERENCE_FITTED)
    level = np.full((BANDS, 1, WIDTH), 1000.0)
    one = calibrate(cube(TRUTH * level), cube(level[:, :, :1], name="white"))
    near(one)
    with pytest.raises(InputError, match="7 pixels wide"):
        calibrate(scan(), cube(np.ones((BANDS, 1, 7)), name="white"), dark())


def test_references_without_wavelengths_are_taken_by_number():
    bare = Cube(white().data, None, name="white")
    found = calibrate(scan(), bare, dark())
    near(found)
    assert has(found.notices, Code.BANDS_BY_INDEX)


def test_an_overexposed_white_is_said():
    wide = np.minimum(RNG.normal(4000, 300, (BANDS, 40, WIDTH)), 4095)
    found = calibrate(scan(), cube(wide, name="white"), dark())
    assert has(found.notices, Code.WHITE_SATURATED)


@pytest.mark.parametrize("most", [3000, 4095])
def test_an_overexposed_scan_is_said(most):
    counts = RNG.normal(3000, 500, (BANDS, 40, WIDTH))
    found = calibrate(cube(np.minimum(counts, most), name="scan"), white(), dark())
    assert has(found.notices, Code.SATURATED)
    assert not has(calibrate(cube(counts, name="scan"), white(), dark()).notices, Code.SATURATED)


@pytest.mark.parametrize(("factor", "said"), [(1.0, False), (1e-4, True), (100.0, True)])
def test_a_scan_of_another_scale_than_its_references_is_said(factor, said):
    found = calibrate(cube(scan().data * factor), white(), dark())
    assert has(found.notices, Code.SCALES_DIFFER) is said


def test_a_white_of_a_shorter_exposure_is_not_taken_for_another_scale():
    short = cube(GAIN / 100 + BLACK, name="white")
    found = calibrate(scan(), short, dark(), exposures=(100.0, 1.0), white_dark=dark())
    assert not has(found.notices, Code.SCALES_DIFFER)


@pytest.mark.parametrize(("level", "said"), [(4095.0, True), (65535.0, True), (4000.0, False)])
def test_a_white_that_is_nothing_but_the_limit_of_a_camera_is_said(level, said):
    flat = calibrate(scan(), cube(np.full((BANDS, 4, WIDTH), level), name="white"), dark())
    assert has(flat.notices, Code.WHITE_SATURATED) is said


@pytest.mark.parametrize(
    ("references", "said"),
    [
        ((dark(), white()), "exchanged"),
        ((Cube(np.ones((4, 1, WIDTH), np.float32), name="white"), None), "4 bands"),
        ((Cube(white().data, NM + 9, name="white"), None), "wavelengths"),
        ((cube(np.full((BANDS, 1, WIDTH), np.nan), name="white"), None), "finite"),
        ((None, dark()), "white"),
    ],
)
def test_references_that_make_no_sense(references, said):
    with pytest.raises(InputError, match=said) as fault:
        calibrate(scan(), *references)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    "stated",
    [
        {"white_reflectance": 0},
        {"white_reflectance": [0.9, 0.8]},
        {"exposures": (0, 1)},
        {"least_signal": -1},
    ],
)
def test_numbers_that_make_no_sense(stated):
    with pytest.raises(InputError):
        calibrate(scan(), white(), dark(), **stated)


def test_holes_of_the_scan_stay_holes():
    raw = scan()
    raw.data[3, 2, 1] = np.nan
    values = np.asarray(calibrate(raw, white(), dark()).data)
    assert np.argwhere(np.isnan(values)).tolist() == [[3, 2, 1]]


@pytest.mark.parametrize("which", ["raw", "white", "dark"])
def test_values_too_large_to_compute_with_are_refused(which):
    given = {"raw": scan(), "white": white(), "dark": dark()}
    given[which].data[2, 0, 1] = -3.4e38
    with pytest.raises(InputError, match=f"Values of {given[which].name} reach .*no_data"):
        calibrate(**given)


def test_values_too_large_are_refused_in_a_patch_and_in_a_scan_on_disk():
    large = scan()
    large.data[1, 2, 2] = 2e18
    lazy = large.replace(data=LazyArray(large.data))
    with pytest.raises(InputError, match="too large to compute with"):
        calibrate(lazy, white(), dark())
    large.data[1, 2, 2] = np.nan  # a missing value is none of them
    assert np.isnan(calibrate(large, white(), dark()).data[1, 2, 2])


def test_what_the_library_of_the_white_tells_is_told():
    doubt = Notice.warning(Code.VALUES_SCALE_GUESSED, "Values go up to 99: percent.")
    known = SpectralLibrary(("white",), NM, np.full((1, BANDS), 0.99), notices=(doubt,))
    assert doubt in calibrate(scan(), white(), dark(), white_reflectance=known).notices


def test_a_white_patch_has_the_dark_of_its_own_columns_subtracted():
    """A hot column beside the patch had the dark of that column taken from the white."""
    black = BLACK.copy()
    black[:, :, 4] = 900
    truth = TRUTH.copy()
    truth[:, 1:3, 0:3] = 1.0
    counts = cube(truth * 2000 + black)
    near(calibrate(counts, dark=cube(black), patch=(1, 0, 3, 3)), truth, 1e-5)
    alone = calibrate(counts, cube(2000 + black[:, :, 1:2]), cube(black))
    assert np.abs(np.asarray(alone.data) / truth - 1).max() < 0.02


def test_a_column_whose_dark_is_missing_has_no_value_and_is_told():
    black = BLACK.copy()
    black[:, :, 4] = np.nan
    truth = TRUTH.copy()
    truth[:, 1:3, 0:3] = 1.0
    found = calibrate(cube(truth * 2000 + BLACK), dark=cube(black), patch=(1, 0, 3, 3))
    assert np.isnan(found.data[:, :, 4]).all()
    assert np.isfinite(found.data[:, :, :4]).all()
    assert has(found.notices, Code.WHITE_TOO_DARK)
