"""What a chart of known reflectances says of a photograph: exposure, white balance, colours.

The matrix M is that of the least squares of linear colours among those that keep white. The polynomial
P goes on from it (:mod:`napari_hsr.cameras.chromatic`): with x the terms of a patch, t its colour in linear
sRGB and G the metric of ΔE00 there, so that ΔE00² of a small step d is dᵀ G d, it has the least

    mean (Pᵀx − t)ᵀ G (Pᵀx − t) + λ ‖P − M‖²   with columns of sum 1,

which is one linear system.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from napari_hsr.cameras.chromatic import TERMS, terms
from napari_hsr.colour import rendering_matrix
from napari_hsr.colour.observers import colour_science
from napari_hsr.colour.transfer import LINEAR_SRGB_TO_XYZ, WHITE_D65
from napari_hsr.errors import InputError

#: A patch that is as grey as this in its reflectance tells the white balance.
_GREY = 0.06
#: Patches above this share of full scale may be clipped.
_CLIPPED = 0.99
#: A chart whose brightest patch is below this share of full scale is lost in noise.
_DARK = 0.01
_LEAST = 6
#: Share of the patches that must be left.
_USED = 0.25
#: Mean ΔE00 above which the patches are not those of the chart.
NOT_THE_CHART = 12.0
#: And above which that is doubtful.
DOUBTFUL = 4.0
#: Fewer patches than this give a matrix alone.
_POLYNOMIAL = 12
#: λ: the largest by which charts of 49 simulated cameras are all within ΔE 1; with less, the polynomials
#: of some cannot be undone for pure colours.
_RIDGE = 0.1
#: Half a step of the differences that the metric is taken from, relative to the colour.
_STEP = 1e-3


@dataclass(frozen=True, eq=False)
class ChartFit:
    """The way from a camera's linear colours to linear sRGB, by a chart.

    Attributes
    ----------
    exposure : float
        Factor after which a perfect white under the chart's light is 1.
    balance : ndarray, shape (3,)
        Gains of the channels, that of green 1.
    matrix : ndarray, shape (3, 3)
        For rows of balanced and exposed colours: ``colours · balance · exposure @ matrix``; grey
        stays grey.
    polynomial : ndarray, shape (7, 3)
        The same for the terms of these, nearer than the matrix; with few patches no nearer.
    delta_e : ndarray, shape (patches,)
        CIEDE2000 of each patch used, after the fit; NaN of one left out.
    delta_e_before : ndarray, shape (patches,)
        With exposure and balance alone.
    """

    exposure: float
    balance: np.ndarray
    matrix: np.ndarray
    polynomial: np.ndarray
    delta_e: np.ndarray
    delta_e_before: np.ndarray

    @property
    def doubtful(self) -> bool:
        """Whether the patches are so far off that their corners may lie elsewhere."""
        return bool(np.nanmean(self.delta_e) > DOUBTFUL)

    def apply(self, colours: np.ndarray) -> np.ndarray:
        """Linear sRGB of linear camera colours, (…, 3)."""
        out: np.ndarray = terms(colours * (self.balance * self.exposure)) @ self.polynomial
        return out


def fit_chart(
    colours: np.ndarray,
    reflectances: np.ndarray,
    wavelengths_nm: np.ndarray,
    illuminant: str = "D65",
) -> ChartFit:
    """Exposure, white balance and colour matrix from the patches of a chart.

    The grey patches give the balance and the exposure; the matrix is the least squares one among
    those that keep white, over all patches that are not clipped, each weighted by the inverse of its
    brightness, so that dark patches count in proportion. From twelve patches on a polynomial goes
    further.

    Parameters
    ----------
    colours : array-like, shape (patches, 3)
        Linear means of the patches, full scale 1.
    reflectances : array-like, shape (patches, bands)
        In 0..1.
    wavelengths_nm : array-like, shape (bands,)
    illuminant : str
        That the sRGB colours are under, adapted to D65.

    Raises
    ------
    InputError
        If sizes differ, fewer than six patches or no grey one are left, or the colours are not
        those of the chart.
    """
    seen = np.asarray(colours, dtype=np.float64)
    known = np.asarray(reflectances, dtype=np.float64)
    if seen.ndim != 2 or seen.shape[1] != 3 or known.ndim != 2 or len(known) != len(seen):
        raise InputError(
            f"A chart has a colour and a reflectance for each patch; there are arrays of "
            f"{seen.shape} and {known.shape}."
        )
    if not np.isfinite(known).all() or known.min() < 0 or known.max() > 1.2:
        raise InputError("Reflectances of a chart are numbers in 0..1.")
    grey = known.std(axis=1) < _GREY * known.mean(axis=1)
    target = known @ rendering_matrix(wavelengths_nm, illuminant)
    return fit_targets(seen, target, grey, known.mean(axis=1))


def fit_targets(
    colours: np.ndarray,
    target: np.ndarray,
    grey: np.ndarray | None = None,
    level: np.ndarray | None = None,
) -> ChartFit:
    """:func:`fit_chart` for a chart of which colours, not reflectances, are known.

    Parameters
    ----------
    colours : ndarray, shape (patches, 3)
        Linear means of the patches, full scale 1.
    target : ndarray, shape (patches, 3)
        Linear sRGB that they are to have.
    grey : ndarray of bool, shape (patches,), optional
        Patches that tell the white balance; those of which the target is grey by default.
    level : ndarray, shape (patches,), optional
        How bright these are to be; as the target by default.
    """
    seen = np.asarray(colours, dtype=np.float64)
    bright = target if level is None else level[:, None]
    if grey is None:
        grey = target.std(axis=1) < _GREY * target.mean(axis=1)
    used = np.isfinite(seen).all(axis=1) & (seen < _CLIPPED).all(axis=1) & (seen > 0).all(axis=1)
    if used.sum() < max(_LEAST, _USED * len(seen)):
        raise InputError(_why_unused(seen, int(used.sum())))
    grey = used & grey
    if not grey.any():
        raise InputError("No grey patch is left, by which white could be balanced.")
    gains = (bright[grey] * seen[grey]).sum(axis=0) / (seen[grey] ** 2).sum(axis=0)
    balance, exposure = gains / gains[1], float(gains[1])
    balanced = seen[used] * gains
    weight = 1 / np.sqrt(np.maximum(target[used].mean(axis=1), 0.01))[:, None]
    x, y = balanced * weight, target[used] * weight
    if np.linalg.matrix_rank(x) < 3:
        raise InputError(
            "The patches that are left have no three different colours, by which a matrix could be "
            "fitted."
        )
    inverse = np.linalg.inv(x.T @ x)
    free = inverse @ (x.T @ y)
    direction = inverse.sum(axis=1)
    matrix = free + np.outer(direction / direction.sum(), 1 - free.sum(axis=0))
    polynomial = np.concatenate([matrix, np.zeros((TERMS - 3, 3))])
    if used.sum() >= _POLYNOMIAL:
        polynomial = _nearer(terms(balanced), target[used], polynomial)
    after, before = (np.full(len(seen), np.nan) for _ in range(2))
    after[used] = srgb_difference(terms(balanced) @ polynomial, target[used])
    before[used] = srgb_difference(balanced, target[used])
    if np.nanmean(after) > NOT_THE_CHART:
        brightest = seen[used].max()
        if brightest < _DARK:
            raise InputError(
                f"The brightest patch of the chart has {brightest:.2%} of full scale: the photograph is "
                "under-exposed, or there is no chart."
            )
        raise InputError(
            f"After the best fit the patches are ΔE {np.nanmean(after):.0f} from the chart: another "
            "chart, one that is upside down or unevenly lit, or corners that are not its corners."
        )
    return ChartFit(exposure, balance, matrix, polynomial, after, before)


def _why_unused(seen: np.ndarray, used: int) -> str:
    """Why most patches of a chart say nothing."""
    said = f"{used} of {len(seen)} patches of the chart can be used"
    if not np.isfinite(seen).all():
        return f"{said}: the others hold values that are not finite."
    if used == len(seen):
        return f"{said}: more are needed."
    clipped, black = ((seen >= _CLIPPED).any(axis=1).sum(), (seen <= 0).any(axis=1).sum())
    if clipped >= black:
        return f"{said}: {clipped} are clipped, the photograph is over-exposed."
    return (
        f"{said}: {black} are black, the photograph is under-exposed or its black level is wrong."
    )


def _nearer(x: np.ndarray, target: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The polynomial (terms, 3) of terms (patches, terms), by the formula of this module."""
    count, size = x.shape[1], matrix.size
    metric = _metric(target)
    system = np.zeros((size + 3, size + 3))
    curved = np.einsum("pn,pij,pm->nimj", x, metric, x) / len(x)
    system[:size, :size] = curved.reshape(size, size) + _RIDGE * np.eye(size)
    system[size:, :size] = np.tile(np.eye(3), count)
    system[:size, size:] = system[size:, :size].T
    wanted = np.einsum("pn,pij,pj->ni", x, metric, target) / len(x) + _RIDGE * matrix
    found: np.ndarray = np.linalg.solve(system, np.append(wanted, np.ones(3)))[:size]
    return found.reshape(count, 3)


