"""Seeded pairs of cubes for the tests of the metrics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_hsr.metrics import PROTOCOLS, evaluate


def pair(shape=(5, 23, 19), seed=0, noise=0.05) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and truth, float32, truth in 0.05..0.95."""
    rng = np.random.default_rng(seed)
    truth = (0.05 + 0.9 * rng.random(shape)).astype(np.float32)
    prediction = (truth + noise * rng.standard_normal(shape)).astype(np.float32)
    return prediction, truth


def per_band(key: str, prediction, truth, **rules) -> np.ndarray:
    """One figure of every band under the default protocol with other rules."""
    protocol = replace(PROTOCOLS["default"], **rules)
    return np.array(evaluate(prediction, truth, protocol).per_band[key])


class OnDisk:
    """A lazy array that records what is read: shape, dtype and basic indexing only."""

    def __init__(self, values: np.ndarray):
        self._values = values
        self.shape, self.dtype = values.shape, values.dtype
        self.reads: list[tuple[int, ...]] = []

    def __getitem__(self, key) -> np.ndarray:
        assert all(isinstance(part, (int, slice)) for part in np.atleast_1d(np.array(key, object)))
        found = np.array(self._values[key])
        self.reads.append(found.shape)
        return found

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("the whole cube was loaded")
