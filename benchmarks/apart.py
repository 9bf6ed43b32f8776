"""Calls in a process of their own, within limits of time and memory, and what became of it.

The process is forked from one that has imported the libraries, so that a call costs milliseconds.
POSIX only.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: What any file must answer within.
SECONDS, BYTES = 5.0, 500_000_000
#: From here on a call is ended.
_KILL_SECONDS, _KILL_CPU_SECONDS, _KILL_BYTES = 60.0, 10, 4_000_000_000
#: Calls that one process runs, one after the other.
_CALLS = 500
#: Printed by a call that found its values wrong.
WRONG = "WRONG VALUES:"
_INTERNAL = (WRONG, "This is a fault in napari-hsr", "Traceback (most recent call last)")
#: How a call ended: the last four are faults.
TAKEN, REFUSED, FAULT, CRASH, SLOW, LARGE = "taken", "refused", "FAULT", "CRASH", "SLOW", "LARGE"
FAULTS = (FAULT, CRASH, SLOW, LARGE)


@dataclass(frozen=True)
class Outcome:
    """What became of a call: how it ended, CPU seconds, bytes above the start, what it said."""

    how: str
    seconds: float
    nbytes: int
    said: str

    @property
    def is_fault(self) -> bool:
        return self.how in FAULTS


def command(*arguments: str) -> Callable[[], int]:
    """A call of the command line."""

    def call() -> int:
        from napari_hsr.cli import main

        try:
            return main(list(arguments))
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else 1

    return call


def apart(call: Callable[[], int], folder: str) -> Outcome:
    """Run a call in a forked process that works in a folder; its status 0 means it was taken."""
    return next(in_turn(lambda _: call, 1, folder))


def in_turn(
    call_of: Callable[[int], Callable[[], int]], count: int, folder: str
) -> Iterator[Outcome]:
    """Run the calls 0 to ``count`` - 1 in one forked process, in another one where that ended.

    What each takes is measured by itself, that of helper processes included. ``call_of`` is called in
    the process, before what it takes is measured.
    """
    at = 0
    while at < count:
        with tempfile.TemporaryFile() as output:
            ours, theirs = socket.socketpair()
            child = os.fork()
            if not child:
                ours.close()
                _inside(
                    call_of, range(at, min(at + _CALLS, count)), folder, theirs, output.fileno()
                )
            theirs.close()
            ended = False
            try:
                with ours, ours.makefile("r") as answers:
                    while not ended and at < count:
                        outcome, ended = _answer(ours, answers, output, child)
                        if outcome is None:  # all of its calls are done
                            break
                        yield outcome
                        at += 1
            finally:  # whoever asks for a few outcomes alone does not come back
                if not ended:
                    _end(child)


def _answer(
    ours: socket.socket, answers: Any, output: Any, child: int
) -> tuple[Outcome | None, bool]:
    """What became of the next call, and whether the process has ended with it."""
    ours.settimeout(None)
    ours.sendall(b"g")
    start = time.monotonic()
    ready = select.select([ours], [], [], _KILL_SECONDS)[0]
    line = answers.readline() if ready else ""
    output.seek(0)
    said = output.read().decode("utf-8", "backslashreplace").strip()
    if line.strip() == "all":
        return None, False
    if line:
        measured = json.loads(line)
        return _judged(measured["status"], measured["seconds"], measured["nbytes"], said), False
    status, used = _end(child)
    waited, seconds = time.monotonic() - start, used.ru_utime + used.ru_stime
    killed = not ready or status in (signal.SIGXCPU, signal.SIGPROF)
    name = signal.Signals(status).name if status else "an end without an answer"
    how = SLOW if killed else CRASH
    return Outcome(
        how,
        waited,
        used.ru_maxrss * 1024,
        f"{name} after {waited:.0f} s ({seconds:.0f} s of computing) {said}",
    ), True


def _judged(status: int, seconds: float, nbytes: int, said: str) -> Outcome:
    if any(sign in said for sign in _INTERNAL):
        how = FAULT
    elif nbytes > BYTES:
        how = LARGE
    elif seconds > SECONDS:
        how = SLOW
    else:
        how = REFUSED if status else TAKEN
    if how == REFUSED and len(said) > 2000:  # a sentence
        how = FAULT
    return Outcome(how, seconds, nbytes, said)


def _inside(
    call_of: Callable[[int], Callable[[], int]],
    indices: Iterable[int],
    folder: str,
    told: socket.socket,
    output: int,
) -> None:
    """In the child: run the calls as they are asked for, and leave, whatever happens."""
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.setsid()
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        mapped = _of_status("VmSize")
        if mapped:
            resource.setrlimit(resource.RLIMIT_AS, (mapped + _KILL_BYTES,) * 2)
        for index in indices:
            if not told.recv(1):
                break
            os.lseek(1, 0, os.SEEK_SET)
            os.ftruncate(1, 0)
            told.sendall(json.dumps(_measured(call_of(index))).encode() + b"\n")
        if told.recv(1):
            told.sendall(b"all\n")
    except BaseException:
        os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
    finally:
        for helper in _children():
            helper.kill()
        os._exit(0)


def _measured(call: Callable[[], int]) -> dict[str, float]:
    """Status of a call, seconds of computing and most bytes above the start, with helpers."""
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), line_buffering=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), line_buffering=True)
    helpers = _helpers()
    for pid in ("self", *helpers):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/clear_refs", "w") as file:
            file.write("5")
    before = _of_status("VmRSS")
    used = resource.getrusage(resource.RUSAGE_SELF)
    signal.setitimer(signal.ITIMER_PROF, _KILL_CPU_SECONDS)
    try:
        status = call()
    except BaseException:
        traceback.print_exc()
        status = 99
    signal.setitimer(signal.ITIMER_PROF, 0)
    now = resource.getrusage(resource.RUSAGE_SELF)
    seconds = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    nbytes = _of_status("VmHWM") - before
    after = _helpers()
    for pid, (taken, size) in after.items():
        if pid in helpers:  # one that was begun here takes time and memory to begin
            seconds += taken - helpers[pid][0]
            nbytes = max(nbytes, _of_status("VmHWM", pid) - size)
    sys.stdout.flush()
    sys.stderr.flush()
    return {"status": status, "seconds": max(seconds, 0.0), "nbytes": max(nbytes, 0)}


def _helpers() -> dict[int, tuple[float, int]]:
    """Seconds of computing and bytes of the processes that this one has begun."""
    found = {}
    for helper in _children():
        with contextlib.suppress(psutil.Error):
            times = helper.cpu_times()
            found[helper.pid] = (times.user + times.system, helper.memory_info().rss)
    return found


def _children() -> list[psutil.Process]:
    """The processes that this one has begun."""
    lists = list(Path("/proc/self/task").glob("*/children"))
    if not lists:  # it looks at every process of the machine
        return psutil.Process().children()
    found = []
    for one in lists:
        with contextlib.suppress(OSError, psutil.Error):  # a thread, or a process, has just ended
            found += map(psutil.Process, map(int, one.read_text(encoding="ascii").split()))
    return found


def _of_status(key: str, pid: int | str = "self") -> int:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    return 0


def _end(child: int) -> tuple[int, resource.struct_rusage]:
    """End a process, if it has not ended by itself within a second; the signal that ended it."""
    for _ in range(100):
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.01)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        _, status, used = os.wait4(child, 0)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # helpers of one that crashed
        os.killpg(child, signal.SIGKILL)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, used


def warm() -> None:
    """Import what the doors need, before any fork."""
    for name in ("h5py", "imagecodecs", "scipy.io", "skimage", "spectral", "tifffile"):
        importlib.import_module(name)
    for room in ("cli", "models", "training.train"):
        importlib.import_module(f"napari_hsr.{room}")
    import PIL.Image
    import torch

    from napari_hsr import cli
    from napari_hsr.colour.observers import colour_science

    cli.build_parser = functools.cache(cli.build_parser)  # most of what a small file takes
    cli.build_parser()
    colour_science()
    torch.set_num_threads(1)
    PIL.Image.init()
