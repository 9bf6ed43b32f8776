"""The speed of a network on a device, measured on small images before it is known from runs."""

from __future__ import annotations

import math
import mmap
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cube import Cube
from napari_hsr.inference.ensembles import find
from napari_hsr.inference.estimates.network_speed import remember_probe, tile_seconds
from napari_hsr.inference.estimates.speed import keep
from napari_hsr.inference.inputs import PhotographReader
from napari_hsr.inference.tiles.network_passes import Passes, known
from napari_hsr.inference.tiles.one_tile import computed
from napari_hsr.inference.tiles.outputs import InMemory
from napari_hsr.inference.tiles.tiling import Span, Tile
from napari_hsr.photograph import SRGB, Photograph

if TYPE_CHECKING:
    import torch

    from napari_hsr.inference.run_plan import RunPlan

#: Sides of the images in pixels: the first, and then the largest that is fast enough, as what large images
#: write no longer lies in a cache. Half of that for networks that make images finer.
SIDES = (32, 64, 96, 128, 192, 256, 640)
#: A run over fewer pixels is not measured before.
LONG = 8 * 96**2
#: Seconds that a larger image may take.
ENOUGH = 0.5
#: Of a network for any number of bands, as many are measured at most: it takes them one after another.
BANDS = 128
#: Side of the largest result, in pixels, by which reading and writing are measured.
AROUND = 640


def worthwhile(run: RunPlan) -> bool:
    """Whether a run is so long that its time should be known, or its parts', and is not."""
    pixels = sum(tile.shape[0] * tile.shape[1] for tile in run.tiles)
    if pixels < LONG or not run.model.weights_sha256:
        return False
    return tile_seconds(run, run.tiles) is None or (pixels > 4 * LONG and not known(run.module()))


def measure(run: RunPlan, passes: Passes | None = None) -> None:
    """Run the network over some small images, and keep what that says of images of any size.

    Larger ones may be faster or slower per pixel. Reading and writing are measured by themselves. The
    first time of each is not counted: libraries prepare themselves in it, for each size anew.

    Parameters
    ----------
    run : RunPlan
    passes : Passes, optional
        By which the passes can be cancelled.
    """
    import torch

    module, multiple = run.module(), run.model.size_multiple
    whole, passes = run, passes or Passes()
    if run.model.channels is None:
        run = replace(run, bands=min(run.bands, BANDS))
    channels = run.model.channels or run.bands
    found: list[tuple[int, float]] = []
    sides = [side if run.model.scale == 1 else side // 2 for side in SIDES]
    waiting = list(dict.fromkeys(-(-side // multiple) * multiple for side in sides))
    side = waiting[0]
    while waiting:
        waiting = [larger for larger in waiting if larger > side]
        image = torch.zeros(1, channels, side, side, device=run.device)
        seconds = 0.0
        for _ in range(2):
            start = time.perf_counter()
            passes.run(module, image).cpu()
            seconds = time.perf_counter() - start
        found.append((side, seconds))
        waiting = [larger for larger in waiting if seconds * (larger / side) ** 2 <= ENOUGH]
        side = waiting[-1] if waiting else side
    (few, low), (many, high) = found[0], found[-1]
    by_pixel = high / many**2
    if many > few:  # at least half of the time of the larger image is its pixels'
        by_pixel = max((high - low) / (many**2 - few**2), by_pixel / 2)
    around = [_around(run) for _ in range(2)][-1]
    parts = max(high - by_pixel * many**2, 1e-9), by_pixel, around
    remember_probe(whole, *(seconds * whole.bands / run.bands for seconds in parts))
    keep()


def _around(run: RunPlan) -> float:
    """Seconds for each pixel of a tile besides the passes: it is read, and its result is written.

    The tile is as large as the largest of the run, but no larger than ``AROUND``.
    """
    import torch

    model = run.model
    side = min(AROUND // model.scale, max(max(tile.shape) for tile in run.tiles))
    span = Span(slice(0, side), slice(0, side))
    tile, shape = Tile(span, span), (run.bands, side * model.scale, side * model.scale)
    noise = np.random.default_rng(0).random((side, side, model.channels or run.bands), np.float32)
    found = torch.rand(1, *shape, device=run.device)
    start = time.perf_counter()
    if model.channels == 3:
        values = (255 * noise).astype(np.uint8) if model.input_encoding == SRGB else noise
        reader = PhotographReader(Photograph(values, model.input_encoding), model)
        stored, noise = reader.read_stored(tile.rows.read, tile.columns.read)
        reader.counted(stored)

    def network(_images: torch.Tensor) -> torch.Tensor:
        return found

    single = replace(run, ensemble=find("single"))
    *_, block = computed(tile, noise.transpose(2, 0, 1), single, network)
    assert block is not None  # the last one is the result
    if not run.on_disk:
        # memory that comes from the system, as that of a whole result does: its pages cost time
        pages = np.frombuffer(mmap.mmap(-1, 4 * math.prod(shape)), np.float32).reshape(shape)
        InMemory(pages, model.scale).write(tile, block, {})
        return (time.perf_counter() - start) / side**2
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        from napari_hsr.io.zarr.in_parts import ZarrInParts

        store = ZarrInParts(Path(folder) / "x.zarr", Cube(block), shape[1:], {})
        try:
            start = time.perf_counter()
            store.put((0, 0), block)
            return (seconds + time.perf_counter() - start) / side**2
        finally:
            store.release()  # its signs of life would be given until the process ends
