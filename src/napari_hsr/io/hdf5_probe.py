"""A look through an HDF5 file in a process of its own, before this one opens it.

What is damaged in ways that the checks before (:mod:`napari_hsr.io.hdf5_structure`) do not see can end
the library, and with it the viewer. So a helper walks the file first, with little time and memory; if it
ends there, the file is refused. Each file is looked at once as long as it does not change. The helper
takes a few milliseconds for a file, and a quarter of a second to begin; it ends with this process.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from napari_hsr.errors import FileError, HSRError

#: Seconds of computing for a file, and until an answer must be there (a slow network is no damage).
_COMPUTING, _WAITING = 10.0, 120.0
#: Bytes that the helper may take beyond those it begins with.
_MEMORY = 2 * 2**30
#: Files that are remembered.
_REMEMBERED = 4096
#: Chunks of a data set whose place is looked up.
_CHUNKS = 16
_READY, _DONE = "ready", "done"


def check(path: Path) -> None:
    """Let the helper look through a file, unless it has seen it.

    Raises
    ------
    FileError
        If the library did not survive it, or came to no end.
    """
    try:
        found = os.stat(path)
    except OSError:  # told on opening it
        return
    key = (os.path.realpath(path), found.st_size, found.st_mtime_ns, found.st_ino)
    with _LOCK:
        if key in _SEEN:
            problem = _SEEN[key]
        else:
            helper = _helper()
            problem = helper.problem_of(key[0]) if helper is not None else ""
            _SEEN[key] = problem
            while len(_SEEN) > _REMEMBERED:
                _SEEN.popitem(last=False)
    if problem:
        raise FileError(path, f"the HDF5 file is damaged: the library that reads it {problem}")


class _Helper:
    """The other process."""

    def __init__(self) -> None:
        import napari_hsr

        self.pid = os.getpid()
        place = str(Path(napari_hsr.__file__).parents[1])
        paths = [place, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            # -P: nothing of the folder that we are in is imported
            [sys.executable, "-P", "-c", "from napari_hsr.io.hdf5_probe import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        self.usable = self._answer() == _READY

    def problem_of(self, path: str) -> str:
        """What became of the library; empty if it survived."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(path) + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it has ended: so says the answer
        answer = self._answer()
        if answer == _DONE:
            return ""
        self.usable = False
        status = self._process.poll() if answer is None else self._process.wait()
        self.close()
        if status is None:
            return f"came to no end within {_WAITING:g} s"
        if status == -getattr(signal, "SIGPROF", 0):
            return f"came to no end within {_COMPUTING:g} s of computing"
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        return f"ended ({name}) while it looked through it"

    def _answer(self) -> str | None:
        """A line of the helper; empty if it has ended, None if there is none in time."""
        lines: list[str] = []
        output = self._process.stdout
        assert output is not None
        reader = threading.Thread(target=lambda: lines.append(output.readline()), daemon=True)
        reader.start()
        reader.join(_WAITING)
        return lines[0].strip() if lines else None

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what it was not sent any more
                    stream.close()


_LOCK = threading.Lock()
_SEEN: OrderedDict[tuple[Any, ...], str] = OrderedDict()
_HELPERS: list[_Helper] = []
#: Set where no helper can be started: files are then opened as they are.
_UNAVAILABLE: list[bool] = []


def _helper() -> _Helper | None:
    """The helper of this process, begun if there is none; None where there can be none."""
    if _UNAVAILABLE or getattr(sys, "frozen", False) or not sys.executable:
        return None
    if _HELPERS and _HELPERS[0].pid == os.getpid() and _HELPERS[0].usable:
        return _HELPERS[0]
    _HELPERS.clear()  # ended, or that of the process that this one was forked from
    try:
        helper = _Helper()
    except OSError:
        _UNAVAILABLE.append(True)
        return None
    if not helper.usable:
        helper.close()
        _UNAVAILABLE.append(True)
        return None
    _HELPERS.append(helper)
    return helper


def _end() -> None:
    for helper in _HELPERS:
        if helper.pid == os.getpid():
            helper.close()


atexit.register(_end)


# --- in the helper -------------------------------------------------------------------------


def serve() -> None:
    """Look through the files that are named on standard input, one a line."""
    importlib.import_module("h5py")  # before memory is limited
    _limit_memory()
    print(_READY, flush=True)
    for line in sys.stdin:
        _limit_computing(_COMPUTING)
        with contextlib.suppress(Exception):  # the library survived: who reads the file says it
            look(Path(json.loads(line)))
        _limit_computing(0.0)
        print(_DONE, flush=True)


def look(path: Path) -> None:
    """Walk all that the reader may ask for, but for the values."""
    import h5py

    from napari_hsr.io import hdf5_structure as structure
    from napari_hsr.io.hdf5_axes import named_axes

    structure.check_heaps(path)
    with h5py.File(path, "r") as file:
        beside = structure.References(path, file)
        structure.attributes(file)
        for _, item in structure.datasets(path, file):
            structure.attributes(item)
            with contextlib.suppress(HSRError):
                _places(structure.checked(path, item), item)
            with contextlib.suppress(Exception):  # as above: the next data set may still end it
                named_axes(file, item, beside)
                beside.value(item)


def _places(_checked: Any, item: Any) -> None:
    if item.chunks is None or item.is_virtual:
        return
    for index in range(min(item.id.get_num_chunks(), _CHUNKS)):
        item.id.get_chunk_info_by_coord(item.id.get_chunk_info(index).chunk_offset)


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + _MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit_computing(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
