"""Files that hold more values than their heads say: read by these they would be another cube."""

from __future__ import annotations

import struct

import h5py
import numpy as np
import pytest
from scipy.io import netcdf_file

from napari_hsr.errors import FileError
from napari_hsr.io import label_images, read
from napari_hsr.notices import Code

CUBE = np.arange(8 * 24 * 20, dtype=np.int16).reshape(8, 24, 20)


def codes(cube):
    return [n.code for n in cube.notices]


def change(path, old, new):
    content = path.read_bytes()
    assert content.count(old) >= 1
    path.write_bytes(content.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"(8, 24, 20)", b"(8, 20, 20)"), (b"(8, 24, 20)", b"(8, 24, 10)"), (b"<i2", b"|i1")],
)
def test_an_array_of_numpy(tmp_path, old, new):
    path = tmp_path / "a.npy"
    np.save(path, CUBE)
    np.testing.assert_array_equal(read(path).data, CUBE)
    change(path, old, new)
    with pytest.raises(FileError, match="damaged"):
        read(path)


@pytest.mark.parametrize("behind", [b"junk" * 100, None])
def test_what_stands_behind_an_array_is_told(tmp_path, behind):
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        np.save(file, CUBE)
        if behind is None:
            np.save(file, CUBE)
        else:
            file.write(behind)
    cube = read(path)
    np.testing.assert_array_equal(cube.data, CUBE)
    assert Code.BYTES_LEFT_OUT in codes(cube)


def test_the_byte_order_of_an_array(tmp_path):
    path = tmp_path / "a.npy"
    smooth = np.broadcast_to(300 + 41 * np.arange(64, dtype="<u2"), (4, 64, 64))
    np.save(path, smooth)
    assert Code.BYTE_ORDER_DOUBTFUL not in codes(read(path))
    change(path, b"'<u2'", b"'>u2'")
    assert Code.BYTE_ORDER_DOUBTFUL in codes(read(path))


def test_labels(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, CUBE[0])
    change(path, b"(24, 20)", b"(20, 20)")
    with pytest.raises(FileError, match="damaged"):
        label_images.read_labels(path)


def netcdf(path, version=1, records=False):
    with netcdf_file(path, "w", version=version) as file:
        for name, length in zip("byx", CUBE.shape, strict=True):
            file.createDimension(name, None if records and name == "b" else length)
        file.createVariable("cube", "i2", ("b", "y", "x"))[:] = CUBE
        file.createVariable("y", "f4", ("y",))[:] = np.arange(24)
    return path


def dimension(name, length):
    return struct.pack(">I4sI", 1, name, length)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize(
    ("name", "length", "other"), [(b"y", 24, 8), (b"x", 20, 4), (b"x", 20, 28)]
)
def test_a_dimension_of_netcdf(tmp_path, version, records, name, length, other):
    path = netcdf(tmp_path / "a.nc", version, records)
    np.testing.assert_array_equal(read(path).data, CUBE)
    change(path, dimension(name, length), dimension(name, other))
    with pytest.raises(FileError, match="damaged"):
        read(path)


def test_the_type_of_a_variable_of_netcdf(tmp_path):
    path = netcdf(tmp_path / "a.nc")
    size = struct.pack(">I", CUBE.nbytes)
    change(path, struct.pack(">I", 3) + size, struct.pack(">I", 1) + size)
    with pytest.raises(FileError, match="damaged"):
        read(path)


def test_records_that_the_head_does_not_count(tmp_path):
    path = netcdf(tmp_path / "a.nc", records=True)
    change(path, b"CDF\x01" + struct.pack(">I", 8), b"CDF\x01" + struct.pack(">I", 6))
    cube = read(path)
    np.testing.assert_array_equal(cube.data, CUBE[:6])
    assert Code.BYTES_LEFT_OUT in codes(cube)


def test_the_bytes_of_a_variable_that_programs_write_wrong(tmp_path):
    path = netcdf(tmp_path / "a.nc")
    change(path, struct.pack(">I", CUBE.nbytes), struct.pack(">I", CUBE.nbytes + 400))
    np.testing.assert_array_equal(read(path).data, CUBE)


def test_a_data_set_of_hdf5_in_one_piece(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["cube"] = CUBE
    np.testing.assert_array_equal(read(path).data, CUBE)
    change(path, struct.pack("<3Q", 8, 24, 20), struct.pack("<3Q", 8, 16, 20))
    with pytest.raises(FileError, match="damaged"):
        read(path)
