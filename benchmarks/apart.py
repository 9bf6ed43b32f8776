"""One call in a process of its own, within limits of time and memory, and what became of it.

The process is forked from one that has imported the libraries, so that a call costs milliseconds.
POSIX only.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import resource
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: What any file must answer within.
SECONDS, BYTES = 5.0, 500_000_000
#: From here on a call is ended.
_KILL_SECONDS, _KILL_CPU_SECONDS, _KILL_BYTES = 60.0, 10, 4_000_000_000
_INTERNAL = ("This is a fault in napari-hsr", "Traceback (most recent call last)", "unexpected ")
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
    start = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if not child:
            _inside(call, folder, output.fileno())
        status, used = _wait(child, start + _KILL_SECONDS)
        output.seek(0)
        content = output.read().decode("utf-8", "backslashreplace")
    text, _, measured = content.rpartition("\n#peak ")
    nbytes = int(measured) if measured.strip().isdigit() else used.ru_maxrss * 1024
    seconds = used.ru_utime + used.ru_stime
    said = (text or content).strip()
    waited = time.monotonic() - start
    if os.WIFSIGNALED(status):
        killed = os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGALRM, signal.SIGXCPU)
        how = SLOW if killed and (waited >= _KILL_SECONDS or seconds >= SECONDS) else CRASH
        name = signal.Signals(os.WTERMSIG(status)).name
        return Outcome(how, max(seconds, 0.0), nbytes, f"{name} after {waited:.0f} s {said}")
    if any(sign in said for sign in _INTERNAL):
        how = FAULT
    elif nbytes > BYTES:
        how = LARGE
    elif seconds > SECONDS:
        how = SLOW
    else:
        how = REFUSED if os.WEXITSTATUS(status) else TAKEN
    if how == REFUSED and len(said) > 2000:  # a sentence
        how = FAULT
    return Outcome(how, seconds, nbytes, said)


def _inside(call: Callable[[], int], folder: str, output: int) -> None:
    """In the child: run and leave, whatever happens."""
    status = 99
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.setsid()
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (_KILL_CPU_SECONDS, _KILL_CPU_SECONDS + 2))
        mapped = _of_status("VmSize")
        if mapped:
            resource.setrlimit(resource.RLIMIT_AS, (mapped + _KILL_BYTES,) * 2)
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), line_buffering=True)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), line_buffering=True)
        with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        before = _of_status("VmRSS")
        status = call()
        peak = _of_status("VmHWM") - before
        sys.stdout.flush()
        os.write(1, f"\n#peak {max(peak, 0)}".encode())
    except BaseException:
        import traceback

        os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
    finally:
        os._exit(status)


def _of_status(key: str) -> int:
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    return 0


def _wait(child: int, until: float) -> tuple[int, resource.struct_rusage]:
    pause = 0.001
    while True:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            return status, used
        if time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            _, status, used = os.wait4(child, 0)
            return status, used
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def warm() -> None:
    """Import what the doors need, before any fork."""
    for name in ("h5py", "imagecodecs", "scipy.io", "skimage", "spectral", "tifffile"):
        importlib.import_module(name)
    for room in ("cli", "models", "training.train"):
        importlib.import_module(f"napari_hsr.{room}")
    import PIL.Image
    import torch

    from napari_hsr.colour.observers import colour_science

    colour_science()
    torch.set_num_threads(1)
    PIL.Image.init()
