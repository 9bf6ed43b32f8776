"""Cubes and photographs that the tests of this room share."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.photograph import Photograph
from napari_hsr.provenance import Provenance


def _cube(shape=(7, 5, 6), nm="odd", **changes) -> Cube:
    """A cube with every field set, and values that break careless formats."""
    rng = np.random.default_rng(7)
    data = rng.normal(0.4, 0.3, shape).astype(np.float32)
    data.flat[:5] = [np.nan, np.inf, -np.inf, -0.0, 1e-42]
    if isinstance(nm, str):
        nm = Wavelengths(400 + np.arange(shape[0]) * 10.123456789 + 0.1)
    facts = {
        "units": "W m-2 sr-1 nm-1",
        "name": "leaf, {no. 1} é",
        "provenance": Provenance(
            input="leaf.png",
            model="root-poly 4",
            weights_sha256="ab" * 32,
            version="0.1.0",
            created="2025-01-02T03:04:05+00:00",
            steps=("decoded from sRGB", "braces {a, b} = c; “quoted”"),
            extra={"tile": [64, 64]},
        ),
        "metadata": {"norm_factor": 0.25, "bbl": [1] * shape[0], "note": "a = {b}\nc &#233; µ"},
    }
    return Cube(data, nm, **{**facts, **changes})


def _photograph(dtype=np.uint8, **changes) -> Photograph:
    """A photograph that uses the whole range of its type."""
    rng = np.random.default_rng(8)
    if np.dtype(dtype).kind == "f":
        data = rng.random((9, 11, 3)).astype(dtype)
    else:
        data = rng.integers(0, np.iinfo(dtype).max, (9, 11, 3), dtype, endpoint=True)
    facts = {
        "encoding": "linear-srgb",
        "name": "meadow é",
        "provenance": Provenance(input="meadow.raw", steps=("developed",)),
        "metadata": {"camera": "NIKON D700"},
    }
    return Photograph(data, **{**facts, **changes})


def _same(found: Cube, expected: Cube) -> None:
    """Equal to the last bit, and in everything that a cube carries but its notices."""
    assert found.shape == expected.shape
    got, want = np.asarray(found.data), np.asarray(expected.data)
    assert got.dtype == np.float32
    assert got.tobytes() == np.ascontiguousarray(want).tobytes()
    assert found.wavelengths == expected.wavelengths
    assert found.units == expected.units
    assert found.name == expected.name
    assert found.provenance == expected.provenance
    assert found.metadata == expected.metadata


@pytest.fixture
def make_cube():
    return _cube


@pytest.fixture
def make_photograph():
    return _photograph


@pytest.fixture
def assert_same_cube():
    return _same


@pytest.fixture
def cube() -> Cube:
    return _cube()
