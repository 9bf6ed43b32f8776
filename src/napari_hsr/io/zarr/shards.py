"""Shards of zarr 3, files of several chunks: their index, looked at before the library goes by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io.zarr.packed_chunks import DAMAGED
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from pathlib import Path

#: First byte and length of a chunk that was never written.
_MISSING = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class ShardIndex:
    """The index of a shard: bytes, those of its sum of check, their order, and where it is."""

    nbytes: int
    beyond: int
    order: str
    at_start: bool

    @property
    def whole(self) -> int:
        """Bytes with the sum of check."""
        return self.nbytes + self.beyond

    def of(self, shard: bytes) -> bytes:
        """The index of a shard that is at hand."""
        return shard[: self.whole] if self.at_start else shard[-self.whole :]

    def read(self, file: Path) -> bytes:
        """The index of a shard on disk."""
        with file.open("rb") as opened:
            if not self.at_start:
                opened.seek(max(file.stat().st_size - self.whole, 0))
            return opened.read(self.whole)

    def places(self, root: Path, key: str, index: bytes, size: int) -> np.ndarray:
        """First byte and length (n, 2) of each chunk of a shard of ``size`` bytes; zeros if missing.

        Raises
        ------
        FileError
            If there is no index, or a chunk lies beside the shard, or in another one.
        """
        shard = f"{DAMAGED}: its shard {one_line(key, 80)}"
        if len(index) < self.whole:
            raise FileError(root, f"{shard} has no index")
        places = np.frombuffer(index[: self.nbytes], f"{self.order}u8").reshape(-1, 2)
        places = np.where((places == _MISSING).all(axis=1, keepdims=True), 0, places)
        first, length = places[places.any(axis=1)].astype(np.uint64).T
        low = self.whole if self.at_start else 0
        high = size - (0 if self.at_start else self.whole)
        room = np.uint64(high) - np.clip(first, low, high).astype(np.uint64)
        if (length == 0).any() or (first < low).any() or (length > room).any():
            raise FileError(root, f"{shard} names a place for a chunk that is not in it")
        order = np.argsort(first)
        if ((first + length)[order][:-1] > first[order][1:]).any():
            raise FileError(root, f"{shard} names one place for two chunks")
        return places
