"""Which spectra a colour leaves open: least and greatest values in every band, by linear programming.

Over all spectra x with 0 ≤ x ≤ 1, second differences of at most τ from band to band, and a colour
Cᵀx within what noise and rounding allow, the least and the greatest x_b of each band b. These
programmes share their constraints: all minima are solved as one, and all maxima (HiGHS, by scipy).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cameras.response import reflectances
from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from napari_hsr.trust.linear_camera import LinearCamera

#: Share of the second differences of measured reflectances that the bound τ lets through.
SMOOTH_AS = 0.999
#: Where τ comes from, for people.
SMOOTHNESS_SOURCE = (
    "99.9% of the second differences of the 99 CIE 224:2017 test samples and a ColorChecker"
)
#: Electrons of a pixel at full scale: what noise is assumed where none is stated.
PHOTOELECTRONS = 10_000
#: Standard deviations of noise that a colour may be off.
DEVIATIONS = 2.0
#: A curve this far outside, as a share of full scale, is still inside: rounding of the solver.
_SLACK = 1e-6


@dataclass(frozen=True, eq=False)
class FeasibleBand:
    """The values that a colour leaves open in each band.

    Attributes
    ----------
    lower, upper : ndarray, shape (bands,), float64
        NaN in all bands where no spectrum has the colour.
    smoothness : float
        τ, the bound on second differences.
    """

    lower: np.ndarray
    upper: np.ndarray
    smoothness: float

    @property
    def possible(self) -> bool:
        """Whether any spectrum has the colour."""
        return bool(np.isfinite(self.lower).all())

    def outside(self, spectrum: np.ndarray) -> np.ndarray:
        """The bands, as a mask, in which a spectrum leaves what is open; all if nothing is."""
        inside = (spectrum >= self.lower - _SLACK) & (spectrum <= self.upper + _SLACK)
        out: np.ndarray = ~inside
        return out


@lru_cache(maxsize=16)
def smoothness(wavelengths_nm: tuple[float, ...]) -> float:
    """τ on a grid: second differences of measured reflectances are seldom larger.

    See :data:`SMOOTHNESS_SOURCE`. 0.08 on 400–700 nm every 10 nm.
    """
    return float(np.quantile(np.abs(np.diff(reflectances(wavelengths_nm), 2)), SMOOTH_AS))


def feasible_band(
    low: np.ndarray, high: np.ndarray, linear_camera: LinearCamera, *, bound: float | None = None
) -> FeasibleBand:
    """The least and greatest value in each band over all spectra with a colour.

    Parameters
    ----------
    low, high : array-like, shape (3,)
        What the colour may be at least and at most, in the encoding of ``linear_camera``; see
        :func:`tolerance`. ``high`` may be infinite where a channel is saturated.
    linear_camera : LinearCamera
    bound : float, optional
        τ, the largest second difference; :func:`smoothness` by default, ``np.inf`` for none.

    Raises
    ------
    InputError
        If a bound is not a number, or ``low`` is above ``high``.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, eye_array, kron

    low, high = (np.asarray(side, dtype=np.float64).ravel() for side in (low, high))
    if low.shape != (3,) or high.shape != (3,) or not (low <= high).all():
        raise InputError(f"A colour lies between three lower and upper bounds, not {low}, {high}.")
    tau = smoothness(linear_camera.wavelengths_nm) if bound is None else bound
    if not tau >= 0:
        raise InputError(f"The bound on second differences is not negative; it is {tau}.")
    bands = len(linear_camera.matrix)
    bends = np.diff(np.eye(bands), 2, axis=0) if np.isfinite(tau) else np.empty((0, bands))
    rows = np.vstack([linear_camera.matrix.T, bends])
    least = np.concatenate([low, np.full(len(bends), -tau)])
    most = np.concatenate([high, np.full(len(bends), tau)])
    # a block for each band; minima and maxima apart, which is quicker than all at once
    every = kron(eye_array(bands), csr_array(rows), format="csc")
    allowed = LinearConstraint(every, np.tile(least, bands), np.tile(most, bands))
    ends = []
    for sign in (1, -1):
        solved = milp(
            sign * np.eye(bands).ravel(),
            constraints=allowed,
            bounds=Bounds(0, 1),
            options={"presolve": False},
        )
        if solved.x is None:
            nothing = np.full(bands, np.nan)
            return FeasibleBand(nothing, nothing.copy(), tau)
        ends.append(np.diag(solved.x.reshape(bands, bands)).copy())
    low, high = ends
    return FeasibleBand(low, high, tau)


def tolerance(colours: np.ndarray, electrons: float = PHOTOELECTRONS) -> np.ndarray:
    """How far shot noise may move linear colours, at most: two standard deviations.

    Parameters
    ----------
    colours : ndarray
        Linear, full scale 1.
    electrons : float
        Of a pixel at full scale.
    """
    out: np.ndarray = DEVIATIONS * np.sqrt(np.maximum(colours, 0) / electrons)
    return out
