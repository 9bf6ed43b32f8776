"""BMP has no sum of check: a header that contradicts itself or the file's size is told."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from napari_hsr.errors import FileError
from napari_hsr.io import read
from napari_hsr.io.photographs import bmp_header
from napari_hsr.notices import Code, has


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (24, 31, 3), np.uint8)


@pytest.fixture
def bmp(tmp_path, picture):
    path = tmp_path / "a.bmp"
    Image.fromarray(picture).save(path)
    return path


def changed(path, at, kind, value, cut=None):
    content = bytearray(path.read_bytes())
    struct.pack_into(kind, content, at, value)
    path.write_bytes(content[:cut])
    return path


def test_a_whole_one_is_read_without_a_word(bmp, picture):
    found = read(bmp)
    np.testing.assert_array_equal(found.data, picture)
    assert found.notices == ()


@pytest.mark.parametrize("size_unsaid", [False, True])
@pytest.mark.parametrize(
    ("at", "kind", "value"),
    [
        (28, "<H", 16),  # bits a pixel
        (18, "<i", 30),  # columns
        (22, "<i", 16),  # rows
        (10, "<I", 22),  # where the pixels begin
        (2, "<I", 65536),  # bytes of the file
    ],
)
def test_a_header_that_contradicts_itself_is_told(bmp, at, kind, value, size_unsaid):
    if size_unsaid:  # as some programs leave it
        changed(bmp, 34, "<I", 0)
    assert has(read(changed(bmp, at, kind, value)).notices, Code.MAYBE_DAMAGED)


@pytest.mark.parametrize("lost", [1, 2, 500])
def test_a_file_that_is_shorter_than_its_pixels_is_refused(bmp, lost):
    with pytest.raises(FileError, match="cut short"):
        read(changed(bmp, 6, "<H", 0, cut=-lost))


@pytest.mark.parametrize("stated", [0, 1000])
def test_programs_that_state_no_size_and_pad_the_file_are_not_doubted(bmp, stated):
    changed(bmp, 34, "<I", 0)
    whole = bmp.stat().st_size
    bmp.write_bytes(bmp.read_bytes() + bytes(2))
    assert not has(read(changed(bmp, 2, "<I", whole + 2)).notices, Code.MAYBE_DAMAGED)
    assert not has(read(changed(bmp, 2, "<I", stated)).notices, Code.MAYBE_DAMAGED)


@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_other_depths_are_read_without_a_word(tmp_path, picture, mode):
    image = Image.fromarray(picture)
    image = image.quantize(16) if mode == "P" else image.convert("RGBA")
    image.save(tmp_path / "b.bmp")
    assert not has(read(tmp_path / "b.bmp").notices, Code.MAYBE_DAMAGED)


def test_an_old_header_is_read_without_a_word(tmp_path, picture):
    rows = b"".join(row[:, ::-1].tobytes() + bytes(-93 % 4) for row in picture[::-1])
    head = struct.pack("<2sI4xIIHHHH", b"BM", 26 + len(rows), 26, 12, 31, 24, 1, 24)
    (tmp_path / "c.bmp").write_bytes(head + rows)
    found = read(tmp_path / "c.bmp")
    np.testing.assert_array_equal(found.data, picture)
    assert found.notices == ()


def test_a_table_of_colours_that_reaches_into_the_pixels_is_told(tmp_path):
    path = tmp_path / "a.bmp"
    few = Image.fromarray(np.arange(120, dtype=np.uint8).reshape(12, 10) % 16).convert("P")
    few.putpalette(bytes(range(48)))
    few.save(path)
    assert not has(read(path).notices, Code.MAYBE_DAMAGED)
    changed(path, 46, "<I", 0)  # as many as 8 bits can count
    assert has(read(path).notices, Code.MAYBE_DAMAGED)


def test_runs_of_pixels_of_other_bits_are_told(bmp):
    """Decoders that find what they take for runs give other colours."""
    content = bytearray(bmp.read_bytes())
    assert bmp_header.check(bmp, bytes(content)) == ()
    struct.pack_into("<I", content, 30, 2)
    assert has(bmp_header.check(bmp, bytes(content)), Code.MAYBE_DAMAGED)


@pytest.mark.parametrize(("end", "said"), [(b"\0\1", False), (b"\0\1\0\0", False), (b"", True)])
def test_packed_pixels_that_do_not_end_as_such_are_told(tmp_path, end, said):
    """One bit of its compression, and plain pixels had been unpacked to others without a word."""
    path = tmp_path / "a.bmp"
    Image.fromarray(np.full((4, 8), 7, np.uint8)).convert("P").save(path)
    content = bytearray(path.read_bytes())
    (offset,) = struct.unpack_from("<I", content, 10)
    pixels = b"\x08\x07\0\0" * 4 + end  # runs of eight pixels, and the end of each line
    struct.pack_into("<II", content, 30, 1, len(pixels))
    path.write_bytes(content[:offset] + pixels)
    told = " ".join(map(str, bmp_header.check(path, path.read_bytes())))
    assert ("do not end as packed ones do" in told) == said
