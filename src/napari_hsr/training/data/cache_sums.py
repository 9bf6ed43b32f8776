"""Sums of check of a decoded image, by which damage in the cache is noticed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zlib import crc32

from napari_hsr.io import limits
from napari_hsr.progress import stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable
    from pathlib import Path


def sums(place: Path, names: Iterable[str], stop: threading.Event | None = None) -> dict[str, int]:
    """Sums of check of an entry's files, by which damage is noticed that leaves their sizes alone."""
    found = {}
    for name in names:
        limits.check_regular(place / name)
        found[name] = 0
        with (place / name).open("rb") as file:
            while chunk := file.read(2**22):
                stop_if(stop)
                found[name] = crc32(chunk, found[name])
    return found


def sum_of_facts(about: dict[str, Any]) -> int:
    """That of what is known of the image."""
    return crc32(json.dumps(about, sort_keys=True).encode())
