"""One comparison of two arrays under a protocol: two passes in row blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.metrics.accumulators import (
    AngleSums,
    Moments,
    RelativeErrors,
    Similarity,
    SquaredErrors,
    clipped,
    decibels,
    ratio,
)
from napari_hsr.metrics.row_blocks import Block, Pair
from napari_hsr.progress import Progress, stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterator

    from napari_hsr.metrics.protocols import Protocol


@dataclass(frozen=True)
class Survey:
    """What the first pass finds.

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


@dataclass(frozen=True)
class Measured:
    """Figures of one comparison.

    Attributes
    ----------
    values : dict of str to float
        One figure for each metric of the protocol; NaN where it is not defined.
    per_band : dict of str to ndarray, shape (bands,)
        ``rmse``, ``psnr`` and whichever of ``mrae``, ``ssim`` and ``cc`` the protocol has.
    excluded : dict of str to int or float
        What was left out: see :class:`napari_hsr.metrics.Evaluation`.
    survey : Survey
        The first pass.
    notes : tuple of str
        Sentences on what is not defined and why.
    """

    values: dict[str, float]
    per_band: dict[str, np.ndarray]
    excluded: dict[str, int | float]
    survey: Survey
    notes: tuple[str, ...] = field(default=())


def survey(
    pair: Pair, protocol: Protocol, cancel: threading.Event | None
) -> Generator[Progress, None, Survey]:
    """The first pass: means, extremes and the number of finite samples."""
    bands, height, width = pair.shape
    count = np.zeros(bands, dtype=np.int64)
    sums = np.zeros((2, bands))
    ranges = [[math.inf, -math.inf], [math.inf, -math.inf]]
    for done, (block, _) in enumerate(pair.blocks(), 1):
        for found, values in zip(ranges, (block.prediction, block.truth), strict=True):
            usable = values if block.valid is None else values[block.valid]
            if usable.size:
                found[0] = min(found[0], float(usable.min()))
                found[1] = max(found[1], float(usable.max()))
        block = clipped(block, protocol.clip, protocol.peak)
        count += block.counts()
        sums += [block.prediction.sum(axis=(1, 2)), block.truth.sum(axis=(1, 2))]
        stop_if(cancel)
        yield Progress(done, 2 * pair.block_count)
    spans = [(low, high) if low <= high else (math.nan, math.nan) for low, high in ranges]
    nonfinite = bands * height * width - int(count.sum())
    means = ratio(sums, np.stack([count, count]))
    return Survey(count, means[0], means[1], spans[0], spans[1], nonfinite)


def measure_events(
    prediction: Any,
    truth: Any,
    protocol: Protocol,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | Measured]:
    """Every metric of the protocol for two arrays of the same shape.

    Parameters
    ----------
    prediction, truth : array-like, shape (bands, height, width)
        Arrays, memory maps or lazy arrays; read in row blocks, twice.
    protocol : Protocol
        The rules.
    cancel : threading.Event, optional
        When set, the work stops at the next block.

    Yields
    ------
    Progress
        After each block of both passes.
    Measured
        At the end.

    Raises
    ------
    InputError
        If the arrays do not fit each other or the protocol.
    napari_hsr.errors.Cancelled
        If ``cancel`` was set.
    """
    pair = Pair(prediction, truth, protocol.crop)
    stop_if(cancel)
    first = yield from survey(pair, protocol, cancel)
    sums = _Sums(pair, protocol, first)
    for done, (core, wide) in enumerate(pair.blocks(margin=sums.margin), pair.block_count + 1):
        sums.add(core, wide)
        stop_if(cancel)
        yield Progress(done, 2 * pair.block_count)
    yield sums.result()


