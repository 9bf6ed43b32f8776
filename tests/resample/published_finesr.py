"""The iteration of DualSR's ``backprojection.m`` on whole arrays, as many times as asked for."""

from __future__ import annotations

from typing import Any

from napari_hsr.resample import imresize
from napari_hsr.resample.finesr import original_gain


def gain(first: Any, second: Any) -> float:
    return original_gain(
        *((a * b).sum(0) for a, b in ((first, second), (first, first), (second, second)))
    )


def finesr(fine: Any, half: Any, iterations: int = 1) -> Any:
    """Arrays or tensors (bands, height, width), and of half the size; computed in doubles."""
    fine, half = (x.double() if hasattr(x, "double") else x.astype(float) for x in (fine, half))
    for _ in range(iterations):
        low = imresize(fine, 1 / 2)
        fine = fine + imresize(gain(low, half) * (half - low), 2)
    return fine
