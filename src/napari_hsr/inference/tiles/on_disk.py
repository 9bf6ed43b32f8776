"""Tiles into the shards of a zarr store, over as many runs as it takes.

The tiles of a local network are the shards: each is written as soon as it is computed. Of what is
added up — overlapping windows — or smaller than a shard, drafts are kept until all parts of a shard
are there. Their sum is taken in the order of the plan, so that the bytes do not depend on when a run
was killed. What is finished is in the store's journal, and is not computed again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_hsr.inference.tiles.outputs import written
from napari_hsr.io.library_errors import translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiles.tiling import Span, Tile
    from napari_hsr.io.zarr.in_parts import Shard, ZarrInParts


class Rectangle(NamedTuple):
    """Rows and columns, in output pixels."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def name(self) -> str:
        """For the file of a draft."""
        return "-".join(map(str, self))

    def inside(self, other: Rectangle) -> bool:
        """Whether the other one holds it."""
        rows = other.top <= self.top and self.bottom <= other.bottom
        return rows and other.left <= self.left and self.right <= other.right


@dataclass(frozen=True)
class _Draft:
    """A tile that waits on disk for others of its shards."""

    tile: Tile
    place: Rectangle

    def share(self, rows: slice, columns: slice, scale: int) -> Fraction:
        """Pixels that it gives to a part of the output, each by its weight; exact."""
        return _weight(self.tile.rows, rows, scale) * _weight(self.tile.columns, columns, scale)


@dataclass(frozen=True)
class ShardWriter:
    """Writes tiles into the shards of a store: in any process, for any tile, without a lock."""

    store: ZarrInParts
    scale: int

    def sees(self) -> bool:
        """Whether the store is there, from this machine."""
        return self.store.drafts.is_dir()

    def put(self, tile: Tile, block: np.ndarray) -> dict[str, Any]:
        """Write the result of a tile into its shards, or as a draft until they are complete.

        What it returns goes to :meth:`OnDisk.note`.
        """
        rows, columns = written(tile, self.scale)
        place = _rectangle(rows, columns)
        shards = _touched(self.store, place)
        whole = all(_rectangle(*self.store.place(s)).inside(place) for s in shards)
        if tile.blended or not whole:
            self.store.draft(place.name, block)
            return {"draft": True, "shards": []}
        facts = []
        for shard in shards:
            down, across = self.store.place(shard)
            at = _relative(down, rows.start), _relative(across, columns.start)
            facts.append(self.store.put(shard, block[(slice(None), *at)]))
        return {"draft": False, "shards": facts}


