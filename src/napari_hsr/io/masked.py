"""Arrays some of whose pixels a file masks or calls transparent: NaN there, wherever they lie."""

from __future__ import annotations

from typing import Any

import numpy as np


def _floats(dtype: np.dtype) -> np.dtype:
    """Floats that hold NaN and, but for integers of 64 bits, what is stored: it is compared and scaled later."""
    return np.promote_types(dtype, np.float32)


class Masked:
    """Three axes with basic indexing, in floats, NaN where ``hidden`` is True: (rows, columns), or all three."""

    def __init__(self, source: Any, hidden: np.ndarray, bands: int):
        """``bands``: which axis of the source holds them."""
        self._source, self._hidden, self._axis = source, hidden, bands
        self.dtype = _floats(source.dtype)
        self.by_rows = getattr(source, "by_rows", None)
        self.shape = tuple(source.shape)
        self.chunks = getattr(source, "chunks", None)
        self.strides = getattr(source, "strides", None)

    def __getitem__(self, key: Any) -> np.ndarray:
        if not isinstance(key, tuple) or not key:
            key = (slice(None),) * 3
        values = np.array(self._source[key], dtype=self.dtype)
        if self._hidden.ndim == 3:
            values[self._hidden[key]] = np.nan
            return values
        of_bands, *inside = (key[self._axis], *(k for i, k in enumerate(key) if i != self._axis))
        hidden = self._hidden[tuple(inside)]
        if isinstance(of_bands, slice):  # the axis is still there, among those that are
            hidden = np.expand_dims(hidden, sum(isinstance(k, slice) for k in key[: self._axis]))
        values[np.broadcast_to(hidden, values.shape)] = np.nan
        return values


class WithoutAlpha:
    """Three axes with basic indexing, in floats, without the band of alpha: NaN where that is 0."""

    def __init__(self, source: Any, bands: int, alpha: int):
        """``bands``: which axis of the source holds them; ``alpha``: which of them it is."""
        self._source, self._axis, self._alpha = source, bands, alpha
        self.dtype = _floats(source.dtype)
        self.shape = tuple(int(n) - (i == bands) for i, n in enumerate(source.shape))
        self.chunks = getattr(source, "chunks", None)
        self.strides = getattr(source, "strides", None)

    def __getitem__(self, key: Any) -> np.ndarray:
        if not isinstance(key, tuple) or not key:
            key = (slice(None),) * 3
        asked = key[self._axis]
        others = [b for b in range(self.shape[self._axis] + 1) if b != self._alpha]
        bands = others[asked]
        if isinstance(asked, slice):  # all that lie between, of which some are left out
            step = slice(min(bands, default=0), max(bands, default=-1) + 1)
            kept = [b - step.start for b in bands]
        of_colour, of_alpha = (
            tuple(part if i == self._axis else k for i, k in enumerate(key))
            for part in (step if isinstance(asked, slice) else bands, self._alpha)
        )
        values = np.array(self._source[of_colour], dtype=self.dtype)
        if isinstance(asked, slice):
            at = sum(isinstance(k, slice) for k in key[: self._axis])
            if kept != list(range(values.shape[at])):
                values = np.take(values, kept, axis=at)
        bands = asked
        alpha = np.asarray(self._source[of_alpha])
        if isinstance(bands, slice):
            alpha = np.expand_dims(alpha, sum(isinstance(k, slice) for k in key[: self._axis]))
        values[np.broadcast_to(alpha == 0, values.shape)] = np.nan
        return values
