"""Strips and tiles of a page, held against the size that the page states: too few, too many, too short, too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

_OFFSETS, _COUNTS = (273, 324), (279, 325)
#: Types of TIFF that places and lengths are stated in.
_WHOLE = {1, 3, 4, 13, 16, 18}
#: LZW and LZMA, whose decoders stop without a word where what they were given room for is full.
_CUT_OFF = (5, 34925)
#: Packings of CCITT.
_FAX = (2, 3, 4, 32771)
#: Where bits are in the other order, the first piece is not looked into.
_USUAL_ORDER = 1
#: No pixel lies before the head of a file ends.
_HEAD = 8


def check(path: Path, page: Any, keyframe: Any, stack: int = 0) -> tuple[Notice, ...]:
    """Hold what one page states of its strips or tiles against its size; what is told of it.

    tifffile hands out memory as it was where some are missing, and cuts off or leaves out what is too much.

    Parameters
    ----------
    path : Path
    page, keyframe : tifffile's
        The page, and the one of its kind that has been read as a whole. All of it lies inside the file.
    stack : int
        Bytes of the pages that follow it in one piece and have no heads of their own, itself among them.

    Raises
    ------
    FileError
        If they contradict each other.
    """
    if keyframe.planarconfig not in (1, 2):  # by which pieces are counted
        raise FileError(
            path, f"the TIFF file is damaged: its planar configuration is {keyframe.planarconfig:d}"
        )
    if keyframe.compression in _FAX and keyframe.bitspersample != 1:
        raise FileError(
            path,
            f"the TIFF file is damaged: page {page.index + 1} is packed as a fax, which has 1 bit a pixel, but states "
            f"{keyframe.bitspersample}",
        )
    listed = _check_tags(path, page)
    places, counts = (
        np.array(each, dtype=np.int64) for each in (page.dataoffsets, page.databytecounts)
    )
    pieces = int(np.prod(keyframe.chunked, dtype=object))
    plain, cut_off = keyframe.compression == 1, keyframe.compression in _CUT_OFF
    sizes = _needed(keyframe) if (plain or cut_off) and len(counts) == pieces else None
    needed = sizes if plain else None
    # GDAL leaves out tiles without data, and says so by a place and a length of 0
    absent = (places == 0) & (counts == 0)
    short = needed is not None and bool((counts < needed)[~absent].any())
    many = max(len(counts), listed)  # tifffile leaves out strips that are too many
    if len(counts) != pieces or listed > pieces or short:
        size = f"{keyframe.imagewidth} x {keyframe.imagelength} pixels"
        raise FileError(
            path,
            f"the TIFF file is damaged: page {page.index + 1} should have {size}, but holds "
            f"{many} of {pieces} strips or tiles, {counts.sum()} bytes",
        )
    lost = int((((places < _HEAD) | (counts <= 0)) & ~absent).sum())
    if lost:
        raise FileError(
            path,
            f"the TIFF file is damaged: {lost} of the {pieces} strips or tiles of page {page.index + 1} lie nowhere "
            "or have no bytes",
        )
    _check_beside_directory(path, page, places[~absent], counts[~absent])
    told = _of_absent(page, int(absent.sum()), pieces)
    if sizes is not None and cut_off and not absent[0]:
        _check_first(path, page, keyframe, int(sizes[0]))
    if needed is not None and not (pieces == 1 and counts[0] == stack):
        told += _longer(path, page, keyframe, counts, np.where(absent, counts, needed))
        _check_apart(path, page, places[~absent], counts[~absent])
    return told


def _check_tags(path: Path, page: Any) -> int:
    """How many places or lengths a page lists: whole numbers of some bytes each; of others a part would be read, or more."""
    tags, most = getattr(page, "tags", None) or {}, 0
    for code in (*_OFFSETS, *_COUNTS):
        tag = tags.get(code)
        if tag is None:
            continue
        most = max(most, int(tag.count))
        if int(tag.dtype) not in _WHOLE:
            raise FileError(
                path,
                f"the TIFF file is damaged: where the pixels of page {page.index + 1} lie is no list of whole numbers",
            )
    return most


def _check_beside_directory(path: Path, page: Any, places: np.ndarray, counts: np.ndarray) -> None:
    """Refuse pieces that lie over the directory of their page, or over what its tags hold elsewhere."""
    over = np.zeros(places.shape, dtype=bool)
    for begin, end in _of_directory(page):
        over |= (places < end) & (places + counts > begin)
    if over.any():
        raise FileError(
            path,
            f"the TIFF file is damaged: {int(over.sum())} of the strips or tiles of page {page.index + 1} lie over its "
            "directory",
        )


def _of_directory(page: Any) -> list[tuple[int, int]]:
    """From where to where the directory of a page lies, and what its tags hold elsewhere."""
    tags, first = getattr(page, "tags", None), int(page.offset)
    if not tags:  # of a page of which only the beginning has been looked at
        return [(first, first + 1)]
    tiff = page.parent.tiff
    own = [(first, first + tiff.tagnosize + len(tags) * tiff.tagsize + tiff.offsetsize)]
    return own + [
        (int(tag.valueoffset), int(tag.valueoffset + tag.valuebytecount)) for tag in tags.values()
    ]


def _of_absent(page: Any, count: int, pieces: int) -> tuple[Notice, ...]:
    if not count:
        return ()
    told = (
        f"{count} of the {pieces} strips or tiles of page {page.index + 1} were left out by the program that "
        "wrote the file: their pixels are 0, or the file's number for missing values."
    )
    return (Notice.warning(Code.PARTLY_WRITTEN, told),)


def _needed(keyframe: Any) -> np.ndarray | None:
    """Bytes of each strip or tile of an uncompressed page, in their order; None where its pixels are of no known type.

    The last strip ends with the image. Rows of samples of 10, 12 or 14 bits are packed, and floats of 24.
    """
    bits, pieces = keyframe.bitspersample, int(np.prod(keyframe.chunked, dtype=object))
    if keyframe.dtype is None or (not isinstance(bits, int) and keyframe.planarconfig == 2):
        return None
    if keyframe.is_tiled:
        rows = keyframe.tilelength * keyframe.tiledepth
        return np.full(pieces, _row(keyframe) * rows, dtype=np.int64)
    height = int(keyframe.imagelength)
    rows = max(min(int(keyframe.rowsperstrip), height), 1)
    of_plane = -(-height // rows)
    last = np.arange(pieces) % of_plane == of_plane - 1
    return np.where(last, height - rows * (of_plane - 1), rows) * _row(keyframe)


def _row(keyframe: Any) -> int:
    """Bytes of a row of a strip or tile."""
    bits, width = (
        keyframe.bitspersample,
        keyframe.tilewidth if keyframe.is_tiled else keyframe.imagewidth,
    )
    samples = keyframe.samplesperpixel if keyframe.planarconfig == 1 else 1
    of_pixel = bits * samples if isinstance(bits, int) else sum(bits)
    return -(-int(width) * int(of_pixel) // 8)


def _longer(
    path: Path, page: Any, keyframe: Any, counts: np.ndarray, needed: np.ndarray
) -> tuple[Notice, ...]:
    """Refuse strips or tiles that are longer than they should be by a row or more; what is told of others.

    Programs fill up strips: to an even number of bytes, and the last one as if the image went on.
    """
    more = counts - needed
    more[(more == 1) & (needed % 2 == 1)] = 0
    if not more.any():
        return ()
    filled_up = needed.size > 1 and (counts == needed.max())
    if ((more >= _row(keyframe)) & ~np.asarray(filled_up)).any():
        raise FileError(
            path,
            f"the TIFF file is damaged: page {page.index + 1} should have {keyframe.imagewidth} x "
            f"{keyframe.imagelength} pixels, {needed.sum()} bytes, but holds {counts.sum()}",
        )
    told = (
        f"Strips or tiles of page {page.index + 1} are longer than the size that the file states, by up to "
        f"{more.max()} bytes: it may be damaged."
    )
    return (Notice.warning(Code.MAYBE_DAMAGED, told),)


def _check_first(path: Path, page: Any, keyframe: Any, needed: int) -> None:
    """Refuse a page whose first strip or tile holds more than the size of the page asks for."""
    import tifffile

    if keyframe.fillorder != _USUAL_ORDER:
        return
    handle = page.parent.filehandle
    with handle.lock:
        handle.seek(page.dataoffsets[0])
        stored = handle.read(page.databytecounts[0])
    try:
        held = len(tifffile.TIFF.DECOMPRESSORS[keyframe.compression](stored, out=needed + 1))
    except RuntimeError:  # its damage is said where its pixels are read, which may be never
        return
    if held > needed:
        raise FileError(
            path,
            f"the TIFF file is damaged: page {page.index + 1} should have {keyframe.imagewidth} x "
            f"{keyframe.imagelength} pixels, but its first strip or tile holds more than the {needed} bytes of it",
        )


def _check_apart(path: Path, page: Any, places: np.ndarray, counts: np.ndarray) -> None:
    """Refuse pieces that lie over each other; two that are one and the same were so written to save room."""
    order = np.argsort(places, kind="stable")
    places, counts = places[order], counts[order]
    over = int(((places[:-1] + counts[:-1] > places[1:]) & (places[:-1] != places[1:])).sum())
    if over:
        raise FileError(
            path,
            f"the TIFF file is damaged: {over} of the strips or tiles of page {page.index + 1} lie over others",
        )


def check_pages_apart(path: Path, pages: list[Any]) -> None:
    """Refuse uncompressed pieces that lie over those of another page, or over the directory of one.

    Two that are one and the same were so written to save room.

    Raises
    ------
    FileError
        Naming the page.
    """
    starts, ends, of_page = [], [], []
    for page in pages:
        needed = _needed(page.keyframe) if page.keyframe.compression == 1 else None
        places, counts = (
            np.array(each, dtype=np.int64) for each in (page.dataoffsets, page.databytecounts)
        )
        if needed is None or needed.shape != counts.shape:
            continue
        there = counts > 0
        starts.append(places[there])
        ends.append((places + np.minimum(counts, needed))[there])
        of_page.append(np.full(int(there.sum()), page.index))
    if not starts:
        return
    start, end, number = (np.concatenate(listed) for listed in (starts, ends, of_page))
    order = np.lexsort((end, start))
    start, end, number = start[order], end[order], number[order]
    same = (start[1:] == start[:-1]) & (end[1:] == end[:-1])
    over = (start[1:] < np.maximum.accumulate(end)[:-1]) & ~same
    own = np.array([of_it for page in pages for of_it in _of_directory(page)], dtype=np.int64)
    before = np.searchsorted(start, own[:, 1]) - 1  # the last piece that begins before its end
    met = before[(before >= 0) & (end[before] > own[:, 0])]
    wrong = sorted([*np.flatnonzero(over) + 1, *met])
    if wrong:
        raise FileError(
            path,
            f"the TIFF file is damaged: pixels of page {number[wrong[0]] + 1} lie over what is another's",
        )
