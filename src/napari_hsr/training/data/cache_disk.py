"""The disk that decoded images are kept on: its room, and its faults in words."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError, disk_is_full
from napari_hsr.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Environment variable that names another folder than the user's cache folder.
FOLDER_VARIABLE = "NAPARI_HSR_CACHE"


class CacheError(FileError):
    """Decoded images cannot be written to the cache folder."""


def check_room(place: Path, need: int) -> None:
    """Refuse to begin where the disk has less room than an image takes."""
    free = shutil.disk_usage(place).free
    if free < need:
        raise CacheError(
            place,
            f"the disk has {format_bytes(free)} free, and a decoded image needs {format_bytes(need)}; "
            f"name a folder with more room in data.cache or {FOLDER_VARIABLE}",
        )


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Raise errors of the disk that holds the cache as :class:`CacheError`."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        if disk_is_full(error):
            problem = "the disk is full while decoded images are written there"
        else:
            problem = f"decoded images cannot be kept there ({error.strerror or error})"
        raise CacheError(
            place, f"{problem}; name a folder with more room in data.cache or {FOLDER_VARIABLE}"
        ) from error
