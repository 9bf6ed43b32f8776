"""Calls of libraries that a damaged file can end, in a process of their own.

HDF5, LibRaw, libheif, FFmpeg and the decoders of pictures in TIFFs are written in C: a file that is
damaged in ways that no check sees may end them, and with them the viewer. So a helper process calls them, with limits of computing and
memory, and hands back what it found; if it ends there, the file is refused. It takes a quarter of a
second to begin, a few milliseconds for a call, and ends with this process.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError, Hint
from napari_hsr.io import limits
from napari_hsr.io.process_memory import limit_memory, most_mapped, within
from napari_hsr.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds until an answer must be there (a slow network is no damage).
_WAITING = 300.0
#: It is waited in parts of so many seconds: this process may itself be stopped meanwhile (Ctrl-Z), and
#: the time of that is none in which the helper could answer.
_WAITING_ONCE = 1.0
_READY = b"ready"
#: Signals that no file brings about: somebody sent them, or the system, where memory ran out.
_FROM_OUTSIDE = frozenset(
    getattr(signal, name)
    for name in (
        "SIGKILL",
        "SIGTERM",
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGUSR1",
        "SIGUSR2",
        "SIGXCPU",
    )
    if hasattr(signal, name)
)
#: Why a process cannot be begun now, but perhaps later.
_FOR_NOW = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
#: A helper that is ended from outside is begun again so often for one call.
_AGAIN = 1


@dataclass(frozen=True)
class Library:
    """What is called in one helper.

    Attributes
    ----------
    name : str
        For sentences: ``"LibRaw"``.
    module : str
        Imported before memory is limited.
    seconds : float
        Of computing, for one call.
    nbytes : int, optional
        Of memory that one call may ask for; by default half of what is free.
    """

    name: str
    module: str
    seconds: float
    nbytes: int | None = None


HDF5 = Library("HDF5", "h5py", 4.0, limits.ASKED_FROM)
RAW = Library("LibRaw", "rawpy", 120.0)
HEIF = Library("libheif", "pillow_heif", 60.0)
FILM = Library("FFmpeg", "av", 60.0)
PIXELS = Library("the decoder of its pixels", "imagecodecs", 60.0)

Found = tuple[Any, "np.ndarray | None"]


def call(
    library: Library,
    function: Callable[..., Found],
    path: Path,
    *arguments: Any,
    seconds: float | None = None,
    room: int | None = None,
) -> Found:
    """Call a function of a module of this package in the helper of a library.

    Parameters
    ----------
    library : Library
    function : callable
        ``function(path, *arguments)`` gives what JSON can carry, and an array or None.
    path : Path
    *arguments
        What JSON can carry.
    seconds : float, optional
        Of computing, if it is to be less than the library's.
    room : int, optional
        Bytes of memory that it cannot exceed, if it is to be less than half of what is free.

    Raises
    ------
    FileError
        As the function raises it; or if the library did not survive the file, came to no end, or
        took too much memory; or if somebody ended the helper, and the next one too.
    """
    with _LOCKS.setdefault(library.module, threading.Lock()):
        asked = {
            "call": [function.__module__, function.__qualname__],
            "path": os.path.abspath(path),
            "arguments": arguments,
            "large": limits.large_allowed(),
            "seconds": library.seconds if seconds is None else min(seconds, library.seconds),
            "room": room,
        }
        for again in range(_AGAIN, -1, -1):
            helper = _helper(library)
            if helper is None:
                return function(path, *arguments)
            try:
                return helper.answer_to(asked, path)
            except _EndedFromOutsideError:
                if not again:
                    raise
        raise AssertionError("the last one answers or raises")


class _EndedFromOutsideError(FileError):
    """A helper was ended by somebody else, which says nothing of the file."""


class _Helper:
    """The other process."""

    def __init__(self, library: Library) -> None:
        import napari_hsr

        self.pid, self._library = os.getpid(), library
        place = str(Path(napari_hsr.__file__).parents[1])
        paths = [place, *filter(None, [os.environ.get("PYTHONPATH")])]
        start = f"from napari_hsr.io import helper_process; helper_process.serve({library!r})"
        self._process = subprocess.Popen(
            # -P: nothing of the folder that we are in is imported
            [sys.executable, "-P", "-c", start.replace("Library(", "helper_process.Library(")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        line, _ = self._answer() or (b"", None)
        self.usable = line.strip() == _READY

    def answer_to(self, asked: dict[str, Any], path: Path) -> Found:
        """What the function gave or raised."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended: so says the answer
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
        answer = self._answer()
        if answer is None or not answer[0]:
            raise self._ended(asked, answer, path)
        told, array = json.loads(answer[0]), answer[1]
        if told["last"]:
            self.close()
        if told["problem"] is not None:
            raise FileError(path, told["problem"], told["hint"] and Hint(told["hint"]))
        return told["facts"], array

    def _ended(
        self, asked: dict[str, Any], answer: tuple[bytes, None] | None, path: Path
    ) -> FileError:
        self.usable = False
        status = self._process.poll() if answer is None else self._process.wait()
        self.close()
        name, what = self._library.name, "the file is damaged"
        if status is None or status == -getattr(signal, "SIGPROF", 0):
            what += ", or in more parts than can be looked through"
        if status is None:
            how = f"came to no end within {_WAITING:g} s"
        elif status == -getattr(signal, "SIGPROF", 0):
            how = f"came to no end within {asked['seconds']:.2g} s of computing"
        elif -status in _FROM_OUTSIDE:
            return _EndedFromOutsideError(
                path,
                f"{name} was ended from outside ({signal.Signals(-status).name}) while it looked "
                "through it, as by a system that is short of memory; try again",
            )
        else:
            told = signal.Signals(-status).name if status < 0 else f"status {status}"
            how = f"ended ({told}) while it looked through it"
        return FileError(path, f"{what}: {name} {how}")

    @property
    def ended_from_outside(self) -> bool:
        """Whether somebody ended it, in the middle of nothing."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return -self._process.wait(_WAITING_ONCE) in _FROM_OUTSIDE
        return False

    def _answer(self) -> tuple[bytes, Any] | None:
        """A line of the helper and what follows it; an empty line if it ended, None if none came."""
        found: list[tuple[bytes, Any] | BaseException] = []

        def receive() -> None:
            try:
                found.append(self._received())
            except BaseException as error:  # a lack of memory above all: raised where it is awaited
                found.append(error)

        reader = threading.Thread(target=receive, daemon=True)
        try:
            reader.start()
            left = _WAITING
            while left > 0 and reader.is_alive():
                reader.join(min(left, _WAITING_ONCE))
                left -= _WAITING_ONCE
                if reader.is_alive() and hasattr(signal, "SIGCONT"):
                    self._process.send_signal(signal.SIGCONT)  # should somebody have stopped it
            answer = found[0] if found else None
            if isinstance(answer, BaseException):
                raise answer
        except BaseException:  # a later call would be given this answer
            self.close()
            raise
        return answer

    def _received(self) -> tuple[bytes, np.ndarray | None]:
        output = self._process.stdout
        assert output is not None
        line = output.readline()
        if not line.endswith(b"\n"):  # it ended in the middle of its answer
            return b"", None
        stated = json.loads(line).get("array") if line.startswith(b"{") else None
        if stated is None:
            return line, None
        array = np.empty(stated["shape"], stated["dtype"])
        into, at = array.reshape(-1).view(np.uint8).data, 0
        while at < array.nbytes:
            count = output.readinto(into[at:])  # type: ignore[attr-defined]
            if not count:
                return b"", None
            at += count
        return line, array

    def close(self) -> None:
        """End it."""
        self.usable = False
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what it was not sent any more
                    stream.close()


_LOCKS: dict[str, threading.Lock] = {}
_HELPERS: dict[str, _Helper] = {}
#: Set where no helper can be started: files are then opened as they are.
_UNAVAILABLE: list[bool] = []


def _helper(library: Library) -> _Helper | None:
    """The helper of this process, begun if there is none; None where there can be none."""
    if _UNAVAILABLE or getattr(sys, "frozen", False) or not sys.executable:
        return None
    known = _HELPERS.get(library.module)
    if known is not None and known.pid == os.getpid() and known.usable:
        return known
    _HELPERS.pop(library.module, None)  # ended, or that of the process that this was forked from
    for _ in range(1 + _AGAIN):
        try:
            helper = _Helper(library)
        except OSError as error:
            # what there is too little of now (processes, memory, open files) may be there for the next call
            if error.errno not in _FOR_NOW:
                _UNAVAILABLE.append(True)
            return None
        if helper.usable:
            _HELPERS[library.module] = helper
            return helper
        outside = helper.ended_from_outside
        helper.close()
        if not outside:
            _UNAVAILABLE.append(True)
            break
    return None


def _end() -> None:
    for helper in _HELPERS.values():
        if helper.pid == os.getpid():
            helper.close()


atexit.register(_end)


# --- in the helper -------------------------------------------------------------------------


def serve(library: Library) -> None:
    """Answer what is asked on standard input, one call a line."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    importlib.import_module(library.module)
    start = limit_memory()
    answers.write(_READY + b"\n")
    answers.flush()
    for line in sys.stdin.buffer:  # as they were sent, whatever text the environment asks for
        asked = json.loads(line)
        _limit_computing(asked["seconds"])
        with within(asked["room"]):
            told, array = _answered(asked)
        _limit_computing(0.0)
        taken = most_mapped() - start
        told["last"] = library.nbytes is not None and taken > library.nbytes
        if told["last"]:
            told["problem"] = (
                f"the file is damaged: it makes {library.name} ask for {format_bytes(taken)} of "
                "memory"
            )
        if told["problem"] is None and array is not None:
            array = np.ascontiguousarray(array)
            told["array"] = {"shape": array.shape, "dtype": array.dtype.str}
        answers.write(json.dumps(told).encode() + b"\n")
        if array is not None and told["array"]:
            answers.write(array.reshape(-1).view(np.uint8).data)
        answers.flush()


def _answered(asked: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray | None]:
    module, name = asked["call"]
    told: dict[str, Any] = {"facts": None, "problem": None, "hint": None, "array": None}
    path = Path(asked["path"])
    try:
        with limits.allowing_large(asked["large"]):
            told["facts"], array = getattr(importlib.import_module(module), name)(
                path, *asked["arguments"]
            )
    except FileError as error:
        told["problem"], told["hint"] = error.problem, error.hint
    except MemoryError:
        told["problem"] = "it needs more memory than is free"
    else:
        return told, array
    return told, None


def _limit_computing(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
