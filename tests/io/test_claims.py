"""Files that claim more than they hold: one sentence, no zeros for what is missing, no room made.

No memory is measured: an array of the size that is claimed could not be made on any computer.
"""

from __future__ import annotations

import errno
import io
import itertools
import math
import struct
import subprocess
import sys
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import tifffile

from napari_hsr.cube import Cube
from napari_hsr.errors import FileError
from napari_hsr.io import WRITE_SUFFIXES, lazy, limits, read, write
from napari_hsr.io.hdf5 import structure
from napari_hsr.io.label_images import read_labels
from napari_hsr.io.stacks import read_stack
from napari_hsr.photograph import Photograph

from .refusals import refused

#: 1e12 pixels and more in each band.
HUGE = (31, 10**6, 10**6)


def head(shape, order=False, kind="<f4") -> bytes:
    facts = {"descr": kind, "fortran_order": order, "shape": shape}
    stored = io.BytesIO()
    np.lib.format.write_array_header_1_0(stored, facts)
    return stored.getvalue()


class TestNumPy:
    @pytest.mark.parametrize("shape", [HUGE, (1, *HUGE), HUGE[1:], (10**18,) * 3, (31, 10**19, 5)])
    def test_npy(self, tmp_path, shape):
        path = tmp_path / "a.npy"
        path.write_bytes(head(shape) + bytes(1000))
        assert "damaged or cut short" in refused(path)

    @pytest.mark.filterwarnings("error")
    def test_more_bytes_than_numbers_can_count(self, tmp_path):
        path = tmp_path / "a.npy"
        path.write_bytes(head((2**62, 2**62, 31)) + bytes(1000))
        assert f"{2**124 * 31 * 4 + 128} bytes were expected, 1128 are there" in refused(path)

    @pytest.mark.parametrize(("kind", "words"), [("<c16", "complex numbers"), ("|S9", "text")])
    def test_what_is_no_number_is_refused_before_it_is_read(self, tmp_path, kind, words):
        path = tmp_path / "a.npy"
        path.write_bytes(head(HUGE, kind=kind))
        assert f"the array holds {words}" in refused(path)

    @pytest.mark.parametrize(
        "kinds", [["f4"] * 5, ["f4", "f4", "f8", "f4", "f4"], ["f4", "u1", "f4", "u1", "f4"]]
    )
    @pytest.mark.parametrize("large", [False, True])
    def test_fields_of_large_arrays_stay_in_the_file(self, tmp_path, monkeypatch, kinds, large):
        if large:
            monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 100)
        names = [f"band_{number}" for number in range(len(kinds))]
        for fields in (
            [("spectra", "f8", (9,)), ("mask", "u1")],
            [*zip(names, kinds, strict=True)],
        ):
            stored = np.zeros((7, 6), fields)
            for number, name in enumerate(stored.dtype.names):
                shape = stored[name].shape
                stored[name] = np.arange(math.prod(shape)).reshape(shape) + number
            np.save(tmp_path / "a.npy", stored)
            cube = read(tmp_path / "a.npy")
            alike = [stored[name] for name in names if (name, kinds[0]) in fields]
            values = np.stack(alike) if alike else np.moveaxis(stored["spectra"], -1, 0)
            uneven = bool(alike) and "f8" in kinds  # those are put together in memory
            assert (type(cube.data) is np.ndarray) == (uneven or not large)
            np.testing.assert_array_equal(cube.data, values)

    def test_a_head_of_gigabytes(self, tmp_path):
        path = tmp_path / "a.npy"
        path.write_bytes(b"\x93NUMPY\x02\0" + struct.pack("<I", 2**31) + bytes(1000))
        assert "its head is longer than any" in refused(path)

    @pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    @pytest.mark.parametrize("shape", [HUGE, (1, *HUGE), (31, 10, 10), (1, 2, 3)])
    def test_npz(self, tmp_path, shape, packed):
        path = tmp_path / "a.npz"
        with zipfile.ZipFile(path, "w", packed) as archive:
            archive.writestr("cube.npy", head(shape) + bytes(1000))
        assert "bytes, but has 1000" in refused(path)

    def test_an_array_is_not_mapped_into_what_lies_behind_it(self, tmp_path, monkeypatch):
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 100)
        path = tmp_path / "a.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("cube.npy", head((5, 10, 10)) + bytes(1000))
            archive.writestr("other.npy", head((2000,)) + bytes(8000))
        assert "takes 2000 bytes, but has 1000" in refused(path)


