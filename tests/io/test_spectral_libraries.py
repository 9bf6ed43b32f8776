"""Spectral libraries of instruments, collections and tables; their files are made here."""

from __future__ import annotations

import struct
import zipfile

import numpy as np
import pytest

import napari_hsr
from napari_hsr import spectra
from napari_hsr.errors import FileError, InputError
from napari_hsr.io.libraries import join, read_library, tables
from napari_hsr.notices import Code, has
from napari_hsr.spectral_library import SpectralLibrary

NM = np.array([400.0, 450.5, 500.0, 620.25])
VALUES = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.25, np.nan, 0.125]])


def library(**changes) -> SpectralLibrary:
    facts = {"names": ("leaf", "soil, dry"), "units": "reflectance", "name": "field"}
    return SpectralLibrary(wavelengths_nm=NM, values=VALUES, **{**facts, **changes})


def refused(path, **stated) -> str:
    with pytest.raises(FileError) as fault:
        napari_hsr.read_library(path, **stated)
    text = str(fault.value)
    assert path.name in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("suffix", [".csv", ".sli", ".json"])
def test_what_is_written_is_read_again(tmp_path, suffix):
    path = tmp_path / f"field{suffix}"
    napari_hsr.write(library(), path)
    found = napari_hsr.read_library(path)
    np.testing.assert_array_equal(found.values, VALUES)
    np.testing.assert_array_equal(found.wavelengths_nm, NM)
    assert found.units == "reflectance"
    assert found.names == ("leaf", "soil; dry" if suffix == ".sli" else "soil, dry")
    assert not has(found.notices, Code.VALUES_SCALE_GUESSED, Code.WAVELENGTH_UNIT_GUESSED)


def test_spectra_written_by_the_panel_are_read_without_their_deviations(tmp_path):
    from napari_hsr.spectra import Curve, write_csv

    curves = [
        Curve("leaf", VALUES[0], VALUES[0] / 10, 9, NM, "reflectance"),
        Curve("pixel", VALUES[1], None, 1, NM, "reflectance"),
    ]
    found = napari_hsr.read_library(write_csv(curves, tmp_path / "spectra.csv"))
    assert found.names == ("leaf", "pixel")
    np.testing.assert_array_equal(found.values, VALUES)
    assert has(found.notices, Code.OTHER_ARRAYS_LEFT_OUT)


# --- tables ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Wavelength (nm),a,b\n400,0.1,0.5\n450,0.2,0.6\n500,0.3,0.7\n", ("a", "b")),
        ("a\twvl_nm\tb\n0.1\t400\t0.5\n0.2\t450\t0.6\n0.3\t500\t0.7\n", ("a", "b")),
        ("lambda [µm];a;b\n0,4;0,1;0,5\n0,45;0,2;0,6\n0,5;0,3;0,7\n", ("a", "b")),
        ("400 0.1 0.5\n450 0.2 0.6\n500 0.3 0.7\n", ("spectrum 1", "spectrum 2")),
        ("name,400,450,500\na,0.1,0.2,0.3\nb,0.5,0.6,0.7\n", ("a", "b")),
        ("id;X400;X450;X500\n1;0,1;0,2;0,3\n2;0,5;0,6;0,7\n", ("1", "2")),
        ("name,500,450,400\na,0.3,0.2,0.1\nb,0.7,0.6,0.5\n", ("a", "b")),
        ("Wavenumber (cm-1),a,b\n20000,0.3,0.7\n22222.222222,.2,.6\n25000,0.1,0.5\n", ("a", "b")),
        ("band,nm,a,b\n1,400,0.1,0.5\n2,450,0.2,0.6\n3,500,0.3,0.7\n", ("a", "b")),
    ],
)
def test_tables_of_columns_and_of_rows(tmp_path, text, names):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    found = napari_hsr.read_library(path)
    np.testing.assert_allclose(found.wavelengths_nm, [400, 450, 500], atol=1e-5)
    np.testing.assert_allclose(found.values, [[0.1, 0.2, 0.3], [0.5, 0.6, 0.7]])
    assert found.names == names


