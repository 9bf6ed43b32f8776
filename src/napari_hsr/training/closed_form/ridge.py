"""Ridge regression pulled towards a given map, from sums that add up over pixels and images.

With features x and targets y of each pixel, the map A minimises

    mean over images (mean over pixels ‖A x − y‖²) + γ Σ_j d_j² ‖A_j − A⁰_j‖²,   d_j² = mean x_j²

that is, ridge regression on features scaled to unit energy, shrunk towards A⁰. Only Σ x xᵀ,
Σ x yᵀ and Σ ‖y‖² of each image are kept; γ is chosen by leaving each image out in turn, from
these sums alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Pulls towards the start that are tried; beyond the last one nothing is left of the images.
PULLS = tuple(float(10.0**power) for power in np.arange(-7.0, 2.1, 0.5))


@dataclass(frozen=True)
class Sums:
    """What is kept of some pixels; sums add with ``+``.

    Attributes
    ----------
    gram : ndarray, shape (p, p), float64
        Σ x xᵀ.
    cross : ndarray, shape (p, bands), float64
        Σ x yᵀ.
    power : float
        Σ ‖y‖².
    weight : float
        Σ 1; divided out by :meth:`mean`.
    """

    gram: np.ndarray
    cross: np.ndarray
    power: float
    weight: float

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.gram + other.gram,
            self.cross + other.cross,
            self.power + other.power,
            self.weight + other.weight,
        )

    def mean(self) -> Sums:
        """Over its pixels, as an image that weighs as much as any other."""
        n = self.weight
        return Sums(self.gram / n, self.cross / n, self.power / n, 1.0)

    def error(self, matrix: np.ndarray) -> float:
        """Mean of ‖xᵀ M − y‖² for a matrix M (p, bands); not negative."""
        of_matrix = np.einsum("pb,pq,qb->", matrix, self.gram, matrix)
        return max(0.0, self.power - 2 * (matrix * self.cross).sum() + of_matrix) / self.weight


@dataclass(frozen=True, eq=False)
class Adapter:
    """A fitted adapter.

    Attributes
    ----------
    matrix : ndarray, shape (bands, its bands + 3), float64
        A without its constant.
    offset : ndarray, shape (bands,), float64
        The constant.
    pull : float
        γ; infinite where leaving images out says that nothing should change.
    gain_db : float
        By how many dB of PSNR images left out got better, on average.
    """

    matrix: np.ndarray
    offset: np.ndarray
    pull: float
    gain_db: float


def gather(features: np.ndarray, targets: np.ndarray) -> Sums:
    """Sums over pixels; those with a value that is not finite are left out.

    Parameters
    ----------
    features : ndarray, shape (p, n)
        Spectra, colours and the constant.
    targets : ndarray, shape (bands, n)
    """
    x, y = np.asarray(features, np.float64), np.asarray(targets, np.float64)
    finite = np.isfinite(x).all(axis=0) & np.isfinite(y).all(axis=0)
    if not finite.all():
        x, y = x[:, finite], y[:, finite]
    return Sums(x @ x.T, x @ y.T, float(np.square(y).sum()), float(x.shape[1]))


def fit(parts: Sequence[Sums], start: np.ndarray) -> Adapter:
    """The adapter of the images, each weighing the same.

    Parameters
    ----------
    parts : sequence of Sums
        Of each image; at least two, for one is left out in turn. One image may be given in
        parts.
    start : ndarray, shape (bands, p)
        A⁰.

    Returns
    -------
    Adapter
        With the pull, and with or without a constant, by which images left out gain most in PSNR:
        the mean of their gains less its deviation over them, for with few images a mean alone
        takes what helps one of them much and harms the others. A⁰ itself if nothing helps them.
    """
    if len(parts) < 2:
        raise InputError("An adapter needs two images, or one in parts: one is left out in turn.")
    means = [part.mean() for part in parts]
    total = added(means)
    zero = start.T
    rest = [total + times(mean, -1) for mean in means]
    before = [mean.error(zero) for mean in means]
    best = (0.0, 0.0, math.inf, True)  # score, mean gain, pull, with a constant
    for constant in (False, True):
        for pull in PULLS:
            after = [
                one.error(_solve(others, zero, pull, constant))
                for one, others in zip(means, rest, strict=True)
            ]
            gains = [_decibels(b, a) for b, a in zip(before, after, strict=True)]
            mean = float(np.mean(gains))
            score = mean - float(np.std(gains, ddof=1))
            if score > best[0]:
                best = (score, mean, pull, constant)
    _, gain, pull, constant = best
    matrix = zero if math.isinf(pull) else _solve(total, zero, pull, constant)
    return Adapter(matrix[:-1].T, matrix[-1], pull, gain)


def _solve(sums: Sums, zero: np.ndarray, pull: float, constant: bool) -> np.ndarray:
    """The matrix M (p, bands) that minimises the error and the distance from ``zero``."""
    used = slice(None) if constant else slice(0, -1)
    gram = sums.gram[used, used] / sums.weight
    left = (sums.cross - sums.gram @ zero)[used] / sums.weight
    energy = np.sqrt(np.diag(gram))
    energy = np.where(energy > 0, energy, 1.0)
    scaled = gram / np.outer(energy, energy)
    change = np.linalg.solve(scaled + pull * np.eye(len(scaled)), left / energy[:, None])
    matrix = zero.copy()
    matrix[used] += change / energy[:, None]
    return matrix


def _decibels(before: float, after: float) -> float:
    """Gain in PSNR; errors below what float64 sums can tell apart are alike."""
    least = 1e-12
    return 10 * math.log10(max(before, least) / max(after, least))


def times(sums: Sums, factor: float) -> Sums:
    """All of the sums times a factor."""
    return Sums(*(factor * value for value in vars(sums).values()))


def added(parts: Sequence[Sums]) -> Sums:
    """The sums of all parts together."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
