"""Curves normalised, smoothed, differentiated, freed of their continuum, or held against another.

Each function takes a curve and returns another of the same bands, with the unit that its values
have then. What belongs to single values — standard deviation, quantiles, ranges — is scaled with
them by :func:`normalise` and :func:`remove_continuum`; derivatives and smoothing lose it, since it
does not follow from that of the bands. A region's curve is its mean: the processed mean, not the
mean of processed pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.cube import Wavelengths
from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hsr.spectra.curve import Curve

#: What :func:`normalise` divides by.
NORMALISATIONS = ("max", "area", "vector", "wavelength", "white")
#: Names of :class:`Processing`, and what each is called.
PROCESSINGS = {
    "none": "as it is",
    "max": "÷ its maximum",
    "area": "÷ its area",
    "vector": "÷ its length (L2)",
    "wavelength": "÷ its value at λ",
    "white": "÷ a white reference",
    "smooth": "smoothed",
    "derivative": "first derivative",
    "second-derivative": "second derivative",
    "continuum": "continuum removed",
    "difference": "− another curve",
    "ratio": "÷ another curve",
}
#: Those that need another curve, and those that have a window.
WITH_OTHER, WITH_WINDOW = (
    ("white", "difference", "ratio"),
    ("smooth", "derivative", "second-derivative"),
)
#: Tolerance of a grid, in nm.
_SAME_NM = 0.05
_EVEN = 1e-3  # share of a step by which steps of an even grid may differ


@told
@dataclass(frozen=True, eq=False)
class Processing:
    """One way to process curves, chosen once and applied to many.

    Attributes
    ----------
    name : str
        One of :data:`PROCESSINGS`.
    nm : float or None
        For ``"wavelength"``.
    other : Curve or None
        For ``"white"``, ``"difference"`` and ``"ratio"``.
    window : int
        Bands, for smoothing and derivatives.
    degree : int
        Of the polynomials.
    """

    name: str = "none"
    nm: float | None = None
    other: Curve | None = None
    window: int = 7
    degree: int = 2

    def __call__(self, curve: Curve) -> Curve:
        """The processed curve.

        Raises
        ------
        InputError
            If the name is not known, something it needs is missing, or the curve does not allow it.
        """
        if self.name not in PROCESSINGS:
            known = ", ".join(PROCESSINGS)
            raise InputError(f"Spectra are processed by {known}, not by {self.name!r}.")
        if self.name == "none":
            return curve
        if self.name in NORMALISATIONS:
            return normalise(curve, self.name, nm=self.nm, white=self.other)
        if self.name in WITH_OTHER:
            if self.other is None:
                raise InputError(f"Another curve is needed for “{PROCESSINGS[self.name]}”.")
            return (difference if self.name == "difference" else ratio)(curve, self.other)
        if self.name == "continuum":
            return remove_continuum(curve)
        if self.name == "smooth":
            return smooth(curve, self.window, self.degree)
        order = 1 if self.name == "derivative" else 2
        return derivative(curve, order, self.window, max(self.degree, order))


@told
def normalise(
    curve: Curve, by: str = "max", *, nm: float | None = None, white: Curve | None = None
) -> Curve:
    """A curve divided by one number, or by a white reference.

    Parameters
    ----------
    curve : Curve
    by : str
        ``"max"``, the largest absolute value; ``"area"``, the integral over wavelength (bands
        where there is none) of the absolute values; ``"vector"``, the square root of the sum of
        squares (L2); ``"wavelength"``, the value at ``nm``, interpolated between bands;
        ``"white"``, band by band the values of ``white``. Missing values are left out.
    nm : float, optional
        In nm, within the curve; without wavelengths the number of a band.
    white : Curve, optional
        On the same wavelengths.

    Raises
    ------
    InputError
        If ``by`` is not known, what it needs is missing, or there is nothing to divide by.
    """
    if by == "white":
        if white is None:
            raise InputError("The curve of a white reference is needed to normalise by it.")
        return replace(ratio(curve, white), units="relative (white)")
    values = np.asarray(curve.mean, dtype=np.float64)
    known = np.isfinite(values)
    if not known.any():
        raise InputError(f"{curve.name} has no value in any band.")
    if by == "max":
        divisor = float(np.abs(values[known]).max())
    elif by == "area":
        sizes = np.abs(values[known])
        divisor = float((np.diff(_axis(curve)[known]) * (sizes[1:] + sizes[:-1]) / 2).sum())
    elif by == "vector":
        divisor = float(np.sqrt((values[known] ** 2).sum()))
    elif by == "wavelength":
        divisor = _value_at(curve, nm, known)
    else:
        listed = ", ".join(map(repr, NORMALISATIONS))
        raise InputError(f"Spectra are normalised by {listed}, not by {by!r}.")
    what = f"{nm:g} nm" if by == "wavelength" and curve.wavelengths_nm is not None else by
    if divisor == 0:
        at = f"at {what}" if by == "wavelength" else "in all bands"
        raise InputError(f"{curve.name} is zero {at}: it cannot be divided by that.")
    return _scaled(curve, np.full(values.shape, divisor), f"relative ({what})")


@told
def derivative(curve: Curve, order: int = 1, window: int = 7, degree: int = 2) -> Curve:
    """The derivative over wavelength, of polynomials fitted in a moving window (Savitzky–Golay).

    Parameters
    ----------
    curve : Curve
        Missing values split it; stretches shorter than the window become missing.
    order : int
        From 1.
    window : int
        Bands of the window, odd; at the ends the outermost window is taken.
    degree : int
        Of the polynomials, at least ``order`` and below ``window``. On an uneven grid they are
        fitted to the wavelengths as they are.

    Returns
    -------
    Curve
        In its unit per nm (per nm² …); per band without wavelengths.

    Raises
    ------
    InputError
        If the window is longer than the spectrum, or these numbers do not fit together.
    """
    if order < 1:
        raise InputError(f"Derivatives are of order 1 and above, not {order}.")
    step = "nm" if curve.wavelengths_nm is not None else "band"
    per = step if order == 1 else f"{step}{'²³⁴⁵⁶⁷⁸⁹'[order - 2]}" if order <= 9 else step
    values = _fitted(curve, order, window, degree)
    return _bare(curve, values, f"{curve.units or 'value'} / {per}")


@told
def smooth(curve: Curve, window: int = 7, degree: int = 2) -> Curve:
    """A curve smoothed by polynomials in a moving window; see :func:`derivative`."""
    return _bare(curve, _fitted(curve, 0, window, degree), curve.units)


@told
def remove_continuum(curve: Curve) -> Curve:
    """A curve divided by its continuum, the upper convex hull over wavelength (Clark & Roush 1984).

    Raises
    ------
    InputError
        If it has fewer than two values, or none above zero.
    """
    values, x = np.asarray(curve.mean, dtype=np.float64), _axis(curve)
    known = np.flatnonzero(np.isfinite(values))
    if known.size < 2 or values[known].max() <= 0:
        raise InputError(
            f"{curve.name} has no continuum: two values or more, some above 0, are needed."
        )
    hull: list[int] = []
    for at in map(int, known):
        while len(hull) > 1 and _below(hull[-2], hull[-1], at, x, values):
            hull.pop()
        hull.append(at)
    continuum = np.interp(x, x[hull], values[hull])
    continuum[continuum <= 0] = np.nan
    return _scaled(curve, continuum, "relative to the continuum")


@told
def difference(curve: Curve, other: Curve) -> Curve:
    """``curve − other``; standard deviations add in squares, as of independent values.

    Raises
    ------
    InputError
        If their wavelengths or units differ.
    """
    _need_same_grid(curve, other)
    if curve.units != other.units:
        raise InputError(
            f"{curve.name} is in {curve.units or 'no known unit'} and {other.name} in "
            f"{other.units or 'no known unit'}: their difference means nothing."
        )
    made = _bare(curve, curve.mean - other.mean, curve.units)
    return replace(made, std=_joined(curve, other, lambda own, others: np.hypot(own, others)))


@told
def ratio(curve: Curve, other: Curve) -> Curve:
    """``curve ÷ other``, missing where ``other`` is zero; deviations to first order.

    Raises
    ------
    InputError
        If their wavelengths differ, or ``other`` is zero everywhere.
    """
    _need_same_grid(curve, other)
    divisor = np.where(other.mean == 0, np.nan, other.mean)
    if not np.isfinite(divisor).any():
        raise InputError(f"{other.name} is zero in all bands: nothing can be divided by it.")
    values = curve.mean / divisor
    same = curve.units == other.units
    units = "relative" if same else f"{curve.units or 'value'} / ({other.units or 'value'})"
    made = _bare(curve, values, units)

    def spread(own: np.ndarray, others: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.hypot(own / divisor, values * others / divisor)
        return found

    return replace(made, std=_joined(curve, other, spread))


def _axis(curve: Curve) -> np.ndarray:
    """Wavelengths in nm, or numbers of bands."""
    if curve.wavelengths_nm is None:
        return np.arange(len(curve.mean), dtype=np.float64)
    return np.asarray(curve.wavelengths_nm, dtype=np.float64)


def _value_at(curve: Curve, nm: float | None, known: np.ndarray) -> float:
    if nm is None:
        raise InputError("A wavelength in nm is needed to normalise at one.")
    x = _axis(curve)
    if not x[0] <= nm <= x[-1]:
        unit = "nm" if curve.wavelengths_nm is not None else "bands"
        raise InputError(
            f"{curve.name} reaches from {x[0]:g} to {x[-1]:g} {unit}, and not to {nm:g}."
        )
    return float(np.interp(nm, x[known], curve.mean[known]))


def _need_same_grid(curve: Curve, other: Curve) -> None:
    one, two = (None if c.wavelengths_nm is None else Wavelengths(_axis(c)) for c in (curve, other))
    if one is None and two is None and len(curve) == len(other):
        return
    if one is None or two is None or not one.matches(two, _SAME_NM):
        grids = [
            f"{len(c)} bands" if nm is None else nm.describe()
            for c, nm in ((curve, one), (other, two))
        ]
        raise InputError(
            f"{curve.name} ({grids[0]}) and {other.name} ({grids[1]}) have different wavelengths: "
            "bring them to one grid first."
        )


def _scaled(curve: Curve, divisor: np.ndarray, units: str) -> Curve:
    size = np.abs(divisor)
    scaled = replace(
        curve,
        mean=curve.mean / divisor,
        std=None if curve.std is None else curve.std / size,
        quantiles={share: values / divisor for share, values in curve.quantiles.items()},
        ranges={
            name: (low / divisor, high / divisor) for name, (low, high) in curve.ranges.items()
        },
        units=units,
    )
    if not (divisor < 0).any():
        return scaled
    # divided by a negative number all is turned over: the least is the greatest, and q05 is q95
    turned = {share: round(1 - share, 9) for share in scaled.quantiles}
    return replace(
        scaled,
        quantiles={new: scaled.quantiles[old] for old, new in turned.items()},
        ranges={name: (high, low) for name, (low, high) in scaled.ranges.items()},
    )


def _bare(curve: Curve, values: np.ndarray, units: str | None) -> Curve:
    return replace(curve, mean=values, std=None, quantiles={}, ranges={}, units=units)


def _joined(
    curve: Curve, other: Curve, join: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray | None:
    if curve.std is None and other.std is None:
        return None
    own, others = (np.zeros(len(c)) if c.std is None else c.std for c in (curve, other))
    return join(own, others)


def _below(first: int, middle: int, last: int, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether the middle point lies on or below the line between the others."""
    left = (y[middle] - y[first]) * (x[last] - x[first])
    return bool(left <= (y[last] - y[first]) * (x[middle] - x[first]))


