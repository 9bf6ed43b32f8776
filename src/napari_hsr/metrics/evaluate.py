"""Compare a prediction with the ground truth under a protocol, in two passes over row blocks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.conversion.wavelengths import common_grid
from napari_hsr.cube import Cube
from napari_hsr.errors import InputError
from napari_hsr.io.bands import without_bad_bands
from napari_hsr.metrics.colour_difference import differences
from napari_hsr.metrics.evaluation import Evaluation
from napari_hsr.metrics.formulas import (
    AngleSums,
    Moments,
    RelativeErrors,
    Similarity,
    SquaredErrors,
    Sums,
    clipped,
    decibels,
    holds_window,
    ratio,
)
from napari_hsr.metrics.match import match
from napari_hsr.metrics.protocols import Protocol, get_protocol
from napari_hsr.metrics.region import Inside, checked_mask, inner, without_outside
from napari_hsr.metrics.row_blocks import Block, Pair
from napari_hsr.metrics.streaming_sums import summed
from napari_hsr.metrics.survey import Counts, Survey, remarks_on
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress, result_of, stop_if
from napari_hsr.workers import checked

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self

    from distributed import Client
    from numpy.typing import ArrayLike

    from napari_hsr.metrics.colour_difference import ColourDifference

#: What is said of bands before they are compared.
_OF_GRIDS = (Code.RESAMPLED, Code.BAD_BANDS_LEFT_OUT)


@told
def evaluate(
    prediction: Any,
    truth: Any,
    protocol: str | Protocol = "default",
    *,
    progress: Callable[[int, int], Any] | None = None,
    cancel: threading.Event | None = None,
    resample: bool = False,
    bad_bands: bool = False,
    mask: ArrayLike | None = None,
    lights: Sequence[str] = (),
    client: Client | None = None,
) -> Evaluation:
    """Compare a prediction with the truth under a named protocol.

    Parameters
    ----------
    prediction, truth : Cube or array-like, shape (bands, height, width)
        Cubes, or bare arrays of real numbers, on the same wavelength grid or with the coarser
        grid contained in the finer. Lazy cubes are read twice, in blocks of rows.
    protocol : str or Protocol
        A name from :data:`napari_hsr.metrics.PROTOCOLS`, or your own protocol
        (``dataclasses.replace(PROTOCOLS["default"], name="12-bit", peak=4095)``).
    progress : callable, optional
        Called as ``progress(done, total)`` after each block.
    cancel : threading.Event, optional
        When set, the work stops after the current block.
    resample : bool
        Resample the cube of more bands to the grid of the other, where they differ
        (:func:`napari_hsr.conversion.common_grid`).
    bad_bands : bool
        Compare also the bands that either cube marks as bad (``bbl``).
    mask : array-like, shape (height, width), optional
        Compare only the pixels where it is not zero. Floors that are a share of the truth's
        maximum then take that of the region.
    lights : sequence of str
        Lights under which the mean CIE ΔE00 is given (``Evaluation.delta_e``): ``"D65"``,
        ``"A"``, ``"3200K"``, ``"lamps.csv:NAME"``. Both cubes must hold reflectances.
    client : distributed.Client, optional
        Its workers compute the figures, the same to the last bit. They read zarr stores that they
        see under the same path themselves; of other cubes the values are sent to them.

    Returns
    -------
    Evaluation
        Samples that are not finite in either cube are excluded and counted.

    Raises
    ------
    InputError
        If the cubes differ in size, their bands cannot be matched, the protocol is not known,
        its crop leaves nothing of the image, or the client has no workers of this version.
    napari_hsr.errors.Cancelled
        If ``cancel`` was set.
    """
    options = locals()  # all of these, before there is another
    progress = options.pop("progress")
    report = None if progress is None else (lambda event: progress(event.done, event.total))
    return result_of(evaluate_events(**options), report)


@told
def evaluate_events(
    prediction: Any,
    truth: Any,
    protocol: str | Protocol = "default",
    *,
    cancel: threading.Event | None = None,
    resample: bool = False,
    bad_bands: bool = False,
    mask: ArrayLike | None = None,
    lights: Sequence[str] = (),
    client: Client | None = None,
) -> Iterator[Progress | Evaluation]:
    """:func:`evaluate` as events: progress after each block of both passes, then the result."""
    rules = get_protocol(protocol)
    if client is not None:
        checked(client, cancel)
    resampled: list[Notice] = []
    if resample and isinstance(prediction, Cube) and isinstance(truth, Cube):
        if not bad_bands:  # they must not be mixed into the others
            prediction, truth = without_bad_bands(prediction), without_bad_bands(truth)
        prediction, truth = common_grid(prediction, truth)
        found = (*prediction.notices, *truth.notices)
        resampled = [notice for notice in found if notice.code in _OF_GRIDS]
    first, second, wavelengths, notes = match(prediction, truth, bad_bands)
    colours = differences(prediction, truth, wavelengths, lights)
    region = None if mask is None else checked_mask(mask, second.shape)
    pair = Pair(first, second if region is None else Inside(second, region), rules.crop)
    stop_if(cancel)
    counts = Counts(pair.shape, rules)
    yield from summed(pair, counts, cancel, client)
    seen = counts.survey()
    figures = _Figures(pair.shape, rules, seen, colours)
    yield from summed(pair, figures, cancel, client, pair.block_count)
    figures.finish(None if region is None else inner(region, rules.crop))
    excluded = figures.excluded
    inside: tuple[Notice, ...] = ()
    if region is not None:
        excluded, told = without_outside(excluded, region, rules.crop, pair.shape[0])
        inside = (told,)
    units = [(c.units if isinstance(c, Cube) else None) or "" for c in (prediction, truth)]
    known = {"rmse": units[1], "psnr": "dB", "psnr_band": "dB", "sam": "°"}
    remarks = remarks_on(seen, rules, figures.values.get("mrae", 0.0), *units)
    yield Evaluation(
        values={key: figures.values[key] for key in rules.metrics},
        per_band={key: values.tolist() for key, values in figures.per_band.items()},
        wavelengths=None if wavelengths is None else tuple(wavelengths),
        protocol=rules.name,
        protocol_text=rules.description,
        units={key: known.get(key, "") for key in (*rules.metrics, *figures.per_band)},
        excluded=excluded,
        notes=(*inside, *resampled, *notes, *remarks, *figures.notes),
        prediction=prediction.name if isinstance(prediction, Cube) else "prediction",
        truth=truth.name if isinstance(truth, Cube) else "truth",
        delta_e={colour.name: colour.mean for colour in figures.colours},
    )


@told
def average(evaluations: Iterable[Evaluation]) -> dict[str, float]:
    """Mean of each figure over several scenes evaluated by one protocol.

    Raises
    ------
    InputError
        If there are none, or their protocols differ.
    """
    evaluations = list(evaluations)
    protocols = sorted({e.protocol for e in evaluations})
    if len(protocols) != 1:
        raise InputError(
            f"One protocol is needed for a mean, not {', '.join(protocols) or 'none'}."
        )
    return {
        key: math.fsum(e.values[key] for e in evaluations) / len(evaluations)
        for key in evaluations[0].values
    }


class _Figures:
    """The second pass: the sums that the protocol needs, and the figures that follow from them."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        protocol: Protocol,
        first: Survey,
        colours: Sequence[ColourDifference] = (),
    ):
        self.values: dict[str, float] = {}
        self.per_band: dict[str, np.ndarray] = {}
        self.excluded: dict[str, int | float] = {}
        self.notes: list[Notice] = []
        bands, height, _ = self.shape = shape
        self.protocol, self.survey, self.colours = protocol, first, colours
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
            self.similarity = Similarity(shape, protocol.ssim, protocol.peak)

    @property
    def margin(self) -> int:
        return 0 if self.similarity is None else self.protocol.ssim.margin

    def add(self, core: Block, wide: Block) -> None:
        protocol = self.protocol
        for colour in self.colours:
            colour.add(core)
        core = clipped(core, protocol.clip, protocol.peak)
        self.errors.add(core)
        if self.psnr_errors is not self.errors:
            self.psnr_errors.add(clipped(core, protocol.clip_psnr, protocol.peak))
        for part in (self.relative, self.mrse, self.angles, self.moments):
            if part is not None:
                part.add(core)
        if self.similarity is not None:
            self.similarity.add(core, clipped(wide, protocol.clip, protocol.peak))

    def join(self, other: Self) -> None:
        """Add the sums of another span."""
        for mine, theirs in zip(self._sums(), other._sums(), strict=True):
            mine.join(theirs)

    def _sums(self) -> list[Sums]:
        some = [self.errors, self.relative, self.mrse, self.angles, self.moments, self.similarity]
        if self.psnr_errors is not self.errors:
            some.append(self.psnr_errors)
        return [each for each in (*some, *self.colours) if each is not None]

    def finish(self, region: np.ndarray | None = None) -> None:
        """Compute the figures once all blocks are added; of a region (height, width) alone, say so."""
        protocol, first = self.protocol, self.survey
        peak, equal = protocol.peak, protocol.psnr_of_equal
        psnr_per_band = decibels(self.psnr_errors.mse_per_band, peak, equal)
        self.per_band |= {"rmse": np.sqrt(self.errors.mse_per_band), "psnr": psnr_per_band}
        self.values |= {
            "rmse": math.sqrt(self.errors.mse),
            "psnr": float(decibels(self.psnr_errors.mse, peak, equal)),
            "psnr_band": _mean(psnr_per_band[first.live]),
        }
        self._excluded("nonfinite", first.nonfinite, math.prod(self.shape))
        if self.relative is not None:
            self._mrae(self.relative)
        if self.mrse is not None:
            self.values["mrse"] = float(ratio(self.mrse.squares.sum(), self.mrse.count.sum()))
        if self.angles is not None:
            self._sam(self.angles)
        if self.moments is not None:
            self.per_band["cc"] = self.moments.correlation
            self.values["cc"] = _mean(self.per_band["cc"], skip=True)
            self._leave_out(np.isnan(self.per_band["cc"]), "CC", "are constant")
        if "ergas" in protocol.metrics:
            self._ergas()
        if self.similarity is not None:
            self._ssim(self.similarity, region)

    def _mrae(self, relative: RelativeErrors) -> None:
        self.values["mrae"] = float(ratio(relative.total.sum(), relative.count.sum()))
        self.per_band["mrae"] = ratio(relative.total, relative.count)
        finite = math.prod(self.shape) - self.survey.nonfinite
        self._excluded("mrae_below_floor", relative.below_floor, max(1, finite))

    def _sam(self, angles: AngleSums) -> None:
        bands, height, width = self.shape
        self.values["sam"] = angles.mean if bands > 1 else math.nan
        if bands == 1:
            self._undefined("SAM is not defined: a spectrum of one band has no direction.")
        self._excluded("sam_black", angles.black, height * width)
        self.excluded["sam_below_floor"] = angles.below_floor
        self.excluded["sam_nonfinite"] = angles.nonfinite
        if angles.right_angles and self.protocol.sam.zeros != "filled":
            told = f"Pixels with a black spectrum that count 90° in SAM: {angles.right_angles}."
            self.notes.append(Notice.info(Code.BLACK_SPECTRA, told))

    def _ergas(self) -> None:
        means = self.survey.truth_means
        dark = means == 0
        self._leave_out(dark, "ERGAS", "have a mean of 0")
        usable = self.survey.live & ~dark
        terms = self.errors.mse_per_band[usable] / means[usable] ** 2
        self.values["ergas"] = 100 / self.protocol.ergas_ratio * math.sqrt(_mean(terms))

    def _ssim(self, similarity: Similarity, region: np.ndarray | None) -> None:
        taps = self.protocol.ssim.taps
        self.excluded["ssim_windows"] = similarity.left_out
        self.per_band["ssim"] = similarity.mean_per_band
        self.values["ssim"] = value = _mean(self.per_band["ssim"], skip=True)
        if not similarity.fits:
            told = f"SSIM is not defined: the image is smaller than its {taps} x {taps} window."
            self._undefined(told)
        elif math.isnan(value) and region is not None and not holds_window(region, similarity.rule):
            told = f"SSIM is not defined: no window of {taps} x {taps} pixels lies wholly inside the region."
            self._undefined(told)
        elif math.isnan(value):
            self._undefined("SSIM is not defined: every window holds a value that is not finite.")

    def _undefined(self, told: str) -> None:
        self.notes.append(Notice.warning(Code.FIGURE_UNDEFINED, told))

    def _excluded(self, key: str, count: int, of: int) -> None:
        self.excluded |= {key: count, f"{key}_share": count / of}

    def _leave_out(self, which: np.ndarray, metric: str, why: str) -> None:
        number = int((which & self.survey.live).sum())
        if number:
            told = f"{number} of {which.size} bands {why} and are left out of {metric}."
            self.notes.append(Notice.warning(Code.BANDS_LEFT_OUT, told))


def _mean(values: np.ndarray, skip: bool = False) -> float:
    """Mean without a warning for none; ``skip`` leaves NaN out."""
    if skip:
        values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else math.nan
