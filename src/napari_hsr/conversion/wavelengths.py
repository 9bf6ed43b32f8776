"""Spectra on another grid of wavelengths, as bands of a stated width would have measured them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.band_gaps import Bridged, not_measured
from napari_hsr.cube import Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.io.bands import lists_of_bands, take
from napari_hsr.io.lazy import LazyArray, by_rows
from napari_hsr.io.limits import check_memory
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.cube import Cube

#: Full width at half maximum of a Gaussian in standard deviations.
_FWHM = float(np.sqrt(8 * np.log(2)))
#: A triangle reaches no further than this, in nm: bands of such grids are not wider.
WIDEST_NM = 10.0
#: A new band is bad if bad ones have this share in it (half, but for rounding).
_HALF = 0.499
#: A width that is so many times another is told apart from it.
_AS_WIDE = 1.05
#: Weights below this share of the largest one are left out.
_LEAST_WEIGHT = 1e-4


@told
def to_wavelengths(
    cube: Cube,
    wavelengths: Wavelengths | Sequence[float] | np.ndarray,
    fwhm: float | Sequence[float] | np.ndarray | None = None,
) -> Cube:
    """The cube on another grid.

    With ``fwhm`` a new band is the mean of the old ones, weighted by a Gaussian of the width that
    is missing, ``sqrt(fwhm² - old_fwhm²)``, times the distance of the old bands. Where nothing is
    missing, or the Gaussian is narrower than the old bands are apart, it is interpolated linearly.
    Without ``fwhm`` it is :func:`resampling`, as in training. Bands marked as bad (``bbl``) have
    no part, and new bands of which these are half or more, or that lie in a gap three bands wide, are
    marked as bad.

    Parameters
    ----------
    cube : Cube
        With known wavelengths. A cube on disk stays there.
    wavelengths : sequence of float
        New band centres in nm, within the old ones (half a band beyond is allowed).
    fwhm : float or sequence of float, optional
        Full width at half maximum of the new bands in nm; by default their distance, at most 10 nm.
        Narrower ones than those of the cube stay as wide as these, which is told.

    Returns
    -------
    Cube
        With the new wavelengths and, if known, ``fwhm``; lists with one item an old band are left
        out of the metadata.

    Raises
    ------
    InputError
        If wavelengths are not known, or new ones lie outside the old ones.
    """
    if cube.wavelengths is None:
        raise InputError(
            f"The wavelengths of {cube.name} are not known, so it cannot be resampled: set them "
            "first."
        )
    new = (
        wavelengths if isinstance(wavelengths, Wavelengths) else Wavelengths(np.array(wavelengths))
    )
    _check_inside(new, cube.wavelengths.nm[cube.good_bands], cube)
    widths, how = _widths(new, fwhm)
    weights = band_weights(cube, new, widths)
    data: Any = LazyArray(_Weighted(cube.data, weights))
    if cube.in_memory:
        data = data[:]
    of_bands = {"default bands"} | lists_of_bands(cube.metadata, cube.bands)
    kept = {key: value for key, value in cube.metadata.items() if key not in of_bands}
    told: list[Notice] = []
    if widths is not None:
        real = np.maximum(widths, _narrowest(cube, new))
        kept["fwhm"] = real.tolist()
        if (real > _AS_WIDE * widths).any():
            text = (
                f"Bands cannot be made narrower than those of {cube.name}, which are up to "
                f"{real.max():.3g} nm wide: where less was asked for, the new ones are as wide."
            )
            told.append(Notice.warning(Code.BANDS_STAY_WIDE, text))
    made_up = _not_measured(cube, new, widths)
    if made_up.any() and not made_up.all():
        kept["bbl"] = (~made_up).astype(int).tolist()
        where = new.nm[made_up]
        text = (
            f"{int(made_up.sum())} new bands between {where[0]:g} and {where[-1]:g} nm lie where {cube.name} has no "
            "good bands: lines were drawn there, and the bands are marked as bad."
        )
        told.append(Notice.warning(Code.BANDS_NOT_MEASURED, text))
    step = f"Resampled from {cube.wavelengths.describe()} to {new.describe()}, {how}."
    return cube.replace(
        data=data,
        wavelengths=Wavelengths(new.nm, cube.wavelengths.assumed),
        metadata=kept,
        provenance=cube.provenance.with_step(step),
        notices=(*cube.notices, Notice.info(Code.RESAMPLED, step), *told),
    )


def band_weights(cube: Cube, new: Wavelengths, widths: np.ndarray | None = None) -> np.ndarray:
    """Weights (new bands, bands of the cube), float32, each row with the sum 1; none for bad bands.

    Parameters
    ----------
    cube : Cube
        With known wavelengths.
    new : Wavelengths
        Within the cube's.
    widths : ndarray (new bands,), optional
        Full widths at half maximum of the new bands; None for those of :func:`resampling`.
    """
    assert cube.wavelengths is not None  # as its callers have checked
    good = cube.good_bands
    old = cube.wavelengths.nm[good]
    weights = np.zeros((len(new), cube.bands), np.float32)
    if widths is None:
        weights[:, good] = resampling(old, new.nm)
    else:
        whole, own = Bridged.of(old), _own_widths(cube, good)
        made = _gaussian(new.nm, whole.nm, widths, whole.of_own(own))
        weights[:, good] = whole.folded(made)
    return weights


def resampling(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The matrix (target, source) from one grid to another; its rows sum to 1.

    Linear between bands; from a finer grid each band is the mean of the source under a triangle
    that falls to zero at its neighbours, and at most 10 nm away, as a band of that width sees. Where
    the source is uneven, each of its bands counts by the wavelengths it stands for; in a gap of it, those
    at its edges, as of a line between them.
    """
    whole = Bridged.of(source)
    return whole.folded(_triangles(whole.nm, target)).astype(np.float32)


