"""Files that stand for many: what arguments and folders hold, and what their results are called."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError
from napari_hsr.io.detect import PHOTOGRAPH_SUFFIXES, STACK_SUFFIXES
from napari_hsr.io.library_errors import not_there

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Files that are looked for in a folder where cubes are wanted; of an ENVI image, its header.
CUBE_SUFFIXES = (
    ".mat", ".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".nc", ".nc4", ".hspy", ".hdr", ".tif", ".tiff",
    ".npy", ".npz",
)  # fmt: skip


def expand(
    inputs: Iterable[str], suffixes: Sequence[str] = PHOTOGRAPH_SUFFIXES, what: str = "photograph"
) -> tuple[list[Path], list[FileError]]:
    """The files that arguments stand for, in order and each once.

    A folder stands for the files with these suffixes directly in it, and a pattern (``*``, ``?``,
    ``[…]``, ``**``) for the files it matches, also under shells that do not expand patterns. Where
    photographs are wanted, a film or a GIF stands for its frames.
    The binary of an ENVI image is no second one beside its header. Arguments that stand for nothing are
    returned as errors.
    """
    from napari_hsr.io.file_sets import files_read  # NumPy, for which no help should wait

    files: dict[Path, Path] = {}
    errors: list[FileError] = []
    for given in inputs:
        try:
            found = _stands_for(given, suffixes, what)
        except FileError as error:
            errors.append(error)
            continue
        for path in found:
            files.setdefault(path.resolve(), path)
    of_headers = {
        read
        for real, path in files.items()
        if path.suffix.lower() == ".hdr"
        for read in files_read(path) - {real}
    }
    return [path for real, path in files.items() if real not in of_headers], errors


def _stands_for(given: str, suffixes: Sequence[str], what: str) -> list[Path]:
    from napari_hsr.io import can_read
    from napari_hsr.io.read_choice import split_variable

    path = Path(os.path.expanduser(given))
    if split_variable(path)[1] is not None:  # scene.mat:ms
        return [path]
    if path.is_dir():
        # The folder of a CAVE scene is one cube; its planes are no photographs.
        return [path] if can_read(path) else _files_in(path, suffixes, what)
    if path.exists():  # before patterns: a file may be called "a[1].png"
        unfolded = suffixes is PHOTOGRAPH_SUFFIXES and path.suffix.lower() in STACK_SUFFIXES
        return _frames_of(path) if unfolded else [path]
    if glob.has_magic(given):
        matches = (Path(match) for match in sorted(glob.glob(str(path), recursive=True)))
        if found := [match for match in matches if not match.is_dir()]:
            return found
        raise FileError(given, "this pattern matches no file")
    raise not_there(given)


def _frames_of(path: Path) -> list[Path]:
    """The frames of a film, as :func:`napari_hsr.read` names them: ``film.mp4:1``…."""
    from napari_hsr.io.stacks import read_stack

    return [Path(f"{path}:{number}") for number in range(1, len(read_stack(path)) + 1)]


def stem_of(path: Path) -> str:
    """``scene`` of ``scene.png``; ``film_0012`` of the twelfth frame of ``film.mp4``, ``scene_ms`` of ``scene.mat:ms``."""
    from napari_hsr.io.read_choice import split_variable

    file, part = split_variable(path)
    if part is None:
        of, colon, frame = path.name.rpartition(":")
        if not (colon and frame.isdecimal() and Path(of).suffix.lower() in STACK_SUFFIXES):
            return path.stem
        file, part = Path(of), frame
    part = f"{int(part):04d}" if part.isdecimal() and len(part) < 10 else part
    return f"{file.stem}_{_plain(part)}"


def _plain(text: str) -> str:
    """What may stand in the name of a file on every system."""
    return re.sub(r"[^\w.-]+", "-", text)


def _files_in(folder: Path, suffixes: Sequence[str], what: str) -> list[Path]:
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        raise FileError(folder, f"no {what} lies in this folder ({', '.join(suffixes)})")
    return found


def output_names(inputs: Sequence[Path], folder: Path, tag: str, suffix: str) -> list[Path]:
    """``folder/<input>_<tag><suffix>`` for each input; a number distinguishes inputs of the same name.

    Names are compared without regard to case, as some file systems do.
    """
    tag = _plain(tag)
    taken: set[str] = set()
    names = []
    for path in inputs:
        stem, number = f"{stem_of(path)}_{tag}", 1
        while f"{stem}{suffix}".casefold() in taken:
            number += 1
            stem = f"{stem_of(path)}_{tag}-{number}"
        taken.add(f"{stem}{suffix}".casefold())
        names.append(folder / f"{stem}{suffix}")
    return names
