"""Read two cubes side by side in blocks, in bounded memory and in the order of their chunks."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_hsr.arrays import as_array
from napari_hsr.errors import InputError
from napari_hsr.io.lazy import chunk_sides
from napari_hsr.progress import Progress, stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterator

#: Bytes of one block of one cube as float64: large enough for speed, small enough for the cache.
BLOCK_BYTES = 2**23
#: Bytes fetched at a time of a cube that is not in memory: compressed files store whole bands,
#: and each fetch may decode all of them again.
SLAB_BYTES = 2**27
#: Blocks are as wide as the image, unless that is more than so many times as wide as a square block.
_WIDE = 12
#: Values of one cube in a span of an image that has no chunks.
_SPAN_VALUES = 2**23


class Span(NamedTuple):
    """A rectangle of the compared region: what is summed up by itself, here or elsewhere."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class Block:
    """A rectangle of both cubes, all bands.

    Attributes
    ----------
    first : int
        Index of the first row in the compared region.
    prediction, truth : ndarray, shape (bands, rows, columns), float64
        Values; 0 where either cube is not finite.
    valid : ndarray of bool or None
        Where both are finite, same shape; None where all are.
    left : int
        Index of the first column.
    """

    first: int
    prediction: np.ndarray
    truth: np.ndarray
    valid: np.ndarray | None
    left: int = 0

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.truth.shape[1])

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.truth.shape[2])

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the compared region."""
        rows = slice(self.first, self.first + self.rows)
        return rows, slice(self.left, self.left + self.columns)

    def trimmed(self, span: Span) -> Block:
        """What lies in a rectangle of the compared region."""
        part = (
            slice(None),
            slice(span.top - self.first, span.bottom - self.first),
            slice(span.left - self.left, span.right - self.left),
        )
        valid = None if self.valid is None else self.valid[part]
        return Block(span.top, self.prediction[part], self.truth[part], valid, span.left)

    def counts(self) -> np.ndarray:
        """Number of valid samples in each band, int64."""
        bands, rows, width = self.truth.shape
        if self.valid is None:
            return np.full(bands, rows * width, dtype=np.int64)
        return np.asarray(self.valid.sum(axis=(1, 2), dtype=np.int64))


class Pair:
    """A prediction and a truth of the same shape, and the region that is compared.

    Cubes in chunks are read in strips of whole chunks from top to bottom, so that each chunk is
    decoded about once in a pass however wide the image is.

    Parameters
    ----------
    prediction, truth : array-like, shape (bands, height, width)
        Arrays, memory maps or lazy arrays of real numbers.
    crop : int
        Pixels to leave out at each of the four sides.

    Raises
    ------
    InputError
        If the shapes differ or are not three-dimensional, the values are not real numbers, or
        the crop leaves nothing.
    """

    def __init__(self, prediction: Any, truth: Any, crop: int = 0):
        self.sources = (checked(prediction, "prediction"), checked(truth, "truth"))
        shapes = [tuple(int(n) for n in source.shape) for source in self.sources]
        if shapes[0] != shapes[1]:
            raise InputError(
                "Prediction and truth must have one shape (bands, height, width); "
                f"they have {shapes[0]} and {shapes[1]}."
            )
        bands, height, width = shapes[0]
        if min(height, width) <= 2 * crop:
            raise InputError(
                f"This protocol leaves out {crop} pixels at each side, so the image must be larger "
                f"than {2 * crop} x {2 * crop} pixels; it is {height} x {width}."
            )
        self.crop = crop
        self.shape = (bands, height - 2 * crop, width - 2 * crop)
        side = max(1, math.isqrt(BLOCK_BYTES // (8 * bands)))
        self._block_columns = side if self.shape[2] > _WIDE * side else self.shape[2]
        self.block_rows = max(1, BLOCK_BYTES // (8 * bands * self._block_columns))
        self.spans = self._spans()
        self._slabs = [_Slabs(source, crop) for source in self.sources]

    def _spans(self) -> list[Span]:
        """The whole region, strip after strip, each from top to bottom."""
        bands, height, width = self.shape
        down = across = 0  # the chunks of the cube whose chunks are larger
        for chunk in filter(None, map(chunk_sides, self.sources)):
            if 4 * bands * math.prod(chunk) <= SLAB_BYTES:
                down, across = max(down, chunk[0]), max(across, chunk[1])
        strip, first = width, 0
        rows = max(self.block_rows, _SPAN_VALUES // (bands * width))
        if down:
            strip = max(1, SLAB_BYTES // (4 * bands * down * across)) * across
            rows = max(1, _SPAN_VALUES // (bands * min(strip, width) * down)) * down
            first = self.crop
        return [
            Span(top, bottom, left, right)
            for left, right in _cuts(width, strip, first)
            for top, bottom in _cuts(height, rows, first)
        ]

    def __getstate__(self) -> dict[str, Any]:
        """For another process: without what was read."""
        slabs = [_Slabs(source, self.crop) for source in self.sources]
        return {**self.__dict__, "_slabs": slabs}

    @property
    def block_count(self) -> int:
        """Number of blocks in one pass."""
        return sum(self.count(span) for span in self.spans)

    def count(self, span: Span) -> int:
        """Number of blocks in a span."""
        down = -(-(span.bottom - span.top) // self.block_rows)
        return down * -(-(span.right - span.left) // self._block_columns)

    def blocks(self, span: Span, margin: int = 0) -> Iterator[tuple[Block, Block]]:
        """The blocks of a span.

        Parameters
        ----------
        span : Span
        margin : int
            Pixels to add at each side, within the region.

        Yields
        ------
        core, wide : Block
            Pixels that each occur once in a pass, and the same with the margin.
        """
        for top in range(span.top, span.bottom, self.block_rows):
            bottom = min(top + self.block_rows, span.bottom)
            for left in range(span.left, span.right, self._block_columns):
                right = min(left + self._block_columns, span.right)
                core = Span(top, bottom, left, right)
                wide = self.read(self.wider(core, margin), self.wider(span, margin))
                yield wide.trimmed(core), wide

    def passed(self, cancel: threading.Event | None) -> Generator[Progress | Block, None, None]:
        """One pass, with the progress after each block; cancelled between blocks."""
        stop_if(cancel)
        done = 0
        for span in self.spans:
            for block, _ in self.blocks(span):
                yield block
                stop_if(cancel)
                done += 1
                yield Progress(done, self.block_count)

    def wider(self, span: Span, margin: int) -> Span:
        """A rectangle with a margin, as far as the region reaches."""
        _, height, width = self.shape
        top, left = max(0, span.top - margin), max(0, span.left - margin)
        return Span(top, min(height, span.bottom + margin), left, min(width, span.right + margin))

    def read(self, part: Span, strip: Span) -> Block:
        """A rectangle of the region as one block; the columns of the strip are read ahead."""
        prediction, truth = (slabs.read(part, strip).astype(np.float64) for slabs in self._slabs)
        valid = None
        # A finite sum proves that all values are finite, without a temporary array; warnings
        # about inf - inf are expected.
        with np.errstate(invalid="ignore", over="ignore"):
            finite = np.isfinite(prediction.sum() + truth.sum())
        if not finite:
            valid = np.isfinite(prediction) & np.isfinite(truth)
            if valid.all():
                valid = None
            else:
                prediction[~valid] = 0
                truth[~valid] = 0
        return Block(part.top, prediction, truth, valid, part.left)

    def held(self, span: Span, margin: int) -> Pair:
        """The same, with the values of a span and its margin alone, for another process."""
        part = self.wider(span, margin)
        made = copy.copy(self)
        first, second = (_Held(source, part, self.crop) for source in self.sources)
        made.sources = first, second
        made._slabs = [_Slabs(source, self.crop) for source in made.sources]
        return made


def _cuts(length: int, step: int, first: int) -> list[tuple[int, int]]:
    """Parts of a side that begin at multiples of a step, where the side begins at ``first``."""
    inner = (at - first for at in range(step, length + first, step))
    return list(pairwise([0, *(at for at in inner if at > 0), length]))


class _Slabs:
    """A source that is read ahead, if it is not in memory: a strip of it, from top to bottom."""

    def __init__(self, source: Any, crop: int):
        self._source, self._crop = source, crop
        self._in_memory = isinstance(source, (np.ndarray, _Held)) and not isinstance(
            source, np.memmap
        )
        self._height = int(source.shape[1])
        self._parts: list[tuple[int, np.ndarray]] = []  # with their first rows
        self._strip = slice(0, 0)

    def read(self, part: Span, strip: Span) -> np.ndarray:
        """A rectangle of the region, inside of the columns of a strip."""
        crop, columns = self._crop, slice(part.left - strip.left, part.right - strip.left)
        if self._in_memory:
            rows = slice(part.top + crop, part.bottom + crop)
            whole: np.ndarray = self._source[:, rows, part.left + crop : part.right + crop]
            return whole
        wanted = slice(strip.left + crop, strip.right + crop)
        if wanted != self._strip or not self._parts or part.top < self._parts[0][0]:
            self._parts, self._strip = [], wanted
        end = self._end(part.top)
        if part.bottom > end:
            if end > part.top:  # of what was read before only this is needed again
                self._parts = [(part.top, self._rows(part.top, end).copy())]
            else:
                self._parts, end = [], part.top
            rows = slice(end + crop, self._stop(end, part.bottom) + crop)
            self._parts.append((end, np.asarray(self._source[:, rows, wanted])))
        return self._rows(part.top, part.bottom)[..., columns]

    def _end(self, otherwise: int) -> int:
        if not self._parts:
            return otherwise
        first, last = self._parts[-1]
        return first + int(last.shape[1])

    def _stop(self, start: int, least: int) -> int:
        """Where a slab ends that holds some rows at least: between two chunks if it can."""
        row_bytes = 4 * int(self._source.shape[0]) * (self._strip.stop - self._strip.start)
        end = self._height - 2 * self._crop
        stop: int = min(end, max(least, start + SLAB_BYTES // row_bytes))
        chunk = chunk_sides(self._source)
        if chunk is None or stop == end:
            return stop
        aligned = (stop + self._crop) // chunk[0] * chunk[0] - self._crop
        return aligned if aligned >= least else stop

    def _rows(self, first: int, last: int) -> np.ndarray:
        found = [
            values[:, max(0, first - start) : last - start]
            for start, values in self._parts
            if start < last and start + values.shape[1] > first
        ]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)


class _Held:
    """A part of a source, which answers inside of it as the source would."""

    def __init__(self, source: Any, part: Span, crop: int):
        self.shape, self.dtype = source.shape, source.dtype
        self._top, self._left = part.top + crop, part.left + crop
        rows, columns = slice(self._top, part.bottom + crop), slice(self._left, part.right + crop)
        self._values = np.asarray(source[:, rows, columns])

    def __getitem__(self, key: tuple[slice, slice, slice]) -> np.ndarray:
        bands, rows, columns = key
        down = slice(rows.start - self._top, rows.stop - self._top)
        across = slice(columns.start - self._left, columns.stop - self._left)
        return self._values[bands, down, across]


def checked(values: Any, which: str) -> Any:
    """Check that values are a three-dimensional array of real numbers.

    Raises
    ------
    InputError
        If it is not.
    """
    values = as_array(values, f"the {which}")
    if np.dtype(values.dtype).kind not in "fiub":
        raise InputError(f"The {which} must hold real numbers, not {values.dtype}.")
    if len(values.shape) != 3:
        raise InputError(
            f"The {which} must have three axes (bands, height, width); "
            f"it has shape {tuple(values.shape)}."
        )
    if 0 in values.shape:
        raise InputError(f"The {which} is empty: shape {tuple(values.shape)}.")
    return values
