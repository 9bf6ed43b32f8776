"""Cubes whose bands lie in arrays of their own, in every format that has names."""

from __future__ import annotations

import h5py
import imagecodecs
import numpy as np
import pytest
import tifffile
from scipy.io import netcdf_file, savemat

from napari_hsr import read
from napari_hsr.errors import FileError
from napari_hsr.io import alternatives, can_read, lazy
from napari_hsr.notices import Code

NM = [450, 500, 550, 1020]
CUBE = np.random.default_rng(3).random((4, 5, 6)).astype(np.float32)


def _npz(path, planes):
    np.savez(path.with_suffix(".npz"), **planes)
    return path.with_suffix(".npz")


def _mat(path, planes):
    savemat(path.with_suffix(".mat"), planes)
    return path.with_suffix(".mat")


def _hdf5(path, planes):
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for name, values in planes.items():
            file[f"images/{name}"] = values
    return path.with_suffix(".h5")


def _netcdf(path, planes):
    with netcdf_file(path.with_suffix(".nc"), "w") as file:
        file.createDimension("y", 5)
        file.createDimension("x", 6)
        for name, values in planes.items():
            file.createVariable(name, "f4", ("y", "x"))[:] = values
    return path.with_suffix(".nc")


def _zarr(path, planes):
    zarr = pytest.importorskip("zarr")
    store = zarr.open_group(str(path.with_suffix(".zarr")), mode="w")
    for name, values in planes.items():
        store.create_array(name, data=values)
    return path.with_suffix(".zarr")


@pytest.mark.parametrize("save", [_npz, _mat, _hdf5, _netcdf, _zarr])
@pytest.mark.parametrize("name", ["band_{}", "B{}", "reflectance_{}nm", "Rrs_{}"])
def test_wavelengths_in_the_names(tmp_path, save, name):
    shuffled = {name.format(NM[i]): CUBE[i] for i in (2, 3, 0, 1)}
    cube = read(save(tmp_path / "a", {**shuffled, "chlor_a": CUBE[0]}))
    np.testing.assert_array_equal(cube.data, CUBE)
    np.testing.assert_allclose(cube.wavelengths.nm, NM)
    assert any("4 arrays of one band each" in notice for notice in cube.notices)


def test_numbers_are_an_order_and_no_wavelengths(tmp_path):
    many = np.random.default_rng(0).random((12, 5, 6)).astype(np.float32)
    cube = read(_hdf5(tmp_path / "a", {f"band_{i + 1}": plane for i, plane in enumerate(many)}))
    np.testing.assert_array_equal(cube.data, many)
    assert cube.wavelengths is None


def test_a_list_beside_numbered_bands_counts_in_their_order(tmp_path):
    planes = {f"b{i + 1}": plane for i, plane in enumerate(CUBE)}
    cube = read(
        _npz(tmp_path / "a", {**planes, "wavelengths": np.array([450.2, 500.4, 550.1, 1020.9])})
    )
    np.testing.assert_allclose(cube.wavelengths.nm, [450.2, 500.4, 550.1, 1020.9])


@pytest.mark.parametrize("on_disk", [False, True])
def test_scale_missing_values_and_wavelengths_of_each_array(tmp_path, monkeypatch, on_disk):
    if on_disk:
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 64)
    stored = np.arange(120, dtype=np.int16).reshape(4, 5, 6)
    stored[:, 0, 0] = -1
    with h5py.File(tmp_path / "a.nc", "w") as file:
        for i, plane in enumerate(stored):
            item = file.create_dataset(f"Oa{i + 1:02}_radiance", data=plane)
            item.attrs["radiation_wavelength"] = float(NM[i])
            item.attrs["scale_factor"] = 0.5 * (i + 1)
            item.attrs["_FillValue"] = np.int16(-1)
            error = file.create_dataset(f"Oa{i + 1:02}_radiance_err", data=plane)
            error.attrs["radiation_wavelength"] = float(NM[i])
    cube = read(tmp_path / "a.nc")
    expected = stored * (0.5 * np.arange(1, 5))[:, None, None]
    expected[:, 0, 0] = np.nan
    np.testing.assert_allclose(cube.data, expected, rtol=1e-6)
    np.testing.assert_allclose(cube.wavelengths.nm, NM)


