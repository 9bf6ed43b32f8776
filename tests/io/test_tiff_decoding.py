"""Pictures in the strips and tiles of a TIFF: decoded as tifffile does it, and never to more than a page."""

from __future__ import annotations

import os

import imagecodecs
import numpy as np
import pytest
import tifffile

from napari_hsr.io import read
from napari_hsr.io.label_images import read_labels
from napari_hsr.io.stacks import read_stack
from napari_hsr.io.tiff import decoding as tiff_decoding

from .refusals import refused

RNG = np.random.default_rng(0)
RGB = np.kron(RNG.integers(0, 255, (10, 9, 3), dtype=np.uint8), np.ones((5, 4, 1), np.uint8))
FLOATS = RNG.random((4, 20, 18), dtype=np.float32)
TILES = {"tile": (16, 32)}
#: Of a picture of its own in a strip: tag, and how it is written.
CODECS = {
    "jpeg": (7, imagecodecs.jpeg8_encode),
    "jpeg2000": (34712, lambda values: imagecodecs.jpeg2k_encode(values, level=0)),
    "jpegxl": (50002, lambda values: imagecodecs.jpegxl_encode(values, effort=1)),
    "jpegxr": (34934, imagecodecs.jpegxr_encode),
    "png": (34933, lambda values: imagecodecs.png_encode(values, level=1)),
    "webp": (50001, lambda values: imagecodecs.webp_encode(values, lossless=True, level=0)),
}


def packed(path, content, tag, shape=(16, 16, 3)):
    """A page of that shape whose one strip is that content."""
    tifffile.imwrite(path, np.zeros(shape, np.uint8), photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages[0].tags
        tags["Compression"].overwrite(tag)
        tags["StripOffsets"].overwrite(os.path.getsize(path))
        tags["StripByteCounts"].overwrite(len(content))
    with path.open("ab") as file:
        file.write(content)
    return path


@pytest.fixture
def little_room(monkeypatch):
    """Beside its pixels, so that small pictures are too large."""
    monkeypatch.setattr(tiff_decoding, "_ROOM", 2**24)


LAYOUTS = [{}, TILES, {"rowsperstrip": 7}, {"planarconfig": "separate"}]


@pytest.mark.parametrize(
    ("codec", "layout"),  # WebP is of colours, not of planes
    [(c, one) for c in CODECS for one in LAYOUTS if c != "webp" or "planarconfig" not in one],
)
def test_pictures_are_decoded_as_by_tifffile(tmp_path, codec, layout):
    path = tmp_path / "a.tif"
    plane = np.moveaxis(RGB, -1, 0) if "planarconfig" in layout else RGB
    tifffile.imwrite(path, plane, photometric="rgb", compression=codec, **layout)
    expected = tifffile.imread(path)
    expected = np.moveaxis(expected, 0, -1) if "planarconfig" in layout else expected
    np.testing.assert_array_equal(read(path).data, expected)


def test_other_types_and_samples(tmp_path):
    for name, values, options in (
        ("lerc", FLOATS, {"compression": "lerc", "photometric": "minisblack"}),
        ("tiles", FLOATS, {"compression": "lerc", "photometric": "minisblack", **TILES}),
        ("deep", RGB.astype(np.uint16) * 257, {"compression": "jpegxl", "photometric": "rgb"}),
        ("bands", FLOATS, {"compression": "jpegxl", "photometric": "minisblack"}),
    ):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, values, **options)
        np.testing.assert_array_equal(read(path).data, tifffile.imread(path))
    clear = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    tifffile.imwrite(
        path, clear, photometric="rgb", compression="webp", extrasamples=["unassalpha"]
    )
    np.testing.assert_array_equal(read(path).data, RGB)


