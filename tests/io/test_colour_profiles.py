"""ICC profiles are converted to sRGB at any depth, as Little CMS does at eight bits."""

from __future__ import annotations

import io
from struct import pack

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from napari_hsr import read
from napari_hsr.errors import FileError
from napari_hsr.io.photographs import icc
from napari_hsr.notices import Code, has

RNG = np.random.default_rng(2)
#: Red, green and blue in XYZ adapted to D50, from the specifications.
SPACES = {
    "Display P3": [(0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)],
    "Adobe RGB (1998)": [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)],
    "ProPhoto RGB": [(0.79767, 0.28804, 0.0), (0.13519, 0.71187, 0.0), (0.03133, 0.00009, 0.82491)],
}  # fmt: skip
P3_CURVE = (3, [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045])


def fixed(*numbers):
    return b"".join(pack(">i", round(n * 65536)) for n in numbers)


def curve(kind):
    if isinstance(kind, tuple):  # parametric
        return b"para" + bytes(4) + pack(">HH", kind[0], 0) + fixed(*kind[1])
    if isinstance(kind, float):
        return b"curv" + bytes(4) + pack(">IH", 1, round(kind * 256)) + bytes(2)
    return b"curv" + bytes(4) + pack(">I", len(kind)) + np.asarray(kind, ">u2").tobytes()


def profile(name, curve_kind=P3_CURVE, colorants=None):
    text = name.encode("utf-16-be")
    tags = {
        b"desc": b"mluc" + bytes(4) + pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text,
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249),
    }
    for key, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants or SPACES[name], strict=True):
        tags[key] = b"XYZ " + bytes(4) + fixed(*xyz)
    for key in (b"rTRC", b"gTRC", b"bTRC"):
        tags[key] = curve(curve_kind)
    body, table = b"", pack(">I", len(tags))
    for key, tag in tags.items():
        tag += bytes(-len(tag) % 4)
        table += key + pack(">II", 132 + 12 * len(tags) + len(body), len(tag))
        body += tag
    head = bytes(4) + bytes(4) + pack(">I", 0x04300000) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    head = (head + bytes(28) + fixed(0.9642, 1, 0.8249)).ljust(128, b"\0")
    whole = head + table + body
    return pack(">I", len(whole)) + whole[4:]


