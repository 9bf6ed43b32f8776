"""Headers of R's raster, compound data sets, tables of spectra, and what is said of files that are not read."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from napari_hsr import read, read_library, write
from napari_hsr.errors import FileError
from napari_hsr.io import can_read, lazy
from napari_hsr.io.libraries import is_library
from napari_hsr.notices import Code, has

CUBE = np.random.default_rng(8).random((5, 6, 7)).astype(np.float32)
NM = [450.0, 500.0, 550.0, 600.0, 650.0]


def envi(folder, extra, values=CUBE):
    bands, lines, samples = values.shape
    (folder / "scene.hdr").write_text(
        f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\nheader offset = 0\ndata type = 4\n"
        f"interleave = bsq\nbyte order = 0\n{extra}\n"
    )
    (folder / "scene.img").write_bytes(values.tobytes())
    return folder / "scene.hdr"


class TestEnvi:
    @pytest.mark.parametrize("unit", ["Unknown", "Nanometers", "Index"])
    def test_a_list_that_numbers_the_bands_is_none_of_wavelengths(self, tmp_path, unit):
        listed = ", ".join(str(i) for i in range(1, 6))
        cube = read(envi(tmp_path, f"wavelength units = {unit}\nwavelength = {{{listed}}}"))
        assert cube.wavelengths is None
        assert has(cube.notices, Code.WAVELENGTHS_UNUSABLE)

    def test_micrometres_that_count_are_micrometres(self, tmp_path):
        stated = "wavelength units = Micrometers\nwavelength = {1, 2, 3, 4, 5}"
        cube = read(envi(tmp_path, stated))
        assert cube.wavelengths.nm.tolist() == [1000, 2000, 3000, 4000, 5000]

    def test_names_with_the_unit_behind_a_line(self, tmp_path):
        names = ", ".join(f"band_{nm}_nm" for nm in NM)
        assert read(envi(tmp_path, f"band names = {{{names}}}")).wavelengths.nm.tolist() == NM

    @pytest.mark.parametrize("extra", ["data gain values =", "data gain values = {}"])
    def test_gains_without_values_are_not_stated(self, tmp_path, extra):
        np.testing.assert_array_equal(read(envi(tmp_path, extra)).data, CUBE)


@pytest.mark.parametrize("on_disk", [False, True])
def test_floats_that_were_scaled_before_are_questioned(tmp_path, monkeypatch, on_disk):
    if on_disk:
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 0)
    stated = "reflectance scale factor = 10000"
    cube = read(envi(tmp_path, stated))
    assert isinstance(cube.data, lazy.LazyArray) == on_disk
    np.testing.assert_allclose(np.asarray(cube.data[:]), CUBE / 10000, rtol=1e-6)
    assert has(cube.notices, Code.VALUES_SCALE_GUESSED)
    cube = read(envi(tmp_path, stated, np.round(CUBE * 10000)))
    assert not has(cube.notices, Code.VALUES_SCALE_GUESSED)


R_HEADER = (
    "[general]\ncreator=R package 'raster'\n[georeference]\nnrows=6\nncols=7\nxmin=500000\nymin=5799820\n"
    "xmax=500210\nymax=5800000\nprojection=+proj=utm +zone=33 +datum=WGS84 +units=m +no_defs\n[data]\n"
    "datatype=FLT4S\nbyteorder={endian}\nnbands=5\nbandorder={order}\nnodatavalue=-3.4e+38\n"
    "[description]\nlayername={names}\n{more}"
)


class TestRaster:
    @pytest.mark.parametrize("order", ["BIL", "BIP", "BSQ"])
    @pytest.mark.parametrize("endian", ["little", "big"])
    def test_header_and_binary(self, tmp_path, order, endian):
        axes = {"BIL": (1, 0, 2), "BIP": (1, 2, 0), "BSQ": (0, 1, 2)}[order]
        stored = np.where(CUBE < 0.1, np.float32(-3.4e38), CUBE).transpose(axes)
        (tmp_path / "a.gri").write_bytes(
            stored.astype(f"{'<' if endian == 'little' else '>'}f4").tobytes()
        )
        names = ":".join(f"X{nm:g}" for nm in NM)
        (tmp_path / "a.grd").write_text(
            R_HEADER.format(endian=endian, order=order, names=names, more="")
        )
        for name in ("a.grd", "a.gri"):
            assert can_read(tmp_path / name)
            cube = read(tmp_path / name)
            np.testing.assert_array_equal(cube.data, np.where(CUBE < 0.1, np.nan, CUBE))
            assert cube.wavelengths.nm.tolist() == NM
        write(cube, tmp_path / "out.hdr")
        header = (tmp_path / "out.hdr").read_text()
        assert re.search(
            r"map info = \{UTM, 1.0, 1.0, 500000.0, 5800000.0, 30.0, 30.0, 33, North", header
        )

    def test_values_of_layers_that_setz_gives(self, tmp_path):
        (tmp_path / "a.gri").write_bytes(CUBE.transpose(1, 0, 2).tobytes())
        more = "zvalues=wavelength:" + ":".join(f"{nm:g}" for nm in NM) + "\nzclass=numeric\n"
        names = ":".join(f"layer.{i}" for i in range(1, 6))
        header = R_HEADER.format(endian="little", order="BIL", names=names, more=more)
        (tmp_path / "a.grd").write_text(header)
        assert read(tmp_path / "a.grd").wavelengths.nm.tolist() == NM

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("nbands=5\n", "", "lacks nbands"),
            ("FLT4S", "CPLX", "'CPLX', which cannot be read"),
            ("nbands=5", "nbands=6", "its binary a.gri has"),
        ],
    )
    def test_a_header_that_cannot_be_is_refused(self, tmp_path, old, new, said):
        (tmp_path / "a.gri").write_bytes(CUBE.tobytes())
        header = R_HEADER.format(endian="little", order="BIL", names="a", more="")
        (tmp_path / "a.grd").write_text(header.replace(old, new))
        with pytest.raises(FileError, match=said):
            read(tmp_path / "a.grd")


def places():
    rows, columns = np.mgrid[:6, :7]
    table = np.zeros(42, [("row", "i4"), ("col", "i4"), ("spectrum", "f4", (5,))])
    table["row"], table["col"] = rows.ravel() + 100, columns.ravel()
    table["spectrum"] = CUBE.reshape(5, -1).T
    return table


class TestCompound:
    def test_a_field_with_a_spectrum_a_pixel(self, tmp_path):
        pixels = np.zeros((6, 7), [("spectrum", "f4", (5,)), ("quality", "u1")])
        pixels["spectrum"] = CUBE.transpose(1, 2, 0)
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("scan/pixels", data=pixels, chunks=(3, 7), compression="gzip")
            file["scan/wavelength"] = NM
        for name in ("a.h5", "a.h5:spectrum", "a.h5:pixels"):
            cube = read(f"{tmp_path / name}")
            np.testing.assert_array_equal(cube.data, CUBE)
            assert cube.wavelengths.nm.tolist() == NM
        with pytest.raises(FileError, match="no array 'colour'"):
            read(tmp_path / "a.h5", variable="colour")

    def test_a_field_a_band(self, tmp_path):
        pixels = np.zeros((6, 7), [(f"band_{nm:g}", "i2") for nm in NM])
        for nm, plane in zip(NM, CUBE, strict=True):
            pixels[f"band_{nm:g}"] = np.round(plane * 1000)
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["pixels"] = pixels
            file["pixels"].attrs["scale_factor"] = 0.001
        cube = read(tmp_path / "a.h5")
        np.testing.assert_allclose(cube.data, np.round(CUBE * 1000) / 1000, rtol=1e-6)
        assert cube.wavelengths.nm.tolist() == NM
        assert has(cube.notices, Code.SCALE_APPLIED)

    @pytest.mark.parametrize("suffix", ["h5", "npy"])
    def test_a_row_a_pixel(self, tmp_path, suffix):
        order = np.random.default_rng(1).permutation(42)[:40]
        table, file = places()[order], tmp_path / f"a.{suffix}"
        if suffix == "npy":
            np.save(file, table)
        else:
            with h5py.File(file, "w") as stored:
                stored["pixels"] = table
        wanted = np.full((5, 42), np.nan, np.float32)
        wanted[:, order] = CUBE.reshape(5, -1)[:, order]
        cube = read(file)
        np.testing.assert_array_equal(cube.data, wanted.reshape(5, 6, 7))
        assert has(cube.notices, Code.AXES_CHANGED)

    @pytest.mark.parametrize(
        ("table", "said"),
        [
            (np.concatenate([places(), places()[:1]]), "same row and col"),
            (places()[::8], "no picture is made of so few"),
            (
                np.array(places()[["spectrum"]].tolist(), [("spectrum", "f4", (5,))]),
                "no numeric array",
            ),
        ],
    )
    def test_rows_that_fill_no_picture_are_refused(self, tmp_path, table, said):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["pixels"] = table
        with pytest.raises(FileError, match=said):
            read(tmp_path / "a.h5")

    def test_a_cube_beside_it_is_opened(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["pixels"], file["cube"] = places(), CUBE
        np.testing.assert_array_equal(read(tmp_path / "a.h5").data, CUBE)


@pytest.mark.parametrize("name", ["NoDataValue", "fill_value", "data_ignore_value"])
def test_a_variable_with_the_marker_of_missing_values(tmp_path, name):
    values = np.round(CUBE * 1000).astype(np.uint16)
    values[values < 100] = 65535
    savemat(tmp_path / "a.mat", {"cube": values.transpose(1, 2, 0), "wl": NM, name: 65535})
    wanted = np.where(values == 65535, np.nan, values)
    np.testing.assert_array_equal(read(tmp_path / "a.mat").data, wanted.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.img", b"EHFA_HEADER_TAG\0", "ERDAS Imagine file.*gdal_translate"),
        ("a.pix", b"PCIDSK  V1.0", "PCIDSK file.*gdal_translate"),
        ("a.vrt", b'<VRTDataset rasterXSize="3">', "virtual raster.*rio convert"),
        ("a.exr", b"\x76\x2f\x31\x01\x02\0\0\0", "OpenEXR.*HDF5 or NumPy"),
    ],
)
def test_what_converts_a_file_that_is_not_read(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content + bytes(64))
    with pytest.raises(FileError, match=said):
        read(tmp_path / name)


def test_images_in_a_folder_are_named(tmp_path):
    (tmp_path / "capture").mkdir()
    envi(tmp_path / "capture", "")
    (tmp_path / "manifest.xml").write_text("<manifest/>")
    with pytest.raises(FileError, match=r"opened by their names: capture/scene\.hdr"):
        read(tmp_path)


GRID = np.arange(400.0, 701.0, 10.0)
SPECTRA = np.round(np.random.default_rng(3).random((2, 31)), 4)


def cgats(values, field="SPECTRAL_NM{:g}", more="", sets=2, first="CGATS.17"):
    names = " ".join(field.format(nm) for nm in GRID)
    rows = "\n".join(
        f'{i} "patch {i}" ' + " ".join(f"{v:.6g}" for v in row) for i, row in enumerate(values, 1)
    )
    return (
        f'{first}\n\nORIGINATOR "x"\n{more}NUMBER_OF_FIELDS 33\nBEGIN_DATA_FORMAT\nSAMPLE_ID SAMPLE_NAME {names}\n'
        f"END_DATA_FORMAT\nNUMBER_OF_SETS {sets}\nBEGIN_DATA\n{rows}\nEND_DATA\n"
    )


class TestCgats:
    @pytest.mark.parametrize(
        "field", ["SPECTRAL_NM{:g}", "SPECTRAL_NM_{:g}", "SPEC_{:g}", "nm{:g}"]
    )
    def test_one_spectrum_a_line(self, tmp_path, field):
        (tmp_path / "a.txt").write_text(cgats(SPECTRA, field))
        assert is_library(tmp_path / "a.txt")
        library = read_library(tmp_path / "a.txt")
        np.testing.assert_allclose(library.values, SPECTRA, rtol=1e-5)
        assert library.names == ("patch 1", "patch 2")
        assert library.units == "reflectance"
        assert library.wavelengths_nm.tolist() == GRID.tolist()

    def test_the_norm_is_divided_by(self, tmp_path):
        (tmp_path / "a.ti3").write_text(
            cgats(SPECTRA * 100, "SPEC_{:g}", 'SPECTRAL_NORM "100.0"\n', first="CTI3")
        )
        library = read_library(tmp_path / "a.ti3")
        np.testing.assert_allclose(library.values, SPECTRA, rtol=1e-5)
        assert has(library.notices, Code.SCALE_APPLIED)

    def test_what_a_display_emits_is_no_reflectance(self, tmp_path):
        (tmp_path / "a.ti3").write_text(cgats(SPECTRA * 40, more='DEVICE_CLASS "DISPLAY"\n'))
        library = read_library(tmp_path / "a.ti3")
        np.testing.assert_allclose(library.values, SPECTRA * 40, rtol=1e-5)
        assert library.units == "emission"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (cgats(SPECTRA, sets=3), "states 3 spectra, but 2"),
            (cgats(SPECTRA).replace('"patch 2"', ""), "line 2 of its data is damaged"),
        ],
    )
    def test_damaged(self, tmp_path, text, said):
        (tmp_path / "a.txt").write_text(text)
        with pytest.raises(FileError, match=said):
            read_library(tmp_path / "a.txt")


def rows(*columns):
    return "\n".join(",".join(f"{v:g}" for v in row) for row in zip(*columns, strict=True))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"Wavelength,mean,standard deviation\n{rows(GRID, SPECTRA[0], SPECTRA[1])}", ["mean"]),
        (f"wl_1,leaf,wl_2,soil\n{rows(GRID, SPECTRA[0], GRID, SPECTRA[1])}", ["leaf", "soil"]),
        (
            "title\n wavelength      reflectance      standard deviation\n"
            + rows(GRID / 1000, SPECTRA[0], SPECTRA[1]).replace(",", "   "),
            ["a"],
        ),
    ],
)
def test_columns_that_are_no_spectra(tmp_path, text, names):
    (tmp_path / "a.txt").write_text(text + "\n")
    library = read_library(tmp_path / "a.txt")
    assert list(library.names) == names
    np.testing.assert_allclose(library.values, SPECTRA[: len(names)], rtol=1e-5)


class TestArrays:
    def stored(self, folder, kind):
        names = np.array(["leaf", "soil"], object)
        if kind == "mat":
            savemat(folder / "a.mat", {"wl_nm": GRID, "spectra": SPECTRA, "names": names})
        elif kind == "structure":
            held = {"wavelength": GRID / 1000, "reflectance": SPECTRA.T, "names": names}
            savemat(folder / "a.mat", {"lib": held})
        else:
            with h5py.File(folder / "a.mat", "w") as file:
                file["spectra"], file["names"] = SPECTRA, names.tolist()
                file["wavelengths"] = GRID / 1000
                file["wavelengths"].attrs["units"] = "um"
        return folder / "a.mat"

    @pytest.mark.parametrize("kind", ["mat", "structure", "hdf5"])
    def test_a_table_of_spectra(self, tmp_path, kind):
        library = read_library(self.stored(tmp_path, kind))
        np.testing.assert_allclose(library.values, SPECTRA)
        np.testing.assert_allclose(library.wavelengths_nm, GRID)
        assert library.names == ("leaf", "soil")

    @pytest.mark.parametrize("kind", ["mat", "hdf5"])
    def test_read_says_that_it_is_a_library(self, tmp_path, kind):
        with pytest.raises(FileError, match="A table of spectra is read as a library"):
            read(self.stored(tmp_path, kind))

    def test_what_is_no_table_of_spectra_is_said(self, tmp_path):
        savemat(tmp_path / "a.mat", {"spectra": SPECTRA})
        with pytest.raises(FileError, match=r"it holds spectra \(2 x 31\)"):
            read_library(tmp_path / "a.mat")
        savemat(tmp_path / "a.mat", {"spectra": SPECTRA, "wavelengths": GRID[:-1]})
        with pytest.raises(FileError, match="spectra of 30 values were expected"):
            read_library(tmp_path / "a.mat")
        savemat(tmp_path / "a.mat", {"one": SPECTRA, "other": SPECTRA, "wavelengths": GRID})
        with pytest.raises(FileError, match="2 arrays could be its spectra"):
            read_library(tmp_path / "a.mat")