class TestHDF5:
    @pytest.mark.parametrize("shape", [HUGE, (1, *HUGE), (5, 6, 7)])
    @pytest.mark.parametrize("chunked", [True, False])
    @pytest.mark.parametrize("suffix", [".h5", ".mat"])
    def test_what_was_never_written(self, tmp_path, shape, chunked, suffix):
        path = tmp_path / f"a{suffix}"
        with h5py.File(path, "w") as file:
            file.create_dataset("cube", shape, "f4", chunks=(1,) * len(shape) if chunked else None)
        assert "no values were ever written" in refused(path)

    def test_a_part_that_was_never_written_is_told(self, tmp_path):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            cube = file.create_dataset("cube", (5, 6, 7), "f4", chunks=(1, 6, 7), fillvalue=-1)
            cube[:3] = 0.5
        found = read(path)
        assert "Only 3 of the 5 parts of cube were written: the values of the others are -1." in (
            found.notices
        )
        assert set(np.unique(found.data)) == {-1, 0.5}

    def test_a_virtual_cube_whose_parts_are_gone(self, tmp_path):
        path, part = tmp_path / "a.h5", tmp_path / "part.h5"
        with h5py.File(part, "w") as file:
            file["x"] = np.ones((5, 6, 7), np.float32)
        layout = h5py.VirtualLayout((5, 6, 7), "f4")
        layout[:] = h5py.VirtualSource("part.h5", "x", (5, 6, 7))
        with h5py.File(path, "w") as file:
            file.create_virtual_dataset("cube", layout)
        np.testing.assert_array_equal(read(path).data, 1)
        part.unlink()
        assert "cube points to part.h5, which is not there" in refused(path)

    @pytest.mark.parametrize("suffix", [".h5", ".npz"])
    def test_complex_numbers_are_named(self, tmp_path, suffix):
        path, values = tmp_path / f"a{suffix}", np.ones((5, 6, 7), np.complex64)
        if suffix == ".npz":
            np.savez(path, cube=values)
        else:
            with h5py.File(path, "w") as file:
                file["cube"] = values
        assert "holds complex numbers" in refused(path)


class TestTIFF:
    @staticmethod
    def save(path, compression=None, **tags):
        import tifffile

        values = np.ones((5, 16, 16), np.float32)
        tifffile.imwrite(path, values, photometric="minisblack", compression=compression)
        with tifffile.TiffFile(path, mode="r+") as file:
            for page in file.pages:
                for name, value in tags.items():
                    page.tags[name].overwrite(value)

    @pytest.mark.parametrize("compression", [None, "zlib"])
    @pytest.mark.parametrize("length", [32, 20000, 10**6])
    def test_strips_that_do_not_cover_the_page(self, tmp_path, compression, length):
        path = tmp_path / "a.tif"
        self.save(path, compression, ImageLength=length)
        assert f"page 1 should have 16 x {length} pixels" in refused(path)

    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_strips_that_are_too_short(self, tmp_path, compression):
        path = tmp_path / "a.tif"
        self.save(path, compression, ImageLength=32, RowsPerStrip=32)
        assert "damaged" in refused(path)

    def test_a_photograph_of_a_terapixel(self, tmp_path):
        import tifffile

        path = tmp_path / "a.tif"
        tifffile.imwrite(path, np.ones((16, 16, 3), np.uint8), photometric="rgb")
        with tifffile.TiffFile(path, mode="r+") as file:
            for name in ("ImageWidth", "ImageLength"):
                file.pages[0].tags[name].overwrite(10**6)
        assert "should have 1000000 x 1000000 pixels" in refused(path)

    def test_smaller_images_beside_the_cube_are_told(self, tmp_path):
        import tifffile

        path = tmp_path / "a.tif"
        with tifffile.TiffWriter(path) as file:
            file.write(np.ones((5, 16, 16), np.float32), photometric="minisblack")
            file.write(np.ones((8, 8), np.uint8), photometric="minisblack")
        found = read(path)
        assert found.shape == (5, 16, 16)
        assert "Other images beside the cube were left out: 8 x 8." in found.notices

    def test_a_broken_page_in_the_row_is_no_smaller_image(self, tmp_path):
        import tifffile

        path = tmp_path / "a.tif"
        with tifffile.TiffWriter(path) as file:
            for _ in range(5):
                file.write(np.ones((16, 16), np.float32), photometric="minisblack", metadata=None)
        with tifffile.TiffFile(path, mode="r+") as file:
            file.pages[4].tags["ImageLength"].overwrite(0)
        assert "page 5 holds no pixels" in refused(path)

    @pytest.mark.parametrize("colours", [False, True])
    def test_a_page_that_swells_is_held_against_its_own_part_of_the_file(
        self, tmp_path, monkeypatch, colours
    ):
        monkeypatch.setattr(limits, "ASKED_FROM", 100_000)
        monkeypatch.setattr(lazy, "too_big", lambda shape: True)
        path = tmp_path / "a.tif"
        with tifffile.TiffWriter(path) as file:
            shape = (256, 256, 3) if colours else (256, 256)
            for _ in range(31):
                file.write(
                    np.zeros(shape, np.uint8 if colours else np.float32),
                    photometric="rgb" if colours else "minisblack",
                    compression="zlib",
                    rowsperstrip=256,
                    metadata=None,
                )
        page = 4 * 256 * 256 - colours * 256 * 256
        assert page < limits.MOST_SWELLING * path.stat().st_size  # the whole would do for one
        with pytest.raises(FileError, match=r"--allow-large"):
            (read_stack if colours else read)(path)


