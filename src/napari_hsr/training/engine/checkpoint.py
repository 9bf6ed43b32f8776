"""Checkpoints that a training goes on from: complete or not there at all."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_hsr.errors import FileError

LAST = "last.pt"
FORMAT = 1


def save(folder: Path, state: dict[str, Any], name: str = LAST) -> Path:
    """Write a state of tensors, numbers, strings and their containers; atomic, and on the disk.

    Raises
    ------
    FileError
        If there is no room or no permission: what was there before stays.
    """
    import torch

    path = folder / name
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            torch.save({"format": FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _settle(folder)
    except (OSError, RuntimeError) as error:
        _forget(temporary)
        stays = "; the last good one stays" if (folder / LAST).is_file() else ""
        raise FileError(
            path, f"the checkpoint could not be written ({_reason(error)}){stays}"
        ) from error
    except BaseException:
        _forget(temporary)
        raise
    return path


def _forget(temporary: str | None) -> None:
    if temporary:
        with suppress(OSError):  # of a disk that is gone; clear_parts removes it later
            Path(temporary).unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """The new name survives a power cut too, where a folder can be told so."""
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
    """Why, in words; torch hides the disk's fault behind one of its own."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, OSError):
        if cause.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            return "the disk is full"
        return cause.strerror or str(cause)
    return str(error).split("\n")[0]


def check_writable(folder: Path) -> None:
    """Whether checkpoints can be written to a folder; it is made if it is not there.

    Raises
    ------
    FileError
        If not: told before the work, not after it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
        os.close(handle)
        os.unlink(temporary)
    except OSError as error:
        raise FileError(folder, f"nothing can be written there ({_reason(error)})") from error


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
            "it is damaged, or no checkpoint of a training; without it the training begins anew",
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise FileError(path, f"a checkpoint of format {FORMAT} was expected")
    return state


def clear_parts(folder: Path) -> None:
    """Remove what a killed run left half-written."""
    for part in folder.glob("*.part"):
        part.unlink(missing_ok=True)


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
