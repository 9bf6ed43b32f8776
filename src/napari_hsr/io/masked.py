"""An array some of whose pixels a file masks: NaN there, wherever the array lies."""

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