class TestPictures:
    def test_png_of_terapixels(self, tmp_path):
        def chunk(kind, data):
            body = kind + data
            return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

        path = tmp_path / "a.png"
        size = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
        parts = chunk(b"IHDR", size), chunk(b"IDAT", zlib.compress(bytes(99))), chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
        assert "damaged or cut short" in refused(path)

    def test_what_libpng_warns_of_is_no_second_line(self, tmp_path):
        path = tmp_path / "a.png"
        write(Photograph(np.zeros((4, 4, 3), np.uint8), encoding="srgb"), path)
        content = path.read_bytes()
        body = b"zTXta\0\0cut"  # what is packed in it cannot be unpacked
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        path.write_bytes(content[:33] + chunk + content[33:])  # behind the head
        what = f"from napari_hsr import read; print(read({str(path)!r}).data.shape)"
        ended = subprocess.run([sys.executable, "-c", what], capture_output=True, text=True)
        assert ended.stdout == "(4, 4, 3)\n"
        assert ended.stderr == ""

    @pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
    def test_more_than_is_read_is_not_called_damage(self, tmp_path, suffix):
        from PIL import Image

        path = tmp_path / f"a{suffix}"
        Image.new("RGB", (16, 16)).save(path)
        content = bytearray(path.read_bytes())
        if suffix == ".jpg":
            at = content.find(b"\xff\xc0") + 5
            content[at : at + 4] = struct.pack(">HH", 65500, 65500)
        else:
            content[18:26] = struct.pack("<ii", 10**6, 10**6)
        path.write_bytes(content)
        assert "read up to 179 megapixels" in refused(path)


def test_envi_of_terapixels(tmp_path):
    bands, lines, samples = HUGE
    path = tmp_path / "a.hdr"
    path.write_text(
        f"ENVI\nlines = {lines}\nsamples = {samples}\nbands = {bands}\ndata type = 4\n"
        "interleave = bil\nbyte order = 0\n"
    )
    path.with_suffix(".img").write_bytes(bytes(1000))
    assert "124000000000000 bytes, but its binary a.img has 1000" in refused(path)


def test_names_of_variables_cannot_break_the_sentence(tmp_path):
    from scipy.io import savemat

    path = tmp_path / "a.mat"
    savemat(path, {"cube": np.ones((4, 5)), "b" * 31: np.ones(3)}, format="4")
    path.write_bytes(path.read_bytes().replace(b"b" * 31, b"b\n\x01\x7f" + b"b" * 27))
    assert all(character.isprintable() for character in refused(path))


class FullDisk:
    """A band that meets the end of the disk, as each library says it."""

    def __init__(self, fault):
        self.fault, self.shape, self.dtype = fault, (3, 4, 5), np.dtype(np.float32)

    def __getitem__(self, band):
        if band:
            raise self.fault
        return np.ones((4, 5), np.float32)