def test_the_scale_is_guessed_with_a_notice_and_can_be_stated(tmp_path):
    path = tmp_path / "percent.csv"
    path.write_text("nm,a\n400,10\n450,55\n500,90\n")
    found = napari_hsr.read_library(path)
    np.testing.assert_allclose(found["a"], [0.1, 0.55, 0.9])
    assert has(found.notices, Code.VALUES_SCALE_GUESSED)
    kept = napari_hsr.read_library(path, scale=1)
    np.testing.assert_array_equal(kept["a"], [10, 55, 90])
    assert not has(kept.notices, Code.VALUES_SCALE_GUESSED)
    stated = tmp_path / "stated.csv"
    stated.write_text("nm,a [%]\n400,10\n450,55\n500,90\n")
    found = napari_hsr.read_library(stated)
    np.testing.assert_allclose(found[0], [0.1, 0.55, 0.9])
    assert has(found.notices, Code.SCALE_APPLIED)


@pytest.mark.parametrize("values", [(1000, 5500, 40000), (0.4, 1.1, 2.6)])
def test_values_of_no_known_scale_are_kept(tmp_path, values):
    path = tmp_path / "of something.csv"
    path.write_text(
        "nm,a\n" + "".join(f"{nm},{v}\n" for nm, v in zip((400, 450, 500), values, strict=True))
    )
    found = napari_hsr.read_library(path)
    np.testing.assert_array_equal(found["a"], values)
    assert has(found.notices, Code.VALUES_SCALE_GUESSED)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("only words\nand more of them\n", "table"),
        ("nm,a\n400,0.1\n450,bad\n500,0.3\n", "line 3.*'bad'"),
        ("nm,a,b\n400,0.1,0.2\n450,0.1\n500,0.3,0.3\n", "line 3.*2 cells.*3"),
        ("height,a\n5,0.1\n3,0.2\n4,0.3\n", "wavelengths"),
        ("nm,a\n400,\n450,\n500,\n", "finite"),
        ("nm,a\n-400,1\n450,1\n500,1\n", "positive"),
    ],
)
def test_tables_that_are_none(tmp_path, text, said):
    path = tmp_path / "table.csv"
    path.write_text(text)
    import re

    assert re.search(said, refused(path))


def test_binary_data_are_no_library(tmp_path):
    path = tmp_path / "noise.csv"
    path.write_bytes(bytes(range(256)) * 4)
    assert "binary" in refused(path)


# --- field spectrometers -----------------------------------------------------------------------


def asd(spectrum, reference=None, kind=1, first=350.0, step=1.0) -> bytes:
    """A file of version 7, by the published layout."""
    header = bytearray(484)
    header[:3] = b"as7"
    header[186], header[199] = kind, 2
    struct.pack_into("<ff", header, 191, first, step)
    struct.pack_into("<H", header, 204, len(spectrum))
    content = bytes(header) + np.asarray(spectrum, "<f8").tobytes()
    if reference is not None:
        note = b"panel 3"
        content += struct.pack("<hddH", -1, 1.0, 2.0, len(note)) + note
        content += np.asarray(reference, "<f8").tobytes()
    return content


def test_asd_reflectance_is_the_spectrum_over_its_reference(tmp_path):
    path = tmp_path / "soil.asd"
    path.write_bytes(asd([10, 20, 30, 5], [100, 50, 40, 0]))
    found = napari_hsr.read_library(path)
    np.testing.assert_array_equal(found["soil"], [0.1, 0.4, 0.75, np.nan])
    np.testing.assert_array_equal(found.wavelengths_nm, [350, 351, 352, 353])
    assert found.units == "reflectance"
    counts = napari_hsr.read_library(path, column="counts")
    np.testing.assert_array_equal(counts["soil"], [10, 20, 30, 5])


def test_asd_reflectance_without_a_reference_is_told(tmp_path):
    path = tmp_path / "soil.asd"
    path.write_bytes(asd([10, 20, 30, 5]))
    told = " ".join(napari_hsr.read_library(path).notices)
    assert "no white reference" in told


def test_asd_radiance_stays_what_it_is(tmp_path):
    path = tmp_path / "sky.asd"
    path.write_bytes(asd([10, 20, 30, 5], kind=2))
    found = napari_hsr.read_library(path)
    np.testing.assert_array_equal(found["sky"], [10, 20, 30, 5])
    assert found.units == "W m-2 sr-1 nm-1"


