"""The cube that a super-resolution makes, and what a cancelled one had finished of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr import __version__
from napari_hsr.inference.tiles.finished_part import finished_part
from napari_hsr.inference.tiles.result_place import Memory
from napari_hsr.models.card import DETAIL_ESTIMATED
from napari_hsr.provenance import now
from napari_hsr.resample import Kind

if TYPE_CHECKING:
    from napari_hsr.cube import Cube
    from napari_hsr.inference.estimates.memory_use import PeakMemory
    from napari_hsr.inference.results import Result
    from napari_hsr.models.model import Model
    from napari_hsr.resample.holes import Filled


def title(coarse: Cube, upscaler: Model | Kind, scale: int) -> str:
    """Name of an upscaled cube."""
    by = f" ×{scale}" if isinstance(upscaler, Kind) else ""
    return f"{coarse.name} {upscaler.name}{by}"


def upscaled_cube(
    coarse: Cube,
    data: np.ndarray,
    value_range: tuple[float, float],
    *steps: str,
    model: Model | None = None,
) -> Cube:
    """The cube over the same area, with what it comes from and the steps that made it."""
    known = coarse.provenance
    history = replace(
        known,
        input=known.input or coarse.name,
        version=__version__,
        created=now(),
        steps=(*known.steps, *steps),
        extra=dict(known.extra),
    )
    metadata = dict(coarse.metadata)
    if model is not None:
        metadata["super_resolution_card"] = model.card.model_dump(mode="json")
        if known.model is None:  # a reconstructed cube keeps the name of its model
            history = replace(history, model=model.name, weights_sha256=model.weights_sha256)
    return coarse.over_same_area(
        data, provenance=history, metadata=metadata, _value_range=value_range
    )


def memory_for(coarse: Cube, upscaler: Model | Kind, scale: int) -> Memory | None:
    """Where the tiles of a network go; an interpolation has no tiles."""
    if isinstance(upscaler, Kind):
        return None
    bands, height, width = coarse.shape
    fine = bands, height * scale, width * scale
    return Memory(fine, "choose a smaller scale or crop the cube")


def fine_part(
    kept: Memory | None, filled: Filled, model: Model | Kind, start: float, memory: PeakMemory
) -> Result | None:
    """What a cancelled run has: NaN where nothing is; None if nothing is finished.

    Parameters
    ----------
    kept : Memory or None
        Where its tiles went. Of an interpolation, which takes seconds, nothing is handed over.
    filled : Filled
        The coarse cube, whose holes the result has too.
    model : Model or Kind
    start, memory
        Of the run; it began at ``start`` by :func:`time.perf_counter`.
    """
    if kept is None or kept.run is None or isinstance(model, Kind):
        return None
    filled.open_again(kept.data, model.scale)
    nothing = np.broadcast_to(np.float32(0), kept.data.shape)
    known = upscaled_cube(filled.cube, nothing, (0.0, 0.0), DETAIL_ESTIMATED, model=model)
    known = known.replace(name=title(filled.cube, model, model.scale))
    return finished_part(kept, known, None, kept.run, start, memory)
