"""Arrays some of whose pixels a file masks or calls transparent: NaN there, wherever they lie."""

from __future__ import annotations

from typing import Any

import numpy as np


class Masked:
    """Three axes with basic indexing, in float32, NaN where ``hidden`` (rows, columns) is True."""

    dtype = np.dtype(np.float32)

    def __init__(self, source: Any, hidden: np.ndarray, bands: int):
        """``bands``: which axis of the source holds them."""
        self._source, self._hidden, self._axis = source, hidden, bands
        self.shape = tuple(source.shape)
        self.chunks = getattr(source, "chunks", None)
        self.strides = getattr(source, "strides", None)

    def __getitem__(self, key: Any) -> np.ndarray:
        if not isinstance(key, tuple) or not key:
            key = (slice(None),) * 3
        values = np.array(self._source[key], dtype=np.float32)
        of_bands, *inside = (key[self._axis], *(k for i, k in enumerate(key) if i != self._axis))
        hidden = self._hidden[tuple(inside)]
        if isinstance(of_bands, slice):  # the axis is still there, among those that are
            hidden = np.expand_dims(hidden, sum(isinstance(k, slice) for k in key[: self._axis]))
        values[np.broadcast_to(hidden, values.shape)] = np.nan
        return values


class WithoutAlpha:
    """Three axes with basic indexing, in float32, without the last band: NaN where that is 0."""

    dtype = np.dtype(np.float32)

    def __init__(self, source: Any, bands: int):
        """``bands``: which axis of the source holds them."""
        self._source, self._axis = source, bands
        self.shape = tuple(int(n) - (i == bands) for i, n in enumerate(source.shape))
        self.chunks = getattr(source, "chunks", None)
        self.strides = getattr(source, "strides", None)

    def __getitem__(self, key: Any) -> np.ndarray:
        if not isinstance(key, tuple) or not key:
            key = (slice(None),) * 3
        bands = key[self._axis]
        if isinstance(bands, slice):
            bands = slice(*bands.indices(self.shape[self._axis]))
        of_colour, of_alpha = (
            tuple(part if i == self._axis else k for i, k in enumerate(key))
            for part in (bands, self.shape[self._axis])
        )
        values = np.array(self._source[of_colour], dtype=np.float32)
        alpha = np.asarray(self._source[of_alpha])
        if isinstance(bands, slice):
            alpha = np.expand_dims(alpha, sum(isinstance(k, slice) for k in key[: self._axis]))
        values[np.broadcast_to(alpha == 0, values.shape)] = np.nan
        return values
