"""Split-conformal quantiles for images, whose pixels are not independent of each other.

The n-th pixel of a new image is as likely to be among the least as a pixel of an image seen before;
the images, not the pixels, are exchangeable. Each image therefore counts by its weight however
many pixels it has, and a share 1 / (K + 1) of all counts as infinite for the image to come
(hierarchical conformal prediction: Lee, Barber and Willett 2023, arXiv 2306.06342). A random pixel
of a new image is then covered with at least the probability asked for.
"""

from __future__ import annotations

import numpy as np


def quantile(
    scores: np.ndarray,
    images: np.ndarray,
    coverage: float,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """What a score of a new image does not exceed with a probability.

    Parameters
    ----------
    scores : ndarray, shape (n, …)
        Of pixels, or of regions; each column is treated alone.
    images : ndarray of int, shape (n,)
        Which image each belongs to, from 0.
    coverage : float
        The probability, in 0..1.
    weights : ndarray, shape (images,), optional
        How much each image counts, for instance so that sources count alike; all the same by
        default.

    Returns
    -------
    ndarray, shape (…)
        ``inf`` where there are too few images to say: 9 are the least for 90%.
    """
    scores, images = np.asarray(scores, dtype=np.float64), np.asarray(images)
    count = np.bincount(images, minlength=0 if weights is None else len(weights))
    mass = np.where(count > 0, 1.0 if weights is None else weights, 0.0)
    present = int((mass > 0).sum())
    mass = mass / mass.sum() * present / (present + 1)
    each = (mass / np.maximum(count, 1))[images]
    flat = scores.reshape(len(scores), -1)
    out = np.full(flat.shape[1], np.inf)
    for column in range(flat.shape[1]):
        order = np.argsort(flat[:, column], kind="stable")
        reached = np.cumsum(each[order])
        at = int(np.searchsorted(reached, coverage - 1e-12))
        if at < len(order):
            out[column] = flat[order[at], column]
    return out.reshape(scores.shape[1:])


def level_quantiles(
    scores: np.ndarray,
    levels: np.ndarray,
    images: np.ndarray,
    coverage: float,
    count: int,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """:func:`quantile` for each level of spread by itself.

    An image counts in a level by the share of its pixels that are there.

    Parameters
    ----------
    scores : ndarray, shape (n, bands)
    levels, images : ndarray of int, shape (n,)
    coverage : float
    count : int
        Of levels.
    weights : ndarray, shape (images,), optional

    Returns
    -------
    ndarray, shape (count, bands)
        Where a level has too few images, the values of the whole, or those of the level below
        where these are larger.
    """
    size = np.bincount(images).astype(float)
    base = np.ones(len(size)) if weights is None else np.asarray(weights, dtype=float)
    whole = quantile(scores, images, coverage, weights)
    out = np.empty((count, *scores.shape[1:]))
    for level in range(count):
        inside = levels == level
        if inside.any():
            share = np.bincount(images[inside], minlength=len(size)) / np.maximum(size, 1)
            out[level] = quantile(scores[inside], images[inside], coverage, base * share)
        else:
            out[level] = np.inf
        below = out[level - 1] if level else whole
        out[level] = np.where(np.isfinite(out[level]), out[level], np.maximum(whole, below))
    return out


def worst_source(
    scores: np.ndarray,
    levels: np.ndarray,
    sources: np.ndarray,
    coverage: float,
    count: int,
    least: float = 0.02,
) -> np.ndarray:
    """For each level of spread, the largest of the quantiles that the sources have by themselves.

    Where sources, not images, are exchangeable, the quantile of a source to come is no larger than
    the largest of K others with a probability of K / (K + 1). In which band a source is worst says
    little of where the next one is: each quantile is the mean of its own and of that of all bands.

    Parameters
    ----------
    scores : ndarray, shape (n, bands)
    levels, sources : ndarray of int, shape (n,)
    coverage : float
        Within a source, in 0..1.
    count : int
        Of levels.
    least : float
        A source counts in a level from this share of its samples on.

    Returns
    -------
    ndarray, shape (count, bands)
        Where no source has enough samples in a level, the values of the level below, or above.
    """
    out = np.full((count, scores.shape[1]), np.nan)
    for level in range(count):
        found = []
        for source in np.unique(sources):
            own = sources == source
            inside = own & (levels == level)
            if inside.sum() >= max(1, least * own.sum()):
                found.append(np.quantile(scores[inside], coverage, axis=0))
        if found:
            largest = np.max(found, axis=0)
            out[level] = (largest + largest.mean()) / 2
    known = np.flatnonzero(np.isfinite(out[:, 0]))
    below = np.searchsorted(known, np.arange(count), side="right") - 1
    return out[known[np.maximum(below, 0)]]
