"""Photographs of 10, 12 or 14 bits, and pictures that lie on their side."""

from __future__ import annotations

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_hsr import read
from napari_hsr.errors import FileError, InputError
from napari_hsr.notices import Code, has

RNG = np.random.default_rng(0)


def photo(bits=16, size=(6, 8)):
    values = RNG.integers(0, 2**bits, (*size, 3)).astype(np.uint16)
    values[0, 0] = 2**bits - 1
    return values


def png(path, values, *chunks):
    content = bytes(imagecodecs.png_encode(values))
    head, rest = content[:33], content[33:]
    for kind, data in chunks:
        crc = zlib.crc32(kind + data)
        head += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)
    path.write_bytes(head + rest)
    return path


@pytest.mark.parametrize("bits", [10, 12, 14])
class TestDepth:
    def test_bits_in_a_larger_container_are_questioned(self, tmp_path, bits):
        found = read(png(tmp_path / "a.png", photo(bits)))
        (notice,) = [n for n in found.notices if n.code == Code.FULL_SCALE_DOUBTFUL]
        assert f"{2**bits - 1}" in notice

    def test_the_full_scale_can_be_stated(self, tmp_path, bits):
        values = photo(bits)
        for path in (png(tmp_path / "a.png", values), tmp_path / "a.tif"):
            if path.suffix == ".tif":
                tifffile.imwrite(path, values, photometric="rgb")
            found = read(path, full_scale=2**bits - 1)
            expected = values.astype(float) / (2**bits - 1)
            np.testing.assert_allclose(found.data / 65535, expected, atol=1e-5)
            assert has(found.notices, Code.FULL_SCALE_APPLIED)

    def test_what_a_png_states_of_its_bits_counts(self, tmp_path, bits):
        values = photo(bits)
        found = read(png(tmp_path / "a.png", values, (b"sBIT", bytes([bits] * 3))))
        np.testing.assert_allclose(found.data / 65535, values / (2**bits - 1), atol=1e-5)
        spread = (values.astype(np.uint32) << (16 - bits)).astype(np.uint16)  # as PNG asks
        found = read(png(tmp_path / "b.png", spread, (b"sBIT", bytes([bits] * 3))))
        np.testing.assert_array_equal(found.data, spread)

    def test_packed_samples_of_a_tiff(self, tmp_path, bits):
        """Written as cameras do: rows of samples without gaps, the first bit highest."""
        values = photo(bits, (6, 8))
        packed = b"".join(
            np.packbits(
                (row.ravel()[:, None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)
            ).tobytes()
            for row in values
        )
        path = tmp_path / "a.tif"
        self.repack(path, packed, bits, values.shape)
        found = read(path)
        np.testing.assert_allclose(found.data / 65535, values / (2**bits - 1), atol=1e-5)
        path.write_bytes(path.read_bytes()[:-5])
        with pytest.raises(FileError, match=r"cut short|damaged"):
            read(path)

    @staticmethod
    def repack(path, packed, bits, shape):
        """A little-endian TIFF of one strip, by hand."""
        height, width, _ = shape
        tags = [
            (256, 4, 1, width), (257, 4, 1, height), (259, 3, 1, 1), (262, 3, 1, 2),
            (273, 4, 1, 200), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(packed)),
            (284, 3, 1, 1),
        ]  # fmt: skip
        tags.insert(2, (258, 3, 3, 190))  # bits a sample lie behind the directory
        content = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags))
        content += b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
        content = content.ljust(190, b"\0") + struct.pack("<3H", bits, bits, bits)
        path.write_bytes(content.ljust(200, b"\0") + packed)


def test_sixteen_bits_are_not_questioned(tmp_path):
    assert read(png(tmp_path / "a.png", photo(16))).notices == ()


@pytest.mark.parametrize("full_scale", [0, -1, float("inf"), float("nan"), "x", True])
def test_what_is_no_full_scale_is_refused(tmp_path, full_scale):
    path = png(tmp_path / "a.png", photo())
    with pytest.raises(InputError, match=r"full.scale"):
        read(path, full_scale=full_scale)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_png_is_turned_upright(tmp_path, orientation):
    from PIL import Image, ImageOps

    values = RNG.integers(0, 256, (4, 6, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    path = png(tmp_path / "a.png", values, (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(read(path).data, expected)


def test_broken_exif_does_not_make_a_png_unreadable(tmp_path):
    values = RNG.integers(0, 256, (4, 6, 3)).astype(np.uint8)
    path = png(tmp_path / "a.png", values, (b"eXIf", b"II*\0\xff\xff\xff\x7f"))
    np.testing.assert_array_equal(read(path).data, values)


@pytest.mark.parametrize(("bits", "lossless"), [(12, False), (12, True), (16, True), (8, True)])
def test_a_jpeg_that_is_none_of_eight_bits(tmp_path, bits, lossless):
    kind = np.uint8 if bits == 8 else np.uint16
    values = np.repeat(np.repeat(photo(bits, (3, 4)), 8, 0), 8, 1).astype(kind)
    path = tmp_path / "a.jpg"
    options = {"bitspersample": bits, "lossless": lossless, "level": 99, "subsampling": "444"}
    path.write_bytes(imagecodecs.jpeg8_encode(values, **options))
    found = read(path)
    full = np.iinfo(kind).max
    exact = np.rint(values * (full / (2**bits - 1)))
    np.testing.assert_allclose(found.data, exact, atol=0.5 if lossless else 0.01 * full)
    assert found.metadata["bit_depth"] == bits


def test_a_jpeg_of_twelve_bits_is_turned_upright_and_refused_where_it_is_cut(tmp_path):
    values = np.repeat(np.repeat(photo(12, (3, 4)), 8, 0), 8, 1)
    content = imagecodecs.jpeg8_encode(values, bitspersample=12, lossless=True)
    exif = Image.Exif()
    exif[274] = 6
    segment = exif.tobytes()
    head = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment
    path = tmp_path / "a.jpg"
    path.write_bytes(content[:2] + head + content[2:])
    assert read(path).data.shape == (32, 24, 3)
    path.write_bytes(content[:60])
    with pytest.raises(FileError, match="damaged or cut short"):
        read(path)


@pytest.mark.parametrize("by", ["ome", "largest sample"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_significant_bits_that_a_tiff_states(tmp_path, by, bits):
    most = 2**bits - 1
    values = np.linspace(0, most, 5 * 6 * 3).astype(np.uint16).reshape(5, 6, 3)
    path = tmp_path / "a.tif"
    if by == "ome":
        facts = {"axes": "YXS", "SignificantBits": bits}
        tifffile.imwrite(path, values, photometric="rgb", ome=True, metadata=facts)
    else:
        tags = [(281, "H", 3, (most,) * 3, True)]
        tifffile.imwrite(path, values, photometric="rgb", metadata=None, extratags=tags)
    photograph = read(path)
    assert photograph.data.max() == 65535
    assert has(photograph.notices, Code.FULL_SCALE_APPLIED)
    np.testing.assert_allclose(photograph.data / 65535, values / most, atol=1 / 65535)
