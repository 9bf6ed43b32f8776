"""Numbers that stand for missing values in one band alone, in every format that states them so."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import tifffile

from napari_hsr import read, write
from napari_hsr.io import lazy
from napari_hsr.notices import Code, has

#: The marker of each band; the other bands hold it as a value.
MARKERS = {500: 0, 600: 255, 700: -9}
STORED = np.array(
    [[[0, 5, 255], [1, 2, 3]], [[0, 255, 7], [0, 4, 4]], [[-9, 1, 1], [0, 255, 9]]], dtype="<i2"
)
VALUES = np.stack(
    [np.where(s == m, np.nan, s) for s, m in zip(STORED, MARKERS.values(), strict=True)]
)
HEADER = (
    "ENVI\nsamples = 3\nlines = 2\nbands = 3\ndata type = 2\ninterleave = bsq\nbyte order = 0\n"
)


def _aux(path):
    bands = "".join(
        f'<PAMRasterBand band="{i}"><NoDataValue>{m}</NoDataValue></PAMRasterBand>'
        for i, m in enumerate(MARKERS.values(), start=1)
    )
    path.with_name(f"{path.name}.aux.xml").write_text(f"<PAMDataset>{bands}</PAMDataset>")


def _envi(folder, item):
    (folder / "a.img").write_bytes(STORED.tobytes())
    (folder / "a.hdr").write_text(HEADER + item)
    return folder / "a.hdr"


def _header(folder):
    return _envi(folder, "data ignore value = {0, 255, -9}\n")


def _descending(folder):
    return _envi(folder, "data ignore value = {0, 255, -9}\nwavelength = {700, 600, 500}\n")


def _beside_envi(folder):
    path = _envi(folder, "")
    _aux(folder / "a.img")
    return path


def _beside_tiff(folder):
    path = folder / "a.tif"
    tifffile.imwrite(path, STORED, photometric="minisblack", planarconfig="separate")
    _aux(path)
    return path


def _arrays(folder):
    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        for plane, (nm, marker) in zip(STORED, MARKERS.items(), strict=True):
            file[f"band_{nm}"] = plane
            file[f"band_{nm}"].attrs["_FillValue"] = np.int16(marker)
    return path


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("make", [_header, _descending, _beside_envi, _beside_tiff, _arrays])
def test_a_marker_counts_in_its_own_band(tmp_path, monkeypatch, make, on_disk):
    if on_disk:
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 0)
    cube = read(make(tmp_path))
    expected = VALUES[::-1] if make is _descending else VALUES
    assert isinstance(cube.data, lazy.LazyArray) == on_disk
    np.testing.assert_array_equal(cube.data[:], expected)
    np.testing.assert_array_equal(cube.data[1], expected[1])
    np.testing.assert_array_equal(cube.data[2:0:-1, :, 1], expected[2:0:-1, :, 1])
    assert has(cube.notices, Code.NO_DATA)


@pytest.mark.parametrize("name", ["b.hdr", "b.tif", "b.h5"])
def test_gaps_stay_gaps_where_one_marker_would_be_a_value(tmp_path, name):
    cube = read(_header(tmp_path))
    np.testing.assert_array_equal(read(write(cube, tmp_path / name)).data[:], VALUES)
    small = write(cube, tmp_path / name, dtype="int16")
    np.testing.assert_array_equal(read(small).data[:], VALUES)
