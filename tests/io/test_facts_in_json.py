"""Wavelengths, markers and factors that a text in JSON states, wherever programs of laboratories keep it."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

from napari_hsr import read, write
from napari_hsr.notices import Code, has

NM = [450.0, 500.0, 550.0, 600.0, 660.0, 700.0]
STORED = np.random.default_rng(0).integers(1, 9000, (6, 7, 5)).astype("<i2")
STORED[0, 0, 0] = -99
#: By groups; flat and in other units; by a list of bands.
FACTS = [
    {
        "sensor": {"name": "x"},
        "spectral": {"wavelengths": NM, "unit": "nm", "fwhm": [5.0] * 6},
        "nodata": -99,
        "scale_factor": 1e-4,
    },
    {
        "wavelength": [nm / 1000 for nm in NM],
        "wavelength_units": "um",
        "fwhm": [0.005] * 6,
        "_FillValue": -99,
        "reflectance scale factor": 10000,
    },
    {"bands": [{"wavelength_nm": nm, "fwhm": 5} for nm in NM], "missing_value": -99, "scale_factor": 1e-4},
]  # fmt: skip


def _npz(folder, facts):
    np.savez(folder / "a.npz", cube=STORED, metadata=json.dumps(facts))
    return folder / "a.npz"


def _npz_bytes(folder, facts):
    np.savez(folder / "a.npz", cube=STORED, metadata=np.array([json.dumps(facts).encode()]))
    return folder / "a.npz"


def _mat(folder, facts):
    scipy.io.savemat(folder / "a.mat", {"cube": STORED.transpose(1, 2, 0), "m": json.dumps(facts)})
    return folder / "a.mat"


def _hdf5_text(folder, facts):
    with h5py.File(folder / "a.h5", "w") as file:
        file["cube"], file["info"] = STORED, json.dumps(facts)
    return folder / "a.h5"


def _hdf5_attribute(folder, facts):
    with h5py.File(folder / "a.h5", "w") as file:
        file["cube"] = STORED
        file.attrs["info"] = json.dumps(facts)
    return folder / "a.h5"


def _zarr(folder, facts):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(folder / "a.zarr", mode="w")
    group.create_array("cube", data=STORED)
    group.attrs["info"] = facts
    return folder / "a.zarr"


def _netcdf(folder, facts):
    with scipy.io.netcdf_file(folder / "a.nc", "w") as file:
        for name, size in zip("ryx", STORED.shape, strict=True):
            file.createDimension(name, size)
        file.createVariable("cube", "i2", tuple("ryx"))[:] = STORED
        file.info = json.dumps(facts)
    return folder / "a.nc"


def _tiff(folder, facts):
    tifffile.imwrite(
        folder / "a.tif", STORED, photometric="minisblack", planarconfig="separate",
        metadata=None, description=json.dumps(facts),
    )  # fmt: skip
    return folder / "a.tif"


def _beside(folder, facts):
    np.save(folder / "a.npy", STORED.transpose(1, 2, 0))  # the list says which axis holds the bands
    (folder / "a.json").write_text(json.dumps(facts))
    return folder / "a.npy"


@pytest.mark.parametrize("facts", FACTS, ids=["groups", "flat", "bands"])
@pytest.mark.parametrize(
    "make",
    [_npz, _npz_bytes, _mat, _hdf5_text, _hdf5_attribute, _zarr, _netcdf, _tiff, _beside],
)
def test_they_take_effect(tmp_path, make, facts):
    cube = read(make(tmp_path, facts))
    assert list(cube.wavelengths) == NM
    np.testing.assert_allclose(cube.metadata["fwhm"], 5)
    expected = np.where(STORED == -99, np.nan, STORED / np.float32(1e4))
    np.testing.assert_allclose(cube.data[:], expected, rtol=1e-6)
    assert has(cube.notices, Code.SCALE_APPLIED)
    assert has(cube.notices, Code.NO_DATA)


@pytest.mark.parametrize("factor", [10000.0, 2.0])
def test_a_factor_that_may_go_either_way_is_told(tmp_path, factor):
    cube = read(_npz(tmp_path, {"wavelengths": NM, "scale_factor": factor}))
    np.testing.assert_array_equal(cube.data[:], STORED)
    assert has(cube.notices, Code.GAIN_NOT_APPLIED)


def test_values_that_are_scaled_are_not_scaled_again(tmp_path):
    facts = {"wavelengths": NM, "scale_factor": 1e-4}
    values = (STORED / 1e4).astype("f4")
    np.savez(tmp_path / "a.npz", cube=values, metadata=json.dumps(facts))
    cube = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(cube.data[:], values)
    assert has(cube.notices, Code.GAIN_NOT_APPLIED)


def test_a_list_of_another_length_beside_an_image_is_not_its_own(tmp_path):
    path = _beside(tmp_path, {"wavelengths": NM[:4], "nodata": -99})
    assert read(path).wavelengths is None


def test_lists_and_factors_of_gdal_for_the_whole_image(tmp_path):
    """As EnMAP-Box and QGIS copy the items of an ENVI header into a GeoTIFF."""
    items = {
        "wavelength": "{450, 500, 550, 600, 660, 700}", "wavelength_units": "Nanometers", "fwhm": "{5, 5, 5, 5, 5, 5}",
        "bbl": "{1, 1, 0, 1, 1, 1}", "data_ignore_value": "-99", "reflectance_scale_factor": "10000",
    }  # fmt: skip
    text = "".join(f'<Item name="{k}" domain="ENVI">{v}</Item>' for k, v in items.items())
    tags = [(42112, "s", 0, f"<GDALMetadata>{text}</GDALMetadata>", True)]
    tifffile.imwrite(tmp_path / "a.tif", STORED, photometric="minisblack", planarconfig="separate",
                     metadata=None, extratags=tags)  # fmt: skip
    cube = read(tmp_path / "a.tif")
    expected = np.where(STORED == -99, np.nan, STORED / np.float32(1e4))
    for one in (cube, read(write(cube, tmp_path / "b.tif")), read(write(cube, tmp_path / "b.hdr"))):
        np.testing.assert_allclose(one.data[:], expected, rtol=1e-6)
        assert one.metadata["bbl"] == [1, 1, 0, 1, 1, 1]
        np.testing.assert_allclose(one.metadata["fwhm"], 5)
        assert list(one.wavelengths) == NM


def test_an_envi_header_beside_a_tiff(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STORED, photometric="minisblack", planarconfig="separate")
    (tmp_path / "a.hdr").write_text(
        "ENVI\nsamples = 5\nlines = 7\nbands = 6\ndata type = 2\nfile type = TIFF\ninterleave = bsq\n"
        "wavelength = {450, 500, 550, 600, 660, 700}\nfwhm = {5, 5, 5, 5, 5, 5}\ndata ignore value = -99\n"
        "reflectance scale factor = 10000\n"
    )
    cube = read(tmp_path / "a.tif")
    expected = np.where(STORED == -99, np.nan, STORED / np.float32(1e4))
    np.testing.assert_allclose(cube.data[:], expected, rtol=1e-6)
    np.testing.assert_allclose(cube.metadata["fwhm"], 5)


@pytest.mark.parametrize(("factor", "applied"), [(0.5, False), (0.0001, True)])
def test_a_zoom_is_no_factor_of_the_numbers(tmp_path, factor, applied):
    cube = read(_npz(tmp_path, {"wavelengths": NM, "display": {"ScaleFactor": factor}}))
    np.testing.assert_allclose(cube.data[:], STORED * (factor if applied else 1), rtol=1e-6)
    assert has(cube.notices, Code.SCALE_APPLIED if applied else Code.GAIN_NOT_APPLIED)
