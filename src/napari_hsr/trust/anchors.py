"""Spectra measured at a few places correct a whole cube: closed form, shrunk to no change.

The corrections at the anchors, relative to the cube there, are carried to every pixel by
kernel ridge regression (the mean of a Gaussian process whose expectation is no change): with
x the spectra of the cube, y those measured, m the mean of a spectrum over its bands,

    d = (y - x) / (x + ε m),   s' = s + (s + ε m) k(s)ᵀ (K + γ I)⁻¹ d,
    k(s, x) = c + (1 - c) exp(-‖s/m_s - x/m_x‖² / 2 w²).

The constant part is one gain for each band, as of another light; the rest acts on spectra like
those of the anchors alone. γ, c and w are those of the least leave-one-out error, which needs no
refit: e = (α / diag (K + γ I)⁻¹) with α = (K + γ I)⁻¹ d. Everything follows the exposure.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: ε: bands darker than this share of the mean are corrected as if they were that bright.
DARK = 0.05
RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
COMMON = (0.0, 0.5, 1.0)
WIDTHS = (0.1, 0.3, 1.0)
#: The mean error at anchors left out must fall to this share of what it was.
GAIN = 0.9
#: Anchors whose levels differ from the cube's by more than this are in another unit; and one whose
#: level differs by more than this from the others', which deep shadows do not.
_OTHER_SCALE, _OTHER_THAN_REST = 8.0, 30.0
#: Spectra of the cube, of mean 1, nearer than this are the same, and levels relative to each other.
_SAME, _SAME_LEVEL = 0.02, 0.05
#: Measured spectra, of mean 1 or relative to the cube's level, further apart than this are not; less
#: is noise, and at one place too much.
_DIFFERENT, _AT_ONE_PLACE = 0.5, 0.15


@dataclass(frozen=True, eq=False)
class AnchorFit:
    """A correction of a cube by spectra measured at some of its pixels.

    Attributes
    ----------
    before, after : ndarray, shape (anchors,), float64
        Root mean square difference to the measured spectrum over its root mean square: of the
        cube, and of the cube corrected by the *other* anchors.
    ridge, common, width : float
        γ, c and w of the module's documentation.
    gain : ndarray, shape (bands,), float64
        What the anchors have in common: the median of measured over found.
    """

    before: np.ndarray
    after: np.ndarray
    ridge: float
    common: float
    width: float
    gain: np.ndarray
    _anchors: np.ndarray
    _weights: np.ndarray

    @property
    def helps(self) -> bool:
        """Whether anchors left out gain: in the mean by a tenth, and more than half of them."""
        gained = self.after.mean() < GAIN * self.before.mean()
        return bool(gained and (self.after < self.before).mean() > 0.5)

    def apply(self, spectra: np.ndarray) -> np.ndarray:
        """Corrected spectra, not negative.

        Parameters
        ----------
        spectra : ndarray, shape (bands, …)
        """
        flat = np.reshape(spectra, (len(spectra), -1)).astype(np.float64)
        shape, level = _shape(flat)
        near = _kernel(shape, self._anchors, self.common, self.width)
        corrected = flat + (flat + DARK * level) * (self._weights @ near.T)
        out: np.ndarray = np.maximum(corrected, 0).reshape(np.shape(spectra)).astype(np.float32)
        return out

    def words(self) -> str:
        """Before and after, for people."""
        verdict = "applied" if self.helps else "refused, as it does not help"
        return (
            f"{len(self.before)} anchors: difference {self.before.mean():.1%} before, "
            f"{self.after.mean():.1%} after with each left out in turn; {verdict}"
        )


def fit_anchors(
    spectra: np.ndarray, measured: np.ndarray, *, names: Sequence[str] = ()
) -> AnchorFit:
    """Fit the correction; whether it helps is for the caller to look at.

    Parameters
    ----------
    spectra : ndarray, shape (bands, anchors)
        Of the cube.
    measured : ndarray, shape (bands, anchors)
        On the same bands and scale.
    names : sequence of str, optional
        Of the anchors, for sentences; their numbers by default.

    Raises
    ------
    InputError
        If there are fewer than two anchors, values are missing or negative, the scales differ, or
        two anchors contradict each other.
    """
    found = np.asarray(spectra, dtype=np.float64)
    truth = np.asarray(measured, dtype=np.float64)
    if found.ndim != 2 or found.shape != truth.shape:
        raise InputError(
            f"Each anchor has a measured spectrum on the bands of the cube; there are arrays of "
            f"{truth.shape} for {found.shape}."
        )
    count = found.shape[1]
    if count < 2:
        raise InputError(
            "A correction takes two anchors or more: with one, nothing shows whether it helps."
        )
    called = list(names) or [str(number + 1) for number in range(count)]
    finite = np.isfinite(found).all(axis=0) & np.isfinite(truth).all(axis=0)
    if not finite.all():
        raise InputError(
            f"The anchor {called[np.argmin(finite)]} holds a value that is not finite."
        )
    shape, level = _shape(found)
    bright = truth.mean(axis=0)
    black = (bright <= 0) | (level <= 0)
    if black.any():
        raise InputError(
            f"The anchor {called[np.argmax(black)]} is black, or measured as black or negative: nothing "
            "can be scaled by it."
        )
    _check_scale(bright / level, called)
    _check_contradictions(found, truth, called)
    error = (truth - found) / (found + DARK * level)
    best: tuple[float, AnchorFit] | None = None
    before = _relative(found - truth, truth)
    gain = np.median(truth / np.maximum(found, DARK * level), axis=1)
    for ridge, common, width in product(RIDGES, COMMON, WIDTHS):
        if common == 1 and width != WIDTHS[0]:
            continue
        kernel = _kernel(shape, shape, common, width) + ridge * np.eye(count)
        inverse = np.linalg.inv(kernel)
        weights = inverse @ error.T  # (anchors, bands)
        left_out = (weights / np.diag(inverse)[:, None]).T * (found + DARK * level)
        after = _relative(left_out, truth)
        if best is None or after.mean() < best[0]:
            fit = AnchorFit(before, after, ridge, common, width, gain, shape, weights.T)
            best = float(after.mean()), fit
    assert best is not None
    return best[1]


def _shape(spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spectra of mean 1, and their means."""
    level = spectra.mean(axis=0)
    return spectra / np.where(level > 0, level, 1), level


