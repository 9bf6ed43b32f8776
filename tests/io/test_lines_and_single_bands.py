"""Arrays of two axes whose file says what they are: a line of pixels, or a picture at one wavelength."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from napari_hsr import read
from napari_hsr.errors import FileError
from napari_hsr.notices import Code, has

STORED = np.arange(48.0, dtype="f4").reshape(8, 6)
NM = np.linspace(400, 700, 6)
SCAN = {"name": "x", "scale": 1.0, "offset": 0.0, "units": "µm", "navigate": True}
OF_BANDS = {"name": "Wavelength", "scale": 60.0, "offset": 400.0, "units": "nm", "navigate": False}


def _hspy(folder, values, *axes):
    with h5py.File(folder / "a.hspy", "w") as file:
        group = file.create_group("Experiments/scan")
        group["data"] = values
        for i, axis in enumerate(axes):
            group.create_group(f"axis-{i}").attrs.update(axis | {"size": values.shape[i]})
    return folder / "a.hspy"


def _zspy(folder, values, *axes):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(folder / "a.zspy", mode="w").create_group("Experiments/scan")
    group.create_array("data", data=values)
    for i, axis in enumerate(axes):
        group.create_group(f"axis-{i}").attrs.update(axis | {"size": values.shape[i]})
    return folder / "a.zspy"


def _netcdf4(folder, values, names, scalar=None):
    with h5py.File(folder / "a.nc", "w") as file:
        array = file.create_dataset("toa", data=values)
        for i, (name, size) in enumerate(zip(names, values.shape, strict=True)):
            scale = file.create_dataset(name, data=NM if name == "wavelength" else np.arange(size))
            scale.attrs["units"] = "nm" if name == "wavelength" else "m"
            scale.make_scale(name)
            array.dims[i].attach_scale(scale)
        if scalar is not None:
            file["wavelength"] = scalar
            file["wavelength"].attrs["units"] = "nm"
    return folder / "a.nc"


def _netcdf3(folder, values, names, scalar=None):
    with scipy.io.netcdf_file(folder / "a.nc", "w") as file:
        for name, size in zip(names, values.shape, strict=True):
            file.createDimension(name, size)
        file.createVariable("toa", "f4", tuple(names))[:] = values
        if "wavelength" in names:
            file.createVariable("wavelength", "f8", ("wavelength",))[:] = NM
        elif scalar is not None:
            file.createVariable("wavelength", "f8", ())[...] = scalar
        if scalar is not None or "wavelength" in names:
            file.variables["wavelength"].units = "nm"
    return folder / "a.nc"


def _zarr(folder, values, names, scalar=None):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(folder / "a.zarr", mode="w")
    group.create_array("toa", data=values, dimension_names=names)
    if scalar is not None or "wavelength" in names:
        listed = NM if scalar is None else np.array(scalar)
        group.create_array("wavelength", data=listed).attrs["units"] = "nm"
    return folder / "a.zarr"


@pytest.mark.parametrize("make", [_hspy, _zspy])
@pytest.mark.parametrize("turned", [False, True])
def test_line_scans_of_hyperspy(tmp_path, make, turned):
    axes = (OF_BANDS, SCAN) if turned else (SCAN, OF_BANDS)
    cube = read(make(tmp_path, STORED.T.copy() if turned else STORED, *axes))
    np.testing.assert_array_equal(cube.data[:], STORED.T[:, None])
    np.testing.assert_allclose(cube.wavelengths.nm, NM)
    assert has(cube.notices, Code.AXES_CHANGED)


@pytest.mark.parametrize("make", [_netcdf4, _netcdf3, _zarr])
@pytest.mark.parametrize("names", [["x", "wavelength"], ["wavelength", "y"]])
def test_lines_by_their_named_axis(tmp_path, make, names):
    values = STORED if names[1] == "wavelength" else STORED.T.copy()
    cube = read(make(tmp_path, values, names))
    np.testing.assert_array_equal(cube.data[:], STORED.T[:, None])
    np.testing.assert_allclose(cube.wavelengths.nm, NM)
    assert has(cube.notices, Code.AXES_CHANGED)


@pytest.mark.parametrize("make", [_netcdf4, _netcdf3, _zarr])
def test_a_picture_at_one_wavelength(tmp_path, make):
    cube = read(make(tmp_path, STORED, ["y", "x"], scalar=550.0))
    np.testing.assert_array_equal(cube.data[:], STORED[None])
    assert list(cube.wavelengths) == [550]


@pytest.mark.parametrize("name", ["toa", "reflectance"])
def test_a_picture_and_a_number_without_named_axes(tmp_path, name):
    np.savez(tmp_path / "a.npz", **{name: STORED}, wavelength=550.0)
    scipy.io.savemat(tmp_path / "a.mat", {name: STORED, "wavelength": 550.0})
    for path in (tmp_path / "a.npz", tmp_path / "a.mat"):
        cube = read(path)
        np.testing.assert_array_equal(cube.data[:], STORED[None])
        assert list(cube.wavelengths) == [550]


def test_two_pictures_or_no_wavelength_are_not_guessed(tmp_path):
    np.savez(tmp_path / "a.npz", one=STORED, other=STORED, wavelength=550.0)
    np.savez(tmp_path / "b.npz", toa=STORED)
    for name in ("a.npz", "b.npz"):
        with pytest.raises(FileError, match="no numeric array with three axes"):
            read(tmp_path / name)
