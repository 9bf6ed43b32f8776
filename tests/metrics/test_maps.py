"""Error maps against the plain figures of each pixel."""

from __future__ import annotations

import math
import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_hsr.errors import Cancelled, InputError
from napari_hsr.metrics import maps, row_blocks

from . import scalars
from .pairs import OnDisk, pair

SHAPE = (4, 15, 17)


def each_pixel(metric, prediction, truth, **options) -> np.ndarray:
    out = np.empty(truth.shape[1:])
    for row, column in np.ndindex(*out.shape):
        at = (slice(None), slice(row, row + 1), slice(column, column + 1))
        out[row, column] = metric(prediction[at], truth[at], **options)
    return out


@pytest.mark.parametrize(
    ("make", "metric"),
    [(maps.sam, scalars.sam), (maps.rmse, scalars.rmse), (maps.psnr, scalars.psnr)],
)
def test_each_pixel_is_a_cube_of_its_own(make, metric):
    prediction, truth = pair(SHAPE, noise=0.2)
    found = make(prediction, truth)
    assert found.data.shape == SHAPE[1:]
    assert found.data.dtype == np.float32
    np.testing.assert_allclose(found.data, each_pixel(metric, prediction, truth), rtol=1e-6)


def test_relative_error_has_the_floor_of_the_whole_cube():
    prediction, truth = pair(SHAPE)
    truth[0] = 0.5e-3 * truth.max()
    truth[:, 4, 5] = 0
    expected = each_pixel(scalars.mrae, prediction[1:], truth[1:])
    found = maps.mrae(prediction, truth)
    np.testing.assert_allclose(found.data, expected, rtol=1e-6)
    assert np.isnan(found.data[4, 5])
    assert found.note.startswith("1 of 255 pixels have no relative error")
    raw = maps.mrae(prediction, truth, floor=None)
    assert np.isnan(raw.data[4, 5])  # infinite has no colour
    assert np.isfinite(raw.data).sum() == raw.data.size - 1


