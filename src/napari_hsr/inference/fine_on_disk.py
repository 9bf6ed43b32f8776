"""Super-resolution into a zarr store, tile by tile: for results larger than memory."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.inference.estimates.memory_use import PeakMemory
from napari_hsr.inference.fine_cube import title
from napari_hsr.inference.results import SuperResolutionResult
from napari_hsr.inference.tiles.result_place import Disk, fingerprint
from napari_hsr.inference.upscalers import upscale_events
from napari_hsr.io.library_errors import translated
from napari_hsr.progress import Progress, as_part
from napari_hsr.resample import agreement_events
from napari_hsr.resample.holes import fill_events

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    import torch

    from napari_hsr.cube import Cube
    from napari_hsr.inference.region import Region
    from napari_hsr.models.model import Model
    from napari_hsr.notices import Notice
    from napari_hsr.resample.methods import Kind

#: Steps of the progress, and at which the comparison with the coarse cube begins.
_STEPS, _COMPARED = 1000, 900


def super_resolve_to_disk(
    coarse: Cube,
    upscaler: Model | Kind,
    scale: int,
    path: Path,
    *,
    overwrite: bool,
    degradation: str,
    device: torch.device,
    region: Region | None,
    told: tuple[Notice, ...],
    comparing: float | None,
    cancel: threading.Event | None,
    **options: Any,
) -> Iterator[Progress | SuperResolutionResult]:
    """Upscale a cube into a store, compare it with the coarse one, and give the store its name.

    Parameters
    ----------
    coarse : Cube
        On disk too, as a rule.
    upscaler, scale
        As :func:`napari_hsr.inference.upscalers.choose` returns them.
    path : Path
        Of the store.
    overwrite : bool
        Begin anew, whatever was begun.
    degradation, region, cancel
        As for :func:`napari_hsr.super_resolve`.
    device : torch.device
    told : tuple of Notice
        What must be known before those of the run.
    comparing : float or None
        Seconds that the comparison will take, if they are known.
    **options
        Of :func:`napari_hsr.inference.upscalers.upscale_events`.
    """
    start = time.perf_counter()
    shape = coarse.bands, coarse.shape[1] * scale, coarse.shape[2] * scale
    name = title(coarse, upscaler, scale)
    like = coarse.over_same_area(np.broadcast_to(np.float32(0), shape), name=name)
    computing = {**options, "device": str(device)}
    facts = {"scale": scale, "device": device.type, "precision": options["precision"]}
    made_by = fingerprint(upscaler, coarse.data, **facts, region=region and str(region))
    with PeakMemory(device) as memory, ExitStack() as held:
        filled = yield from fill_events(coarse, cancel, partial(_scratch, held, path.parent))
        place = Disk(path, like, made_by, options["tile"], overwrite)
        held.callback(place.close)
        work = upscale_events(
            filled.cube, upscaler, scale, place=place, filled=filled, cancel=cancel, **computing
        )
        upscaled = yield from as_part(work, 0, _COMPARED, _STEPS, later=comparing)
        compared = agreement_events(upscaled.cube, coarse, scale, degradation, cancel=cancel)
        agreement = yield from as_part(compared, _COMPARED, _STEPS, _STEPS)
        notices = (*told, *coarse.notices, *upscaled.notices, *filled.notices())
        cube = upscaled.cube
        cube.provenance.extra["super_resolution"] = {
            "by": upscaler.name,
            "scale": scale,
            "refined_by": None,
            "degradation": agreement.degradation,
            "passes": 0,
            "relative_residual": agreement.relative,
        }
        cube = place.keep(cube.replace(notices=notices, _value_range=cube.value_range))
        del filled, work
    yield SuperResolutionResult(
        cube=cube,
        coarse=coarse,
        scale=scale,
        agreement=agreement,
        refined_by=None,
        seconds=time.perf_counter() - start,
        peak_bytes=memory.bytes,
        device=str(device),
        precision=upscaled.precision,
        tiles=upscaled.tiles,
        notices=cube.notices,
    )


def _scratch(held: ExitStack, folder: Path, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of zeros in a file beside the result, which goes when the run ends."""
    kept = tempfile.TemporaryDirectory(
        dir=folder, prefix=".napari-hsr-", ignore_cleanup_errors=True
    )
    path = Path(held.enter_context(kept)) / "values.npy"
    with translated(folder, "values cannot be filled in there", only=(OSError,)):
        made = np.lib.format.open_memmap(path, "w+", dtype, shape)
        if hasattr(os, "posix_fallocate"):  # a map of a file in a disk that fills ends the process
            try:
                with path.open("r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # a disk that knows it not
                    raise
    return made