def test_asd_cut_short_or_damaged(tmp_path):
    path = tmp_path / "soil.asd"
    whole = asd([10, 20, 30, 5], [100, 50, 40, 8])
    for size in (300, 500, len(whole) - 3):
        path.write_bytes(whole[:size])
        refused(path)
    path.write_bytes(asd([1, 2, 3], first=-1))
    assert "damaged" in refused(path)


SED = (
    "Comment:\nVersion: 2.3\nInstrument: SR-2500\nUnits: W/m^2/sr/nm\nChannels: 3\n"
    "Columns [4]:\nData:\nWvl\tRad. (Ref.)\tRad. (Target)\tTgt./Ref. %\n"
    " 350.0\t2.0E-002\t1.0E-002\t50.0\n 351.0\t2.0E-002\t5.0E-003\t25.0\n"
    " 352.0\t4.0E-002\t1.0E-002\t25.0\n"
)


def test_spectral_evolution(tmp_path):
    path = tmp_path / "field.sed"
    path.write_text(SED)
    found = napari_hsr.read_library(path)
    np.testing.assert_allclose(found["field"], [0.5, 0.25, 0.25])
    assert found.units == "reflectance"
    target = napari_hsr.read_library(path, column="target")
    np.testing.assert_allclose(target[0], [0.01, 0.005, 0.01])
    assert target.units == "W/m^2/sr/nm"
    path.write_text(SED.replace("Channels: 3", "Channels: 2151"))
    assert "2151" in refused(path)
    assert "Tgt./Ref. %" in refused_column(path, tmp_path)


def refused_column(path, tmp_path) -> str:
    path.write_text(SED)
    return refused(path, column="irradiance")


def test_svc_sorts_overlapping_detectors(tmp_path):
    path = tmp_path / "leaf.sig"
    path.write_text(
        "/*** Spectra Vista SIG Data ***/\nname= leaf.sig\nunits= Radiance, Radiance\ndata= \n"
        "338.5  200.0  10.0  5.00\n990.0  200.0  100.0  50.00\n1010.0  100.0  40.0  40.00\n"
        "1000.0  100.0  30.0  30.00\n1020.0  100.0  20.0  20.00\n"
    )
    found = napari_hsr.read_library(path)
    np.testing.assert_array_equal(found.wavelengths_nm, [338.5, 990, 1000, 1010, 1020])
    np.testing.assert_allclose(found["leaf"], [0.05, 0.5, 0.3, 0.4, 0.2])
    assert has(found.notices, Code.WAVELENGTHS_REORDERED)


# --- collections -------------------------------------------------------------------------------

ECOSTRESS = (
    "Name: Pale loam\nType: soil\nX Units: Wavelength (micrometers)\n"
    "Y Units:Reflectance (percent)\nNumber of X Values: 3\n\n2.5\t30.0\n1.0\t20.0\n0.4\t1.5\n"
)


def test_ecostress(tmp_path):
    path = tmp_path / "soil.txt"
    path.write_text(ECOSTRESS)
    found = napari_hsr.read_library(path)
    np.testing.assert_array_equal(found.wavelengths_nm, [400, 1000, 2500])
    np.testing.assert_allclose(found["Pale loam"], [0.015, 0.2, 0.3])
    assert found.metadata["type"] == "soil"
    path.write_text(ECOSTRESS.replace("2.5\t30.0\n", ""))
    assert "cut short" in refused(path)


def test_usgs_takes_the_wavelengths_of_the_folder_above(tmp_path):
    (tmp_path / "ChapterM").mkdir()
    path = tmp_path / "ChapterM" / "acmite.txt"
    path.write_text(" splib07a Record=16: Acmite NMNH133746\n 0.25\n -1.2300000e+34\n 0.75\n")
    assert "Wavelengths" in refused(path)
    grid = tmp_path / "splib07a_Wavelengths_3ch.txt"
    grid.write_text(" splib07a Wavelengths 0.35-2.5 microns 3 ch\n 0.35\n 1.0\n 2.5\n")
    found = napari_hsr.read_library(path)
    np.testing.assert_array_equal(found["Acmite NMNH133746"], [0.25, np.nan, 0.75])
    np.testing.assert_array_equal(found.wavelengths_nm, [350, 1000, 2500])
    assert has(found.notices, Code.NO_DATA)
    by_hand = napari_hsr.read_library(path, wavelengths=[350, 1000, 2500])
    np.testing.assert_array_equal(by_hand.values, found.values)


