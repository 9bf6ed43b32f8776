"""Strips and tiles of a TIFF that are pictures of their own, such as JPEG 2000, WebP and LERC.

What they say of their size need not be what the page says, and their decoders are written in C. They
are decoded in a process of their own, with memory and computing for the pixels of the page; but for
JPEG, which is so common that its heads are compared here instead. All other decoders are given no more
room than the page has pixels.
"""

from __future__ import annotations

import base64
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import helper_process
from napari_hsr.io.library_errors import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JPEG = {6, 7, 33007, 34892}
#: JPEG XR, JPEG 2000, LERC, WebP, PNG, JPEG XL.
PICTURES = {22610, 33003, 33004, 33005, 34712, 34887, 34927, 34933, 34934, 50001, 50002, 52546}
_WEBP = {34927, 50001}
_LERC = 34887
#: How many times as many pixels a picture may have as its strip or tile: edges are filled up.
_LARGER, _EDGE = 4, 2**16
#: Passes over the pixels of one JPEG; photographs have up to about ten.
_MOST_PASSES = 100
#: Bytes that a decoder needs beside the pixels, and how many for each byte of them.
_ROOM, _ROOM_A_BYTE = 400 * 2**20, 6
#: Seconds of computing that any picture may take, and bytes of pixels for each further one.
_SECONDS, _BYTES_A_SECOND = 2.0, 2**21


def guard(path: Path, file: Any) -> None:
    """Let the pages of an open TIFF be decoded as said above.

    Parameters
    ----------
    path : Path
    file : tifffile.TiffFile

    Raises
    ------
    FileError
        If a page that is one JPEG holds a far larger one.
    """
    file.pages.cache = True  # else pages are made anew whenever they are asked for, and forget this
    levels = [level for series in file.series for level in series.levels]
    pages = [page for page in (*file.pages, *(level.keyframe for level in levels)) if page]
    for page in {id(p.keyframe): p.keyframe for p in pages}.values():
        if page.compression in JPEG:
            page.decode = _checked(page)
            if page.jpegheader is not None:  # of Hamamatsu: tifffile decodes it in one piece
                with translated(path, "the TIFF file is damaged"):
                    _check_jpeg(_head_of_strip(file, page), page.imagelength * page.imagewidth)
        elif page.compression in PICTURES:
            if page.parent.byteorder == ">" and np.dtype(page.dtype).itemsize > 1:
                raise FileError(
                    path,
                    f"its pixels are packed by {page.compression.name} in a big-endian file, where programs do not "
                    "agree on the order of their bytes; save it as a little-endian one",
                )
            page.decode = _apart(path, page)


def _head_of_strip(file: Any, page: Any) -> bytes:
    with file.filehandle.lock:
        file.filehandle.seek(page.tags[273].value[0])
        return bytes(file.filehandle.read(_EDGE))


def _own(page: Any) -> Callable[..., Any]:
    """tifffile's own function for a page."""
    made: Callable[..., Any] = type(page).decode.func(page)
    return made


def _checked(page: Any) -> Callable[..., Any]:
    def decode(content: bytes | None, index: int, **options: Any) -> Any:
        own = _own(page)
        if content is not None:
            _check_jpeg(content, math.prod(own(None, index)[2][:3]))
        found = own(content, index, **options)
        if found[0] is not None:
            _check_type(found[0], page)
        return found

    return decode


def _check_jpeg(content: bytes, pixels: int) -> None:
    """ValueError if a JPEG is far larger than that, or goes over its pixels too often."""
    at = content.find(b"\xff\xd8") + 2
    while at >= 2 and at + 9 <= len(content) and content[at] == 0xFF:
        mark = content[at + 1]
        if mark == 0xFF or 0xD0 <= mark <= 0xD8:  # filled up, or without a length
            at += 1 if mark == 0xFF else 2
            continue
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(content[at + i : at + i + 2]) for i in (5, 7))
            if height * width > _LARGER * pixels + _EDGE:
                raise ValueError(f"a JPEG of {width} x {height} pixels stands for {pixels}")
            break
        at += 2 + int.from_bytes(content[at + 2 : at + 4])
    passes = content.count(b"\xff\xda")
    if passes > _MOST_PASSES:
        raise ValueError(f"a JPEG of {passes} passes")


def _apart(path: Path, page: Any) -> Callable[..., Any]:
    def decode(content: bytes | None, index: int, **_: Any) -> Any:
        none, where, shape = _own(page)(None, index)
        if content is None:
            return none, where, shape
        needed = math.prod(shape) * np.dtype(page.dtype).itemsize
        four = page.compression in _WEBP and page.samplesperpixel == 4
        _, values = helper_process.call(
            helper_process.PIXELS,
            decoded,
            path,
            *(base64.b64encode(content).decode("ascii"), int(page.compression), four),
            seconds=_SECONDS + needed / _BYTES_A_SECOND,
            room=_ROOM + _ROOM_A_BYTE * needed,
        )
        assert values is not None
        _check_type(values, page)
        return _fitted(values, where, shape, page), where, shape

    return decode


def _check_type(values: np.ndarray, page: Any) -> None:
    if values.dtype != page.dtype:
        raise ValueError(f"its pixels are {values.dtype}, and {page.dtype} was stated")


def decoded(path: Path, content: str, compression: int, four: bool) -> tuple[None, np.ndarray]:
    """Pixels of a strip or tile, in the helper."""
    import tifffile

    stored = base64.b64decode(content)
    with translated(path, "the TIFF file is damaged"), _told(path):
        decode = tifffile.TIFF.DECOMPRESSORS[compression]
        if compression == _LERC:
            return None, _without_masked(*decode(stored, masks=True))
        return None, np.asarray(decode(stored, hasalpha=True) if four else decode(stored))


def _without_masked(values: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
    """Floats with NaN where LERC says that there is none, which it keeps beside the values."""
    if valid is None or values.dtype.kind != "f":
        return values
    if valid.shape != values.shape:
        valid = valid[..., np.newaxis]  # samples that share one mask
    return np.where(valid, values, values.dtype.type(np.nan))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        problem = "the TIFF file is damaged: a picture in it is far larger than its strip or tile"
        raise FileError(path, problem) from error


def _fitted(
    values: np.ndarray, where: tuple[int, ...], shape: tuple[int, ...], page: Any
) -> np.ndarray:
    """Pixels as a strip or tile, which may end with the image; those of strips may have more rows."""
    depth, length, width, samples = shape
    rows, columns = values.shape[:2] if depth == 1 else (length, width)
    fits = (
        values.size == depth * rows * columns * samples
        and columns in (width, min(width, page.imagewidth - where[3]))
        and (rows in (length, min(length, page.imagelength - where[2])) or rows > length)
        and (rows <= length or not page.is_tiled)
    )
    if not fits:
        raise ValueError(f"its pixels are {values.shape}, and {shape[1:]} was stated")
    return values.reshape(depth, rows, columns, samples)[:, :length]
