"""What other libraries raise, said in one sentence with the cause chained."""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING

from napari_hsr.errors import Cancelled, FileError, HSRError, lacks_memory

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        if lacks_memory(error):
            raise FileError(path, "it needs more memory than is free") from error
        raise FileError(path, f"{problem} ({_short(error)})") from error


def _short(error: Exception) -> str:
    number = getattr(error, "errno", None)
    found = re.search(r"errno = (\d+)", str(error))  # how HDF5 says it
    if number is None and found:
        number = int(found[1])
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
