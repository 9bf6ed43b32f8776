"""Layouts of satellites and of other programs, made here as their documents describe them."""

from __future__ import annotations

import gzip
import re
import shutil

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

from napari_hsr import read, write
from napari_hsr.errors import FileError
from napari_hsr.io import can_read, lazy
from napari_hsr.notices import Code, has

RNG = np.random.default_rng(6)


@pytest.fixture(params=["in memory", "on disk"])
def big(request, monkeypatch):
    if request.param == "on disk":
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 1)
    return request.param == "on disk"


def prisma(path, level=2):
    """VNIR descends and has a band that was never measured; SWIR overlaps it."""
    cubes = {
        "VNIR": RNG.integers(0, 65535, (5, 4, 6)).astype("u2"),
        "SWIR": RNG.integers(0, 65535, (5, 3, 6)).astype("u2"),
    }
    nm = {"Vnir": [900.0, 700.0, 500.0, 0.0], "Swir": [1200.0, 1000.0, 890.0]}
    with h5py.File(path, "w") as file:
        for name, values in cubes.items():
            file[f"HDFEOS/SWATHS/PRS_L{level}D_HCO/Data Fields/{name}_Cube"] = values
            key = name.title()
            file.attrs[f"List_Cw_{key}"] = np.array(nm[key], "f4")
            file.attrs[f"List_Fwhm_{key}"] = np.full(len(nm[key]), 10.0, "f4")
            file.attrs[f"List_Cw_{key}_Flags"] = np.ones(len(nm[key]), "u1")
            if level == 2:
                file.attrs[f"L2Scale{key}Min"], file.attrs[f"L2Scale{key}Max"] = 0.0, 0.5
    return cubes


def test_prisma_is_one_cube_of_both_detectors(tmp_path, big):
    cubes = prisma(tmp_path / "PRS_L2D.he5")
    cube = read(tmp_path / "PRS_L2D.he5")
    assert isinstance(cube.data, lazy.LazyArray) == big
    np.testing.assert_allclose(cube.wavelengths, [500, 700, 890, 900, 1000, 1200])
    stored = np.stack([*(cubes["VNIR"][:, b] for b in (2, 1)), cubes["SWIR"][:, 2],
                       cubes["VNIR"][:, 0], *(cubes["SWIR"][:, b] for b in (1, 0))])  # fmt: skip
    np.testing.assert_allclose(np.asarray(cube.data), stored * (0.5 / 65535), rtol=1e-5)
    np.testing.assert_allclose(
        np.asarray(cube.data[1:3, 2:4, ::2]), stored[1:3, 2:4, ::2] * (0.5 / 65535), rtol=1e-5
    )
    assert cube.metadata["fwhm"] == [10.0] * 6
    assert cube.units == "reflectance"
    assert has(cube.notices, Code.SCALE_APPLIED)
    alone = read(tmp_path / "PRS_L2D.he5", variable="SWIR_Cube", axes="ybx")
    np.testing.assert_array_equal(alone.data, cubes["SWIR"].swapaxes(0, 1))
    assert has(alone.notices, Code.GAIN_NOT_APPLIED)


@pytest.mark.parametrize("value", [None, np.nan, np.inf, -1.0, "1", np.complex64(1 + 2j)])
@pytest.mark.parametrize("level", [1, 2])
def test_the_lost_scale_of_one_detector_of_prisma_is_told(tmp_path, level, value):
    """Its counts would stand beside the other's reflectance."""
    path = tmp_path / "PRS.he5"
    prisma(path, level)
    key = {1: "ScaleFactor_Vnir", 2: "L2ScaleVnirMax"}[level]
    with h5py.File(path, "a") as file:
        if level == 1:
            file.attrs["ScaleFactor_Swir"] = file.attrs["ScaleFactor_Vnir"] = 100.0
        assert key in file.attrs
        del file.attrs[key]
        if value is not None:
            file.attrs[key] = value
    with pytest.raises(FileError, match=f"{key}.* how the numbers of VNIR_Cube are scaled"):
        read(path)
    assert has(read(path, variable="SWIR_Cube", axes="ybx").notices, Code.GAIN_NOT_APPLIED)


def test_prisma_without_any_scale_says_so(tmp_path):
    prisma(tmp_path / "PRS.he5", 1)
    cube = read(tmp_path / "PRS.he5")
    assert (cube.units, has(cube.notices, Code.GAIN_NOT_APPLIED)) == (None, True)


