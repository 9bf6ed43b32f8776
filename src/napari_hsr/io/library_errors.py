"""What other libraries raise, said in one sentence with the cause chained."""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from os import PathLike
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import (
    NO_ROOM_LEFT,
    Cancelled,
    FileError,
    HSRError,
    InputError,
    lacks_memory,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = "the disk is full; make room or choose another disk, and do the same again"
#: What the user can do where there is no room, by the number of the system.
_NO_ROOM = {
    **dict.fromkeys(NO_ROOM_LEFT, _FULL),
    errno.EFBIG: "it would be larger than files may be there; allow larger ones (ulimit -f) or choose "
    "another disk, and do the same again",
}

# what these log about damaged files is said in our sentence; no second line on the screen
for _library in ("tifffile", "imagecodecs"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


@contextmanager
def translated(
    path: str | PathLike[str], problem: str, only: tuple[type[Exception], ...] = (Exception,)
) -> Iterator[None]:
    """Turn any fault of the library called inside into ``FileError(path, problem (cause))``.

    Meant for single calls into third-party code, whose decoders raise almost anything on
    damaged files (``struct.error``, ``KeyError``, ``zlib.error``…).
    """
    try:
        yield
    except (HSRError, Cancelled):
        raise
    except MemoryError as error:
        raise FileError(path, "it needs more memory than is free") from error
    except PermissionError as error:
        raise FileError(
            path, "permission was denied; it may be in use or belong to someone else"
        ) from error
    except only as error:
        if type(error) is NameError:  # no file brings that about: a fault of the program's
            raise
        if lacks_memory(error):
            raise FileError(path, "it needs more memory than is free") from error
        told = _NO_ROOM.get(_number(error) or 0)
        told = f": {told}" if told else f" ({_short(error)})"
        raise FileError(path, f"{problem}{told}") from error


def _number(error: Exception) -> int | None:
    """The number of a fault of the system."""
    number = getattr(error, "errno", None)
    found = re.search(r"(?:errno =|os error) (\d+)", str(error))  # how HDF5 and safetensors say it
    if isinstance(number, int) or not found:
        return number
    return int(found[1])


def _short(error: Exception) -> str:
    number = _number(error)
    if number is not None and number in errno.errorcode:
        return os.strerror(number)  # without the name of a temporary file
    words = getattr(error, "strerror", None)
    if number and words:  # FFmpeg's numbers are its own
        return str(words)
    if re.search(r"\d+ requested and \d+ written", str(error)):  # how NumPy says it
        return "only a part could be written: is the disk full?"
    lines = str(error).strip().splitlines()
    text = " ".join(lines[0].split()) if lines else type(error).__name__
    text = re.sub(r"\s*<[^<>]* object at 0x[0-9a-fA-F]+>", "", text)  # of no use to a reader
    return (text if len(text) <= 160 else text[:157] + "…").rstrip(".")


def check_name(path: str | PathLike[str]) -> None:
    """Refuse a name that the disk cannot take: what asks for such a file does not answer no, but raises.

    Raises
    ------
    FileError
        If it is too long, or that of a link in a circle; or relative to a folder that is gone.
    """
    check_here(path)
    try:
        os.stat(path)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise FileError(path, "its name is longer than the disk takes") from error
        if error.errno == errno.ELOOP:
            raise FileError(path, "it is a link that leads back to itself") from error
    except ValueError:  # with a NUL: there is no such file
        return


def check_here(path: str | PathLike[str]) -> None:
    """Refuse a relative name where the folder that this process is in is gone, or may not be looked at.

    Raises
    ------
    FileError
        Saying so.
    """
    if not os.path.isabs(path) and (gone := _folder_is_gone()):
        raise FileError(path, f"it is a name in {gone}") from None


def check_folder() -> None:
    """Refuse to work in a folder that is gone: names would mean nothing, and libraries end the process.

    Raises
    ------
    InputError
        Saying so.
    """
    if gone := _folder_is_gone():
        raise InputError(f"This cannot be done in {gone}.")


def _folder_is_gone() -> str:
    try:
        os.getcwd()
    except OSError as error:
        return (
            f"the folder that this program was started in, which is gone ({error.strerror}); start it in "
            "another one, and do the same again"
        )
    return ""


class _HereForTorch(MetaPathFinder):
    """Finds nothing, and asks for a folder to be in before PyTorch is looked for.

    The mathematical library that it brings along ends the process where there is none.
    """

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> None:
        """None; :class:`InputError` if the folder is gone."""
        if name == "torch":
            check_folder()


def look_after_torch() -> None:
    """Have PyTorch imported only where that does not end the process."""
    if not any(isinstance(finder, _HereForTorch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _HereForTorch())


def not_there(
    path: str | PathLike[str], problem: str = "there is no such file or folder"
) -> FileError:
    """The error of a name that nothing is found under, which a link that leads nowhere may be, too.

    Raises
    ------
    FileError
        By :func:`check_name`.
    """
    check_name(path)
    return FileError(path, problem)


def made_folder(folder: Path) -> Path:
    """A folder, made if it is not there, with those that it is in.

    Raises
    ------
    FileError
        If it cannot be made: no permission, a file of that name, a full disk, a NUL in its name.
    """
    with translated(folder, "it cannot be made", only=(OSError, ValueError)):
        folder.mkdir(parents=True, exist_ok=True)
    return folder
