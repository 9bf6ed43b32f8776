"""Raw files of cameras, read through LibRaw; the files are DNGs made here."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest
import tifffile

from napari_hsr import read
from napari_hsr.errors import FileError
from napari_hsr.io.photographs import raw as raw_photographs
from napari_hsr.notices import Code, has

from .refusals import refused

pytest.importorskip("rawpy")
BLACK, WHITE = 512, 16383
#: XYZ to the camera, any regular matrix: it has no part in camera RGB.
MATRIX = (7139, -911, -2200, -4911, 12462, 2748, -648, 1213, 5884)
COLOURS = np.array([4000, 8000, 3000])  # of red, green and blue pixels above black


def mosaic(red, green, blue, size=(64, 96)) -> np.ndarray:
    """Cells R G / G B of one colour, with the black level."""
    cell = np.array([[red, green], [green, blue]])
    return (BLACK + np.tile(cell, (size[0] // 2, size[1] // 2))).astype(np.uint16)


def write_dng(
    path,
    cfa,
    make="NIKON CORPORATION",
    model="NIKON D700",
    neutral=(0.5, 1.0, 0.6),
    pattern=(0, 1, 1, 2),
    orientation=1,
    black=BLACK,
):
    rational = [(round(n * 10000), 10000) for n in neutral]
    matrix = [(n, 10000) for n in MATRIX]
    texts = [(tag, "s", 0, text, True) for tag, text in ((271, make), (272, model)) if text]
    tifffile.imwrite(
        path,
        cfa,
        photometric=32803,
        metadata=None,
        software=False,
        extratags=[
            *texts,
            (274, "H", 1, orientation, True),
            (33421, "H", 2, (2, 2), True),
            (33422, "B", 4, bytes(pattern), True),
            (50706, "B", 4, bytes([1, 4, 0, 0]), True),
            (50707, "B", 4, bytes([1, 1, 0, 0]), True),
            (50708, "s", 0, model or "none", True),
            (50714, "I", 1, black, True),
            (50717, "I", 1, WHITE, True),
            (50721, "2i", 9, tuple(n for pair in matrix for n in pair), True),
            (50778, "H", 1, 21, True),
            (50728, "2I", 3, tuple(n for pair in rational for n in pair), True),
        ],
    )
    return path


def test_linear_camera_rgb_with_the_white_balance_that_the_camera_noted(tmp_path):
    found = read(write_dng(tmp_path / "leaf.dng", mosaic(*COLOURS)))
    assert found.encoding == "camera:nikon-d700"
    assert found.data.dtype == np.uint16
    assert found.data.shape == (64, 96, 3)
    expected = COLOURS / (WHITE - BLACK) * [2, 1, 1 / 0.6]
    # LibRaw rounds down twice, at the factor and at the result
    np.testing.assert_allclose(found.data[20, 30] / 65535, expected, atol=2.5 / 65535)
    assert np.ptp(found.data.reshape(-1, 3), axis=0).max() == 0
    assert found.metadata["camera"] == "NIKON D700"
    assert found.metadata["white_balance"] == pytest.approx([2, 1, 1 / 0.6], rel=1e-5)
    assert found.metadata["black_level"] == [BLACK] * 4
    assert has(found.notices, Code.WHITE_BALANCE)
    assert not has(found.notices, Code.PIXELS_CLIPPED)


def test_half_size_takes_each_cell_as_a_pixel(tmp_path):
    rng = np.random.default_rng(2)
    cfa = (BLACK + rng.integers(1000, 5000, (64, 96))).astype(np.uint16)
    found = read(write_dng(tmp_path / "leaf.dng", cfa, neutral=(1, 1, 1)), half_size=True)
    assert found.data.shape == (32, 48, 3)
    values = (cfa.astype(float) - BLACK) / (WHITE - BLACK)
    green = (values[::2, 1::2] + values[1::2, ::2]) / 2
    expected = np.stack([values[::2, ::2], green, values[1::2, 1::2]], -1)
    np.testing.assert_allclose(found.data / 65535, expected, atol=2.5 / 65535)


def test_pixels_at_the_limit_are_said(tmp_path):
    cfa = mosaic(*COLOURS)
    cfa[:8] = WHITE
    found = read(write_dng(tmp_path / "leaf.dng", cfa))
    told = [n for n in found.notices if n.code == Code.PIXELS_CLIPPED]
    assert "12%" in told[0]


@pytest.mark.parametrize(
    ("make", "model", "encoding"),
    [
        ("Canon", "Canon EOS 5D Mark II", "camera:canon-eos-5d-mark-ii"),
        ("SONY", "ILCE-7M3", "camera:sony-ilce-7m3"),
        ("OLYMPUS IMAGING CORP.", "E-M5", "camera:olympus-e-m5"),
    ],
)
def test_the_camera_is_named_with_its_maker(tmp_path, make, model, encoding):
    found = read(write_dng(tmp_path / "leaf.dng", mosaic(*COLOURS), make, model))
    assert found.encoding == encoding


def test_a_camera_that_is_not_named_leaves_the_encoding_open(tmp_path):
    found = read(write_dng(tmp_path / "leaf.dng", mosaic(*COLOURS), "", ""))
    assert found.encoding is None
    assert has(found.notices, Code.ENCODING_UNKNOWN)


def test_makers_own_headers(tmp_path):
    """Olympus and Panasonic have another number in a TIFF header, Canon and Fujifilm their own."""
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((4, 4), np.uint8),
        metadata=None,
        extratags=[(271, "s", 0, "Panasonic", True), (272, "s", 0, "DMC-G1", True)],
    )
    plain = (tmp_path / "a.tif").read_bytes()
    fuji = b"FUJIFILMCCD-RAW 0201FF393101" + b"X-T3".ljust(32, b"\0")
    canon = b"\0\0\0\x18ftypcrx " + bytes(40) + b"CMT1" + plain
    for content, name in (
        (plain, "Panasonic DMC-G1"),
        (plain[:2] + b"U\0" + plain[4:], "Panasonic DMC-G1"),
        (plain[:2] + b"RO" + plain[4:], "Panasonic DMC-G1"),
        (canon, "Panasonic DMC-G1"),
        (fuji, "Fujifilm X-T3"),
        (b"II*\0\xff\xff\xff\xff", None),
    ):
        (tmp_path / "a.raw").write_bytes(content)
        assert raw_photographs.camera_name((tmp_path / "a.raw").read_bytes()) == name


def test_without_the_library_it_is_a_sentence_and_never_the_thumbnail(tmp_path, monkeypatch):
    path = write_dng(tmp_path / "leaf.nef", mosaic(*COLOURS))
    monkeypatch.setitem(sys.modules, "rawpy", None)
    assert 'pip install "napari-hsr[raw]"' in refused(path)


@pytest.mark.parametrize("size", [8, 100, 300, 2000])
def test_raw_files_that_are_cut_short(tmp_path, size):
    path = write_dng(tmp_path / "leaf.dng", mosaic(*COLOURS))
    path.write_bytes(path.read_bytes()[:size])
    refused(path)


@pytest.mark.parametrize("pattern", [(2, 1, 1, 0), (1, 0, 2, 1), (1, 2, 0, 1)])
@pytest.mark.parametrize("half_size", [False, True])
def test_other_mosaics(tmp_path, pattern, half_size):
    cell = COLOURS[list(pattern)].reshape(2, 2)
    cfa = (BLACK + np.tile(cell, (32, 48))).astype(np.uint16)
    path = write_dng(tmp_path / "leaf.dng", cfa, pattern=pattern, orientation=6)
    found = read(path, half_size=half_size)
    assert found.data.shape == ((48, 32, 3) if half_size else (96, 64, 3))  # turned upright
    expected = COLOURS / (WHITE - BLACK) * [2, 1, 1 / 0.6]
    np.testing.assert_allclose(found.data[20, 20] / 65535, expected, atol=2.5 / 65535)


def test_a_black_level_above_the_white_one_is_refused(tmp_path):
    """All of the picture would be black, without a word."""
    with pytest.raises(FileError, match="not above its black level"):
        read(write_dng(tmp_path / "leaf.dng", mosaic(*COLOURS), black=WHITE + 1))


def test_a_sensor_that_is_wholly_at_its_limit_is_said_in_words(tmp_path):
    found = read(write_dng(tmp_path / "leaf.dng", np.full((64, 96), WHITE, np.uint16)))
    clipped = next(n for n in found.notices if n.code is Code.PIXELS_CLIPPED)
    assert clipped.text.startswith("All of the sensor's pixels")


@pytest.mark.parametrize(
    ("good", "damaged", "named"),
    [
        (b"NIKON D700\0", b"NIKON D700x", "Model"),
        (b"NIKON CORPORATION\0", b"NIKON CORPORATIONS", "Make"),
        (struct.pack("<HHI", 50721, 10, 9), struct.pack("<HHI", 50721, 10, 8), "ColorMatrix1"),
        (struct.pack("<HH", 50721, 10), struct.pack("<HH", 50719, 10), "ColorMatrix1"),
        (struct.pack("<HHI", 50714, 4, 1), struct.pack("<HHI", 50714, 4, 65537), "BlackLevel"),
        (struct.pack("<HHI", 258, 3, 1), struct.pack("<HHI", 258, 3, 0x8101), "BitsPerSample"),
        (struct.pack("<HHI", 50717, 4, 1), struct.pack("<HHI", 50717, 4, 2), "WhiteLevel"),
        (struct.pack("<HHI", 50728, 5, 3), struct.pack("<HHI", 50728, 5, 2), "AsShotNeutral"),
        (b"", b"", ""),
    ],
)
def test_a_damaged_tag_that_the_colours_follow_from_is_told(tmp_path, good, damaged, named):
    path = write_dng(tmp_path / "leaf.dng", mosaic(*COLOURS))
    content = path.read_bytes()
    assert good in content
    path.write_bytes(content.replace(good, damaged, 1))
    found = [n.text for n in read(path).notices if n.code is Code.MAYBE_DAMAGED]
    assert bool(found) == bool(named)
    assert all(named in text for text in found)


def test_a_dng_whose_stated_size_is_not_that_of_its_pixels_is_told(tmp_path):
    """A third of the picture had been left out without a word."""
    path = write_dng(tmp_path / "leaf.dng", mosaic(*COLOURS))
    with tifffile.TiffFile(path) as file:
        at = file.pages[0].tags[257].valueoffset
    content = path.read_bytes()
    path.write_bytes(content[:at] + (32).to_bytes(4, "little") + content[at + 4 :])
    (told,) = (n for n in read(path).notices if n.code is Code.MAYBE_DAMAGED)
    assert "ImageLength is missing or damaged" in told


def test_a_dng_that_lost_its_version_is_told(tmp_path):
    """It was no DNG any more, and nothing was held against what one says."""
    path = write_dng(tmp_path / "leaf.dng", mosaic(*COLOURS))
    content = path.read_bytes()
    at = content.index((50706).to_bytes(2, "little"))
    path.write_bytes(content[:at] + b"\0\0" + content[at + 2 :])
    (told,) = (n for n in read(path).notices if n.code is Code.MAYBE_DAMAGED)
    assert "DNGVersion" in told


@pytest.mark.parametrize("tag", [50728, 50721, 272])
def test_a_dng_whose_values_lie_over_each_other_is_told(tmp_path, tag):
    """The white balance, the matrix or the model had been read from another value."""
    path = write_dng(tmp_path / "leaf.dng", mosaic(*COLOURS))
    assert not [n for n in read(path).notices if n.code is Code.MAYBE_DAMAGED]
    with tifffile.TiffFile(path) as file:
        entry = file.pages[0].tags[tag]
        at, place = entry.offset + 8, entry.valueoffset
    content = path.read_bytes()
    for elsewhere in (place + 8, 20):
        path.write_bytes(content[:at] + elsewhere.to_bytes(4, "little") + content[at + 4 :])
        assert any("damaged" in n for n in read(path).notices if n.code is Code.MAYBE_DAMAGED)
