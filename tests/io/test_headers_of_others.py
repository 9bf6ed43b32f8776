"""ENVI headers and band names as other programs write them, each with its own habits."""

from __future__ import annotations

import gzip
import warnings

import numpy as np
import pytest

from napari_hsr import read, write
from napari_hsr.errors import FileError, PlaceNotKeptWarning
from napari_hsr.io.envi import header as envi_header
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, has

NM = [450.0, 500.0, 550.0, 600.0]
LIST = "450, 500, 550, 600"
VALUES = np.arange(4 * 5 * 3, dtype=np.int16).reshape(4, 5, 3) + 100


def header(extra="wavelength units = nm\nwavelength = {450, 500, 550, 600}\n", first="ENVI"):
    return (
        f"{first}\nsamples = 3\nlines = 5\nbands = 4\nheader offset = 0\nfile type = ENVI Standard\n"
        f"data type = 2\ninterleave = bsq\nbyte order = 0\n{extra}"
    )


def scene(folder, text, values=VALUES, binary="scene.img", encoding="utf-8"):
    (folder / "scene.hdr").write_bytes(text.encode(encoding))
    (folder / binary).write_bytes(values.tobytes())
    return folder / "scene.hdr"


@pytest.mark.parametrize(
    "extra",
    [
        "wavelength units = nm\nwavelength =\n{450, 500, 550, 600}\n",
        "wavelength units = nm\nwavelength = {450,0; 500,0; 550,0; 600,0}\n",
        'wavelength units = nm\nwavelength = {"450", "500", "550", "600"}\n',
        "wavelength units = Nanometers\nwavelength = {0.45, 0.5, 0.55, 0.6}\n",
        "wavelength units = Micrometers\nwavelength = {450, 500, 550, 600}\n",
        "band names = {Band 1 (450.0), Band 2 (500.0), Band 3 (550.0), Band 4 (600.0)}\n",
        "band names = {Blue-450, Green-500, Green-550, Red-600}\n",
        "band names = {band_1_450nm, band_2_500nm, band_3_550nm, band_4_600nm}\n",
        "band names = {wl_450, wl_500, wl_550, wl_600}\n",
        "wavelength_nm = {450, 500, 550, 600}\n",
        "Central Wavelength = {450, 500, 550, 600}\n",
        "band centers (um) = {0.45, 0.5, 0.55, 0.6}\n",
    ],
)
def test_wavelengths_however_they_are_written(tmp_path, extra):
    assert read(scene(tmp_path, header(extra))).wavelengths.nm.tolist() == NM


@pytest.mark.parametrize(
    "names",
    [
        ["NDVI_2019", "NDVI_2020", "NDVI_2021", "NDVI_2022"],
        ["B2", "B3", "B8A", "B11"],
        ["Band (1)", "Band (2)", "Band (3)", "Band (4)"],
    ],
)
def test_numbers_in_names_that_are_no_wavelengths(names):
    assert wl.from_band_names(names) == (None, None)


def test_a_unit_that_cannot_be_is_said(tmp_path):
    extra = "wavelength units = Nanometers\nwavelength = {0.45, 0.5, 0.55, 0.6}\n"
    assert has(read(scene(tmp_path, header(extra))).notices, Code.WAVELENGTH_UNIT_GUESSED)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_header_in_another_encoding(tmp_path, encoding):
    path = scene(tmp_path, header(), encoding=encoding)
    for named in (path, path.with_suffix(".img")):
        assert read(named).wavelengths.nm.tolist() == NM


def test_a_header_that_begins_in_small_letters(tmp_path):
    np.testing.assert_array_equal(read(scene(tmp_path, header(first="envi"))).data, VALUES)


@pytest.mark.parametrize("binary", ["scene.rfl", "scene.lan", "scene.xyz"])
def test_a_binary_of_any_suffix(tmp_path, binary):
    scene(tmp_path, header(), binary=binary)
    np.testing.assert_array_equal(read(tmp_path / binary).data, VALUES)


def test_a_text_beside_a_header_is_no_binary(tmp_path):
    scene(tmp_path, header())
    (tmp_path / "scene.txt").write_text("notes")
    with pytest.raises(FileError, match="text file"):
        read(tmp_path / "scene.txt")


def test_a_binary_in_gzip_with_its_suffix(tmp_path):
    path = scene(tmp_path, header())
    (tmp_path / "scene.img").unlink()
    (tmp_path / "scene.img.gz").write_bytes(gzip.compress(VALUES.tobytes()))
    np.testing.assert_array_equal(read(path).data, VALUES)


