"""Which frames come next, while they go by one after the other."""

from __future__ import annotations

import numpy as np


def step_between(before: tuple[int, ...], here: tuple[int, ...]) -> tuple[int, ...]:
    """The step by which frames go by, if it is one along one axis; else nothing."""
    step = np.subtract(here, before)
    return tuple(int(n) for n in step) if np.abs(step).sum() == 1 else ()


def coming(
    here: tuple[int, ...], going: tuple[int, ...], lead: tuple[int, ...], most: int
) -> list[tuple[int, ...]]:
    """The indices of the frames that follow in this direction, the next first."""
    if not going:
        return []
    places = [
        tuple(n + steps * g for n, g in zip(here, going, strict=True))
        for steps in range(1, most + 1)
    ]
    return [
        place for place in places if all(0 <= n < size for n, size in zip(place, lead, strict=True))
    ]
