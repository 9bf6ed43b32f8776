"""The speed of a network on a device, measured on small images before it is known from runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_hsr.inference.estimates.speed import keep, remember_probe, tile_seconds
from napari_hsr.inference.tiles.network_passes import Passes, known

if TYPE_CHECKING:
    from napari_hsr.inference.run_plan import RunPlan

#: Sides of the images in pixels, the last one for networks that are fast enough; half of that for
#: networks that make images finer.
SIDES = (32, 64, 96)
#: A run over less than as many times the largest image is not measured before.
LONG = 8
#: Seconds that a larger image may take.
ENOUGH = 0.25


def worthwhile(run: RunPlan) -> bool:
    """Whether a run is so long that its time should be known, or its parts', and is not."""
    images = sum(tile.shape[0] * tile.shape[1] for tile in run.tiles) / SIDES[-1] ** 2
    if images < LONG or not run.model.weights_sha256:
        return False
    return tile_seconds(run, run.tiles) is None or (images > 4 * LONG and not known(run.module()))


def measure(run: RunPlan, passes: Passes | None = None) -> None:
    """Run the network over two small images, and keep what that says of images of any size.

    Larger ones may be faster or slower per pixel, and reading and writing are not counted. The
    first pass is not counted either: libraries prepare themselves in it.

    Parameters
    ----------
    run : RunPlan
    passes : Passes, optional
        By which the passes can be cancelled.
    """
    import torch

    module, multiple = run.module(), run.model.size_multiple
    passes, channels = passes or Passes(), run.model.channels or run.bands
    found: list[tuple[int, float]] = []
    sides = [side if run.model.scale == 1 else side // 2 for side in SIDES]
    for side in dict.fromkeys(-(-side // multiple) * multiple for side in sides):
        if len(found) > 1 and found[-1][1] * (side / found[-1][0]) ** 2 > ENOUGH:
            break
        image = torch.zeros(1, channels, side, side, device=run.device)
        seconds = 0.0
        for _ in range(1 if found else 2):
            start = time.perf_counter()
            passes.run(module, image).cpu()
            seconds = time.perf_counter() - start
        found.append((side, seconds))
    (few, low), (many, high) = found[0], found[-1]
    by_pixel = high / many**2
    if many > few:  # at least half of the time of the larger image is its pixels'
        by_pixel = max((high - low) / (many**2 - few**2), by_pixel / 2)
    remember_probe(run, max(high - by_pixel * many**2, 1e-9), by_pixel)
    keep()
