"""Which files a path stands for: one, or those that belong together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError, InputError
from napari_hsr.io import detect
from napari_hsr.io.atomic import Identity, check_place, standing
from napari_hsr.io.detect import is_zarr
from napari_hsr.io.read_choice import split_variable

if TYPE_CHECKING:
    from collections.abc import Iterable


def files_read(path: Path) -> set[Path]:
    """All files that reading a path would read, links resolved.

    An ENVI image is its header and its binary, however it is named; a scene folder its files.
    """
    path, _ = split_variable(path)
    found = {path}
    try:
        if path.is_dir():
            found |= {file for file in path.rglob("*") if file.is_file()}
        elif path.is_file() and detect.format_of(path) == "envi":
            from napari_hsr.io.envi import reader as envi

            found |= set(envi.files(path))
    except (FileError, OSError):  # reading it says what is wrong with it
        pass
    return {Path(os.path.realpath(file)) for file in found}


def files_written(path: Path) -> set[Path]:
    """All files that writing a cube to a path would write or take away, links resolved.

    Raises
    ------
    FileError
        If they would be mixed up with others of that name.
    """
    found = {path}
    if path.suffix.lower() == ".hdr":
        from napari_hsr.io.envi import writer as envi_write

        found.add(envi_write.binary_for(path))
    elif is_zarr(path) and path.is_dir():  # replaced with all that lies in it
        found |= {file for file in path.rglob("*") if file.is_file()}
    return {Path(os.path.realpath(file)) for file in found}


def standing_at(outputs: Iterable[Path]) -> dict[Path, Identity]:
    """What stands under the names of results before they are computed.

    It is for :func:`napari_hsr.io.atomic.expecting`. Of a store its folder counts.
    """
    found: set[Path] = set()
    for out in outputs:
        found |= {out} if out.is_dir() else {out, *files_written(out)}
    return standing(found)


def shared(written: set[Path], read: set[Path]) -> Path | None:
    """A file that is in both sets, by whatever name; None if there is none."""
    known = {_identity(file): file for file in read}
    return next((known[i] for i in map(_identity, sorted(written)) if i in known), None)


def replaces(out: Path, inputs: Iterable[Path]) -> bool:
    """Whether writing to ``out`` would replace what is there.

    Raises
    ------
    InputError
        If it would destroy an input, or lie among the chunks of one.
    FileError
        If nothing can be written there.
    """
    inputs = list(inputs)
    place = Path(os.path.realpath(out))
    for path, _variable in map(split_variable, inputs):
        if is_zarr(path) and Path(os.path.realpath(path)) in place.parents:
            raise InputError(f"{out} would lie inside {path}, which is an input.")
    if not is_zarr(out):  # which is a folder
        check_place(out)
    written = files_written(out)
    if any(file.exists() for file in written):
        for path in inputs:
            if shared(written, files_read(path)):
                raise InputError(f"{out} is an input; nothing was written over it.")
    return out.exists()


def _identity(file: Path) -> tuple[int, int] | str:
    try:
        found = file.stat()
    except OSError:
        return str(file)
    return found.st_dev, found.st_ino