def test_envi_states_its_scale_in_the_title(tmp_path):
    (tmp_path / "urban.sli").write_bytes(np.array([[1000, 2000], [3000, 9999]], ">i2").tobytes())
    header = tmp_path / "urban.hdr"
    text = (
        "ENVI\nsamples = 2\nlines = 2\nbands = 1\nheader offset = 0\nbyte order = 1\n"
        "file type = ENVI Spectral Library\ndata type = 2\ninterleave = bsq\n"
        "wavelength units = Micrometers\nz plot titles = {wavelength, reflectance [*10000]}\n"
        "data ignore value = 9999\nspectra names = {\n tile 1,\n tile 2}\n"
        "fwhm = {0.01, 0.02}\nwavelength = {0.5, 0.4}\n"
    )
    header.write_text(text)
    for path in (header, tmp_path / "urban.sli"):
        found = napari_hsr.read_library(path)
        np.testing.assert_allclose(found.values, [[0.2, 0.1], [np.nan, 0.3]])
        assert found.names == ("tile 1", "tile 2")
        assert found.metadata["fwhm"] == [20.0, 10.0]
    header.write_text(text.replace("lines = 2", "lines = 3"))
    assert "3 spectra" in refused(header)
    header.write_text(text.replace(" tile 1,\n", ""))
    assert "1 names" in refused(header)
    header.write_text(text.replace("Spectral Library", "Standard"))
    assert "image" in refused(header)


# --- the library itself ------------------------------------------------------------------------


def test_a_folder_of_spectra_is_one_library(tmp_path):
    for name, value in (("a", 0.25), ("b", 0.5)):
        (tmp_path / f"{name}.csv").write_text(f"nm,{name}\n400,{value}\n500,{value}\n")
    found = napari_hsr.read_library(tmp_path)
    assert found.names == ("a", "b")
    np.testing.assert_array_equal(found.values, [[0.25, 0.25], [0.5, 0.5]])
    (tmp_path / "c.csv").write_text("nm,c\n400,1\n501,1\n")
    with pytest.raises(InputError, match="501"):
        napari_hsr.read_library(tmp_path)


def test_spectra_of_one_name_are_numbered_when_files_are_joined():
    assert join([library(), library(), library()]).names[::2] == ("leaf", "leaf (2)", "leaf (3)")


def test_a_name_of_several_spectra_does_not_say_which():
    """The first of them had been taken."""
    twice = SpectralLibrary(("leaf", "soil", "leaf"), (400, 500), np.arange(6).reshape(3, 2))
    with pytest.raises(InputError, match=r"2 spectra .* 'leaf \(1\)' to 'leaf \(2\)'"):
        twice.chosen(["soil", "leaf"])
    found = twice.chosen(["leaf (2)", "leaf (1)"])
    np.testing.assert_array_equal(found.values, twice.values[[2, 0]])
    for wrong in ("leaf (3)", "leaf (0)", "soil (1)"):
        with pytest.raises(InputError, match="no spectrum called"):
            twice.chosen([wrong])


def test_joining_refuses_other_units():
    with pytest.raises(InputError, match="counts"):
        join([library(), library(units="counts")])


def test_normalised():
    found = library()
    np.testing.assert_allclose(found.normalised("max").values[0], VALUES[0] / 0.4)
    np.testing.assert_allclose(found.normalised("vector").values[0], VALUES[0] / np.sqrt(0.3))
    area = 0.15 * 50.5 + 0.25 * 49.5 + 0.35 * 120.25
    np.testing.assert_allclose(found.normalised("area").values[0], VALUES[0] / area)
    with pytest.raises(InputError, match="mean"):
        found.normalised("mean")


