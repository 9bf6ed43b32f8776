"""One frame of a zarr store with the cubes of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def frame_of(path: Path, array: Any, facts: Mapping[str, Any], number: str | None) -> Any:
    """The array of one frame, counted from 1.

    Raises
    ------
    FileError
        If none is named, there is no such frame, or it was left empty.
    """
    count = int(array.shape[0])
    if number is None:
        raise FileError(path, f"it holds {count} frames: name one, such as {path.name}:1")
    if not number.isdecimal() or not 1 <= int(number) <= count:
        raise FileError(path, f"its frames are 1 to {count}, not {number}")
    failed = (facts.get("failures") or {}).get(number)
    if failed:
        raise FileError(path, f"frame {number} was left empty: {str(failed).rstrip('.')}")
    return _Frame(array, int(number) - 1)


class _Frame:
    """One frame of an array of them."""

    def __init__(self, array: Any, number: int):
        self._array, self._number = array, number
        self.shape, self.chunks = tuple(array.shape[1:]), tuple(array.chunks[1:])
        self.dtype = array.dtype

    def __getitem__(self, key: Any) -> np.ndarray:
        parts = key if isinstance(key, tuple) else (key,)
        return np.asarray(self._array[(self._number, *parts)])