def by_little_cms(values, content):
    """As Pillow converts 8 bits, relative colorimetric."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(content))
    image = Image.fromarray(values)
    srgb = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(image, source, srgb, renderingIntent=1))


@pytest.fixture
def values():
    return RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(
    "kind", [P3_CURVE, 2.19921875, (0, [1.8]), (np.linspace(0, 1, 256) ** 1.9 * 65535).round()]
)
def test_eight_bits_are_those_of_little_cms(values, space, kind):
    content = profile(space, kind)
    parsed = icc.parse(content)
    assert parsed.name == space
    found, clipped = icc.to_srgb(values, parsed)
    expected = by_little_cms(values, content).astype(int)
    difference = np.abs(found.astype(int) - expected)
    assert np.percentile(difference, 99) <= 1
    assert difference.max() <= 3  # where dark tones rise steeply, tables of eight bits are coarse
    assert clipped > 0


@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "bmp"])
def test_photographs_are_converted_and_it_is_said(tmp_path, kind):
    content, path = profile("Display P3"), tmp_path / f"a.{kind}"
    values = np.full((16, 16, 3), (200, 120, 90), np.uint8)
    Image.fromarray(values).save(path, icc_profile=content, quality=100, subsampling=0)
    photograph = read(path)
    if kind == "bmp":  # has no place for a profile
        assert not has(photograph.notices, Code.COLOURS_CONVERTED)
        return
    expected = by_little_cms(values, content).astype(int)
    assert np.abs(photograph.data.astype(int) - expected).max() <= 2
    assert photograph.encoding == "srgb"
    assert photograph.metadata["icc_profile"] == "Display P3"
    assert has(photograph.notices, Code.COLOURS_CONVERTED)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_more_than_eight_bits(tmp_path, dtype, values):
    content = profile("Adobe RGB (1998)", 2.19921875)
    full = 65535 if dtype == np.uint16 else 1.0
    deep = (values / 255 * full).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", iccprofile=content)
    photograph = read(tmp_path / "a.tif")
    assert photograph.data.dtype == dtype
    assert photograph.encoding == "srgb"
    expected = by_little_cms(values, content) / 255
    difference = np.abs(photograph.data / full - expected)
    assert np.percentile(difference, 99) <= 1.1 / 255


def test_full_scale_comes_first(tmp_path):
    """4095 of 12 bits is white in the profile, too."""
    content = profile("Display P3")
    deep = np.full((8, 8, 3), 4095, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", iccprofile=content)
    photograph = read(tmp_path / "a.tif", full_scale=4095)
    assert photograph.data.min() >= 65534 - 60


def test_srgb_and_profiles_without_colorants_stay(tmp_path, values):
    for content, code in (
        (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), None),
        (profile("Display P3").replace(b"rXYZ", b"xxxx"), Code.ENCODING_ASSUMED),
        (b"no profile at all", Code.ENCODING_ASSUMED),
    ):
        Image.fromarray(values).save(tmp_path / "a.png", icc_profile=content)
        photograph = read(tmp_path / "a.png")
        np.testing.assert_array_equal(photograph.data, values)
        assert [n.code for n in photograph.notices] == ([code] if code else [])


class TestHeic:
    @pytest.fixture
    def heif(self):
        return pytest.importorskip("pillow_heif")

    def test_it_is_read(self, heif, tmp_path):
        values = np.full((64, 48, 3), (180, 100, 60), np.uint8)
        made = heif.from_pillow(Image.fromarray(values))
        made.save(tmp_path / "a.heic", quality=100, chroma=444)
        photograph = read(tmp_path / "a.heic")
        assert photograph.data.shape == (64, 48, 3)
        assert np.abs(photograph.data.astype(int) - values).max() <= 4
        assert photograph.encoding == "srgb"

    def test_its_profile_counts(self, heif, tmp_path):
        content = profile("Display P3")
        values = np.full((64, 48, 3), (180, 100, 60), np.uint8)
        image = Image.fromarray(values)
        image.info["icc_profile"] = content
        heif.from_pillow(image).save(tmp_path / "a.heic", quality=100, chroma=444)
        photograph = read(tmp_path / "a.heic")
        expected = by_little_cms(values, content).astype(int)
        assert np.abs(photograph.data.astype(int) - expected).max() <= 5
        assert has(photograph.notices, Code.COLOURS_CONVERTED)

    def test_cut_short(self, heif, tmp_path):
        made = heif.from_pillow(Image.new("RGB", (64, 48)))
        made.save(tmp_path / "a.heic")
        content = (tmp_path / "a.heic").read_bytes()
        (tmp_path / "a.heic").write_bytes(content[: len(content) // 2])
        with pytest.raises(FileError, match="the HEIC file is damaged or cut short"):
            read(tmp_path / "a.heic")

    def test_a_sentence_where_the_library_is_absent(self, tmp_path, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
        (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
        with pytest.raises(FileError, match=r"HEIC photograph.*napari-hsr\[heif\]"):
            read(tmp_path / "a.heic")


class TestFourthBand:
    VALUES = RNG.integers(0, 65536, (6, 5, 4)).astype(np.uint16)

    def write(self, path, extrasamples, **options):
        tifffile.imwrite(
            path,
            self.VALUES,
            photometric="rgb",
            extrasamples=extrasamples,
            metadata=None,
            **options,
        )

    def test_it_is_called_by_its_name(self, tmp_path):
        name = '<GDALMetadata><Item name="DESCRIPTION" sample="3" role="description">NIR</Item></GDALMetadata>'
        self.write(tmp_path / "a.tif", ["unspecified"], extratags=[(42112, "s", 0, name, True)])
        photograph = read(tmp_path / "a.tif")
        (told,) = [n for n in photograph.notices if n.code == Code.OTHER_BAND_LEFT_OUT]
        assert "NIR" in told
        assert not has(photograph.notices, Code.ALPHA_LEFT_OUT)
        cube = read(tmp_path / "a.tif", bands=[0, 1, 2, 3])
        np.testing.assert_array_equal(cube.data, np.moveaxis(self.VALUES, 2, 0))

    def test_alpha_stays_alpha(self, tmp_path):
        self.write(tmp_path / "a.tif", ["unassalpha"])
        assert has(read(tmp_path / "a.tif").notices, Code.ALPHA_LEFT_OUT)


def test_images_of_one_size_are_not_called_different(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for dtype in (np.uint8, np.uint16):
            file.write(np.ones((8, 9, 3), dtype), photometric="rgb", metadata=None)
    with pytest.raises(FileError, match="2 images of one size"):
        read(tmp_path / "a.tif")


def tables(swapped=False, kind=b"mft2", points=17):
    """A profile whose A2B0 takes sRGB, or sRGB with red and blue exchanged, to Lab by a table."""
    steps = np.linspace(0, 1, points)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    grid = grid[..., ::-1] if swapped else grid
    linear = np.where(grid <= 0.04045, grid / 12.92, ((grid + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.linalg.inv(icc._XYZ_TO_SRGB).T / (0.9642, 1, 0.8249)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    lab = np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1
    )
    stored = np.stack([lab[..., 0] / 100 * 65280, *((lab[..., i] + 128) * 256 for i in (1, 2))])
    head = kind + bytes(4) + bytes([3, 3, points, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    line = np.array([0, 65535], ">u2").tobytes() * 3
    body = np.moveaxis(np.clip(stored, 0, 65535).round(), 0, -1).astype(">u2").tobytes()
    tag = head + pack(">HH", 2, 2) + line + body + line
    content = profile("Table", P3_CURVE, SPACES["Display P3"]).replace(b"rXYZ", b"A2B0", 1)
    entry = content.index(b"A2B0")
    at = len(content)
    content = content[: entry + 4] + pack(">II", at, len(tag)) + content[entry + 12 :] + tag
    content = content.replace(b"mntrRGB XYZ ", b"mntrRGB Lab ").replace(
        b"\x04\x30\0\0", b"\x02\x40\0\0", 1
    )
    return pack(">I", len(content)) + content[4:]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_profiles_of_tables(tmp_path, dtype, values):
    full = 1.0 if dtype == np.float32 else np.iinfo(dtype).max
    deep = (values / 255 * full).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", iccprofile=tables(swapped=True))
    photograph = read(tmp_path / "a.tif")
    assert (photograph.data.dtype, photograph.encoding) == (dtype, "srgb")
    expected = by_little_cms(values, tables(swapped=True)) / 255
    difference = np.abs(photograph.data / full - expected)
    assert np.percentile(difference, 99) <= 2 / 255
    assert np.abs(photograph.data / full - values[..., ::-1] / 255).mean() < 0.01  # exchanged
    assert has(photograph.notices, Code.COLOURS_CONVERTED)


def test_a_linear_profile_that_is_called_srgb_is_converted(values, tmp_path):
    """As GIMP, darktable and raw converters embed it: the name had been believed, and values were far too dark."""
    srgb = [(0.4360747, 0.2225045, 0.0139322), (0.3850649, 0.7168786, 0.0971045), (0.1430804, 0.0606169, 0.7141733)]  # fmt: skip
    for name in ("GIMP built-in Linear sRGB", "scRGB IEC 61966-2-2"):
        content = profile(name, 1.0, srgb)
        Image.fromarray(values).save(tmp_path / "linear.png", icc_profile=content)
        photograph = read(tmp_path / "linear.png")
        off = photograph.data.astype(int) - by_little_cms(values, content)
        assert np.abs(off).max() <= 1
        assert has(photograph.notices, Code.COLOURS_CONVERTED)
    as_it_is = profile("IEC 61966-2.1 Default RGB colour space - sRGB", P3_CURVE, srgb)
    assert icc.parse(as_it_is).is_srgb


@pytest.mark.parametrize("kind", [(0, [-1.0]), (3, [3000.0, 9000.0, 0.0, 1.0, 0.0])])
def test_a_profile_whose_curves_are_no_numbers_is_damaged(kind):
    assert not icc.parse(profile("Display P3", kind)).can_convert
    assert not icc.parse(profile("flat", 2.2, [(0.5, 0.5, 0.5)] * 3)).can_convert
