"""Checkpoints that a training resumes from: each is complete or absent."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path

LAST = "last.pt"
FORMAT = 1


def save(folder: Path, state: dict[str, Any], name: str = LAST) -> Path:
    """Write a state of tensors, numbers, strings and their containers; atomic and durable.

    Raises
    ------
    FileError
        If there is no room or no permission; the earlier file stays.
    """
    import torch

    from napari_hsr.io.atomic import replacing

    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save({"format": FORMAT, **state}, file)
        _sync(folder)
    except (OSError, FileError) as error:
        stays = "; the last good one stays" if (folder / LAST).is_file() else ""
        raise FileError(
            path, f"the checkpoint could not be written ({_reason(error)}){stays}"
        ) from error
    return path


def _sync(folder: Path) -> None:
    """Make new names in a folder survive a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
    finally:
        os.close(handle)


def _reason(error: BaseException) -> str:
    """Why a file could not be written; the system's error lies behind those of torch."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, OSError):
        if cause.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            return "the disk is full"
        return cause.strerror or str(cause)
    return str(error).split("\n")[0]


def read(folder: Path, name: str = LAST) -> dict[str, Any] | None:
    """The state, or None if there is none. No code that the file carries is run.

    Raises
    ------
    FileError
        If it is damaged, or of a later format.
    """
    import torch

    path = folder / name
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged archive is a fault of any kind
        raise FileError(
            path,
            "it is damaged, or no checkpoint of a training; without it the training starts again",
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise FileError(path, f"a checkpoint of format {FORMAT} was expected")
    return state


def remove_unfinished(folder: Path) -> None:
    """Remove files that a killed run left unfinished."""
    for pattern in (".*.tmp", "*.part"):  # ours, and those of version 0.1
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def keep_only(folder: Path, pattern: str, name: str) -> None:
    """Remove the files of a pattern but one, once nothing refers to them any more."""
    for path in folder.glob(pattern):
        if path.name != name:
            path.unlink(missing_ok=True)


def on_cpu(value: Any) -> Any:
    """The tensors in nested containers copied to the CPU."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {k: on_cpu(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(on_cpu(v) for v in value)
    return value
