"""Cubes that stay on disk: an array-like that reads only what is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_hsr.cube import release_pages
from napari_hsr.io.decoding import Decoding
from napari_hsr.io.library_errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

#: A cube whose float32 array would be larger than this stays on disk, where the format can.
LAZY_ABOVE_BYTES = 512 * 2**20
#: Of a memory map about so much is touched at a time, then given back to the system.
CHUNK_BYTES = 64 * 2**20
_PAGE = 4096

Basic = int | slice


def too_big(shape: Sequence[int]) -> bool:
    """True if float32 values of this shape exceed :data:`LAZY_ABOVE_BYTES`."""
    count = 4
    for n in shape:
        count *= int(n)
    return count > LAZY_ABOVE_BYTES


def to_float32(values: np.ndarray) -> np.ndarray:
    """float32 in C order; what float32 cannot hold becomes Inf without a warning."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values, dtype=np.float32, order="C")


def by_rows(data: Any) -> bool:
    """Whether a few rows of all bands are cheaper to read than a band: files in BIL and BIP."""
    source: Any = data
    axes: tuple[int, ...] = (0, 1, 2)
    if isinstance(data, LazyArray):  # what it is made of decides
        source, axes = data.source, data.axes
    known = getattr(source, "by_rows", None)
    if known is not None:
        return bool(known)
    chunks = _chunks(source)
    if chunks is not None:
        band, row = (chunks[axis] / source.shape[axis] for axis in axes[:2])
        return bool(band > row)
    strides = getattr(source, "strides", None)
    if strides is not None:
        return bool(abs(strides[axes[0]]) < abs(strides[axes[1]]))
    return axes[0] > axes[1]


def chunk_sides(data: Any) -> tuple[int, int] | None:
    """Rows and columns of the chunks that a cube lies in on disk; None if it has none."""
    source: Any = data
    axes: tuple[int, ...] = (0, 1, 2)
    if isinstance(data, LazyArray):
        source, axes = data.source, data.axes
    chunks = _chunks(source)
    return None if chunks is None else (chunks[axes[1]], chunks[axes[2]])


def _chunks(source: Any) -> tuple[int, ...] | None:
    """Sizes of its chunks; the largest ones of each axis, of which dask lists all."""
    chunks = getattr(source, "chunks", None)
    return None if chunks is None else tuple(int(np.max(sizes)) for sizes in chunks)


