"""Stacks of photographs: folders and patterns of files, films, animations, files of several pages.

They are opened, not read: each frame is read when it is asked for.
"""

from __future__ import annotations

import glob
import os
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.arguments import told
from napari_hsr.errors import FileError, InputError
from napari_hsr.io import detect, limits
from napari_hsr.io.library_errors import not_there
from napari_hsr.photograph_stack import PhotographStack, StackAxis

if TYPE_CHECKING:
    from collections.abc import Sequence


@told
def read_stack(
    path: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    axis: str = "frame",
    step: float = 1.0,
    unit: str = "pixel",
    full_scale: float | None = None,
) -> PhotographStack:
    """Open photographs of one size as a stack.

    Parameters
    ----------
    path : path-like, or sequence of them
        A folder of photographs, a pattern (``frames/*.png``), a list of files, a film
        (``.mp4``, ``.avi``, ``.mov``), a ``.gif``, or a TIFF of several RGB pages. Files of a folder
        or pattern are ordered by their names, numbers in them by value.
    axis, step, unit : str, float, str
        What the axis of frames is, the spacing along it and its unit, such as ``"time", 60, "second"``.
        Films, GIFs and TIFFs of ImageJ state these themselves.
    full_scale : float, optional
        Of separate files and TIFFs, as for :func:`napari_hsr.read`.

    Returns
    -------
    PhotographStack
        The encoding is that of the first frame. A frame that is damaged, or of another size than
        most, is left empty, and stands in ``failures``.

    Raises
    ------
    FileError
        If there is nothing, no frame, or no more than half of the files have one size; one sentence.
    InputError
        If an axis is stated of a file that states its own.
    """
    from napari_hsr.io.stacks import files

    axes = (axis, step, unit)
    if not isinstance(path, (str, PathLike)):
        return files.read([Path(fspath(one)) for one in path], *axes, full_scale=full_scale)
    if not fspath(path).strip():
        raise InputError(f"The path of a folder, a film or a pattern was expected, not {path!r}.")
    one = Path(os.path.expanduser(path))
    if one.is_dir():
        return files.read(files.listed(one), *axes, folder=one, full_scale=full_scale)
    if not one.exists() and glob.has_magic(str(one)):
        found = [Path(match) for match in glob.glob(str(one), recursive=True)]
        kept = sorted((p for p in found if p.is_file()), key=files.natural)
        if not kept:
            raise FileError(path, "this pattern matches no file")
        return files.read(kept, *axes, full_scale=full_scale)
    if not one.exists():
        raise not_there(one)
    limits.check_regular(one)
    head = detect.head_of(one)
    if not head:
        raise FileError(one, "the file is empty")
    if head.startswith(b"GIF8"):
        from napari_hsr.io.stacks.pages import read_gif

        _of_8_bits(one, full_scale)
        return _along(read_gif(one), *axes)
    if head.startswith(detect.TIFF):
        from napari_hsr.io.stacks.pages import read_tiff

        return _along(read_tiff(one, full_scale), *axes)
    if one.suffix.lower() in detect.FILM_SUFFIXES:
        from napari_hsr.io.stacks.films import read

        _of_8_bits(one, full_scale)
        return _along(read(one), *axes)
    raise FileError(
        one,
        "a folder of photographs, a film "
        f"({', '.join(detect.FILM_SUFFIXES)}), a .gif or a TIFF of several pages was expected",
    )


def _along(stack: PhotographStack, axis: str, step: float, unit: str) -> PhotographStack:
    """The stack of a file along the axis that was stated, where the file states none."""
    from napari_hsr.io.stacks.files import check_step

    if (axis, step, unit) == ("frame", 1.0, "pixel"):
        return stack
    own, *others = stack.axes
    if others or own.unit != "pixel":
        apart = f", {own.step:g} {own.unit} apart," if own.unit != "pixel" else ""
        raise InputError(
            f"The frames of {stack.name} lie along {own.name}{apart} as its file states: nothing else is "
            "stated for them."
        )
    check_step(step)
    return replace(stack, axes=(StackAxis(axis, own.size, float(step), 0.0, unit),))


def _of_8_bits(path: Path, full_scale: float | None) -> None:
    """Refuse a full scale where there is nothing to be said."""
    if full_scale is not None:
        raise InputError(
            f"{path.name} has frames of 8 bits, whose white is 255: no full scale is stated for them."
        )


def can_read_stack(path: Any) -> bool:
    """True if :func:`read_stack` would try it; looks at no more than names and heads."""
    from napari_hsr.io.stacks import files, pages

    if isinstance(path, (list, tuple)):
        return len(path) > 1 and all(
            Path(one).suffix.lower() in detect.PHOTOGRAPH_SUFFIXES for one in path
        )
    one = Path(os.path.expanduser(path))
    if one.is_dir():
        return not detect.can_read(one) and len(files.listed(one)) > 1
    if one.suffix.lower() in detect.STACK_SUFFIXES:
        return one.is_file()
    return one.is_file() and one.suffix.lower() in (".tif", ".tiff") and pages.is_stack(one)
