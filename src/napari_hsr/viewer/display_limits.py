"""Contrast limits for display: robust, fast to compute, never equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_hsr.cube import Cube


#: Share of the upper limit of a map beyond which its maximum is told.
_TOLD = 0.05


def contrast_limits(cube: Cube) -> tuple[float, float]:
    """Display limits that are robust to a few hot pixels, and never equal.

    From 0 for data without negative values; up to the 99.9th percentile of a coarse
    subsample for cubes in memory, to the (estimated) maximum for the others.
    """
    low, high = cube.value_range
    if cube.in_memory:
        good, stride = np.flatnonzero(cube.good_bands), max(1, max(cube.shape[1:]) // 64)
        bands = good[:: max(1, len(good) // 16)]
        sample = np.stack([cube.data[band, ::stride, ::stride] for band in bands])
        sample = sample[np.isfinite(sample)]
        if sample.size:
            robust_low, robust_high = np.percentile(sample, (0.1, 99.9))
            if robust_high > robust_low:
                low, high = max(low, float(robust_low)), min(high, float(robust_high))
    return spread(min(0.0, low) if low >= 0 else low, high)


def spread(low: float, high: float) -> tuple[float, float]:
    """(low, high) as finite floats that differ, as napari needs them."""
    low = float(low) if np.isfinite(low) else 0.0
    high = float(high) if np.isfinite(high) else low
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        high = low + (abs(low) or 1.0)
    return low, high


def beyond(data: np.ndarray, high: float) -> float | None:
    """The maximum of a map if its colours end well below it, to be told beside them; else None."""
    finite = data[np.isfinite(data)]
    most = float(finite.max()) if finite.size else high
    return most if most > high + _TOLD * abs(high) else None


def map_limits(data: np.ndarray) -> tuple[float, float]:
    """From 0 (for maps without negative values) to the 99.5th percentile of the finite values."""
    finite = data[np.isfinite(data)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, (0.5, 99.5))
    return (0.0 if finite.min() >= 0 else float(low)), float(high)
