"""Whether the folder of a zarr store may be replaced: nothing of somebody's is lost with it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from napari_hsr.errors import FileError
from napari_hsr.io import atomic, limits
from napari_hsr.io.detect import is_zarr
from napari_hsr.io.library_errors import check_name, translated
from napari_hsr.io.zarr.store_check import METADATA
from napari_hsr.units import one_line

#: Names of chunks, and of the folders that they lie in.
_CHUNK = re.compile(r"c?[\d./]*")
#: The folder in a store that is not finished, which a killed run may leave in a finished one.
JOURNAL = "journal"
#: The file in it that says whose run it is.
LOCK = "lock"
_IN_JOURNAL = re.compile(rf"parts\.jsonl|\.?{LOCK}(\..*)?|.*\.npy")
#: What systems leave in folders by themselves.
_LITTER = re.compile(r"\.DS_Store$|\._|\.nfs")


def check_replaceable(folder: Path, named: Path) -> None:
    """A folder that is to be replaced must be a store and nothing else.

    Raises
    ------
    FileError
        If it is none, is protected, or if somebody keeps other files in it.
    """
    check_name(named)
    if not folder.exists():
        return
    if not os.access(folder, os.W_OK):
        raise FileError(named, atomic.PROTECTED)
    if not is_zarr(folder):
        raise FileError(named, "there is something else of that name, which is not replaced")
    other = _other(folder)
    if other is not None:
        name = one_line(os.path.relpath(other, folder), 80)
        raise FileError(named, f"{name} in it is no part of a zarr store, so it is not replaced")


def _other(store: Path) -> Path | None:
    """The first file or folder, in chunks of arrays too, that zarr or the system did not put there."""
    ahead: list[tuple[Path, re.Pattern[str] | None]] = [(store, None)]
    while ahead:
        folder, names = ahead.pop()
        with translated(store, "it cannot be read", only=(OSError,)):
            inside = list(os.scandir(folder))
        names = names or (_CHUNK if _is_array(folder) else None)
        for entry in inside:
            item, within = Path(entry.path), names
            if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
                return item
            if not os.access(item, os.W_OK):
                raise FileError(item, atomic.PROTECTED)
            if entry.is_file() and (item.name in METADATA or _LITTER.match(item.name)):
                continue
            if item == store / JOURNAL and entry.is_dir():
                within = _IN_JOURNAL
            elif not (names.fullmatch(item.name) if names else entry.is_dir() and is_zarr(item)):
                return item
            if entry.is_dir():
                ahead.append((item, within))
    return None


def _is_array(folder: Path) -> bool:
    if (folder / ".zarray").exists():
        return True
    try:
        found = json.loads(limits.content(folder / "zarr.json"))
    except (OSError, ValueError, RecursionError, FileError):
        return False
    return isinstance(found, dict) and found.get("node_type") == "array"
