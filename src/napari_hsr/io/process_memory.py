"""Limits of the memory that a helper process may take."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def limit_memory() -> int:
    """Limit the memory of this process; the bytes that it has mapped until now."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on Windows
        import resource

        import psutil

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + psutil.virtual_memory().available // 2
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return most_mapped()


@contextlib.contextmanager
def within(room: int | None) -> Iterator[None]:
    """No more memory than that beside what is mapped; no other limit if it is None, or on Windows."""
    try:
        import resource

        mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        before = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError, ValueError):
        room = None
    if room is None:
        yield
        return
    most = mapped * os.sysconf("SC_PAGE_SIZE") + room
    if before[1] != resource.RLIM_INFINITY:
        most = min(most, before[1])
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def most_mapped() -> int:
    """The most bytes that this process has had mapped; 0 where the system does not say it."""
    with contextlib.suppress(OSError):
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        found = re.search(r"VmPeak:\s*(\d+) kB", text)
        return 1024 * int(found[1]) if found else 0
    return 0
