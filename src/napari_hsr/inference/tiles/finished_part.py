"""What a cancelled run had finished, handed over to whoever cancelled it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from napari_hsr.errors import Cancelled
from napari_hsr.inference.results import Result
from napari_hsr.notices import Code, Notice, as_notices

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_hsr.cube import Cube
    from napari_hsr.inference.estimates.memory_use import PeakMemory
    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiles.result_place import Disk, Memory
    from napari_hsr.photograph import Photograph
    from napari_hsr.progress import Progress

T = TypeVar("T")


def handing_over(
    work: Generator[Progress, None, T], part: Callable[[], Result | None]
) -> Generator[Progress, None, T]:
    """The work; what it is cancelled with gets its ``part``."""
    try:
        return (yield from work)
    except Cancelled as answer:
        answer.part = part()
        raise


def finished_part(
    kept: Memory | Disk,
    cube: Cube,
    photograph: Photograph | None,
    run: RunPlan,
    start: float,
    memory: PeakMemory,
) -> Result | None:
    """A result that is NaN where nothing is; None if nothing is finished, or if it stays on disk.

    Parameters
    ----------
    kept : Memory or Disk
    cube : Cube
        All of the result but its values.
    photograph : Photograph or None
        That it is made from.
    run, start, memory
        Of the run; it began at ``start`` by :func:`time.perf_counter`.
    """
    share, data = kept.finished_part()
    if not share:
        return None
    if share < 1:
        there = f"{100 * share:.0f}% of the pixels are there, the others empty"
    else:
        there = (
            "all pixels are there, and what follows the last tile is not, or not for all of them"
        )
    text = f"The run was cancelled: {there}."
    notices = (Notice.warning(Code.CANCELLED_PART, text), *as_notices(run.model.notices))
    known = cube.provenance.with_step(text)
    return Result(
        cube=cube.replace(data=data, provenance=known, notices=notices),
        seconds=time.perf_counter() - start,
        peak_bytes=memory.bytes,
        device=str(run.device),
        precision=run.precision,
        tiles=0,
        notices=notices,
        photograph=photograph,
    )
