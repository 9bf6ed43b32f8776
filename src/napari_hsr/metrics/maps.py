"""Error maps: one figure for each pixel.

All functions take ``prediction`` and ``truth`` of shape (bands, height, width) — arrays, memory
maps or lazy arrays — read them in row blocks and return an :class:`ErrorMap`. Samples that are NaN
or infinite in either cube are left out; pixels where nothing is left are NaN. They raise
:class:`napari_hsr.errors.InputError` if the arrays do not fit each other. :data:`MAPS` has each as
a generator that also yields its progress, and stops at the next block once ``cancel`` (a
``threading.Event``) is set.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.metrics.formulas import decibels, ratio, relative_errors, spectral_angles
from napari_hsr.metrics.protocols import MraeRule
from napari_hsr.metrics.row_blocks import Block, Pair
from napari_hsr.progress import Progress, result_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

#: Cap on PSNR in maps: equal pixels have an infinite PSNR, which has no colour.
PSNR_CAP_DB = 100.0
#: Side of the sliding window of :func:`psnr_window`, in pixels.
DEFAULT_WINDOW = 11


@dataclass(frozen=True, eq=False)
class ErrorMap:
    """A map with one figure for each pixel.

    Attributes
    ----------
    data : ndarray, shape (height, width), float32
        The figures; NaN where undefined.
    name : str
        Of the figure, for layers and colour bars.
    unit : str
        ``"°"``, ``"dB"``, the cube's own, or empty.
    better : {"low", "high"}
        Whether low or high values are good.
    limits : tuple of float
        Display range: for errors 0 to the 99th percentile, so that one bad pixel does not make
        all others black; for PSNR the 1st to the 99th. Always ascending and finite; the data are not
        clipped to it, and :attr:`beyond` reports what lies outside.
    note : str
        What the user must know, or empty.
    """

    data: np.ndarray
    name: str
    unit: str
    better: Literal["low", "high"]
    limits: tuple[float, float]
    note: str = ""

    @property
    def beyond(self) -> str:
        """One sentence on the pixels outside :attr:`limits`, or empty if there are none."""
        finite = self.data[np.isfinite(self.data)]
        (low, high), unit = self.limits, self.unit if self.unit == "°" else f" {self.unit}".rstrip()
        # float32 data against float64 limits: their own rounding is no clipping
        slack = 1e-6 * max(abs(low), abs(high))
        number = int(((finite < low - slack) | (finite > high + slack)).sum())
        if not number:
            return ""
        share = f"{number / finite.size:.1%}" if number / finite.size >= 0.001 else "< 0.1%"
        # what a display cannot tell from 0 is no figure: 6.35e-12°
        least, most = (0.0 if abs(end) <= slack else end for end in (finite.min(), finite.max()))
        return (
            f"The colours go from {low:.3g} to {high:.3g}{unit}; {share} of the pixels lie "
            f"outside (all values: {least:.3g} to {most:.3g}{unit})."
        )


#: The maps over all bands by key, each ``function(prediction, truth, *, cancel, **options)`` and a
#: generator of :class:`~napari_hsr.progress.Progress` that ends with the :class:`ErrorMap`.
MAPS: dict[str, Callable[..., Iterator[Progress | ErrorMap]]] = {}


def _error_map(work: Callable[..., Iterator[Progress | ErrorMap]]) -> Callable[..., ErrorMap]:
    """Register a generator in :data:`MAPS`, and turn it into a function that returns the map."""
    MAPS[work.__name__] = work

    @wraps(work)
    def made(prediction: Any, truth: Any, **options: Any) -> ErrorMap:
        return result_of(work(prediction, truth, **options))

    return made


def _painted(
    pair: Pair,
    paint: Callable[[Block], np.ndarray],
    finish: Callable[[np.ndarray], ErrorMap],
    cancel: threading.Event | None,
) -> Iterator[Progress | ErrorMap]:
    """Compute the values block by block, then make a map of them."""
    out = _empty(pair)
    for event in pair.passed(cancel):
        if isinstance(event, Progress):
            yield event
        else:
            out[event.place] = paint(event)
    yield finish(out)


@_error_map
def sam(
    prediction: Any, truth: Any, *, cancel: threading.Event | None = None
) -> Iterator[Progress | ErrorMap]:
    """Spectral angle in degrees, from 0 for equal directions.

    NaN where the truth is black or a sample is not finite; 90 where only the prediction is black.
    """
    pair = Pair(prediction, truth)
    live = _live(pair, cancel)

    def paint(block: Block) -> np.ndarray:
        angles = spectral_angles(block, live)
        angles.degrees[angles.black_truth] = np.nan
        if angles.finite is not None:
            angles.degrees[~angles.finite] = np.nan
        return angles.degrees

    def finish(out: np.ndarray) -> ErrorMap:
        note = _share(np.isnan(out), "have no angle: black or not finite")
        return ErrorMap(out, "SAM", "°", "low", _low_limits(out), note)

    return _painted(pair, paint, finish, cancel)


@_error_map
def rmse(
    prediction: Any, truth: Any, *, unit: str = "", cancel: threading.Event | None = None
) -> Iterator[Progress | ErrorMap]:
    """Root of the mean squared error over the bands, in the cubes' ``unit``."""
    return _painted(
        Pair(prediction, truth),
        lambda block: np.sqrt(ratio(*_squares(block))),
        lambda out: ErrorMap(out, "RMSE", unit, "low", _low_limits(out)),
        cancel,
    )


