"""The time budget of a training in stages, over all tries together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from napari_hsr.io import limits
from napari_hsr.io.library_errors import made_folder
from napari_hsr.io.text_files import write_text
from napari_hsr.notices import Code, Notice
from napari_hsr.units import format_seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Budget:
    """Minutes that stages share; what was spent and granted before a resume still counts.

    Parameters
    ----------
    minutes : float
        Of all stages.
    path : Path or None
        A small file that remembers it; None: not kept beyond this process.
    resume : bool
        Read the file, if there is one.
    clock : callable
        In seconds.
    """

    def __init__(self, minutes: float, path: Path | None, resume: bool, clock: Callable[[], float]):
        self.minutes, self.path, self.clock = minutes, path, clock
        self._before, self._shares = _read(path) if path is not None and resume else (0.0, {})
        self._began = clock()

    def left(self) -> float:
        """Seconds that are left."""
        return self.minutes * 60 - self._elapsed()

    def share(self, stage: str, part: float, least: float) -> float | None:
        """Minutes granted to a stage; None if they would be too few.

        Parameters
        ----------
        stage : str
            What it was granted once stays after a resume; it subtracts what it has used itself.
        part : float
            Share of what is left now.
        least : float
            Seconds that are worth starting for.
        """
        if stage not in self._shares:
            seconds = part * self.left()
            if seconds < least:
                return None
            self._shares[stage] = seconds / 60
            self.keep()
        return self._shares[stage]

    def keep(self) -> None:
        """Write how much is spent.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        if self.path is None:
            return
        made_folder(self.path.parent)
        content = {"seconds": self._elapsed(), "minutes": self._shares}
        write_text(self.path, json.dumps(content))

    def _elapsed(self) -> float:
        return self._before + self.clock() - self._began


def _read(path: Path) -> tuple[float, dict[str, float]]:
    """Seconds spent and minutes granted; none if the file is missing or damaged."""
    try:
        content = json.loads(limits.content(path))
        shares = {str(k): float(v) for k, v in content["minutes"].items()}
        return float(content["seconds"]), shares
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ):
        return 0.0, {}


def steps_fixed(done: int, more: int, each: float, seconds: float) -> Notice:
    """For how many more steps there is time, where one takes ``each`` seconds."""
    takes = f"one takes {each:.2g} s, measuring included."
    if more:
        steps = f"{more} more step{'s' if more > 1 else ''}"
        text = f"There is time for {steps} in the {format_seconds(seconds)} that are left: {takes}"
        return Notice.info(Code.STEPS_LEFT, text)
    text = f"The time is up after {done} step{'s' if done > 1 else ''}: {takes}"
    return Notice.info(Code.STEPS_FIXED, text)