def test_damaged_lists_and_flags_of_prisma_are_told(tmp_path):
    path = tmp_path / "PRS.he5"
    prisma(path)
    with h5py.File(path, "a") as file:
        file.attrs["List_Cw_Vnir"] = np.array([np.nan, 700, 500, 0], "f4")
    with pytest.raises(FileError, match="List_Cw_Vnir holds what is no wavelength"):
        read(path)
    prisma(path)
    with h5py.File(path, "a") as file:
        file["HDFEOS/SWATHS/PRS_L2D_PCO/Data Fields/VNIR_PIXEL_L2_ERR_MATRIX"] = np.ones((9, 9))
        read(path)  # of another swath
        file["HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_PIXEL_L2_ERR_MATRIX"] = np.ones((9, 9))
    with pytest.raises(FileError, match="VNIR_PIXEL_L2_ERR_MATRIX, which flags defective values"):
        read(path)


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("List_Cw_Vnir_Flags", "List_Cw_Vnir_Flag5"),
        ("List_Fwhm_Vnir", "List_Fwhm_Vn1r"),
        ("VNIR_PIXEL_L2_ERR_MATRIX", "VNIR_PIXEL_L2_ERR_MATR1X"),
        ("SWIR_Cube", "SWIR_Cub3"),
        ("Offset_Vnir", "0ffset_Vnir"),
    ],
)
def test_names_of_prisma_with_a_damaged_letter_are_told(tmp_path, name, damaged):
    """Values that the product calls defective had been values, without a word."""
    path, fields = tmp_path / "PRS.he5", "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"
    prisma(path)
    with h5py.File(path, "a") as file:
        shape = file[f"{fields}/VNIR_Cube"].shape
        file[f"{fields}/VNIR_PIXEL_L2_ERR_MATRIX"] = np.zeros(shape, "u1")
        file.attrs["Offset_Vnir"] = 0.0
    assert not has(read(path).notices, Code.MAYBE_DAMAGED)
    with h5py.File(path, "a") as file:
        place = file[fields] if name in file[fields] else file.attrs
        place[damaged] = place[name][()] if place is not file.attrs else place[name]
        del place[name]
    told = [notice for notice in read(path).notices if notice.code is Code.MAYBE_DAMAGED]
    assert any(f"'{damaged}' may be a damaged '{name}'" in notice for notice in told)


@pytest.mark.parametrize("name", ["L2ScaleVnirMax", "L2ScaleSwirMin"])
def test_scales_of_prisma_that_are_several_numbers_are_refused(tmp_path, name):
    path = tmp_path / "PRS.he5"
    prisma(path)
    with h5py.File(path, "a") as file:
        file.attrs[name] = np.array([file.attrs[name], 0.5])
    with pytest.raises(FileError, match="do not state how"):
        read(path)


def test_bands_of_prisma_in_another_unit_are_refused_and_widths_of_no_sense_left_out(tmp_path):
    path = tmp_path / "PRS.he5"
    prisma(path)
    with h5py.File(path, "a") as file:
        file.attrs["List_Fwhm_Vnir"] = np.array([10, np.nan, -1, 10], "f4")
    cube = read(path)
    assert "fwhm" not in cube.metadata
    assert has(cube.notices, Code.LIST_UNUSABLE)
    with h5py.File(path, "a") as file:
        file.attrs["List_Cw_Vnir"] = np.array([0.9, 0.7, 0.5, 0], "f4")
    with pytest.raises(FileError, match="List_Cw_Vnir holds what is no wavelength"):
        read(path)


def test_prisma_level_2b_is_radiance(tmp_path):
    """It is scaled as reflectance is, and had been called so."""
    path = tmp_path / "PRS_L2B.he5"
    prisma(path)
    with h5py.File(path, "a") as file:
        file.attrs["Processing_Level"] = np.bytes_("2B")
    assert read(path).units == "W m-2 sr-1 um-1"


