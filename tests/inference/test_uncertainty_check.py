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
