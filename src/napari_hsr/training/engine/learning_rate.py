"""The learning rate of each step, as a pure function: a resumed run needs no memory of it.

Steps count from 0. All courses are of ``t = step / total``, as in the published programs, so the
last step stands just before the course's end.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_hsr.training.recipe.schema import OptimiserSettings, ScheduleSettings

#: One-cycle: share of the steps that the rate rises over, and the share it begins with.
RISE = 0.3
BEGIN = 0.01
#: One-cycle: what the first beta loses while the rate rises, and gains while it falls.
DIP = 0.1


def learning_rate(
    optimiser: OptimiserSettings, schedule: ScheduleSettings, step: int, total: int
) -> float:
    """The rate that a step is taken with.

    Parameters
    ----------
    optimiser : OptimiserSettings
        Its ``learning_rate`` is the highest rate.
    schedule : ScheduleSettings
        ``cosine``: down to ``final`` of it (Loshchilov and Hutter 2017). ``polynomial``:
        (1 - t)^power. ``one-cycle``: up from a hundredth over the first 30% and down to
        ``final``, both along half a cosine, as fastai 1 does it and MXR-U-Net sets it (Smith
        2018); it is its own warm-up. ``halving``: halved every ``every`` steps, ``stepped``: times
        ``factor``. All others rise linearly over the first ``warmup`` steps, or over half of a training that is shorter
        than two of these, and run their course over the rest.
    step : int
        From 0.
    total : int
        Steps in all. A step at or beyond it has the rate of the course's end.

    Returns
    -------
    float
        Above 0, but for the end of ``polynomial``, or of a course whose ``final`` is 0.
    """
    highest = optimiser.learning_rate
    total = max(1, total)
    step = min(max(0, step), total)
    if schedule.kind == "one-cycle":
        t = step / total
        if t < RISE:
            return highest * _half_cosine(BEGIN, 1.0, t / RISE)
        return highest * _half_cosine(1.0, schedule.final, (t - RISE) / (1 - RISE))
    warmup = min(schedule.warmup, total // 2)
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    t = (step - warmup) / (total - warmup)
    if schedule.kind == "cosine":
        return highest * _half_cosine(1.0, schedule.final, t)
    if schedule.kind == "polynomial":
        return highest * float((1 - t) ** schedule.power)
    if schedule.kind in ("halving", "stepped"):
        factor = 0.5 if schedule.kind == "halving" else schedule.factor
        return highest * factor ** (step // schedule.every)
    return highest


def first_beta(
    optimiser: OptimiserSettings, schedule: ScheduleSettings, step: int, total: int
) -> float:
    """Adam's first beta at a step: fastai's one-cycle lowers it by 0.1 where the rate is high.

    Parameters
    ----------
    optimiser, schedule, step, total
        As for :func:`learning_rate`.

    Returns
    -------
    float
        ``betas[0]`` for every other schedule; never below 0.
    """
    highest = optimiser.betas[0]
    if schedule.kind != "one-cycle":
        return highest
    lowest = max(0.0, highest - DIP)
    t = min(max(0, step), max(1, total)) / max(1, total)
    if t < RISE:
        return _half_cosine(highest, lowest, t / RISE)
    return _half_cosine(lowest, highest, (t - RISE) / (1 - RISE))


def _half_cosine(start: float, end: float, t: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * t)) / 2
