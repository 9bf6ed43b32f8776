"""Bayer mosaicing, and demosaicing."""

from __future__ import annotations

import numpy as np

_EDGE = 2  # pixels mirrored at the border; even, so that the pattern continues


def mosaic(rgb: np.ndarray) -> np.ndarray:
    """Sample a picture with the RGGB pattern: red at even rows and columns, blue at odd ones.

    Parameters
    ----------
    rgb : ndarray, shape (h, w, 3)

    Returns
    -------
    ndarray, shape (h, w)
    """
    raw = rgb[..., 1].copy()
    raw[0::2, 0::2] = rgb[0::2, 0::2, 0]
    raw[1::2, 1::2] = rgb[1::2, 1::2, 2]
    return raw


def demosaic(raw: np.ndarray) -> np.ndarray:
    """Demosaic an RGGB pattern, edge-aware.

    Green is interpolated along rows or columns, wherever the two neighbours differ less (from
    all four if they differ equally), so that it is not averaged across an edge. The differences
    of red and blue to green are interpolated bilinearly. Grey pictures and uniform ones are
    reconstructed exactly.

    Parameters
    ----------
    raw : ndarray, shape (h, w), float32
        At least 2 x 2 pixels.

    Returns
    -------
    ndarray, shape (h, w, 3), float32
    """
    height, width = raw.shape
    padded = np.pad(np.asarray(raw, dtype=np.float32), _EDGE, mode="reflect")
    across = np.abs(padded[:, 2:] - padded[:, :-2])[1:-1]
    along = np.abs(padded[2:] - padded[:-2])[:, 1:-1]
    row_mean = (padded[:, 2:] + padded[:, :-2])[1:-1] / 2
    column_mean = (padded[2:] + padded[:-2])[:, 1:-1] / 2
    between = np.where(
        across < along,
        row_mean,
        np.where(along < across, column_mean, (row_mean + column_mean) / 2),
    )
    inner = padded[1:-1, 1:-1]  # with one pixel of border left, the pattern begins with blue
    rows, columns = np.indices(inner.shape)
    is_red = (rows % 2 == 1) & (columns % 2 == 1)
    is_blue = (rows % 2 == 0) & (columns % 2 == 0)
    green = np.where(is_red | is_blue, between, inner)
    out = np.empty((height, width, 3), dtype=np.float32)
    out[..., 1] = green[1:-1, 1:-1]
    for channel, here in ((0, is_red), (2, is_blue)):
        out[..., channel] = out[..., 1] + _spread(np.where(here, inner - green, 0))
    return out


def _spread(difference: np.ndarray) -> np.ndarray:
    """Interpolate bilinearly between the pixels of one colour, every second one per axis.

    With zeros elsewhere, this is a convolution with (1 2 1)/2 along both axes.
    """
    rows = difference[1:-1] + (difference[:-2] + difference[2:]) / 2
    between: np.ndarray = rows[:, 1:-1] + (rows[:, :-2] + rows[:, 2:]) / 2
    return between