@pytest.mark.parametrize("codec", CODECS)
def test_a_picture_is_not_larger_than_its_strip(tmp_path, codec, little_room):
    tag, encode = CODECS[codec]
    small = packed(tmp_path / "small.tif", encode(RGB[:16, :16].copy()), tag)
    assert read(small).data.shape == (16, 16, 3)
    side = 2000 if codec == "jpeg2000" else 4000  # it takes four bytes for each
    huge = packed(tmp_path / "huge.tif", encode(np.zeros((side, side, 3), np.uint8)), tag)
    assert "damaged" in refused(huge)
    assert read(small).data.shape == (16, 16, 3)  # what refused it is at hand again


def test_bands_of_another_type_than_the_page_states_are_refused(tmp_path):
    wide = imagecodecs.png_encode(RGB[:16, :16].astype(np.uint16))
    assert "its pixels are uint16" in refused(packed(tmp_path / "a.tif", wide, 34933))
    path = packed(tmp_path / "a.tif", imagecodecs.jpeg8_encode(RGB[:16, :16].copy()), 7)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["BitsPerSample"].overwrite([16] * 3)
    assert "its pixels are uint8" in refused(path)


@pytest.mark.parametrize("shape", [(8, 32, 3), (32, 8, 3), (16, 16), (8, 16, 3)])
def test_a_picture_of_another_shape_is_refused(tmp_path, shape):
    content = imagecodecs.png_encode(np.zeros(shape, np.uint8))
    assert "its pixels are (" in refused(packed(tmp_path / "a.tif", content, 34933))


def test_a_jpeg_of_many_passes_is_refused(tmp_path):
    content = imagecodecs.jpeg8_encode(RGB[:16, :16].copy())
    start = content.index(b"\xff\xda")
    many = content[:start] + content[start:-2] * 200 + b"\xff\xd9"
    assert "passes" in refused(packed(tmp_path / "a.tif", many, 7))


def test_frames_and_labels_are_looked_after_too(tmp_path, little_room):
    _, encode = CODECS["jpegxl"]
    huge = bytes(encode(np.zeros((4000, 4000, 3), np.uint8)))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack([RGB] * 3), photometric="rgb", compression="jpegxl")
    stack = read_stack(path)
    np.testing.assert_array_equal(stack.frames.read(1).data, RGB)
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages[1].tags
        tags["StripOffsets"].overwrite(os.path.getsize(path))
        tags["StripByteCounts"].overwrite(len(huge))
    with path.open("ab") as file:
        file.write(huge)
    with pytest.raises(Exception, match="damaged"):
        stack.frames.read(1)
    labels = np.zeros((20, 18), np.uint8)
    labels[5:] = 2
    tifffile.imwrite(path, labels, compression="png", photometric="minisblack")
    np.testing.assert_array_equal(read_labels(path), labels)


def test_pictures_of_several_bytes_in_a_big_endian_file_are_refused(tmp_path):
    """libtiff swaps the bytes of what they unpack to there, and tifffile does not."""
    path = tmp_path / "a.tif"
    values = np.arange(3 * 64 * 64, dtype=np.uint16).reshape(3, 64, 64)
    tifffile.imwrite(
        path, values, byteorder=">", compression="jpeg2000", photometric="minisblack", metadata=None
    )
    assert "big-endian" in refused(path)
    tifffile.imwrite(path, values.astype(np.uint8), byteorder=">", compression="jpeg2000",
                     photometric="minisblack", metadata=None)  # fmt: skip
    np.testing.assert_array_equal(read(path).data, values.astype(np.uint8))


def test_a_description_of_a_shape_below_zero_is_refused(tmp_path):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.zeros((31, 12, 10), np.uint16), photometric="minisblack")
    content = path.read_bytes()
    assert content.count(b'{"shape": [31, 12, 10]}') == 1
    path.write_bytes(
        content.replace(b'{"shape": [31, 12, 10]}', b'{"shape":[-31,-12,10]}'.ljust(23))
    )
    assert "states a shape of -31 x -12 x 10" in refused(path)
