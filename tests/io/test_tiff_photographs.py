"""TIFF cubes and photographs as cameras and other programs write them."""

from __future__ import annotations

import io
import json
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from napari_hsr.cube import Cube
from napari_hsr.errors import FileError
from napari_hsr.io import lazy, read, write
from napari_hsr.photograph import unit_float

from .refusals import refused


@pytest.fixture
def scene():
    return np.random.default_rng(1).random((31, 16, 24)).astype(np.float32)


def rgb(dtype=np.uint8, channels=3):
    rng = np.random.default_rng(5)
    values = rng.integers(0, np.iinfo(dtype).max, (10, 14, channels), dtype, endpoint=True)
    if channels == 4:
        values[..., 3] = np.iinfo(dtype).max
    return values


class TestTiffCubes:
    @pytest.mark.parametrize(
        "dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">u2", ">f4"]
    )
    def test_types(self, tmp_path, dtype):
        values = (np.arange(5 * 16 * 20).reshape(5, 16, 20) % 120).astype(dtype)
        order = ">" if dtype.startswith(">") else "<"
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", byteorder=order)
        cube = read(tmp_path / "a.tif")
        assert isinstance(cube, Cube)
        np.testing.assert_array_equal(cube.data, values.astype(np.float32))
        assert cube.wavelengths is None
        assert any("Set wavelengths…" in n for n in cube.notices)

    @pytest.mark.parametrize("compression", ["lzw", "deflate", "zstd", "packbits", "lzma"])
    @pytest.mark.parametrize("predictor", [False, True])
    def test_compressed(self, tmp_path, scene, compression, predictor):
        if predictor and compression in ("packbits",):
            pytest.skip("packbits takes no predictor")
        values = (scene * 60000).astype(np.uint16)
        tifffile.imwrite(
            tmp_path / "a.tif", values, compression=compression, predictor=predictor,
            photometric="minisblack", tile=(16, 16),
        )  # fmt: skip
        np.testing.assert_array_equal(read(tmp_path / "a.tif").data, values.astype(np.float32))

    def test_pages_planes_and_samples(self, tmp_path, scene):
        last = np.moveaxis(scene, 0, -1)
        grey = {"photometric": "minisblack"}
        tifffile.imwrite(tmp_path / "planes.tif", scene, planarconfig="separate", **grey)
        tifffile.imwrite(tmp_path / "samples.tif", last, planarconfig="contig", **grey)
        tifffile.imwrite(tmp_path / "last.tif", last, **grey)
        tifffile.imwrite(tmp_path / "imagej.tif", scene, imagej=True)
        tifffile.imwrite(tmp_path / "one_ifd.tif", scene, truncate=True, **grey)
        tifffile.imwrite(tmp_path / "big.tif", scene, bigtiff=True, **grey)
        tifffile.imwrite(tmp_path / "ome.ome.tif", scene, metadata={"axes": "CYX"}, **grey)
        with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
            for plane in scene:
                file.write(plane, contiguous=False, metadata=None)
        for path in tmp_path.iterdir():
            cube = read(path)
            np.testing.assert_array_equal(cube.data, scene, err_msg=path.name)
            assert cube.wavelengths.assumed

    def test_16_bit_pages_behind_one_directory_are_no_grey_picture(self, tmp_path):
        values = np.arange(6 * 8 * 9, dtype=np.uint16).reshape(6, 8, 9)
        tifffile.imwrite(tmp_path / "a.tif", values, truncate=True, photometric="minisblack")
        np.testing.assert_array_equal(read(tmp_path / "a.tif").data, values)

    def test_samples_are_bands_also_where_another_axis_is_shorter(self, tmp_path):
        values = np.random.default_rng(2).random((4, 50, 200)).astype(np.float32)
        tifffile.imwrite(
            tmp_path / "a.tif", values, planarconfig="contig", photometric="minisblack"
        )
        assert read(tmp_path / "a.tif").shape == (200, 4, 50)

    @pytest.mark.parametrize(
        "shape", [(16, 31, 64), (40, 8, 30), (70, 31, 80), (70, 80, 31), (200, 240, 5)], ids=str
    )
    @pytest.mark.parametrize("how", ["pages", "imagej", "CYX", "ZYX", "ome"])
    def test_pages_are_bands_whatever_their_number(self, tmp_path, shape, how):
        values = np.random.default_rng(2).random(shape).astype(np.float32)
        path = tmp_path / ("a.ome.tif" if how == "ome" else "a.tif")
        if how == "pages":
            with tifffile.TiffWriter(path) as file:
                for plane in values:
                    file.write(plane, contiguous=False, metadata=None)
        else:
            options = {"metadata": {"axes": "CYX" if how == "ome" else how}}
            options = {"imagej": True} if how == "imagej" else options
            tifffile.imwrite(path, values, photometric="minisblack", **options)
        cube = read(path)
        np.testing.assert_array_equal(cube.data, values)
        assert not any("axis" in n for n in cube.notices)

    def test_channels_are_bands_wherever_they_stand(self, tmp_path):
        values = np.random.default_rng(2).random((8, 40, 6)).astype(np.float32)
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack",
                         metadata={"axes": "YXC"})  # fmt: skip
        np.testing.assert_array_equal(read(tmp_path / "a.tif").data, np.moveaxis(values, -1, 0))

    @pytest.mark.parametrize("shape", [(16, 31, 64), (40, 8, 30)], ids=str)
    def test_a_stack_in_one_piece_is_one_page_a_band(self, tmp_path, shape):
        tifffile.imwrite(tmp_path / "a.tif", np.ones(shape, np.float32), photometric="minisblack")
        assert read(tmp_path / "a.tif").shape == shape

    @pytest.mark.parametrize("shape", [(12, 14, 31), (70, 80, 20)], ids=str)
    def test_bands_last_in_one_piece_are_found_and_said(self, tmp_path, shape):
        values = np.random.default_rng(2).random(shape).astype(np.float32)
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
        cube = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(cube.data, np.moveaxis(values, -1, 0))
        assert any("third axis was taken as bands" in n for n in cube.notices)

    def test_one_band_of_floats(self, tmp_path, scene):
        tifffile.imwrite(tmp_path / "a.tif", scene[0])
        assert read(tmp_path / "a.tif").shape == (1, 16, 24)

    def test_wavelengths_of_gdal(self, tmp_path):
        items = "".join(
            f'<Item name="wavelength" sample="{i}">{0.4 + i / 10:.1f}</Item>' for i in range(5)
        )
        xml = (
            f'<GDALMetadata><Item name="wavelength_units">Micrometers</Item>{items}</GDALMetadata>'
        )
        tifffile.imwrite(
            tmp_path / "a.tif", np.zeros((5, 8, 9), np.float32), planarconfig="separate",
            photometric="minisblack", metadata=None, extratags=[(42112, "s", 0, xml, True)],
        )  # fmt: skip
        assert list(read(tmp_path / "a.tif").wavelengths) == [400, 500, 600, 700, 800]

    def test_ours_is_plain_for_others(self, tmp_path, make_cube):
        cube = make_cube()
        write(cube, tmp_path / "a.tif")
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), cube.data)
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            facts = json.loads(file.pages.first.description)
        assert facts["wavelengths_nm"] == list(cube.wavelengths)
        assert facts["napari_hsr"]["provenance"]["model"] == cube.provenance.model

    def test_large_files_stay_on_disk(self, tmp_path, monkeypatch, scene):
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 100)
        tifffile.imwrite(tmp_path / "a.tif", scene, photometric="minisblack")
        tifffile.imwrite(tmp_path / "b.tif", scene, photometric="minisblack", compression="lzw")
        tifffile.imwrite(
            tmp_path / "c.tif", scene.astype(">f8"), photometric="minisblack", byteorder=">"
        )
        mapped, paged, other = (read(tmp_path / f"{n}.tif") for n in "abc")
        assert isinstance(mapped.data, np.memmap)
        assert isinstance(paged.data, lazy.LazyArray)
        assert isinstance(other.data, lazy.LazyArray)
        for cube in (mapped, paged, other):
            np.testing.assert_array_equal(np.asarray(cube.data), scene)
            np.testing.assert_array_equal(np.asarray(cube.data[:, 3, 4]), scene[:, 3, 4])
            np.testing.assert_array_equal(
                np.asarray(cube.data[5:9:2, 3, 4:2:-1]), scene[5:9:2, 3, 4:2:-1]
            )
        paged.data._source._file.close()

    @pytest.mark.parametrize("how", ["writer", "append"])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    @pytest.mark.parametrize("limit", [100, 2**29])
    def test_pages_written_one_by_one(self, tmp_path, monkeypatch, how, dtype, limit):
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", limit)
        values = (np.random.default_rng(2).random((6, 10, 31)) * 200).astype(dtype)
        path = tmp_path / "a.tif"
        if how == "writer":
            with tifffile.TiffWriter(path) as file:
                for plane in values:
                    file.write(plane)
        else:
            for band, plane in enumerate(values):
                tifffile.imwrite(path, plane, append=band > 0, compression="lzw")
        cube = read(path)
        assert cube.in_memory == (limit > 100)
        np.testing.assert_array_equal(np.asarray(cube.data), values)
        np.testing.assert_array_equal(cube.data[2:4, 3:5, 7], values[2:4, 3:5, 7])
        del cube

    def test_pages_written_one_by_one_and_cut_short(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            for _ in range(6):
                file.write(np.ones((10, 31), np.float32))
        content = (tmp_path / "a.tif").read_bytes()
        for share in (0.3, 0.6, 0.95):
            (tmp_path / "a.tif").write_bytes(content[: int(share * len(content))])
            assert "cut short" in refused(tmp_path / "a.tif")

    def test_unlike_pages_are_refused(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            for size in (20, 21, 22):
                file.write(np.zeros((size, 20), np.float32), contiguous=False, metadata=None)
        assert "3 images" in refused(tmp_path / "a.tif")

    def test_pages_of_colour_are_refused(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 8, 9, 3), np.uint8), photometric="rgb")
        assert "4 axes" in refused(tmp_path / "a.tif")