def neon(path, kind="Reflectance"):
    nm = np.array([400, 900, 1400, 1500, 1900, 2400], "f4")
    values = RNG.uniform(0, 30, (5, 4, 6))
    values[0, 0] = -9999
    with h5py.File(path, "w") as file:
        group = file.create_group(f"SOAP/{kind}")
        group.attrs["Band_Window_1_Nanometers"] = np.array([1340, 1445], "f4")
        group.attrs["Band_Window_2_Nanometers"] = np.array([1790, 1955], "f4")
        group["Metadata/Spectral_Data/Wavelength"] = nm
        group["Metadata/Spectral_Data/FWHM"] = np.full(6, 5.8, "f4")
        place = "UTM,  1.000,  1.000,  326000.00,  4103000.0,  1.0000000,  1.0000000,  11,  North,  WGS-84,  units=Meters, 0"
        group["Metadata/Coordinate_System/Map_Info"] = place
        group["Metadata/Coordinate_System/Coordinate_System_String"] = 'PROJCS["UTM_Zone_11N",GEOGCS["GCS_WGS_1984"]]'  # fmt: skip
        whole = np.floor(values)
        parts = {"Reflectance_Data": whole}
        if kind == "Radiance":
            parts = {"RadianceIntegerPart": whole, "RadianceDecimalPart": (values - whole) * 50000}
        for name, part in parts.items():
            stored = group.create_dataset(name, data=np.round(part).astype("i4"))
            stored.attrs["Data_Ignore_Value"] = -9999.0
            stored.attrs["Scale_Factor"] = 1.0 if name == "RadianceIntegerPart" else 50000.0
    values[0, 0] = np.nan
    return values.transpose(2, 0, 1)


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("Metadata", "Metad4ta"),
        ("Metadata/Coordinate_System", "Metadata/Coordinate-System"),
        ("Metadata/Coordinate_System/Map_Info", "Metadata/Coordinate_System/Map_Inf0"),
        ("", ""),
    ],
)
def test_a_damaged_name_on_the_way_to_where_neon_lies_is_told(tmp_path, name, damaged):
    path = tmp_path / "a.h5"
    neon(path)
    with h5py.File(path, "r+") as file:
        if name:
            file["SOAP/Reflectance"].move(name, damaged)
    found = [n for n in read(path).notices if n.code is Code.PLACE_UNUSABLE]
    assert bool(found) == bool(name)


def test_a_damaged_map_info_of_neon_is_told(tmp_path):
    path = tmp_path / "a.h5"
    neon(path)
    with h5py.File(path, "r+") as file:
        place = file["SOAP/Reflectance/Metadata/Coordinate_System/Map_Info"]
        place[()] = place[()].replace(b"4103000", b"41O3000")
    assert "map info is damaged" in " ".join(read(path).notices)


def test_neon_states_its_place_and_its_bad_bands(tmp_path):
    """As an ENVI header does; both had been left out."""
    neon(tmp_path / "NEON_refl.h5")
    cube = read(tmp_path / "NEON_refl.h5")
    assert cube.metadata["bbl"] == [1, 1, 0, 1, 0, 1]
    write(cube, tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        tags = file.pages.first.tags
        assert tags[33922].value[3:5] == (326000.0, 4103000.0)
        assert 32611 in tags[34735].value
    write(cube, tmp_path / "out.hdr")
    assert "coordinate system string = {PROJCS" in (tmp_path / "out.hdr").read_text()


def test_neon_radiance_is_whole_numbers_and_their_fractions(tmp_path, big):
    values = neon(tmp_path / "NEON_rad.h5", "Radiance")
    cube = read(tmp_path / "NEON_rad.h5")
    assert isinstance(cube.data, lazy.LazyArray) == big
    np.testing.assert_allclose(np.asarray(cube.data), values, atol=2e-5)
    assert has(cube.notices, Code.NO_DATA)
    alone = read(tmp_path / "NEON_rad.h5", variable="RadianceIntegerPart")
    assert has(alone.notices, Code.GAIN_NOT_APPLIED)


@pytest.mark.parametrize(
    ("key", "number"), [("Data_Ignore_Value", "-9999"), ("Scale_Factor", "50000")]
)
def test_numbers_in_texts_count_for_neon_radiance(tmp_path, key, number):
    values = neon(tmp_path / "NEON_rad.h5", "Radiance")
    name = "RadianceDecimalPart" if key == "Scale_Factor" else "RadianceIntegerPart"
    with h5py.File(tmp_path / "NEON_rad.h5", "a") as file:
        file[f"SOAP/Radiance/{name}"].attrs[key] = number
    np.testing.assert_allclose(np.asarray(read(tmp_path / "NEON_rad.h5").data), values, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "right", "damaged", "value", "codes"),
    [
        ("RadianceIntegerPart", "Data_Ignore_Value", "Data_Ignore_Va1ue", -9999.0, [Code.NO_DATA]),
        ("RadianceIntegerPart", "Data_Ignore_Value", "Data_Ignore_Value", "-99g9", [Code.NO_DATA]),
        ("RadianceIntegerPart", "Data_Ignore_Value", "", None, []),
        ("RadianceDecimalPart", "Scale_Factor", "Scale_Facter", 50000.0, [Code.GAIN_NOT_APPLIED]),
        ("RadianceDecimalPart", "Scale_Factor", "Scale_Factor", "5OOOO", [Code.GAIN_NOT_APPLIED]),
        ("RadianceDecimalPart", "Scale_Factor", "", None, []),
    ],
)
def test_what_neon_radiance_does_not_state_is_taken_from_its_other_files_and_told(
    tmp_path, name, right, damaged, value, codes
):
    values = neon(tmp_path / "NEON_rad.h5", "Radiance")
    with h5py.File(tmp_path / "NEON_rad.h5", "a") as file:
        stated = file[f"SOAP/Radiance/{name}"].attrs
        del stated[right]
        if damaged:
            stated[damaged] = value
    cube = read(tmp_path / "NEON_rad.h5")
    np.testing.assert_allclose(np.asarray(cube.data), values, atol=2e-5)
    taken = Code.NO_DATA if right == "Data_Ignore_Value" else Code.VALUES_SCALE_GUESSED
    told = [notice for notice in cube.notices if notice.code in (taken, *codes)]
    assert any("as in NEON's files" in notice.text for notice in told if notice.code is taken)
    assert any(repr(damaged) in notice.text for notice in told) == bool(damaged)


