"""A variable of the environment ends no command otherwise than in a sentence, and leads none anywhere."""

import os
import subprocess
import sys

import numpy as np
import pytest

from napari_hsr import Cube, Wavelengths, write
from napari_hsr.cli import main
from napari_hsr.errors import HSRError, InputError, explain
from napari_hsr.io import read
from napari_hsr.io.hdf5 import writing as hdf5_created

from ..thorough import thorough


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    values = np.random.default_rng(0).random((31, 6, 5), dtype=np.float32)
    write(Cube(values, Wavelengths(np.linspace(400, 700, 31))), folder / "c.h5")
    return folder


def run(folder, *arguments, **environment):
    code = "import sys; from napari_hsr.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )


def test_a_helper_understands_what_it_is_asked_under_any_encoding_of_text(files):
    done = run(files, "info", "c.h5", PYTHONIOENCODING="utf-16")
    assert done.returncode == 0
    assert "31 bands" in done.stdout.decode("utf-16")


def test_a_driver_that_hdf5_has_not_is_told(files, monkeypatch):
    """The library would end the process."""
    for driver in ("nonsense", "family"):
        monkeypatch.setenv("HDF5_DRIVER", driver)
        with pytest.raises(InputError, match=f"HDF5_DRIVER is '{driver}'"):
            hdf5_created.check_driver()
        with pytest.raises(HSRError, match="HDF5_DRIVER"):
            read(files / "c.h5")
        with pytest.raises(HSRError, match="HDF5_DRIVER"):
            write(Cube(np.zeros((3, 2, 2), np.float32)), files / "o.h5")
    assert not (files / "o.h5").exists()
    monkeypatch.setenv("HDF5_DRIVER", "sec2")
    assert read(files / "c.h5").bands == 31


def test_a_library_that_the_environment_keeps_from_loading_is_named(files):
    command = ("super-resolve", "c.h5", "--model", "bicubic-torch", "--scale", "2", "-o", "o.npz")
    done = run(files, *command, PYTORCH_JIT="nonsense")
    assert done.returncode == 1
    assert "torch cannot be loaded (ValueError: Unknown setting of PYTORCH_JIT" in str(done.stderr)
    assert not (files / "o.npz").exists()


def test_a_fault_in_the_import_of_others_is_theirs_and_one_of_ours_is_ours(tmp_path, monkeypatch):
    (tmp_path / "of_others.py").write_text("int('x')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="invalid literal") as found:
        __import__("of_others")
    assert explain(found.value).startswith("of_others cannot be loaded (ValueError: invalid")
    with pytest.raises(ValueError, match="invalid literal") as found:
        int("x")
    assert "fault in napari-hsr" in explain(found.value)
    (tmp_path / "calling_us.py").write_text(
        "from napari_hsr import units\nunits.format_seconds('x')\n"
    )
    with pytest.raises(TypeError) as fault:
        __import__("calling_us")  # what calls us while it is imported itself
    assert "fault in napari-hsr" in explain(fault.value)


@pytest.mark.parametrize(
    "name",
    thorough(
        ["NAPARI_HSR_OUTPUT", "OUTPUT", "TMPDIR", "HOME", "XDG_DATA_HOME"],
        always=["NAPARI_HSR_OUTPUT", "HOME"],
    ),
)
def test_a_variable_makes_no_command_write_into_a_folder_that_was_not_named(files, tmp_path, name):
    place = tmp_path / "place"
    place.mkdir()
    done = run(files, "convert", "c.h5", "-o", "o.npz", "--overwrite", **{name: str(place)})
    assert done.returncode == 0
    assert not list(place.rglob("*"))


IN_A_FOLDER_THAT_IS_GONE = """
import os, sys, tempfile
os.chdir(tempfile.mkdtemp())
os.rmdir(os.getcwd())
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows removes no folder that is in use")
def test_a_folder_that_is_gone_is_told_and_torch_ends_no_process_in_it(files):
    """Its mathematical library did, with the viewer; a name in it ended in “No such file or directory”."""
    what = """
from napari_hsr import Cube, load_model, read, write
from napari_hsr.errors import HSRError
from napari_hsr.cli import main
import numpy as np
for action in (
    lambda: load_model("rootpoly-srgb"),
    lambda: read("x.npz"),
    lambda: write(Cube(np.zeros((3, 2, 2), np.float32)), "x.npz"),
):
    try:
        action()
    except HSRError as error:
        print(error, flush=True)
print(main(["convert", sys.argv[1], "-o", "x.npz"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FOLDER_THAT_IS_GONE + what, str(files / "c.h5")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert all(
        "the folder that this program was started in, which is gone" in one for one in lines[:3]
    )
    assert lines[3] == "1"
    assert "which is gone" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["components", "c.h5", "-o", "o.npz", "--loadings", "keep.png"],
        ["trust", "p.png", "--at", "1,1", "-o", "keep.png"],
    ],
)
def test_a_table_is_not_written_under_the_name_of_a_picture(files, monkeypatch, capsys, command):
    monkeypatch.chdir(files)
    (files / "keep.png").write_bytes(b"mine")
    with pytest.raises(SystemExit):
        main(command)
    assert ".csv" in capsys.readouterr().err
    assert (files / "keep.png").read_bytes() == b"mine"
