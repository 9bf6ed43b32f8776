"""Damage that formats show beside their pixels: sums of check, bytes between parts, lists of other lengths."""

from __future__ import annotations

import io
import zlib

import h5py
import numpy as np
import PIL.Image
import pytest
import scipy.io
import tifffile

from napari_hsr import read, write
from napari_hsr.errors import FileError
from napari_hsr.notices import Code, has
from napari_hsr.photograph import Photograph

RGB = np.random.default_rng(5).integers(0, 255, (16, 24, 3), np.uint8)


def told(path):
    return " ".join(n for n in read(path).notices if n.code in (Code.MAYBE_DAMAGED, Code.BYTES_LEFT_OUT))  # fmt: skip


def test_a_chunk_of_a_png_whose_sum_is_wrong(tmp_path):
    """The encoding in our own record had been lost, or another one taken, without a word."""
    path = write(Photograph(RGB, "linear-srgb"), tmp_path / "a.png")
    assert read(path).encoding == "linear-srgb"
    assert not told(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"linear-srgb"', b'"linear-sRgb"'))
    assert "in tEXt is damaged, for its sum of check is wrong" in told(path)
    gamma = b"gAMA" + (45455).to_bytes(4, "big")
    chunk = b"\0\0\0\4" + gamma + zlib.crc32(gamma).to_bytes(4, "big")
    PIL.Image.fromarray(RGB).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:33] + chunk + content[33:])
    assert not told(path)
    path.write_bytes(content[:33] + chunk[:-1] + bytes([chunk[-1] ^ 1]) + content[33:])
    assert "gAMA" in told(path)


def test_bytes_between_the_parts_of_a_jpeg(tmp_path):
    """Other tables had been taken for all that followed, without a word."""
    file = io.BytesIO()
    PIL.Image.fromarray(RGB).save(file, "JPEG")
    content, path = file.getvalue(), tmp_path / "a.jpg"
    path.write_bytes(content)
    assert not told(path)
    at = content.index(b"\xff\xdb")
    path.write_bytes(content[: at + 40] + content[at + 36 : at + 40] + content[at + 40 :])
    assert "bytes stand between its parts" in told(path)
    path.write_bytes(content[: at + 40] + b"\0" + content[at + 41 :])
    assert "divides by 0" in told(path)
    path.write_bytes(content[:at] + b"\xff\xff" + content[at:])  # padding, which is allowed
    assert not told(path)