def contents(folder):
    """Every file below a folder; a ``.zarr`` is a folder of them."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (OSError(errno.ENOSPC, "no", "/x/.tmp"), "the disk is full; make room"),
        (RuntimeError("unable to extend file, errno = 28, error"), "the disk is full; make room"),
        (OSError(errno.EFBIG, "no", "/x/.tmp"), "ulimit -f"),
        (RuntimeError("I/O error: File too large (os error 27)"), "ulimit -f"),
        (OSError("20 requested and 5 written"), "is the disk full?"),
    ],
)
def test_a_full_disk_is_said_in_plain_words(tmp_path, suffix, fault, words):
    path = write(Cube(np.zeros((2, 3, 4), np.float32)), tmp_path / f"a{suffix}")
    before = contents(tmp_path)
    with pytest.raises(FileError, match="it cannot be written") as told:
        write(Cube(FullDisk(fault)), path)
    assert words in str(told.value)
    assert ".tmp" not in str(told.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("pages", [1, 3])
def test_planes_of_colour_that_are_not_there_are_not_filled_with_what_memory_holds(tmp_path, pages):
    path = tmp_path / "a.tif"
    values = np.ones((pages, 12, 10, 3), np.uint8)
    tifffile.imwrite(path, values, photometric="rgb", compression="zlib", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as file:
        for page in file.pages:
            page.tags["PlanarConfiguration"].overwrite(256)
    assert "planar configuration is 256" in refused(path)


def test_a_label_image_is_believed_no_more(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(head((10**6, 10**6)) + bytes(1000))
    with pytest.raises(FileError, match=r"a\.npy"):
        read_labels(path)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((12, 10), np.uint8), compression="zlib", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageLength"].overwrite(12_000)
    with pytest.raises(FileError, match="damaged"):
        read_labels(path)


class TestReferences:
    """Few references of HDF5 make many ways; each array of them is read once (not each way)."""

    MANY = 300

    def write(self, path, fill) -> None:
        with h5py.File(path, "w") as file:
            file["cube"] = np.ones((31, 4, 4), np.float32)
            fill(file, lambda name: file.create_dataset(name, (self.MANY,), h5py.ref_dtype))

    @pytest.fixture
    def reads(self, monkeypatch):
        """Names of the arrays of references that are read in this process."""
        found, real = [], structure.checked

        def checked(path, item):
            if item.dtype.kind == "O":
                found.append(item.name)
            return real(path, item)

        monkeypatch.setattr(structure, "checked", checked)
        return found

    def test_cells_that_lead_to_themselves(self, tmp_path, reads):
        def fill(file, array):
            cells = array("cells")
            cells[:] = [cells.ref] * self.MANY

        self.write(tmp_path / "a.h5", fill)
        assert "10,001 cells; up to 10,000" in refused(tmp_path / "a.h5")
        assert reads == ["/cells"]

    def test_cells_that_end_nowhere(self, tmp_path, reads):
        def fill(file, array):
            group = file.create_group("#refs#/group")
            inner, cells = array("#refs#/inner"), array("cells")
            inner[:] = [group.ref] * self.MANY
            cells[:] = [cells.ref] + [inner.ref] * (self.MANY - 1)

        self.write(tmp_path / "a.h5", fill)
        assert "cells and what is inside of them; up to 30,000" in refused(tmp_path / "a.h5")
        assert len(reads) == 2

    def test_values_beside_the_cube(self, tmp_path, reads):
        def fill(file, array):
            levels = [array(f"#refs#/{level}") for level in range(5)]
            for outer, inner in itertools.pairwise(levels):
                outer[:] = [inner.ref] * self.MANY
            array("wavelengths")[:] = [levels[0].ref] * self.MANY

        self.write(tmp_path / "a.h5", fill)
        with h5py.File(tmp_path / "a.h5") as file:
            values = structure.References(tmp_path / "a.h5", file)
            with pytest.raises(FileError, match="references that are followed; up to 10,000"):
                values.value(file["wavelengths"])
        assert len(reads) <= 6  # 300 ** 5 ways

    def test_empty_ones(self, tmp_path, reads):
        """They are counted before they are looked at, however often the array is met."""

        def fill(file, array):
            empty = file.create_dataset("#refs#/empty", (limits.MOST_VALUES,), h5py.ref_dtype)
            cells = array("#refs#/cells")
            cells[0] = empty.ref
            array("wavelengths")[:] = [cells.ref] * self.MANY

        self.write(tmp_path / "a.h5", fill)
        with h5py.File(tmp_path / "a.h5") as file:
            values = structure.References(tmp_path / "a.h5", file)
            with pytest.raises(FileError, match="references; up to 1,000,000 are looked through"):
                values.value(file["wavelengths"])

    def test_what_two_references_lead_to_is_the_same(self, tmp_path):
        def fill(file, array):
            file["#refs#/one"], file["#refs#/two"] = [1.0, 2.0], [3.0]
            array("cells")[:3] = [file[f"#refs#/{name}"].ref for name in ("one", "two", "one")]

        self.write(tmp_path / "a.h5", fill)
        with h5py.File(tmp_path / "a.h5") as file:
            values = structure.References(tmp_path / "a.h5", file).value(file["cells"])
        assert [list(value) for value in values] == [[1, 2], [3], [1, 2]]


def test_more_bands_than_any_camera_has_are_another_axis(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((1, 1, 1_000_001), np.uint8))
    with pytest.raises(FileError, match="1,000,001 bands are more than any camera has"):
        read(tmp_path / "a.npy", axes="yxb")


def test_a_header_is_not_called_damaged_where_there_is_no_room_for_its_copy(tmp_path, monkeypatch):
    write(Cube(np.ones((2, 2, 2))), tmp_path / "a.hdr")

    def nowhere():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryDirectory", nowhere)
    with pytest.raises(FileError, match="TMPDIR names another one"):
        read(tmp_path / "a.hdr")