@pytest.mark.parametrize("divisor", [(50000.0, 10000.0), "0"])
def test_neon_radiance_that_states_several_divisors_or_none_is_refused(tmp_path, divisor):
    neon(tmp_path / "NEON_rad.h5", "Radiance")
    with h5py.File(tmp_path / "NEON_rad.h5", "a") as file:
        file["SOAP/Radiance/RadianceDecimalPart"].attrs["Scale_Factor"] = divisor
    with pytest.raises(FileError, match="RadianceDecimalPart is divided by"):
        read(tmp_path / "NEON_rad.h5")


@pytest.mark.parametrize("divisor", [0.0, -50000.0, np.nan])
def test_neon_radiance_whose_divisor_is_of_no_sense_is_refused(tmp_path, divisor):
    neon(tmp_path / "NEON_rad.h5", "Radiance")
    with h5py.File(tmp_path / "NEON_rad.h5", "a") as file:
        file["SOAP/Radiance/RadianceDecimalPart"].attrs["Scale_Factor"] = divisor
    with pytest.raises(FileError, match="RadianceDecimalPart is divided by"):
        read(tmp_path / "NEON_rad.h5")


def test_the_grid_mapping_of_a_group_may_stand_above_it(tmp_path):
    """As in AVIRIS-3: the place had been left out without a word."""
    with h5py.File(tmp_path / "av3.nc", "w") as file:
        stored = file.create_dataset("reflectance/reflectance", data=np.ones((4, 5, 6), "f4"))
        stored.attrs["grid_mapping"] = "transverse_mercator"
        file["reflectance/wavelength"] = np.array([400.0, 500.0, 600.0, 700.0])
        mapping = file.create_dataset("transverse_mercator", data=0)
        mapping.attrs["spatial_ref"] = 'PROJCS["WGS 84 / UTM zone 11N",AUTHORITY["EPSG","32611"]]'
        mapping.attrs["GeoTransform"] = "500000.0 60.0 0.0 4000000.0 0.0 -60.0"
    assert read(tmp_path / "av3.nc").metadata["geotiff"]["tiepoints"][3:5] == [500000.0, 4e6]


def test_values_that_prisma_flags_as_defective(tmp_path, big):
    path = tmp_path / "PRS_L2D.he5"
    prisma(path)
    shutil.copy(path, tmp_path / "plain.he5")
    plain = np.array(read(tmp_path / "plain.he5").data)
    flags = np.zeros((5, 3, 6), np.uint8)
    flags[1, 2, 3], flags[2, 2, 3] = 1, 3  # of 890 nm
    with h5py.File(path, "a") as file:
        file["HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/SWIR_PIXEL_L2_ERR_MATRIX"] = flags
    cube = read(path)
    plain[2, 1, 3] = np.nan
    np.testing.assert_array_equal(np.asarray(cube.data), plain)
    assert any("SWIR_PIXEL_L2_ERR_MATRIX (1)" in notice for notice in cube.notices)


