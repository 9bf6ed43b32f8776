"""Checkpoints that torch wrote, read as data: nothing that a file names is ever run.

A pickle is a small program. torch's restricted reader knows the few steps that make tensors,
numbers, texts and containers of them; what asks for more is refused here, with its name.
"""

from __future__ import annotations

import os
import pickle
import re
import sys
import zipfile
import zlib
from typing import Any

from napari_hsr.errors import FileError
from napari_hsr.io.library_errors import translated
from napari_hsr.io.limits import check_regular
from napari_hsr.models import pickle_steps
from napari_hsr.models.model_file import is_large

#: What such files are named.
TORCH_SUFFIXES = (".pth", ".pt", ".pkl", ".ckpt")

#: How files of ``torch.save`` begin: a zip archive, or the number that older ones begin with.
_ZIP = b"PK\x03\x04"
_OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"


def looks_like(path: str | os.PathLike[str]) -> str:
    """What a file is, by how it begins: ``"torch"`` (any pickle, too), ``"safetensors"`` or ``""``."""
    check_regular(path)
    try:
        with open(path, "rb") as file:
            start = file.read(9)
    except OSError:  # told by whoever reads it then
        return ""
    if start[4:] == b"\0\0\0\0{":  # the length of a header, and JSON
        return "safetensors"
    return "torch" if start.startswith((_ZIP, _OLD[:1])) else ""


def is_torch(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a checkpoint of torch, whatever its name; if neither, what its name says."""
    named = os.path.splitext(path)[1].lower() in TORCH_SUFFIXES
    return (looks_like(path) or ("torch" if named else "")) == "torch"


def read_torch(path: str | os.PathLike[str]) -> Any:
    """What a checkpoint holds, tensors on the CPU.

    Parameters
    ----------
    path : path-like
        A file that ``torch.save`` wrote.

    Raises
    ------
    FileError
        If it is another kind of file, damaged, or asks for anything to be run.
    """
    import torch

    check_regular(path)
    # Of a large file only what turns out to be weights is read.
    archive = _is_archive(path)
    lazily = archive and check_archive(path) and is_large(path)
    pickle_steps.check(path, archive)
    try:
        with torch.serialization.safe_globals(_plain_values()):
            if lazily and not str(path).endswith(".safetensors"):
                return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            with open(path, "rb") as file:  # of a path, torch may believe the name
                return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named and not named[1].startswith("torch._utils"):
            raise FileError(
                path,
                f"weights alone were expected, but reading it would run {named[1]}, which the "
                "file names, so it was refused",
            ) from error
        raise FileError(path, _DAMAGED) from error
    except Exception as error:  # damaged archives raise whatever they like: told, not hidden
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            raise FileError(path, "it asks for more memory than there is") from error
        raise FileError(path, _DAMAGED) from error


#: How much larger an archive's content may be than the file: torch packs nothing.
_SWELLING = 4

#: What zipfile raises on damaged archives.
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError),
    NotImplementedError,
)
_DAMAGED = "a checkpoint of torch was expected, but this one is damaged or cut short"


def _is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether a checkpoint is a zip archive, not torch's older form.

    Raises
    ------
    FileError
        If it is neither.
    """
    with translated(path, "it cannot be read", only=(OSError,)), open(path, "rb") as file:
        start = file.read(len(_OLD))
    if start.startswith((_ZIP, _OLD)):
        return start.startswith(_ZIP)
    problem = "this is another kind of file"
    if not start:
        problem = "the file is empty"
    elif start[:1] == b"\x80":
        problem = (
            "this is another pickle, and reading it would run code of its own, so it was refused"
        )
    raise FileError(path, f"a checkpoint of torch was expected, but {problem}")


def check_archive(path: str | os.PathLike[str]) -> bool:
    """Whether an archive can be mapped: nothing in it is packed, or of another byte order.

    Raises
    ------
    FileError
        If its table of contents is not that of a checkpoint, or says that it would swell, or a
        sum of check (CRC) in it is not that of what it holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            native = _check_entries(path, archive.infolist())
            orders = {
                archive.read(entry)
                for entry in archive.infolist()
                if entry.filename.endswith("/byteorder") and entry.file_size < 16
            }
            damaged = archive.testzip()
    except FileError:  # a ValueError, too
        raise
    except _UNREADABLE as error:
        raise FileError(path, _DAMAGED) from error
    if damaged is not None:
        raise FileError(path, f"{_DAMAGED}: what {damaged} holds is not what was written")
    return native and orders <= {sys.byteorder.encode()}


def _check_entries(path: str | os.PathLike[str], entries: list[zipfile.ZipInfo]) -> bool:
    """Whether nothing in a checkpoint's table of contents is packed; FileError if it is none."""
    names = {entry.filename.rpartition("/")[2] for entry in entries}
    if "constants.pkl" in names:
        raise FileError(
            path,
            "weights alone were expected, but this is a program of TorchScript, so it was refused",
        )
    if "data.pkl" not in names:
        raise FileError(
            path, "a checkpoint of torch was expected, but this is another kind of archive"
        )
    size, content = os.path.getsize(path), sum(entry.file_size for entry in entries)
    if content > _SWELLING * size:
        raise FileError(
            path,
            f"a checkpoint of torch was expected, but the {size:,} bytes of this one would swell "
            f"to {content:,}, so it was refused",
        )
    return all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)


def _plain_values() -> list[Any]:
    """Numbers of NumPy and options of a command line: data that training programs save beside."""
    from argparse import Namespace

    import numpy as np

    makes = np.float64(0).__reduce__()[0]  # its name differs between versions of NumPy
    dtypes = {type(np.dtype(name)) for name in ("f8", "f4", "f2", "i8", "i4", "?")}
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    return [Namespace, np.dtype, *dtypes, *((makes, name) for name in names)]
