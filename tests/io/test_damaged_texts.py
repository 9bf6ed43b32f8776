"""Places, widths, fields and tables in texts that are damaged: told, where a part of them had been lost without a word."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import write
from napari_hsr.cameras import read_cameras
from napari_hsr.errors import FileError
from napari_hsr.io import read, read_library
from napari_hsr.io.number_parsing import Ending, how_it_ends
from napari_hsr.io.tiff import geotiff
from napari_hsr.notices import Code
from napari_hsr.spectral_library import SpectralLibrary

PLACE = "UTM, 1, 1, {}, 5412340.0, 10, 10, 33, North, WGS-84"


def header(folder, lines):
    (folder / "a.hdr").write_text(
        "ENVI\nsamples = 5\nlines = 4\nbands = 3\nheader offset = 0\ndata type = 4\n"
        f"interleave = bsq\nbyte order = 0\nwavelength = {{500, 510, 520}}\n{lines}\n"
    )
    (folder / "a.img").write_bytes(np.zeros((3, 4, 5), "<f4").tobytes())
    return read(folder / "a.hdr")


def told(cube, code):
    return [str(n) for n in cube.notices if n.code is code]


@pytest.mark.parametrize(
    "line",
    [
        f"map info = {{{PLACE.format('5l2340.0')}}}",
        "map info = {UTM, 1, 1}",
        f"map inf0 = {{{PLACE.format('512340.0')}}}",
        f"mqp info = {{{PLACE.format('512340.0')}}}",
        f"map = {{{PLACE.format('512340.0')}}}",
        f"map info = {{{PLACE.format('512340,0')}}}",
        "map info = {UTM, 1, 1, 512340.0, 5412340.0, 10.0, 10,0, 33, North, WGS-84}",
        "map info = {UTM, 1, 1, 512340.0, 5412340.0, 10, 10, 33 North, WGS-84}",
        "map info = {UTM, 1, 1, 512340.0, 5412340.0, 10, 10, 33, Nortb, WGS-84}",
        "map info = {UTM, 1, 1, 512340.0, 5412340.0, 10, 10, 33, North, WGS-84, unlts=Feet}",
        "map info = {UTM, 1, 1, 512340.0, 5412340.0, 10, 10, 33, North, WGS-84, unitsFeet}",
        "map info = {UTM, 1, 1, 512340.0, 5412340.0, 10, 10, 33, North, WGS-84, units=Feet. 0}",
        "map info = {UTM, 1, 1, 512340.0, 5412340.0, 10, 10, 33, North, WGS-84, units=Mete}",
        "map info = {UTM, 1, 1, 512340.0, 5412340.0, 10, 10, 33, North, WGS-84, units=Meters, O}",
        "map info = {Geographic Lat/Lon, 1, 1, 13,5, 52.5, 1e-4, 1e-4, WGS-84, units=Degrees}",
        "map info = {Arbitrary, 1, 1, 512340,0, 5412340, 10, 10, 0, North}",
        "map info = {UTM, 1, 1, 512340.0, 5412340.0, 10, 10, 33, North, WGS-84, WGS-84, units=Meters}",
        "map info = {UTM, 1, 1, 512340.0, 5412340.0, 10, 10, 33, North}",
    ],
)
def test_a_map_info_that_says_no_place_is_told(tmp_path, line):
    assert told(header(tmp_path, line), Code.PLACE_UNUSABLE)


@pytest.mark.parametrize(
    "line",
    [
        f"map info = {{{PLACE.format('512340.0')}}}\nmap projection = UTM",
        "map info = {Arbitrary, 1, 1, 0, 0, 1, 1, 0, North}",
        "map info = {Arbitrary, 1, 1, 0, 0, 0.5, 2, units=Meters}",
        "map info = {State Plane (NAD 83), 1, 1, 6e5, 2e5, 3, 3, 3101, units=Feet, rotation=12.5}\n"
        'coordinate system string = {PROJCS["NAD_1983_StatePlane",GEOGCS["GCS_North_American_1983"]]}',
        "map info = { UTM , 1.000 , 1.000 , 723522.000 , 4148060.000 , 3.6e+000 , 3.6e+000 , 10 , North , "
        "WGS-84 , units=Meters , rotation=0.00000000 }",
        "map info = {UTM, 1, 1, 326000, 4103000, 1, 1, 18, North, WGS-84, units=Meters, 0}",
        "class names = {None, 1, 2, 3, 4, 5, 6}",
    ],
)
def test_a_whole_map_info_is_taken_without_a_word(tmp_path, line):
    cube = header(tmp_path, line)
    assert not told(cube, Code.PLACE_UNUSABLE)
    assert ("map info" in cube.metadata) == line.startswith("map info")


@pytest.mark.parametrize(("widths", "none"), [("0, 0, 0", 3), ("5, 0, 5", 1), ("5, -1, 5", 1)])
def test_widths_that_are_none_are_told(tmp_path, widths, none):
    assert f"{none} of 3" in told(header(tmp_path, f"fwhm = {{{widths}}}"), Code.LIST_UNUSABLE)[0]
    assert not told(header(tmp_path, "fwhm = {5, 6, 7}"), Code.LIST_UNUSABLE)


@pytest.mark.parametrize("damaged", ["SPECTRAL-NM450", "SPECTRA1_NM450", "SPECTRALNM450x"])
def test_a_field_that_is_named_nearly_as_the_others_is_refused(tmp_path, damaged):
    path = tmp_path / "a.txt"
    fields = [f"SPECTRAL_NM{nm}" for nm in range(400, 510, 10)]
    text = (
        "CGATS.17\nNUMBER_OF_SETS 1\nBEGIN_DATA_FORMAT\nSAMPLE_ID {}\nEND_DATA_FORMAT\n"
        "BEGIN_DATA\n1 " + " ".join(["0.5"] * 11) + "\nEND_DATA\n"
    )
    path.write_text(text.format(" ".join(fields)))
    assert len(read_library(path).wavelengths) == 11
    path.write_text(text.format(" ".join(damaged if f.endswith("450") else f for f in fields)))
    if damaged != "SPECTRALNM450x":  # longer than the others, perhaps of something else
        with pytest.raises(FileError, match="names no wavelength"):
            read_library(path)


@pytest.mark.parametrize("datum", ["WGS-8", "WG5-84", "WGS 84 or so"])
def test_a_map_info_without_a_known_system_is_told_and_kept(tmp_path, datum):
    line = f"map info = {{UTM, 1, 1, 512340.0, 5412340.0, 10, 10, 33, North, {datum}}}"
    cube = header(tmp_path, line)
    assert "no coordinate system that is known" in told(cube, Code.PLACE_UNUSABLE)[0]
    assert geotiff.corner_and_pixel(geotiff.stated(cube.metadata))[0] == (512340, 5412340)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("data units units = radiance", Code.MAYBE_DAMAGED),
        ("units = radiance", Code.MAYBE_DAMAGED),
        ("data units radiance", Code.MAYBE_DAMAGED),
        ("bbl {1, 1, 1}", Code.MAYBE_DAMAGED),
        ("data values = {2, 2, 2}", Code.GAIN_NOT_APPLIED),
        ("data gainvalues = {2, 2, 2}", Code.GAIN_NOT_APPLIED),
        ("data gain gain values = {2, 2, 2}", Code.GAIN_NOT_APPLIED),
        ("reflectance scale factor factor = 10000", Code.GAIN_NOT_APPLIED),
        ("reflectance factor = 10000", Code.GAIN_NOT_APPLIED),
        ("sensor = 3", None),
        ("; data units radiance", None),
        ("data gain values = {2, 2, 2}\ndata offset values = {1, 1, 1}", None),
    ],
)
def test_an_item_of_which_a_word_is_lost_or_doubled_is_told(tmp_path, line, code):
    cube = header(tmp_path, f"{line}\nsensor type = X")
    codes = {n.code for n in cube.notices} & {Code.MAYBE_DAMAGED, Code.GAIN_NOT_APPLIED}
    assert codes == ({code} if code else set())


def test_a_library_tells_damaged_items_too(tmp_path):
    lines = (
        "ENVI\nsamples = 3\nlines = 1\nbands = 1\nheader offset = 0\ndata type = 4\ninterleave = bsq\n"
        "byte order = 0\nfile type = ENVI Spectral Library\nspectra names = {a}\ndata units = radiance\n"
        "wavelength units = nm\nwavelength = {500, 510, 520}\n"
    )
    (tmp_path / "a.sli").write_bytes(np.ones((1, 3), "<f4").tobytes())
    for text, damaged in ((lines, False), (lines.replace("data units", "dat units"), True)):
        (tmp_path / "a.hdr").write_text(text)
        assert bool(told(read_library(tmp_path / "a.sli"), Code.MAYBE_DAMAGED)) == damaged


def test_a_row_above_a_table_that_goes_on_with_it_is_no_heading(tmp_path):
    path, rows = tmp_path / "a.txt", [f"{400 + i} 0.5{i}0\n" for i in range(10)]
    path.write_text("".join(rows))
    assert len(read_library(path).wavelengths) == 10
    for damaged in ("4010.510\n", "0.510\n"):
        path.write_text("".join([rows[0], damaged, *rows[2:]]))
        with pytest.raises(FileError, match="line 2 is damaged"):
            read_library(path)
    for damaged in ("4000.500\n", "400 0.5.0\n", "0.500\n", "wavelength 400 0.500\n"):
        path.write_text("".join(["data=\n", damaged, *rows[1:]]))
        with pytest.raises(FileError, match="line 2 is damaged"):
            read_library(path)
    for heading in ("10\n", "wavelength leaf\n", "4000 scans\n"):
        path.write_text("".join([heading, *rows]))
        assert len(read_library(path).wavelengths) == 10


def test_a_row_whose_first_separator_is_another_sign_is_no_heading(tmp_path):
    rows = [f"{nm};0,{nm}6;0,2" for nm in range(400, 600, 5)]
    for sign in ":|/":
        text = "\n".join(["wavelength;leaf;soil", *rows]).replace("400;", f"400{sign}", 1) + "\n"
        (tmp_path / "a.csv").write_text(text)
        with pytest.raises(FileError, match="line 2 is damaged"):
            read_library(tmp_path / "a.csv")


def test_a_row_that_lost_its_wavelength_is_no_heading(tmp_path):
    path, rows = tmp_path / "a.csv", [f"{400 + i},0.5{i}0,0.2\n" for i in range(10)]
    path.write_text("".join(["wavelength,a,b\n", "0.500,0.2\n", *rows[1:]]))
    with pytest.raises(FileError, match="line 2 is damaged"):
        read_library(path)


def test_a_column_without_a_name_is_kept_unless_it_counts(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("wavelength,,b\n" + "".join(f"{400 + i},0.5{i}0,0.2\n" for i in range(10)))
    assert len(read_library(path).names) == 2
    path.write_text("wavelength,,b\n" + "".join(f"{400 + i},{i + 1},0.2\n" for i in range(10)))
    assert read_library(path).names == ("b",)


def test_cells_without_a_number_are_told(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"{400 + i},0.{i}5,0.2\n" for i in range(10)]
    path.write_text("wavelength,a,b\n" + "".join([*rows[:-1], "409,0.95,\n"]))
    library = read_library(path)
    assert np.isnan(library.values[1, -1])
    assert "1 of the values are empty" in told(library, Code.NO_DATA)[0]


def test_cgats_without_the_end_of_its_data_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    fields = " ".join(f"SPECTRAL_NM{nm}" for nm in range(400, 510, 10))
    text = (
        f"CGATS.17\nNUMBER_OF_SETS 1\nBEGIN_DATA_FORMAT\nSAMPLE_ID {fields}\nEND_DATA_FORMAT\n"
        "BEGIN_DATA\n1" + " 0.512" * 11
    )
    path.write_text(f"{text}\nEND_DATA\n")
    assert len(read_library(path).wavelengths) == 11
    path.write_text(text[:-2])
    with pytest.raises(FileError, match="no END_DATA"):
        read_library(path)


@pytest.mark.parametrize(
    ("end", "maybe"), [("0.5,0", True), ("0.5,0\n", False), ("0.5,0.2", False)]
)
def test_a_table_that_may_be_cut_in_its_last_number_is_told(tmp_path, end, maybe):
    path = tmp_path / "a.csv"
    path.write_text(
        "wavelength,a,b\n" + "".join(f"{nm},0.5,0.2\n" for nm in range(400, 490, 10)) + f"490,{end}"
    )
    assert bool(told(read_library(path), Code.MAYBE_DAMAGED)) == maybe


ROWS = [f"{nm},0.{nm}1,0.{nm}2" for nm in range(400, 500, 10)]


@pytest.mark.parametrize("lost", [1, 2, 3, 4])
def test_a_table_that_is_cut_in_its_last_number_is_refused(tmp_path, lost):
    path, text = tmp_path / "a.csv", "wavelength,a,b\n" + "\n".join(ROWS)
    path.write_text(text)
    assert len(read_library(path).wavelengths) == 10
    path.write_text(text[:-lost])
    with pytest.raises(FileError, match="cut short in its last number"):
        read_library(path)
    camera = "wavelength,R,G,B\n" + "\n".join(f"{row},0.{i}123" for i, row in enumerate(ROWS))
    path.write_text(camera)
    assert list(read_cameras(path)) == ["a"]
    path.write_text(camera[:-lost])
    with pytest.raises(FileError, match="cut short in its last number"):
        read_cameras(path)


@pytest.mark.parametrize(
    ("numbers", "end", "cut"),
    [
        (["0.123"] * 6 + ["0.1"], "", Ending.CUT),
        (["0.123"] * 6 + ["0.1"], "\n", Ending.WHOLE),  # a line is whole where it ends
        (["0.123", "0.12", "0.1", "0.13", "0.2"], "", Ending.WHOLE),  # zeros are left out
        (["0.123", "0.12", "0.15", "0.134", "0.2"], "", Ending.DOUBTFUL),
        (["1.5e-03"] * 6 + ["1.5e-0"], "", Ending.DOUBTFUL),  # too few digits to tell
        (["1.525e-03"] * 6 + ["1.525e-0"], "", Ending.CUT),
        (["1.525e-03"] * 6 + ["1.5"], "", Ending.CUT),
        (["0.5"] * 6 + ["0"], "", Ending.DOUBTFUL),
        (["0.5"] * 6 + ["0."], "", Ending.CUT),
        (["0.5"] * 6 + ["0.25"], "", Ending.WHOLE),
        (["0.5\t0.1"] * 6 + ["0.5\t"], "", Ending.DOUBTFUL),
        (["12"] * 6 + ["1"], "", Ending.WHOLE),
        (["1"] * 6 + ["0"], "", Ending.WHOLE),
        (["0.123"] * 2 + ["0.1"], "", Ending.DOUBTFUL),
        (["0.123"] * 2 + ["0.13"], "\n", Ending.WHOLE),
        (["0.123"] * 2 + ["0."], "", Ending.DOUBTFUL),
        (["0.123\t0.2"] * 2 + ["0.123\t0."], "", Ending.CUT),
        (["0.123"], "", Ending.WHOLE),
        (["0,123"] * 6 + ["0,"], "", Ending.CUT),
    ],
)
def test_when_a_last_number_counts_as_cut(numbers, end, cut):
    text = "\n".join(f"{400 + i}\t{number}" for i, number in enumerate(numbers)) + end
    assert how_it_ends(text) is cut


@pytest.mark.parametrize(
    "text", ["400 0.5", "Wavelength\tleaf\n400\t0.5\n", "Data:\nWvl\tRefl%\n400\t50"]
)
def test_a_table_of_one_line_is_told(tmp_path, text):
    """A table cut short in its first line had been a spectrum of one wavelength, without a word."""
    path = tmp_path / "a.sed"
    path.write_text(text)
    assert "one wavelength only, 400 nm" in " ".join(told(read_library(path), Code.MAYBE_DAMAGED))


def test_a_library_of_ours_that_lost_its_units_is_told(tmp_path):
    library = SpectralLibrary(("a",), [400.0, 500.0], [[0.1, 0.2]], "reflectance")
    path = write(library, tmp_path / "a.json")
    assert not told(read_library(path), Code.MAYBE_DAMAGED)
    whole = path.read_text()
    for damaged in (whole.replace('"units"', '"unit"'), whole.replace("reflectance", "rflectance")):
        path.write_text(damaged)
        assert told(read_library(path), Code.MAYBE_DAMAGED)


def test_a_file_of_usgs_that_lost_its_first_word_is_known_by_its_record(tmp_path):
    for first in ("splib07a ", ""):
        (tmp_path / "a.txt").write_text(f" {first}Record=12: Leaf\n" + "0.2561\n" * 31)
        library = read_library(tmp_path / "a.txt", wavelengths=np.linspace(400, 700, 31))
        assert (library.names, library.units) == (("Leaf",), "reflectance")


def test_a_count_of_values_that_is_no_number_is_refused(tmp_path):
    """Where its end of line was lost, the first value had been lost with it, without a word."""
    lines = "Name: a\nX Units: Wavelength (micrometers)\nY Units: Reflectance (percent)\nNumber of X Values: {}{}"
    rows = "0.5\t30.0\n0.6\t20.0\n0.7\t15.0\n"
    (tmp_path / "a.txt").write_text(lines.format("3\n\n", rows))
    assert read_library(tmp_path / "a.txt").values.shape == (1, 3)
    (tmp_path / "a.txt").write_text(lines.format("", rows))
    with pytest.raises(FileError, match=r"states 0\.5"):
        read_library(tmp_path / "a.txt")


@pytest.mark.parametrize(("column", "said"), [("Reflect. %", False), ("Reflect. [1.0]", False), ("Reflect. ", True), ("Refl", True)])  # fmt: skip
def test_a_column_of_spectral_evolution_that_lost_its_percent_is_told(tmp_path, column, said):
    path = tmp_path / "a.sed"
    path.write_text(
        f"Columns [2]:\nData:\nWvl\t{column}\n" + "".join(f"{nm}\t0.5\n" for nm in (400, 401, 402))
    )
    notices = told(read_library(path), Code.VALUES_SCALE_GUESSED)
    assert any("whether its values are percent" in one for one in notices) == said


@pytest.mark.parametrize(
    ("end", "whole"), [("0.1\n", True), ("0.1", True), ("0.", False), ("0", False)]
)
def test_a_table_of_a_camera_that_may_be_cut_in_its_last_number_is_refused(tmp_path, end, whole):
    rows = "".join(f"{nm},0.1,0.5,0.{i % 3}\n" for i, nm in enumerate(range(400, 700, 10)))
    (tmp_path / "a.csv").write_text(f"wavelength,r,g,b\n{rows}700,0.1,0.5,{end}")
    if whole:
        read_cameras(tmp_path / "a.csv")
    else:
        with pytest.raises(FileError, match="cut short in its last number"):
            read_cameras(tmp_path / "a.csv")