def test_pace_level_1b(tmp_path, big):
    bands = {"blue": [400.0, 500.0, 605.0], "red": [600.0, 700.0], "SWIR": [940.0, 1250.0]}
    with h5py.File(tmp_path / "PACE_OCI.nc", "w") as file:
        for name, nm in bands.items():
            values = RNG.random((len(nm), 5, 4)).astype("f4")
            values[:, 0, 0] = -32767
            file[f"observation_data/rhot_{name}"] = values
            file[f"observation_data/rhot_{name}"].attrs["_FillValue"] = np.float32(-32767)
            file[f"sensor_band_parameters/{name}_wavelength"] = np.array(nm, "f4")
    cube = read(tmp_path / "PACE_OCI.nc")
    np.testing.assert_allclose(cube.wavelengths, [400, 500, 600, 605, 700, 940, 1250])
    assert np.isnan(np.asarray(cube.data)[:, 0, 0]).all()
    assert np.isfinite(np.asarray(cube.data)).sum() == 7 * 19


@pytest.mark.parametrize("name", ["blue", "SWIR"])
def test_scales_and_missing_values_of_pace_count_or_are_refused_where_arrays_differ(tmp_path, name):
    with h5py.File(tmp_path / "PACE_OCI.nc", "w") as file:
        for each, nm in {"blue": [400], "red": [600], "SWIR": [940]}.items():
            file[f"observation_data/rhot_{each}"] = np.full((1, 3, 4), 5000, "i2")
            file[f"observation_data/rhot_{each}"].attrs["scale_factor"] = 1e-4
            file[f"sensor_band_parameters/{each}_wavelength"] = np.array(nm, "f4")
    cube = read(tmp_path / "PACE_OCI.nc")
    np.testing.assert_allclose(np.asarray(cube.data), 0.5, rtol=1e-6)
    with h5py.File(tmp_path / "PACE_OCI.nc", "a") as file:
        file[f"observation_data/rhot_{name}"].attrs["scale_factor"] = 1e-3
    with pytest.raises(FileError, match="different scales"):
        read(tmp_path / "PACE_OCI.nc")


def test_pace_level_2(tmp_path):
    values = RNG.random((5, 4, 3)).astype("f4")
    with h5py.File(tmp_path / "l2.nc", "w") as file:
        file["geophysical_data/Rrs"] = values
        parameters = file.create_group("sensor_band_parameters")
        parameters["wavelength_3d"] = np.array([400, 500, 600], "i4")
        parameters["wavelength"] = np.arange(300, 900, 10)
        parameters["wavelength_3d"].make_scale("wavelength_3d")
        file["geophysical_data/Rrs"].dims[2].attach_scale(parameters["wavelength_3d"])
    cube = read(tmp_path / "l2.nc")
    np.testing.assert_array_equal(cube.data, np.moveaxis(values, 2, 0))
    assert list(cube.wavelengths) == [400, 500, 600]


def test_emit(tmp_path):
    values = RNG.random((6, 5, 4)).astype("f4")
    values[2, 3] = -9999
    with h5py.File(tmp_path / "EMIT_L2A.nc", "w") as file:
        file["reflectance"] = values
        file["reflectance"].attrs["_FillValue"] = np.float32([-9999])
        for axis, (name, size) in enumerate((("downtrack", 6), ("crosstrack", 5), ("bands", 4))):
            file[name] = np.zeros(size, "f4")  # a dimension without a variable, in NetCDF-4
            file[name].make_scale("This is a netCDF dimension but not a netCDF variable.")
            file["reflectance"].dims[axis].attach_scale(file[name])
        group = file.create_group("sensor_band_parameters")
        group["wavelengths"] = np.array([400, 500, 1400, 2000], "f4")
        group["wavelengths"].attrs["units"] = "nm"
        group["fwhm"] = np.full(4, 8.5, "f4")
        group["good_wavelengths"] = np.array([1, 1, 0, 1], "u1")
    cube = read(tmp_path / "EMIT_L2A.nc")
    assert cube.shape == (4, 6, 5)
    assert list(cube.wavelengths) == [400, 500, 1400, 2000]
    assert cube.metadata["bbl"] == [1, 1, 0, 1]
    assert cube.good_bands.tolist() == [True, True, False, True]
    assert cube.metadata["fwhm"] == [8.5] * 4
    assert np.isnan(cube.data[:, 2, 3]).all()
    assert not has(cube.notices, Code.AXIS_GUESSED)


