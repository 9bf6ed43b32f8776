"""Descriptions of numbers in HDF5 files, of which one byte is another."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from napari_hsr.errors import FileError
from napari_hsr.io import read
from napari_hsr.io.hdf5.number_types import contradiction
from napari_hsr.notices import Code

CUBE = np.linspace(0.1, 0.9, 7 * 4 * 5, dtype=np.float32).reshape(7, 4, 5)
NM = np.arange(500.0, 570.0, 10.0)
#: How the file describes floats of four bytes, from the class and version on.
FLOATS = bytes([0x11, 0x20, 0x1F, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0])


@pytest.mark.parametrize(
    "name", ["?", "i1", ">u2", "<u4", "i8", "f2", "<f4", ">f8", "longdouble", "c8", "(3,)f4"]
)
def test_what_numpy_has_does_not_contradict_itself(name):
    assert not contradiction(h5py.h5t.py_create(np.dtype(name), logical=True))


def test_floats_of_others(tmp_path):
    brain = h5py.h5t.IEEE_F32LE.copy()  # bfloat16
    brain.set_size(4)
    brain.set_fields(15, 7, 8, 0, 7)
    brain.set_precision(16)
    brain.set_size(2)
    assert not contradiction(brain)
    brain.set_ebias(120)
    assert "counts from 120 instead of 127" in contradiction(brain)
    assert "VAX" in contradiction(h5py.h5t.VAX_F32) if hasattr(h5py.h5t, "VAX_F32") else True


def test_integers_of_fewer_bits():
    twelve = h5py.h5t.NATIVE_UINT16.copy()
    twelve.set_precision(12)
    assert not contradiction(twelve)
    twelve.set_precision(15)
    assert "15 bits in 2 bytes" in contradiction(twelve)
    assert not contradiction(twelve, packed=True)


@pytest.mark.parametrize("chunks", [None, (7, 4, 5)])
@pytest.mark.parametrize(
    ("at", "value"), [(16, 126), (14, 8), (13, 9), (12, 22), (2, 30), (10, 31), (1, 0x10)]
)
def test_a_described_float_with_another_byte(tmp_path, chunks, at, value):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("cube", data=CUBE, chunks=chunks)
        file["wavelengths"] = NM
    assert np.array_equal(np.asarray(read(path).data), CUBE)
    content = bytearray(path.read_bytes())
    place = content.index(FLOATS)
    content[place + at] = value
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"a\.h5"):
        read(path)


def test_a_described_scale_with_another_byte(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["cube"], file["wavelengths"] = (CUBE * 1e4).astype("u2"), NM
        file["cube"].attrs["scale_factor"] = np.float32(1e-4)
    content = bytearray(path.read_bytes())
    content[content.index(FLOATS) + 16] = 126
    path.write_bytes(content)
    lost = [n for n in read(path).notices if n.code is Code.MAYBE_DAMAGED]
    assert "scale_factor cannot be read" in lost[0]


def test_a_name_that_a_group_lists_but_does_not_find_is_refused(tmp_path):
    """The library looks names up in their order, which a damaged one breaks."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name in ("cube", "map", "wavelengths"):
            file[name] = NM if name == "wavelengths" else CUBE
    content = path.read_bytes()
    assert content.count(b"cube\0") == 1
    path.write_bytes(content.replace(b"cube\0", b"zube\0"))
    with pytest.raises(FileError, match="is not to be found"):
        read(path)


def test_units_of_no_known_type_are_told(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["cube"], file["wavelengths"] = CUBE, NM
        file["cube"].attrs["units"] = "reflectance"
    content = bytearray(path.read_bytes())
    at = content.index(b"units\0\0\0") + 8
    assert content[at] == 0x19  # of free length
    content[at + 2] = 3  # the letters of no known set
    path.write_bytes(content)
    assert "units cannot be read" in " ".join(read(path).notices)


def test_values_that_lie_over_others_are_refused(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["cube"], file["wavelengths"] = CUBE, NM
        place, other = (file[name].id.get_offset() for name in ("cube", "wavelengths"))
    content, size = path.read_bytes(), NM.nbytes.to_bytes(8, "little")
    stated = other.to_bytes(8, "little") + size
    assert content.count(stated) == 1
    path.write_bytes(content.replace(stated, (place + 16).to_bytes(8, "little") + size))
    with pytest.raises(FileError, match="lie over each other"):
        read(path)
