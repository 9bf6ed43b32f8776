"""Files that claim, point or nest without end: each gives one sentence, or a cube with a notice."""

from __future__ import annotations

import io
import os
import sys
import time
import zipfile
import zlib
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest
import tifffile

from napari_hsr.errors import FileError
from napari_hsr.io import can_read, limits, read, stacks
from napari_hsr.io.hdf5 import probe, structure
from napari_hsr.io.hdf5.chunks import CheckedDataset
from napari_hsr.io.libraries import is_library, read_library
from napari_hsr.io.number_parsing import number, whole
from napari_hsr.notices import Code, has
from napari_hsr.viewer import fingerprints

SHAPE = (31, 12, 10)
posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices in folders")


def refused(path, match=None):
    begin = time.process_time()
    with pytest.raises(FileError, match=match) as told:
        read(path)
    assert time.process_time() - begin < 5
    assert len(str(told.value)) < 500 + len(str(path))
    return str(told.value)


@pytest.fixture
def values():
    return np.random.default_rng(0).random(SHAPE, dtype=np.float32)


class Watched:
    """A data set of h5py, or its identifier, that notes when the library walks through its chunks."""

    def __init__(self, inner, walks=None):
        self._inner, self.walks = inner, [] if walks is None else walks

    def __getattr__(self, name):
        if name in ("chunk_iter", "get_chunk_info", "get_chunk_info_by_coord"):
            self.walks.append(name)
        found = getattr(self._inner, name)
        return Watched(found, self.walks) if name == "id" else found

    def __getitem__(self, key):
        return self._inner[key]


