"""The folder beside a session, in which lies what has no file of its own: nothing in it is replaced.

Which sessions refer to a file in it cannot be known: they are saved under other names, copied, renamed and
moved. So what changed is written under a new name, and what no session nearby needs any more stays, and is
told once it is much.
"""

from __future__ import annotations

import filecmp
import os
import re
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import io
from napari_hsr.cube import Cube
from napari_hsr.errors import FileError
from napari_hsr.io import limits, whole_arrays
from napari_hsr.io.atomic import replacing
from napari_hsr.io.library_errors import translated
from napari_hsr.photograph import Photograph
from napari_hsr.units import format_bytes
from napari_hsr.viewer.session_file import MOST_BYTES, SUFFIX, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_hsr.viewer.session_file import LayerRecord

#: So many bytes that no session refers to are not worth a word.
_UNTOLD = 500 * 2**20
#: What a layer without a file is written as, by its kind.
_SUFFIXES = {"cube": ".h5", "photograph": ".tif", "map": ".npy", "labels": ".npy"}


@contextmanager
def taken_back(folder: Path) -> Iterator[list[Path]]:
    """Where a save fails, leave none of the files that are listed, nor a folder that was not there."""
    new: list[Path] = []
    was_there = os.path.lexists(folder)
    try:
        yield new
    except BaseException:
        remove(new)
        if not was_there:
            with suppress(OSError):
                folder.rmdir()
        raise


def remove(files: list[Path]) -> None:
    """Remove what was put there for a session that does not come to refer to it."""
    for file in files:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def files_of(path: Path, folder: Path) -> list[Path]:
    """Files in the folder that the session refers to as it was saved last."""
    try:
        layers = read(path).layers if os.path.exists(path) else []
    except FileError:  # no session: what lies there is somebody's
        layers = []
    found = (Path(os.path.abspath(path.parent / one.file.beside)) for one in layers if one.file)
    here = Path(os.path.abspath(folder))
    return [file for file in dict.fromkeys(found) if file.parent == here and file.is_file()]


def made_for(record: LayerRecord, thing: Any, aside: Path, folder: Path) -> Path:
    """Write what has no file of its own, to be put into the folder.

    Raises
    ------
    HSRError
        If it cannot be written; of the file as it is called in the folder.
    """
    stem = re.sub(r"[^\w\-. ]+", "_", record.name).strip(" .")[:60] or record.kind
    file = aside / f"{stem}{_SUFFIXES[record.kind]}"
    try:
        with translated(file, "its folder could not be made"):
            aside.mkdir(parents=True, exist_ok=True)
        if isinstance(thing, (Cube, Photograph)):
            io.write(thing, file)
        else:
            with replacing(file) as temporary, temporary.open("wb") as opened:
                whole_arrays.save(opened, np.asarray(thing))
    except FileError as error:
        if os.path.dirname(error.path) != os.fspath(aside):
            raise  # of what is read for it
        raise FileError(folder / file.name, error.problem, error.hint) from error
    return file


def placed(made: Path, folder: Path, known: list[Path], new: list[Path]) -> Path:
    """Where a file that was made is put: under a name that nothing has, or where the session has the same already.

    Parameters
    ----------
    made : Path
        The file, on the same disk.
    known : list of Path
        What the session has already; what is used again is taken out of it.
    new : list of Path
        What is put there is added to it.

    Raises
    ------
    FileError
        If it cannot be put there.
    """
    with translated(folder / made.name, "it cannot be put in its place"):
        for at, file in enumerate(known):
            if _is_same(made, file):
                return known.pop(at)
        folder.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            name = made.name if number == 1 else f"{made.stem} {number}{made.suffix}"
            where = folder / name
            with suppress(FileExistsError):
                where.open("xb").close()  # of two viewers that save at once, one has the name
                break
        new.append(where)
        os.replace(made, where)
    return where


def _is_same(one: Path, other: Path) -> bool:
    alike = one.suffix == other.suffix and one.stat().st_size == other.stat().st_size
    return alike and filecmp.cmp(one, other, shallow=False)


def unclaimed(path: Path, folder: Path) -> str:
    """What is to be said of files in the folder that no session beside it names, where they take much room."""
    try:
        sizes = {file: file.stat().st_size for file in folder.iterdir() if file.is_file()}
        if sum(sizes.values()) <= _UNTOLD:
            return ""
        beside = {one for one in path.parent.iterdir() if one.suffix.lower() == SUFFIX}
        texts = [limits.content(one, MOST_BYTES) for one in sorted({path, *beside})]
    except (OSError, FileError):  # what cannot be looked at may well be needed
        return ""
    left = {
        file: size
        for file, size in sizes.items()
        if not any(os.fsencode(file.name) in text for text in texts)
    }
    total = sum(left.values())
    if total <= _UNTOLD:
        return ""
    largest = max(left, key=lambda file: left[file])
    return (
        f"{folder.name} holds {format_bytes(total)} that no session beside it refers to, such as "
        f"{largest.name}: they stay, for a copy of a session elsewhere may. Remove what none needs."
    )
