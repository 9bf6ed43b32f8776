"""With too little memory a command says so in one sentence, whatever its library says."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import psutil
import pytest

from napari_hsr import cli
from napari_hsr.cli import little_memory
from napari_hsr.cli.output import sentence
from napari_hsr.errors import FileError
from napari_hsr.inference.estimates import memory_use
from napari_hsr.inference.estimates.memory_use import PeakMemory
from napari_hsr.io import helper_process
from napari_hsr.io.hdf5 import probe as hdf5_probe
from napari_hsr.io.library_errors import translated

from ..patience import PATIENCE, wait_for


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("could not create a primitive"),
        RuntimeError("can't start new thread"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 5 bytes"),
        ImportError("x.so: failed to map segment from shared object"),
        SystemError("error return without exception set"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_what_libraries_say_of_it(error):
    assert "not enough memory" in sentence(error)
    with pytest.raises(FileError, match="needs more memory than is free"), translated("a", "bad"):
        raise error


def test_an_answer_of_a_helper_that_finds_no_room_is_no_damage(monkeypatch, tmp_path):
    """The thread that takes the answer must not end with it, nor the next call get it."""

    def no_room(self):
        raise MemoryError

    (tmp_path / "a").write_bytes(b"nothing")
    asked = helper_process.HDF5, hdf5_probe.look, tmp_path / "a"
    assert helper_process.call(*asked) == (None, None)
    with monkeypatch.context() as patch:
        patch.setattr(helper_process._Helper, "_received", no_room)
        with pytest.raises(MemoryError):
            helper_process.call(*asked)
    assert helper_process.call(*asked) == (None, None)


def test_no_room_for_the_options_themselves(monkeypatch, capsys):
    monkeypatch.setattr(cli, "build_parser", lambda: bytearray(2**62))
    assert cli.main(["info", "a"]) == 1
    assert "not enough memory" in capsys.readouterr().err


def test_memory_is_measured_on_where_there_is_none_to_measure_it(monkeypatch):
    def none(self):
        asked.append(self)
        raise MemoryError if len(asked) % 2 else OSError(errno.EMFILE, "Too many open files")

    asked: list[object] = []
    with PeakMemory(interval=0.001) as peak:
        monkeypatch.setattr(psutil.Process, "memory_info", none)
        wait_for(lambda: len(asked) > 2)  # it goes on after both
        monkeypatch.undo()
    assert peak.bytes >= 0


NO_ROOM = """
import resource, sys
import numpy
from napari_hsr.cli.little_memory import looked_after
which, at, more = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open("/proc/self/statm") as file:
    mapped = int(file.read().split()[at]) * resource.getpagesize()
resource.setrlimit(getattr(resource, which), (mapped + more * 2**20,) * 2)
with looked_after():
    try:
        import scipy.linalg
    except MemoryError:
        print("told")
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the limit is one of Linux")
@pytest.mark.parametrize("limit", [("RLIMIT_AS", "0", "110"), ("RLIMIT_DATA", "5", "40")])
def test_a_library_that_would_wait_for_memory_for_ever_is_not_loaded(limit):
    command = [sys.executable, "-c", NO_ROOM, *limit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "told\n"


@pytest.mark.parametrize("name", ["scipy", "torch._dynamo"])
def test_no_room_for_a_library_is_told_before_it_is_loaded(monkeypatch, name):
    def full(*_):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    for needed in little_memory._NEEDED.values():
        room = little_memory._Room(needed)
        with monkeypatch.context() as patch:
            assert room.find_spec(name) is None
            patch.setattr(little_memory.mmap, "mmap", full)
            assert room.find_spec("json") is None
            with pytest.raises(MemoryError):
                room.find_spec(name)


LIMITED = """
import resource, sys
from napari_hsr.cli import little_memory
from napari_hsr.inference.estimates import memory_use
most = memory_use.psutil.Process().memory_info().vms + 300_000_000
resource.setrlimit(resource.RLIMIT_AS, (most, most))
assert 0 < memory_use.available() <= 300_000_000, memory_use.available()
try:
    with little_memory.looked_after():
        import torch
except MemoryError:
    print("told")
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="addresses are limited there alone"
)
def test_the_limit_of_a_process_counts_and_pytorch_does_not_end_it():
    made = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, timeout=PATIENCE
    )
    assert made.stdout == "told\n", made.stderr


def test_without_a_limit_there_is_none_of_a_process(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (resource.RLIM_INFINITY,) * 2)
    assert memory_use.left_to_process() is None
