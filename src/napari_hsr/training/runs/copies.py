"""Copies of a trained model: its weights, or the folder of its run, as work for a thread."""

from __future__ import annotations

import fnmatch
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import AlreadyThereError, FileError
from napari_hsr.io import limits
from napari_hsr.io.atomic import beside, clear_up, replacing
from napari_hsr.io.library_errors import translated
from napari_hsr.progress import Progress, stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

#: What is only needed to go on with the run.
_LEFT_OUT = ("checkpoint", "tensorboard", "data", "state.json", ".*")
#: Bytes copied between two looks at whether to go on.
_BLOCK = 2**23


def weights_in(directory: Path) -> Path:
    """The one file of weights at the top of a model directory; FileError if there is none."""
    found = sorted(directory.glob("*.safetensors"))
    if len(found) != 1:
        raise FileError(directory, f"one file of weights was expected there, found {len(found)}")
    return found[0]


def file_events(
    directory: Path, path: Path, cancel: threading.Event | None = None
) -> Iterator[Progress | Path]:
    """Copy the weights with their card; then the path.

    Raises
    ------
    FileError
        If there are none, or they cannot be copied.
    """
    source = weights_in(directory)
    limits.check_regular(source)
    yield Progress(0, 0, f"Copying {source.name}")
    with replacing(path) as temporary:
        _copy(source, temporary, path, cancel)
    yield path


def folder_events(
    directory: Path, folder: Path, cancel: threading.Event | None = None
) -> Iterator[Progress | Path]:
    """Copy the run's folder into another one, all of it or nothing; then its new path.

    Raises
    ------
    AlreadyThereError
        If something of that name lies there.
    FileError
        If it cannot be copied.
    """
    target = folder / directory.name
    if os.path.lexists(target):
        raise AlreadyThereError(target)
    with translated(directory, "it cannot be read"):
        files = list(_files(directory))  # all of them first: the target may lie among them
    clear_up(folder)
    aside = beside(target, "tmp")
    try:
        with translated(target, "it cannot be written"):
            aside.mkdir()
        for done, file in enumerate(files):
            stop_if(cancel)
            yield Progress(done, len(files), f"Copying {file.name}")
            to = aside / file.relative_to(directory)
            with translated(target, "it cannot be written"):
                to.parent.mkdir(parents=True, exist_ok=True)
            _copy(file, to, target, cancel)
        with translated(target, "it cannot be put in its place"):
            aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    yield target


def _files(directory: Path) -> Iterator[Path]:
    """The regular files of a run that are copied; a link may lead anywhere, and a device has no end."""
    for place, folders, names in os.walk(directory, onerror=_raise):
        folders[:] = sorted(n for n in folders if _is_copied(n))
        for name in sorted(filter(_is_copied, names)):
            file = Path(place, name)
            if stat.S_ISREG(file.lstat().st_mode):
                yield file


def _is_copied(name: str) -> bool:
    return not any(fnmatch.fnmatch(name, pattern) for pattern in _LEFT_OUT)


def _raise(error: OSError) -> None:
    raise error


def _copy(source: Path, to: Path, named: Path, cancel: threading.Event | None) -> None:
    with translated(named, "it cannot be written"), source.open("rb") as read:
        with to.open("wb") as written:
            while block := read.read(_BLOCK):
                stop_if(cancel)
                written.write(block)
        shutil.copystat(source, to)
