"""Read two cubes side by side in blocks of rows, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.progress import Progress, stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterator

#: Bytes of one block of one cube as float64: large enough for speed, small enough for the cache.
BLOCK_BYTES = 2**23
#: Bytes fetched at a time of a cube that is not in memory: compressed files store whole bands,
#: and each fetch may decode all of them again.
SLAB_BYTES = 2**27


@dataclass(frozen=True)
class Block:
    """Some rows of both cubes, all bands.

    Attributes
    ----------
    first : int
        Index of the first row in the compared region.
    prediction, truth : ndarray, shape (bands, rows, width), float64
        Values; 0 where either cube is not finite.
    valid : ndarray of bool or None
        Where both are finite, same shape; None where all are.
    """

    first: int
    prediction: np.ndarray
    truth: np.ndarray
    valid: np.ndarray | None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.truth.shape[1])

    def trimmed(self, first: int, last: int) -> Block:
        """The rows ``first`` to ``last`` (exclusive) of the compared region."""
        part = slice(first - self.first, last - self.first)
        valid = None if self.valid is None else self.valid[:, part]
        return Block(first, self.prediction[:, part], self.truth[:, part], valid)

    def counts(self) -> np.ndarray:
        """Number of valid samples in each band, int64."""
        bands, rows, width = self.truth.shape
        if self.valid is None:
            return np.full(bands, rows * width, dtype=np.int64)
        return np.asarray(self.valid.sum(axis=(1, 2), dtype=np.int64))


class Pair:
    """A prediction and a truth of the same shape, and the region that is compared.

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
        self._sources = (checked(prediction, "prediction"), checked(truth, "truth"))
        shapes = [tuple(int(n) for n in source.shape) for source in self._sources]
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
        row_bytes = bands * self.shape[2] * 8
        self.block_rows = max(1, BLOCK_BYTES // row_bytes)
        self._slab_rows = max(self.block_rows, SLAB_BYTES // (row_bytes // 2))
        self._slabs: list[tuple[int, np.ndarray] | None] = [None, None]

    @property
    def block_count(self) -> int:
        """Number of blocks in one pass."""
        return -(-self.shape[1] // self.block_rows)

    def blocks(self, margin: int = 0) -> Iterator[tuple[Block, Block]]:
        """One pass from top to bottom.

        Parameters
        ----------
        margin : int
            Rows to add above and below, within the region.

        Yields
        ------
        core, wide : Block
            Rows that each occur once in a pass, and the same rows with the margin.
        """
        height = self.shape[1]
        for first in range(0, height, self.block_rows):
            last = min(first + self.block_rows, height)
            wide = self.read(max(0, first - margin), min(height, last + margin))
            yield wide.trimmed(first, last), wide

    def passed(self, cancel: threading.Event | None) -> Generator[Progress | Block, None, None]:
        """One pass, with the progress after each block; cancelled between blocks."""
        stop_if(cancel)
        for done, (block, _) in enumerate(self.blocks(), 1):
            yield block
            stop_if(cancel)
            yield Progress(done, self.block_count)

    def read(self, first: int, last: int) -> Block:
        """The rows ``first`` to ``last`` (exclusive) of the region as one block."""
        prediction, truth = (self._rows(i, first, last).astype(np.float64) for i in (0, 1))
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
        return Block(first, prediction, truth, valid)

    def _rows(self, which: int, first: int, last: int) -> np.ndarray:
        source = self._sources[which]
        columns = slice(self.crop, self.crop + self.shape[2])
        if isinstance(source, np.ndarray) and not isinstance(source, np.memmap):
            return source[:, self.crop + first : self.crop + last, columns]
        held = self._slabs[which]
        if held is None or first < held[0] or last > held[0] + held[1].shape[1]:
            self._slabs[which] = None
            stop = min(self.shape[1], max(last, first + self._slab_rows))
            rows = slice(self.crop + first, self.crop + stop)
            held = self._slabs[which] = (first, np.asarray(source[:, rows, columns]))
        return held[1][:, first - held[0] : last - held[0]]


def checked(values: Any, which: str) -> Any:
    """Check that values are a three-dimensional array of real numbers.

    Raises
    ------
    InputError
        If it is not.
    """
    if not hasattr(values, "shape") or not hasattr(values, "dtype"):
        try:
            values = np.asarray(values)
        except ValueError as error:  # a ragged list
            raise InputError(f"The {which} is not a regular array of numbers.") from error
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
