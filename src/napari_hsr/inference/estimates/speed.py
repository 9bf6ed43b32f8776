"""How fast each step runs on this machine, from which the time of a run is told before it begins.

Nothing is guessed from the hardware: a time is known only where the same network has run on the
same device (:mod:`~napari_hsr.inference.estimates.network_speed`), or where the same resampling
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


def device_name(device: object) -> str:
    """Which device, how many threads compute on it, by which torch, and what it may not use."""
    import torch

    found = torch.device(str(device))
    name = torch.cuda.get_device_name(found) if found.type == "cuda" else found.type
    limits = [f", {key} {os.environ[key]}" for key in INSTRUCTION_LIMITS if key in os.environ]
    threads = f"{torch.get_num_threads()} threads"
    return f"{name}, {threads}, torch {torch.__version__}{''.join(limits)}"
