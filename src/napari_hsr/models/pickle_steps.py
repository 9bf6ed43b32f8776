"""The steps of a checkpoint's pickle, looked through before any of them is taken.

torch's restricted reader runs nothing, but it makes room for what it is asked for: bytes by the
gigabyte, tensors without a file behind them, dictionaries whose keys all collide.
"""

from __future__ import annotations

import os
import pickletools
import re
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO

from napari_hsr.errors import FileError

if TYPE_CHECKING:
    from os import PathLike

#: Steps of one pickle; the largest networks with their optimiser take a tenth.
_MOST_STEPS = 1_000_000
#: Bytes of a pickle, and characters of one text in it.
_LARGEST, _LONGEST_TEXT = 64 * 2**20, 2**20
#: Dictionaries in a pickle: an optimiser has one for each tensor.
_MOST_DICTS = 20_000
#: Pickles at the beginning of a file of torch's older form.
_OLD_PICKLES = 5
#: What makes room by a number alone.
_ROOM = re.compile(r"(builtins|__builtin__) bytearray|torch (?!nn)\w+Tensor|torch\.\w+ \w+Tensor")
#: Types of NumPy that take as many bytes as they say.
_WIDE_TYPE = re.compile(r"[|<>=]?[VSUa]\d{4,}")


def check(path: str | PathLike[str], archive: bool) -> None:
    """Look through the pickles of a checkpoint.

    Parameters
    ----------
    path : path-like
    archive : bool
        A zip archive, not torch's older form.

    Raises
    ------
    FileError
        If one asks for far more than weights do. What is damaged passes: torch says so.
    """
    if archive:
        with zipfile.ZipFile(path) as opened:
            for entry in opened.infolist():
                if entry.filename.endswith("data.pkl"):
                    _check_size(path, entry.file_size)
                    with opened.open(entry) as file:
                        _check_steps(path, file)
        return
    with open(path, "rb") as file:
        for _ in range(_OLD_PICKLES):
            if not _check_steps(path, file):
                break


def _check_size(path: str | PathLike[str], size: int) -> None:
    if size > _LARGEST:
        raise _refused(path, f"its description alone takes {size:,} bytes")


def _check_steps(path: str | PathLike[str], file: Any) -> bool:
    """Go through one pickle; False if there is none."""
    steps = dicts = 0
    stream: BinaryIO = file
    try:
        for step, value, _ in pickletools.genops(stream):
            steps += 1
            name = step.name
            if steps > _MOST_STEPS:
                raise _refused(path, f"its description takes more than {_MOST_STEPS:,} steps")
            if name == "EMPTY_DICT":
                dicts += 1
                if dicts > _MOST_DICTS:
                    raise _refused(path, f"it holds more than {_MOST_DICTS:,} dictionaries")
            elif isinstance(value, (str, bytes)):
                if len(value) > _LONGEST_TEXT:
                    raise _refused(path, f"a text in it has {len(value):,} characters")
                text = value if isinstance(value, str) else value.decode("latin-1")
                if name == "GLOBAL" and _ROOM.fullmatch(text):
                    raise _refused(path, f"it asks for {text} without any values")
                if _WIDE_TYPE.fullmatch(text):
                    raise _refused(path, f"it asks for a number of {text[-20:]} bytes")
            elif isinstance(value, int) and value.bit_length() > (80 if steps <= 5 else 64):
                # torch's older form begins with a number of 80 bits
                raise _refused(path, "a number in it is far too large")
    except FileError:
        raise
    except MemoryError as error:  # room for a text is made before it is read
        raise _refused(path, "it claims a text of more bytes than there is memory") from error
    except (ValueError, EOFError, OSError, zipfile.BadZipFile):
        return False
    return steps > 0


def _refused(path: str | PathLike[str], why: str) -> FileError:
    return FileError(os.fspath(path), f"weights were expected, but {why}, so it was refused")
