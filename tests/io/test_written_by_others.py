"""Any array that an independent library writes is read back: types, byte orders, interleaves, axes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import spectral
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_hsr import Cube, read, write
from napari_hsr.errors import FileError, InputError

#: ENVI's and MATLAB's real numbers; float32 holds 24 bits of each.
TYPES = ("u1", "i2", "u2", "i4", "u4", "f4", "f8")
ORDERS = st.permutations("byx").map("".join)
every = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@st.composite
def cubes(draw, types=TYPES, least=2):
    """(bands, height, width) of any type, each size 2 to 7."""
    shape = draw(st.tuples(*[st.integers(least, 7)] * 3))
    kind = np.dtype(draw(st.sampled_from(types)))
    if kind.kind == "f":
        elements = st.floats(-1e6, 1e6, width=32)
    else:
        info = np.iinfo(kind)
        elements = st.integers(max(info.min, -(2**24)), min(info.max, 2**24))
    return draw(arrays.arrays(kind, shape, elements=elements))


def grids(bands):
    """Ascending band centres in nm."""
    steps = st.lists(st.integers(1, 40), min_size=bands, max_size=bands)
    return steps.map(lambda s: [350 + float(n) for n in np.cumsum(s)])


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def check(cube, values, nm=None):
    np.testing.assert_array_equal(np.asarray(cube.data), values.astype("f4"))
    if nm is not None:
        np.testing.assert_allclose(cube.wavelengths.nm, nm)


@every
@given(data=st.data(), values=cubes(), interleave=st.sampled_from(["bsq", "bil", "bip"]))
def test_spectral_writes_envi(place, data, values, interleave):
    nm = data.draw(grids(len(values)))
    order, extension = (
        data.draw(st.sampled_from([0, 1])),
        data.draw(st.sampled_from([".img", ".bin", ""])),
    )
    spectral.envi.save_image(
        str(place / "a.hdr"),
        np.moveaxis(values, 0, -1),
        dtype=values.dtype,
        interleave=interleave,
        byteorder=order,
        ext=extension,
        force=True,
        metadata={"wavelength": nm, "wavelength units": "nm"},
    )
    check(read(place / "a.hdr"), values, nm)
    check(read(place / f"a{extension}"), values, nm)
    for file in place.iterdir():
        file.unlink()


@every
@given(
    values=cubes(),
    byteorder=st.sampled_from("<>"),
    compression=st.sampled_from([None, "zlib", "lzw"]),
    planar=st.booleans(),
)
def test_tifffile_writes_tiff(place, values, byteorder, compression, planar):
    of_colours = len(values) in (3, 4)  # might be a photograph: the bands are stated
    asked = {"bands": list(range(len(values)))} if of_colours else {}
    stored = values if planar else np.moveaxis(values, 0, -1)
    tifffile.imwrite(
        place / "a.tif",
        stored,
        byteorder=byteorder,
        compression=compression,
        photometric="minisblack",
        planarconfig="separate" if planar else "contig",
        metadata=None,
    )
    check(read(place / "a.tif", **asked), values)


@every
@given(values=cubes(), axes=ORDERS, compressed=st.booleans(), data=st.data())
def test_scipy_writes_matlab(place, values, axes, compressed, data):
    nm = data.draw(grids(len(values)))
    stored = values.transpose(["byx".index(axis) for axis in axes])
    scipy.io.savemat(
        place / "a.mat", {"cube": stored, "wavelengths": nm}, do_compression=compressed
    )
    check(read(place / "a.mat", axes=axes), values, nm)


@every
@given(
    values=cubes(),
    axes=ORDERS,
    byteorder=st.sampled_from("<>"),
    chunked=st.booleans(),
    data=st.data(),
)
def test_h5py_writes_hdf5(place, values, axes, byteorder, chunked, data):
    nm = data.draw(grids(len(values)))
    stored = values.transpose(["byx".index(axis) for axis in axes])
    with h5py.File(place / "a.h5", "w") as file:
        file.create_dataset(
            "scene/cube",
            data=stored.astype(values.dtype.newbyteorder(byteorder)),
            chunks=chunked or None,
        )
        names = {"b": "wavelength", "y": "row", "x": "column"}
        for axis, name in enumerate(axes):
            file["scene/cube"].dims[axis].label = names[name]
        file["scene/wavelength"] = nm
        file["scene/wavelength"].attrs["units"] = "nm"
    found = read(place / "a.h5")
    check(found, values, nm)  # names of rows and columns say which way up it is


@every
@given(values=cubes(), axes=ORDERS)
def test_numpy_writes_its_own(place, values, axes):
    np.save(place / "a.npy", values.transpose(["byx".index(axis) for axis in axes]))
    check(read(place / "a.npy", axes=axes), values)


@every
@given(values=cubes(types=("f4",), least=1), data=st.data())
def test_matlab_5_that_we_write_is_scipys(place, values, data):
    nm = data.draw(grids(len(values)))
    cube = Cube(values, nm, "reflectance", "scene", metadata={"norm_factor": 2.5})
    write(cube, place / "a.mat", matlab="5")
    found = scipy.io.loadmat(place / "a.mat")
    np.testing.assert_array_equal(
        found["cube"].reshape(*values.shape[1:], -1), np.moveaxis(values, 0, -1)
    )
    np.testing.assert_allclose(found["bands"].ravel(), nm)
    again = read(place / "a.mat")
    check(again, values, nm)
    assert (again.name, again.units, again.metadata["norm_factor"]) == ("scene", "reflectance", 2.5)


def test_versions_of_matlab(tmp_path):
    cube = Cube(np.zeros((2, 3, 4), "f4"))
    with pytest.raises(InputError, match=r"versions are '7\.3' and '5'"):
        write(cube, tmp_path / "a.mat", matlab="6")
    with pytest.raises(InputError, match=r"of cubes in \.mat files"):
        write(cube, tmp_path / "a.hdr", matlab="5")
    huge = Cube(np.broadcast_to(np.float32(0), (2**10, 2**10, 2**10)))
    with pytest.raises(FileError, match="less than 2 GB"):
        write(huge, tmp_path / "a.mat", matlab="5")
    assert not list(tmp_path.iterdir())
