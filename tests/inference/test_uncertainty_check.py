"""Intervals and measured shares held against the truth."""

import numpy as np
import pytest

from napari_hsr import Photograph
from napari_hsr.inference import reconstruct_events
from napari_hsr.inference.trust.evidence import Evidence
from napari_hsr.inference.trust.uncertainty_check import uncertainty_check_events
from napari_hsr.metrics.uncertainty import coverage, curves
from napari_hsr.progress import result_of


def test_it_is_what_the_ends_as_cubes_give_asked_for_in_the_run_or_not():
    rng = np.random.default_rng(3)
    photograph = Photograph(rng.integers(10, 250, (12, 17, 3), dtype=np.uint8), encoding="srgb")
    result = result_of(
        reconstruct_events(photograph, "rootpoly-srgb", intervals=True, camera="cie-1931")
    )
    cube, trust = result.cube, result.trust
    noise = rng.normal(0, 0.8, cube.shape) * trust.intervals.half_width()
    truth = cube.replace(data=np.maximum(cube.data + noise, 0).astype(np.float32), name="truth")
    found = result_of(uncertainty_check_events(Evidence.of(result), truth))
    ends = trust.intervals.bounds(cube)
    expected = coverage(*ends, truth)
    assert found.coverage == pytest.approx(expected["coverage"], abs=2e-3)
    assert found.half_width == pytest.approx(expected["half_width"], rel=1e-4)
    np.testing.assert_allclose(found.coverage_bands, expected["coverage_bands"], atol=0.01)
    by = curves(cube, truth, ends, trust.colours.linear_camera)
    np.testing.assert_allclose(found.by_share[1], by["error_by_share"]["error"], rtol=1e-4)
    share, risk = found.risk
    np.testing.assert_allclose(risk, by["risk_coverage"]["error"], rtol=1e-3)
    assert share[-1] == 1
    assert risk[-1] == pytest.approx(np.abs(noise).mean(), rel=0.2)
    assert f"hold {found.coverage:.1%}" in found.words("reflectance")
    plain = Evidence.of(result_of(reconstruct_events(photograph, "rootpoly-srgb")))
    later = result_of(uncertainty_check_events(plain, truth))
    assert later.coverage == pytest.approx(found.coverage, abs=2e-3)
    assert later.by_share is None


def test_a_band_that_the_truth_lacks_bad_bands_and_what_lies_outside_a_region_have_no_part():
    rng = np.random.default_rng(5)
    photograph = Photograph(rng.integers(10, 250, (8, 9, 3), dtype=np.uint8), encoding="srgb")
    result = result_of(
        reconstruct_events(photograph, "rootpoly-srgb", intervals=True, camera="cie-1931")
    )
    cube, half = result.cube, result.trust.intervals.half_width()
    truth = np.maximum(cube.data + rng.normal(0, 0.8, cube.shape) * half, 0).astype(np.float32)
    inside = np.zeros((8, 9), bool)
    inside[2:6, 1:7] = True
    lacking, outside = truth.copy(), truth.copy()
    lacking[4] = np.nan
    outside[:, ~inside] = 50.0
    outside[7] = 50.0
    marks = [int(band != 7) for band in range(cube.bands)]
    kept = [
        (cube.replace(data=lacking), None, np.arange(cube.bands) != 4, np.ones((8, 9), bool)),
        (
            cube.replace(data=outside, metadata={**cube.metadata, "bbl": marks}),
            inside,
            np.arange(cube.bands) != 7,
            inside,
        ),
    ]
    low, high = np.maximum(cube.data - half, 0), cube.data + half
    for other, mask, bands, pixels in kept:
        found = result_of(uncertainty_check_events(Evidence.of(result), other, mask=mask))
        part = np.ix_(bands, pixels.ravel())
        true, made, lo, hi = (
            each.reshape(cube.bands, -1)[part].astype(float)
            for each in (truth, cube.data, low, high)
        )
        within = (true >= lo) & (true <= hi)
        assert found.coverage == pytest.approx(within.mean(), abs=2e-3)
        assert found.half_width == pytest.approx(((hi - lo) / 2).mean(), rel=1e-5)
        assert found.risk[1][-1] == pytest.approx(np.abs(made - true).mean(), rel=1e-5)
        assert found.by_share[1].size
    lacked = result_of(uncertainty_check_events(Evidence.of(result), kept[0][0]))
    assert np.isnan(lacked.coverage_bands[4])
    assert lacked.to_dict()["intervals"]["coverage_bands"][4] is None
    assert 4 not in [band for name, band, *_ in lacked.figures() if name == "coverage"]
    marked = result_of(uncertainty_check_events(Evidence.of(result), kept[1][0]))
    assert marked.coverage_bands.size == cube.bands - 1