class TestClassicNetcdf:
    def write(self, path, values, dimensions, **attributes):
        with scipy.io.netcdf_file(str(path), "w") as file:
            for name, size in zip(dimensions, values.shape, strict=True):
                file.createDimension(name, size)
            variable = file.createVariable("reflectance", values.dtype.char, dimensions)
            variable[:] = values
            for key, value in attributes.items():
                setattr(variable, key, value)
            nm = file.createVariable("wavelength", "d", ("wavelength",))
            nm[:] = 400 + 10.0 * np.arange(values.shape[dimensions.index("wavelength")])
            nm.units = "nm"

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_as_xarray_writes_it(self, tmp_path, axis):
        values = RNG.integers(0, 900, (5, 5, 5)).astype("i2")  # only the names tell the axes apart
        values[2] = -1
        names = ["y", "x"]
        names.insert(axis, "wavelength")
        self.write(tmp_path / "a.nc", values, names, scale_factor=0.5, _FillValue=np.int16(-1))
        cube = read(tmp_path / "a.nc")
        expected = np.moveaxis(np.where(values == -1, np.nan, values * 0.5), axis, 0)
        np.testing.assert_allclose(cube.data, expected)
        assert list(cube.wavelengths) == [400, 410, 420, 430, 440]
        assert can_read(tmp_path / "a.nc")

    def test_damaged(self, tmp_path):
        self.write(tmp_path / "a.nc", np.ones((4, 30, 30)), ["wavelength", "y", "x"])
        content = (tmp_path / "a.nc").read_bytes()
        for size in (6, 60, 200, len(content) // 2):
            (tmp_path / "a.nc").write_bytes(content[:size])
            with pytest.raises(FileError) as caught:
                read(tmp_path / "a.nc")
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.hdf", b"\x0e\x03\x13\x01", "HDF4"),
        ("a.pix", b"PCIDSK  V1.0", "PCIDSK"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
        ("a.fits", b"SIMPLE  =   T", "FITS"),
        ("a.sed", b"Comment: x\n", "file of spectra"),
        ("a.asd", b"ASD\0\0", "file of spectra"),
    ],
)
def test_formats_of_others_are_called_by_their_names(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=said):
        read(tmp_path / name)


ENMAP = (
    "<level_X><specific><backgroundValue>-32768</backgroundValue><bandCharacterisation>{}"
    "</bandCharacterisation></specific></level_X>"
)


