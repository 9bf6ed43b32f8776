from __future__ import annotations

import csv

import numpy as np
import pytest

GRID = np.arange(400.0, 701.0, 10.0)


@pytest.fixture
def grid() -> np.ndarray:
    return GRID


@pytest.fixture
def patch() -> np.ndarray:
    """Smooth spectra of many colours, (31, 24, 20) float32 in 0..0.8."""
    rng = np.random.default_rng(5)
    waves = np.cos(np.pi * np.arange(4)[:, None] * np.linspace(0, 1, 31))
    weights = rng.normal(0, [[[0.3]], [[0.8]], [[0.6]], [[0.4]]], (4, 24, 20))
    return (0.8 / (1 + np.exp(-np.einsum("kb,khw->bhw", waves, weights)))).astype(np.float32)


@pytest.fixture
def table(tmp_path):
    """Three cameras of Gaussian channels, in a table."""
    path = tmp_path / "cameras.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["camera", "wavelength_nm", "R", "G", "B"])
        for name, shift in (("Acme_One", 0), ("Acme_Two", 12), ("Acme_Three", -9)):
            for nm in range(380, 785, 5):
                rgb = (
                    height * np.exp(-(((nm - c - shift) / 42) ** 2))
                    for c, height in ((600, 0.6), (540, 1.0), (455, 0.7))
                )
                writer.writerow([name, nm, *(f"{value:.7f}" for value in rgb)])
    return path
