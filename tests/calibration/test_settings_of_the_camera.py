"""What scan and references state of exposure, gain, binning and wavelengths, as cameras' headers have it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import Cube, calibrate, read
from napari_hsr.errors import InputError
from napari_hsr.notices import Code, has

TRUTH = np.linspace(0.1, 0.9, 3 * 4 * 5).reshape(3, 4, 5)


def cubes(scan_states, white_states, dark_states=None, exposure=1.0):
    """A scan of TRUTH, its white (1000 counts) and dark (10), with what each of them states."""
    counts = (1000 * exposure * TRUTH + 10, np.full((3, 1, 5), 1010.0), np.full((3, 1, 5), 10.0))
    states = (scan_states, white_states, dark_states or {})
    return [Cube(np.float32(c), metadata=s) for c, s in zip(counts, states, strict=True)]


@pytest.mark.parametrize(
    ("of_scan", "of_white"),
    [
        ({"tint": 5.0}, {"tint": 10}),  # Specim
        ({"shutter": "5.0"}, {"shutter": "10.0"}),  # Resonon
        ({"exposure": "5 ms"}, {"exposure": "10000 us"}),
        ({"exposure": "0.005 s"}, {"exposure": "10 ms"}),
        ({"Exposure Time (ms)": 5}, {"Exposure Time (ms)": "10"}),
        ({"integration time": [5.0, 5.0]}, {"integration time": [10.0, 10.0]}),
        ({"IntegrationTime": 5000}, {"IntegrationTime": 10000}),
        ({"camera_exposure_ms": 5}, {"camera_exposure_ms": 10}),
        ({"camera_exposure_ms": 5}, {"camera_exposure_us": 10_000}),
        ({"Exposure Time (ms)": 5}, {"Exposure Time (s)": 0.01}),
        ({"exposure": "5 milliseconds"}, {"exposure": "10000 microseconds"}),
        ({"shutter": "1/200"}, {"shutter": "1/100 s"}),
        ({"exposure": "0,005"}, {"exposure": "0,01"}),
        ({"tint": "5 ms (auto)"}, {"tint": "10 ms"}),
    ],
)
def test_exposure_times_under_the_names_of_cameras(of_scan, of_white):
    found = calibrate(*cubes(of_scan, of_white, exposure=0.5))
    np.testing.assert_allclose(found.data[:], TRUTH, atol=1e-6)
    assert has(found.notices, Code.SCALE_APPLIED)
    assert not set(of_scan) & set(found.metadata)


@pytest.mark.parametrize("value", ["auto", [5.0, 6.0], -5, "0"])
def test_what_is_no_exposure_time_counts_as_none(value):
    found = calibrate(*cubes({"tint": value}, {"tint": 10}))
    np.testing.assert_allclose(found.data[:], TRUTH, atol=1e-6)
    assert has(found.notices, Code.REFERENCE_FITTED)


@pytest.mark.parametrize(
    ("states", "told"),
    [
        (({"tint": 5}, {"tint": 5}, {"tint": 10}), "exposed for 5 and the dark reference for 10"),
        (({"gain": 2}, {"gain": 1}, {}), "gain 2 and the white 1"),
        (({"binning": [2, 1]}, {"binning": [1, 1]}, {}), "binning 2 x 1 and the white 1 x 1"),
        (({"gain": 2}, {"gain": 2}, {"gain": 3}), "gain 2 and the dark reference 3"),
        (({"gain": 2}, {}, {}), None),
        (({"gain": 2, "tint": 5}, {"gain": 2, "tint": 5}, {"gain": 2, "tint": 5}), None),
    ],
)
def test_settings_that_differ_are_told(states, told):
    found = calibrate(*cubes(*states))
    np.testing.assert_allclose(found.data[:], TRUTH, atol=1e-6)
    assert any("files state" in n or "not taken into account" in n for n in found.notices) == bool(
        told
    )
    assert told is None or any(told in n for n in found.notices)


def test_a_scan_that_is_reflectance_already_is_told():
    scan, white, dark = cubes({}, {})
    found = calibrate(scan.replace(units="reflectance"), white, dark)
    assert has(found.notices, Code.VALUES_SCALE_GUESSED)


def test_without_a_dark_none_is_said_to_be_subtracted():
    scan, white, dark = cubes({"tint": 10}, {"tint": 5})
    assert any("One dark reference" in n for n in calibrate(scan, white, dark).notices)
    assert not any("One dark reference" in n for n in calibrate(scan, white).notices)


def test_an_overexposed_patch_is_told():
    counts = np.random.default_rng(1).uniform(100, 4000, (3, 12, 12)).astype(np.float32)
    counts[:, :10, :10] = np.minimum(counts[:, :10, :10] + 2000, 4095)
    assert has(calibrate(Cube(counts), patch=(0, 0, 10, 10)).notices, Code.WHITE_SATURATED)
    assert not has(calibrate(Cube(counts), patch=(0, 10, 12, 12)).notices, Code.WHITE_SATURATED)


HEADER = (
    "ENVI\nsamples = 5\nlines = {}\nbands = 3\ndata type = 4\ninterleave = bsq\nbyte order = 0\n"
    "header offset = 0\n{}"
)


@pytest.mark.parametrize("listed", ["700, 600, 500", "500, 700, 600", "500, 600, 700"])
@pytest.mark.parametrize("stating", ["both", "scan", "white"])
def test_references_whose_bands_lie_in_another_order(tmp_path, listed, stating):
    level = np.array([1.0, 2.0, 4.0])[:, None, None]
    parts = {"scan": TRUTH * level, "white": np.ones((3, 1, 5)) * level}
    for name, values in parts.items():
        extra = (
            f"wavelength units = nm\nwavelength = {{{listed}}}\n"
            if stating in ("both", name)
            else ""
        )
        (tmp_path / f"{name}.hdr").write_text(HEADER.format(values.shape[1], extra))
        (tmp_path / f"{name}.img").write_bytes(np.float32(values).tobytes())
    scan, white = (read(tmp_path / f"{name}.hdr") for name in parts)
    order = np.argsort([float(nm) for nm in listed.split(",")])
    if stating == "both" or listed == "500, 600, 700":
        found = calibrate(scan, white)
        np.testing.assert_allclose(found.data[:], TRUTH[order], rtol=1e-6)
    else:
        with pytest.raises(InputError, match="which are which cannot be told"):
            calibrate(scan, white)


@pytest.mark.parametrize(
    ("of_scan", "of_white"),
    [
        ({"exposure": "20,000"}, {"exposure": "5,000"}),
        ({"tint": 5}, {"exposure": 10}),
        ({"shutter": "short"}, {"shutter": "long"}),
        ({"shutter": "1/0"}, {"shutter": "1/00"}),
    ],
)
def test_exposure_times_that_cannot_be_compared_are_told(of_scan, of_white):
    """Two that differ had counted as equal without a word."""
    found = calibrate(*cubes(of_scan, of_white))
    np.testing.assert_allclose(found.data[:], TRUTH, atol=1e-6)
    assert any("could not be compared" in notice for notice in found.notices)
