"""What is left after a process was killed while it wrote, and what two writers at once do."""

from __future__ import annotations

import asyncio
import errno
import json
import multiprocessing
import os
import shutil
import signal
import stat
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from napari_hsr import Cube, Photograph, Wavelengths, spectra
from napari_hsr.cli.interrupt import ending_cleanly
from napari_hsr.errors import FileError, InputError
from napari_hsr.io import atomic, read, write
from napari_hsr.io.file_sets import files_read, files_written, replaces, shared, standing_at
from napari_hsr.io.hdf5 import writing as hdf5_created
from napari_hsr.io.label_images import write_labels
from napari_hsr.spectral_library import SpectralLibrary

from ..killed import Failing, killed
from ..thorough import thorough

posix = pytest.mark.skipif(sys.platform == "win32", reason="forks, and pipes in folders")


def cube(value, bands=31):
    nm = np.linspace(400, 700, bands)
    return Cube(np.full((bands, 4, 5), value, np.float32), Wavelengths(nm))


@posix
@pytest.mark.parametrize(
    "suffix", thorough([".hdr", ".mat", ".npz", ".tif", ".h5", ".zarr"], always=[".hdr", ".mat"])
)
@pytest.mark.parametrize("before", thorough([True, False], always=[True]))
def test_a_kill_at_any_point_leaves_the_old_or_the_new_cube(tmp_path, suffix, before):
    """Before a change of the folder, which is after the one that was made last, or right after it."""
    path = tmp_path / f"x{suffix}"
    old, new = cube(0.25), cube(0.5, bands=7)
    write(old, path)
    points = killed(lambda: write(new, path), 0, before=False)
    assert points >= 2
    # zarr makes each of its files by a change of the folder: the last ones put the store in place
    for at in range(max(1, points - 12), points + 1) if suffix == ".zarr" else range(1, points + 1):
        for left in tmp_path.iterdir():
            left.unlink() if left.is_file() else shutil.rmtree(left)
        write(old, path)
        killed(lambda: write(new, path), at, before)
        found = read(path)
        assert found.shape in (old.shape, new.shape), (at, before)
        assert np.asarray(found.data).max() == (0.25 if found.bands == 31 else 0.5)
        del found
        write(new, path)  # the next run clears up
        assert not [f.name for f in tmp_path.iterdir() if f.name.startswith(".")]


@posix
def test_a_kill_between_the_files_of_a_new_pair_does_not_stand_in_the_way(tmp_path):
    path = tmp_path / "x.hdr"
    points = killed(lambda: write(cube(0.5), path), 0, before=False)
    for at in range(1, points + 1):
        for left in tmp_path.iterdir():
            left.unlink()
        killed(lambda: write(cube(0.5), path), at, before=False)
        with atomic.expecting(standing_at([path])):  # as a command does before it computes
            write(cube(0.25), path)
        assert np.asarray(read(path).data).max() == 0.25
        assert sorted(f.name for f in tmp_path.iterdir()) == ["x.hdr", "x.img"]


@pytest.mark.parametrize("suffix", [".hdr", ".mat", ".tif", ".zarr"])
def test_a_protected_file_is_not_replaced(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"x{suffix}"
    write(cube(0.25), path)
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)  # root may do all
    for door in (lambda: write(cube(0.5), path), lambda: replaces(path, [])):
        with pytest.raises(FileError, match="it is protected"):
            door()
    assert np.asarray(read(path).data).max() == 0.25


@posix
@pytest.mark.parametrize(
    "suffix",
    thorough(
        [".hdr", ".mat", ".npz", ".tif", ".h5", ".zarr", ".csv", ".json"],
        always=[".hdr", ".mat", ".csv"],
    ),
)
@pytest.mark.parametrize("before", thorough([True, False], always=[True]))
def test_sigterm_at_any_point_leaves_the_old_or_the_new_file_and_nothing_else(
    tmp_path, suffix, before
):
    path = tmp_path / f"x{suffix}"

    def put(value):
        if suffix not in (".csv", ".json"):
            return write(cube(value), path)
        return spectra.write_table([spectra.pixel(cube(value), 0, 0)], path)

    def work():
        with ending_cleanly():
            put(0.5)

    def whole():
        if suffix not in (".csv", ".json"):
            return float(np.asarray(read(path).data).max())
        return 0.5 if "0.5" in path.read_text() else 0.25

    put(0.25)
    names = {left.name for left in tmp_path.iterdir()}
    points = killed(work, 0, before=False)
    assert points >= 1
    # of the files of a store, which are made alike, every third, and all changes at the end
    every = 3 if suffix == ".zarr" else 1
    for at in sorted({*range(1, points + 1, every), *range(max(1, points - 6), points + 1)}):
        killed(work, at, before, lambda: os.kill(os.getpid(), signal.SIGTERM))
        assert {left.name for left in tmp_path.iterdir()} == names, (at, before)
        found = whole()
        assert found in (0.25, 0.5), (at, before)
        if found != 0.25:
            put(0.25)


