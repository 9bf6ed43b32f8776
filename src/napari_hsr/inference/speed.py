"""How fast each step ran in this process, from which the time of the next run is estimated.

Nothing is guessed from the hardware: a time is known only where the same network has run on the
same device, in the same precision and in tiles of about the same size, or the same resampling
has been done at the same scale.
"""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiling import Tile

#: The most recent measurements kept of each kind of work: the median of them counts.
KEPT = 9

#: Seconds per unit of work.
_MEASURED: defaultdict[Hashable, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))


def remember(work: Hashable, amount: float, seconds: float) -> None:
    """Keep the time that an amount of some kind of work took."""
    if amount > 0:
        _MEASURED[work].append(seconds / amount)


def expected_seconds(work: Hashable, amount: float) -> float | None:
    """Time for an amount of some kind of work; None if it was never measured."""
    found = _MEASURED.get(work)
    return median(found) * amount if found else None


def forget() -> None:
    """Drop all measurements."""
    _MEASURED.clear()


def remember_tile(run: RunPlan, tile: Tile, seconds: float) -> None:
    """Keep the time that one tile took, all passes of an ensemble together."""
    if run.model.weights_sha256:  # a module without a hash cannot be recognised again
        remember(_network(run, _size_class(_pixels(tile))), _pixels(tile), seconds)


def tile_seconds(run: RunPlan, tiles: Iterable[Tile]) -> float | None:
    """Time for these tiles; None unless tiles of about their size have been measured."""
    total = 0.0
    for tile in tiles:
        pixels = _pixels(tile)
        size = _size_class(pixels)
        near = (expected_seconds(_network(run, s), pixels) for s in (size, size - 1, size + 1))
        seconds = next((s for s in near if s is not None), None)
        if seconds is None or not run.model.weights_sha256:
            return None
        total += seconds
    return total


def _network(run: RunPlan, size: int) -> Hashable:
    model, ensemble = run.model, run.ensemble
    computed = (str(run.device), run.precision, ensemble.passes, ensemble.exact)
    return model.weights_sha256, model.scale, run.bands, computed, size


def _pixels(tile: Tile) -> int:
    height, width = tile.shape
    return height * width


def _size_class(pixels: int) -> int:
    """Sizes within a factor of two are of one class."""
    return pixels.bit_length()
