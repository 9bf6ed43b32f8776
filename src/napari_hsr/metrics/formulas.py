"""The formulas of the metrics, in float64: blocks are added up, then the figure is read.

Blocks give the same figures as a whole image, to float64 rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from typing import Self

    from napari_hsr.metrics.protocols import MraeRule, SamRule, SsimRule
    from napari_hsr.metrics.row_blocks import Block


def clipped(block: Block, clip: str, peak: float) -> Block:
    """Clip the prediction, or both cubes, of a block to 0..``peak``."""
    if clip == "none":
        return block
    prediction = np.clip(block.prediction, 0, peak)
    truth = np.clip(block.truth, 0, peak) if clip == "both" else block.truth
    return replace(block, prediction=prediction, truth=truth)


class Sums:
    """What is added up block by block, and span by span."""

    #: Attributes that are added where the sums of two spans are joined; sets are united.
    ADDED: ClassVar[tuple[str, ...]] = ()

    def join(self, other: Self) -> None:
        """Add the sums of another span."""
        for name in self.ADDED:
            mine, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, mine | theirs if isinstance(mine, set) else mine + theirs)


def ratio(total: np.ndarray | float, count: np.ndarray | int) -> np.ndarray:
    """``total / count``, NaN where nothing was counted."""
    total, count = np.asarray(total, dtype=np.float64), np.asarray(count)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


class SquaredErrors(Sums):
    """Number of samples and sum of squared errors of each band."""

    ADDED = ("count", "total")

    def __init__(self, bands: int):
        self.count = np.zeros(bands, dtype=np.int64)
        self.total = np.zeros(bands)

    def add(self, block: Block) -> None:
        """Add one block."""
        error = block.prediction - block.truth
        self.total += np.einsum("bhw,bhw->b", error, error)
        self.count += block.counts()

    @property
    def mse_per_band(self) -> np.ndarray:
        """Mean squared error of each band."""
        return ratio(self.total, self.count)

    @property
    def mse(self) -> float:
        """Mean squared error over all samples."""
        return float(ratio(self.total.sum(), self.count.sum()))


def decibels(mse: np.ndarray | float, peak: float, of_equal: float = np.inf) -> np.ndarray:
    """``10 log10(peak² / mse)``; ``of_equal`` where the error is 0, NaN stays NaN."""
    mse = np.asarray(mse, dtype=np.float64)
    out = np.full(mse.shape, np.nan)
    out[mse == 0] = of_equal
    some = mse > 0
    out[some] = 20 * np.log10(peak) - 10 * np.log10(mse[some])
    return out


class RelativeErrors(Sums):
    """Sums of relative absolute and relative squared errors of each band.

    Parameters
    ----------
    bands : int
        Number of bands.
    rule : MraeRule
        Floor, epsilon and what becomes of zeros.
    truth_maximum : float
        The rule's floor is relative to this.
    """

    ADDED = ("count", "total", "squares", "below_floor")

    def __init__(self, bands: int, rule: MraeRule, truth_maximum: float):
        self.rule = rule
        self.threshold = None if rule.floor is None else rule.floor * max(truth_maximum, 0.0)
        self.count = np.zeros(bands, dtype=np.int64)
        self.total = np.zeros(bands)
        self.squares = np.zeros(bands)
        self.below_floor = 0

    def add(self, block: Block) -> None:
        """Add one block."""
        relative, use = relative_errors(block, self.rule, self.threshold)
        self.total += relative.sum(axis=(1, 2))
        self.squares += np.einsum("bhw,bhw->b", relative, relative)
        used = block.counts() if use is None else use.sum(axis=(1, 2), dtype=np.int64)
        self.below_floor += int((block.counts() - used).sum())
        self.count += used


def relative_errors(
    block: Block, rule: MraeRule, threshold: float | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """``|p - t| / (t + epsilon)``, 0 where it is not counted, and the mask (None: all counted).

    Without a floor, zeros of the truth give inf, or NaN where the prediction is 0 too, as in the
    published programs.
    """
    truth = block.truth
    use = block.valid
    if threshold is not None:
        above = truth > threshold
        use = above if use is None else above & use
    if rule.zero is not None:
        truth = np.where(truth == 0, rule.zero, truth)
    error = np.abs(block.prediction - truth)
    denominator = truth + rule.epsilon if rule.epsilon else truth
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if use is None:
            return np.divide(error, denominator, out=error), None
        return np.divide(error, denominator, out=np.zeros_like(error), where=use), use


@dataclass(frozen=True)
class Angles:
    """Spectral angles of one block of pixels, all (rows, width).

    Attributes
    ----------
    degrees : ndarray, float64
        Angle; 90 where one spectrum is black, 0 where both are.
    black_truth, black_prediction : ndarray of bool
        Where the spectrum is zero in all bands.
    finite : ndarray of bool or None
        Where all live bands are finite; None where all are.
    """

    degrees: np.ndarray
    black_truth: np.ndarray
    black_prediction: np.ndarray
    finite: np.ndarray | None


def spectral_angles(block: Block, live: np.ndarray | None = None) -> Angles:
    """Angles between the spectra of each pixel.

    Computed as ``2 atan2(|u - v|, |u + v|)`` of unit spectra, which stays exact for similar
    spectra, where the arc cosine loses half of the digits (Kahan, "How futile are mindless
    assessments of roundoff in floating-point computation?", 2006).

    Parameters
    ----------
    block : Block
        Some rows of both cubes.
    live : ndarray of bool, shape (bands,), or None
        Bands with any finite value; missing samples in other bands are ignored.
    """
    units, black = [], []
    for values in (block.truth, block.prediction):
        largest = np.abs(values).max(axis=0)
        dark = largest == 0
        scale = np.where(dark, 1.0, largest)
        unit = values / scale  # so that squares of very small values do not underflow
        norm = np.sqrt(np.einsum("bhw,bhw->hw", unit, unit))
        unit /= np.where(dark, 1.0, norm)
        units.append(unit)
        black.append(dark)
    apart, along = units[0] - units[1], units[0] + units[1]
    apart = np.sqrt(np.einsum("bhw,bhw->hw", apart, apart))
    along = np.sqrt(np.einsum("bhw,bhw->hw", along, along))
    degrees = np.degrees(2 * np.arctan2(apart, along))
    degrees[black[0] & black[1]] = 0
    finite = None
    if block.valid is not None:
        kept = block.valid if live is None else block.valid[live]
        # Without a band that holds a finite value no pixel has a spectrum.
        finite = kept.all(axis=0) & (kept.shape[0] > 0)
    return Angles(degrees, black[0], black[1], finite)


class AngleSums(Sums):
    """Sum of spectral angles under a rule, and the number of pixels left out."""

    ADDED = ("_sums", "_counts", "_spoilt", "black", "below_floor", "nonfinite", "right_angles")

    def __init__(self, height: int, rule: SamRule, live: np.ndarray | None = None):
        self.rule, self.live = rule, live
        self._sums = np.zeros(height)
        self._counts = np.zeros(height, dtype=np.int64)
        self._spoilt: set[int] = set()
        self.black = self.below_floor = self.nonfinite = self.right_angles = 0

    def add(self, block: Block) -> None:
        """Add one block."""
        rule = self.rule
        if rule.zeros == "filled":
            p, t = (np.where(v == 0, 1e-12, v) for v in (block.prediction, block.truth))
            angles = spectral_angles(replace(block, prediction=p, truth=t), self.live)
            both = ~(block.prediction.any(axis=0) | block.truth.any(axis=0))
            if angles.finite is not None:
                both &= angles.finite
            rows, columns = np.nonzero(both)
            self._spoilt.update((rows + block.first).tolist(), (columns + block.left).tolist())
        else:
            angles = spectral_angles(block, self.live)
        use = np.ones(angles.degrees.shape, dtype=bool)
        if angles.finite is not None:
            use &= angles.finite
            self.nonfinite += int((~use).sum())
        if rule.floor is not None:
            power = np.einsum("bhw,bhw->hw", block.truth, block.truth)
            faint = np.sqrt(power / self._bands(block)) <= rule.floor
            self.below_floor += int((faint & use).sum())
            use &= ~faint
        use = self._without_black(angles, use)
        span = slice(block.first, block.first + block.rows)
        self._sums[span] += np.where(use, angles.degrees, 0).sum(axis=1)
        self._counts[span] += use.sum(axis=1)

    def _bands(self, block: Block) -> int:
        return block.truth.shape[0] if self.live is None else max(1, int(self.live.sum()))

    def _without_black(self, angles: Angles, use: np.ndarray) -> np.ndarray:
        truth, prediction = angles.black_truth, angles.black_prediction
        if self.rule.zeros == "right-angle":
            angles.degrees[truth | prediction] = 90
        if self.rule.zeros in ("right-angle", "filled"):
            self.right_angles += int(((truth | prediction) & use).sum())
            return use
        out = truth if self.rule.zeros == "truth-excluded" else truth | prediction
        self.black += int((out & use).sum())
        use = use & ~out
        self.right_angles += int((prediction & use).sum())
        return use

    @property
    def mean(self) -> float:
        """Mean angle in degrees; NaN if no pixel is counted."""
        sums = self._sums.copy()
        sums[[row for row in self._spoilt if row < sums.size]] = 0
        return float(ratio(sums.sum(), self._counts.sum()))


class Moments(Sums):
    """Centred second moments of each band, for Pearson's correlation.

    The means come from a first pass, to avoid cancellation.
    """

    ADDED = ("_pp", "_tt", "_pt")

    def __init__(self, prediction_means: np.ndarray, truth_means: np.ndarray):
        self._means = [np.nan_to_num(m)[:, None, None] for m in (prediction_means, truth_means)]
        self._pp, self._tt, self._pt = (np.zeros(len(truth_means)) for _ in range(3))

    def add(self, block: Block) -> None:
        """Add one block."""
        p, t = block.prediction - self._means[0], block.truth - self._means[1]
        if block.valid is not None:
            p[~block.valid] = 0
            t[~block.valid] = 0
        self._pp += np.einsum("bhw,bhw->b", p, p)
        self._tt += np.einsum("bhw,bhw->b", t, t)
        self._pt += np.einsum("bhw,bhw->b", p, t)

    @property
    def correlation(self) -> np.ndarray:
        """Pearson's correlation of each band; NaN where a band is constant."""
        return ratio(self._pt, np.sqrt(self._pp * self._tt))


class Similarity(Sums):
    """Sum of structural similarities over the windows of each band.

    Parameters
    ----------
    shape : tuple
        (bands, height, width) of the compared region.
    rule : SsimRule
        Window, border and covariance.
    peak : float
        Full scale L; ``C1 = (0.01 L)²``, ``C2 = (0.03 L)²``.
    """

    ADDED = ("total", "count", "left_out")

    def __init__(self, shape: tuple[int, int, int], rule: SsimRule, peak: float):
        self.rule, self.peak = rule, peak
        self.fits = rule.border == "zero" or min(shape[1:]) >= rule.taps
        self.total = np.zeros(shape[0])
        self.count = np.zeros(shape[0], dtype=np.int64)
        self.left_out = 0

    def add(self, core: Block, wide: Block) -> None:
        """Add the windows centred on the pixels of ``core``; ``wide`` is by ``margin`` larger."""
        if not self.fits:
            return
        margin = self.rule.margin
        pad = [(0, 0), (0, 0)]
        if self.rule.border == "zero":
            pad = [
                (margin - (inner.start - outer.start), margin - (outer.stop - inner.stop))
                for inner, outer in zip(core.place, wide.place, strict=True)
            ]
        if min(wide.rows + sum(pad[0]), wide.columns + sum(pad[1])) < self.rule.taps:
            return
        for band in range(wide.truth.shape[0]):
            x, y = (np.pad(cube[band], pad) for cube in (wide.prediction, wide.truth))
            values = ssim_windows(x, y, self.rule, self.peak)
            if wide.valid is None or wide.valid[band].all():
                self.total[band] += values.sum()
                self.count[band] += values.size
                continue
            use = _untouched(np.pad(wide.valid[band], pad, constant_values=True), self.rule.taps)
            self.total[band] += values[use].sum()
            self.count[band] += int(use.sum())
            self.left_out += int((~use).sum())

    @property
    def mean_per_band(self) -> np.ndarray:
        """Mean similarity of each band; NaN where no window is counted."""
        return ratio(self.total, self.count)


def holds_window(inside: np.ndarray, rule: SsimRule) -> bool:
    """Whether a window of SSIM has no pixel outside of a region (height, width)."""
    pad = rule.margin if rule.border == "zero" else 0
    return bool(_untouched(np.pad(inside, pad, constant_values=True), rule.taps).any())


def ssim_windows(x: np.ndarray, y: np.ndarray, rule: SsimRule, peak: float) -> np.ndarray:
    """Structural similarity of every window inside two planes.

    Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing 13(4), 2004.
    Filters the sum and the difference of the planes, which takes four filters instead of five:
    ``2 xy = (s² - d²) / 2`` and ``x² + y² = (s² + d²) / 2`` for ``s = x + y``, ``d = x - y``.

    Parameters
    ----------
    x, y : ndarray, shape (height, width), float64
        Two planes, at least ``rule.taps`` high and wide.
    rule : SsimRule
        The window.
    peak : float
        Full scale.

    Returns
    -------
    ndarray, shape (height - taps + 1, width - taps + 1)
    """
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    total, apart = x + y, x - y
    mean_s, mean_d = _window_mean(total, rule), _window_mean(apart, rule)
    var_s = _window_mean(total * total, rule) - mean_s**2
    var_d = _window_mean(apart * apart, rule) - mean_d**2
    if rule.sample_covariance:
        samples = rule.taps**2
        var_s *= samples / (samples - 1)
        var_d *= samples / (samples - 1)
    mean_s **= 2
    mean_d **= 2
    luminance: np.ndarray = ((mean_s - mean_d) / 2 + c1) / ((mean_s + mean_d) / 2 + c1)
    structure: np.ndarray = ((var_s - var_d) / 2 + c2) / ((var_s + var_d) / 2 + c2)
    similarity: np.ndarray = luminance * structure
    return similarity


def _window_mean(plane: np.ndarray, rule: SsimRule) -> np.ndarray:
    from scipy.ndimage import correlate1d

    weights = np.ones(rule.taps)
    if rule.window == "gaussian":
        weights = np.exp(-0.5 * ((np.arange(rule.taps) - rule.margin) / rule.sigma) ** 2)
    weights = weights / weights.sum()
    inner = slice(rule.margin, -rule.margin)
    rows = correlate1d(plane, weights, axis=0, mode="constant")[inner]
    return np.asarray(correlate1d(rows, weights, axis=1, mode="constant"))[:, inner]


def _untouched(valid: np.ndarray, taps: int) -> np.ndarray:
    from scipy.ndimage import minimum_filter

    inner = slice(taps // 2, -(taps // 2))
    return np.asarray(minimum_filter(valid.astype(np.uint8), taps))[inner, inner] > 0
