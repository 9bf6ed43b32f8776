"""Files that end a library are met in another process."""

from __future__ import annotations

import errno
import os
import signal
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest

from napari_hsr.io import helper_process, limits, read
from napari_hsr.io.hdf5 import probe as hdf5_probe

from .refusals import refused
from .test_raw_photographs import COLOURS, mosaic, write_dng

VALUES = np.linspace(0, 1, 60, dtype=np.float32).reshape(3, 4, 5)
signals = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = VALUES
    return tmp_path / "a.h5"


@pytest.fixture
def ending(monkeypatch):
    """A helper in which something else happens first."""

    def make(what: str):
        real = helper_process.subprocess.Popen

        def begun(args, **options):
            return real([*args[:-1], f"{what}; {args[-1]}"], **options)

        monkeypatch.setattr(helper_process.subprocess, "Popen", begun)
        monkeypatch.setattr(helper_process, "_HELPERS", helpers := {})
        monkeypatch.setattr(helper_process, "_UNAVAILABLE", [])
        return helpers

    made = []
    yield lambda what: made.append(make(what))
    for helpers in made:
        for helper in helpers.values():
            helper.close()


def test_each_file_is_looked_at_once_as_long_as_it_is_the_same(path, monkeypatch):
    looks = []
    real = helper_process.call
    monkeypatch.setattr(helper_process, "call", lambda *a: (looks.append(a[2]), real(*a))[1])
    for _ in range(3):
        np.testing.assert_array_equal(read(path).data, VALUES)
    assert [str(look) for look in looks] == [os.path.realpath(path)]
    with h5py.File(path, "a") as file:
        file["more"] = np.ones(2000)
    read(path, variable="cube")
    assert len(looks) == 2


@signals
def test_a_file_that_ends_the_library_is_refused_and_the_next_is_read(path, ending, tmp_path):
    ending(
        "import os; from napari_hsr.io.hdf5 import probe as p; "
        "p._look = lambda f: os.abort() if f.name == 'bad.h5' else None"
    )
    bad = tmp_path / "bad.h5"
    bad.write_bytes(path.read_bytes())
    for _ in range(2):
        assert "HDF5 ended (SIGABRT)" in refused(bad)
    np.testing.assert_array_equal(read(path).data, VALUES)


@signals
def test_a_file_without_an_end(path, ending):
    ending(
        "from napari_hsr.io import helper_process; from napari_hsr.io.hdf5 import probe as p; "
        "helper_process._limit_computing = lambda s, r=helper_process._limit_computing: r(s / 80); "
        "p._look = lambda f: [None for _ in iter(int, 1)]"
    )
    assert "came to no end within 4 s of computing" in refused(path)


@pytest.mark.skipif(sys.platform != "linux", reason="what is mapped")
def test_a_text_that_claims_gigabytes_is_not_given_them(path, monkeypatch):
    # memory is what it is refused for, however slow the machine hands it out
    monkeypatch.setattr(helper_process, "HDF5", replace(helper_process.HDF5, seconds=60.0))
    with h5py.File(path, "a") as file:
        file["wavelengths"] = ["x" * 40, "y", "z"]
        at = file["wavelengths"].id.get_offset()
    content = bytearray(path.read_bytes())
    assert content[at] == 40
    content[at : at + 4] = (700_000_000).to_bytes(4, "little")
    path.write_bytes(content)
    assert "it makes HDF5 ask for 7" in refused(path)


def test_a_file_larger_than_what_the_library_may_ask_for_is_read(path):
    """It was mapped whole where texts are looked for, and that counted as memory."""
    os.truncate(path, 2 * limits.ASKED_FROM)
    assert read(path).bands


def test_without_a_helper_files_are_read(path, monkeypatch):
    monkeypatch.setattr(helper_process, "_HELPERS", {})
    monkeypatch.setattr(helper_process, "_UNAVAILABLE", [])
    monkeypatch.setattr(sys, "executable", str(path))  # nothing that runs
    np.testing.assert_array_equal(read(path).data, VALUES)
    assert helper_process._UNAVAILABLE
    assert hdf5_probe.look(path) == (None, None)


