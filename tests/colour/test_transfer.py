"""The sRGB curve and conversions against published values."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import colour as ours
from napari_hsr.colour.observers import colour_science
from napari_hsr.colour.transfer import LINEAR_SRGB_TO_XYZ


def test_srgb_decode_known_points_and_reference():
    values = np.array([0.0, 0.04045, 0.5, 1.0])
    expected = [0.0, 0.04045 / 12.92, ((0.5 + 0.055) / 1.055) ** 2.4, 1.0]
    np.testing.assert_allclose(ours.srgb_decode(values), expected, rtol=1e-14)
    ramp = np.linspace(0, 1, 1001)
    reference = colour_science().models.eotf_sRGB(ramp)
    np.testing.assert_allclose(ours.srgb_decode(ramp), reference, atol=1e-12)
    reference = colour_science().models.eotf_inverse_sRGB(ramp)
    # The reference switches at 0.0031308 x 12.92 rounded, so the two differ just around it.
    np.testing.assert_allclose(ours.srgb_encode(ramp), reference, atol=1e-7)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 2e-8)])
def test_srgb_round_trip_is_odd_and_keeps_dtype_and_nan(dtype, tolerance):
    values = np.linspace(-0.5, 1.5, 4001).astype(dtype)
    back = ours.srgb_encode(ours.srgb_decode(values))
    assert back.dtype == dtype
    np.testing.assert_allclose(back, values, atol=tolerance)
    np.testing.assert_array_equal(ours.srgb_decode(-values), -ours.srgb_decode(values))
    assert np.isnan(ours.srgb_decode(np.array([np.nan, 0.5], dtype)))[0]


def test_every_8_bit_level_survives_the_way_through_linear_light():
    levels = np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1)
    linear = ours.decode_photograph_tile(levels, "srgb", "linear-srgb")
    back = np.rint(ours.srgb_encode(linear) * 255).astype(np.uint8)
    np.testing.assert_array_equal(back, levels)


@pytest.mark.parametrize("encoding", ["srgb", "linear-srgb", "xyz-d65"])
@pytest.mark.parametrize("target", ["srgb", "linear-srgb", "xyz-d65"])
def test_8_bit_16_bit_and_float_give_the_same_values(encoding, target):
    rng = np.random.default_rng(1)
    eight = rng.integers(0, 256, (64, 32, 3), dtype=np.uint8)
    sixteen = eight.astype(np.uint16) * 257
    single = eight.astype(np.float32) / 255
    results = [ours.decode_photograph_tile(v, encoding, target) for v in (eight, sixteen, single)]
    assert all(r.dtype == np.float32 for r in results)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_allclose(results[2], results[0], rtol=0, atol=1e-6)
    double = ours.convert(eight / 255.0, encoding, target)
    np.testing.assert_allclose(results[0], double, rtol=0, atol=2e-6)


def test_decoding_keeps_nan_of_float_photographs():
    tile = np.full((2, 2, 3), 0.5, np.float32)
    tile[0, 0] = np.nan
    linear = ours.decode_photograph_tile(tile, "srgb", "linear-srgb")
    assert np.isnan(linear[0, 0]).all()
    assert np.isfinite(linear[1]).all()


def test_matrix_to_xyz_is_that_of_the_standard():
    rounded = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    np.testing.assert_allclose(LINEAR_SRGB_TO_XYZ, rounded, atol=1e-4)
    np.testing.assert_allclose(
        ours.convert(np.ones(3), "srgb", "xyz-d65"), [0.9505, 1.0, 1.0891], atol=1e-4
    )


def test_conversions_are_inverse_and_make_new_arrays():
    rgb = np.random.default_rng(2).random((10, 3))
    for source in ours.ENCODINGS:
        for target in ours.ENCODINGS:
            there = ours.convert(rgb, source, target)
            assert there is not rgb
            np.testing.assert_allclose(ours.convert(there, target, source), rgb, atol=3e-8)
