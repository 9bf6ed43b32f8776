"""How much of a spectrum its camera measured, and how much was inferred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_hsr.trust.linear_camera import LinearCamera


def measured_share(spectra: np.ndarray, linear_camera: LinearCamera) -> np.ndarray:
    """‖P s‖² / ‖s‖²: the part of the energy that lies in the directions the camera sees.

    P is the orthogonal projector onto the span of the three sensitivities (Cohen and Kappauf 1982:
    the fundamental metamer). The rest, the metameric black, left no trace in the photograph.

    Parameters
    ----------
    spectra : ndarray, shape (bands, …)
    linear_camera : LinearCamera

    Returns
    -------
    ndarray, shape (…)
        In 0..1; NaN for a black spectrum.
    """
    flat = np.reshape(spectra, (len(spectra), -1))
    seen = np.einsum("kc,kn->cn", linear_camera.directions.astype(flat.dtype), flat, optimize=True)
    energy = np.einsum("kn,kn->n", flat, flat)
    known = np.einsum("cn,cn->n", seen, seen)
    share = np.full(energy.shape, np.nan, energy.dtype)
    np.divide(known, energy, out=share, where=energy > 0)
    out: np.ndarray = np.minimum(share, 1).reshape(np.shape(spectra)[1:])
    return out
