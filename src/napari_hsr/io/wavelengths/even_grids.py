"""What damage does to a grid of wavelengths whose others are even: one that is off it, and one that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

#: Even up to this part of a step; what is farther off than the second is not rounded.
_EVEN, _OFF = 1e-3, 0.02
#: So many others must be even; at the ends more, for bands may have been added there.
_FEWEST, _FEWEST_AT_END = 5, 16
#: Wavelengths are missing where a step is so many times the others, of which there are so many at least.
#: A wider one is a gap that somebody made.
_TIMES, _FEWEST_STEPS = (2, 3), 8


def off(listed: np.ndarray) -> tuple[int, float] | None:
    """The only wavelength, in any unit, that is not where the even steps of all others put it: which, and where that is."""
    if listed.size <= _FEWEST:
        return None
    number, steps = np.arange(listed.size), np.diff(listed)
    usual = float(np.median(steps))
    uneven = np.flatnonzero(np.abs(steps - usual) > _EVEN * abs(usual))
    if not 0 < uneven.size <= 2:
        return None
    for at in sorted({*uneven.tolist(), *(uneven + 1).tolist()}):
        others, own = np.delete(listed, at), np.delete(number, at)
        if others.size < (_FEWEST_AT_END if at in (0, listed.size - 1) else _FEWEST):
            continue
        step = float((others[-1] - others[0]) / (own[-1] - own[0]))
        line = others[0] + step * (number - own[0])
        even = step and (np.abs(others - line[own]) <= _EVEN * abs(step)).all()
        if even and abs(listed[at] - line[at]) > _OFF * abs(step):
            return int(at), float(line[at])
    return None


def told_off(listed: np.ndarray) -> tuple[Notice, ...]:
    """A warning of it; none where they are out of order, which is told by itself."""
    steps = np.diff(listed)
    found = off(listed) if (steps > 0).all() or (steps < 0).all() else None
    if found is None:
        return ()
    told = (
        f"The wavelength of band {found[0] + 1} in the file, {listed[found[0]]:g}, is not {found[1]:g}, where the even steps "
        "of all others put it: it may be damaged."
    )
    return (Notice.warning(Code.MAYBE_DAMAGED, told),)


def missing(nm: np.ndarray) -> np.ndarray:
    """Wavelengths between others that an even grid lacks in one place alone, as where a line of a table is lost."""
    for grid in (nm, 1e7 / nm):  # tables of wavenumbers are even in these
        steps = np.diff(grid)
        if steps.size < _FEWEST_STEPS:
            continue
        usual = float(np.median(steps))
        wide = np.flatnonzero(np.abs(steps - usual) > _EVEN * abs(usual))
        if wide.size != 1:
            continue
        at, times = int(wide[0]), round(float(steps[wide[0]] / usual))
        if times in _TIMES and abs(steps[at] - times * usual) <= _EVEN * abs(times * usual):
            lost = grid[at] + usual * np.arange(1, times)
            found: np.ndarray = lost if grid is nm else 1e7 / lost
            return found
    return np.empty(0)


def told_missing(nm: np.ndarray) -> tuple[Notice, ...]:
    """A warning of them."""
    lost = missing(nm)
    if not lost.size:
        return ()
    listed = " and ".join(f"{one:.6g}" for one in lost)
    told = f"The file has no values for {listed} nm, between others in even steps: a line of it may be lost."
    return (Notice.warning(Code.MAYBE_DAMAGED, told),)


def check(path: Path, listed: np.ndarray, of: str) -> None:
    """Refuse a table whose lines are in even steps but for one, where it has no notices to tell it by.

    Raises
    ------
    FileError
        If one of them stands off the others, or is missing between them.
    """
    lost, found = missing(np.sort(listed)), off(listed)
    if found is not None:
        told = f"{listed[found[0]]:g} nm of {of} stands where the even steps of its other lines put {found[1]:g} nm"
        raise FileError(path, told)
    if lost.size:
        between = " and ".join(f"{one:g}" for one in lost)
        told = f"a line for {between} nm of {of} is missing: its others are in even steps; put in a value between theirs"
        raise FileError(path, told)
