"""Results of back-projection: residuals after each pass, and in the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    import numpy as np

    from napari_hsr.cube import Cube


#: How far the residual computed afresh may exceed the one tracked by the iterations.
_SLACK = 1.05


@dataclass(frozen=True)
class Pass:
    """The residual after some passes.

    Attributes
    ----------
    number : int
        0 for the initial estimate.
    rms : float
        Root mean square of the residual y - D x, in the cube's units.
    angle : float
        Mean spectral angle between D x and y, in degrees; NaN if no pixel has one.
    gain : float or None
        Of this pass.
    """

    number: int
    rms: float
    angle: float
    gain: float | None = None


@dataclass(frozen=True)
class Agreement:
    """How consistent a fine cube is with its coarse one.

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
    """Result of a refinement.

    Attributes
    ----------
    cube : Cube
        (bands, scale * height, scale * width) float32.
    residual, before : ndarray of float32, shape (height, width)
        RMS over the bands of y - D x, after and before: quality maps on the coarse grid that
        need no ground truth. They show how far a result contradicts the measurement; wrong
        detail that averages out remains invisible to them.
    history : tuple of Pass
        From the initial estimate on; the residual falls from each to the next.
    relative : float
        RMS of the final residual, computed afresh from the cube, over that of y.
    stopped : str
        Why it ended: ``"tolerance"``, ``"iterations"`` or ``"no further"``.
    tolerance : float
        The relative residual aimed at.
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
        """Number of passes."""
        return self.history[-1].number

    def summary(self) -> str:
        """Summary in one line."""
        first, last = self.history[0], self.history[-1]
        times = "1 pass" if self.passes == 1 else f"{self.passes} passes"
        return (
            f"Back-projection with {self.degradation}, {times}: residual on the coarse grid "
            f"{first.rms:.3g} → {last.rms:.3g} (RMS), angle {first.angle:.3g}° → {last.angle:.3g}°"
        )

    def notices(self) -> tuple[Notice, ...]:
        """A notice if the residual stayed above the tolerance.

        A tolerance of 0 asks for as many passes as allowed and cannot be missed.
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
