"""Where memory is limited (``ulimit -v``), what a library must find before it is loaded.

SciPy brings OpenBLAS, which asks for memory as it is loaded, again and again and for ever if it is
given none, or ends the process by a signal.
"""

from __future__ import annotations

import mmap
import sys
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes that SciPy with OpenBLAS maps, and as much as that for what is imported on the way.
_NEEDED = 300_000_000


class _Room(MetaPathFinder):
    """Finds nothing, and looks whether there is room for SciPy before it is looked for."""

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> None:
        """None; MemoryError if there is none."""
        if name == "scipy":
            try:
                mmap.mmap(-1, _NEEDED).close()
            except OSError as error:
                raise MemoryError from error


@contextmanager
def looked_after() -> Iterator[None]:
    """Within this context too little memory for a library raises MemoryError, where it is limited."""
    try:
        import resource

        limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    except ImportError:  # Windows
        limited = False
    if not limited:
        yield
        return
    room = _Room()
    sys.meta_path.insert(0, room)
    try:
        yield
    finally:
        sys.meta_path.remove(room)
