"""Scans and references that ``spectral`` writes become reflectance, whatever their types and interleaves."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import spectral
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_hsr import calibrate, read


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**16),
    dtype=st.sampled_from(["u2", "i4", "f4"]),
    interleaves=st.tuples(*[st.sampled_from(["bsq", "bil", "bip"])] * 3),
    lines=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    order=st.sampled_from([0, 1]),
)
def test_reflectance(seed, dtype, interleaves, lines, order):
    rng = np.random.default_rng(seed)
    bands, width = 5, 6
    dark = rng.integers(50, 80, (bands, lines[0], width))
    white = rng.integers(3000, 4000, (bands, lines[1], width))
    raw = rng.integers(80, 3000, (bands, 7, width))
    with tempfile.TemporaryDirectory() as folder:
        cubes = []
        for name, values, kind in zip("rwd", (raw, white, dark), interleaves, strict=True):
            header = Path(folder, f"{name}.hdr")
            spectral.envi.save_image(
                str(header), np.moveaxis(values, 0, -1).astype(dtype), dtype=dtype, interleave=kind,
                byteorder=order, ext=".raw",
            )  # fmt: skip
            cubes.append(read(header))
        found = np.asarray(calibrate(*cubes).data)
    black, bright = (v.mean(axis=1, keepdims=True) for v in (dark, white))
    np.testing.assert_allclose(found, (raw - black) / (bright - black), rtol=2e-6, atol=1e-6)