class TestPhotographs:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [3, 4])
    def test_png_keeps_its_depth(self, tmp_path, dtype, channels):
        values = rgb(dtype, channels)
        (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(values))
        photograph = read(tmp_path / "a.png")
        assert photograph.data.dtype == dtype
        np.testing.assert_array_equal(photograph.data, values[..., :3])
        assert photograph.encoding == "srgb"
        assert photograph.notices == ()
        assert photograph.name == "a"
        assert photograph.provenance.input == "a.png"

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("channels", [3, 4])
    @pytest.mark.parametrize("planar", ["contig", "separate"])
    def test_tiff(self, tmp_path, dtype, channels, planar):
        values = rgb(dtype, channels)
        stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
        tifffile.imwrite(
            tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, compression="lzw",
            extrasamples=["unassalpha"] if channels == 4 else None,
        )  # fmt: skip
        photograph = read(tmp_path / "a.tif")
        assert photograph.data.dtype == dtype
        np.testing.assert_array_equal(photograph.data, values[..., :3])
        assert photograph.encoding == "srgb"

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_a_tiff_of_floats_must_be_told_its_encoding(self, tmp_path, dtype):
        values = unit_float(rgb()).astype(dtype)
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
        photograph = read(tmp_path / "a.tif")
        assert photograph.encoding is None
        assert any("state it" in n for n in photograph.notices)
        np.testing.assert_array_equal(photograph.data, values.astype(np.float32))

    @pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint32, np.int32, np.uint64])
    @pytest.mark.parametrize("channels", [3, 4])
    def test_a_tiff_of_other_integers_is_scaled_by_their_range(self, tmp_path, dtype, channels):
        full = np.iinfo(dtype).max
        values = np.zeros((10, 14, channels), dtype)
        values[..., 1], values[..., 2] = full // 2, full
        values[..., 3:] = full
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
        photograph = read(tmp_path / "a.tif")
        assert photograph.data.dtype == np.float32
        np.testing.assert_allclose(photograph.data[0, 0], [0, (full // 2) / full, 1], rtol=1e-6)
        assert photograph.encoding is None
        assert [str(full) in n for n in photograph.notices] == [True, False]
        assert "state it before use" in photograph.notices[1]

    def test_a_tiff_of_negative_colours_is_refused(self, tmp_path):
        values = np.zeros((10, 14, 3), np.int16)
        values[3, 4, 1] = -7
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
        assert "negative down to -7" in refused(tmp_path / "a.tif")

    def test_8_and_16_bit_of_the_same_picture_agree(self, tmp_path):
        values = rgb()
        (tmp_path / "8.png").write_bytes(imagecodecs.png_encode(values))
        (tmp_path / "16.png").write_bytes(imagecodecs.png_encode(values.astype(np.uint16) * 257))
        eight, sixteen = read(tmp_path / "8.png"), read(tmp_path / "16.png")
        np.testing.assert_allclose(unit_float(eight.data), unit_float(sixteen.data), atol=1e-7)

    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_alpha_that_matters_is_said(self, tmp_path, suffix):
        values = rgb(np.uint8, 4)
        values[2, 3, 3] = 9
        Image.fromarray(values, "RGBA").save(tmp_path / f"a{suffix}")
        photograph = read(tmp_path / f"a{suffix}")
        np.testing.assert_array_equal(photograph.data, values[..., :3])
        assert any("alpha" in n for n in photograph.notices)

    @pytest.mark.parametrize("suffix", [".bmp", ".tif", ".png"])
    def test_what_pillow_writes(self, tmp_path, suffix):
        values = rgb()
        Image.fromarray(values).save(tmp_path / f"a{suffix}")
        np.testing.assert_array_equal(read(tmp_path / f"a{suffix}").data, values)

    @pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
    def test_palettes_are_expanded(self, tmp_path, suffix):
        image = Image.fromarray(rgb()).quantize(16)
        image.save(tmp_path / f"a{suffix}")
        expected = np.asarray(image.convert("RGB"))
        found = unit_float(read(tmp_path / f"a{suffix}").data)
        np.testing.assert_allclose(found, unit_float(expected), atol=1 / 255)

    def test_jpeg(self, tmp_path):
        smooth = np.linspace(20, 220, 40 * 30 * 3).reshape(40, 30, 3).astype(np.uint8)
        Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
        photograph = read(tmp_path / "a.jpg")
        np.testing.assert_array_equal(photograph.data, np.asarray(Image.open(tmp_path / "a.jpg")))
        assert photograph.encoding == "srgb"

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("suffix", [".jpg", ".tif"])
    def test_orientation_and_camera(self, tmp_path, orientation, suffix):
        """The picture that was taken upright comes out upright, whatever way it is stored."""
        upright = np.zeros((16, 32, 3), np.uint8)
        upright[:8, :16] = 250
        upright[:8, 16:, 0] = 250
        store = {
            1: lambda v: v,
            2: lambda v: v[:, ::-1],
            3: lambda v: v[::-1, ::-1],
            4: lambda v: v[::-1],
            5: lambda v: v.swapaxes(0, 1),
            6: lambda v: np.rot90(v),
            7: lambda v: v.swapaxes(0, 1)[::-1, ::-1],
            8: lambda v: np.rot90(v, -1),
        }[orientation]
        exif = Image.Exif()
        exif[274], exif[272] = orientation, "NIKON D700"
        image = Image.fromarray(np.ascontiguousarray(store(upright)))
        image.save(
            tmp_path / f"a{suffix}",
            exif=exif,
            **({"quality": 100, "subsampling": 0} if suffix == ".jpg" else {}),
        )
        photograph = read(tmp_path / f"a{suffix}")
        assert photograph.data.shape == upright.shape
        assert np.abs(photograph.data.astype(int) - upright).max() <= 12
        assert photograph.metadata["camera"] == "NIKON D700"

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
    def test_profiles(self, tmp_path, suffix):
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        image = Image.fromarray(rgb())
        image.save(tmp_path / f"srgb{suffix}", icc_profile=srgb)
        image.save(tmp_path / f"other{suffix}", icc_profile=lab)
        assert read(tmp_path / f"srgb{suffix}").notices == ()
        other = read(tmp_path / f"other{suffix}")
        (notice,) = other.notices
        assert other.metadata["icc_profile"] in notice
        assert "Lab" in notice or "LAB" in notice

    def test_a_damaged_profile_and_bytes_behind_the_end_lose_no_picture(self, tmp_path):
        plain = imagecodecs.png_encode(rgb())
        chunk = b"iCCPname\0\0rubbish"
        chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        (tmp_path / "a.png").write_bytes(plain[:33] + chunk + plain[33:] + b"appended")
        photograph = read(tmp_path / "a.png")
        np.testing.assert_array_equal(photograph.data, rgb())
        assert "damaged profile" in photograph.notices[0]

    def test_png_gamma(self, tmp_path):
        plain = imagecodecs.png_encode(rgb())
        for gamma, encoding, words in (
            (100000, "linear-srgb", "linear light"),
            (45455, "srgb", None),
            (55556, "srgb", "0.55556"),
        ):
            data = struct.pack(">I", gamma)
            chunk = b"gAMA" + data
            chunk = struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
            (tmp_path / "a.png").write_bytes(plain[:33] + chunk + plain[33:])
            photograph = read(tmp_path / "a.png")
            assert photograph.encoding == encoding
            assert bool(photograph.notices) == bool(words)
            assert not words or words in photograph.notices[0]

    def test_ours_opens_elsewhere(self, tmp_path, make_photograph):
        photograph = make_photograph()
        write(photograph, tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as image:
            np.testing.assert_array_equal(np.asarray(image), photograph.data)
            assert "linear-srgb" in image.text["napari_hsr"]


class TestBadFiles:
    @pytest.mark.parametrize("mode", ["L", "LA", "1", "I;16"])
    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
    def test_grey_is_refused(self, tmp_path, mode, suffix):
        if (mode, suffix) in {("LA", ".jpg"), ("I;16", ".jpg"), ("LA", ".bmp"), ("I;16", ".bmp")}:
            pytest.skip(f"{suffix} holds no {mode}")
        if mode == "I;16":
            image = Image.fromarray(np.arange(80, dtype=np.uint16).reshape(8, 10) * 700)
        else:
            image = Image.fromarray(rgb()).convert(mode)
        image.save(tmp_path / f"a{suffix}")
        text = refused(tmp_path / f"a{suffix}")
        assert "grey" in text
        assert "three colour channels" in text

    def test_other_colour_models_are_refused(self, tmp_path):
        for suffix in (".jpg", ".tif"):
            Image.fromarray(rgb()).convert("CMYK").save(tmp_path / f"a{suffix}")
            assert "RGB was expected" in refused(tmp_path / f"a{suffix}")

    def test_floats_do_not_fit_a_png(self, tmp_path, make_photograph):
        with pytest.raises(FileError, match="floats"):
            write(make_photograph(np.float32), tmp_path / "a.png")
        assert not list(tmp_path.iterdir())

    def test_a_png_without_pixels(self, tmp_path):
        content = bytearray(imagecodecs.png_encode(rgb()))
        content[16:20] = bytes(4)
        (tmp_path / "a.png").write_bytes(content)
        refused(tmp_path / "a.png")

    def test_an_empty_tiff_page(self, tmp_path):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, np.zeros((8, 9, 3), np.uint8), photometric="rgb", metadata=None)
        content = bytearray(buffer.getvalue())
        with tifffile.TiffFile(io.BytesIO(bytes(content))) as file:
            at = file.pages.first.tags[257].valueoffset
        content[at : at + 4] = bytes(4)
        (tmp_path / "a.tif").write_bytes(content)
        refused(tmp_path / "a.tif")


@pytest.mark.parametrize("pages", [1, 2])
def test_luma_and_chroma_that_nothing_converts_are_no_rgb(tmp_path, pages):
    from napari_hsr.io.stacks import read_stack

    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for _ in range(pages):
            file.write(
                rgb(), photometric="ycbcr", subsampling=(1, 1), metadata=None, contiguous=False
            )
    assert "YCbCr" in refused(tmp_path / "a.tif")
    with pytest.raises(FileError):
        read_stack(tmp_path / "a.tif")


def test_colours_of_a_jpeg_in_a_tiff_are_rgb(tmp_path):
    values = np.full((32, 32, 3), (200, 60, 20), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", compression="jpeg")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages.first.photometric == 6
    assert np.abs(read(tmp_path / "a.tif").data.astype(int) - values).max() <= 3