def _triangles(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """:func:`resampling` from a grid without gaps, float64."""
    fine = interpolation(source, target)
    if target.size < 2:
        return fine
    gap = np.minimum(np.gradient(target), WIDEST_NM)[:, None]
    triangle = np.clip(1 - np.abs(source[None, :] - target[:, None]) / gap, 0, None)
    many = (triangle > 0).sum(1) > 2  # two would be the line between them
    if not _even(source):  # else no digit changes
        triangle = triangle * np.gradient(source)
    total = triangle.sum(1, keepdims=True)
    averaged = np.divide(triangle, total, out=np.zeros_like(triangle), where=total > 0)
    return np.where(many[:, None], averaged, fine)


def _even(grid: np.ndarray) -> bool:
    steps = np.diff(grid)
    return bool(np.ptp(steps) <= 1e-6 * steps.max()) if steps.size else True


def interpolation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The matrix (target, source) of linear interpolation, the same numbers as by ``numpy.interp``.

    It takes memory for itself alone, not for a square of the source.

    Raises
    ------
    InputError
        If it would not fit, and large files are not allowed.
    """
    check_memory(8 * source.size * target.size, f"Going from {source.size} to {target.size} bands")
    weights = np.zeros((target.size, source.size))
    if source.size == 1:
        weights[:] = 1.0
        return weights
    at = np.clip(np.searchsorted(source, target, "right") - 1, 0, source.size - 2)
    slope = 1.0 / (source[at + 1] - source[at])
    rows, beyond = np.arange(target.size), target >= source[-1]
    share = np.where(beyond, 1.0, slope * np.maximum(target - source[at], 0.0))
    weights[rows, at] = np.where(beyond, 0.0, -slope * np.maximum(target - source[at], 0.0) + 1.0)
    weights[rows, at + 1] = share
    return weights


@told
def common_grid(one: Cube, other: Cube) -> tuple[Cube, Cube]:
    """Two cubes on one grid: the one with more bands is resampled to that of the other.

    Cubes on one grid already, and those without wavelengths, stay as they are. Bands of the
    coarser grid outside the finer one are left out of both.
    """
    here, there = one.wavelengths, other.wavelengths
    if here is None or there is None or here.matches(there):
        return one, other
    if len(here) < len(there):
        second, first = common_grid(other, one)
        return first, second
    inside = (there.nm >= here.nm[0] - 0.5) & (there.nm <= here.nm[-1] + 0.5)
    if not inside.any():
        raise InputError(
            f"{one.name} ({here.describe()}) and {other.name} ({there.describe()}) have no "
            "wavelengths in common."
        )
    if not inside.all():
        chosen = np.flatnonzero(inside)
        other = take(other, chosen, f"{chosen.size} of {other.bands} bands were taken.")
    listed = other.metadata.get("fwhm")
    fits = isinstance(listed, list) and len(listed) == other.bands
    assert other.wavelengths is not None  # as before
    return to_wavelengths(one, other.wavelengths, listed if fits else None), other


class _Weighted:
    """Weighted sums of bands as an array that is computed where it is indexed."""

    dtype = np.dtype(np.float32)

    def __init__(self, source: Any, weights: np.ndarray):
        self._source, self._weights = source, weights.astype(np.float32)
        self.shape = (len(weights), *(int(n) for n in source.shape[1:]))
        self.by_rows = by_rows(source)

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        bands, rows, columns = key
        weights = np.atleast_2d(self._weights[bands])
        used = np.flatnonzero((weights != 0).any(axis=0))
        if not used.size:
            used = np.array([0])
        values = np.asarray(self._source[int(used[0]) : int(used[-1]) + 1, rows, columns])
        values = values[used - used[0]]
        # one sum a band over its own sources: NaN elsewhere does no harm
        result = np.empty((len(weights), *values.shape[1:]), np.float32)
        for i, row in enumerate(weights[:, used]):
            at = np.flatnonzero(row)
            lo, hi = (int(at[0]), int(at[-1]) + 1) if at.size else (0, 0)
            chosen = values[lo:hi] if hi - lo == at.size else values[at]
            result[i] = np.tensordot(row[at], chosen, 1) if at.size else np.nan
        return result[0] if isinstance(bands, int) else result


def _check_inside(new: Wavelengths, old: np.ndarray, cube: Cube) -> None:
    first, last = (np.diff(old)[[0, -1]] / 2) if old.size > 1 else (0.0, 0.0)
    if new.nm[0] < old[0] - first - 1e-6 or new.nm[-1] > old[-1] + last + 1e-6:
        raise InputError(
            f"The new wavelengths {new.nm[0]:g}–{new.nm[-1]:g} nm leave those of {cube.name}, "
            f"{old[0]:g}–{old[-1]:g} nm."
        )


def _widths(new: Wavelengths, fwhm: Any) -> tuple[np.ndarray | None, str]:
    """Widths of the new bands, None where they are not stated."""
    if fwhm is not None:
        widths = np.asarray(fwhm, dtype=np.float64)
        if widths.shape not in ((), (1,), (len(new),)):
            raise InputError(f"{widths.size} widths (FWHM) were given for {len(new)} new bands.")
        widths = np.broadcast_to(widths, (len(new),))
        if not np.isfinite(widths).all() or widths.min() <= 0:
            raise InputError("Widths of bands (FWHM) are positive numbers in nm.")
        span = f"{widths.min():g}" + (f" to {widths.max():g}" if np.ptp(widths) else "")
        return widths.copy(), f"bands {span} nm wide"
    return None, f"bands as wide as they are apart, at most {WIDEST_NM:g} nm"


def _not_measured(cube: Cube, new: Wavelengths, widths: np.ndarray | None) -> np.ndarray:
    """Which new bands are made of bad bands to a half at least, or lie in a gap between the good ones."""
    assert cube.wavelengths is not None  # as its callers have checked
    old, good = cube.wavelengths.nm, cube.good_bands
    whole = Bridged.of(old)
    if widths is None:
        weights = _triangles(whole.nm, new.nm)
    else:
        own = _own_widths(cube, np.ones(old.size, dtype=bool))
        weights = _gaussian(new.nm, whole.nm, widths, whole.of_own(own))
    unknown = whole.unknown.copy()
    unknown[~whole.made_up] = ~good
    of_bad = weights[:, unknown].sum(axis=1)
    found: np.ndarray = (of_bad >= _HALF) | not_measured(old[good], new.nm)
    return found


def _own_widths(cube: Cube, good: np.ndarray) -> np.ndarray:
    listed = cube.metadata.get("fwhm")
    if isinstance(listed, list) and len(listed) == cube.bands:
        try:
            widths = np.asarray(listed, dtype=np.float64)[good]
        except (TypeError, ValueError):
            return np.zeros(int(good.sum()))
        return np.where(np.isfinite(widths) & (widths > 0), widths, 0.0)
    return np.zeros(int(good.sum()))


def _narrowest(cube: Cube, new: Wavelengths) -> np.ndarray:
    """Full widths at half maximum of the bands that new ones are made of; 0 where they are not known."""
    assert cube.wavelengths is not None  # as its callers have checked
    good = cube.good_bands
    own: np.ndarray = np.interp(new.nm, cube.wavelengths.nm[good], _own_widths(cube, good))
    return own


def _gaussian(new: np.ndarray, old: np.ndarray, widths: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Weights (new, old) of which each row sums to 1."""
    if old.size == 1:
        return np.ones((new.size, 1))
    linear = interpolation(old, new)
    apart = np.gradient(old)
    nearest = np.abs(new[:, None] - old[None]).argmin(axis=1)
    missing = np.sqrt(np.maximum(widths[:, None] ** 2 - own[None] ** 2, 0.0))
    sigma = np.maximum(missing, 1e-9) / _FWHM
    weights: np.ndarray = np.exp(-0.5 * ((old[None] - new[:, None]) / sigma) ** 2) * apart[None]
    total = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    weights[weights < _LEAST_WEIGHT * weights.max(axis=1, keepdims=True)] = 0
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    narrow = missing[np.arange(new.size), nearest] < apart[nearest]
    weights[narrow] = linear[narrow]
    return weights