class TestXmlBeside:
    STORED = RNG.integers(0, 9000, (4, 5, 6)).astype("i2")

    def image(self, folder, name, xml):
        stored = self.STORED.copy()
        stored[:, 1, 1] = -32768
        tifffile.imwrite(
            folder / f"{name}-SPECTRAL_IMAGE.TIF", stored, photometric="minisblack", metadata=None
        )
        (folder / f"{name}-METADATA.XML").write_text(xml)
        return folder / f"{name}-SPECTRAL_IMAGE.TIF"

    def entries(self, nm):
        return "".join(
            f'<bandID number="{i}"><wavelengthCenterOfBand>{n}</wavelengthCenterOfBand><FWHMOfBand>6.5'
            f"</FWHMOfBand><GainOfBand>0.0001</GainOfBand><OffsetOfBand>0</OffsetOfBand></bandID>"
            for i, n in enumerate(nm, 1)
        )

    def test_a_width_that_is_no_number_is_told(self, tmp_path):
        xml = ENMAP.format(self.entries([420.5, 500, 940, 950]))
        cube = read(self.image(tmp_path, "ENMAP01", xml.replace(">6.5<", ">6,5 nm<", 1)))
        assert "fwhm" not in cube.metadata
        assert has(cube.notices, Code.LIST_UNUSABLE)

    def test_enmap(self, tmp_path, big):
        xml = ENMAP.format(self.entries([420.5, 500, 950, 940]))  # detectors overlap
        cube = read(self.image(tmp_path, "ENMAP01", xml))
        assert list(cube.wavelengths) == [420.5, 500, 940, 950]
        data = np.asarray(cube.data)
        assert np.isnan(data[:, 1, 1]).all()
        np.testing.assert_allclose(data[2, 2], self.STORED[3, 2] * 1e-4, rtol=1e-5)
        assert cube.metadata["fwhm"] == [6.5] * 4
        assert has(cube.notices, Code.SCALE_APPLIED)

    @pytest.mark.parametrize("own", [False, True])
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda xml: xml[:-200], "ENMAP01-METADATA.XML beside the image cannot be read"),
            (lambda xml: "", "ENMAP01-METADATA.XML beside the image cannot be read"),
            (lambda xml: xml.replace("500</", "5O0</"), "does not state a wavelength for each band"),
            (lambda xml: re.sub("<w[^>]*>420.5</[^>]*>", "", xml), "states 3 bands for 4"),
            (lambda xml: xml.replace("0.0001", ""), "are not one usable number a band"),
            (lambda xml: xml.replace("0.0001", "-0.0001"), "are not one usable number a band"),
            (lambda xml: xml.replace("GainOfBand", "Gone"), "are not one usable number a band"),
            (lambda xml: xml.replace("0.0001", "1e30", 1), "are not one usable number a band"),
        ],
    )  # fmt: skip
    def test_metadata_that_are_damaged_are_told(self, tmp_path, change, said, own):
        """Stored integers had been handed out without a word."""
        entries = self.entries([420.5, 500, 940, 950])
        xml = change(ENMAP.format(entries))
        path = self.image(tmp_path, "ENMAP01", xml)
        if own:
            items = "".join(
                f'<Item name="wavelength" sample="{band}">{nm}</Item>'
                for band, nm in enumerate((400, 500, 600, 700))
            )
            tag = (42112, "s", 0, f"<GDALMetadata>{items}</GDALMetadata>", True)
            tifffile.imwrite(path, self.STORED, photometric="minisblack", metadata=None, extratags=[tag])  # fmt: skip
        cube = read(path)
        assert any(n.code == Code.GAIN_NOT_APPLIED and said in n for n in cube.notices)
        np.testing.assert_array_equal(np.asarray(cube.data)[:, 2, 2], self.STORED[:, 2, 2])

    def test_a_background_value_that_is_no_number_is_told(self, tmp_path):
        xml = ENMAP.format(self.entries([420.5, 500, 940, 950])).replace("-32768", "-3276S")
        cube = read(self.image(tmp_path, "ENMAP01", xml))
        assert any(n.code is Code.NO_DATA and "'-3276S'" in n for n in cube.notices)

    def test_desis(self, tmp_path):
        bands = "".join(
            f"<band><bandNumber>{i}</bandNumber><wavelengthCenterOfBand>{400 + 10 * i}"
            "</wavelengthCenterOfBand><wavelengthWidthOfBand>3</wavelengthWidthOfBand>"
            "<gainOfBand>0.0001</gainOfBand><offsetOfBand>0</offsetOfBand></band>"
            for i in range(1, 5)
        )
        cube = read(self.image(tmp_path, "DESIS", f"<hsi_doc><bands>{bands}</bands></hsi_doc>"))
        assert list(cube.wavelengths) == [410, 420, 430, 440]
        assert cube.metadata["fwhm"] == [3] * 4

    @pytest.mark.parametrize("xml", ["<broken", ENMAP.format("")])
    def test_none_found_is_said(self, tmp_path, xml):
        cube = read(self.image(tmp_path, "ENMAP01", xml))
        assert cube.wavelengths is None
        (told,) = [n for n in cube.notices if n.code == Code.WAVELENGTHS_MISSING]
        assert "were found in" in told
        assert "XML" in told


class TestEnvi:
    VALUES = RNG.integers(0, 900, (4, 5, 6)).astype("<u2")

    def header(self, folder, extra=""):
        (folder / "a.hdr").write_text(
            "ENVI\nsamples = 6\nlines = 5\nbands = 4\ninterleave = bsq\ndata type = 12\n"
            f"byte order = 0\nheader offset = 0\n{extra}\n"
        )

    def test_bytes_behind_the_image(self, tmp_path):
        self.header(tmp_path)
        (tmp_path / "a.img").write_bytes(self.VALUES.tobytes() + b"\0" * 1000)
        cube = read(tmp_path / "a.hdr")
        np.testing.assert_array_equal(cube.data, self.VALUES)
        assert has(cube.notices, Code.BYTES_LEFT_OUT)

    def test_a_band_more_than_the_header_says_is_a_contradiction(self, tmp_path):
        self.header(tmp_path)
        (tmp_path / "a.img").write_bytes(self.VALUES.tobytes() + self.VALUES[0].tobytes())
        with pytest.raises(FileError, match=r"4 bands x 5 lines x 6 samples .* has 300"):
            read(tmp_path / "a.hdr")

    @pytest.mark.parametrize("extra", ["file compression = 1", ""])
    def test_gzip(self, tmp_path, extra):
        self.header(tmp_path, extra)
        (tmp_path / "a.img").write_bytes(gzip.compress(self.VALUES.tobytes()))
        np.testing.assert_array_equal(read(tmp_path / "a.hdr").data, self.VALUES)
        np.testing.assert_array_equal(read(tmp_path / "a.img").data, self.VALUES)

    @pytest.mark.parametrize("cut", [0.5, 0.9])
    def test_gzip_cut_short(self, tmp_path, cut):
        self.header(tmp_path)
        content = gzip.compress(self.VALUES.tobytes())
        (tmp_path / "a.img").write_bytes(content[: int(len(content) * cut)])
        with pytest.raises(FileError, match="compressed by gzip, and damaged"):
            read(tmp_path / "a.hdr")
        (tmp_path / "a.img").write_bytes(gzip.compress(self.VALUES[:3].tobytes()))
        with pytest.raises(FileError, match="compressed by gzip, has 180"):
            read(tmp_path / "a.hdr")


