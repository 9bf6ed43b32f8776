"""How much memory is available, and how much a run took."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

if TYPE_CHECKING:
    import torch

#: Where Linux says which control groups a process is in, and where these are.
GROUPS_OF_PROCESS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


class _Names(NamedTuple):
    """Files of a control group, and the line of its statistics on memory that can be dropped."""

    limit: str
    used: str
    cached: str


_FIRST = _Names("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_SECOND = _Names("memory.max", "memory.current", "inactive_file")


def available() -> int:
    """Bytes that can be allocated now, limited by the computer, by control groups and by ``ulimit -v``.

    The limit of a container counts: the kernel ends a process that exceeds it, however much memory
    the computer has.
    """
    limits = (left_in_groups(), left_to_process())
    free: int = psutil.virtual_memory().available
    return min([free, *(left for left in limits if left is not None)])


def left_to_process() -> int | None:
    """Bytes that this process may still map where that is limited (``ulimit -v``), else None."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    return (
        None
        if most == resource.RLIM_INFINITY
        else max(0, most - psutil.Process().memory_info().vms)
    )


def left_in_groups(process: Path | None = None, groups: Path | None = None) -> int | None:
    """Bytes that the control groups of this process still allow.

    Both versions are understood: ``memory.max`` minus ``memory.current``, and in version 1
    ``limit_in_bytes`` minus ``usage_in_bytes``; files in the kernel's cache, which it can drop, do
    not count as used. The minimum over the group of the process and the groups above it.

    Parameters
    ----------
    process, groups : Path, optional
        Instead of :data:`GROUPS_OF_PROCESS` and :data:`GROUPS`.

    Returns
    -------
    int or None
        At least 0; None without limits, and where there are no control groups.
    """
    process, groups = process or GROUPS_OF_PROCESS, groups or GROUPS
    if not process.is_file():
        return None
    left: list[int] = []
    for line in process.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, names = groups, _SECOND
        elif "memory" in controllers.split(","):
            top, names = groups / "memory", _FIRST
        else:
            continue
        # A container may see its own group at the top, under the name it has outside it.
        inside = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(inside) + 1):
            with suppress(OSError, ValueError):  # no such group here, or "max": no limit
                left.append(_left(top.joinpath(*inside[:depth]), names))
    return min(left, default=None)


def _left(group: Path, names: _Names) -> int:
    limit = int((group / names.limit).read_text())
    used = int((group / names.used).read_text())
    cached = re.search(rf"^{names.cached} (\d+)$", (group / "memory.stat").read_text(), re.M)
    return max(0, limit - used + (int(cached[1]) if cached else 0))


def trim() -> None:
    """Return freed memory to the system, where the C library can.

    glibc keeps the memory of small and medium arrays for later ones: after a network that can be
    as much as the arrays of the next step take.
    """
    if sys.platform.startswith("linux"):
        release = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in musl
        if release is not None:
            release(0)


def release_cached(device: torch.device) -> None:
    """Free memory that Python and torch hold back for later use."""
    gc.collect()
    if device.type == "cuda":
        import torch

        torch.cuda.empty_cache()


class PeakMemory:
    """Context manager: ``bytes`` is the peak resident memory above that at the start.

    Resident memory is sampled every 10 ms, so a shorter peak can be missed. The allocated memory
    that a CUDA device counts itself is added.
    """

    def __init__(self, device: torch.device | None = None, interval: float = 0.01):
        self._process = psutil.Process()
        self._cuda = device if device is not None and device.type == "cuda" else None
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True, name="peak-memory")
        self._start = self._highest = 0
        self.bytes = 0

    def _sample(self) -> None:
        while not self._stop.wait(self._interval):
            with suppress(MemoryError, OSError):  # there may be none left to ask, or no handle
                self._highest = max(self._highest, self._process.memory_info().rss)

    def __enter__(self) -> PeakMemory:
        if self._cuda is not None:
            import torch

            torch.cuda.reset_peak_memory_stats(self._cuda)
        self._start = self._highest = self._process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._highest = max(self._highest, self._process.memory_info().rss)
        self.bytes = self._highest - self._start
        if self._cuda is not None:
            import torch

            self.bytes += torch.cuda.max_memory_allocated(self._cuda)
