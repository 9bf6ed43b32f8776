"""Arrays of four axes hold several cubes: which one is asked for, and never guessed in silence."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

from napari_hsr import read
from napari_hsr.errors import FileError, SeveralArraysError
from napari_hsr.io import alternatives
from napari_hsr.notices import Code, has

CUBES = np.random.default_rng(3).random(
    (3, 9, 6, 7), dtype=np.float32
)  # time, bands, rows, columns


def as_npy(path):
    np.save(path / "a.npy", CUBES)
    return path / "a.npy", ""


def as_npz(path):
    np.savez(path / "a.npz", cubes=CUBES, wavelengths=np.linspace(400, 700, 9))
    return path / "a.npz", "cubes"


def as_hdf5(path):
    with h5py.File(path / "a.h5", "w") as file:
        file["cubes"] = CUBES
        file["wavelengths"] = np.linspace(400, 700, 9)
    return path / "a.h5", "cubes"


def as_matlab(path):
    scipy.io.savemat(
        path / "a.mat", {"cubes": CUBES.transpose(2, 3, 1, 0)}
    )  # rows, columns, bands, time
    return path / "a.mat", "cubes"


def as_ome_tiff(path):
    tifffile.imwrite(path / "a.ome.tif", CUBES, photometric="minisblack", metadata={"axes": "TCYX"})
    return path / "a.ome.tif", ""


@pytest.mark.parametrize("written", [as_npy, as_npz, as_hdf5, as_matlab, as_ome_tiff])
def test_one_of_several_is_named(tmp_path, written):
    path, name = written(tmp_path)
    with (
        alternatives.recorded() as seen,
        pytest.raises(SeveralArraysError, match=r"4 axes .* 3 cubes"),
    ):
        read(path)
    listed = [array.name for array in seen.arrays]
    assert [one.removeprefix(name) for one in listed] == ["[1]", "[2]", "[3]"]
    for number in (1, 3):
        found = read(f"{path}:{name}[{number}]")
        np.testing.assert_array_equal(np.asarray(found.data), CUBES[number - 1])
        assert has(found.notices, Code.AXES_CHANGED)
        np.testing.assert_array_equal(read(path, variable=f"{name}[{number}]").data, found.data)
    for listed_name in listed:
        assert read(path, variable=listed_name).shape == (9, 6, 7)
    for wrong in ("[0]", "[4]"):
        with pytest.raises(FileError, match=r"cubes \[1\] to \[3\]"):
            read(path, variable=f"{name}{wrong}")


def test_the_axis_as_long_as_the_wavelengths_is_none_of_cubes(tmp_path):
    np.savez(
        tmp_path / "a.npz", cubes=CUBES.transpose(1, 0, 2, 3), wavelengths=np.linspace(400, 700, 9)
    )
    with pytest.raises(SeveralArraysError, match="3 cubes"):
        read(tmp_path / "a.npz")
    found = read(tmp_path / "a.npz", variable="cubes[2]")
    np.testing.assert_array_equal(found.data, CUBES[1])


def test_axes_can_be_stated_of_one(tmp_path):
    np.save(tmp_path / "a.npy", CUBES)
    found = read(tmp_path / "a.npy", variable="[2]", axes="ybx")
    np.testing.assert_array_equal(found.data, CUBES[1].transpose(1, 0, 2))


def test_one_cube_has_no_number(tmp_path):
    np.save(tmp_path / "a.npy", CUBES[0])
    with pytest.raises(FileError, match="holds one cube"):
        read(tmp_path / "a.npy", variable="[1]")
    np.save(tmp_path / "b.npy", CUBES[:1])  # an axis of one is none
    np.testing.assert_array_equal(read(tmp_path / "b.npy").data, CUBES[0])
    np.save(tmp_path / "c.npy", np.zeros((2, 2, 2, 2, 2)))
    with pytest.raises(FileError, match="5 axes"):
        read(tmp_path / "c.npy")


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_an_array_that_is_called_so_itself(tmp_path, suffix):
    cube = np.random.default_rng(0).random((12, 9, 31), dtype=np.float32)
    path = tmp_path / f"a{suffix}"
    if suffix == ".npz":
        np.savez(path, **{"a[1]": cube, "b": 2 * cube})
    else:
        with h5py.File(path, "w") as file:
            file["a[1]"], file["b"] = cube, 2 * cube
    np.testing.assert_array_equal(read(path, variable="a[1]").data, np.moveaxis(cube, -1, 0))
    with pytest.raises(FileError, match=r"one cube, so that none is called \[1\]"):
        read(path, variable="b[1]")
