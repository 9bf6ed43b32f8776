import ctypes
import gc
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from napari_hsr.inference.estimates import memory_use, speed


@pytest.fixture(autouse=True)
def no_speed_is_known(tmp_path, monkeypatch):
    """No estimate of a time rests on what earlier tests computed."""
    monkeypatch.setenv(speed.FILE_VARIABLE, str(tmp_path / "kept" / "speed.json"))
    speed.forget()


@pytest.fixture
def returned_memory(monkeypatch):
    """What earlier tests freed is the system's again, and a peak counts what a run asks for.

    The C library keeps freed memory resident, and an array that is laid into it does not raise
    the resident memory that a peak is measured by. Pages of files, of a library say, are read
    and dropped whenever the system likes: on Linux they are left out.
    """
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        process = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=_own_bytes()))
        ours = SimpleNamespace(Process=lambda: process, virtual_memory=psutil.virtual_memory)
        monkeypatch.setattr(memory_use, "psutil", ours)


def _own_bytes() -> int:
    """Resident memory of this process that no file holds."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)[1])