def _metric(colours: np.ndarray) -> np.ndarray:
    """G with ΔE00² = dᵀ G d for small steps d of linear sRGB, (colours, 3, 3)."""
    size = _STEP * np.maximum(np.abs(colours).max(axis=1, keepdims=True), 0.01)

    def squared(step: np.ndarray) -> np.ndarray:
        far = srgb_difference(colours + size * step, colours - size * step, clip=False)
        square: np.ndarray = np.square(far / (2 * size[:, 0]))
        return square

    unit = np.eye(3)
    alone = [squared(step) for step in unit]
    metric = np.empty((len(colours), 3, 3))
    for i, j in product(range(3), repeat=2):
        mixed = (squared(unit[i] + unit[j]) - alone[i] - alone[j]) / 2 if i != j else alone[i]
        metric[:, i, j] = mixed
    return metric


def srgb_difference(found: np.ndarray, wanted: np.ndarray, clip: bool = True) -> np.ndarray:
    """ΔE00 of colours in linear sRGB, (colours, 3) each; what is negative is 0 first."""
    colour = colour_science()
    white = colour.XYZ_to_xy(WHITE_D65)
    labs = [
        colour.XYZ_to_Lab((np.maximum(rgb, 0) if clip else rgb) @ LINEAR_SRGB_TO_XYZ.T, white)
        for rgb in (found, wanted)
    ]
    out: np.ndarray = colour.difference.delta_E_CIE2000(*labs)
    return out
