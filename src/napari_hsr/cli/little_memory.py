"""Where memory is limited (``ulimit -v``), what a library must find before it is loaded.

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

#: Bytes that they map (SciPy with OpenBLAS), and as much as that for what is imported on the way.
_NEEDED = {"scipy": 300_000_000, "torch": 530_000_000, "torch._dynamo": 160_000_000}


class _Room(MetaPathFinder):
    """Finds nothing, and looks whether there is room for such a library before it is looked for."""

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> None:
        """None; MemoryError if there is none."""
        if name in _NEEDED:
            try:
                mmap.mmap(-1, _NEEDED[name]).close()
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
