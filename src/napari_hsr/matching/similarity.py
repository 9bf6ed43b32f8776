"""How alike spectra are, for many pairs at once; missing values are left out pair by pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.arrays import unmasked
from napari_hsr.errors import InputError

#: Measures by name: what people call them, and whether the best value is the least.
MEASURES = {
    "angle": ("spectral angle", True),
    "sid": ("spectral information divergence", True),
    "correlation": ("correlation", False),
}


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Sums over the bands that both spectra of a pair have, (n, m) each."""

    count: np.ndarray
    dot: np.ndarray
    own_square: np.ndarray
    other_square: np.ndarray
    own: np.ndarray
    other: np.ndarray


def _pairs(spectra: np.ndarray, entries: np.ndarray) -> _Pairs:
    (one, has_one), (two, has_two) = _both(spectra, entries)
    if has_one.all() and has_two.all():  # several times faster
        size = len(one), len(two)
        return _Pairs(
            count=np.full(size, one.shape[1]),
            dot=one @ two.T,
            own_square=np.broadcast_to(np.einsum("ij,ij->i", one, one)[:, None], size),
            other_square=np.broadcast_to(np.einsum("ij,ij->i", two, two), size),
            own=np.broadcast_to(one.sum(axis=1)[:, None], size),
            other=np.broadcast_to(two.sum(axis=1), size),
        )
    return _Pairs(
        count=has_one @ has_two.T,
        dot=one @ two.T,
        own_square=one**2 @ has_two.T,
        other_square=has_one @ (two**2).T,
        own=one @ has_two.T,
        other=has_one @ two.T,
    )


@told
def spectral_angle(spectra: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """The angle between spectra as vectors, in degrees (Kruse et al. 1993).

    Parameters
    ----------
    spectra : array-like, shape (n, bands)
    entries : array-like, shape (m, bands)

    Returns
    -------
    ndarray, shape (n, m), float64
        0..180; NaN where one of the two is black, or they share fewer than two values.
    """
    sums = _pairs(spectra, entries)
    length = np.sqrt(sums.own_square * sums.other_square)
    cosines = np.clip(_ratio(sums.dot, length, sums.count), -1, 1)
    return np.asarray(np.degrees(np.arccos(cosines)))


@told
def correlation(spectra: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Pearson's correlation over the bands, -1..1; NaN where one is constant. Sizes as above."""
    (one, has_one), (two, has_two) = _filled(_centred(spectra)), _filled(_centred(entries))
    sums = _pairs(np.where(has_one > 0, one, np.nan), np.where(has_two > 0, two, np.nan))
    count = np.maximum(sums.count, 1)
    joint = sums.dot - sums.own * sums.other / count
    spread = [
        np.maximum(square - total**2 / count, 0)
        for square, total in ((sums.own_square, sums.own), (sums.other_square, sums.other))
    ]
    small = [1e-24 * np.maximum(s, 1e-300) for s in (sums.own_square, sums.other_square)]
    for part, least in zip(spread, small, strict=True):
        part[part <= least] = 0  # constant but for rounding
    found = _ratio(joint, np.sqrt(spread[0] * spread[1]), sums.count)
    return np.asarray(np.clip(found, -1, 1))


@told
def divergence(spectra: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """The spectral information divergence in nats (Chang 2000), from 0; sizes as above.

    D(p‖q) + D(q‖p) of the two spectra as shares of their sums. Bands in which one of them is not
    above 0 are left out.
    """
    (one, has_one), (two, has_two) = _both(spectra, entries, above_0=True)
    logs = [np.log(np.where(has > 0, v, 1)) for v, has in ((one, has_one), (two, has_two))]
    own, other = one @ has_two.T, has_one @ two.T
    with np.errstate(divide="ignore", invalid="ignore"):
        # Σ (p − q)(ln p − ln q) = Σ (p − q)(ln x − ln e), since p and q have one sum
        made = ((one * logs[0]) @ has_two.T - one @ logs[1].T) / own
        made -= (logs[0] @ two.T - has_one @ (two * logs[1]).T) / other
    made[has_one @ has_two.T < 2] = np.nan
    return np.asarray(np.maximum(made, 0))


#: The functions of :data:`MEASURES`.
FUNCTIONS = {"angle": spectral_angle, "sid": divergence, "correlation": correlation}


def _both(
    spectra: np.ndarray, entries: np.ndarray, above_0: bool = False
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    one, two = (
        np.atleast_2d(np.asarray(unmasked(each), dtype=np.float64)) for each in (spectra, entries)
    )
    if one.ndim != 2 or two.ndim != 2 or one.shape[1] != two.shape[1]:
        sizes = " and ".join(" x ".join(map(str, each.shape)) for each in (one, two))
        raise InputError(
            f"Spectra are compared as (spectra, bands) of the same bands, not {sizes}."
        )
    if above_0:
        one, two = (np.where(each > 0, each, np.nan) for each in (one, two))
    return _filled(one), _filled(two)


def _filled(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = np.atleast_2d(np.asarray(values, dtype=np.float64))
    known = np.isfinite(values)
    return _near_one(np.where(known, values, 0.0)), known.astype(np.float64)


def _near_one(values: np.ndarray) -> np.ndarray:
    """Each spectrum by a power of two, so that no square leaves float64: no measure depends on the size."""
    largest = np.max(np.abs(values), axis=1, initial=0.0, keepdims=True)
    if ((largest == 0) | ((largest > 1e-100) & (largest < 1e100))).all():
        return values
    return np.asarray(np.ldexp(values, -np.frexp(largest)[1]))


def _centred(values: np.ndarray) -> np.ndarray:
    """Without their means, so that little is lost where sums are subtracted."""
    filled, known = _filled(values)
    mean = filled.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known > 0, filled - mean[:, None], np.nan)


def _ratio(above: np.ndarray, below: np.ndarray, count: np.ndarray) -> np.ndarray:
    fine = (below > 0) & (count > 1)
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=fine))
