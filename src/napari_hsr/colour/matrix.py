"""The matrix from spectra to linear sRGB, for an observer and an illuminant."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.colour.observers import (
    band_widths,
    illuminant_name,
    illuminant_values,
    observer_name,
    observer_values,
)
from napari_hsr.colour.transfer import WHITE_D65, XYZ_TO_LINEAR_SRGB
from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hsr.cube import Wavelengths

#: Visible range: bands outside have next to no weight.
VISIBLE_NM = (380.0, 780.0)

#: A true colour needs bands from the blue (at most this) to the red (at least this), in nm.
COVERED_NM = (490.0, 600.0)

#: Colours of bands that lie further apart are told to be approximate.
_FAR_APART_NM = 30.5

#: Up to this spacing bands are summed directly; wider ones are interpolated linearly.
_POINT_SAMPLING_NM = 10.5

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def bradford(white: np.ndarray) -> np.ndarray:
    """Bradford adaptation from the XYZ of ``white`` to D65, shape (3, 3)."""
    gain = (_BRADFORD @ WHITE_D65) / (_BRADFORD @ white)
    return np.linalg.solve(_BRADFORD, gain[:, None] * _BRADFORD)


def about_gaps(wavelengths_nm: np.ndarray) -> str:
    """What is said of bands that lie too far apart for colours; empty for others."""
    inside = (wavelengths_nm >= VISIBLE_NM[0]) & (wavelengths_nm <= VISIBLE_NM[1])
    visible = wavelengths_nm[inside]
    widest = float(np.diff(visible).max(initial=0.0))
    if widest <= _FAR_APART_NM:
        return ""
    return f"from {visible.size} visible bands up to {widest:.3g} nm apart, so that colours are approximate"


def why_no_true_colour(wavelengths: Wavelengths | np.ndarray | None) -> str | None:
    """Explain why these bands cannot be rendered in true colour; None if they can."""
    if wavelengths is None:
        return (
            "The wavelengths of this cube are not known, so it cannot be shown in true colour: "
            "set them first."
        )
    nm = np.asarray(wavelengths, dtype=np.float64)
    if not nm.size:
        return "True colour needs three bands or more; there are none."
    visible = nm[(nm >= VISIBLE_NM[0]) & (nm <= VISIBLE_NM[1])]
    if visible.size < 3:
        return (
            f"True colour needs three bands or more in {VISIBLE_NM[0]:g}–{VISIBLE_NM[1]:g} nm; "
            f"this cube has {visible.size or 'none'} (its bands lie in {nm[0]:g}–{nm[-1]:g} nm): "
            "use a false-colour rendering."
        )
    if visible[0] > COVERED_NM[0] or visible[-1] < COVERED_NM[1]:
        return (
            f"True colour needs bands from the blue ({COVERED_NM[0]:g} nm or less) to the red "
            f"({COVERED_NM[1]:g} nm or more); the visible bands of this cube lie in "
            f"{visible[0]:g}–{visible[-1]:g} nm: use a false-colour rendering."
        )
    return None


def xyz_weights(wavelengths_nm: np.ndarray, illuminant: str | None, observer: str) -> np.ndarray:
    """Weights of the bands in X, Y and Z, E·x̄·Δλ, not normalised.

    Bands at most 10 nm apart are summed directly, ``X = Σ S E x̄ Δλ``. Coarser grids would miss
    structure between their bands, so the spectrum is interpolated linearly and integrated in
    steps of 1 nm.

    Parameters
    ----------
    wavelengths_nm : ndarray, shape (bands,)
        Band centres, ascending.
    illuminant : str or None
        None for radiance, which includes the illumination.
    observer : str

    Returns
    -------
    ndarray, shape (bands, 3), float64
    """
    nm = np.asarray(wavelengths_nm, dtype=np.float64)

    def seen(at_nm: np.ndarray) -> np.ndarray:
        values = observer_values(observer, at_nm)
        return (
            values if illuminant is None else values * illuminant_values(illuminant, at_nm)[:, None]
        )

    return integrate(nm, seen)


def integrate(nm: np.ndarray, curves: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Weights (bands, k) with ``weights.T @ spectrum`` = ∫ spectrum · curves dλ in the visible."""
    # a step that leaves the visible counts: half of a gap would count as the width of its last band
    near = (nm[1:] > VISIBLE_NM[0]) & (nm[:-1] < VISIBLE_NM[1])
    if nm.size < 2 or np.diff(nm)[near].max(initial=0.0) <= _POINT_SAMPLING_NM:
        return curves(nm) * band_widths(nm)[:, None]
    fine = np.arange(max(nm[0], 300.0), min(nm[-1], 1000.0) + 0.5)
    hats = np.stack([np.interp(fine, nm, unit) for unit in np.eye(nm.size)])
    return hats @ curves(fine)


def to_linear_srgb(weights: np.ndarray, white: np.ndarray) -> np.ndarray:
    """XYZ weights (bands, 3) → linear sRGB weights in which ``white`` (XYZ) is (1, 1, 1)."""
    return weights / white[1] @ (XYZ_TO_LINEAR_SRGB @ bradford(white / white[1])).T


@told
def rendering_matrix(
    wavelengths_nm: np.ndarray,
    illuminant: str = "D65",
    observer: str = "CIE 1931 2 Degree Standard Observer",
) -> np.ndarray:
    """Compute the matrix from reflectance spectra to linear sRGB.

    ``X = k Σ S E x̄ Δλ`` with ``k = 1 / Σ E ȳ Δλ`` on the cube's own bands, Bradford adaptation
    to D65 from the white of the illuminant on these bands — which handles both other
    illuminants and grids that truncate the observer, such as 400–700 nm — then XYZ → linear
    sRGB.

    Parameters
    ----------
    wavelengths_nm : array-like, shape (bands,)
        Band centres in nm, ascending; regular or not.
    illuminant, observer : str
        Names in colour-science, or short ones (``"D65"``, ``"cie-1964"``).

    Returns
    -------
    ndarray, shape (bands, 3), float64, read-only
        ``matrix.T @ spectrum`` is linear sRGB, not clipped; a perfect reflector (all ones)
        gives (1, 1, 1).

    Raises
    ------
    InputError
        If the bands do not cover the visible range, or a name is not known.
    """
    nm = np.asarray(wavelengths_nm, dtype=np.float64).ravel()
    return _matrix(tuple(nm.tolist()), illuminant_name(illuminant), observer_name(observer))


@lru_cache(maxsize=32)
def _matrix(nm: tuple[float, ...], illuminant: str, observer: str) -> np.ndarray:
    reason = why_no_true_colour(np.array(nm))
    if reason:
        raise InputError(reason)
    weights = xyz_weights(np.array(nm), illuminant, observer)
    matrix = to_linear_srgb(weights, weights.sum(axis=0))
    matrix.flags.writeable = False
    return matrix
