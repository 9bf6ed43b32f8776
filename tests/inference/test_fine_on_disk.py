"""Super-resolution into a zarr store: what memory would hold, gone on with, and what is refused."""

import errno
import os

import numpy as np
import pytest
import torch

from napari_hsr import Cube, read, super_resolve
from napari_hsr.errors import FileError, InputError
from napari_hsr.inference import memory_budget, super_resolve_events
from napari_hsr.inference.estimates import speed_probe
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import coarsr
from napari_hsr.notices import Code, has
from napari_hsr.resample import BASELINES

from ..thorough import thorough

ROUNDING = 64 * 2**-24


@pytest.fixture(scope="module")
def cube():
    values = np.random.default_rng(0).random((6, 150, 140), np.float32)
    return Cube(values, name="leaf", units="reflectance")


@pytest.fixture(scope="module")
def holed(cube):
    values = cube.data.copy()
    values[2, 63:66, 60:70] = np.nan
    return cube.replace(data=values)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return from_state_dict(coarsr.CoarSR(2, 8, 1, intended=True).state_dict())


@pytest.mark.parametrize("name", thorough(BASELINES, always=["bicubic-matlab"]))
def test_interpolations_in_tiles_are_those_in_memory(tmp_path, holed, name):
    expected = super_resolve(holed, name, 2)
    made = super_resolve(holed, name, 2, tile=64, output=tmp_path / "fine.zarr")
    np.testing.assert_allclose(np.asarray(made.data), expected.data, atol=ROUNDING)
    assert np.isnan(made.data).any()
    assert (made.name, made.units, made.place) == (expected.name, "reflectance", expected.place)
    known, then = (c.provenance.extra["super_resolution"] for c in (made, expected))
    assert known["relative_residual"] == pytest.approx(then["relative_residual"], rel=0.05)
    assert made.notices == expected.notices
    assert not list(tmp_path.glob(".napari-hsr-*"))  # the holes were filled in files
    np.testing.assert_array_equal(read(tmp_path / "fine.zarr").data, made.data)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no such call")
def test_a_disk_that_is_full_is_told_before_holes_are_filled_in_a_file(
    tmp_path, holed, monkeypatch
):
    """What is written into a map of a file without room ends the process."""

    def full(*_of):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(FileError, match="values cannot be filled in there: the disk is full"):
        super_resolve(holed, BASELINES[0], 2, tile=64, output=tmp_path / "fine.zarr")
    assert not list(tmp_path.iterdir())


def test_a_network_goes_on_where_it_was(tmp_path, cube, model, monkeypatch):
    monkeypatch.setattr(speed_probe, "worthwhile", lambda _run: False)
    expected = super_resolve(cube, model, device="cpu", tile=64)
    options = {"device": "cpu", "tile": 64, "output": tmp_path / "fine.zarr"}
    events = super_resolve_events(cube, model, **options)
    for event in events:
        if event.done >= 450:
            events.close()
    assert (tmp_path / "fine.unfinished.zarr").is_dir()
    other = cube.replace(data=cube.data + 1)
    with pytest.raises(FileError, match="begun with another input:"):
        list(super_resolve_events(other, model, **options))
    *_, result = super_resolve_events(cube, model, **options)
    assert has(result.notices, Code.RESUMED)
    np.testing.assert_allclose(np.asarray(result.cube.data), expected.data, atol=ROUNDING)
    assert result.agreement.relative == pytest.approx(
        expected.provenance.extra["super_resolution"]["relative_residual"], rel=1e-5
    )


def test_what_cannot_be_written_so_is_said(tmp_path, cube):
    with pytest.raises(InputError, match="in memory over all of it"):
        super_resolve(cube, "box", 2, refine=True, output=tmp_path / "a.zarr")
    with pytest.raises(InputError, match="in memory over all of it"):
        super_resolve(cube, "box", 2, denoise=True, output=tmp_path / "a.zarr")
    with pytest.raises(InputError, match=r"ends with \.zarr"):
        super_resolve(cube, "box", 2, output=tmp_path / "a.mat")


def test_tiles_fit_whatever_the_cube_is(monkeypatch):
    from napari_hsr.inference.interpolations import as_model
    from napari_hsr.inference.run_plan import plan_run
    from napari_hsr.resample import methods

    monkeypatch.setattr(memory_budget, "available", lambda: 8 * 10**9)
    bicubic = as_model(methods.find("bicubic-matlab"), 4, 31)
    run = plan_run(bicubic, 20000, 20000, bands=31, on_disk=True)
    largest = max(h * w for h, w in (tile.shape for tile in run.tiles))
    assert largest * run.bytes_per_pixel < memory_budget.LIMIT
