"""Pixels of a large TIFF picture, decoded strip by strip or tile by tile where they are looked at."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import release_pages
from napari_hsr.io.library_errors import translated
from napari_hsr.io.mapped import map_file

if TYPE_CHECKING:
    from pathlib import Path

#: Pictures that take more than this stay on disk.
LARGE_BYTES = 256 * 2**20
#: Strips or tiles that are kept decoded, in bytes, and the largest that is decoded apart.
KEPT_BYTES = 96 * 2**20


class TiffPixels:
    """A (height, width, 3) array of 8- or 16-bit colours that stays in its file.

    Integers and slices read only the strips or tiles that hold them; ``numpy.asarray`` loads all.

    Parameters
    ----------
    path : Path
    file : tifffile.TiffFile
        Open; it lives as long as the array.
    page : tifffile.TiffPage
        Colours and perhaps alpha, pixel by pixel.

    Attributes
    ----------
    file : dict
        What tells the file from a later one of the same name: its size, and when it was changed.
    """

    ndim = 3

    def __init__(self, path: Path, file: Any, page: Any):
        self._path, self._page, self._handle = path, page, file.filehandle
        self.shape = int(page.imagelength), int(page.imagewidth), 3
        self.dtype = np.dtype(page.dtype)
        found = path.stat()
        self.file = {"bytes": found.st_size, "changed": found.st_mtime_ns}
        self._lock, self._decoded = threading.Lock(), OrderedDict[int, np.ndarray]()
        self._map: np.ndarray | None = None
        if page.is_memmappable:
            stored = self.shape[0], self.shape[1], int(page.samplesperpixel)
            dtype = self.dtype.newbyteorder(file.byteorder)
            self._map = map_file(path, dtype, stored, page.dataoffsets[0])
        weakref.finalize(self, file.close)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Bytes that all of it takes once loaded."""
        return self.size * int(self.dtype.itemsize)

    def __len__(self) -> int:
        return self.shape[0]

    def __deepcopy__(self, _memo: Any) -> TiffPixels:
        """Itself, as nobody can write to it: napari copies the array of a layer that is duplicated."""
        return self

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("a picture on disk cannot become an array without a copy")
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key: Any) -> np.ndarray:
        parts: list[Any] = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            parts[at : at + 1] = [slice(None)] * (4 - len(parts))
        rows, columns, channels = parts + [slice(None)] * (3 - len(parts))
        (first, down), (left, across) = (
            _span(part, size) for part, size in zip((rows, columns), self.shape, strict=False)
        )
        values = self._rectangle(slice(first, first + down), slice(left, left + across))
        inside = (_inside(rows, first, self.shape[0]), _inside(columns, left, self.shape[1]))
        found: np.ndarray = values[(*inside, channels)]
        return found

    def _rectangle(self, rows: slice, columns: slice) -> np.ndarray:
        shape = rows.stop - rows.start, columns.stop - columns.start, 3
        with self._lock, translated(self._path, "a part of it cannot be read; it is damaged"):
            if self._map is not None:
                values = np.array(self._map[rows, columns, :3], self.dtype)
                release_pages(self._map)
                return values
            values = np.empty(shape, self.dtype)
            height, width = piece_shape(self._page)
            for i in range(rows.start // height, -(-rows.stop // height)):
                for j in range(columns.start // width, -(-columns.stop // width)):
                    self._copy(values, rows, columns, i, j)
        return values

    def _copy(self, values: np.ndarray, rows: slice, columns: slice, i: int, j: int) -> None:
        """Copy what a strip or tile holds of a rectangle."""
        (height, width), piece = piece_shape(self._page), self._piece(i, j)
        places = []
        for wanted, start, n in (
            (rows, i * height, len(piece)),
            (columns, j * width, piece.shape[1]),
        ):
            low, high = max(wanted.start, start), min(wanted.stop, start + n)
            places.append(
                (slice(low - wanted.start, high - wanted.start), slice(low - start, high - start))
            )
        (to_rows, of_rows), (to_columns, of_columns) = places
        values[to_rows, to_columns] = piece[of_rows, of_columns, :3]

    def _piece(self, i: int, j: int) -> np.ndarray:
        page = self._page
        index = i * -(-page.imagewidth // piece_shape(page)[1]) + j
        if index in self._decoded:
            self._decoded.move_to_end(index)
            return self._decoded[index]
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        data = None
        if count:
            self._handle.seek(offset)
            data = self._handle.read(count)
        segment, _, shape = page.decode(data, index, jpegtables=page.jpegtables)
        if segment is None:  # left out, as GDAL does where there is nothing
            segment = np.full((1, *shape[1:]), page.nodata, self.dtype)
        piece: np.ndarray = segment[0, : shape[1], : shape[2]]
        self._decoded[index] = piece
        while sum(kept.nbytes for kept in self._decoded.values()) > KEPT_BYTES:
            self._decoded.popitem(last=False)
        return piece


def piece_shape(page: Any) -> tuple[int, int]:
    """Height and width of the strips or tiles of a page."""
    if page.is_tiled:
        return int(page.tilelength), int(page.tilewidth)
    return int(min(page.rowsperstrip, page.imagelength)), int(page.imagewidth)


def can_stay(page: Any) -> bool:
    """Whether a large picture can be left in its file: colours together, in parts that are small."""
    if page.nbytes <= LARGE_BYTES or page.planarconfig != 1 or page.imagedepth != 1:
        return False
    if page.is_memmappable:
        return True
    height, width = piece_shape(page)
    row = -(-page.imagewidth // width) * height * width * page.samplesperpixel * page.dtype.itemsize
    return bool(row <= KEPT_BYTES)  # else each tile would be decoded for every row of them


def _span(part: Any, size: int) -> tuple[int, int]:
    """First index and length of the range around an integer or a slice."""
    if not isinstance(part, slice):
        index = range(size)[part]
        return index, 1
    chosen = range(size)[part]
    if not len(chosen):
        return 0, 0
    low, high = min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1])
    return low, high - low + 1


def _inside(part: Any, first: int, size: int) -> Any:
    """The same part, counted from the first index that was read."""
    if not isinstance(part, slice):
        return 0
    chosen = range(size)[part]
    if not len(chosen):
        return slice(0, 0)
    if chosen.step > 0:
        return slice(None, None, chosen.step)
    return slice(chosen[0] - first, None, chosen.step)