class _Sums:
    """All sums of the second pass, as far as the protocol needs them."""

    def __init__(self, pair: Pair, protocol: Protocol, first: Survey):
        bands, height, _ = pair.shape
        self.pair, self.protocol, self.survey = pair, protocol, first
        self.errors = SquaredErrors(bands)
        self.psnr_errors = SquaredErrors(bands) if protocol.clip_psnr != "none" else self.errors
        self.relative = self.angles = self.moments = self.similarity = self.mrse = None
        top = first.truth_range[1]
        if protocol.clip == "both":
            top = min(top, protocol.peak)
        wanted = protocol.metrics
        if "mrae" in wanted:
            self.relative = RelativeErrors(bands, protocol.mrae, top)
        if "mrse" in wanted:
            self.mrse = RelativeErrors(bands, protocol.mrse_rule, top)
        if "sam" in wanted:
            self.angles = AngleSums(height, protocol.sam, first.live)
        if "cc" in wanted:
            self.moments = Moments(first.prediction_means, first.truth_means)
        if "ssim" in wanted:
            self.similarity = Similarity(pair.shape, protocol.ssim, protocol.peak)

    @property
    def margin(self) -> int:
        return 0 if self.similarity is None else self.protocol.ssim.margin

    def add(self, core: Block, wide: Block) -> None:
        protocol = self.protocol
        core = clipped(core, protocol.clip, protocol.peak)
        self.errors.add(core)
        if self.psnr_errors is not self.errors:
            self.psnr_errors.add(clipped(core, protocol.clip_psnr, protocol.peak))
        for part in (self.relative, self.mrse, self.angles, self.moments):
            if part is not None:
                part.add(core)
        if self.similarity is not None:
            self.similarity.add(core, clipped(wide, protocol.clip, protocol.peak))

    def result(self) -> Measured:
        protocol, first = self.protocol, self.survey
        peak, equal = protocol.peak, protocol.psnr_of_equal
        psnr_per_band = decibels(self.psnr_errors.mse_per_band, peak, equal)
        per_band = {"rmse": np.sqrt(self.errors.mse_per_band), "psnr": psnr_per_band}
        found: dict[str, float] = {
            "rmse": math.sqrt(self.errors.mse),
            "psnr": float(decibels(self.psnr_errors.mse, peak, equal)),
            "psnr_band": _mean(psnr_per_band[first.live]),
        }
        notes: list[str] = []
        samples = math.prod(self.pair.shape)
        excluded: dict[str, int | float] = {
            "nonfinite": first.nonfinite,
            "nonfinite_share": first.nonfinite / samples,
        }
        if self.relative is not None:
            found["mrae"] = float(ratio(self.relative.total.sum(), self.relative.count.sum()))
            per_band["mrae"] = ratio(self.relative.total, self.relative.count)
            below = self.relative.below_floor
            excluded |= {
                "mrae_below_floor": below,
                "mrae_below_floor_share": below / max(1, samples - first.nonfinite),
            }
        if self.mrse is not None:
            found["mrse"] = float(ratio(self.mrse.squares.sum(), self.mrse.count.sum()))
        if self.angles is not None:
            found["sam"] = self.angles.mean if self.pair.shape[0] > 1 else math.nan
            if self.pair.shape[0] == 1:
                notes.append("SAM is not defined: a spectrum of one band has no direction.")
            pixels = self.pair.shape[1] * self.pair.shape[2]
            excluded |= {
                "sam_black": self.angles.black,
                "sam_black_share": self.angles.black / pixels,
                "sam_below_floor": self.angles.below_floor,
                "sam_nonfinite": self.angles.nonfinite,
            }
            if self.angles.right_angles and protocol.sam.zeros != "filled":
                notes.append(
                    f"Pixels with a black spectrum that count 90° in SAM: {self.angles.right_angles}."
                )
        if self.moments is not None:
            per_band["cc"] = self.moments.correlation
            found["cc"] = _mean(per_band["cc"], skip=True)
            notes += self._left_out(np.isnan(per_band["cc"]), "CC", "are constant")
        if "ergas" in protocol.metrics:
            found["ergas"] = self._ergas(notes)
        if self.similarity is not None:
            found["ssim"], per_band["ssim"] = self._ssim(self.similarity, notes, excluded)
        values = {key: found[key] for key in protocol.metrics}
        return Measured(values, per_band, excluded, first, tuple(notes))

    def _ergas(self, notes: list[str]) -> float:
        means = self.survey.truth_means
        dark = means == 0
        notes += self._left_out(dark, "ERGAS", "have a mean of 0")
        usable = self.survey.live & ~dark
        terms = self.errors.mse_per_band[usable] / means[usable] ** 2
        return 100 / self.protocol.ergas_ratio * math.sqrt(_mean(terms))

    def _ssim(
        self, similarity: Similarity, notes: list[str], excluded: dict[str, int | float]
    ) -> tuple[float, np.ndarray]:
        taps = self.protocol.ssim.taps
        excluded["ssim_windows"] = similarity.left_out
        per_band = similarity.mean_per_band
        value = _mean(per_band, skip=True)
        if not similarity.fits:
            notes.append(
                f"SSIM is not defined: the image is smaller than its {taps} x {taps} window."
            )
        elif math.isnan(value):
            notes.append("SSIM is not defined: every window holds a value that is not finite.")
        return value, per_band

    def _left_out(self, which: np.ndarray, metric: str, why: str) -> list[str]:
        number = int((which & self.survey.live).sum())
        if not number:
            return []
        return [f"{number} of {which.size} bands {why} and are left out of {metric}."]


def _mean(values: np.ndarray, skip: bool = False) -> float:
    """Mean without a warning for none; ``skip`` leaves NaN out."""
    if skip:
        values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else math.nan
