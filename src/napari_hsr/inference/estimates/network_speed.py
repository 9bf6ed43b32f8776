"""How fast a network runs over tiles on this machine, as earlier runs of it tell.

Its time is known where it has run on the same device, in the same precision and in tiles of about
the same size, or where :mod:`~napari_hsr.inference.estimates.speed_probe` has measured it on small images.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from napari_hsr.inference.estimates.speed import device_name, expected_seconds, remember

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_hsr.inference.estimates.speed import Work
    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiles.tiling import Tile


class Pace:
    """How fast a run is, from all its tiles of about a size: they are one measurement.

    The first tile of a row takes longer than those beside it, for which the system has found memory then.

    Parameters
    ----------
    run : RunPlan
    """

    def __init__(self, run: RunPlan):
        self._run = run
        self._sums: dict[int, tuple[int, float]] = {}  # pixels and seconds, by the class of size

    def add(self, tile: Tile, seconds: float) -> None:
        """Note the time that one tile took, all passes of an ensemble together."""
        if not self._run.model.weights_sha256:  # it could not be recognised again
            return
        size = _size_class(_pixels(tile))
        pixels, before = self._sums.get(size, (0, 0.0))
        self._sums[size] = pixels + _pixels(tile), before + seconds
        remember(_network(self._run, size), *self._sums[size], instead=pixels > 0)


def remember_probe(run: RunPlan, fixed: float, by_pixel: float, around: float) -> None:
    """Note what a tile of any size takes.

    Parameters
    ----------
    run : RunPlan
    fixed, by_pixel : float
        Seconds of a pass in any case, and for each pixel.
    around : float
        Seconds for each pixel that is read, and whose result is put in its place.
    """
    remember(_network(run, "fixed"), 1, fixed)
    remember(_network(run, "pixel"), 1, by_pixel)
    remember(_network(run, "around"), 1, around)


def tile_seconds(run: RunPlan, tiles: Iterable[Tile]) -> float | None:
    """Time for these tiles; None if neither such tiles nor a probe have been measured."""
    if not run.model.weights_sha256:
        return None
    total = 0.0
    parts = ("fixed", "pixel", "around")
    fixed, by_pixel, around = (expected_seconds(_network(run, part), 1) for part in parts)
    for pixels, count in Counter(map(_pixels, tiles)).items():
        size = _size_class(pixels)
        near = (expected_seconds(_network(run, s), pixels) for s in (size, size - 1, size + 1))
        seconds = next((s for s in near if s is not None), None)
        if seconds is None:
            if fixed is None or by_pixel is None or around is None:
                return None
            seconds = (fixed + by_pixel * pixels) * run.ensemble.passes + around * pixels
        total += count * seconds
    return total


def _network(run: RunPlan, size: int | str) -> Work:
    model, ensemble = run.model, run.ensemble
    computed = (device_name(run.device), run.precision, ensemble.passes, ensemble.exact)
    if isinstance(size, str):  # of a single pass
        computed = (*computed[:2], 1, ensemble.exact)
    from napari_hsr.models.colour_table import is_tabulated

    weights = model.weights_sha256 + " as a table" * is_tabulated(model)
    place = "on disk" if run.on_disk and size not in ("fixed", "pixel") else "in memory"
    return weights, model.scale, run.bands, *computed, place, size


def _pixels(tile: Tile) -> int:
    height, width = tile.shape
    return height * width


def _size_class(pixels: int) -> int:
    """Sizes within a factor of two are of one class."""
    return pixels.bit_length()