@_error_map
def mrae(
    prediction: Any,
    truth: Any,
    *,
    floor: float | None = 1e-3,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | ErrorMap]:
    """Mean relative absolute error over the bands whose truth exceeds the floor.

    Parameters
    ----------
    floor : float or None
        Share of the truth's maximum over the whole cube; None: every band counts.
    """
    pair, rule = Pair(prediction, truth), MraeRule(floor)
    threshold = None
    if floor is not None:
        threshold = floor * max(0.0, max(float(b.truth.max()) for b in _quietly(pair, cancel)))

    def paint(block: Block) -> np.ndarray:
        relative, use = relative_errors(block, rule, threshold)
        count = np.full(relative.shape[1:], relative.shape[0]) if use is None else use.sum(axis=0)
        # Without a floor a black truth gives inf or 0/0; neither has a colour.
        with np.errstate(invalid="ignore"):
            values = ratio(relative.sum(axis=0), count)
        values[~np.isfinite(values)] = np.nan
        return values

    def finish(out: np.ndarray) -> ErrorMap:
        note = _share(np.isnan(out), "have no relative error: too dark or not finite")
        return ErrorMap(out, "MRAE", "", "low", _low_limits(out), note)

    return _painted(pair, paint, finish, cancel)


@_error_map
def psnr(
    prediction: Any, truth: Any, *, peak: float = 1.0, cancel: threading.Event | None = None
) -> Iterator[Progress | ErrorMap]:
    """PSNR over the bands of each pixel in dB, full scale ``peak``; capped at 100 dB."""
    pair = Pair(prediction, truth)
    mse = np.empty(pair.shape[1:])

    def paint(block: Block) -> np.ndarray:
        mse[block.place] = ratio(*_squares(block))
        return mse[block.place]

    return _painted(pair, paint, lambda _: _psnr_map(mse, "PSNR", peak), cancel)


@_error_map
def psnr_window(
    prediction: Any,
    truth: Any,
    *,
    size: int = DEFAULT_WINDOW,
    peak: float = 1.0,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | ErrorMap]:
    """PSNR over the bands and a sliding window, in dB; capped at 100 dB.

    The mean squared error is that of all finite samples in a square window around the pixel;
    at the border, of the part of the window that lies in the image.

    Parameters
    ----------
    size : int
        Side of the window in pixels, odd.
    peak : float
        Full scale of the values.
    """
    if size < 1 or size % 2 == 0:
        raise InputError(f"The window's side must be an odd number of pixels, not {size}.")
    pair = Pair(prediction, truth)
    total = np.empty(pair.shape[1:])
    count = np.empty(pair.shape[1:], dtype=np.int32)

    def paint(block: Block) -> np.ndarray:
        total[block.place], count[block.place] = _squares(block)
        return total[block.place]

    def finish(_: np.ndarray) -> ErrorMap:
        mse = ratio(_window_sum(total, size), _window_sum(count, size))
        # A pixel without a value stays undefined: the map does not fill holes.
        mse[count == 0] = np.nan
        return _psnr_map(mse, f"PSNR in {size} x {size} px", peak)

    return _painted(pair, paint, finish, cancel)


def _empty(pair: Pair) -> np.ndarray:
    return np.full(pair.shape[1:], np.nan, dtype=np.float32)


def _quietly(pair: Pair, cancel: threading.Event | None) -> Iterator[Block]:
    """A first pass, too short to report progress."""
    for event in pair.passed(cancel):
        if isinstance(event, Block):
            yield event


def _squares(block: Block) -> tuple[np.ndarray, np.ndarray]:
    """Sum of squared errors over bands, and the number of samples, of each pixel."""
    error = block.prediction - block.truth
    total = np.einsum("bhw,bhw->hw", error, error)
    if block.valid is None:
        return total, np.full(total.shape, error.shape[0])
    return total, block.valid.sum(axis=0)


def _live(pair: Pair, cancel: threading.Event | None) -> np.ndarray:
    live = np.zeros(pair.shape[0], dtype=bool)
    for block in _quietly(pair, cancel):
        if block.valid is None:
            return np.ones_like(live)
        live |= block.valid.any(axis=(1, 2))
        if live.all():
            break
    return live


def _window_sum(values: np.ndarray, size: int) -> np.ndarray:
    """Sums over windows, truncated at the border; direct, so that zeros stay exact."""
    from scipy.ndimage import correlate1d

    ones = np.ones(size)
    rows = correlate1d(values, ones, axis=0, mode="constant")
    return np.asarray(correlate1d(rows, ones, axis=1, mode="constant"))


def _psnr_map(mse: np.ndarray, name: str, peak: float) -> ErrorMap:
    values = decibels(mse, peak)
    note = _share(
        values > PSNR_CAP_DB, f"exceed {PSNR_CAP_DB:g} dB and are drawn as {PSNR_CAP_DB:g}"
    )
    out = np.minimum(values, PSNR_CAP_DB).astype(np.float32)
    finite = out[np.isfinite(out)]
    low, high = np.percentile(finite, (1, 99)) if finite.size else (0.0, 1.0)
    return ErrorMap(out, name, "dB", "high", _ascending(float(low), float(high)), note)


def _share(which: np.ndarray, what: str) -> str:
    number = int(which.sum())
    return f"{number} of {which.size} pixels {what}." if number else ""


def _low_limits(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return (0.0, 1.0)
    high = float(np.percentile(finite, 99)) or float(finite.max())
    return _ascending(0.0, high)


def _ascending(low: float, high: float) -> tuple[float, float]:
    """The range, widened if it is empty."""
    if high > low:
        return (low, high)
    return (low, low + 1.0)
