"""Wavelengths in tables of bands, in folders of that name, a number a structure, and as a range."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from napari_hsr import read

NM = [450.0, 500.0, 550.0, 600.0, 660.0, 700.0]
STORED = np.arange(6 * 5 * 7, dtype="i2").reshape(6, 5, 7)
ROWS = list(zip(range(6), NM, [5.0] * 6, strict=True))


def _hdf5(folder, **items):
    with h5py.File(folder / "a.h5", "w") as file:
        file["cube"] = STORED.transpose(1, 2, 0)
        for name, value in items.items():
            file[name.replace("__", "/")] = value
    return folder / "a.h5"


def _fields(folder):
    return _hdf5(folder, bands=np.array(ROWS, [("index", "i2"), ("center", "f8"), ("fwhm", "f4")]))


def _named_fields(folder):
    rows = [(str(i).encode(), nm / 1000) for i, nm in enumerate(NM)]
    return _hdf5(folder, info__of_bands=np.array(rows, [("name", "S4"), ("wavelength_um", "f8")]))


def _npz_fields(folder):
    table = np.array(ROWS, [("index", "i2"), ("wavelength", "f8"), ("fwhm", "f4")])
    np.savez(folder / "a.npz", cube=STORED, table=table)
    return folder / "a.npz"


def _columns(folder):
    return _hdf5(folder, wavelength_table=np.array(ROWS))


def _folder(folder):
    return _hdf5(folder, axes__wavelength__values=NM)


def _structures(folder):
    bands = np.array([(nm,) for nm in NM], [("wavelength", "O")])
    scipy.io.savemat(folder / "a.mat", {"cube": STORED.transpose(1, 2, 0), "bands": bands})
    return folder / "a.mat"


@pytest.mark.parametrize(
    "make", [_fields, _named_fields, _npz_fields, _columns, _folder, _structures]
)
def test_they_are_found(tmp_path, make):
    cube = read(make(tmp_path))
    np.testing.assert_array_equal(cube.data[:], STORED)
    np.testing.assert_allclose(cube.wavelengths.nm, NM)


@pytest.mark.parametrize("text", ["450:50:700", "450:700:50", "[450:50:700]"])
def test_a_range_in_a_text(tmp_path, text):
    np.savez(tmp_path / "a.npz", cube=STORED, wavelength=text)
    np.testing.assert_allclose(read(tmp_path / "a.npz").wavelengths.nm, np.arange(450, 701, 50))


def test_a_range_of_another_length_is_said(tmp_path):
    np.savez(tmp_path / "a.npz", cube=STORED, wavelength="450:10:700")
    cube = read(tmp_path / "a.npz")
    assert cube.wavelengths is None
    assert cube.metadata["wavelengths_in_file"] == ["450:10:700"]
