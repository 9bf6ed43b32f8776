"""Two that write one name: one wins whole, the other says so. Nothing is replaced that nobody saw."""

import os
import sys
from contextvars import Context
from pathlib import Path

import numpy as np
import pytest

from napari_hsr import Cube, Wavelengths, read, write
from napari_hsr.errors import FileError
from napari_hsr.inference.batch import files as batch_files
from napari_hsr.io import atomic
from napari_hsr.io.file_sets import standing_at

posix = pytest.mark.skipif(sys.platform == "win32", reason="forks")
SUFFIXES = [".hdr", ".mat", ".npz", ".tif", ".h5", ".zarr"]
MEANWHILE = "another program wrote it meanwhile; its file stays as it is"


def cube(value):
    return Cube(np.full((31, 4, 5), value, np.float32), Wavelengths(np.linspace(400, 700, 31)))


def value_of(path):
    return float(np.asarray(read(path).data).max())


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("there", [False, True])
def test_what_another_wrote_while_this_was_computed_is_not_replaced(tmp_path, suffix, there):
    path = tmp_path / f"x{suffix}"
    if there:
        write(cube(0.1), path)
    found = standing_at([path])
    write(cube(0.25), path)  # the other one was faster
    names = sorted(os.listdir(tmp_path))
    with atomic.expecting(found), pytest.raises(FileError, match=MEANWHILE):
        write(cube(0.5), path)
    assert value_of(path) == 0.25
    assert sorted(os.listdir(tmp_path)) == names
    write(cube(0.5), path)  # outside, and by who has seen it, it is replaced
    assert value_of(path) == 0.5


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_who_wrote_it_may_write_it_again(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    with atomic.expecting(standing_at([path])):
        write(cube(0.25), path)
        write(cube(0.5), path)
    assert value_of(path) == 0.5


@posix
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("there", [False, True])
def test_two_processes_that_write_one_name_at_once(tmp_path, suffix, there):
    """Both have computed and looked what is there; then the other one's is put in place."""
    path = tmp_path / f"x{suffix}"
    if there:
        write(cube(0.1), path)
    reached, go = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.close(go[1])
        status = 3
        try:
            looked = atomic.check_unchanged

            def look(*args):
                looked(*args)
                os.write(reached[1], b".")
                os.read(go[0], 1)

            atomic.check_unchanged = look
            try:
                write(cube(0.5), path)
                status = 0
            except FileError as error:
                status = 1 if MEANWHILE in str(error) else 2
        finally:
            os._exit(status)
    os.close(go[0])
    os.read(reached[0], 1)
    write(cube(0.25), path)
    os.close(go[1])  # every wait ends from here on
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for end in (*reached,):
        os.close(end)
    # a file is whole whoever wins; of a name that was new one process alone has made it
    assert status in ((0, 1) if there else (1,))
    assert value_of(path) == (0.5 if status == 0 else 0.25)
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_of_two_commands_that_end_one_after_the_other_the_second_says_so(
    tmp_path, monkeypatch, capsys
):
    """Both began while there was nothing of that name."""
    from napari_hsr import conversion
    from napari_hsr.cli import main

    write(cube(0.5), tmp_path / "in.npz")
    out = tmp_path / "out.hdr"
    convert = conversion.convert

    def slow(*args, **options):
        Context().run(write, cube(0.25), out)  # as another process would
        return convert(*args, **options)

    monkeypatch.setattr(conversion, "convert", slow)
    assert main(["convert", str(tmp_path / "in.npz"), "-o", str(out)]) == 1
    assert MEANWHILE in capsys.readouterr().err
    assert value_of(out) == 0.25


def test_of_two_batches_that_end_one_after_the_other_the_second_says_so(
    tmp_path, monkeypatch, capsys
):
    from PIL import Image

    from napari_hsr.cli import main

    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    out = tmp_path / "out.mat"
    recorded = batch_files._recorded

    def slow(*args):
        write(cube(0.25), out)
        return recorded(*args)

    monkeypatch.setattr(batch_files, "_recorded", slow)
    command = ["predict", str(tmp_path / "p.png"), "--model", "rootpoly-srgb", "-o", str(out)]
    assert main(command) == 1
    assert MEANWHILE in capsys.readouterr().err
    assert value_of(out) == 0.25


def test_a_half_moved_store_is_put_in_place_by_whoever_reads_it(tmp_path):
    """A crash between taking the old store away and giving the new one its name."""
    path = tmp_path / "x.zarr"
    write(cube(0.25), path)
    child = os.fork() if sys.platform != "win32" else pytest.skip("forks")
    if not child:
        real = os.replace

        def last(source, target):
            if Path(target) == path:
                os._exit(9)
            return real(source, target)

        os.replace = last
        try:
            write(cube(0.5), path)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not path.exists()
    assert value_of(path) == 0.5
    write(cube(0.5), tmp_path / "y.npz")  # the next writer of the folder clears up
    assert sorted(os.listdir(tmp_path)) == ["x.zarr", "y.npz"]
