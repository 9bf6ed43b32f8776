"""Values that are missing: nothing is refused, nothing spreads, and the holes stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_hsr import Cube, super_resolve
from napari_hsr.errors import InputError
from napari_hsr.inference import super_resolve_events
from napari_hsr.io import lazy, read, write
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.notices import Code, has
from napari_hsr.resample import BASELINES, agreement_events, refine, upsample
from napari_hsr.resample.holes import fill

RNG = np.random.default_rng(5)


def smooth(bands=6, height=20, width=17) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / 6
    return np.stack([0.4 + 0.2 * np.sin(x + b) * np.cos(y) for b in range(bands)]).astype("f4")


@pytest.fixture
def broken():
    """A corner, single values, and a whole band without values."""
    data = smooth()
    data[:, :4, :4] = np.nan
    data[2, 10, 11] = np.inf
    data[1, 7, 7:9] = np.nan
    data[4] = np.nan
    return Cube(data, range(400, 460, 10), name="scene")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    net = CoarSR(2, width=8, blocks=1).eval()
    with torch.no_grad():
        net.tail[1].weight_g *= 1e-3
    return from_state_dict(net.state_dict())


def expected_holes(cube, scale):
    return ~np.isfinite(cube.data).repeat(scale, 1).repeat(scale, 2)


def last(*args, **options):
    return list(super_resolve_events(*args, **options))[-1]


def test_filled_from_the_nearest(broken):
    filled = fill(broken)
    known = np.isfinite(broken.data)
    assert np.isfinite(filled.cube.data).all()
    np.testing.assert_array_equal(filled.cube.data[known], broken.data[known])
    np.testing.assert_array_equal(filled.missing, ~known)
    assert filled.cube.data[1, 7, 7] == broken.data[1, 7, 6]
    np.testing.assert_array_equal(filled.cube.data[4], filled.cube.data[3])


def test_a_whole_cube_is_handed_back_itself():
    cube = Cube(smooth())
    assert fill(cube).cube is cube
    assert fill(cube).notices() == ()


@pytest.mark.parametrize("refine_by", [False, True])
@pytest.mark.parametrize("way", [*BASELINES, "network"])
def test_holes_stay_and_do_not_spread(broken, model, way, refine_by):
    result = last(broken, model if way == "network" else way, 2, refine=refine_by)
    data = result.cube.data
    np.testing.assert_array_equal(np.isnan(data), expected_holes(broken, 2))
    assert has(result.notices, Code.NOT_FINITE)
    assert result.cube.value_range == (np.nanmin(data), np.nanmax(data))
    assert np.nanmax(np.abs(data)) < 1
    assert np.isnan(result.agreement.residual[:4, :4]).all()
    assert np.isfinite(result.agreement.residual).sum() == 20 * 17 - 16
    assert np.isfinite(result.agreement.relative)
    if refine_by:
        assert result.agreement.relative < 1e-2


@pytest.mark.parametrize("tile", [8, "whole"])
def test_tiles_give_the_same(broken, model, tile):
    whole = super_resolve(broken, model, tile="whole").data
    np.testing.assert_allclose(super_resolve(broken, model, tile=tile).data, whole, atol=1e-6)


def test_far_from_a_hole_nothing_changes(broken, model):
    intact = Cube(smooth(), range(400, 460, 10))
    broken = broken.replace(
        data=np.where(np.arange(6)[:, None, None] == 4, intact.data, broken.data)
    )
    for way in ("bicubic-matlab", "box"):
        with_holes, without = (super_resolve(c, way, 2).data for c in (broken, intact))
        np.testing.assert_array_equal(with_holes[:, :, 30:], without[:, :, 30:])
        np.testing.assert_array_equal(with_holes[:, 30:], without[:, 30:])


def test_from_the_disk(broken, tmp_path, monkeypatch):
    monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 1)
    write(broken, tmp_path / "a.h5")
    cube = read(tmp_path / "a.h5")
    assert isinstance(cube.data, lazy.LazyArray)
    np.testing.assert_array_equal(
        super_resolve(cube, "bicubic-matlab", 2).data,
        super_resolve(broken, "bicubic-matlab", 2).data,
    )


def test_public_upsampling_and_refinement(broken):
    fine = upsample(broken, 2)
    np.testing.assert_array_equal(np.isnan(fine.data), expected_holes(broken, 2))
    better = refine(fine, broken, 2, tolerance=1e-4)
    np.testing.assert_array_equal(np.isnan(better.data), expected_holes(broken, 2))
    before, after = (list(agreement_events(cube, broken))[-1] for cube in (fine, better))
    assert after.relative < 0.1 * before.relative


def test_a_cube_without_values_is_refused():
    empty = Cube(np.full((5, 4, 4), np.nan), name="night")
    with pytest.raises(InputError, match="night has no values: all are NaN or infinite"):
        super_resolve(empty, "bicubic-matlab", 2)


def test_a_marker_that_the_file_does_not_state_is_told(tmp_path):
    """One value of 3.4e38 would scale all others to nothing."""
    data = smooth()
    data[1, 2, 3] = np.finfo(np.float32).min  # GDAL's
    path = write(Cube(data, np.linspace(400, 700, 6)), tmp_path / "a.h5")
    for model in ("bicubic-matlab", "coarsr-x2"):
        with pytest.raises(InputError, match=r"reach 3.40282347e\+38, .*no_data"):
            super_resolve(read(path), model, 2)
    stated = read(path, no_data=float(np.finfo(np.float32).min))
    assert np.nanmax(np.abs(super_resolve(stated, "bicubic-matlab", 2).data)) < 1
