"""One frame of a zarr store with the cubes of several."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import build_cube
from napari_hsr.io.hdf5.axes import text
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def found(
    path: Path, array: Any, facts: Mapping[str, Any], number: str | None, name: str
) -> build_cube.Found:
    """One frame, counted from 1, and what is known of it.

    Parameters
    ----------
    path : Path
    array : zarr array
        Of all frames.
    facts : mapping
        What the store says of them.
    number : str or None
        As the user named it.
    name : str
        Of the stack.

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
    at = int(number) - 1
    return build_cube.Found(
        _Frame(array, at),
        stated=True,
        convention=0,
        name=f"{name} {number}",
        units=text(array.attrs.get("units")) or None,
        notices=_notices(path, array, at),
    )


def is_there(store: Path, number: int) -> bool:
    """Whether anything of a frame, counted from 0, lies in a store."""
    return _parts(store, number) > 0


def _notices(store: Path, array: Any, number: int) -> tuple[Notice, ...]:
    """A notice if shards of a frame, counted from 0, are lost: they read as one value."""
    sides = array.shards or array.chunks
    parts = math.prod(-(-n // s) for n, s in zip(array.shape[1:], sides[1:], strict=True))
    there = _parts(store, number)
    if there >= parts:
        return ()
    told = (
        f"Only {there} of the {parts} files of frame {number + 1} are there: the values of the others "
        f"are {array.fill_value}."
    )
    return (Notice.warning(Code.PARTLY_WRITTEN, told),)


def _parts(store: Path, number: int) -> int:
    """How many shards of a frame lie there."""
    return sum(part.is_file() for part in (store / "0" / "c" / str(number)).rglob("*"))


class _Frame:
    """One frame of an array of them."""

    def __init__(self, array: Any, number: int):
        self._array, self._number = array, number
        self.shape, self.chunks = tuple(array.shape[1:]), tuple(array.chunks[1:])
        self.dtype = array.dtype

    def __getitem__(self, key: Any) -> np.ndarray:
        parts = key if isinstance(key, tuple) else (key,)
        return np.asarray(self._array[(self._number, *parts)])
