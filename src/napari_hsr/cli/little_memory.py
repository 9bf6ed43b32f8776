"""Where memory is limited (``ulimit -v``, ``ulimit -d``), what a library must find before it is loaded.

SciPy brings OpenBLAS, which asks for memory as it is loaded, again and again and for ever if it is
given none, or ends the process by a signal. PyTorch too is ended by the
C++ library, or by the loader of libraries, while it is imported; a part of it that is imported where a network is made
ready fails with other errors than a lack of memory, and stays broken.
"""

from __future__ import annotations

import mmap
import sys
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes that they map (SciPy with OpenBLAS), and as much as that for what is imported on the way: of
#: addresses, and of data alone.
_NEEDED = {
    "RLIMIT_AS": {"scipy": 300_000_000, "torch": 530_000_000, "torch._dynamo": 160_000_000},
    "RLIMIT_DATA": {"scipy": 150_000_000, "torch": 200_000_000, "torch._dynamo": 100_000_000},
}


class _Room(MetaPathFinder):
    """Finds nothing, and looks whether there is room for such a library before it is looked for."""

    def __init__(self, needed: dict[str, int]):
        self._needed = needed

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> None:
        """None; MemoryError if there is none."""
        if name in self._needed:
            private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS  # what is shared is not counted as data
            try:
                mmap.mmap(-1, self._needed[name], private).close()
            except OSError as error:
                raise MemoryError from error


@contextmanager
def looked_after() -> Iterator[None]:
    """Within this context too little memory for a library raises MemoryError, where it is limited."""
    try:
        import resource

        limits = [name for name in _NEEDED if hasattr(resource, name)]
        limited = [
            name
            for name in limits
            if resource.getrlimit(getattr(resource, name))[0] != resource.RLIM_INFINITY
        ]
    except ImportError:  # Windows
        limited = []
    rooms = [_Room(_NEEDED[name]) for name in limited]
    sys.meta_path[:0] = rooms
    try:
        yield
    finally:
        for room in rooms:
            sys.meta_path.remove(room)