def test_what_else_would_do_is_said(tmp_path):
    path = scene(tmp_path, header())
    (tmp_path / "scene.dat").write_bytes(VALUES[::-1].tobytes())
    told = [n.text for n in read(path).notices]
    assert any("scene.img was taken; scene.dat" in text for text in told)
    (tmp_path / "scene.img.hdr").write_text(header("description = {other}\n"))
    told = [n.text for n in read(path.with_suffix(".img")).notices]
    assert any("scene.img.hdr was taken; scene.hdr" in text for text in told)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("reflectance scale factor = 0.0001\n", VALUES * np.float32(0.0001)),
        ("reflectance scale factor = 10,000\n", VALUES / np.float32(10000)),
        ("reflectance scale factor = {10000}\n", VALUES / np.float32(10000)),
        ("data gain values = {1, 2, 3, 4}\n", VALUES * np.float32([[[1]], [[2]], [[3]], [[4]]])),
        (
            "data reflectance gain values = {2, 2, 2, 2}\n"
            "data reflectance offset values = {1, 1, 1, 1}\n",
            VALUES * np.float32(2) + 1,
        ),
    ],
)
def test_factors_and_gains_are_applied_and_said(tmp_path, extra, expected):
    cube = read(scene(tmp_path, header(extra)))
    np.testing.assert_allclose(cube.data, expected, rtol=1e-6)
    assert has(cube.notices, Code.SCALE_APPLIED)


def test_factors_of_no_known_direction_are_said(tmp_path):
    cube = read(scene(tmp_path, header("data scale factor = 10000\n")))
    assert has(cube.notices, Code.GAIN_NOT_APPLIED)
    both = "reflectance scale factor = 10\ndata gain values = {2, 2, 2, 2}\n"
    cube = read(scene(tmp_path, header(both)))
    assert has(cube.notices, Code.GAIN_NOT_APPLIED)
    np.testing.assert_allclose(cube.data, VALUES / np.float32(10), rtol=1e-6)


def test_gains_of_another_count_are_refused(tmp_path):
    with pytest.raises(FileError, match="4 numbers each"):
        read(scene(tmp_path, header("data gain values = {1, 2}\n")))


def test_a_list_of_markers(tmp_path):
    values = VALUES.copy()
    values[:, 0, 0] = -9999
    cube = read(
        scene(tmp_path, header("data ignore value = {-9999, -9999, -9999, -9999}\n"), values)
    )
    assert np.isnan(cube.data).sum() == 4


def test_widths_with_their_unit(tmp_path):
    extra = f"wavelength = {{{LIST}}}\nwavelength units = nm\nfwhm = {{5 nm, 5 nm, 6 nm, 6 nm}}\n"
    assert read(scene(tmp_path, header(extra))).metadata["fwhm"] == [5.0, 5.0, 6.0, 6.0]


@pytest.mark.parametrize("name", ["scene_wavelengths.csv", "wavelengths.txt"])
def test_a_list_beside_a_cube_without_wavelengths(tmp_path, name):
    path = scene(tmp_path, header(""))
    rows = "\n".join(f"{i + 1},{nm}" for i, nm in enumerate(NM))
    (tmp_path / name).write_text(f"band,wavelength\n{rows}\n")
    cube = read(path)
    assert cube.wavelengths.nm.tolist() == NM
    assert has(cube.notices, Code.OTHER_FILES_READ)
    (tmp_path / name).write_text("450 500\n")  # of another cube
    assert read(path).wavelengths is None


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ("reflectance scale factor = ten thousand\n", Code.GAIN_NOT_APPLIED),
        ("data ignore value = below zero\n", Code.NO_DATA),
    ],
)
def test_what_is_no_number_is_said(tmp_path, extra, code):
    cube = read(scene(tmp_path, header(extra)))
    assert [n.code for n in cube.notices].count(code) == 1
    np.testing.assert_array_equal(cube.data, VALUES)


def test_wavelengths_in_a_header_of_esri(tmp_path):
    text = "BYTEORDER\tI\nLAYOUT\tBSQ\nNROWS 5\nNCOLS 3\nNBANDS 4\nNBITS 16\n"
    text += "WAVELENGTHS\n450\n500\n550\n600\nWAVELENGTHS_END\n"
    cube = read(scene(tmp_path, text, VALUES.astype("<u2"), "scene.bsq"))
    assert cube.wavelengths.nm.tolist() == [450, 500, 550, 600]
    np.testing.assert_array_equal(cube.data, VALUES)


@pytest.mark.parametrize(
    ("units", "factor", "kept"),
    [
        ("Radiance (uW/cm2/sr/nm)", 1, True),
        ("W/m^2/sr/um", 10000, True),
        ("Absorbance", 1, True),
        ("DN", 1, True),
        ("DN", 10000, False),
        ("%", 100, False),
        ("Reflectance", 1, False),
        ("unitless", 1, False),
    ],
)
def test_a_stated_unit_counts_before_a_reflectance_scale_factor(tmp_path, units, factor, kept):
    """Radiance had been called reflectance, and nothing was said."""
    text = header(f"data units = {units}\nreflectance scale factor = {factor}\n")
    cube = read(scene(tmp_path, text))
    assert cube.units == (units if kept else "reflectance")
    assert has(cube.notices, Code.VALUES_SCALE_GUESSED) == kept
    np.testing.assert_allclose(cube.data, VALUES / factor, rtol=1e-6)


