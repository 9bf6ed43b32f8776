"""How fast each step runs on this machine, from which the time of a run is told before it begins.

Nothing is guessed from the hardware: a time is known only where the same network has run on the
same device, in the same precision and in tiles of about the same size, where
:mod:`~napari_hsr.inference.estimates.speed_probe` has measured it on small images, or where the same resampling
has been done at the same scale. What was measured is kept in a small file of the user's cache.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import threading
from collections import deque
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from napari_hsr.io import limits
from napari_hsr.io.text_files import write_text
from napari_hsr.user_folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiles.tiling import Tile

    #: What was done, in names and numbers that identify it.
    Work = tuple[object, ...]

logger = logging.getLogger(__name__)

#: Names another file than that of the user's cache.
FILE_VARIABLE = "NAPARI_HSR_SPEED"
#: The most recent measurements kept of each kind of work: the median of them counts.
KEPT = 9
#: Kinds of work that are kept, the most recent ones.
KINDS = 1000
#: Variables that forbid torch and oneDNN some of the processor's instructions.
INSTRUCTION_LIMITS = ("ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA")

#: Seconds per unit of work, the kind measured last at the end.
_MEASURED: dict[str, deque[float]] = {}
_LOCK = threading.Lock()
#: The file that was read, and whether there is more than it holds.
_read: Path | None = None
_changed = False


def remember(work: Work, amount: float, seconds: float, instead: bool = False) -> None:
    """Note the time that an amount of some kind of work took, or note it in place of the last one."""
    global _changed
    if amount > 0 and seconds > 0:
        with _LOCK:
            _load()
            found = _MEASURED.pop(_name(work), deque(maxlen=KEPT))
            if instead and found:
                found.pop()
            found.append(seconds / amount)
            _MEASURED[_name(work)] = found
            _changed = True


def expected_seconds(work: Work, amount: float) -> float | None:
    """Time for an amount of some kind of work; None if it was never measured."""
    with _LOCK:
        _load()
        found = _MEASURED.get(_name(work))
        return median(found) * amount if found else None


def forget() -> None:
    """Drop all that was measured since the file was read, and read it again."""
    global _read, _changed
    with _LOCK:
        _MEASURED.clear()
        _read, _changed = None, False


def keep() -> None:
    """Write what was measured to the file, where that is possible."""
    global _changed
    with _LOCK:
        if not _changed:
            return
        _changed = False
        content = {work: list(found) for work, found in list(_MEASURED.items())[-KINDS:]}
        path = file()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(content))
        except (OSError, ValueError) as error:  # no place to write: it is measured again next time
            logger.info("The speed of this machine could not be kept: %s", error)


def file() -> Path:
    """Where it is kept."""
    named = os.environ.get(FILE_VARIABLE)
    return Path(os.path.expanduser(named)) if named else cache_folder() / "speed.json"


def _load() -> None:
    """Read the file once; one that is missing or damaged counts as empty."""
    global _read
    path = file()
    if _read == path:
        return
    _read = path
    _MEASURED.clear()
    try:
        content = json.loads(limits.content(path))
        found = {str(k): deque((float(x) for x in v), maxlen=KEPT) for k, v in content.items()}
    except (OSError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return
    _MEASURED.update({k: v for k, v in found.items() if v and all(0 < x < 1e9 for x in v)})


def _name(work: Work) -> str:
    return "|".join(map(str, (_processor(), *work)))


@cache
def _processor() -> str:
    """What this computer calls its processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


# --- networks ------------------------------------------------------------------------------------


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
    for tile in tiles:
        pixels = _pixels(tile)
        size = _size_class(pixels)
        near = (expected_seconds(_network(run, s), pixels) for s in (size, size - 1, size + 1))
        seconds = next((s for s in near if s is not None), None)
        if seconds is None:
            if fixed is None or by_pixel is None or around is None:
                return None
            seconds = (fixed + by_pixel * pixels) * run.ensemble.passes + around * pixels
        total += seconds
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


def device_name(device: object) -> str:
    """Which device, how many threads compute on it, by which torch, and what it may not use."""
    import torch

    found = torch.device(str(device))
    name = torch.cuda.get_device_name(found) if found.type == "cuda" else found.type
    limits = [f", {key} {os.environ[key]}" for key in INSTRUCTION_LIMITS if key in os.environ]
    threads = f"{torch.get_num_threads()} threads"
    return f"{name}, {threads}, torch {torch.__version__}{''.join(limits)}"


def _pixels(tile: Tile) -> int:
    height, width = tile.shape
    return height * width


def _size_class(pixels: int) -> int:
    """Sizes within a factor of two are of one class."""
    return pixels.bit_length()
