"""How hard a pixel is for a model: what the model and its training know of it, before any truth.

Two things are looked at. The *spread* is how far the model is from others that look at one pixel
at a time: the root of the mean square difference over bands and witnesses, relative to the
brightness of the spectrum. The *rarity* is how seldom the chromaticity stands in photographs of
the training scenes, in nats. The difficulty is

    u = (spread + 0.001)^a · exp(b · rarity),

with a, b and d (below) fitted once to errors on other images, within each of their sources. Witnesses are homogeneous, f(q ρ) = q f(ρ), so
that a table over chromaticities holds all they say.

Where the camera is known, a third thing is: what the spectra *miss* of the colours that were
measured, ‖ρ − Cᵀs‖ relative to the brightness, of the model and of the witnesses' mean. Errors in
reflectance are then taken to grow as what differs in reflectance does, so that one slope remains:

    u = (spread + 0.001)^a · (missed + 0.0003)^(1 − a).

In the dark, noise and rounding weigh more: intervals go by u · brightness^(−d). What is unlike the
training goes by u alone, as darkness is no strange colour.
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
_LEAST_MISSED = 3e-4
#: Values of a that are tried where the camera is known.
_TRIED = np.arange(11) / 10


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


def missed_square(spectra: np.ndarray, colours: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Mean square over the channels of what spectra miss of linear colours, (pixels,).

    Parameters
    ----------
    spectra : ndarray, shape (bands, pixels)
    colours : ndarray, shape (3, pixels)
    camera : ndarray, shape (bands, 3)
        What it sees of a spectrum; each channel counts as the reflectance that a grey would have.
    """
    apart = camera.T.astype(spectra.dtype, copy=False) @ spectra
    apart -= colours
    apart /= camera.sum(axis=0).astype(spectra.dtype)[:, None]
    out: np.ndarray = np.einsum("cp,cp->p", apart, apart) / len(apart)
    return out


def missed(
    spectra: np.ndarray,
    colours: np.ndarray,
    camera: np.ndarray,
    witnesses: np.ndarray,
    level: np.ndarray,
) -> np.ndarray:
    """What spectra and the witnesses' mean miss of the colours, relative to the brightness, (pixels,).

    Parameters
    ----------
    spectra, colours, camera
        As for :func:`missed_square`.
    witnesses : ndarray, shape (pixels,)
        :func:`missed_square` of their mean.
    level : ndarray, shape (pixels,)
        :func:`brightness_of` the spectra.
    """
    out: np.ndarray = np.sqrt((missed_square(spectra, colours, camera) + witnesses) / 2) / level
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


def difficulty(
    spread: np.ndarray,
    rarity: np.ndarray,
    slopes: tuple[float, float],
    missed: np.ndarray | None = None,
) -> np.ndarray:
    """u of the module's documentation."""
    out: np.ndarray = np.exp(log_difficulty(spread, rarity, slopes, missed))
    return out


def log_difficulty(
    spread: np.ndarray,
    rarity: np.ndarray,
    slopes: tuple[float, float],
    missed: np.ndarray | None = None,
) -> np.ndarray:
    """Its natural logarithm; ``missed`` where the camera is known."""
    out = np.log(spread + _LEAST_SPREAD)
    out *= slopes[0]
    if missed is None:
        out += slopes[1] * rarity
    else:
        out += (1 - slopes[0]) * np.log(missed + _LEAST_MISSED)
    return out


def fit_slopes(
    spread: np.ndarray,
    rarity: np.ndarray,
    error: np.ndarray,
    weights: np.ndarray,
    sources: np.ndarray,
    brightness: np.ndarray,
) -> tuple[float, float, float]:
    """a, b and d by weighted least squares on the logarithm of relative errors, none negative.

    Each source has a level of its own: how much worse a model is on one of them than on another
    is not known of a photograph, and says nothing of which of its pixels are bad.

    Parameters
    ----------
    spread, rarity, error, weights : ndarray, shape (pixels,)
    sources : ndarray of int, shape (pixels,)
        From 0.
    brightness : ndarray, shape (pixels,)
        :func:`brightness_of` the spectra.
    """
    from scipy.optimize import nnls

    known = np.log(spread + _LEAST_SPREAD), rarity, -np.log(brightness)
    values = np.stack([*known, np.log(error + 0.01)], axis=1)
    size = np.bincount(sources, weights)
    for column in values.T:
        column -= (np.bincount(sources, weights * column) / np.maximum(size, 1e-300))[sources]
    values *= np.sqrt(weights)[:, None]
    a, b, d = nnls(values[:, :3], values[:, 3])[0]
    return float(a), float(b), float(d)


def fit_share(
    spread: np.ndarray,
    missed: np.ndarray,
    error: np.ndarray,
    brightness: np.ndarray,
    sources: np.ndarray,
) -> float:
    """a where the camera is known: the share of the spread in what distinguishes pixels.

    Of eleven it is the one with the largest area under the ROC for the worst quartile of errors, in reflectance and
    relative to the brightness, in the mean of the sources.

    Parameters
    ----------
    spread, missed, error, brightness : ndarray, shape (pixels,)
        The error relative to the brightness.
    sources : ndarray of int, shape (pixels,)
    """
    found = np.zeros(len(_TRIED))
    nothing = np.zeros(1)
    for source in np.unique(sources):
        own = sources == source
        relative, size = error[own], brightness[own]
        bad = [e >= np.quantile(e, 0.75) for e in (relative, relative * size)]
        for number, share in enumerate(_TRIED):
            score = difficulty(spread[own], nothing, (share, 0.0), missed[own])
            found[number] += auroc(score, bad[0]) + auroc(score * size, bad[1])
    return float(_TRIED[np.argmax(found)])


def auroc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC of a score for what is positive, by ranks (Mann and Whitney)."""
    from scipy.stats import rankdata

    ranks, number = rankdata(score), int(positive.sum())
    if number in (0, len(positive)):
        return float("nan")
    below = ranks[positive].sum() - number * (number + 1) / 2
    return float(below / (number * (len(positive) - number)))