class TestEsri:
    @pytest.mark.parametrize("order", ["I", "M"])
    @pytest.mark.parametrize("layout", ["BIL", "BIP", "BSQ"])
    def test_it_is_read(self, tmp_path, layout, order):
        values = RNG.integers(-900, 900, (4, 5, 6)).astype("i2")
        values[:, 0, 0] = -9999
        axes = {"BSQ": (0, 1, 2), "BIL": (1, 0, 2), "BIP": (1, 2, 0)}[layout]
        stored = values.transpose(axes).astype("<i2" if order == "I" else ">i2")
        (tmp_path / "a.hdr").write_text(
            f"BYTEORDER      {order}\nLAYOUT         {layout}\nNROWS          5\nNCOLS          6\n"
            "NBANDS         4\nNBITS          16\nPIXELTYPE      SIGNEDINT\nNODATA         -9999\n"
            "ULXMAP         1\nXDIM 30\n"
        )
        (tmp_path / f"a.{layout.lower()}").write_bytes(stored.tobytes())
        for name in ("a.hdr", f"a.{layout.lower()}"):
            assert can_read(tmp_path / name)
            cube = read(tmp_path / name)
            np.testing.assert_array_equal(cube.data[:, 1:], values[:, 1:])
            assert np.isnan(cube.data[:, 0, 0]).all()

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("NBITS 12", "of 12 bits"),
            ("TOTALROWBYTES 4000", "padded"),
            ("LAYOUT TILED", "interleave"),
        ],
    )
    def test_what_is_not_supported(self, tmp_path, line, said):
        (tmp_path / "a.hdr").write_text(f"NROWS 5\nNCOLS 6\nNBANDS 4\n{line}\n")
        (tmp_path / "a.bil").write_bytes(bytes(120))
        with pytest.raises(FileError, match=said):
            read(tmp_path / "a.hdr")


def test_gains_of_a_product_count_where_the_image_states_wavelengths_itself(tmp_path):
    """As where another program added them: reflectance had come 10,000 times too large, without a word."""
    beside = TestXmlBeside()
    path = beside.image(tmp_path, "ENMAP01", ENMAP.format(beside.entries([420.5, 500, 940, 950])))
    own = "".join(
        f'<Item name="CENTRAL_WAVELENGTH_UM" sample="{i}" domain="IMAGERY">{n}</Item>'
        for i, n in enumerate((0.42, 0.5, 0.94, 0.95))
    )
    tag = [(42112, "s", 0, f"<GDALMetadata>{own}</GDALMetadata>", True)]
    tifffile.imwrite(path, beside.STORED, photometric="minisblack", metadata=None, extratags=tag)
    cube = read(path)
    assert list(cube.wavelengths) == [420, 500, 940, 950]
    np.testing.assert_allclose(cube.data[2], beside.STORED[2] * 1e-4, rtol=1e-5)
    values = beside.STORED.astype("f4")
    tifffile.imwrite(path, values, photometric="minisblack", metadata=None, extratags=tag)
    np.testing.assert_array_equal(read(path).data, values)  # which are values already


def test_gains_that_are_not_one_number_a_band_are_told(tmp_path):
    beside = TestXmlBeside()
    xml = beside.entries([420.5, 500, 940, 950]).replace(">0.0001<", ">0,0001<", 1)
    cube = read(beside.image(tmp_path, "ENMAP01", ENMAP.format(xml)))
    assert cube.data[0, 0, 0] == beside.STORED[0, 0, 0]
    assert has(cube.notices, Code.GAIN_NOT_APPLIED)