class TestHdf5:
    @pytest.mark.parametrize("cut", [0.0, 0.5, 0.99])
    @pytest.mark.parametrize("suffix", [".h5", ".mat"])
    def test_hdf5_gives_out_no_memory_of_the_process_for_a_chunk_that_unpacks_to_less_than_its_size(
        self, tmp_path, values, cut, suffix
    ):
        path = tmp_path / f"a{suffix}"
        with h5py.File(path, "w") as file:
            stored = file.create_dataset("cube", SHAPE, "f4", chunks=SHAPE, compression="gzip")
            content = values.tobytes()
            packed = zlib.compress(content[: int(cut * len(content))])
            stored.id.write_direct_chunk((0, 0, 0), packed)
        refused(path, "came out")

    def test_a_chunk_of_gigabytes(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            size = (31, 6000, 5000)
            stored = file.create_dataset("cube", size, "f4", chunks=size, compression="gzip")
            stored.id.write_direct_chunk((0, 0, 0), zlib.compress(b"1234"))
        with pytest.raises(FileError, match="--allow-large"):
            np.asarray(read(tmp_path / "a.h5").data[0])

    @pytest.mark.parametrize("options", [
        {}, {"chunks": (3, 5, 4)}, {"chunks": True, "compression": "gzip", "shuffle": True},
        {"chunks": (31, 7, 3), "compression": "lzf", "fletcher32": True},
        {"chunks": (4, 4, 4), "scaleoffset": 4, "dtype": "i4"},
    ])  # fmt: skip
    def test_whole_data_sets_are_read_as_the_library_does(self, tmp_path, values, options):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset(
                "cube", data=(values * 9).astype(options.pop("dtype", "f4")), **options
            )
        with h5py.File(path) as file:
            stored = file["cube"]
            ours = CheckedDataset(path, stored)
            for key in ((), (3,), (slice(1, 30, 7), slice(0, 12, 5), 2), (slice(2, 2),)):
                np.testing.assert_array_equal(ours[key], stored[key])

    @pytest.mark.parametrize("libver", ["earliest", "latest"])
    @pytest.mark.parametrize("compression", [None, "gzip"])
    def test_the_places_of_many_chunks_are_found_in_one_walk(
        self, tmp_path, values, libver, compression
    ):
        with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
            stored = file.create_dataset(
                "cube", SHAPE, "f4", chunks=(2, 5, 3), compression=compression, fillvalue=7
            )
            stored[:, 5:] = values[:, 5:]  # the first row of chunks is never written

        with h5py.File(tmp_path / "a.h5") as file:
            stored = file["cube"]
            watched = Watched(stored)
            ours = CheckedDataset(tmp_path / "a.h5", watched)
            for key in ((), (30,), (slice(1, 30, 7), slice(0, 12, 5), 2)):
                np.testing.assert_array_equal(ours[key], stored[key])
            assert len(watched.walks) == 1

    def test_chunks_that_are_none_of_the_data_set(self, tmp_path, values):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            stored = file.create_dataset("cube", data=values, chunks=(1, 12, 10))
            at = stored.id.get_chunk_info(5).byte_offset
        content = bytearray(path.read_bytes())
        key = np.array([5, 0, 0, 0], "<u8").tobytes() + at.to_bytes(8, "little")
        place = content.index(key)
        content[place : place + 8] = (10**6).to_bytes(8, "little")
        path.write_bytes(content)
        refused(path)

    def test_a_checksum_that_does_not_fit(self, tmp_path, values):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            stored = file.create_dataset("cube", data=values, chunks=SHAPE, fletcher32=True)
            at = stored.id.get_chunk_info(0).byte_offset
        content = bytearray(path.read_bytes())
        content[at + 5] ^= 1
        path.write_bytes(content)
        refused(path, "checksum")

    @pytest.mark.parametrize("name", ["wavelengths", "fwhm", "napari_hsr"])
    def test_a_vast_list_beside_the_cube(self, tmp_path, values, name):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["cube"] = values
            if name == "fwhm":
                file["wavelengths"] = np.linspace(400, 700, 31)
            file.create_dataset(name, (10**9,), "f8")
        refused(tmp_path / "a.h5", "looked through")

    def test_groups_and_members_without_end(self, tmp_path):
        with h5py.File(tmp_path / "deep.h5", "w", libver="latest") as file:
            group = file
            for _ in range(400):
                group = group.create_group("g")
            group["cube"] = np.ones(SHAPE)
        refused(tmp_path / "deep.h5", "deep")
        with h5py.File(tmp_path / "wide.h5", "w") as file:
            for number_ in range(limits.MOST_ENTRIES + 1):
                file.create_group(str(number_))
        refused(tmp_path / "wide.h5", "groups and data sets")

    def test_other_files_of_the_machine(self, tmp_path, values):
        secret = tmp_path / "elsewhere" / "secret.bin"
        secret.parent.mkdir()
        secret.write_bytes(values.tobytes())
        with h5py.File(tmp_path / "elsewhere" / "b.h5", "w") as file:
            file["cube"] = values
        folder = tmp_path / "here"
        folder.mkdir()
        with h5py.File(folder / "external.h5", "w") as file:
            file.create_dataset("cube", SHAPE, "f4", external=[(str(secret), 0, values.nbytes)])
        refused(folder / "external.h5", "outside of it")
        for name in (tmp_path / "elsewhere" / "b.h5", "../elsewhere/b.h5"):
            layout = h5py.VirtualLayout(SHAPE, "f4")
            layout[...] = h5py.VirtualSource(str(name), "cube", shape=SHAPE)
            with h5py.File(folder / "virtual.h5", "w") as file:
                file.create_virtual_dataset("cube", layout)
            refused(folder / "virtual.h5", "outside of its folder")
        with h5py.File(folder / "link.h5", "w") as file:
            file["cube"] = h5py.ExternalLink(str(tmp_path / "elsewhere" / "b.h5"), "cube")
        refused(folder / "link.h5", "no variables")

    def test_a_virtual_data_set_of_itself_and_one_of_its_folder(self, tmp_path, values):
        for name in ("a.h5", "."):
            layout = h5py.VirtualLayout(SHAPE, "f4")
            layout[...] = h5py.VirtualSource(name, "cube", shape=SHAPE)
            with h5py.File(tmp_path / "a.h5", "w") as file:
                file.create_virtual_dataset("cube", layout)
            refused(tmp_path / "a.h5", "no plain data set")
        with h5py.File(tmp_path / "b.h5", "w") as file:
            file["cube"] = values
        layout = h5py.VirtualLayout(SHAPE, "f4")
        layout[...] = h5py.VirtualSource("b.h5", "cube", shape=SHAPE)
        with h5py.File(tmp_path / "c.h5", "w") as file:
            file.create_virtual_dataset("cube", layout)
        found = read(tmp_path / "c.h5")
        assert has(found.notices, Code.OTHER_FILES_READ)
        np.testing.assert_array_equal(np.asarray(found.data), values)

    def test_texts_whose_place_has_no_end(self, tmp_path, values):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file["cube"] = values
            file["cube"].attrs["units"] = "reflectance"
        content = bytearray(path.read_bytes())
        at = content.index(b"GCOL") + 16
        content[at : at + 16] = bytes(16)  # no index and no size: met again and again
        path.write_bytes(content)
        refused(path, "do not fill")


class TestPackedArrays:
    def test_an_archive_that_swells(self, tmp_path):
        path = tmp_path / "a.npz"
        head = io.BytesIO()
        shape = (31, 2500, 2500)
        np.lib.format.write_array_header_1_0(
            head, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("cube.npy", "w") as member,
        ):
            member.write(head.getvalue())
            for _ in range(31):
                member.write(bytes(4 * 2500 * 2500))
        refused(path, "--allow-large")
        assert limits.ASKED_FROM < 31 * 2500 * 2500 * 4
        with limits.allowing_large():
            limits.check_room(path, 600_000_000, "it")

    def test_too_many_arrays(self, tmp_path, values):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            for index in range(2_001):
                archive.writestr(f"v{index}.npy", b"")
        refused(tmp_path / "a.npz", "arrays")


class TestTiff:
    def test_a_chain_that_breaks_or_leads_back(self, tmp_path, values):
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, values, photometric="minisblack", metadata=None)
        whole_file = path.read_bytes()
        with tifffile.TiffFile(path) as file:
            first, second = file.pages[0].offset, file.pages[1].offset
        at = whole_file.index(second.to_bytes(4, "little"), first)
        for target in (second + 1, len(whole_file) + 8, first):
            content = bytearray(whole_file)
            content[at : at + 4] = target.to_bytes(4, "little")
            path.write_bytes(content)
            refused(path, "breaks off|leads back")

    def test_fewer_pages_than_the_description_tells(self, tmp_path, values):
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, values, photometric="minisblack", compression="zlib")
        content = bytearray(path.read_bytes())
        first = int.from_bytes(content[4:8], "little")
        at = first + 2 + 12 * int.from_bytes(content[first : first + 2], "little")
        assert any(content[at : at + 4])
        content[at : at + 4] = bytes(4)
        path.write_bytes(content)
        refused(path, "cut short")