def test_windowed_psnr_against_loops():
    prediction, truth = pair(SHAPE, noise=0.2)
    prediction[2, 7, 8] = np.nan
    prediction[:, 2, 3] = np.nan
    error = (prediction.astype(float) - truth) ** 2
    found = maps.psnr_window(prediction, truth, size=5)
    for row, column in np.ndindex(*SHAPE[1:]):
        window = error[:, max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
        expected = -10 * math.log10(np.nanmean(window))
        if (row, column) == (2, 3):
            assert np.isnan(found.data[row, column])
        else:
            assert found.data[row, column] == pytest.approx(expected, rel=1e-6)
    assert found.name == "PSNR in 5 x 5 px"
    one = maps.psnr_window(prediction, truth, size=1)
    np.testing.assert_allclose(one.data, maps.psnr(prediction, truth).data, rtol=1e-6)


@pytest.mark.parametrize("size", [0, -3, 4])
def test_a_window_without_a_centre_is_refused(size):
    with pytest.raises(InputError, match=f"odd number of pixels, not {size}"):
        maps.psnr_window(*pair(SHAPE), size=size)


def test_black_pixels_have_no_angle():
    prediction, truth = pair(SHAPE)
    truth[:, 0, 0] = 0
    prediction[:, 1, 1] = 0
    found = maps.sam(prediction, truth)
    assert np.isnan(found.data[0, 0])
    assert found.data[1, 1] == 90
    assert "1 of 255 pixels have no angle" in found.note
    assert np.nanmean(found.data, dtype=float) == pytest.approx(
        scalars.sam(prediction, truth), rel=1e-6
    )


@pytest.mark.parametrize("name", maps.MAPS)
def test_missing_values(name):
    make = getattr(maps, name)
    prediction, truth = pair(SHAPE)
    sound = make(prediction, truth)
    prediction[:, 3, 4] = np.nan
    truth[1, 3, 4] = np.inf
    found = make(prediction, truth)
    assert np.isnan(found.data[3, 4])
    assert np.isnan(found.data).sum() == 1
    far = (slice(10, None), slice(None))  # out of the window's reach
    np.testing.assert_allclose(found.data[far], sound.data[far], rtol=1e-5)
    nothing = make(prediction * np.nan, truth)
    assert np.isnan(nothing.data).all()
    assert nothing.limits[0] < nothing.limits[1]


def test_a_band_without_values_does_not_spoil_the_angles():
    prediction, truth = pair(SHAPE)
    rest = [0, 1, 3]
    expected = maps.sam(prediction[rest], truth[rest])
    prediction[2] = np.nan
    np.testing.assert_array_equal(maps.sam(prediction, truth).data, expected.data)


def test_a_few_pixels_do_not_set_the_limits_and_clipping_is_stated():
    prediction, truth = pair((4, 20, 30), noise=0.2)
    angles = maps.sam(prediction, truth)
    assert angles.limits == pytest.approx((0, np.percentile(angles.data, 99)))
    assert f"{angles.data.max():.3g}°" in angles.beyond
    errors = maps.rmse(prediction, truth, unit="reflectance")
    assert (errors.data > errors.limits[1]).sum() == 6
    assert "1.0% of the pixels lie outside" in errors.beyond
    rounding = errors.data.copy()
    rounding[np.unravel_index(rounding.argmin(), rounding.shape)] = 6.35e-12
    assert "(all values: 0 to" in replace(errors, data=rounding).beyond
    assert f"{errors.data.max():.3g} reflectance" in errors.beyond
    assert maps.rmse(truth, truth).beyond == ""


@pytest.mark.parametrize("name", maps.MAPS)
def test_limits_show_most_pixels(name):
    make = getattr(maps, name)
    prediction, truth = pair(SHAPE, noise=0.2)
    prediction[:, 0, 0] = 1e6  # one wild pixel must not blacken the rest
    found = make(prediction, truth)
    low, high = found.limits
    shown = (found.data >= low) & (found.data <= high)
    assert 0.9 < shown.mean() <= 1
    if found.better == "low":
        assert low == 0
        assert high < 100
    same = make(truth, truth)
    assert all(math.isfinite(limit) for limit in same.limits)
    assert same.limits[0] < same.limits[1]


@pytest.mark.parametrize("make", [maps.psnr, maps.psnr_window])
def test_infinite_psnr_is_drawn_as_its_cap_and_said(make):
    prediction, truth = pair((3, 40, 40))
    prediction[:, :20, :20] = truth[:, :20, :20]
    found = make(prediction, truth)
    assert found.data.max() == maps.PSNR_CAP_DB == found.data[0, 0]
    number = int((found.data == 100).sum())
    assert number == (400 if make is maps.psnr else 15 * 15)
    assert found.note == f"{number} of 1600 pixels exceed 100 dB and are drawn as 100."
    assert (found.unit, found.better) == ("dB", "high")


def test_units():
    prediction, truth = pair(SHAPE)
    assert maps.sam(prediction, truth).unit == "°"
    assert maps.mrae(prediction, truth).unit == ""
    assert maps.rmse(prediction, truth, unit="reflectance").unit == "reflectance"


@pytest.mark.parametrize("name", maps.MAPS)
def test_blocks_give_what_the_whole_gives(name, monkeypatch):
    make = getattr(maps, name)
    prediction, truth = pair(SHAPE, noise=0.2)
    truth[:, 6, 6] = 0
    truth[1, 9, 9] = np.nan
    whole = make(prediction, truth)
    monkeypatch.setattr(row_blocks, "BLOCK_BYTES", 4 * SHAPE[0] * SHAPE[2] * 8)
    monkeypatch.setattr(row_blocks, "SLAB_BYTES", 1)
    parts = make(OnDisk(prediction), OnDisk(truth))
    np.testing.assert_allclose(parts.data, whole.data, rtol=1e-6)
    assert parts.limits == pytest.approx(whole.limits)


@pytest.mark.parametrize("name", maps.MAPS)
def test_maps_can_be_cancelled(name):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        getattr(maps, name)(*pair(SHAPE), cancel=cancel)
