"""What an unfinished store is trusted with: nothing that its folder does not hold, nor leads to."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from napari_hsr.errors import FileError, Hint
from napari_hsr.io import limits
from napari_hsr.io.library_errors import translated
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Bytes of a journal.
_LONGEST = 2**30
#: Bytes of a file that are looked at at once.
_PART = 2**24


def facts(folder: Path, key: str) -> dict[str, Any] | None:
    """Facts of the run that began a store; None if it has none."""
    try:
        found = json.loads(limits.content(folder / "zarr.json"))["attributes"][key]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return None if limits.too_deep(found) or not isinstance(found, dict) else found


def check_plain(folder: Path) -> None:
    """Folders and regular files alone: what is written into it stays there.

    Raises
    ------
    FileError
        If a link or a pipe lies in it, or the folder is a link itself.
    """
    if folder.is_symlink():
        raise FileError(folder, "it is a link, and is not gone on with")
    ahead = [folder]
    with translated(folder, "it cannot be read", only=(OSError,)):
        while ahead:
            with os.scandir(ahead.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        ahead.append(Path(entry.path))
                    elif not entry.is_file(follow_symlinks=False):
                        name = one_line(os.path.relpath(entry.path, folder), 80)
                        raise FileError(
                            folder, f"{name} in it is no regular file: it is not gone on with"
                        )


def check_names(folder: Path, group: Any, names: Iterable[str]) -> None:
    """The arrays must be there, whatever their making.

    Raises
    ------
    FileError
        Naming the first that is not.
    """
    for name in names:
        if name not in group:
            raise FileError(
                folder,
                f"the array {name} of it is gone: overwrite it to begin anew, or choose another name",
                Hint.BEGIN_ANEW,
            )


def check_arrays(folder: Path, found: Iterable[Any], made: Iterable[Any]) -> None:
    """The arrays must be what the run would make.

    Raises
    ------
    FileError
        Naming the first that is not.
    """
    for array, expected in zip(found, made, strict=True):
        if _described(array) != _described(expected):
            raise FileError(
                folder, f"it is damaged: the array {array.path} is not what this run began"
            )


def _described(array: Any) -> dict[str, Any]:
    stated: dict[str, Any] = array.metadata.to_dict()
    return {key: str(value) for key, value in stated.items() if key != "attributes"}


def journal(
    folder: Path, content: Path, is_entry: Callable[[Any], bool]
) -> tuple[list[dict[str, Any]], bytes]:
    """The entries of a journal, and its whole lines; one that was cut short is left out.

    Raises
    ------
    FileError
        If it holds anything else.
    """
    try:
        text = limits.content(content, _LONGEST)
    except FileNotFoundError:
        return [], b""
    *lines, _torn = text.split(b"\n")
    damaged = "its journal is damaged: overwrite it to begin anew"
    try:
        entries = [json.loads(line) for line in lines]
    except (ValueError, RecursionError) as error:
        raise FileError(folder, damaged, Hint.BEGIN_ANEW) from error
    if not all(map(is_entry, entries)):
        raise FileError(folder, damaged, Hint.BEGIN_ANEW)
    return entries, b"".join(line + b"\n" for line in lines)


def is_part(entry: Any, grid: tuple[int, int]) -> bool:
    """Whether it is an entry of tiles and shards, within so many rows and columns of shards."""
    if not isinstance(entry, dict) or not isinstance(entry.get("shards"), list):
        return False
    tile = "tile" not in entry or (
        _integers(entry["tile"], 4)
        and _integers(entry.get("core"), 4)
        and isinstance(entry.get("draft"), bool)
        and isinstance(entry.get("counted"), dict)
        and all(_integer(count) for count in entry["counted"].values())
    )
    return tile and all(_is_shard(shard, grid) for shard in entry["shards"])


def _is_shard(shard: Any, grid: tuple[int, int]) -> bool:
    if not isinstance(shard, dict) or not _integers(shard.get("shard"), 2):
        return False
    inside = all(at < count for at, count in zip(shard["shard"], grid, strict=True))
    return inside and _written(shard) and _integer(shard.get("crc32", 0))


def is_frame(entry: Any) -> bool:
    """Whether it is an entry of a frame of a film."""
    return (
        isinstance(entry, dict)
        and _integer(entry.get("frame"))
        and isinstance(entry.get("file"), str)
        and _written(entry)
        and _integer(entry.get("crc32"))
    )


def _written(entry: dict[str, Any]) -> bool:
    """Whether the range of its values and its bytes are told."""
    span = entry.get("range", 0)
    finite = span is None or (
        isinstance(span, list)
        and len(span) == 2
        and all(isinstance(n, (int, float)) and abs(n) < math.inf for n in span)
    )
    return finite and _integer(entry.get("bytes"))


def _integers(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(map(_integer, value))


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def checksum(path: Path) -> dict[str, int]:
    """Bytes and CRC-32 of a file, or of all files in a folder in the order of their names."""
    found = total = 0
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as opened:
                while part := opened.read(_PART):
                    found, total = crc32(part, found), total + len(part)
    return {"bytes": total, "crc32": found}
