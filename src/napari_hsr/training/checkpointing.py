"""Checkpoints that a training goes on from: complete or not there at all."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError

if TYPE_CHECKING:
    import torch

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
    except (OSError, RuntimeError) as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        reason = _reason(error)
        raise FileError(
            path, f"the checkpoint could not be written ({reason}); the last good one stays"
        ) from error
    except BaseException:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _reason(error: BaseException) -> str:
    cause = error if isinstance(error, OSError) else error.__context__
    if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
        return "the disk is full"
    return getattr(cause, "strerror", None) or str(error).split("\n")[0]


def read(folder: Path, name: str = LAST) -> dict[str, Any] | None:
    """The state, or None if there is none. No code that the file carries is run.

    Raises
    ------
    FileError
        If it is damaged, or of a later format.
    """
    import pickle

    import torch

    path = folder / name
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise FileError(
            path, f"a checkpoint of a training was expected ({str(error).splitlines()[0]})"
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


def copy_of(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors on the CPU, memory of their own."""
    return {k: v.detach().to("cpu", copy=True) for k, v in weights.items()}