class LazyArray:
    """A (bands, height, width) float32 view of a three-dimensional array on disk.

    Slices and integers read only the part asked for; integer arrays or a mask for rows and
    columns read the rectangle around them. Results are plain float32 arrays. Reading from
    several threads is as safe as the source: memory maps and h5py data sets are.

    Parameters
    ----------
    source : array-like
        Anything with ``shape`` and basic indexing: memory map, h5py data set…
    axes : sequence of three int
        Which axis of ``source`` holds bands, rows and columns.
    decoding : Decoding, optional
        How stored numbers become values.
    bands : sequence of int, optional
        The bands of ``source`` in the order in which they are shown; by default all, as they lie.
    path : path-like, optional
        The file, for the sentence of a part that cannot be read (:class:`FileError`).
    """

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(
        self,
        source: Any,
        axes: Sequence[int] = (0, 1, 2),
        decoding: Decoding | None = None,
        bands: Sequence[int] | None = None,
        path: str | PathLike[str] = "the file of the cube",
    ):
        if sorted(axes) != [0, 1, 2] or len(source.shape) != 3:
            raise ValueError(f"axes {tuple(axes)} do not permute an array of {source.shape}")
        self._source, self.path = source, path
        self._axes = tuple(axes)
        self._decoding = decoding or Decoding()
        lengths = [int(source.shape[axis]) for axis in self._axes]
        self._bands = np.arange(lengths[0]) if bands is None else np.asarray(bands, dtype=np.intp)
        self.shape = (len(self._bands), *lengths[1:])

    def __deepcopy__(self, _memo: Any) -> LazyArray:
        """Itself, as nobody can write to it: napari copies the array of a layer that is duplicated."""
        return self

    @property
    def source(self) -> Any:
        """The array on disk."""
        return self._source

    @property
    def axes(self) -> tuple[int, ...]:
        """Which axis of the source holds bands, rows and columns."""
        return self._axes

    @property
    def by_rows(self) -> bool:
        """Whether a few rows of all bands are cheaper to read than a band."""
        return by_rows(self)

    @property
    def file(self) -> dict[str, int] | None:
        """What tells the file, or folder, from a later one of the same name; None if it is gone."""
        path = Path(self.path)
        try:
            found = [one.stat() for one in ([path] if path.is_file() else path.rglob("*"))]
        except OSError:
            return None
        if not found:
            return None
        changed = max(one.st_mtime_ns for one in found)
        return {"bytes": sum(one.st_size for one in found), "changed": changed}

    def block(self, bands: slice, rows: slice) -> np.ndarray:
        """The same as ``self[bands, rows]``, its memory in the order of the file.

        What keeps the bands of a pixel together need not be turned; pages of a memory map are
        given back.
        """
        chosen = self._bands[bands]
        if not _evenly_spaced(chosen):
            return self[bands, rows]
        return self._read_range(_as_range(chosen), rows, slice(None), order="K")

    def __repr__(self) -> str:
        return f"LazyArray(shape={self.shape}, dtype=float32, source={type(self._source).__name__})"

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """Number of values."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def nbytes(self) -> int:
        """Bytes that the whole array takes once loaded."""
        return 4 * self.size

    def __iter__(self) -> Iterator[np.ndarray]:
        for band in range(self.shape[0]):
            yield self[band]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("a cube on disk cannot become an array without a copy")
        if isinstance(self._source, np.memmap):  # in the order of the file, each page once
            return self[:].astype(dtype or np.float32, copy=False)
        whole = np.empty(self.shape, dtype=dtype or np.float32)
        for band in range(self.shape[0]):
            whole[band] = self[band]
        return whole

    def __getitem__(self, key: Any) -> np.ndarray:
        bands, rows, columns, *_ = parts = self._parts(key)
        if all(isinstance(part, (int, slice)) for part in parts):
            return self._read(bands, rows, columns)
        return self._gather(bands, rows, columns)

    def _parts(self, key: Any) -> tuple[Any, Any, Any]:
        key = key if isinstance(key, tuple) else (key,)
        at = next((i for i, part in enumerate(key) if part is Ellipsis), None)
        used = sum(part.ndim if _is_mask(part) else 1 for part in key if part is not Ellipsis)
        if used > 3:
            raise IndexError(f"too many indices for a cube: {used} for three axes")
        fill = (slice(None),) * (3 - used)
        key = (*key, *fill) if at is None else (*key[:at], *fill, *key[at + 1 :])
        parts: list[Any] = []
        for part in key:
            if _is_mask(part):
                expected = self.shape[len(parts) : len(parts) + part.ndim]
                if part.shape != expected:
                    raise IndexError(f"a mask of shape {part.shape} does not fit {expected}")
                parts.extend(np.nonzero(part))
            elif isinstance(part, slice):
                parts.append(part)
            elif part is None or isinstance(part, (bool, np.bool_)):
                raise IndexError("a cube takes integers, slices, integer arrays and masks")
            elif np.ndim(part) == 0:
                parts.append(_within(part, self.shape[len(parts)]))
            else:
                parts.append(np.asarray(part))
        return tuple(parts)

    def _read(self, *parts: Basic) -> np.ndarray:
        """Basic indexing: ask the source for ascending ranges, then turn and decode them."""
        bands = self._bands[parts[0]]
        if bands.ndim and not _evenly_spaced(bands):
            low, high = int(bands.min()), int(bands.max()) + 1
            if 2 * bands.size > high - low:  # few are left out: one pass through the file
                return self._read_range(range(low, high), *parts[1:])[bands - low]
            planes = [self._read_range(band, *parts[1:]) for band in bands.tolist()]
            return np.stack(planes)
        return self._read_range(_as_range(bands), *parts[1:])

    def _read_range(
        self, bands: int | range, *inside: Basic, order: Literal["C", "K"] = "C"
    ) -> np.ndarray:
        """Bands of the source that are one range of indices, or a single band."""
        parts: list[int | range] = [bands]
        parts += [
            range(size)[part] if isinstance(part, slice) else part
            for part, size in zip(inside, self.shape[1:], strict=True)
        ]
        asked: list[Basic] = [slice(None)] * 3
        for place, part in enumerate(parts):
            asked[self._axes[place]] = _ascending(part) if isinstance(part, range) else part
        with translated(self.path, "a part of it cannot be read; it is damaged or cut short"):
            found = self._source[tuple(asked)]
            values: np.ndarray = np.asarray(found)  # only here do arrays of dask read
        kept = {place: part for place, part in enumerate(parts) if isinstance(part, range)}
        in_source = sorted(kept, key=lambda place: self._axes[place])
        values = values.transpose([in_source.index(place) for place in kept])
        values = values[tuple(slice(None, None, -1 if p.step < 0 else 1) for p in kept.values())]
        which = np.asarray(bands)
        if isinstance(found, np.memmap) and _touched(values) > CHUNK_BYTES:
            return _in_chunks(values, found, self._decoding, which)
        decoded = self._decoding.values(values, which, order)
        if order == "K":
            release_pages(found)
        return decoded

    def _gather(self, bands: Any, rows: Any, columns: Any) -> np.ndarray:
        """Arrays of rows and columns: read the rectangle around them, band by band."""
        if not isinstance(bands, (int, slice)):
            if not (isinstance(rows, slice) and isinstance(columns, slice)):
                raise IndexError("an array of bands goes with slices of rows and columns only")
            chosen = [self._read(_within(b, self.shape[0]), rows, columns) for b in bands]
            return np.stack(chosen) if chosen else self._read(slice(0, 0), rows, columns)
        rows, first_row = self._window(rows, self.shape[1])
        columns, first_column = self._window(columns, self.shape[2])
        wanted = range(self.shape[0])[bands] if isinstance(bands, slice) else [bands]
        inside = (rows[0], columns[0])
        planes = [self._read(b, first_row, first_column)[inside] for b in wanted]
        if not isinstance(bands, slice):
            plane: np.ndarray = planes[0]
            return plane
        # no band at all: the shape alone is taken from the first
        return np.stack(planes) if planes else self._gather(slice(0, 1), rows[0], columns[0])[:0]

    @staticmethod
    def _window(part: Any, size: int) -> tuple[tuple[Any], slice]:
        """An index inside a window, and the window, for one axis."""
        if isinstance(part, slice):
            return (part,), slice(None)
        index = np.asarray(part)
        if index.size == 0:
            return (index.astype(np.intp),), slice(0, 0)
        index = np.where(index < 0, index + size, index)
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= size:
            raise IndexError(f"index out of range for an axis of length {size}")
        return (index - low,), slice(low, high + 1)


def _touched(view: np.ndarray) -> int:
    """Bytes of the file that reading a view brings into memory, at most."""
    span = sum((n - 1) * abs(s) for n, s in zip(view.shape, view.strides, strict=True))
    return int(min(span + view.itemsize, view.size * _PAGE))


def _evenly_spaced(indices: np.ndarray) -> bool:
    """Whether indices are those of a range."""
    steps = np.diff(indices)
    return not steps.size or bool(steps[0] != 0 and (steps == steps[0]).all())


def _as_range(indices: np.ndarray) -> int | range:
    """One index, or evenly spaced ones as a range."""
    if not indices.ndim:
        return int(indices)
    if not indices.size:
        return range(0)
    step = int(indices[1] - indices[0]) if indices.size > 1 else 1
    return range(int(indices[0]), int(indices[-1]) + (1 if step > 0 else -1), step)


def _in_chunks(
    view: np.ndarray, source: np.memmap, decoding: Decoding, bands: np.ndarray
) -> np.ndarray:
    """The values of a view of a memory map, in bounded memory.

    One band of a file that keeps the bands of a pixel together lies on all of its pages,
    and what was read once would stay resident.
    """
    values = np.empty(view.shape, dtype=np.float32)

    def fill(to: np.ndarray, part: np.ndarray, bands: np.ndarray) -> None:
        extents = [(n - 1) * abs(s) for n, s in zip(part.shape, part.strides, strict=True)]
        if _touched(part) <= CHUNK_BYTES or not any(extents):
            to[...] = decoding.values(part, bands)
            release_pages(source)
            return
        axis = extents.index(max(extents))
        step = min(CHUNK_BYTES // abs(part.strides[axis]), (part.shape[axis] + 1) // 2)
        for start in range(0, part.shape[axis], max(1, step)):
            inside = (slice(None),) * axis + (slice(start, start + max(1, step)),)
            in_bands = bands[inside[0]] if axis == 0 and bands.ndim else bands
            fill(to[inside], part[inside], in_bands)

    fill(values, view, bands)
    return values


def _is_mask(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype == bool and part.ndim > 0


def _within(index: Any, size: int) -> int:
    place = int(index)
    if not -size <= place < size:
        raise IndexError(f"index {place} is out of range for an axis of length {size}")
    return place % size


def _ascending(indices: range) -> slice:
    """The slice that reads these indices in ascending order."""
    if not len(indices):
        return slice(0, 0)
    low, high = min(indices[0], indices[-1]), max(indices[0], indices[-1])
    return slice(low, high + 1, abs(indices.step))
