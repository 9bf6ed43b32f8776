"""What back-projection tells of itself: the state after each pass, and what it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    import numpy as np

    from napari_hsr.cube import Cube


#: The residual counted anew may lie so much above the one that the passes counted.
_SLACK = 1.05


@dataclass(frozen=True)
class Pass:
    """The state after so many passes.

    Attributes
    ----------
    number : int
        0 for the estimate as it came.
    rms : float
        Root mean square of the residual y - D x, in the cube's units.
    angle : float
        Mean spectral angle between D x and y, in degrees; NaN if no pixel has one.
    gain : float or None
        By which the last pass was multiplied.
    """

    number: int
    rms: float
    angle: float
    gain: float | None = None


@dataclass(frozen=True)
class Agreement:
    """How far a fine cube agrees with its coarse one.

    Attributes
    ----------
    residual : ndarray of float32, shape (height, width)
        Root mean square over the bands of y - D x: a quality map on the coarse grid.
    rms, angle : float
        Over all: see :class:`Pass`.
    relative : float
        ``rms`` over the root mean square of y.
    degradation : str
        Name of D.
    """

    residual: np.ndarray
    rms: float
    angle: float
    relative: float
    degradation: str


@dataclass(frozen=True)
class Refinement:
    """What a refinement ends with.

    Attributes
    ----------
    cube : Cube
        (bands, scale * height, scale * width) float32.
    residual, before : ndarray of float32, shape (height, width)
        Root mean square over the bands of y - D x, after and before: quality maps on the coarse
        grid that need no truth. They say how far a result contradicts what was measured; detail
        that is wrong but averages out is not seen by them.
    history : tuple of Pass
        From the estimate on; the residual falls from each to the next.
    relative : float
        Root mean square of the final residual, counted anew from the cube, over that of y.
    stopped : str
        Why it ended: ``"tolerance"``, ``"iterations"`` or ``"no further"``.
    tolerance : float
        Which share it was to fall to.
    scale : int
    degradation : str
        Name of D.
    seconds : float
    """

    cube: Cube
    residual: np.ndarray
    before: np.ndarray
    history: tuple[Pass, ...]
    relative: float
    stopped: str
    tolerance: float
    scale: int
    degradation: str
    seconds: float

    @property
    def passes(self) -> int:
        """How many were made."""
        return self.history[-1].number

    def summary(self) -> str:
        """One line for people."""
        first, last = self.history[0], self.history[-1]
        times = "1 pass" if self.passes == 1 else f"{self.passes} passes"
        return (
            f"Back-projection with {self.degradation}, {times}: residual on the coarse grid "
            f"{first.rms:.3g} → {last.rms:.3g} (RMS), angle {first.angle:.3g}° → {last.angle:.3g}°"
        )

    def notices(self) -> tuple[Notice, ...]:
        """One notice where the residual stayed above the tolerance; none where it did not.

        A tolerance of 0 asks for as many passes as there may be, and none is missed.
        """
        if not self.tolerance or self.relative <= _SLACK * self.tolerance:
            return ()
        times = "1 pass" if self.passes == 1 else f"{self.passes} passes"
        why = {
            "no further": " and no further pass would lower it",
            "tolerance": ", which is the rounding of float32",
        }.get(self.stopped, "")
        told = (
            f"The back-projection ended after {times} with a residual of {self.relative:.2g} of the "
            f"coarse cube's values, above the tolerance of {self.tolerance:.2g}{why}."
        )
        return (Notice.warning(Code.RESIDUAL_ABOVE_TOLERANCE, told),)