class OnDisk:
    """A zarr store as the output of one run.

    Parameters
    ----------
    store : ZarrInParts
    run : RunPlan
        What will be written there.

    Attributes
    ----------
    earlier : int
        Tiles of the plan that earlier runs have finished.
    """

    def __init__(self, store: ZarrInParts, run: RunPlan):
        self._store, self._scale = store, run.model.scale
        self._counted: dict[Rectangle, tuple[Rectangle, Mapping[str, int]]] = {}
        self._ranges: dict[Shard, list[float] | None] = {}
        self._drafts: dict[Rectangle, _Draft] = {}
        planned = {_rectangle(*written(tile, self._scale)): tile for tile in run.tiles}
        drafted: dict[Rectangle, _Draft] = {}
        for entry in store.entries:
            for facts in entry["shards"]:
                if store.is_there(facts):
                    self._ranges[_pair(facts["shard"])] = facts["range"]
            if "tile" in entry:
                place = Rectangle(*entry["tile"])
                self._counted[place] = Rectangle(*entry["core"]), entry["counted"]
                if place in planned and entry["draft"]:
                    drafted[place] = _Draft(planned[place], place)
        kept = {place: draft for place, draft in drafted.items() if self._has(draft)}
        self._there: dict[Shard, Fraction] = {}  # of the shards that are not finished
        for place, draft in kept.items():
            if not self._all_done(self._touched(place)):
                self._wait(draft)
        for place in planned:
            if (
                place in self._counted
                and place not in kept
                and not self._all_done(self._touched(place))
            ):
                del self._counted[place]  # its shard, or its draft, is not what it was
        for path in store.drafts.glob("*.npy"):  # of cut tiles, which are computed whole now
            if path.stem not in {draft.place.name for draft in self._drafts.values()}:
                path.unlink()
        for shard in {s for place in self._drafts for s in self._touched(place)}:
            self._join(shard)
        self.earlier = sum(self.finished(tile) is not None for tile in run.tiles)

    def finished(self, tile: Tile) -> Mapping[str, int] | None:
        """What was counted in a tile whose result lies in the store."""
        place = _rectangle(*written(tile, self._scale))
        if place in self._counted and (
            place in self._drafts or self._all_done(self._touched(place))
        ):
            return self._counted[place][1]
        if not self._all_done(self._touched(place)):
            return None
        total: dict[str, int] = {}  # computed in smaller tiles
        core = _rectangle(*_scaled_cores(tile, self._scale))
        for inner, counted in self._counted.values():
            if inner.inside(core):
                for key, count in counted.items():
                    total[key] = total.get(key, 0) + count
        return total

    @property
    def elsewhere(self) -> ShardWriter:
        """What another process writes tiles with, where it sees the store."""
        return ShardWriter(self._store, self._scale)

    def note(self, tile: Tile, facts: Mapping[str, Any], counted: Mapping[str, int]) -> None:
        """Enter into the journal what a :class:`ShardWriter` has written, and write shards that are complete."""
        place = _rectangle(*written(tile, self._scale))
        core = _rectangle(*_scaled_cores(tile, self._scale))
        entry = {"tile": list(place), "core": list(core), "counted": dict(counted), **facts}
        self._store.note(entry)
        self._counted[place] = core, counted
        for one in facts["shards"]:
            self._ranges[_pair(one["shard"])] = one["range"]
        if facts["draft"]:
            self._wait(_Draft(tile, place))
            for shard in self._touched(place):
                self._join(shard)

    def write(self, tile: Tile, block: np.ndarray, counted: Mapping[str, int]) -> None:
        """Take the result of a tile."""
        self.note(tile, self.elsewhere.put(tile, block), counted)

    def close(self) -> tuple[float, float]:
        """Extremes of the finite values of all shards."""
        down, across = self._store.grid
        assert len(self._ranges) == down * across  # the loop has written every tile
        known = [found for found in self._ranges.values() if found]
        if not known:
            return math.inf, -math.inf
        return min(low for low, _ in known), max(high for _, high in known)

    # --- shards --------------------------------------------------------------------------------

    def _touched(self, place: Rectangle) -> list[Shard]:
        return _touched(self._store, place)

    def _all_done(self, shards: list[Shard]) -> bool:
        return all(shard in self._ranges for shard in shards)

    def _has(self, draft: _Draft) -> bool:
        path = self._store.drafts / f"{draft.place.name}.npy"
        return path.is_file() or self._all_done(self._touched(draft.place))

    def _wait(self, draft: _Draft) -> None:
        """Keep a draft until its shards are complete."""
        self._drafts[draft.place] = draft
        for shard in self._touched(draft.place):
            share = draft.share(*self._store.place(shard), self._scale)
            self._there[shard] = self._there.get(shard, Fraction()) + share

    def _join(self, shard: Shard) -> None:
        """Write a shard once all of it is there; drafts that nobody waits for are removed."""
        rows, columns = self._store.place(shard)
        whole = (rows.stop - rows.start) * (columns.stop - columns.start)
        if shard in self._ranges or self._there[shard] < whole:
            return
        drafts = [d for d in self._drafts.values() if shard in self._touched(d.place)]
        values = np.zeros(
            (self._store.shape[0], rows.stop - rows.start, columns.stop - columns.start), np.float32
        )
        for draft in sorted(drafts, key=lambda d: d.place):
            self._add(values, draft, rows, columns)
        facts = self._store.put(shard, values)
        self._store.note({"shards": [facts]})
        self._ranges[shard] = facts["range"]
        for draft in drafts:
            if self._all_done(self._touched(draft.place)):
                del self._drafts[draft.place]
                (self._store.drafts / f"{draft.place.name}.npy").unlink(missing_ok=True)

    def _add(self, values: np.ndarray, draft: _Draft, rows: slice, columns: slice) -> None:
        """Add what a draft gives to a shard, or put it there if it is not blended."""
        place = draft.place
        common = [
            slice(max(a.start, low), min(a.stop, high))
            for a, low, high in ((rows, *place[:2]), (columns, *place[2:]))
        ]
        to = tuple(_relative(c, a.start) for c, a in zip(common, (rows, columns), strict=True))
        of = tuple(_relative(c, a) for c, a in zip(common, (place.top, place.left), strict=True))
        with translated(self._store.folder, "a part of it cannot be read", only=(OSError,)):
            block = np.load(self._store.drafts / f"{draft.place.name}.npy", mmap_mode="r")
        if draft.tile.blended:
            values[(slice(None), *to)] += block[(slice(None), *of)]
        else:
            values[(slice(None), *to)] = block[(slice(None), *of)]


def _touched(store: ZarrInParts, place: Rectangle) -> list[Shard]:
    height, width = store.shard
    rows = range(place.top // height, -(-place.bottom // height))
    return [(i, j) for i in rows for j in range(place.left // width, -(-place.right // width))]


def _weight(span: Span, part: slice, scale: int) -> Fraction:
    """Sum of the weights of a span over some rows or columns of the output."""
    first, stop = max(part.start, span.write.start * scale), min(part.stop, span.write.stop * scale)
    if first >= stop:
        return Fraction()
    if span.weights is None:
        return Fraction(stop - first)
    weights = span.weights.repeat(scale)[_relative(slice(first, stop), span.write.start * scale)]
    return Fraction(float(weights.sum(dtype=np.float64)))  # multiples of 2⁻²⁴: exact


def _scaled_cores(tile: Tile, scale: int) -> tuple[slice, slice]:
    rows, columns = (
        slice(s.core.start * scale, s.core.stop * scale) for s in (tile.rows, tile.columns)
    )
    return rows, columns


def _rectangle(rows: slice, columns: slice) -> Rectangle:
    numbers = rows.start, rows.stop, columns.start, columns.stop
    return Rectangle(*map(int, numbers))


def _relative(part: slice, start: int) -> slice:
    return slice(part.start - start, part.stop - start)


def _pair(values: list[int]) -> Shard:
    return values[0], values[1]
