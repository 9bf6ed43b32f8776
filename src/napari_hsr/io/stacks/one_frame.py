"""A single frame of a film or an animation, named by its number: ``film.mp4:12``."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError
from napari_hsr.io import detect
from napari_hsr.io.stacks import films, pages

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.photograph import Photograph
    from napari_hsr.photograph_stack import PhotographStack


def frame(path: Path, number: str) -> Photograph:
    """One frame of a film or an animation, counted from 1.

    Raises
    ------
    FileError
        If there is no such frame, or it cannot be read.
    """
    state = path.stat()
    stack = _opened(path, state.st_size, state.st_mtime_ns)
    if not number.isdecimal() or not 1 <= int(number) <= len(stack):
        raise FileError(path, f"its frames are 1 to {len(stack)}, not {number}")
    found = stack.photograph(int(number) - 1)
    named = f"{path.name}:{number}"
    return replace(
        found,
        name=f"{stack.name} {number}",
        provenance=replace(found.provenance, input=named),
        notices=(*stack.notices, *found.notices),
    )


@lru_cache(maxsize=1)
def _opened(path: Path, _size: int, _time: int) -> PhotographStack:
    """The stack opened last, so that a run over its frames opens it once."""
    if detect.head_of(path).startswith(b"GIF8"):
        return pages.read_gif(path)
    return films.read(path)
