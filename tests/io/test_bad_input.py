"""Files that are missing, empty, cut short, mislabelled or odd: one clear sentence each."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.io import savemat

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import FileError, InputError
from napari_hsr.io import READ_SUFFIXES, WRITE_SUFFIXES, can_read, read, write

RNG = np.random.default_rng(3)


def fault(path) -> str:
    with pytest.raises(FileError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(str(path.parent))
    assert "\n" not in text
    assert text.endswith(".")
    assert "Traceback" not in text
    return text


def _envi(path):
    write(Cube(RNG.random((5, 40, 50)).astype(np.float32)), path)


def _jpeg(path):
    Image.fromarray(RNG.integers(0, 255, (40, 50, 3), np.uint8)).save(path)


def _pages(path):
    with tifffile.TiffWriter(path) as file:
        for _ in range(31):
            file.write(
                RNG.random((20, 30)).astype(np.float32),
                contiguous=False,
                metadata=None,
                compression="lzw",
            )


def _mat73(path):
    with h5py.File(path, "w") as file:
        file["cube"] = RNG.random((31, 20, 30))


CUBE = RNG.random((31, 20, 30)).astype(np.float32)
GOOD = {
    "five.mat": lambda p: savemat(p, {"cube": CUBE}),
    "five_packed.mat": lambda p: savemat(p, {"cube": CUBE}, do_compression=True),
    "seven.mat": _mat73,
    "ours.mat": lambda p: write(Cube(CUBE), p),
    "a.h5": lambda p: write(Cube(CUBE), p),
    "a.hdr": _envi,
    "a.tif": lambda p: write(Cube(CUBE), p),
    "pages.tif": _pages,
    "photo.tif": lambda p: tifffile.imwrite(p, np.ones((40, 50, 3), np.uint16), photometric="rgb"),
    "a.npy": lambda p: np.save(p, CUBE),
    "a.npz": lambda p: np.savez_compressed(p, cube=CUBE),
    "a.png": _jpeg,
    "a.jpg": _jpeg,
    "a.bmp": _jpeg,
}


@pytest.mark.parametrize("name", sorted(GOOD))
class TestDamaged:
    def test_the_whole_file_opens(self, tmp_path, name):
        GOOD[name](tmp_path / name)
        assert can_read(tmp_path / name)
        read(tmp_path / name)

    def test_empty(self, tmp_path, name):
        (tmp_path / name).touch()
        assert "empty" in fault(tmp_path / name)

    def test_a_text_file_of_that_name(self, tmp_path, name):
        (tmp_path / name).write_text("Dear colleague,\nthe data are on the other disk.\n")
        assert "this is a text file" in fault(tmp_path / name)

    def test_rubbish_of_that_name(self, tmp_path, name):
        (tmp_path / name).write_bytes(bytes([200, 3, 1, 0]) * 300)
        fault(tmp_path / name)

    @pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.99])
    def test_cut_short(self, tmp_path, name, share):
        path = tmp_path / name
        GOOD[name](path)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        fault(path)

    def test_a_hole_in_the_head(self, tmp_path, name):
        """Bytes lost behind the signature: a sentence, or what could be saved; no other fault."""
        path = tmp_path / name
        GOOD[name](path)
        content = path.read_bytes()
        for at in range(8, min(len(content), 600), 37):
            path.write_bytes(content[:at] + bytes([255] * 6) + content[at + 6 :])
            with suppress(FileError):
                read(path)


@pytest.mark.parametrize("suffix", READ_SUFFIXES)
def test_missing_file(tmp_path, suffix):
    assert "no such file" in fault(tmp_path / f"gone{suffix}")
    assert can_read(tmp_path / f"gone{suffix}")  # so that read() says it


def test_nothing_of_ours_is_left_to_others(tmp_path):
    (tmp_path / "notes.txt").write_text("ENVIRONMENT\nwet")
    (tmp_path / "data").write_bytes(bytes(range(256)))
    (tmp_path / "folder").mkdir()
    for name in ("notes.txt", "data", "folder", "gone.txt"):
        assert not can_read(tmp_path / name)
        fault(tmp_path / name)


@pytest.mark.parametrize("path", [None, 3, "", " ", b"a.mat", ["a.mat"], CUBE[0, 0, :2], "a\0.mat"])
def test_what_is_no_path(path, cube):
    for call in (read, lambda path: write(cube, path)):
        with pytest.raises(InputError, match=r"(?i)path") as caught:
            call(path)
        assert "\n" not in str(caught.value)
    assert not can_read(path)


def test_the_home_of_nobody_is_a_missing_file():
    with pytest.raises(FileError, match="no such file"):
        read("~nobody-of-that-name-7/a.mat")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, CUBE)
    path.chmod(0)
    assert "denied" in fault(path).lower()


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
def test_nan_infinity_and_negative_values_are_kept(tmp_path, suffix):
    data = np.full((3, 4, 5), -2.5, np.float32)
    data[0, 0, :3] = [np.nan, np.inf, -np.inf]
    back = read(write(Cube(data), tmp_path / f"a{suffix}"))
    np.testing.assert_array_equal(np.asarray(back.data), data)
    assert back.value_range == (-2.5, -2.5)
    assert "3 values are NaN or infinite; they are kept." in back.notices
    data[0, 0, :3] = [0, np.nan, 0]
    back = read(write(Cube(data), tmp_path / f"a{suffix}"))
    assert "1 value is NaN or infinite; it is kept." in back.notices
    data[:] = 1
    back = read(write(Cube(data), tmp_path / f"a{suffix}"))
    assert not any("NaN" in n for n in back.notices)


def test_large_files_on_disk_are_not_searched_for_nan(tmp_path, monkeypatch):
    from napari_hsr.io import build_cube

    data = np.full((3, 4, 5), np.nan, np.float32)
    path = write(Cube(data), tmp_path / "a.hdr")
    assert any("60 values are NaN" in n for n in read(path).notices)
    monkeypatch.setattr(build_cube, "COUNTED_ON_DISK_BYTES", 100)
    assert not any("NaN" in n for n in read(path).notices)


def held_at_a_time(monkeypatch, count):
    """So many values are held while a cube is written."""
    from napari_hsr.io import stored_numbers
    from napari_hsr.io.zarr import files

    monkeypatch.setattr(stored_numbers, "_FEW_VALUES", count)
    monkeypatch.setattr(files, "_HELD_VALUES", count)


class TestWriting:
    @pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
    def test_a_fault_half_way_leaves_the_old_file(
        self, tmp_path, suffix, make_cube, assert_same_cube, monkeypatch
    ):
        held_at_a_time(monkeypatch, 60)

        class Broken:
            shape, dtype, ndim = (7, 5, 6), np.dtype(np.float32), 3

            def __getitem__(self, bands):
                if 4 in np.atleast_1d(np.arange(7)[bands]):
                    raise OSError("the network drive went away")
                return np.zeros(self.shape, np.float32)[bands]

        old = make_cube()
        path = write(old, tmp_path / f"a{suffix}")
        before = sorted(p.name for p in tmp_path.iterdir())
        for target in (path, tmp_path / f"new{suffix}"):
            with pytest.raises(FileError, match="the network drive went away"):
                write(Cube(Broken()), target)
        assert sorted(p.name for p in tmp_path.iterdir()) == before
        assert_same_cube(read(path), old)

    def test_an_interrupt_leaves_nothing_behind(self, tmp_path):
        class Interrupted:
            shape, dtype, ndim = (7, 5, 6), np.dtype(np.float32), 3

            def __getitem__(self, band):
                raise KeyboardInterrupt

        for suffix in WRITE_SUFFIXES:
            with pytest.raises(KeyboardInterrupt):
                write(Cube(Interrupted()), tmp_path / f"a{suffix}")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("name", ["a.jpg", "a.npy", "a", "a.png", "a.img"])
    def test_suffixes_that_do_not_fit_a_cube(self, tmp_path, name, cube):
        with pytest.raises(FileError, match=r"\.mat, \.hdr, \.tif"):
            write(cube, tmp_path / name)
        assert not list(tmp_path.iterdir())

    def test_places_that_do_not_exist(self, tmp_path, cube):
        with pytest.raises(FileError, match="does not exist"):
            write(cube, tmp_path / "nowhere" / "a.mat")
        (tmp_path / "folder.mat").mkdir()
        with pytest.raises(FileError, match="folder"):
            write(cube, tmp_path / "folder.mat")

    def test_a_bare_array(self, tmp_path):
        with pytest.raises(InputError, match=r"Cube\(array\)"):
            write(np.zeros((3, 4, 5)), tmp_path / "a.mat")

    @pytest.mark.skipif(os.name != "posix", reason="links and modes are POSIX")
    def test_links_are_followed_and_modes_kept(self, tmp_path, cube, assert_same_cube):
        (tmp_path / "store").mkdir()
        real = write(cube, tmp_path / "store" / "real.mat")
        real.chmod(0o640)
        link = tmp_path / "link.mat"
        link.symlink_to(real)
        other = cube.replace(name="other")
        write(other, link)
        assert link.is_symlink()
        assert_same_cube(read(real), other)
        assert real.stat().st_mode & 0o777 == 0o640

    def test_new_files_have_the_usual_mode(self, tmp_path, cube):
        (tmp_path / "usual").touch()
        path = write(cube, tmp_path / "a.h5")
        assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode

    @pytest.mark.parametrize("suffix", [".mat", ".h5", ".tif", ".npz"])
    def test_onto_the_file_it_is_read_from(
        self, tmp_path, monkeypatch, suffix, make_cube, assert_same_cube
    ):
        from napari_hsr.io import lazy

        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 100)
        old = make_cube()
        path = write(old, tmp_path / f"a{suffix}")
        cube = read(path)
        assert not cube.in_memory
        write(cube.replace(name="new"), path)
        assert_same_cube(read(path), old.replace(name="new"))
        np.testing.assert_array_equal(np.asarray(cube.data), old.data)


def test_a_cube_on_disk_is_streamed(tmp_path, monkeypatch):
    """At no time are more bands asked for than those of some megabytes."""
    held_at_a_time(monkeypatch, 2 * 8 * 9)

    class Wide:
        shape, dtype, ndim = (6, 8, 9), np.dtype(np.float32), 3

        def __init__(self):
            self.asked = []

        def __getitem__(self, key):
            self.asked.append(key)
            return np.full(self.shape, 3, np.float32)[key]

        def __array__(self, *_, **__):
            raise AssertionError("the whole cube was loaded")

    for suffix in WRITE_SUFFIXES:
        wide = Wide()
        write(Cube(wide), tmp_path / f"a{suffix}")
        bands = [np.atleast_1d(np.arange(6)[key]).tolist() for key in wide.asked]
        assert np.concatenate(bands).tolist() == list(range(6))
        assert max(map(len, bands)) <= 2


def test_several_threads_read_one_lazy_file(tmp_path, monkeypatch):
    from napari_hsr.io import lazy

    monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 100)
    for name in ("seven.mat", "pages.tif"):
        GOOD[name](tmp_path / name)
        cube = read(tmp_path / name)
        whole, faults = np.asarray(cube.data), []

        def look(cube=cube, whole=whole, faults=faults):
            for band in range(31):
                if not np.array_equal(cube.data[band], whole[band]):
                    faults.append(band)

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults
        del cube


@pytest.mark.parametrize("suffix", [".npz", ".tif", ".h5", ".mat"])
def test_a_damaged_file_is_not_taken_for_the_binary_of_a_header_beside_it(tmp_path, suffix):
    cube = Cube(np.ones((31, 4, 5), np.float32), Wavelengths(np.linspace(400, 700, 31)))
    write(cube, tmp_path / "a.hdr")
    (tmp_path / f"a{suffix}").write_bytes(b"\0\1" + bytes(range(255)) * 40)
    with pytest.raises(FileError, match=rf"a\{suffix}"):
        read(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("head", [b"RIFF\0\0\0\0WEBP", b"\x89PNG\r\n\x1a\n", b"BM"])
def test_no_object_of_python_is_named(tmp_path, head):
    path = tmp_path / "a.webp"
    path.write_bytes(head + bytes(30))
    with pytest.raises(FileError) as caught:
        read(path)
    assert " at 0x" not in str(caught.value)


def test_importing_the_room_loads_no_format():
    code = (
        "import sys, napari_hsr.io; napari_hsr.io.can_read('a.mat');"
        "print([m for m in ('h5py', 'scipy', 'spectral', 'tifffile', 'PIL', 'imagecodecs', 'torch')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