def _fitted(curve: Curve, order: int, window: int, degree: int) -> np.ndarray:
    """Derivatives of order 0, 1, … of polynomials in a moving window."""
    values, x = np.asarray(curve.mean, dtype=np.float64), _axis(curve)
    if window < 3 or window % 2 == 0:
        raise InputError(f"The window must be an odd number of bands from 3 on, not {window}.")
    if not max(order, 0) <= degree < window:
        raise InputError(
            f"The degree of the polynomials must be at least {max(order, 0)} and below the window "
            f"of {window} bands, not {degree}."
        )
    known = np.isfinite(values)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]])))
    runs = [slice(*ends) for ends in edges.reshape(-1, 2) if ends[1] - ends[0] >= window]
    if not runs:
        longest = int(max(np.diff(edges)[::2], default=0))
        raise InputError(
            f"The window of {window} bands is longer than the spectrum: {curve.name} has "
            f"{longest} values in a row."
        )
    out = np.full(values.shape, np.nan)
    for run in runs:
        out[run] = _fitted_run(x[run], values[run], order, window, degree)
    return out


def _fitted_run(
    x: np.ndarray, values: np.ndarray, order: int, window: int, degree: int
) -> np.ndarray:
    from math import factorial

    from scipy.signal import savgol_filter

    steps = np.diff(x)
    step = float(steps.mean())
    if np.abs(steps - step).max() <= _EVEN * step:
        even: np.ndarray = savgol_filter(values, window, degree, deriv=order, delta=step)
        return even
    out = np.empty(values.shape)
    for at in range(len(x)):
        first = min(max(at - window // 2, 0), len(x) - window)
        near = slice(first, first + window)
        powers = np.vander((x[near] - x[at]) / step, degree + 1, increasing=True)
        fit = np.linalg.lstsq(powers, values[near], rcond=None)[0]
        out[at] = fit[order] * factorial(order) / step**order
    return out