@signals
def test_a_raw_file_that_ends_its_library(ending, tmp_path):
    ending(
        "import os; from napari_hsr.io.photographs import raw as r; "
        "r._saturated = lambda raw: os.kill(os.getpid(), 11)"
    )
    found = write_dng(tmp_path / "leaf.dng", mosaic(*COLOURS))
    assert "LibRaw ended (SIGSEGV)" in refused(found)


@signals
def test_a_heic_photograph_that_ends_its_library(ending, tmp_path):
    heif = pytest.importorskip("pillow_heif")
    from PIL import Image

    heif.from_pillow(Image.new("RGB", (64, 48))).save(tmp_path / "a.heic")
    assert read(tmp_path / "a.heic").data.shape == (48, 64, 3)
    ending("import os, pillow_heif; pillow_heif.open_heif = lambda *a, **k: os.abort()")
    assert "libheif ended (SIGABRT)" in refused(tmp_path / "a.heic")


@signals
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP"])
def test_a_helper_that_somebody_ended_says_nothing_of_the_file(path, ending, name):
    number = getattr(signal, name)
    ending("pass")
    np.testing.assert_array_equal(read(path).data, VALUES)
    first = helper_process._HELPERS["h5py"]
    first._process.send_signal(number)
    first._process.wait()
    os.utime(path, (1, 1))  # looked at again
    np.testing.assert_array_equal(read(path).data, VALUES)
    assert helper_process._HELPERS["h5py"] is not first


@signals
def test_a_helper_that_is_ended_in_the_middle_is_begun_again_once(path, ending, tmp_path):
    mark = tmp_path / "mark"
    end = "os.kill(os.getpid(), 9)"
    ending(
        "import os; from napari_hsr.io.hdf5 import probe as p; "
        f"p._look = lambda f: None if os.path.exists({str(mark)!r}) else (open({str(mark)!r}, 'w'), {end})"
    )
    np.testing.assert_array_equal(read(path).data, VALUES)
    ending(f"import os; from napari_hsr.io.hdf5 import probe as p; p._look = lambda f: {end}")
    os.utime(path, (1, 1))
    told = refused(path)
    assert "HDF5 was ended from outside (SIGKILL)" in told
    assert "damaged" not in told


@signals
def test_a_helper_that_is_ended_while_it_begins_is_begun_again(path, ending, tmp_path):
    mark = tmp_path / "mark"
    ending(
        f"import os; os.path.exists({str(mark)!r}) or (open({str(mark)!r}, 'w'), os.kill(os.getpid(), 15))"
    )
    np.testing.assert_array_equal(read(path).data, VALUES)
    assert mark.exists()
    assert not helper_process._UNAVAILABLE


@signals
def test_a_helper_that_somebody_stopped_goes_on(path, ending, monkeypatch):
    monkeypatch.setattr(helper_process, "_WAITING_ONCE", 0.05)
    ending("pass")
    read(path)
    os.utime(path, (1, 1))
    helper_process._HELPERS["h5py"]._process.send_signal(signal.SIGSTOP)
    np.testing.assert_array_equal(read(path).data, VALUES)


def test_a_lack_of_processes_now_is_none_for_ever(path, monkeypatch):
    def begun(*_arguments, **_options):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(helper_process, "_HELPERS", {})
    monkeypatch.setattr(helper_process, "_UNAVAILABLE", [])
    with monkeypatch.context() as patch:
        patch.setattr(helper_process.subprocess, "Popen", begun)
        np.testing.assert_array_equal(read(path).data, VALUES)
    assert not helper_process._UNAVAILABLE


def test_an_answer_that_is_cut_off_is_none(path, ending):
    ending(
        "import os; at, real = [], os.dup; os.dup = lambda n: at.append(real(n)) or at[0]; "
        "from napari_hsr.io import helper_process as h; "
        "h._answered = lambda asked: (os.write(at[0], b'{\"fac'), os._exit(3))"
    )
    assert "HDF5 ended (status 3)" in refused(path)