def test_bytes_behind_the_boxes_of_a_heic_picture(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "a.heic"
    larger = np.kron(RGB, np.ones((4, 4, 1), np.uint8))
    pillow_heif.from_pillow(PIL.Image.fromarray(larger)).save(path)
    content = path.read_bytes()
    assert not told(path)
    path.write_bytes(content + b"\0\0\0\x10free12345678")
    assert not told(path)
    path.write_bytes(content + content[-5:])
    assert "5 bytes behind the last part" in told(path)


def test_an_attribute_of_hdf5_that_cannot_be_read(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["cube"] = np.random.default_rng(1).random((7, 5, 6)).astype("f4")
        file["cube"].attrs.update({"wavelengths": np.linspace(400, 700, 7), "units": "radiance"})
    content = path.read_bytes()
    assert read(path).units == "radiance"
    assert not told(path)
    assert content.count(b"GCOL") == 1
    path.write_bytes(content.replace(b"GCOL", b"GC0L"))
    assert "The file's units cannot be read" in told(path)


def test_items_of_gdal_of_more_bands_than_the_image_has(tmp_path):
    """The chain of pages may break where it says that it ends."""
    items = "".join(f'<Item name="wavelength" sample="{i}">{500 + 50 * i}</Item>' for i in range(4))
    tag = (42112, "s", 0, f"<GDALMetadata>{items}</GDALMetadata>", True)
    for pages, said in ((4, False), (3, True)):
        path = tmp_path / f"{pages}.tif"
        values = np.zeros((pages, 8, 9), "u2") + np.arange(9, dtype="u2")
        tifffile.imwrite(path, values, photometric="minisblack", metadata=None, extratags=[tag])
        assert ("describe 4 bands" in told(path)) == said


def test_bytes_behind_the_arrays_of_a_netcdf_file(tmp_path):
    """Bytes that were put in had moved all values behind them."""
    path = tmp_path / "a.nc"
    with scipy.io.netcdf_file(path, "w") as file:
        for name, size in zip("byx", (7, 5, 6), strict=True):
            file.createDimension(name, size)
        values = np.random.default_rng(2).random((7, 5, 6))
        file.createVariable("cube", "f4", ("b", "y", "x"))[:] = values
    content = path.read_bytes()
    assert not told(path)
    path.write_bytes(content[:-40] + content[-44:])
    assert "4 bytes behind the arrays" in told(path)


def test_one_band_of_a_camera_set_that_states_no_width(tmp_path):
    for i, nm in enumerate((475, 560, 668), 1):
        width = "<Camera:WavelengthFWHM>20</Camera:WavelengthFWHM>" * (i != 2)
        xmp = f"<rdf:RDF><Camera:CentralWavelength>{nm}</Camera:CentralWavelength>{width}</rdf:RDF>"
        tags = [(700, 1, len(xmp), xmp.encode(), True)]
        tifffile.imwrite(tmp_path / f"IMG_0001_{i}.tif", RGB[..., 0].astype("u2"), extratags=tags, metadata=None)  # fmt: skip
    cube = read(tmp_path)
    assert "fwhm" not in cube.metadata
    assert has(cube.notices, Code.LIST_UNUSABLE)
    assert any("IMG_0001_2.tif states none" in notice for notice in cube.notices)


def test_pixels_of_a_tiff_that_lie_over_another_page(tmp_path):
    """One band began a byte or a strip too early or late, without a word."""
    values = np.random.default_rng(0).integers(0, 9999, (7, 9, 8)).astype(np.int16)
    tags = [(42113, "s", 0, "-9999", True)]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="minisblack", metadata=None, extratags=tags)
    with tifffile.TiffFile(path) as file:
        stated = [page.tags[273].valueoffset for page in (file.pages[0], file.pages[3])]
    content = path.read_bytes()
    for at, moves in zip(stated, ((1, 8), (1, 8, -1, -72, None)), strict=True):
        place = int.from_bytes(content[at : at + 4], "little")
        for moved in moves:
            elsewhere = 10 if moved is None else place + moved  # 10 is in the first directory
            damaged = content[:at] + elsewhere.to_bytes(4, "little") + content[at + 4 :]
            path.write_bytes(damaged)
            with pytest.raises(FileError, match="damaged"):
                read(path)


def _moved(path, moved):
    """Move where a data set keeps its values, in one piece, by so many bytes."""
    with h5py.File(path) as file:
        place = file["cube"].id.get_offset()
    content = path.read_bytes()
    at = content.index(place.to_bytes(8, "little"))
    path.write_bytes(content[:at] + (place + moved).to_bytes(8, "little") + content[at + 8 :])


@pytest.mark.parametrize("moved", [16, 64, 1, -64, 1024, 4096])
def test_values_of_hdf5_that_lie_over_what_the_library_keeps(tmp_path, moved):
    """They had been others, shifted by some bytes, without a word."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["wavelengths"] = np.linspace(400, 700, 7)
        values = np.random.default_rng(0).integers(0, 9999, (7, 9, 8))
        cube = file.create_dataset("cube", data=values.astype(np.int16))
        cube.attrs["units"] = "1"  # a text of free length, which lies behind the values
        file["y"] = np.arange(9.0)
    assert read(path).shape == (7, 9, 8)
    _moved(path, moved)
    with pytest.raises(FileError, match="damaged"):
        read(path)


@pytest.mark.parametrize("name", ["Band_Window_1_Nanometers", "units"])
def test_an_attribute_of_hdf5_that_cannot_be_opened(tmp_path, name):
    """Bad bands had been good, and numbers without a unit, without a word."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        cube = file.create_dataset("S/Reflectance/Reflectance_Data", data=np.ones((9, 8, 7)))
        about = file["S/Reflectance"]
        about["Metadata/Spectral_Data/Wavelength"] = np.linspace(400, 700, 7)
        (about if name[0] == "B" else cube).attrs[name] = np.array([540, 560], "f4")
    before = [n for n in read(path).notices if n.code is Code.MAYBE_DAMAGED]
    content = path.read_bytes()
    at = content.index(name.encode()) + -(-(len(name) + 1) // 8) * 8
    path.write_bytes(content[:at] + b"\x71" + content[at + 1 :])  # a version of types that is none
    after = [n for n in read(path).notices if n.code is Code.MAYBE_DAMAGED]
    assert not before
    assert after


@pytest.mark.parametrize("packing", [2, 3, 4])
def test_pixels_of_several_bits_that_are_packed_as_a_fax_are_refused(tmp_path, packing):
    """One bit of the packing, and a plain image had been unpacked as a fax, to other values."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.arange(72, dtype=np.uint16).reshape(9, 8), photometric="minisblack")
    with tifffile.TiffFile(path) as file:
        at = file.pages[0].tags[259].valueoffset
    content = path.read_bytes()
    path.write_bytes(content[:at] + bytes([packing]) + content[at + 1 :])
    with pytest.raises(FileError, match="packed as a fax"):
        read(path)


@pytest.mark.parametrize("name", ["units", "wavelengths"])
def test_a_part_of_a_head_of_hdf5_that_is_of_no_known_kind(tmp_path, name):
    """The library passes over it: the attribute had been gone without a word."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        cube = file.create_dataset("cube", data=np.ones((3, 4, 5)))
        (cube if name == "units" else file).attrs[name] = np.array([1, 2, 3], "f4")
    read(path)
    content = path.read_bytes()
    at = content.index(name.encode()) - 16
    assert content[at : at + 2] == b"\x0c\0"  # an attribute
    path.write_bytes(content[: at + 1] + b"\x10" + content[at + 2 :])
    with pytest.raises(FileError, match="no known kind"):
        read(path)
