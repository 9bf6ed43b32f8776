"""Ridge regression from sums that can be gathered scene by scene, on any number of workers.

With features φ (n, p), spectra s (n, b) and pixel weights w, the fit minimises

    Σ w ‖φ M − s‖² + ridge · p · Σ_j d_j² ‖M_j‖²,   d_j² = Σ w φ_j²

that is, ridge regression on features scaled to unit energy, so that ``ridge`` means the
same for every order and exposure. Only ΦᵀWΦ and ΦᵀWS are kept: they add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_hsr.errors import InputError


@dataclass(frozen=True)
class Sums:
    """ΦᵀWΦ (p, p), ΦᵀWS (p, b) in float64 and the number of pixels; they add with ``+``."""

    gram: np.ndarray
    cross: np.ndarray
    pixels: int

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.gram + other.gram, self.cross + other.cross, self.pixels + other.pixels)


def root_features(rgb: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """(n, 3) linear RGB → (n, p) features in float64; negative values count as zero."""
    light = np.maximum(np.asarray(rgb, np.float64), 0)
    out = np.ones((light.shape[0], exponents.shape[0]))
    for channel in range(3):
        for power in np.unique(exponents[:, channel]):
            if power:
                columns = exponents[:, channel] == power
                out[:, columns] *= (light[:, channel] ** power)[:, None]
    return out


def gather(rgb: np.ndarray, spectra: np.ndarray, exponents: np.ndarray, dark: float) -> Sums:
    """Sums over pixels.

    Parameters
    ----------
    rgb : ndarray, shape (n, 3)
        Linear RGB.
    spectra : ndarray, shape (n, bands)
        Their spectra.
    exponents : ndarray, shape (p, 3)
        Of the root polynomial.
    dark : float
        Pixels weigh (mean RGB + 0.001) ** -dark: 0 minimises the squared error, which bright
        pixels rule; above 0 dark pixels count more, which lowers the spectral angle.

    Raises
    ------
    InputError
        If the shapes disagree or a value is not finite.
    """
    if rgb.shape[0] != spectra.shape[0]:
        raise InputError(f"{rgb.shape[0]} colours do not fit {spectra.shape[0]} spectra.")
    if not (np.isfinite(rgb).all() and np.isfinite(spectra).all()):
        raise InputError("The training pixels hold NaN or infinite values.")
    features = root_features(rgb, exponents)
    weight = (np.maximum(rgb, 0).mean(1, dtype=np.float64) + 1e-3) ** -dark
    weighted = (features * weight[:, None]).T
    return Sums(weighted @ features, weighted @ spectra.astype(np.float64), rgb.shape[0])


def solve(sums: Sums, ridge: float) -> np.ndarray:
    """The regression matrix, shape (p, bands), float64."""
    energy = np.sqrt(np.diag(sums.gram))
    energy = np.where(energy > 0, energy, 1)
    scaled = sums.gram / np.outer(energy, energy)
    p = scaled.shape[0]
    matrix = np.linalg.solve(scaled + ridge * p * np.eye(p), sums.cross / energy[:, None])
    return matrix / energy[:, None]
