"""Spectra that a camera cannot tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_hsr.trust.linear_camera import LinearCamera


def metamers(
    spectra: np.ndarray, linear_camera: LinearCamera, rng: np.random.Generator, share: float = 1.0
) -> np.ndarray:
    """Another spectrum of the same colour for each, as different as natural spectra are.

    The part of another pixel's spectrum that the camera does not see takes the place of one's own:
    s + α (I − K Cᵀ)(t − s), where t has the brightness of s and K = Q C (Cᵀ Q C)⁻¹. α is ``share``,
    or the largest below it for which nothing is negative.

    Parameters
    ----------
    spectra : ndarray, shape (bands, pixels)
        Not negative.
    linear_camera : LinearCamera
    rng : numpy.random.Generator
        Picks the other pixels.
    share : float
        0 changes nothing.
    """
    spectra = np.asarray(spectra, dtype=np.float64)
    other = spectra[:, rng.permutation(spectra.shape[1])]
    level, own = other.sum(axis=0), spectra.sum(axis=0)
    other = other * np.divide(own, level, out=np.zeros_like(own), where=level > 0)
    shape = linear_camera.second_moment @ linear_camera.matrix
    spread = np.linalg.solve(linear_camera.matrix.T @ shape, shape.T).T
    apart = other - spectra
    unseen = apart - spread @ (linear_camera.matrix.T @ apart)
    with np.errstate(divide="ignore", invalid="ignore"):
        most = np.where(unseen < 0, spectra / -unseen, np.inf).min(axis=0)
    out: np.ndarray = np.maximum(spectra + np.minimum(share, most) * unseen, 0)
    return out
