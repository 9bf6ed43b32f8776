"""Widths of bands (FWHM) in nm, whatever the unit of their centres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io.wavelengths import resolve
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

#: nm; no imaging spectrometer resolves less.
_LEAST = 0.05


def in_nm(
    widths: Sequence[Any],
    centres: np.ndarray,
    scale: float | np.ndarray | None,
    unit: str | None = None,
) -> tuple[list[Any], Notice | None]:
    """As :func:`_in_nm`; widths that are none are told, where nothing else is."""
    found, told = _in_nm(widths, centres, scale, unit)
    none = sum(isinstance(width, float) and width <= 0 for width in found)
    if none and told is None:
        text = f"{none} of {len(found)} widths of the bands are 0 or less: the list has no effect."
        told = Notice.warning(Code.LIST_UNUSABLE, text)
    return found, told


def _in_nm(
    widths: Sequence[Any],
    centres: np.ndarray,
    scale: float | np.ndarray | None,
    unit: str | None = None,
) -> tuple[list[Any], Notice | None]:
    """Widths of the bands in nm, and a notice where their unit cannot be that of the centres.

    Parameters
    ----------
    widths : sequence of float
        As the file has them, in its order and by custom in the unit of its wavelengths.
    centres : ndarray
        The wavelengths in nm.
    scale : float, ndarray or None
        Factor from the unit of the file to nm; None if that is not known.
    unit : str, optional
        That of the widths, where the file gives them one of their own.
    """
    own = resolve.nanometres(unit)
    try:
        stored = np.asarray(widths, dtype=np.float64)
    except (TypeError, ValueError):
        return list(widths), None  # texts: kept as they are
    if not np.isfinite(stored).any():
        return stored.tolist(), None
    scaled = stored if scale is None or np.all(scale == 1.0) else np.round(stored * scale, 6)
    if scaled.size < 2:
        return scaled.tolist() if own is None else (stored * own).tolist(), None
    span, step = float(np.ptp(centres)), float(np.median(np.diff(centres)))
    if own is not None and _LEAST <= own * np.nanmedian(stored) <= span:
        return np.round(stored * own, 6).tolist(), None
    middle, unscaled = float(np.nanmedian(scaled)), float(np.nanmedian(stored))
    for name, values, likely in (
        ("nm", stored, middle > 2 * span and _LEAST <= unscaled <= span),
        ("µm", stored * 1e3, middle < _LEAST and step / 10 <= 1e3 * unscaled <= 10 * step),
    ):
        if likely:
            told = (
                f"The widths of the bands ({unscaled:g} in the middle) cannot be in the unit of the "
                f"wavelengths: {name} was taken from their size."
            )
            return np.round(values, 6).tolist(), Notice.warning(Code.WAVELENGTH_UNIT_GUESSED, told)
    return scaled.tolist(), None