@posix
@pytest.mark.parametrize(("name", "usual"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_that_ends_has_its_usual_status(name, usual):
    child = os.fork()
    if not child:
        status = 1
        try:
            with ending_cleanly():
                os.kill(os.getpid(), getattr(signal, name))
        except SystemExit as end:
            status = end.code
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == usual


@posix
def test_what_a_signal_does_already_it_goes_on_doing():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with ending_cleanly():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@posix
def test_what_a_killed_writer_left_goes_and_nothing_else(tmp_path):
    (tmp_path / ".mine.tmp").write_text("a user's own")
    other = tmp_path / f".x.mat.00000000-{os.getpid()}-12345678.tmp"  # of another machine
    other.write_text("half")
    alive = atomic.beside(tmp_path / "y.mat", "tmp")
    alive.write_text("half")
    killed(lambda: write(cube(1), tmp_path / "x.mat"), 1, before=True)
    dead = {f.name for f in tmp_path.iterdir()} - {".mine.tmp", other.name, alive.name}
    assert len(dead) == 1
    write(cube(1), tmp_path / "z.mat")
    left = {f.name for f in tmp_path.iterdir()}
    assert left == {".mine.tmp", other.name, alive.name, "z.mat"}


@pytest.mark.parametrize(
    "pairs",
    [
        [["../evil", "x.hdr"]],
        [[".x.hdr.tmp", "x.hdr"]],
        [["a"], ["b"]],
        {"x": 1},
        [[[]]],
        [
            [".other.txt.{owner}-12345678.tmp", "other.txt"],
            [".x.hdr.{owner}-12345678.tmp", "x.hdr"],
        ],
    ],
)
def test_a_made_up_note_of_a_swap_moves_nothing(tmp_path, pairs):
    owner = f"{atomic._MACHINE}-999999999"
    text = json.dumps(pairs).replace("{owner}", owner)
    (tmp_path / f".x.hdr.{owner}-00000000.swap").write_text(text)
    for name in (".other.txt", ".x.hdr"):
        (tmp_path / f"{name}.{owner}-12345678.tmp").write_text("ENVI")
    before = {f.name for f in tmp_path.iterdir()}
    with pytest.raises(FileError, match="no such file"):
        read(tmp_path / "x.hdr")
    assert {f.name for f in tmp_path.iterdir()} == before


class TestInputsAndOutputs:
    @pytest.mark.parametrize("source", ["x.hdr", "x.img"])
    @pytest.mark.parametrize("target", ["x.hdr", "x.img"])
    def test_either_name_of_a_pair_stands_for_both_files(self, tmp_path, source, target):
        write(cube(1), tmp_path / "x.hdr")
        assert shared(files_written(tmp_path / target), files_read(tmp_path / source))
        assert not shared(files_written(tmp_path / "y.hdr"), files_read(tmp_path / source))

    @posix
    def test_links_and_second_names(self, tmp_path):
        write(cube(1), tmp_path / "x.hdr")
        (tmp_path / "soft.img").symlink_to(tmp_path / "x.img")
        os.link(tmp_path / "x.img", tmp_path / "hard.bin")
        for name in ("soft.img", "hard.bin"):
            assert shared(files_written(tmp_path / name), files_read(tmp_path / "x.hdr"))

    def test_a_plane_of_a_scene(self, tmp_path):
        from napari_hsr.io.folders.cave import write_scene

        write_scene(cube(0.5), tmp_path / "scene_ms")
        plane = tmp_path / "scene_ms" / "scene_ms_03.png"
        assert shared(files_written(plane), files_read(tmp_path / "scene_ms"))

    def test_what_lies_in_a_store_goes_with_it(self, tmp_path):
        write(cube(1), tmp_path / "x.zarr")
        write(cube(1), tmp_path / "x.zarr" / "inside.npz")
        inside = files_read(tmp_path / "x.zarr" / "inside.npz")
        assert shared(files_written(tmp_path / "x.zarr"), inside)

    @pytest.mark.parametrize("name", ["x.img", "x.hdr"])
    def test_the_command_line_keeps_its_input(self, tmp_path, name):
        from napari_hsr.cli.files import prepare_output

        write(cube(1), tmp_path / "x.hdr")
        with pytest.raises(InputError, match="is an input"):
            prepare_output(tmp_path / "x.hdr", [tmp_path / name], overwrite=True)


class TestPlacesToWriteTo:
    @posix
    @pytest.mark.parametrize("linked", [False, True])
    def test_a_pipe_stays_a_pipe(self, tmp_path, linked):
        pipe = path = tmp_path / "x.mat"
        os.mkfifo(pipe)
        if linked:
            path = tmp_path / "link.mat"
            path.symlink_to(pipe)
        with pytest.raises(FileError, match="a pipe"):
            write(cube(1), path)
        assert stat.S_ISFIFO(pipe.stat().st_mode)

    @posix
    def test_a_device_stays_a_device(self, tmp_path):
        path = tmp_path / "null.mat"
        path.symlink_to("/dev/null")
        with pytest.raises(FileError, match="a device"):
            write(cube(1), path)
        assert not Path("/dev/null").is_file()

    @posix
    @pytest.mark.parametrize("part", ["hdr", "img"])
    def test_half_of_another_pair_is_not_written_through_a_link(self, tmp_path, part):
        """Its other half would stand beside values, or a header, that are not its own."""
        for name in ("x", "y"):
            write(cube(1), tmp_path / f"{name}.hdr")
        (tmp_path / f"y.{part}").unlink()
        (tmp_path / f"y.{part}").symlink_to(f"x.{part}")
        before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
        with pytest.raises(FileError, match=r"links lead from it.* where they lie"):
            write(cube(2), tmp_path / "y.hdr")
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before

    @posix
    def test_a_pair_of_links_to_a_pair_is_followed(self, tmp_path):
        write(cube(1), tmp_path / "x.hdr")
        for part in ("hdr", "img"):
            (tmp_path / f"y.{part}").symlink_to(f"x.{part}")
        write(cube(2), tmp_path / "y.hdr")
        assert (tmp_path / "y.img").is_symlink()
        assert read(tmp_path / "x.hdr").data.max() == 2

    def test_a_file_that_another_program_wrote_meanwhile_stays(self, tmp_path):
        for before in (None, "theirs, before"):
            path = tmp_path / f"{before}.txt"
            if before:
                path.write_text(before)

            def work(path=path):
                with atomic.replacing(path) as temporary:
                    temporary.write_text("ours")
                    path.write_text("theirs, meanwhile")

            with pytest.raises(FileError, match="meanwhile"):
                work()
            assert path.read_text() == "theirs, meanwhile"

    @posix
    def test_of_two_that_make_one_name_one_wins_whole(self, tmp_path):
        path = tmp_path / "x.npz"
        context = multiprocessing.get_context("fork")
        gate, said = context.Barrier(4), context.Queue()

        def work(value):
            with atomic.replacing(path) as temporary:
                temporary.write_bytes(bytes([value]) * 100_000)
                gate.wait()
            said.put(value)

        def attempt(value):
            try:
                work(value)
            except FileError as error:
                said.put(str(error))

        writers = [context.Process(target=attempt, args=(value,)) for value in range(4)]
        for writer in writers:
            writer.start()
        answers = [said.get(timeout=60) for _ in writers]
        for writer in writers:
            writer.join(60)
        (winner,) = (answer for answer in answers if isinstance(answer, int))
        assert path.read_bytes() == bytes([winner]) * 100_000
        assert all("meanwhile" in answer for answer in answers if answer != winner)


@posix
@pytest.mark.parametrize("suffix", [".hdr", ".npy", ".tif", ".npz"])
def test_a_file_that_is_cut_short_while_open_is_told(tmp_path, monkeypatch, suffix):
    from napari_hsr.io import lazy

    monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 1000)
    path = tmp_path / f"x{suffix}"
    big = Cube(np.ones((40, 64, 64), np.float32), Wavelengths(np.linspace(400, 700, 40)))
    if suffix == ".npy":
        np.save(path, big.data)
    else:
        write(big, path)
    found = read(path)
    assert not found.in_memory
    assert found.data[39].max() == 1
    data = path.with_suffix(".img") if suffix == ".hdr" else path
    os.truncate(data, data.stat().st_size // 3)
    with pytest.raises(FileError, match="shorter"):
        np.asarray(found.data[39])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("suffix", [".hdr", ".mat", ".npz", ".tif", ".h5"])
def test_a_disk_that_fails_at_any_point_is_told_and_leaves_the_old_cube(
    tmp_path, monkeypatch, suffix, number
):
    path = tmp_path / f"x{suffix}"
    old, new = cube(0.25), cube(0.5, bands=7)
    write(old, path)
    names = {left.name for left in tmp_path.iterdir()}
    told = 0
    for at in range(1, 40):
        with monkeypatch.context() as patch:
            failing = Failing(patch, at, number, once=True)
            error = _fault(new, path)
        if failing.count < at:
            assert error is None
            break
        if error is None:  # a step that it does without, or none that fails
            write(old, path)
            continue
        told += 1
        assert path.name in error
        found = read(path)
        assert found.shape == old.shape
        assert np.asarray(found.data).max() == 0.25
        # what could not be taken away goes with the next writing
        assert {n for n in os.listdir(tmp_path) if not n.startswith(".")} == names
    assert told >= 2
    assert {left.name for left in tmp_path.iterdir()} == names
    assert read(path).bands == 7


def _fault(cube, path):
    try:
        write(cube, path)
    except FileError as error:
        return str(error)
    return None


@posix
@pytest.mark.parametrize("suffix", [".hdr", ".mat", ".npz", ".tif", ".h5", ".zarr"])
def test_a_disk_that_takes_only_a_part_is_told_and_ends_no_process(tmp_path, suffix):
    values = np.random.default_rng(0).random((7, 40, 50), dtype=np.float32)

    def tried(most):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        error = _fault(Cube(values, Wavelengths(np.linspace(400, 700, 7))), tmp_path / f"x{suffix}")
        return 3 if error and "larger than files may be there" in error else 4

    for most in (0, 1_000, 5_000, 40_000):
        child = os.fork()
        if not child:
            status = 5
            try:
                status = tried(most)
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3, most
        assert not list(tmp_path.iterdir()), most


def _written_by_numpy(folder):
    """What NumPy writes by itself, in files of some 5 to 6 kB: for each kind a way to write it, and its name."""
    values = np.random.default_rng(0).random((24, 31))
    library = SpectralLibrary(tuple(map(str, range(24))), np.arange(400.0, 701, 10), values, "1")
    pixels = Photograph(np.full((40, 48, 3), 9, np.uint8), "srgb")
    labels = np.ones((24, 31), np.int64)
    return {
        ".npy": partial(write_labels, labels, folder / "x.npy"),
        ".sli": partial(write, library, folder / "x.sli"),
        ".tif": partial(write, pixels, folder / "x.tif"),
    }


@posix
@pytest.mark.parametrize("suffix", [".npy", ".sli", ".tif"])
def test_the_end_of_an_array_that_a_disk_does_not_take_is_told(tmp_path, suffix):
    write_it = _written_by_numpy(tmp_path)[suffix]
    write_it()
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    whole = len(before[tmp_path / f"x{suffix}"])

    def tried(most):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        try:
            write_it()
        except FileError as error:
            return 3 if "larger than files may be there" in str(error) else 4
        return 5

    for most in (
        whole - 1,
        whole - 300,
    ):  # less than what the library keeps to itself until the end
        child = os.fork()
        if not child:
            status = 6
            try:
                status = tried(most)
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3, most
        assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_full_disk_is_what_is_told_whatever_hdf5_says_of_it(tmp_path):
    """The library reads again what it had written, and finds the file too short."""

    def begun():
        with hdf5_created.created(tmp_path / "x.h5") as new:
            new._disk.fault = OSError(errno.ENOSPC, "No space left on device")
            raise RuntimeError("Can't synchronously write data (address of object past end)")

    with pytest.raises(OSError, match="No space left"):
        begun()


@pytest.mark.parametrize("suffix", [".mat", ".h5"])
def test_ctrl_c_while_hdf5_writes_is_no_fault_of_the_disk_to_it(tmp_path, monkeypatch, suffix):
    write_it, count = hdf5_created._Disk.write, []

    def interrupted(disk, content):
        count.append(1)
        signal.raise_signal(signal.SIGINT)
        return write_it(disk, content)

    monkeypatch.setattr(hdf5_created._Disk, "write", interrupted)
    # a suite in the background of a shell begins with Ctrl-C ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            write(cube(1), tmp_path / f"x{suffix}")
    finally:
        signal.signal(signal.SIGINT, before)
    assert count
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_among_the_chunks_of_an_input(tmp_path):
    write(cube(1), tmp_path / "a.zarr")
    (tmp_path / "link").symlink_to(tmp_path / "a.zarr")
    for inside in (tmp_path / "a.zarr" / "x.npz", tmp_path / "link" / "deeper" / "x.npz"):
        with pytest.raises(InputError, match=r"would lie inside .*a\.zarr, which is an input"):
            replaces(inside, [tmp_path / "a.zarr"])
    assert not replaces(tmp_path / "x.npz", [tmp_path / "a.zarr"])


def test_a_write_that_goes_on_beside_a_failed_one_leaves_no_folder(tmp_path, monkeypatch):
    from zarr.storage import LocalStore

    put, late = LocalStore.set, []

    async def one_fails(store, key, value, *more):
        if key.endswith(".zgroup"):
            raise OSError(errno.ENOSPC, "No space left on device")
        await asyncio.sleep(0.2)
        await put(store, key, value, *more)
        late.append(key)

    monkeypatch.setattr(LocalStore, "set", one_fails)
    with pytest.raises(FileError, match="it cannot be written"):
        write(cube(1), tmp_path / "x.zarr")
    assert late == [".zattrs"]
    assert not list(tmp_path.iterdir())
