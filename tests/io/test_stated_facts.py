"""What a file states of its numbers, bands and axes has effect, in every format."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import tifffile
from scipy.io import savemat

from napari_hsr import Cube, read, write
from napari_hsr.errors import FileError, InputError
from napari_hsr.io import WRITE_SUFFIXES, lazy
from napari_hsr.notices import Code, has

NM = [450.0, 500.0, 550.0, 600.0]
RNG = np.random.default_rng(0)


def stored_values(dtype="i2"):
    """(4, 5, 6) numbers with a hole of -9999."""
    values = RNG.integers(0, 5000, (4, 5, 6)).astype(dtype)
    values[:, 1, 2] = -9999
    return values


def envi(folder, values, extra):
    codes = {"int16": 2, "float32": 4}
    bands, lines, samples = values.shape
    path = folder / "scan.hdr"
    path.write_text(
        f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\ninterleave = bsq\n"
        f"data type = {codes[values.dtype.name]}\nbyte order = 0\n{extra}\n"
    )
    path.with_suffix(".img").write_bytes(values.tobytes())
    return path


def netcdf(folder, values, **attributes):
    path = folder / "scan.nc"
    with h5py.File(path, "w") as file:
        file["reflectance"] = values
        file["wavelength"] = np.array(NM)
        file["reflectance"].attrs.update(attributes)
    return path


def gdal(folder, values, items="", no_data=None):
    path = folder / "scan.tif"
    tags = [(42112, "s", 0, f"<GDALMetadata>{items}</GDALMetadata>", True)]
    tags += [(42113, "s", 0, str(no_data), True)] if no_data is not None else []
    tifffile.imwrite(path, values, photometric="minisblack", extratags=tags, metadata=None)
    return path


def band_items(name, values, role=""):
    return "".join(
        f'<Item name="{name}" sample="{i}"{role}>{value}</Item>' for i, value in enumerate(values)
    )


@pytest.fixture(params=["in memory", "on disk"])
def big(request, monkeypatch):
    if request.param == "on disk":
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 1)
    return request.param == "on disk"


class TestNoData:
    @pytest.fixture(params=["envi", "envi float", "_FillValue", "missing_value", "neon", "gdal"])
    def path(self, request, tmp_path):
        values = stored_values()
        if request.param.startswith("envi"):
            values = values.astype("f4") if "float" in request.param else values
            return envi(tmp_path, values, "data ignore value = -9999")
        if request.param == "gdal":
            return gdal(tmp_path, values, no_data=-9999)
        key = "Data_Ignore_Value" if request.param == "neon" else request.param
        return netcdf(tmp_path, values, **{key: np.int16(-9999)})

    def test_it_is_nan_from_reading_on(self, path, big):
        cube = read(path)
        assert isinstance(cube.data, lazy.LazyArray) == big
        data = np.asarray(cube.data)
        assert np.isnan(data[:, 1, 2]).all()
        assert np.isnan(data).sum() == 4
        assert np.isnan(np.asarray(cube.data[2, 1, 2]))
        assert cube.value_range[0] >= 0
        assert has(cube.notices, Code.NO_DATA)

    @pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
    def test_it_is_written_back(self, path, tmp_path, suffix):
        cube = read(path)
        again = read(write(cube, tmp_path / f"again{suffix}"))
        np.testing.assert_array_equal(again.data, cube.data)
        assert again.metadata["data ignore value"] == -9999

    def test_other_programs_find_the_marker_in_what_is_written(self, path, tmp_path):
        from spectral.io import envi as spectral_envi

        cube = read(path)
        write(cube, tmp_path / "out.hdr")
        image = spectral_envi.open(tmp_path / "out.hdr")
        assert image[1, 2, 0] == -9999
        write(cube, tmp_path / "out.tif")
        with tifffile.TiffFile(tmp_path / "out.tif") as file:
            assert float(file.pages.first.tags[42113].value) == -9999
            assert file.asarray()[0, 1, 2] == -9999

    def test_nothing_is_said_where_no_value_is_missing(self, tmp_path):
        values = RNG.integers(0, 5000, (4, 5, 6)).astype("i2")
        cube = read(envi(tmp_path, values, "data ignore value = -9999"))
        assert not has(cube.notices, Code.NO_DATA)
        np.testing.assert_array_equal(cube.data, values)


class TestScale:
    def test_envi_divides(self, tmp_path, big):
        values = stored_values()
        extra = "reflectance scale factor = 10000\ndata ignore value = -9999"
        data = np.asarray(read(envi(tmp_path, values, extra)).data)
        np.testing.assert_array_equal(data[:, 0], values[:, 0].astype("f4") / np.float32(1e4))
        assert np.isnan(data[:, 1, 2]).all()

    def test_netcdf_multiplies_and_adds(self, tmp_path, big):
        values = stored_values()
        cube = read(
            netcdf(tmp_path, values, scale_factor=0.5, add_offset=2.0, _FillValue=np.int16(-9999))
        )
        data = np.asarray(cube.data)
        np.testing.assert_array_equal(data[:, 0], values[:, 0] * np.float32(0.5) + 2)
        assert np.isnan(data[:, 1, 2]).all()
        assert has(cube.notices, Code.SCALE_APPLIED)

    def test_neon_divides(self, tmp_path):
        values = np.abs(stored_values())
        data = read(netcdf(tmp_path, values, Scale_Factor=np.float64(10000))).data
        np.testing.assert_allclose(data, values / 1e4, rtol=1e-6)

    @pytest.mark.parametrize("scales", [[1e-4] * 4, [1e-4, 2e-4, 3e-4, 4e-4]])
    def test_gdal_scales_each_band(self, tmp_path, scales, big):
        values = np.abs(stored_values())
        items = band_items("SCALE", scales, ' role="scale"')
        items += band_items("OFFSET", [0.25] * 4, ' role="offset"')
        items += band_items("wavelength", NM[::-1])  # bands turn round with their scale
        cube = read(gdal(tmp_path, values, items))
        expected = values * np.array(scales)[:, None, None] + 0.25
        np.testing.assert_allclose(np.asarray(cube.data), expected[::-1], rtol=1e-5)
        np.testing.assert_allclose(cube.data[1, 2], expected[2, 2], rtol=1e-5)
        assert list(cube.wavelengths) == NM

    def test_it_is_applied_once(self, tmp_path):
        cube = read(envi(tmp_path, np.abs(stored_values()), "reflectance scale factor = 10000"))
        for suffix in WRITE_SUFFIXES:
            again = read(write(cube, tmp_path / f"again{suffix}"))
            np.testing.assert_array_equal(again.data, cube.data)


class TestWavelengths:
    @pytest.mark.parametrize(
        "extra",
        [
            "wavelength units = nm\nwavelengths = {450, 500, 550, 600}",
            "wavelength units = nm\nwavelength = {450, 500, 550, 600,}",
            "band names = {Band 1 (450.0 nm), Band 2 (500.0 nm), Band 3 (550 nm), Band 4 (600 nm)}",
            "band names = {B1: 0.45 micrometers, B2: 0.5 micrometers, B3: 0.55 micrometers, "
            "B4: 0.6 micrometers}",
        ],
    )
    def test_envi(self, tmp_path, extra):
        cube = read(envi(tmp_path, stored_values(), extra))
        np.testing.assert_allclose(cube.wavelengths, NM)
        assert not cube.wavelengths.assumed

    def test_names_that_count_bands_are_none(self, tmp_path):
        names = "band names = {Band 1, Band 2, Band 3, Band 4}"
        assert read(envi(tmp_path, stored_values(), names)).wavelengths is None

    @pytest.mark.parametrize(
        "items",
        [
            band_items("CENTRAL_WAVELENGTH_UM", [nm / 1e3 for nm in NM], ' domain="IMAGERY"'),
            band_items("wavelength", NM) + '<Item name="wavelength_units">nm</Item>',
            band_items("DESCRIPTION", [f"band ({nm} Nanometers)" for nm in NM]),
        ],
    )
    def test_gdal(self, tmp_path, items):
        np.testing.assert_allclose(read(gdal(tmp_path, stored_values(), items)).wavelengths, NM)

    def test_ome(self, tmp_path):
        channels = {
            "Name": list("abcd"),
            "EmissionWavelength": NM,
            "EmissionWavelengthUnit": ["nm"] * 4,
        }
        path = tmp_path / "scan.ome.tif"
        tifffile.imwrite(path, stored_values(), metadata={"axes": "CYX", "Channel": channels})
        np.testing.assert_allclose(read(path).wavelengths, NM)

    def test_matlab_structures_however_deep(self, tmp_path):
        values = np.moveaxis(stored_values("f8"), 0, -1)
        inner = {"info": {"sensor": {"wavelength": np.array(NM)}}, "scene": {"cube": values}}
        savemat(tmp_path / "deep.mat", {"data": inner})
        cube = read(tmp_path / "deep.mat")
        assert cube.shape == (4, 5, 6)
        assert list(cube.wavelengths) == NM


class TestNamedAxes:
    """Rows and bands are as many, so that only the names tell them apart."""

    VALUES = RNG.random((4, 5, 4)).astype("f4")

    def check(self, path):
        cube = read(path)
        np.testing.assert_array_equal(cube.data, np.moveaxis(self.VALUES, 2, 0))
        assert list(cube.wavelengths) == NM
        assert not has(cube.notices, Code.AXIS_GUESSED)

    def test_dimension_scales(self, tmp_path):
        with h5py.File(tmp_path / "a.nc", "w") as file:
            file["values"] = self.VALUES
            for axis, name in enumerate(("y", "x", "wavelength")):
                file[name] = np.array(NM) if axis == 2 else np.arange(self.VALUES.shape[axis])
                file[name].make_scale(name)
                file["values"].dims[axis].attach_scale(file[name])
        self.check(tmp_path / "a.nc")

    def test_labels_in_an_attribute(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["Reflectance_Data"] = self.VALUES
            file["Reflectance_Data"].attrs["Dimension_Labels"] = "Line, Sample, Wavelength"
            file["Metadata/Wavelength"] = np.array(NM)
        self.check(tmp_path / "a.h5")

    def test_hyperspy(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            group = file.create_group("Experiments/scan")
            group["data"] = self.VALUES
            for axis, name in enumerate(("y", "x", "Wavelength")):
                attributes = {"name": name, "offset": 0.0, "scale": 1.0, "units": "um"}
                if axis == 2:
                    attributes |= {"offset": NM[0], "scale": NM[1] - NM[0], "units": "nm"}
                group.create_group(f"axis-{axis}").attrs.update(attributes)
        self.check(tmp_path / "a.h5")


class TestOrder:
    def test_overlapping_detectors_are_sorted_with_all_that_belongs_to_a_band(self, tmp_path, big):
        values = stored_values("f4")
        extra = (
            "wavelength units = nm\nwavelength = {450, 550, 500, 600}\nfwhm = {1, 3, 2, 4}\n"
            "bbl = {1, 0, 1, 1}\ndefault bands = {2, 3, 1}"
        )
        cube = read(envi(tmp_path, values, extra))
        assert list(cube.wavelengths) == NM
        np.testing.assert_array_equal(np.asarray(cube.data), values[[0, 2, 1, 3]])
        assert cube.metadata["fwhm"] == [1, 2, 3, 4]
        assert cube.metadata["bbl"] == [1, 1, 0, 1]
        assert cube.metadata["default bands"] == [3, 2, 1]
        assert has(cube.notices, Code.WAVELENGTHS_REORDERED)

    def test_bands_of_one_wavelength_are_both_there(self, tmp_path):
        values = stored_values("f4")
        cube = read(
            envi(tmp_path, values, "wavelength units = nm\nwavelength = {450, 500, 500, 600}")
        )
        np.testing.assert_array_equal(cube.data, values)
        assert np.diff(np.asarray(cube.wavelengths)).min() > 0
        assert has(cube.notices, Code.WAVELENGTHS_REPEATED)


class TestChoice:
    @pytest.fixture(params=[".mat", ".npz", ".h5"])
    def path(self, request, tmp_path):
        arrays = {"gt": RNG.random((16, 16, 12)), "ms": RNG.random((4, 4, 12))}
        path = tmp_path / f"scene{request.param}"
        if request.param == ".mat":
            savemat(path, arrays)
        elif request.param == ".npz":
            np.savez(path, **arrays)
        else:
            with h5py.File(path, "w") as file:
                for name, values in arrays.items():
                    file[name] = values
        return path

    def test_what_is_left_out_is_named(self, path):
        cube = read(path)
        (notice,) = [n for n in cube.notices if n.code == Code.OTHER_ARRAYS_LEFT_OUT]
        assert "ms" in notice

    def test_another_array_can_be_named(self, path):
        assert read(path, variable="ms").shape == (12, 4, 4)
        assert read(f"{path}:ms").shape == (12, 4, 4)
        assert not has(read(path, variable="ms").notices, Code.OTHER_ARRAYS_LEFT_OUT)
        with pytest.raises(FileError, match=r"no array 'x'.*gt.*ms"):
            read(path, variable="x")

    def test_axes_can_be_stated(self, tmp_path):
        values = RNG.random((20, 30, 25)).astype("f4")
        np.save(tmp_path / "a.npy", values)
        assert has(read(tmp_path / "a.npy").notices, Code.AXIS_GUESSED)
        for axes, order in (("yxb", (2, 0, 1)), ("byx", (0, 1, 2)), ("xby", (1, 2, 0))):
            cube = read(tmp_path / "a.npy", axes=axes)
            np.testing.assert_array_equal(cube.data, values.transpose(order))
            assert not has(cube.notices, Code.AXIS_GUESSED)

    def test_axes_are_matlabs_in_both_versions(self, tmp_path, save_73):
        values = RNG.random((6, 7, 8))
        savemat(tmp_path / "a.mat", {"cube": values})
        save_73(tmp_path / "b.mat", values)
        for name in ("a.mat", "b.mat"):
            cube = read(tmp_path / name, axes="bxy")
            np.testing.assert_allclose(cube.data, values.transpose(0, 2, 1), rtol=1e-6)

    @pytest.fixture
    def save_73(self):
        def save(path, values):
            with h5py.File(path, "w", userblock_size=512) as file:
                file["cube"] = values.T
                file["cube"].attrs["MATLAB_class"] = np.bytes_("double")
            with path.open("rb+") as raw:
                raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")

        return save

    def test_bands_can_be_chosen(self, tmp_path):
        cube = Cube(RNG.random((4, 5, 6)), NM, metadata={"fwhm": [1, 2, 3, 4]})
        write(cube, tmp_path / "a.hdr")
        some = read(tmp_path / "a.hdr", bands=[1, 3])
        np.testing.assert_array_equal(some.data, cube.data[[1, 3]])
        assert list(some.wavelengths) == [500, 600]
        assert some.metadata["fwhm"] == [2, 4]
        with pytest.raises(FileError, match="bands 0 to 3"):
            read(tmp_path / "a.hdr", bands=[4])

    @pytest.mark.parametrize(
        "options", [{"axes": "xy"}, {"axes": "abc"}, {"bands": []}, {"bands": [-1]}]
    )
    def test_what_is_no_choice_is_refused(self, tmp_path, options):
        np.save(tmp_path / "a.npy", np.zeros((4, 5, 6)))
        with pytest.raises(InputError):
            read(tmp_path / "a.npy", **options)

    def test_a_photograph_has_no_variables(self, tmp_path):
        from PIL import Image

        Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
        with pytest.raises(FileError, match="no file of named arrays"):
            read(tmp_path / "a.png", variable="x")


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({"scale_factor": "two"}, 1),
        ({"scale_factor": [0.5, 2.0]}, 1),
        ({"add_offset": "x"}, 1),
        ({"scale_factor": ""}, 0),
        ({"scale_factor": h5py.Empty("f4")}, 0),
        ({}, 0),
    ],
)
def test_a_scale_factor_that_cannot_be_used_is_told(tmp_path, stated, told):
    values = RNG.random((4, 5, 6)).astype("f4")
    cube = read(netcdf(tmp_path, values, **stated))
    np.testing.assert_array_equal(cube.data, values)
    assert [n.code for n in cube.notices].count(Code.GAIN_NOT_APPLIED) == told


def test_widths_that_are_no_numbers_do_not_warn(tmp_path):
    extra = "wavelength = {450, 500, 550, 600}\nfwhm = {nan, nan, nan, nan}"
    cube = read(envi(tmp_path, stored_values(), extra))
    np.testing.assert_array_equal(cube.wavelengths.nm, NM)