class TestRecords:
    @pytest.mark.parametrize("record", [
        {"layout": 1, "name": [1]}, {"layout": 1, "provenance": {"steps": "x", "extra": [1]}},
        {"layout": 1, "provenance": {"weights_sha256": 5}}, {"layout": 1, "units": {}},
        {"layout": 1, "place": {"pixel": [10**400, 1], "origin": [0, 0]}}, {"layout": 1, "metadata": 3},
    ])  # fmt: skip
    def test_what_is_none_is_left_out_and_told(self, tmp_path, values, record):
        import json

        np.savez(tmp_path / "a.npz", cube=values, napari_hsr=json.dumps(record))
        found = read(tmp_path / "a.npz")
        assert has(found.notices, Code.RECORD_UNUSABLE, Code.PLACE_UNUSABLE)

    @pytest.mark.parametrize("depth", [100, 900, 50_000])
    def test_lists_without_end(self, tmp_path, values, depth):
        text = '{"layout": 1, "metadata": {"a": ' + "[" * depth + "]" * depth + "}}"
        np.savez(tmp_path / "a.npz", cube=values, napari_hsr=text)
        assert has(read(tmp_path / "a.npz").notices, Code.RECORD_UNUSABLE)

    @pytest.mark.parametrize("listed", ["[[1], 2]", "[" + "9" * 400 + "]", '[{"a": 1}]', "[true]"])
    def test_wavelengths_that_are_none(self, tmp_path, values, listed):
        path = tmp_path / "a.tif"
        text = f'{{"wavelengths": {listed}}}'
        tifffile.imwrite(path, values, photometric="minisblack", metadata=None, description=text)
        assert has(read(path).notices, Code.WAVELENGTHS_UNUSABLE)

    def test_a_long_double_beside_the_cube(self, tmp_path, values):
        np.savez(tmp_path / "a.npz", cube=values, norm_factor=np.array(["0.5"], np.longdouble))
        assert read(tmp_path / "a.npz").metadata["norm_factor"] == 0.5


