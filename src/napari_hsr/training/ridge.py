"""Ridge regression from sums that add up over pixels and images.

With features x and targets y of each pixel, the map A minimises

    mean over pixels ‖A x − y‖² + γ Σ_j d_j² ‖A_j − A⁰_j‖²,   d_j² = mean x_j²

that is, ridge regression on features scaled to unit energy, shrunk towards A⁰, so that γ means
the same for every kind of feature and exposure. Only Σ x xᵀ, Σ x yᵀ and Σ ‖y‖² are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Sums:
    """Sums over pixels; they add with ``+``.

    Attributes
    ----------
    gram : ndarray, shape (p, p), float64
        Σ x xᵀ.
    cross : ndarray, shape (p, bands), float64
        Σ x yᵀ.
    power : float
        Σ ‖y‖².
    weight : float
        Number of pixels.
    """

    gram: np.ndarray
    cross: np.ndarray
    power: float
    weight: float

    def __add__(self, other: Sums) -> Sums:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Sums(*(a + b for a, b in pairs))

    def __mul__(self, factor: float) -> Sums:
        return Sums(*(value * factor for value in vars(self).values()))

    def mean(self) -> Sums:
        """Over the pixels, so that an image weighs as much as any other."""
        return self * (1 / self.weight)

    def error(self, matrix: np.ndarray) -> float:
        """Mean of ‖xᵀ M − y‖² for a matrix M (p, bands); not negative."""
        of_matrix = np.einsum("pb,pq,qb->", matrix, self.gram, matrix)
        squared = self.power - 2 * (matrix * self.cross).sum() + of_matrix
        return max(0.0, float(squared)) / self.weight


def added(parts: Iterable[Sums]) -> Sums:
    """The sums of all parts together."""
    first, *others = parts
    return sum(others, start=first)


def gather(features: np.ndarray, targets: np.ndarray) -> Sums:
    """Sums over pixels; those with a value that is not finite are left out.

    Parameters
    ----------
    features : ndarray, shape (p, n)
    targets : ndarray, shape (bands, n)
    """
    x, y = np.asarray(features, np.float64), np.asarray(targets, np.float64)
    finite = np.isfinite(x).all(axis=0) & np.isfinite(y).all(axis=0)
    if not finite.all():
        x, y = x[:, finite], y[:, finite]
    return Sums(x @ x.T, x @ y.T, float(np.square(y).sum()), float(x.shape[1]))


def solve(
    sums: Sums, pull: float, start: np.ndarray | None = None, constant: bool = True
) -> np.ndarray:
    """The matrix M (p, bands), float64, for one γ.

    Parameters
    ----------
    sums : Sums
    pull : float
        γ.
    start : ndarray, shape (p, bands), optional
        A⁰ transposed; None: 0.
    constant : bool
        Whether the last feature is used; without it, its row of ``start`` stays.
    """
    matrix = np.zeros_like(sums.cross) if start is None else start.copy()
    used = slice(None) if constant else slice(0, -1)
    gram = sums.gram[used, used] / sums.weight
    left = (sums.cross - sums.gram @ matrix)[used] / sums.weight
    energy = np.sqrt(np.diag(gram))
    energy = np.where(energy > 0, energy, 1.0)
    scaled = gram / np.outer(energy, energy)
    change = np.linalg.solve(scaled + pull * np.eye(len(scaled)), left / energy[:, None])
    matrix[used] += change / energy[:, None]
    return matrix


def root_features(rgb: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """(n, 3) linear RGB → (p, n) features in float64; negative values count as zero."""
    light = np.maximum(np.asarray(rgb, np.float64), 0).T
    out = np.ones((exponents.shape[0], light.shape[1]))
    for channel in range(3):
        for power in np.unique(exponents[:, channel]):
            if power:
                out[exponents[:, channel] == power] *= light[channel] ** power
    return out


def gather_root_polynomial(
    rgb: np.ndarray, spectra: np.ndarray, exponents: np.ndarray, dark: float
) -> Sums:
    """Sums over pixels of a root polynomial and their spectra.

    Parameters
    ----------
    rgb : ndarray, shape (n, 3)
        Linear RGB.
    spectra : ndarray, shape (n, bands)
    exponents : ndarray, shape (p, 3)
        Of the root polynomial.
    dark : float
        Pixels weigh (mean RGB + 0.001) ** -dark: 0 minimises the squared error, which bright
        pixels dominate; above 0 dark pixels count more, which lowers the spectral angle.

    Raises
    ------
    InputError
        If the shapes disagree or a value is not finite.
    """
    if rgb.shape[0] != spectra.shape[0]:
        raise InputError(f"{rgb.shape[0]} colours do not fit {spectra.shape[0]} spectra.")
    if not (np.isfinite(rgb).all() and np.isfinite(spectra).all()):
        raise InputError("The training pixels hold NaN or infinite values.")
    root = (np.maximum(rgb, 0).mean(1, dtype=np.float64) + 1e-3) ** (-dark / 2)
    return gather(root_features(rgb, exponents) * root, spectra.T * root)