def _kernel(first: np.ndarray, second: np.ndarray, common: float, width: float) -> np.ndarray:
    square = (first**2).sum(0)[:, None] + (second**2).sum(0) - 2 * first.T @ second
    near = np.exp(-np.maximum(square, 0) / len(first) / (2 * width**2))
    out: np.ndarray = common + (1 - common) * near
    return out


def _relative(apart: np.ndarray, truth: np.ndarray) -> np.ndarray:
    out: np.ndarray = np.sqrt((apart**2).mean(axis=0) / (truth**2).mean(axis=0))
    return out


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _check_scale(ratios: np.ndarray, names: Sequence[str]) -> None:
    """Refuse spectra in another unit than the cube, all of them or one."""
    ratio = float(np.median(ratios))
    if not 1 / _OTHER_SCALE < ratio < _OTHER_SCALE:
        times = max(ratio, 1 / ratio)
        as_what = "percent are to fractions" if 40 < times < 250 else "counts are to reflectance"
        if times <= 40:
            as_what = "radiance is to reflectance"
        more, less = ("measured spectra", "cube") if ratio > 1 else ("cube", "measured spectra")
        raise InputError(
            f"The {more} {'are' if ratio > 1 else 'is'} {_times(times)} times as bright as the {less}, as "
            f"{as_what}: one of them is on another scale. Both are to be in one unit, best reflectance as "
            "a fraction; spectra and cubes take a scale where they are read."
        )
    apart = np.abs(np.log(ratios / ratio))
    if apart.max() > np.log(_OTHER_THAN_REST):
        at = int(apart.argmax())
        raise InputError(
            f"The anchor {names[at]} is {_times(ratios[at] / ratio)} times as bright to the cube as the "
            "others are: is its spectrum in another unit, or the place another one?"
        )


def _check_contradictions(found: np.ndarray, truth: np.ndarray, names: Sequence[str]) -> None:
    """Two anchors on the same spectrum of the cube that were measured as different ones.

    Where one is darker, in a shadow, brightness says nothing: then only shapes can contradict.
    """
    shape, level = _shape(found)
    measured, relative = truth / truth.mean(axis=0), truth / level

    def apart(values: np.ndarray, i: int, j: int) -> float:
        return float(np.sqrt(np.mean((values[:, i] - values[:, j]) ** 2)))

    for i, j in combinations(range(shape.shape[1]), 2):
        if apart(shape, i, j) > _SAME:
            continue
        most = _AT_ONE_PLACE if apart(found, i, j) == 0 else _DIFFERENT
        differ = apart(measured, i, j) > most
        if abs(level[i] / level[j] - 1) < _SAME_LEVEL:
            differ |= apart(relative, i, j) > most * relative[:, [i, j]].mean()
        if differ:
            raise InputError(
                f"The anchors {names[i]} and {names[j]} contradict each other: the cube has the same "
                "spectrum at both, and they were measured as different ones."
            )
