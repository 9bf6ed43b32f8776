"""Strips and tiles of a TIFF that contradict what a page states of its size: damaged, and never other pixels."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_hsr.errors import FileError
from napari_hsr.io import read
from napari_hsr.notices import Code

WIDTH, LENGTH, BITS, SAMPLES, OFFSETS, COUNTS, ROWS = 256, 257, 258, 277, 273, 279, 278
TILES, TILE_COUNTS = 324, 325
CUBE = np.stack(
    [np.full((40, 36), 3000 + 200 * k, "u2") + np.arange(36, dtype="u2") for k in range(8)]
)

PLANES = {"planarconfig": "separate"}
PIXELS = {"planarconfig": "contig"}
TILED = {**PLANES, "tile": (16, 16)}


def write(path, **options):
    contig = options["planarconfig"] == "contig"
    values = np.ascontiguousarray(CUBE.transpose(1, 2, 0)) if contig else CUBE
    tifffile.imwrite(path, values, photometric="minisblack", metadata=None, **options)
    return path


def place(path, code):
    """Where the entry of a tag begins, and where its values lie."""
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags[code]
        return tag.offset, tag.valueoffset


def flip(path, at, mask):
    content = bytearray(path.read_bytes())
    content[at] ^= mask
    path.write_bytes(content)


@pytest.mark.parametrize(
    "options",
    [
        PLANES,
        PIXELS,
        TILED,
        {**PLANES, "compression": "lzw"},
        {**PIXELS, "compression": "lzma"},
        {**TILED, "compression": "lzw"},
        {**PLANES, "compression": "zlib"},
    ],
)
@pytest.mark.parametrize(("code", "at", "mask"), [(BITS, 0, 4), (SAMPLES, 8, 12), (WIDTH, 8, 4)])
def test_an_entry_that_its_pixels_contradict(tmp_path, options, code, at, mask):
    path = write(tmp_path / "a.tif", **options)
    np.testing.assert_array_equal(read(path).data, CUBE)
    flip(path, place(path, code)[0] + at, mask)
    with pytest.raises(FileError, match="damaged"):
        read(path)


@pytest.mark.parametrize("options", [PLANES, PIXELS])
@pytest.mark.parametrize("where", ["directory", "values"])
def test_pixels_that_would_lie_over_the_directory(tmp_path, options, where):
    """One band had been read from the tags of the file, without a word."""
    path = write(tmp_path / "a.tif", **options)
    entry, values = place(path, OFFSETS)
    if where == "values":
        values_of = place(path, ROWS if options is PIXELS else COUNTS)
        target = values_of[1]
    else:
        target = entry
    content = bytearray(path.read_bytes())
    content[values : values + 4] = target.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(FileError, match="lie over its directory"):
        read(path)


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        (PLANES, (OFFSETS, COUNTS)),
        (TILED, (TILES, TILE_COUNTS)),
        ({**PLANES, "compression": "zlib"}, (OFFSETS, COUNTS)),
        ({**PIXELS, "rowsperstrip": 8, "compression": "zlib"}, (OFFSETS, COUNTS)),
    ],
)
@pytest.mark.parametrize("what", ["type of places", "elsewhere", "no bytes"])
def test_places_and_lengths_that_are_none(tmp_path, options, codes, what):
    path = write(tmp_path / "a.tif", **options)
    offsets, counts = codes
    if what == "type of places":
        flip(path, place(path, offsets)[0] + 2, 2)
    elif what == "elsewhere":
        flip(path, place(path, counts)[0] + 8, 2)
    else:
        content = bytearray(path.read_bytes())
        with tifffile.TiffFile(path) as file:
            tag = file.pages.first.tags[counts]
            size = tag.valuebytecount // tag.count
        content[tag.valueoffset : tag.valueoffset + size] = bytes(size)
        path.write_bytes(content)
    with pytest.raises(FileError, match="damaged"):
        read(path)


def sparse(path, **options):
    """As GDAL leaves out a tile: its place and its length are 0."""
    write(path, **TILED, **options)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        for code in (TILES, TILE_COUNTS):
            tag = file.pages.first.tags[code]
            size = tag.valuebytecount // tag.count
            content[tag.valueoffset : tag.valueoffset + size] = bytes(size)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_tiles_that_were_left_out_are_told(tmp_path, options):
    cube = read(sparse(tmp_path / "a.tif", **options))
    told = [n for n in cube.notices if n.code is Code.PARTLY_WRITTEN]
    assert "1 of the 72" in str(told[0])
    assert not np.any(cube.data[0, :16, :16])
    np.testing.assert_array_equal(cube.data[1:], CUBE[1:])


def test_they_are_missing_values_where_the_file_has_a_number_for_these(tmp_path):
    path = sparse(tmp_path / "a.tif", extratags=[(42113, "s", 0, "65535", True)])
    cube = read(path)
    assert np.isnan(cube.data[0, :16, :16]).all()
    assert np.isfinite(cube.data[1:]).all()


def longer(path, by, rows=None):
    """The same image with so many bytes more in its last strip."""
    write(path, **PIXELS, rowsperstrip=rows or 40)
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags[COUNTS]
        size = tag.valuebytecount // tag.count
        at = tag.valueoffset + tag.valuebytecount - size
        last = file.pages.first.databytecounts[-1] + by
    content = bytearray(path.read_bytes())
    content[at : at + size] = last.to_bytes(size, "little")
    path.write_bytes(content + bytes(by))
    return path


@pytest.mark.parametrize(("by", "rows"), [(12, None), (2 * 36 * 8 * 2, 7)])
def test_strips_that_were_filled_up_are_told(tmp_path, by, rows):
    """To a round size, and the last one of several as if the image went on."""
    cube = read(longer(tmp_path / "a.tif", by, rows))
    assert Code.MAYBE_DAMAGED in [n.code for n in cube.notices]
    np.testing.assert_array_equal(cube.data, CUBE)


def test_a_strip_with_rows_that_the_image_has_not(tmp_path):
    with pytest.raises(FileError, match="damaged"):
        read(longer(tmp_path / "a.tif", 36 * 8 * 2))


def test_an_odd_number_of_bytes_is_filled_up_to_an_even_one(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((3, 5, 7), np.float32), photometric="minisblack", metadata=None)
    assert [n.code for n in read(path).notices] == [Code.WAVELENGTHS_MISSING]


def test_pages_that_follow_in_one_piece_without_heads(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, CUBE, photometric="minisblack", imagej=True)
    with tifffile.TiffFile(path) as file:
        first = file.pages.first
        following, counts = first.offset + 2 + 12 * len(first.tags), first.tags[COUNTS].valueoffset
    content = bytearray(path.read_bytes())
    content[following : following + 4] = bytes(4)  # as where there are too many for heads
    content[counts : counts + 4] = CUBE.nbytes.to_bytes(
        4, (content[:2] == b"II" and "little") or "big"
    )
    path.write_bytes(content)
    cube = read(path)
    np.testing.assert_array_equal(cube.data, CUBE)
    assert Code.MAYBE_DAMAGED not in [n.code for n in cube.notices]


@pytest.mark.parametrize("at", [2, 3, 6])
def test_what_counts_in_a_page_is_in_the_file(tmp_path, at):
    """Its type is none, or it lies behind the end: libraries leave it out, and the scale with it."""
    path = write(tmp_path / "a.tif", **PLANES, extratags=[(42112, "s", 0, "<GDALMetadata/>", True)])
    flip(path, place(path, 42112)[0] + at, 64)
    with pytest.raises(FileError, match="tag 42112"):
        read(path)
