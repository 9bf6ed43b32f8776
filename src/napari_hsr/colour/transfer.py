"""Convert photographs between encodings: the sRGB curve, linear light, XYZ."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.colour.encodings import normalise_encoding, why_not_convert
from napari_hsr.errors import InputError
from napari_hsr.photograph import LINEAR_SRGB, SRGB, XYZ_D65, unit_float

#: XYZ of the white of sRGB: CIE D65 as chromaticity (0.3127, 0.3290), Y = 1.
WHITE_D65 = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])


def _primaries_to_xyz() -> np.ndarray:
    """Linear sRGB → XYZ from the chromaticities of IEC 61966-2-1, not its rounded matrix.

    So (1, 1, 1) is D65, and the two directions are inverse to double precision.
    """
    xy = np.array([(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)])
    columns = np.stack([xy[:, 0] / xy[:, 1], np.ones(3), (1 - xy.sum(1)) / xy[:, 1]])
    return columns * np.linalg.solve(columns, WHITE_D65)


LINEAR_SRGB_TO_XYZ = _primaries_to_xyz()
XYZ_TO_LINEAR_SRGB = np.linalg.inv(LINEAR_SRGB_TO_XYZ)


def _as_float(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float32)


@told
def srgb_decode(rgb: np.ndarray) -> np.ndarray:
    """Decode sRGB values to linear light.

    Parameters
    ----------
    rgb : ndarray, any shape
        sRGB-encoded values, nominally 0..1. The curve is extended odd-symmetrically to negative
        values; NaN stays NaN.

    Returns
    -------
    ndarray, same shape
        Linear values, float64 for float64, else float32. Source: IEC 61966-2-1.
    """
    rgb = _as_float(rgb)
    one = rgb.dtype.type
    size = np.abs(rgb)
    with np.errstate(over="ignore"):  # infinite, as its light is
        linear = np.power((size + one(0.055)) / one(1.055), one(2.4))
    light: np.ndarray = np.copysign(np.where(size <= one(0.04045), size / one(12.92), linear), rgb)
    return light


@told
def srgb_encode(rgb: np.ndarray) -> np.ndarray:
    """Encode linear light as sRGB, the inverse of :func:`srgb_decode`.

    Parameters
    ----------
    rgb : ndarray, any shape
        Linear values, nominally 0..1. The curve is extended odd-symmetrically to negative
        values; NaN stays NaN.

    Returns
    -------
    ndarray, same shape
        sRGB-encoded values, float64 for float64, else float32. Source: IEC 61966-2-1.
    """
    rgb = _as_float(rgb)
    one = rgb.dtype.type
    size = np.abs(rgb)
    curved = one(1.055) * np.power(size, one(1 / 2.4)) - one(0.055)
    curved = np.where(size <= one(0.0031308), size * one(12.92), curved)
    encoded: np.ndarray = np.copysign(curved, rgb)
    return encoded


def _require(source: str | None, target: str | None) -> tuple[str, str]:
    reason = why_not_convert(source, target)
    if reason:
        raise InputError(reason)
    return normalise_encoding(source or ""), normalise_encoding(target or "")


def _matmul(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    # Infinite pixels become NaN.
    with np.errstate(invalid="ignore", over="ignore"):
        product: np.ndarray = values @ matrix.T.astype(values.dtype)
    return product


def _from_linear(linear: np.ndarray, target: str) -> np.ndarray:
    if target == SRGB:
        return srgb_encode(linear)
    return _matmul(linear, LINEAR_SRGB_TO_XYZ) if target == XYZ_D65 else linear


@told
def convert(rgb: np.ndarray, source: str | None, target: str | None) -> np.ndarray:
    """Convert float values from one encoding to another.

    Parameters
    ----------
    rgb : ndarray, shape (..., 3)
        Floating-point values, nominally 0..1; nothing is clipped, NaN stays NaN.
    source, target : str
        ``"srgb"``, ``"linear-srgb"``, ``"xyz-d65"`` in any combination, or one
        ``"camera:<name>"`` to itself.

    Returns
    -------
    ndarray, shape (..., 3)
        float64 for float64, else float32; always a new array.

    Raises
    ------
    InputError
        If :func:`why_not_convert` gives a reason, or the last axis is not 3.
    """
    source, target = _require(source, target)
    rgb = _as_float(rgb)
    if rgb.ndim == 0 or rgb.shape[-1] != 3:
        raise InputError(f"Colours have three values on the last axis; this has shape {rgb.shape}.")
    if source == target:
        return rgb.copy()
    if source == SRGB:
        rgb = srgb_decode(rgb)
    elif source == XYZ_D65:
        rgb = _matmul(rgb, XYZ_TO_LINEAR_SRGB)
    return _from_linear(rgb, target)


@lru_cache(maxsize=2)
def _decoded_levels(dtype: str) -> np.ndarray:
    """Linear light of every integer level; equal for equal values in both bit depths."""
    top = np.iinfo(dtype).max
    levels = srgb_decode(np.arange(top + 1, dtype=np.float64) / top).astype(np.float32)
    levels.flags.writeable = False
    return levels


@told
def decode_photograph_tile(
    values: np.ndarray, encoding: str | None, target: str = LINEAR_SRGB
) -> np.ndarray:
    """Convert part of a photograph, as stored in its file, to a model's encoding.

    Parameters
    ----------
    values : ndarray, shape (..., 3)
        uint8 or uint16 (full scale = 1), or floating point in about 0..1.
    encoding : str
        The encoding of ``values``.
    target : str
        The encoding of the result.

    Returns
    -------
    ndarray, shape (..., 3), float32
        The same picture as uint8, as uint16 (x 257) and as float gives the same values
        to float32 rounding.

    Raises
    ------
    InputError
        If :func:`why_not_convert` gives a reason.
    """
    values = np.asarray(values)
    source, target = _require(encoding, target)
    if source == SRGB and target != SRGB and values.dtype in (np.uint8, np.uint16):
        return _from_linear(np.take(_decoded_levels(values.dtype.name), values), target)
    return convert(unit_float(values), source, target)