@posix
def test_pipes_and_devices_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    refused(tmp_path / "a.png", "a pipe")
    refused("/dev/zero", "a device")


@posix
def test_a_pipe_that_is_dropped_on_the_viewer_is_no_file_to_wait_for(tmp_path):
    for name in ("a.mat", "a.csv", "a.tif", "a.gif", "a", "a.hdr", "a.img"):
        os.mkfifo(tmp_path / name)
        can_read(tmp_path / name)
        is_library(tmp_path / name)
        stacks.can_read_stack(str(tmp_path / name))
    for band in range(1, 32):
        (tmp_path / "scene").mkdir(exist_ok=True)
        os.mkfifo(tmp_path / "scene" / f"x_{band:02d}.png")
    assert not can_read(tmp_path / "scene")
    with pytest.raises(FileError, match="a pipe"):
        list(fingerprints._blocks(tmp_path / "a.mat"))


@pytest.mark.parametrize("text", ["²", "٣", "", "1" * 100, "0x10", "1_000", "1e99999", "--1"])
def test_what_is_no_number(text):
    assert number(text) is None
    assert whole(text) is None


def test_numbers():
    assert [number(t) for t in ("1", "-.5", "1e3", " 7 ")] == [1, -0.5, 1000, 7]
    assert np.isnan(number("nan"))
    assert [whole(t) for t in ("31", "31.0", "1.5", "1e300", "inf")] == [31, 31, None, None, None]


def test_a_header_of_endless_lines_is_refused_at_once(tmp_path):
    path = tmp_path / "a.hdr"
    head = "ENVI\nsamples = 2\nlines = 2\nbands = 4\ndata type = 1\ninterleave = bsq\n"
    path.write_text(head + "k = 1\n" * 1_000_000)  # minutes, in `spectral`
    path.with_suffix(".img").write_bytes(bytes(16))
    refused(path, "lines; up to 40,000 are looked through")


def test_spectra_of_sizes_that_nothing_can_be_computed_with(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("wavelength,a,b\n" + "".join(f"{nm},{nm}e-200,1\n" for nm in (400, 500, 600)))
    with pytest.raises(FileError, match="too small to compute with"):
        read_library(path)
    path.write_text("wavelength,a,b\n" + "".join(f"{nm},1,{nm}e200\n" for nm in (400, 500, 600)))
    library = read_library(path)
    assert has(library.notices, Code.NO_DATA)
    np.testing.assert_array_equal(library.values, [[1, 1, 1], [np.nan] * 3])


def test_the_values_of_a_cube_are_not_read_to_look_at_a_file(tmp_path, monkeypatch):
    """Hundreds of thousands of chunks take longer than looking may: such files were called damaged."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("cube", data=np.ones((3, 4, 5), "f4"), chunks=(1, 1, 1))
        file["wavelength"] = [400.0, 500.0, 600.0]
    asked = []
    value = structure.References.value
    monkeypatch.setattr(
        structure.References,
        "value",
        lambda self, item: asked.append(item.name) or value(self, item),
    )
    probe.look(tmp_path / "a.h5")
    assert asked == ["/wavelength"]


def test_gdals_items_are_parsed_once(tmp_path, monkeypatch):
    """A tag may hold hundreds of thousands; each of six looks had parsed them anew."""
    parsed = []
    parse = ElementTree.fromstring
    monkeypatch.setattr(ElementTree, "fromstring", lambda text: parsed.append(text) or parse(text))
    items = "".join(f'<Item name="k{i}" sample="{i % 4}">v</Item>' for i in range(100))
    tag = (42112, "s", 0, f"<GDALMetadata>{items}</GDALMetadata>", True)
    stored = np.ones((4, 8, 8), "u2")
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric="minisblack", metadata=None, extratags=[tag]
    )
    read(tmp_path / "a.tif")
    assert sum("GDALMetadata" in str(text) for text in parsed) == 1
