"""The first pass over two cubes: means and ranges, and what must be said of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.metrics.formulas import Sums, clipped, ratio
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from napari_hsr.metrics.protocols import Protocol
    from napari_hsr.metrics.row_blocks import Block


#: Value ranges that differ by more than this factor are reported as different scales.
SCALE_FACTOR = 10.0


@dataclass(frozen=True)
class Survey:
    """What the first pass finds: means, ranges and the number of finite samples.

    Attributes
    ----------
    count : ndarray of int, shape (bands,)
        Samples that are finite in both cubes.
    prediction_means, truth_means : ndarray, shape (bands,)
        Means of the bands, after the protocol's clipping.
    prediction_range, truth_range : tuple of float
        Smallest and largest finite value, before any clipping; NaN if there is none.
    nonfinite : int
        Samples that are NaN or infinite in either cube.
    """

    count: np.ndarray
    prediction_means: np.ndarray
    truth_means: np.ndarray
    prediction_range: tuple[float, float]
    truth_range: tuple[float, float]
    nonfinite: int

    @property
    def live(self) -> np.ndarray:
        """Bands with any finite sample."""
        return self.count > 0


class Counts(Sums):
    """The first pass: what :class:`Survey` follows from."""

    ADDED = ("count", "sums")
    margin = 0

    def __init__(self, shape: tuple[int, int, int], protocol: Protocol):
        self._shape, self._protocol = shape, protocol
        self.count = np.zeros(shape[0], dtype=np.int64)
        self.sums = np.zeros((2, shape[0]))
        self._ranges = [(math.inf, -math.inf)] * 2

    def add(self, core: Block, _wide: Block) -> None:
        """Add one block."""
        usable = [v if core.valid is None else v[core.valid] for v in (core.prediction, core.truth)]
        if usable[0].size:
            self._widen([(float(values.min()), float(values.max())) for values in usable])
        block = clipped(core, self._protocol.clip, self._protocol.peak)
        self.count += block.counts()
        self.sums += [block.prediction.sum(axis=(1, 2)), block.truth.sum(axis=(1, 2))]

    def join(self, other: Self) -> None:
        """Add those of another span."""
        super().join(other)
        self._widen(other._ranges)

    def _widen(self, ranges: Sequence[tuple[float, float]]) -> None:
        both = zip(self._ranges, ranges, strict=True)
        self._ranges = [(min(a, c), max(b, d)) for (a, b), (c, d) in both]

    def survey(self) -> Survey:
        """All blocks are added."""
        spans = [(low, high) if low <= high else (math.nan, math.nan) for low, high in self._ranges]
        nonfinite = math.prod(self._shape) - int(self.count.sum())
        means = ratio(self.sums, np.stack([self.count, self.count]))
        return Survey(self.count, means[0], means[1], spans[0], spans[1], nonfinite)


def remarks_on(
    seen: Survey, rules: Protocol, mrae: float, p_units: str, t_units: str
) -> Iterator[Notice]:
    """Warn about the values: scales, units, and figures that they leave undefined."""
    p_range, t_range = seen.prediction_range, seen.truth_range
    p_top, t_top = (max(abs(low), abs(high)) for low, high in (p_range, t_range))
    t_span = f"{t_range[0]:.4g}..{t_range[1]:.4g}"
    if max(p_top, t_top) > SCALE_FACTOR * min(p_top, t_top):
        yield Notice.warning(
            Code.SCALES_DIFFER,
            f"The scales differ: the prediction spans {p_range[0]:.4g}..{p_range[1]:.4g} and the "
            f"truth {t_span}; nothing was rescaled.",
        )
    uses_peak = {"psnr", "psnr_band", "ssim"} & set(rules.metrics)
    if uses_peak and not rules.peak / SCALE_FACTOR <= t_top <= 2 * rules.peak and t_top > 0:
        yield Notice.warning(
            Code.SCALES_DIFFER,
            f"PSNR and SSIM take {rules.peak:g} as full scale, but the truth spans "
            f"{t_span}: they hold only for values in 0..{rules.peak:g}.",
        )
    if p_units and t_units and p_units != t_units:
        told = f"The units differ: the prediction is in {p_units}, the truth in {t_units}."
        yield Notice.warning(Code.UNITS_DIFFER, told)
    dead = int((~seen.live).sum())
    if dead:
        told = f"{dead} of {seen.live.size} bands hold no finite value and are left out."
        yield Notice.warning(Code.BANDS_LEFT_OUT, told)
    if not seen.live.any():
        told = "No figure is defined: no sample is finite in both cubes."
        yield Notice.warning(Code.FIGURE_UNDEFINED, told)
    if rules.positive_truth and t_range[0] <= 0:
        yield Notice.warning(
            Code.SCENE_NOT_IN_PROTOCOL,
            "The original program leaves out scenes whose truth has a value of 0 or less; "
            "this is one.",
        )
    if "mrae" in rules.metrics and not math.isfinite(mrae) and seen.live.any():
        told = "MRAE is not finite: this protocol divides by the zeros of the truth."
        if rules.mrae.floor is not None:
            told = (
                "MRAE is not defined: no sample of the truth lies above its floor "
                f"(the largest value is {t_range[1]:.4g})."
            )
        yield Notice.warning(Code.FIGURE_UNDEFINED, told)
