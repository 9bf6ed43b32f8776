"""Files that end the library are met in another process."""

from __future__ import annotations

import os
import sys

import h5py
import numpy as np
import pytest

from napari_hsr.io import hdf5_probe, read

from .refusals import refused

VALUES = np.linspace(0, 1, 60, dtype=np.float32).reshape(3, 4, 5)


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = VALUES
    return tmp_path / "a.h5"


@pytest.fixture
def ending(monkeypatch, tmp_path):
    """A helper whose library does something else in the place of a look."""

    def make(what: str):
        script = f"from napari_hsr.io import hdf5_probe; {what}; hdf5_probe.serve()"
        real = hdf5_probe.subprocess.Popen
        monkeypatch.setattr(
            hdf5_probe.subprocess, "Popen", lambda args, **o: real([*args[:-1], script], **o)
        )
        monkeypatch.setattr(hdf5_probe, "_HELPERS", helpers := [])
        return helpers

    made = []
    yield lambda what: made.append(make(what))
    for helpers in made:
        for helper in helpers:
            helper.close()


def test_each_file_is_looked_at_once_as_long_as_it_is_the_same(path, monkeypatch):
    looks = []
    real = hdf5_probe._Helper.problem_of
    monkeypatch.setattr(
        hdf5_probe._Helper, "problem_of", lambda self, p: (looks.append(p), real(self, p))[1]
    )
    for _ in range(3):
        np.testing.assert_array_equal(read(path).data, VALUES)
    assert looks == [os.path.realpath(path)]
    with h5py.File(path, "a") as file:
        file["more"] = np.ones(2000)
    read(path, variable="cube")
    assert len(looks) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_file_that_ends_the_library_is_refused_and_the_next_is_read(path, ending, tmp_path):
    ending("import os; hdf5_probe.look = lambda p: os.abort() if p.name == 'bad.h5' else None")
    bad = tmp_path / "bad.h5"
    bad.write_bytes(path.read_bytes())
    for _ in range(2):
        assert "the library that reads it ended (SIGABRT)" in refused(bad)
    np.testing.assert_array_equal(read(path).data, VALUES)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_file_without_an_end(path, ending):
    ending("hdf5_probe._COMPUTING = 0.05; hdf5_probe.look = lambda p: [None for _ in iter(int, 1)]")
    assert "came to no end within 10 s of computing" in refused(path)


def test_without_a_helper_files_are_read(path, monkeypatch):
    monkeypatch.setattr(hdf5_probe, "_HELPERS", [])
    monkeypatch.setattr(hdf5_probe, "_UNAVAILABLE", [])
    monkeypatch.setattr(sys, "executable", str(path))  # nothing that runs
    np.testing.assert_array_equal(read(path).data, VALUES)
    assert hdf5_probe._UNAVAILABLE