def test_lists_far_longer_than_any_image_has_bands_are_left_out_unread(tmp_path, monkeypatch):
    """They had been parsed entry by entry, for minutes, and kept."""
    monkeypatch.setattr(envi_header, "_MOST_OTHERS", 50)
    others = "default stretch = {1, 2}\nfwhm = {" + "9, " * 60 + "9}\nbbl = [" + "1 " * 60 + "]\n"
    cube = read(scene(tmp_path, header() + others))
    assert cube.wavelengths.nm.tolist() == NM
    assert not {"fwhm", "bbl"} & set(cube.metadata)
    assert cube.metadata["default stretch"] == [1, 2]
    (told,) = [n.text for n in cube.notices if n.code is Code.LIST_UNUSABLE]
    assert "fwhm, bbl" in told


@pytest.mark.parametrize(
    "key", ["reflection scale factor", "reflectance_scale_factor", "Reflectance Scaling Factor"]
)
def test_other_spellings_of_the_reflectance_scale_factor(tmp_path, key):
    values = np.arange(100, 112, dtype="<i2")
    (tmp_path / "a.img").write_bytes(values.tobytes())
    (tmp_path / "a.hdr").write_text(
        "ENVI\nsamples = 2\nlines = 2\nbands = 3\ndata type = 2\ninterleave = bsq\nbyte order = 0\n"
        f"{key} = 10000.0\n"
    )
    cube = read(tmp_path / "a.hdr")
    np.testing.assert_allclose(cube.data[:].ravel(), values / 1e4, rtol=1e-6)
    assert has(cube.notices, Code.SCALE_APPLIED)
    again = read(write(cube, tmp_path / "b.hdr"))
    np.testing.assert_array_equal(again.data[:], cube.data[:])


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (f"wavelength = {{{LIST}}}\nwavelength = {{1, 2,\n 3, 4}}\n", True),
        ("data ignore value = 0\nData Ignore Value = 5\n", True),
        (f"wavelength = {{{LIST}}}\nwavelength = {{450,500,\n 550,600}}\n", False),
        ("description = {\n a = 1\n a = 2}\n", False),
        ("description =\n{\n a = 1\n a = 2\n}\n", False),
        ("; a = 1\n; a = 2\n", False),
    ],
)
def test_an_item_that_is_stated_twice(tmp_path, extra, told):
    cube = read(scene(tmp_path, header(extra)))
    assert any(n.code is Code.OTHER and "more than once" in n for n in cube.notices) is told


@pytest.mark.parametrize("name", ["radiance gain values", "band gains", "radiance_gain", "gain"])
def test_gains_a_band_under_other_names_than_envis_are_told(tmp_path, name):
    """They had been left out without a word."""
    cube = read(scene(tmp_path, header(f"{name} = {{0.1, 0.2, 0.3, 0.4}}\n")))
    np.testing.assert_array_equal(cube.data, VALUES)
    assert has(cube.notices, Code.GAIN_NOT_APPLIED)


@pytest.mark.parametrize(
    "item", ["gain = 2.5", "gain = {1, 1, 1, 1}", "offset lines = {1, 2, 3, 4}"]
)
def test_what_is_no_gain_of_the_bands_is_not(tmp_path, item):
    assert not has(read(scene(tmp_path, header(f"{item}\n"))).notices, Code.GAIN_NOT_APPLIED)


def test_a_place_that_a_header_has_no_words_for_is_told_by_whoever_writes_it(tmp_path):
    cube = read(scene(tmp_path, header()))
    sheared = [1.0, 0.5, 0.0, 500000.0, 0.0, -1.0, 0.0, 5e6, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    cube = cube.replace(metadata={"geotiff": {"transformation": sheared}})
    with pytest.warns(PlaceNotKeptWarning, match="a.hdr: .* does not keep the grid"):
        write(cube, tmp_path / "a.hdr")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(cube, tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["reflectnce scale factor", "reflectance scale scale factor"])
def test_a_scale_factor_whose_name_is_damaged_is_told(tmp_path, name):
    (tmp_path / "a.hdr").write_text(
        "ENVI\nsamples = 2\nlines = 2\nbands = 3\nheader offset = 0\ndata type = 12\n"
        f"interleave = bsq\nbyte order = 0\n{name} = 10000\n"
    )
    (tmp_path / "a.img").write_bytes(bytes(24))
    assert has(read(tmp_path / "a.hdr").notices, Code.GAIN_NOT_APPLIED)
