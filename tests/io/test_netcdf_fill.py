"""NetCDF's own numbers for what was never written, where a file states none."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from scipy.io import netcdf_file

from napari_hsr import read
from napari_hsr.io import lazy
from napari_hsr.notices import Code, has

FILLS = {
    "i2": -32767, "u2": 65535, "i4": -2147483647, "u4": 4294967295, "i8": -9223372036854775806,
    "f4": 9.969209968386869e36, "f8": 9.969209968386869e36,
}  # fmt: skip
NM = [400.0, 500.0, 600.0]


def cube_of(path, dtype, stated, by_netcdf=True, **attributes):
    values = np.arange(60).reshape(3, 4, 5).astype(dtype)
    values[1, 2, 3] = FILLS.get(dtype, -127)
    with h5py.File(path, "w") as file:
        if by_netcdf:
            file.attrs["_NCProperties"] = np.bytes_("version=2,netcdf=4.9.2,hdf5=1.14.2")
        stored = file.create_dataset("refl", data=values, fillvalue=stated)
        stored.attrs.update(attributes)
        file["wavelength"] = NM
    return read(path)


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("dtype", FILLS)
def test_the_default_is_missing(tmp_path, dtype, on_disk, monkeypatch):
    if on_disk:
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 1)
    cube = cube_of(tmp_path / "a.nc", dtype, FILLS[dtype])
    assert isinstance(cube.data, lazy.LazyArray) == on_disk
    expected = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    expected[1, 2, 3] = np.nan
    np.testing.assert_array_equal(np.asarray(cube.data), expected)
    assert has(cube.notices, Code.NO_DATA)
    assert not has(cube.notices, Code.VALUES_ROUNDED)


@pytest.mark.parametrize(
    ("dtype", "stated", "more"),
    [
        ("u2", None, {}),  # of a program that has no such custom, as h5netcdf
        ("u2", 0, {}),
        ("u2", 65535, {"by_netcdf": False}),
        ("u2", 65535, {"_FillValue": np.uint16(9)}),
        ("u2", 65535, {"valid_max": np.uint16(65535)}),
        ("i1", -127, {}),  # bytes have none
    ],
)
def test_other_numbers_are_values(tmp_path, dtype, stated, more):
    cube = cube_of(tmp_path / "a.nc", dtype, stated, **more)
    assert cube.data[1, 2, 3] == FILLS.get(dtype, -127)


@pytest.mark.parametrize("dtype", ["i2", "i4", "f4"])
def test_classic_files(tmp_path, dtype):
    with netcdf_file(tmp_path / "a.nc", "w") as file:
        for name, size in (("wavelength", 3), ("y", 4), ("x", 5)):
            file.createDimension(name, size)
        stored = file.createVariable("refl", f">{dtype}", ("wavelength", "y", "x"))
        values = np.arange(60).reshape(3, 4, 5).astype(dtype)
        values[1, 2, 3] = FILLS[dtype]
        stored[:] = values
    cube = read(tmp_path / "a.nc")
    assert np.isnan(cube.data[1, 2, 3])
    assert has(cube.notices, Code.NO_DATA)
