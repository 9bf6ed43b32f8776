"""The time that a training in stages may take, over all tries of it together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from napari_hsr.io.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Budget:
    """Minutes that stages share; what was spent and promised before a resume still counts.

    Parameters
    ----------
    minutes : float
        Of all stages.
    path : Path or None
        A small file that remembers it; None: it ends with this process.
    resume : bool
        Whether the file is gone on with, if there is one.
    clock : callable
        In seconds.
    """

    def __init__(self, minutes: float, path: Path | None, resume: bool, clock: Callable[[], float]):
        self.minutes, self.path, self.clock = minutes, path, clock
        self._before, self._shares = _read(path) if path is not None and resume else (0.0, {})
        self._began = clock()

    def left(self) -> float:
        """Seconds that are not spent yet."""
        return self.minutes * 60 - self._elapsed()

    def share(self, stage: str, part: float, least: float) -> float | None:
        """Minutes of a stage; None if they would be too few.

        Parameters
        ----------
        stage : str
            What was promised to it once, holds after a resume too: it takes what it has taken
            before out of that itself.
        part : float
            Of what is left now.
        least : float
            Seconds that are worth while.
        """
        if stage not in self._shares:
            seconds = part * self.left()
            if seconds < least:
                return None
            self._shares[stage] = seconds / 60
            self.keep()
        return self._shares[stage]

    def keep(self) -> None:
        """Write down how much is spent.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {"seconds": self._elapsed(), "minutes": self._shares}
        with replacing(self.path) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")

    def _elapsed(self) -> float:
        return self._before + self.clock() - self._began


def _read(path: Path) -> tuple[float, dict[str, float]]:
    """What is written there; nothing spent if there is no such file, or not a whole one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        shares = {str(k): float(v) for k, v in content["minutes"].items()}
        return float(content["seconds"]), shares
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0.0, {}
