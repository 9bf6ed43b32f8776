"""One pass over two cubes: sums span by span, here or by workers, joined in one order.

The figures are therefore the same to the last bit, wherever they were computed.
"""

from __future__ import annotations

import copy
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from napari_hsr.io.lazy import LazyArray
from napari_hsr.io.zarr.files import ArrayOfThree
from napari_hsr.io.zarr.store_check import METADATA
from napari_hsr.progress import Progress, stop_if
from napari_hsr.workers import in_order, reuse_memory, with_patience

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator
    from typing import Self

    from napari_hsr.metrics.row_blocks import Block, Pair, Span


class Pass(Protocol):
    """What is added up in a pass."""

    @property
    def margin(self) -> int:
        """Pixels that it needs around a block."""

    def add(self, core: Block, wide: Block, /) -> None:
        """Add a block, which is also given with its margin."""

    def join(self, other: Self, /) -> None:
        """Add what was added up elsewhere."""


def summed(
    pair: Pair,
    total: Pass,
    cancel: threading.Event | None = None,
    client: Any = None,
    first: int = 0,
) -> Generator[Progress, None, None]:
    """Add up all blocks of a pair.

    Parameters
    ----------
    pair : Pair
    total : Pass
        Empty.
    cancel : threading.Event, optional
    client : distributed.Client, optional
        Its workers add up the spans. They read stores of zarr that they see themselves; of other
        cubes the values are sent to them.
    first : int
        Blocks of an earlier pass.

    Yields
    ------
    Progress
        In blocks of two passes.
    """
    empty, of = copy.deepcopy(total), 2 * pair.block_count
    if client is None:
        for span in pair.spans:
            part = copy.deepcopy(empty)
            for core, wide in pair.blocks(span, part.margin):
                part.add(core, wide)
                stop_if(cancel)
                first += 1
                yield Progress(first, of)
            total.join(part)
        return
    seen = _seen(pair, client)
    there = ((pair if seen else pair.held(span, empty.margin), span, empty) for span in pair.spans)
    for span, part in zip(pair.spans, in_order(client, _of_span, there, cancel), strict=True):
        total.join(part)
        first += pair.count(span)
        yield Progress(first, of)


def _of_span(pair: Pair, span: Span, part: Pass) -> Pass:
    """What a worker does; what it is given is its own."""
    reuse_memory()
    for core, wide in pair.blocks(span, part.margin):
        part.add(core, wide)
    return part


def _seen(pair: Pair, client: Any) -> bool:
    """Whether all workers see the stores that both cubes lie in, not others of these names."""
    stores = [
        Path(source.path)
        for source in pair.sources
        if isinstance(source, LazyArray) and isinstance(source.source, ArrayOfThree)
    ]
    if len(stores) < len(pair.sources):
        return False
    found = {path: _known_by(path) for path in stores}
    if not all(there for _, there in found.values()):  # moved since it was opened
        return False
    return all(with_patience(client, lambda: client.run(_are_there, found)).values())


def _known_by(store: Path) -> tuple[Path, list[tuple[str, int, int, int]]]:
    """What a store has in common with none of that name on another machine."""
    there = []
    for name in sorted(METADATA):
        with suppress(OSError):
            seen = (store / name).stat()
            there.append((name, seen.st_ino, seen.st_size, seen.st_mtime_ns))
    return store.resolve(), there


def _are_there(stores: dict[Path, tuple[Path, list[tuple[str, int, int, int]]]]) -> bool:
    return all(_known_by(path) == known for path, known in stores.items())
