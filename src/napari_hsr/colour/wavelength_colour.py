"""The display colour of a wavelength, for tinting sliders and bands."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.colour.observers import observer_values
from napari_hsr.colour.transfer import XYZ_TO_LINEAR_SRGB, srgb_encode

_FIRST, _LAST = 380, 780
_ULTRAVIOLET = np.array([0.045, 0.025, 0.075])  # linear light: a dark purple
_INFRARED = np.array([0.055, 0.045, 0.05])  # linear light: a dark grey


@told
def wavelength_to_srgb(nm: float) -> tuple[float, float, float]:
    """The display colour of a wavelength.

    The chromaticity of the monochromatic light (CIE 1931), clipped to the sRGB gamut, at full
    brightness from 435 to 645 nm and fading from there into a dark purple (ultraviolet, below
    380 nm) and a dark grey (infrared, above 780 nm).

    Parameters
    ----------
    nm : float
        Wavelength in nm.

    Returns
    -------
    (float, float, float)
        sRGB values in 0..1. The first call loads the observer; the others read a table.
    """
    at = round(float(np.clip(np.nan_to_num(float(nm)), _FIRST - 1, _LAST + 1)))
    return _table()[at - _FIRST + 1]


@lru_cache(maxsize=1)
def _table() -> tuple[tuple[float, float, float], ...]:
    nm = np.arange(_FIRST - 1, _LAST + 2)
    xyz = observer_values("cie-1931", nm)
    # Clipped to the gamut; desaturated instead, deep red would turn pink.
    rgb = np.maximum(xyz @ XYZ_TO_LINEAR_SRGB.T, 0.0)
    rgb = rgb / rgb.max(axis=1, keepdims=True)
    # Clipping leaves edges that look like spectral lines; smoothing over 20 nm softens them.
    window = np.hanning(23)[1:-1] / np.hanning(23).sum()
    padded = np.pad(rgb, ((10, 10), (0, 0)), mode="edge")
    rgb = np.stack([np.convolve(c, window, "valid") for c in padded.T], axis=-1)
    rgb = rgb / rgb.max(axis=1, keepdims=True)
    strength = np.minimum(_ramp(nm, _FIRST, 435), _ramp(nm, _LAST, 645))[:, None]
    ends = np.where(nm[:, None] < 560, _ULTRAVIOLET, _INFRARED)
    shown = srgb_encode(strength * rgb + (1 - strength) * ends)
    return tuple((float(r), float(g), float(b)) for r, g, b in np.clip(shown, 0.0, 1.0))


def _ramp(nm: np.ndarray, dark: float, bright: float) -> np.ndarray:
    """0 at ``dark`` and beyond, 1 at ``bright`` and beyond, smooth between."""
    t = np.clip((nm - dark) / (bright - dark), 0.0, 1.0)
    return t * t * (3 - 2 * t)
