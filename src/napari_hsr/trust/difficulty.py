"""How hard a pixel is for a model: what the model and its training know of it, before any truth.

Two things are looked at. The *spread* is how far the model is from others that look at one pixel
at a time: the root of the mean square difference over bands and witnesses, relative to the
brightness of the spectrum. The *rarity* is how seldom the chromaticity stands in photographs of
the training scenes, in nats. The difficulty is

    u = (spread + 0.001)^a · exp(b · rarity),

with a and b fitted once to errors on other images, within each of their sources. Witnesses are homogeneous, f(q ρ) = q f(ρ), so
that a table over chromaticities holds all they say.
"""

from __future__ import annotations

import numpy as np

#: Cells of the chromaticities r / (r + g + b) and g / (r + g + b) along each side.
CELLS = 256
#: Cells of rarity along each side.
RARITY_CELLS = 32
#: Added to the mean of a spectrum (full scale 1): what noise and rounding leave of a black one.
DARK = 0.005
_LEAST_SPREAD = 1e-3


def chromaticity_cell(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell of each colour, and its brightness r + g + b.

    Parameters
    ----------
    colours : ndarray, shape (3, pixels)
        Linear; what is negative counts as zero.

    Returns
    -------
    cell : ndarray of int, shape (pixels,)
        In 0..CELLS², row by row.
    brightness : ndarray, shape (pixels,)
    """
    colours = np.maximum(colours, 0, order="C")  # a channel in one piece: three times as fast
    brightness = colours.sum(axis=0)
    scale = CELLS / np.where(brightness > 0, brightness, 1)
    red, green = (np.minimum((c * scale).astype(np.intp), CELLS - 1) for c in colours[:2])
    return red * CELLS + green, brightness


def cell_colours(cells: np.ndarray) -> np.ndarray:
    """The colours in the middle of some cells, of brightness 1, (3, cells)."""
    red, green = ((index + 0.5) / CELLS for index in np.divmod(cells, CELLS))
    colours = np.stack([red, green, np.maximum(1 - red - green, 0)])
    out: np.ndarray = colours / colours.sum(axis=0)
    return out


def brightness_of(spectra: np.ndarray) -> np.ndarray:
    """What errors are relative to: the mean of a spectrum, (pixels,), and :data:`DARK`."""
    out: np.ndarray = np.maximum(spectra.mean(axis=0), 0) + DARK
    return out


def spread(
    spectra: np.ndarray,
    cell: np.ndarray,
    brightness: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    level: np.ndarray | None = None,
) -> np.ndarray:
    """Disagreement with the witnesses, relative to the brightness of the spectrum, (pixels,).

    Parameters
    ----------
    spectra : ndarray, shape (bands, pixels)
    cell, brightness : ndarray, shape (pixels,)
        Of :func:`chromaticity_cell`.
    mean : ndarray, shape (bands, CELLS²)
        Of the witnesses, for brightness 1.
    variance : ndarray, shape (CELLS²,)
        Their mean square distance from it, mean over the bands.
    level : ndarray, shape (pixels,), optional
        :func:`brightness_of` the spectra, where it is known.
    """
    apart = np.take(mean, cell, axis=1, mode="clip").astype(spectra.dtype, copy=False)
    apart *= brightness
    apart -= spectra
    square = np.einsum("bp,bp->p", apart, apart) / len(spectra)
    square += variance[cell] * brightness**2
    out: np.ndarray = np.sqrt(square)
    out /= brightness_of(spectra) if level is None else level
    return out


def rarity_table(cells: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rarity of chromaticities, from the cells of training pixels, (RARITY_CELLS, RARITY_CELLS).

    The histogram is smoothed by a Gaussian of one cell; what never occurs has 13.8 nats.
    """
    from scipy.ndimage import gaussian_filter

    step = CELLS // RARITY_CELLS
    rows, columns = cells // CELLS // step, cells % CELLS // step
    found = np.zeros((RARITY_CELLS, RARITY_CELLS))
    np.add.at(found, (rows, columns), weights)
    found = gaussian_filter(found, 1.0)
    out: np.ndarray = -np.log(found / found.sum() + 1e-6)
    return out


def rarity(cell: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Of each pixel, in nats."""
    step = CELLS // RARITY_CELLS
    out: np.ndarray = table[cell // CELLS // step, cell % CELLS // step]
    return out


def difficulty(spread: np.ndarray, rarity: np.ndarray, slopes: tuple[float, float]) -> np.ndarray:
    """u of the module's documentation."""
    out: np.ndarray = np.exp(log_difficulty(spread, rarity, slopes))
    return out


def log_difficulty(
    spread: np.ndarray, rarity: np.ndarray, slopes: tuple[float, float]
) -> np.ndarray:
    """Its natural logarithm."""
    out = np.log(spread + _LEAST_SPREAD)
    out *= slopes[0]
    out += slopes[1] * rarity
    return out


def fit_slopes(
    spread: np.ndarray,
    rarity: np.ndarray,
    error: np.ndarray,
    weights: np.ndarray,
    sources: np.ndarray,
) -> tuple[float, float]:
    """a and b by weighted least squares on the logarithm of relative errors, neither negative.

    Each source has a level of its own: how much worse a model is on one of them than on another
    is not known of a photograph, and says nothing of which of its pixels are bad.

    Parameters
    ----------
    spread, rarity, error, weights : ndarray, shape (pixels,)
    sources : ndarray of int, shape (pixels,)
        From 0.
    """
    from scipy.optimize import nnls

    values = np.stack([np.log(spread + _LEAST_SPREAD), rarity, np.log(error + 0.01)], axis=1)
    size = np.bincount(sources, weights)
    for column in values.T:
        column -= (np.bincount(sources, weights * column) / np.maximum(size, 1e-300))[sources]
    values *= np.sqrt(weights)[:, None]
    a, b = nnls(values[:, :2], values[:, 2])[0]
    return float(a), float(b)


def auroc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC of a score for what is positive, by ranks (Mann and Whitney)."""
    from scipy.stats import rankdata

    ranks, number = rankdata(score), int(positive.sum())
    if number in (0, len(positive)):
        return float("nan")
    below = ranks[positive].sum() - number * (number + 1) / 2
    return float(below / (number * (len(positive) - number)))
