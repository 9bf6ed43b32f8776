"""Cubes down and up: in parts, over one area, with their history."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import Cube
from napari_hsr.errors import InputError
from napari_hsr.io.lazy import LazyArray
from napari_hsr.resample import (
    BASELINES,
    aligned,
    degrade,
    enlarge,
    modcrop,
    resize,
    shrink,
    upsample,
)


@pytest.fixture
def cube():
    values = np.random.default_rng(4).random((5, 24, 12), np.float32)
    return Cube(values, range(400, 450, 10), units="reflectance", name="scene")


@pytest.mark.parametrize("part_bytes", [1, 2000, 5000, 2**25])
@pytest.mark.parametrize("kind", [*BASELINES, "box"])
def test_in_parts_of_any_size_it_is_the_same(cube, kind, part_bytes, monkeypatch):
    monkeypatch.setattr(resize, "PART_BYTES", part_bytes)
    low, high = degrade(cube, 3, kind), upsample(cube, 3, kind)
    assert low.shape == (5, 8, 4)
    assert high.shape == (5, 72, 36)
    np.testing.assert_allclose(low.data, shrink(cube.data, 3, kind), atol=1e-6)
    np.testing.assert_allclose(high.data, enlarge(cube.data, 3, kind), atol=1e-6)


def test_what_a_cube_is_stays_and_its_history_says_what_was_done(cube):
    low = degrade(cube, 4, "gaussian:1.5")
    assert (low.wavelengths, low.units) == (cube.wavelengths, "reflectance")
    assert low.provenance.input == "scene"
    assert "1/4" in low.provenance.steps[-1]
    assert "σ = 1.5 fine pixels" in low.provenance.steps[-1]
    high = upsample(low, 4, "opencv-bicubic")
    assert high.provenance.steps[:1] == low.provenance.steps
    assert "a = -0.75" in high.provenance.steps[-1]
    assert high.name.endswith("bicubic-opencv ×4")


def test_a_cube_on_disk_is_read_in_parts(cube, monkeypatch):
    read = []

    class Source:
        shape = cube.shape

        def __getitem__(self, key):
            made = cube.data[key]
            read.append(made.size)
            return made

    monkeypatch.setattr(resize, "PART_BYTES", 600)
    lazy = cube.replace(data=LazyArray(Source()))
    np.testing.assert_array_equal(degrade(lazy, 2, "box").data, degrade(cube, 2, "box").data)
    assert max(read) <= 150
    assert sum(read) == cube.data.size


def test_the_fine_image_lies_exactly_over_the_coarse_one():
    pixel, origin = aligned(4, (2.0, 3.0), (10.0, -5.0))
    assert pixel == (0.5, 0.75)
    # the outer edge of the first fine pixel is that of the first coarse one; so is the last's
    for p, o, coarse_p, coarse_o in zip(pixel, origin, (2, 3), (10, -5), strict=True):
        assert o - p / 2 == coarse_o - coarse_p / 2
        assert o + (7 * 4 - 0.5) * p == coarse_o + (7 - 0.5) * coarse_p


def test_values_that_are_not_finite_are_named(cube):
    cube.data[2, 5, 7] = np.nan
    with pytest.raises(InputError, match=r"scene .* band 3 at row 6, column 8"):
        degrade(cube, 2)


def test_sizes(cube):
    with pytest.raises(InputError, match="scene has 24 × 12 pixels, which do not divide by 5"):
        degrade(cube, 5)
    assert modcrop(cube, 5).shape == (5, 20, 10)
    assert "divide by 5" in modcrop(cube, 5).provenance.steps[-1]
    assert modcrop(cube, 4) is cube
    with pytest.raises(InputError, match="less than one of 13 × 13"):
        modcrop(cube, 13)
