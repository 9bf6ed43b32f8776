"""Numbers in texts of which a character is damaged: they are none, and what came of them is left out in words."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scipy.io import savemat

from napari_hsr import read_library
from napari_hsr.calibration.settings import exposure_ratio
from napari_hsr.cube import Cube
from napari_hsr.errors import FileError
from napari_hsr.io import read
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code

#: One entry a case stands for 400, 450 … 750.
DAMAGED = [
    "4O0",
    "40x",
    "3l0",
    "4_0",
    "7500x",
    "7e5O",
    "7.5O",
    "4?0",
    "40a",
    "4\N{ARABIC-INDIC DIGIT ZERO}0x",
]


def codes(cube):
    return [notice.code for notice in cube.notices]


def envi(tmp_path, **items):
    """An image of eight bands of 2 x 3 pixels, whose header has these items."""
    header = tmp_path / "scan.hdr"
    lines = [f"{key} = {value}" for key, value in items.items()]
    structure = "samples = 3\nlines = 2\nbands = 8\ndata type = 4\ninterleave = bsq\nbyte order = 0"
    header.write_text("\n".join(["ENVI", structure, *lines]), encoding="utf-8")
    np.full((8, 2, 3), 0.5, np.float32).tofile(tmp_path / "scan.img")
    return header


def listed(damaged, at=0, unit=""):
    texts = [f"{400 + 50 * i}{unit}" for i in range(8)]
    texts[at] = damaged
    return texts


@pytest.mark.parametrize("at", [0, 3, 7])
@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_wavelength_is_not_what_stands_before_a_damaged_character(damaged, at):
    resolved = wl.resolve(listed(damaged, at), 8, "nm")
    assert resolved.wavelengths is None
    assert [n.code for n in resolved.notices] == [Code.WAVELENGTHS_UNUSABLE]


@pytest.mark.parametrize("damaged", ["4O0", "400um"])
def test_such_a_list_in_a_header_is_told(tmp_path, damaged):
    names = f"{{{', '.join(listed(damaged))}}}"
    cube = read(envi(tmp_path, **{"wavelength": names, "wavelength units": "Nanometers"}))
    assert cube.wavelengths is None
    assert Code.WAVELENGTHS_UNUSABLE in codes(cube)


def test_such_a_list_in_matlabs_text_is_told(tmp_path):
    path = tmp_path / "scan.mat"
    savemat(path, {"cube": np.zeros((2, 3, 8)), "wavelengths": ", ".join(listed("4O0"))})
    cube = read(path)
    assert cube.wavelengths is None
    assert Code.WAVELENGTHS_UNUSABLE in codes(cube)


@pytest.mark.parametrize("widths", ["5, 5, 5, 5, 5, 5, 5, 5O", "5x, 5, 5, 5, 5, 5, 5, 5"])
def test_widths_in_a_header_are_none(tmp_path, widths):
    good = f"{{{', '.join(listed('400'))}}}"
    cube = read(envi(tmp_path, wavelength=good, fwhm=f"{{{widths}}}"))
    assert Code.LIST_UNUSABLE in codes(cube)
    assert 5.0 not in cube.metadata.get("fwhm", [])


@pytest.mark.parametrize("damaged", ["4O5 nm", "Band 1: 4l5 nm"])
def test_names_of_bands_of_which_one_is_damaged_give_none(damaged):
    assert wl.from_band_names(listed(damaged, unit=" nm")) == (None, None)
    assert wl.named_in_part(listed(damaged, unit=" nm"))


def test_ends_of_channels_are_no_centres_where_one_is_damaged():
    names = [f"{400 + 50 * i}-{410 + 50 * i} nm" for i in range(8)]
    assert wl.from_band_names(names)[0][0] == "405"
    assert wl.from_band_names(["4O0-410 nm", *names[1:]]) == (None, None)


@pytest.mark.parametrize(
    "pattern", ["wavelength: {}", '{{"wavelength": {}}}', "<Wavelength>{}</Wavelength>"]
)
@pytest.mark.parametrize("damaged", ["4O0", "O05", "40x", "40.x"])
def test_descriptions_of_pages(tmp_path, pattern, damaged):
    path = tmp_path / "a.tif"
    found = []
    for texts in (listed("400"), listed(damaged)):
        with tifffile.TiffWriter(path) as file:
            for text in texts:
                plane = np.zeros((16, 16), np.float32)
                file.write(plane, description=pattern.format(text), metadata=None)
        cube = read(path)
        found.append(None if cube.wavelengths is None else cube.wavelengths.nm[0])
    assert found == [400.0, None]


@pytest.mark.parametrize("damaged", [(0, "4O0"), (7, "75O")])
def test_a_list_in_the_description(tmp_path, damaged):
    path = tmp_path / "a.tif"
    at, text = damaged
    described = f"wavelengths (nm): {', '.join(listed(text, at))}"
    tifffile.imwrite(
        path,
        np.zeros((8, 16, 16), np.float32),
        photometric="minisblack",
        description=described,
        metadata=None,
    )
    assert read(path).wavelengths is None


@pytest.mark.parametrize("damaged", ["84O", "8O0", "O5"])
def test_what_a_camera_states_of_its_band(tmp_path, damaged):
    found = []
    for text in ("840", damaged):
        path = tmp_path / "a.tif"
        xmp = f"<x><Camera:CentralWavelength>{text}</Camera:CentralWavelength></x>".encode()
        tag = (700, "B", len(xmp), xmp, True)
        tifffile.imwrite(path, np.zeros((8, 8), np.float32), extratags=[tag], metadata=None)
        cube = read(path)
        found.append(None if cube.wavelengths is None else cube.wavelengths.nm.tolist())
    assert found == [[840.0], None]


def test_points_of_jcamp_are_all_that_stands_in_a_line(tmp_path):
    path = tmp_path / "a.jdx"
    text = (
        "##TITLE=leaf\n##JCAMP-DX=4.24\n##DATA TYPE=INFRARED SPECTRUM\n##XUNITS=NANOMETERS\n"
        "##YUNITS=REFLECTANCE\n##XYDATA=(XY..XY)\n400 0.1 450 0.2\n500 {} 550 0.4\n##END=\n"
    )
    path.write_text(text.format("0.3"))
    assert read_library(path).values[0].tolist() == [0.1, 0.2, 0.3, 0.4]
    path.write_text(text.format("O.3"))
    with pytest.raises(FileError, match="damaged"):
        read_library(path)


CGATS = (
    'CGATS.17\nSPECTRAL_NORM "{norm}"\nBEGIN_DATA_FORMAT\nSAMPLE_ID SPECTRAL_NM400 {field} '
    "SPECTRAL_NM420 SPECTRAL_NM430\nEND_DATA_FORMAT\nBEGIN_DATA\n1 10 20 30 40\nEND_DATA\n"
)


@pytest.mark.parametrize(
    ("norm", "field", "expected"),
    [("1O0", "SPECTRAL_NM410", "SPECTRAL_NORM"), ("100", "SPECTRAL_NM4l0", "SPECTRAL_NM4l0")],
)
def test_fields_and_the_norm_of_cgats(tmp_path, norm, field, expected):
    path = tmp_path / "a.txt"
    path.write_text(CGATS.format(norm=100, field="SPECTRAL_NM410"))
    assert read_library(path).values[0].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    path.write_text(CGATS.format(norm=norm, field=field))
    with pytest.raises(FileError, match=expected):
        read_library(path)


@pytest.mark.parametrize("heading", ["4O0,410,420,430", "400,4l0,420,430", "400,410,420,43O"])
@pytest.mark.parametrize("prefix", ["", "X"])
def test_a_row_of_wavelengths_of_which_one_is_damaged(tmp_path, heading, prefix):
    path = tmp_path / "a.csv"
    path.write_text(f"name,{prefix}{heading.replace(',', ',' + prefix)}\nleaf,0.1,0.2,0.3,0.4\n")
    with pytest.raises(FileError, match="damaged"):
        read_library(path)


def test_the_factor_in_a_title_of_a_library(tmp_path):
    header = tmp_path / "a.hdr"
    text = (
        "ENVI\nsamples = 3\nlines = 1\nbands = 1\ndata type = 4\ninterleave = bsq\nbyte order = 0\n"
        "file type = ENVI Spectral Library\nwavelength units = nm\nwavelength = {{400, 450, 500}}\n"
        "z plot titles = {{Wavelength, Reflectance * {}}}\n"
    )
    np.array([0.1, 0.2, 0.3], np.float32).tofile(tmp_path / "a.sli")
    header.write_text(text.format("10000"))
    assert read_library(header).values[0, 0] == pytest.approx(1e-5)
    for damaged in ("10O00", "1.0.0"):
        header.write_text(text.format(damaged))
        assert read_library(header).values[0, 0] == pytest.approx(0.1)


def test_an_exposure_time_with_a_letter_in_it_is_none():
    scan, white = (
        Cube(np.ones((2, 2, 2), np.float32), metadata={"exposure": time}) for time in ("10", "1O")
    )
    ratio, notices = exposure_ratio(scan, white, None, False)
    assert ratio == 1.0
    assert "could not be compared" in str(notices[0])


@pytest.mark.parametrize(
    ("at", "damaged", "told"),
    [
        (0, "4.0", "far from the others"),
        (7, "75e4", "far from the others"),
        (4, "60", "far from the others"),
        (5, "250", "out of order"),
        (2, "900", "out of order"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_number_that_is_another_one_than_it_was(at, damaged, told, turned):
    texts = listed(damaged, at)
    resolved = wl.resolve(texts[::-1] if turned else texts, 8, "nm")
    assert resolved.wavelengths is not None
    warned = [str(n) for n in resolved.notices if n.code is Code.MAYBE_DAMAGED]
    assert f"band {8 - at if turned else at + 1} in the file" in warned[0]
    assert told in " ".join(warned)


@pytest.mark.parametrize(
    "nm",
    [
        [400, 500, 600, 590, 700, 800],  # of two detectors that overlap in one band
        [400, 600, 800, 1000, 950, 1150, 1350],
        [443, 560, 665, 1610, 2200, 10900],  # with a thermal band
        [0.1, 0.4, 2.0, 5.0, 20.0],
    ],
)
def test_lists_that_are_odd_and_good(nm):
    resolved = wl.resolve(nm, len(nm), "nm")
    assert Code.MAYBE_DAMAGED not in [n.code for n in resolved.notices]
