"""Files that napari opens a second time: of several dropped ones it opens some, asks, and begins anew.

``QtViewer._qt_open`` opens its files one after the other. Where one of them needs the user to choose
a reader, it asks for all, and opens those before it again.
"""

from __future__ import annotations

import sys

#: The list that napari is opening, and what was read of it.
_files: tuple[list[str], set[str]] = ([], set())


def opened_already(path: str) -> bool:
    """Whether this file was read before within the same drop or choice of files."""
    global _files
    listed = _being_opened()
    if listed is None:
        return False
    if listed is not _files[0]:  # another list, of another act
        _files = (listed, set())
    again = path in _files[1]
    _files[1].add(path)
    return again


def _being_opened() -> list[str] | None:
    """The very list that napari goes through; None if a script opens files."""
    frame = sys._getframe(1)
    while frame.f_code.co_name != "_qt_open":
        if frame.f_back is None:
            return None
        frame = frame.f_back
    listed = frame.f_locals.get("filenames")
    return listed if isinstance(listed, list) else None