def test_two_sets_are_a_question_that_a_name_answers(tmp_path):
    planes = {
        f"{kind}_{nm}": CUBE[i] + k
        for k, kind in enumerate(("rhot", "rrs"))
        for i, nm in enumerate(NM)
    }
    path = _hdf5(tmp_path / "a", planes)
    with alternatives.recorded() as seen, pytest.raises(FileError, match=r"images/rrs_\*"):
        read(path)
    assert {array.name for array in seen.arrays} == {"images/rhot_*", "images/rrs_*"}
    np.testing.assert_array_equal(read(path, variable="images/rrs_*").data, CUBE + 1)


def test_arrays_that_are_no_bands_stay_apart(tmp_path):
    tables = {f"table_{year}": plane for year, plane in zip((2018, 2019, 2020), CUBE, strict=False)}
    with pytest.raises(FileError, match="no numeric array with three axes"):
        read(_npz(tmp_path / "a", tables))


def _pictures(folder, pattern, nm=NM):
    for wavelength, plane in zip(nm, CUBE, strict=True):
        values = (plane * 65535).astype(np.uint16)
        path = folder / pattern.format(wavelength)
        if path.suffix == ".png":
            path.write_bytes(imagecodecs.png_encode(values))
        else:
            tifffile.imwrite(path, values, metadata=None)
    return folder


@pytest.mark.parametrize("pattern", ["leaf_{}nm.png", "{}.tif", "scan 3 band_{}.tiff"])
def test_a_folder_with_a_picture_a_band(tmp_path, pattern):
    folder = _pictures(tmp_path, pattern)
    colours = np.random.default_rng(0).integers(0, 255, (5, 6, 3), np.uint8)
    (folder / "preview.png").write_bytes(imagecodecs.png_encode(colours))
    assert can_read(folder)
    cube = read(folder)
    np.testing.assert_array_equal(cube.data, (CUBE * 65535).astype(np.uint16))
    np.testing.assert_allclose(cube.wavelengths.nm, NM)
    assert any("preview.png" in notice for notice in cube.notices)
    assert read(folder, bands=[1, 2]).shape == (2, 5, 6)


def test_a_folder_of_frames_is_no_cube(tmp_path):
    folder = _pictures(tmp_path, "0{}.png", (450, 451, 452, 453))
    assert not can_read(folder)
    with pytest.raises(FileError, match="named by their wavelengths"):
        read(folder)


def test_a_picture_of_another_size_among_the_bands(tmp_path):
    folder = _pictures(tmp_path, "a_{}nm.tif")
    tifffile.imwrite(folder / "a_900nm.tif", np.zeros((4, 4), np.uint16))
    with pytest.raises(FileError, match=r"a_900nm\.tif: this band has 4 x 4 pixels, that of"):
        read(folder)


@pytest.mark.parametrize("save", [_npz, _hdf5, _zarr])
def test_bands_with_an_axis_of_time_of_length_one(tmp_path, save):
    path = save(tmp_path / "a", {f"Rrs_{NM[i]}": CUBE[i][None] for i in range(4)})
    cube = read(path)
    np.testing.assert_array_equal(cube.data, CUBE)
    assert not any(n.code == Code.OTHER_ARRAYS_LEFT_OUT for n in cube.notices)


def test_bands_of_two_resolutions_are_a_question(tmp_path):
    fine = np.random.default_rng(1).random((3, 10, 12)).astype(np.float32)
    planes = {f"B{i + 1}": CUBE[i] for i in range(4)} | {f"B{i + 5}": fine[i] for i in range(3)}
    path = _hdf5(tmp_path / "a", planes)
    with pytest.raises(FileError, match="2 arrays could be the cube"):
        read(path)
    np.testing.assert_array_equal(read(path, variable="images/B*_10x12").data, fine)
