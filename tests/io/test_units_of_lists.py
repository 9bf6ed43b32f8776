"""The unit of wavelengths is that of the list they come of, in every container that gives lists attributes."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import zarr
from scipy.io import netcdf_file

from napari_hsr import read
from napari_hsr.notices import Code, has

VALUES = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)


def _netcdf(path, name, listed, unit):
    with netcdf_file(str(path), "w") as file:
        for dimension, size in zip(("band", "y", "x"), VALUES.shape, strict=True):
            file.createDimension(dimension, size)
        file.createVariable("cube", "f", ("band", "y", "x"))[:] = VALUES
        stored = file.createVariable(name, "d", ("band",))
        stored[:] = listed
        if unit:
            stored.units = unit


def _hdf5(path, name, listed, unit):
    with h5py.File(path, "w") as file:
        file["cube"], file[name] = VALUES, listed
        if unit:
            file[name].attrs["units"] = unit


def _zarr(path, name, listed, unit):
    group = zarr.open_group(path, mode="w")
    group.create_array("cube", data=VALUES)
    stored = group.create_array(name, data=np.asarray(listed))
    if unit:
        stored.attrs["units"] = unit


WRITERS = {"a.nc": _netcdf, "a.h5": _hdf5, "a.zarr": _zarr}


@pytest.mark.parametrize("name", ["wavelength", "sensor_wavelengths_list"])
@pytest.mark.parametrize("file", WRITERS)
def test_it_is_that_of_the_variable(tmp_path, file, name):
    WRITERS[file](tmp_path / file, name, [1000.0, 1250.0, 2000.0, 2500.0], "cm-1")
    cube = read(tmp_path / file)
    np.testing.assert_allclose(cube.wavelengths.nm, [4000, 5000, 8000, 10000])
    assert not has(cube.notices, Code.WAVELENGTH_UNIT_GUESSED)


@pytest.mark.parametrize("file", WRITERS)
def test_one_that_is_none_is_told(tmp_path, file):
    WRITERS[file](tmp_path / file, "wavelength", [400.0, 500.0, 600.0, 700.0], "furlongs")
    cube = read(tmp_path / file)
    assert cube.wavelengths is None
    assert any("'furlongs', which is no unit of wavelength" in str(n) for n in cube.notices)


@pytest.mark.parametrize("file", WRITERS)
def test_that_of_a_list_that_was_not_taken_is_not(tmp_path, file):
    """Numbers of bands, with a unit of their own, lie under a name that is looked at first or last."""
    WRITERS[file](tmp_path / file, "wl", [400.0, 500.0, 600.0, 700.0], "")
    if file == "a.h5":
        with h5py.File(tmp_path / file, "a") as stored:
            stored["bands"] = [1, 2, 3, 4]
            stored["bands"].attrs["units"] = "um"
    assert read(tmp_path / file).wavelengths.nm[0] == 400