def test_missing_values_have_no_part_in_an_area():
    """They had counted as zeros: a flat spectrum with a gap was no longer one."""
    nm = np.arange(400.0, 501.0, 10.0)
    flat = np.full((2, nm.size), 2.0)
    flat[1, 4:7] = np.nan
    made = SpectralLibrary(("whole", "with a gap"), nm, flat).normalised("area").values
    np.testing.assert_allclose(made[0], 1 / 100)
    np.testing.assert_allclose(made[1][np.isfinite(flat[1])], 1 / 100)


def test_a_library_is_frozen_and_its_sizes_fit():
    found = library()
    with pytest.raises(ValueError, match="read-only"):
        found.values[0, 0] = 1
    with pytest.raises(InputError, match="2 x 4"):
        library(names=("one",))
    with pytest.raises(KeyError):
        found["moss"]
    assert len(found) == 2
    assert dict(found)["leaf"].tolist() == VALUES[0].tolist()


def test_a_text_of_any_length_is_not_looked_through_for_a_table(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("p,1,1,1\n" * 30)
    monkeypatch.setattr(tables, "_MOST_LINES", 29)
    with pytest.raises(FileError, match="30 lines"):
        read_library(path)
    monkeypatch.setattr(tables, "_MOST_LINES", 10**6)
    monkeypatch.setattr(tables, "_MOST_ABOVE", 2)
    path.write_text("about\n" * 3 + "400,1\n410,2\n420,3\n")
    with pytest.raises(FileError, match="a table of spectra was expected"):
        read_library(path)
    path.write_text("about\n" + "400,1\n410,2\n420,3\n")
    assert read_library(path).wavelengths_nm.tolist() == [400, 410, 420]


GRID, ONE = [400.0, 500.0, 600.0, 700.0], [0.125, 0.25, 0.5, 0.75]


def _lines(pattern, *columns):
    return "".join(pattern.format(*row) for row in zip(*columns, strict=True))


@pytest.mark.parametrize(
    ("text", "units"),
    [
        # Avantes: names, and units below them
        ("Wave   ;Sample   ;Dark     ;Reflectance\n[nm]   ;[counts] ;[counts] ;[%]\n\n"
         + _lines("{0};9;1;{1}\n", GRID, [100 * v for v in ONE]), "reflectance"),
        # Spectral Evolution, with counts beside the quotient
        ("Chan.#\tWvl\tNorm. DN (Ref.)\tNorm. DN (Target)\tReflect. %\n"
         + _lines("{0}\t{1}\t9\t8\t{2}\n", range(4), GRID, [100 * v for v in ONE]), "reflectance"),
        # Ocean Optics, whose tables end with a line of text
        (">>>>>Begin Processed Spectral Data<<<<<\n" + _lines("{0}\t{1}\n", GRID, ONE)
         + ">>>>>End Processed Spectral Data<<<<<\n", None),
        ("Wavelength,Reflectance\n(um),(%)\n"
         + _lines("{0},{1}\n", [v / 1000 for v in GRID], [100 * v for v in ONE]), "reflectance"),
        ("wavelength,mean,std\n" + _lines("{0},{1},0.01\n", GRID, ONE), None),
        ("sample,Wave_400,Wave_500,Wave_600,Wave_700\ns," + ",".join(map(str, ONE)), None),
        ("".join(f"{1e7 / nm:.6f},{v}\n" for nm, v in zip([2500, 5000, 10000, 16000], ONE, strict=True)), None),
    ],
    ids=["avantes", "sed", "ocean optics", "units below", "deviations", "names", "wavenumbers"],
)  # fmt: skip
def test_tables_of_spectrometers(tmp_path, text, units):
    (tmp_path / "a.csv").write_text(text)
    found = read_library(tmp_path / "a.csv")
    np.testing.assert_allclose(found.values, [ONE])
    assert found.units == units
    expected = [2500, 5000, 10000, 16000] if text[0].isdigit() else GRID
    np.testing.assert_allclose(found.wavelengths.nm, expected)


@pytest.mark.parametrize(
    ("heading", "units"),
    [("Irradiance (uW/cm2/nm)", "uW/cm2/nm"), ("counts", "counts"), ("log(1/R)", "log(1/r)")],
)
def test_what_a_heading_calls_otherwise_is_no_reflectance_in_percent(tmp_path, heading, units):
    (tmp_path / "a.csv").write_text(
        f"wavelength,{heading}\n" + _lines("{0},{1}\n", GRID, [20, 30, 40, 50])
    )
    found = read_library(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.values, [[20, 30, 40, 50]])
    assert found.units == units


def test_what_else_is_said_of_spectra_in_rows(tmp_path):
    grid = [str(nm) for nm in range(400, 700, 50)]
    about = "id,species,date,lat,lon,plot,leaf,chl,n"
    row = "1,oak,2020-01-01,52.5,13.1,4,3,40.2,2.1," + ",".join(["0.5"] * 6)
    (tmp_path / "a.csv").write_text(f"{about},{','.join(grid)}\n{row}\n")
    found = read_library(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.values, [[0.5] * 6])


@pytest.mark.parametrize("names", ["R1,R2,R3", "b1,b2,b3", "2018,2019,2020"])
def test_numbers_of_columns_are_no_wavelengths(tmp_path, names):
    (tmp_path / "a.csv").write_text(
        f"wavelength,{names}\n" + _lines("{0},{1},{1},{1}\n", GRID, ONE)
    )
    found = read_library(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.values, [ONE] * 3)
    np.testing.assert_array_equal(found.wavelengths.nm, GRID)


@pytest.mark.parametrize("shift", [0, 5])
def test_a_column_of_wavelengths_beside_each_spectrum(tmp_path, shift):
    text = "Wavelength (nm)\tA\tWavelength (nm)\tB\n"
    text += _lines("{0}\t{1}\t{2}\t{1}\n", GRID, ONE, [nm + shift for nm in GRID])
    (tmp_path / "a.txt").write_text(text)
    if shift:
        assert "2 columns of wavelengths differ" in refused(tmp_path / "a.txt")
        found = read_library(tmp_path / "a.txt", column="B")
        np.testing.assert_array_equal(found.wavelengths.nm, np.array(GRID) + shift)
    else:
        assert read_library(tmp_path / "a.txt").names == ("A", "B")


def test_a_spreadsheet_is_refused_in_words(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as file:
        file.writestr("[Content_Types].xml", "<Types/>")
    assert "spreadsheet" in refused(tmp_path / "a.xlsx")


def test_a_column_that_repeats_the_wavelengths_is_no_spectrum(tmp_path):
    rows = "\n".join(f"{nm},{nm / 1000},{nm},{nm / 2000}" for nm in (400, 450, 500))
    (tmp_path / "a.csv").write_text(f"leaf_x,leaf,soil_x,soil\n{rows}\n")
    library = read_library(tmp_path / "a.csv")
    assert library.names == ("leaf", "soil")
    np.testing.assert_allclose(library.values, [[0.4, 0.45, 0.5], [0.2, 0.225, 0.25]])


def test_a_typographic_minus_is_a_minus(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("nm;a;b\n400;\u22120,1;0,2\n500;0,3;\u22120,4\n600;0,5;0,6\n", encoding="utf-8")
    found = read_library(path)
    assert found.wavelengths.nm.tolist() == [400, 500, 600]
    np.testing.assert_allclose(found.values, [[-0.1, 0.3, 0.5], [0.2, -0.4, 0.6]])


@pytest.mark.parametrize("row", ["400,0.l,0.2", "400,0.1,0..2", "4O0,0.1,0.2", "400nm?,0.1,0.2"])
@pytest.mark.parametrize("heading", ["", "nm,a,b\n"])
def test_a_damaged_first_row_is_no_heading(tmp_path, heading, row):
    path = tmp_path / "a.csv"
    path.write_text(f"{heading}{row}\n410,0.3,0.4\n420,0.5,0.6\n430,0.5,0.6\n")
    with pytest.raises(FileError, match=f"line {1 + bool(heading)} is damaged: '"):
        read_library(path)


@pytest.mark.parametrize("heading", ["nm,1,2", "wavelength,leaf,soil", "1,leaf,2nd", "0,a,b"])
def test_headings_with_numbers_in_them_are_headings(tmp_path, heading):
    path = tmp_path / "a.csv"
    path.write_text(f"{heading}\n400,0.1,0.2\n410,0.3,0.4\n420,0.5,0.6\n430,0.5,0.6\n")
    assert read_library(path).wavelengths.nm.tolist() == [400, 410, 420, 430]


@pytest.mark.parametrize(
    ("heading", "factor"),
    [
        ("Spectralon 99%,Spectralon 5%", 1),
        ("soil 20 % water,50 percent grey", 1),
        ("grey 50% [reflectance],black [reflectance]", 1),
        ("a (%),b (%)", 0.01),
        ("Reflectance %,Reflectance % 2", 0.01),
    ],
)
def test_shares_in_names_are_no_unit(tmp_path, heading, factor):
    path = tmp_path / "a.csv"
    path.write_text(f"wavelength_nm,{heading}\n500,0.9,0.05\n600,0.8,0.04\n")
    found = read_library(path)
    np.testing.assert_allclose(found.values, np.array([[0.9, 0.8], [0.05, 0.04]]) * factor)
    # fractions below a heading of percent are doubtful
    doubted = [n for n in found.notices if n.code is Code.SCALE_APPLIED]
    assert [n.severity.value for n in doubted] == ["warning"] * (factor != 1)


def test_shares_in_names_and_large_values_are_percent(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("wavelength_nm,sample 1 %,sample 2 %\n500,90,3\n600,80,4\n")
    np.testing.assert_allclose(read_library(path).values, [[0.9, 0.8], [0.03, 0.04]])


@pytest.mark.parametrize("units", ["reflectance", None])
def test_names_of_percent_survive_csv(tmp_path, units):
    written = library(names=("a (%)", "b percent"), units=units)
    found = read_library(napari_hsr.write(written, tmp_path / "a.csv"))
    np.testing.assert_allclose(found.values, written.values)
    assert found.units == units


def test_bad_bands_say_nothing_of_the_scale(tmp_path):
    """One value of 77 in a table of fractions had made percent of all of them."""
    nm = np.linspace(400, 700, 31)
    values = 0.4 + 0.3 * np.sin(nm / 50)
    bad = values.copy()
    bad[7] = 77
    path = tmp_path / "wide.csv"
    for units in (None, "reflectance"):
        cube = napari_hsr.Cube(np.stack([bad, values], 1)[:, None], nm, units=units)
        spectra.write_csv([spectra.pixel(cube, 0, 0), spectra.pixel(cube, 0, 1)], path)
        found = napari_hsr.read_library(path)
        np.testing.assert_allclose(found.values, [bad, values], rtol=1e-6)
        (told,) = found.notices
        assert told.code is Code.VALUES_SCALE_GUESSED
        assert "77 in 1 of 31 bands" in told
    # a peak of percent is none of these: values rise to it and fall
    water = 5.9 * np.exp(-(((nm - 480) / 25) ** 2)) + 0.3
    napari_hsr.write(SpectralLibrary(("water",), nm, water[None], "reflectance"), path)
    np.testing.assert_allclose(napari_hsr.read_library(path).values[0], water / 100)


@pytest.mark.parametrize(
    ("stated", "told"), [("W/m2/sr/nm", True), ("Reflectance", False), ("DN", False), ("", False)]
)
def test_a_unit_that_contradicts_the_scale_factor_of_an_envi_library_is_told(
    tmp_path, stated, told
):
    """As for an image: values that were divided had been called radiance without a word."""
    (tmp_path / "a.hdr").write_text(
        "ENVI\nfile type = ENVI Spectral Library\nsamples = 2\nlines = 1\nbands = 1\ndata type = 2\n"
        "interleave = bsq\nbyte order = 0\nwavelength units = Nanometers\nwavelength = {500, 600}\n"
        f"reflectance scale factor = 10000\ndata units = {stated}\n"
    )
    (tmp_path / "a.sli").write_bytes(np.array([[1000, 2000]], "<i2").tobytes())
    library = read_library(tmp_path / "a.sli")
    assert any("contradict each other" in notice for notice in library.notices) == told


def test_a_first_row_with_a_cell_too_many_is_not_passed_over(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("wavelength,a,b\n400,0.5,0,2\n410,0.5,0.2\n420,0.4,0.2\n430,0.3,0.1\n")
    with pytest.raises(FileError, match="line 2 is damaged: 4 cells where 3 were expected"):
        read_library(path)
