"""Back-projection: make a super-resolved cube consistent with the coarse cube it came from.

Given an estimate x, a coarse cube y, a known degradation D and an upsampling U, each iteration
adds the upsampled residual, ``x + c U(y - D x)`` (Irani and Peleg, 1991). FineSR (DualSR) sets
the gain c to the mean spectral angle between D x and y in degrees, at most 1, so that steps
shrink as spectra agree and the residual falls as 1 / iterations; with a gain of 1 it falls
geometrically and reaches a tolerance. This needs no ground truth and no training.

All iterations are on the coarse grid: with r = y - D x, one takes r to ``r - c D U r``, so the
fine cube is read once at the beginning and changed once at the end, ``x + U(sum of c r)``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.errors import InputError
from napari_hsr.progress import Progress, result_of, stop_if
from napari_hsr.resample import methods
from napari_hsr.resample.agreement import pixel_angles
from napari_hsr.resample.holes import fill_events
from napari_hsr.resample.refinement import Pass, Refinement
from napari_hsr.resample.resize import Resampler, down_part, empty_fine, read, refined, up_part
from napari_hsr.resample.scale_pair import check_pair

if TYPE_CHECKING:
    import threading

    from napari_hsr.cube import Cube
    from napari_hsr.resample.methods import Kind

#: The gain of an iteration: always 1, or FineSR's mean spectral angle.
Gain = Literal["full", "angle"]
GAINS = ("full", "angle")

Place = Callable[[np.ndarray], Any]


@told
def refine_events(
    fine: Cube,
    coarse: Cube,
    scale: int | None = None,
    degradation: str | Kind = "bicubic-matlab",
    *,
    gain: Gain = "full",
    tolerance: float = 1e-3,
    iterations: int = 20,
    place: Callable[[np.ndarray], Any] = np.asarray,
    overwrite: bool = False,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | Refinement]:
    """:func:`refine` as events, with the residual maps and the history.

    Parameters are those of :func:`refine`, and

    Parameters
    ----------
    place : callable
        Moves a NumPy array to where it is computed with, such as a torch device.
    overwrite : bool
        Write the result into the memory of ``fine``. If the work ends early, ``fine`` may be
        incomplete.

    Yields
    ------
    Progress, …, and at last one Refinement.

    Raises
    ------
    InputError
        As :func:`refine`.
    Cancelled
        Soon after ``cancel`` is set.
    """
    start = time.perf_counter()
    kind, scale = methods.find(degradation), check_pair(fine, coarse, scale)
    _check_options(gain, tolerance, iterations)
    way = Resampler(kind, scale, *coarse.shape[1:], back=methods.find(kind.back))
    filled = yield from fill_events(fine, cancel)
    work = _Work(way, filled.cube, coarse, place, cancel, iterations)
    yield from work.measure()
    history = [work.state(0)]
    stopped, enough = "iterations", tolerance * work.length
    for number in range(1, iterations + 1):
        if history[-1].rms <= enough:
            stopped = "tolerance"
            break
        state = yield from work.one_pass(number, history[-1], gain)
        if state is None:
            stopped = "no further"
            break
        history.append(state)
    else:
        if history[-1].rms <= enough:
            stopped = "tolerance"
    data, residual, rms = yield from work.finish(overwrite)
    filled.open_again(data, 1)
    step = (
        f"Refined by back-projection, {history[-1].number} passes, against {coarse.name}, taken "
        f"for the result of {kind.words(scale)} at 1/{scale}: residual {history[0].rms:.3g} → "
        f"{rms:.3g} (RMS)."
    )
    cube = refined(fine, data, step)
    yield Progress(work.total_steps, work.total_steps, "Done")
    found = Refinement(
        cube=cube,
        residual=residual,
        before=work.before,
        history=tuple(history),
        relative=work.relative(rms),
        stopped=stopped,
        tolerance=float(tolerance),
        scale=scale,
        degradation=kind.name,
        seconds=time.perf_counter() - start,
    )
    cube.notices = (*cube.notices, *found.notices())
    yield found


@told
def refine(
    fine: Cube,
    coarse: Cube,
    scale: int | None = None,
    degradation: str | Kind = "bicubic-matlab",
    *,
    gain: Gain = "full",
    tolerance: float = 1e-3,
    iterations: int = 20,
    progress: Callable[[Progress], Any] | None = None,
    cancel: threading.Event | None = None,
) -> Cube:
    """Make a super-resolved cube consistent with the coarse cube it came from.

    Parameters
    ----------
    fine : Cube, shape (bands, scale * height, scale * width)
        The estimate: a network's output, or an interpolation.
    coarse : Cube, shape (bands, height, width)
        What was measured, over the same area. Where it is NaN nothing is corrected; where
        ``fine`` is NaN, the result is.
    scale : int, optional
        2 to 16; by default the ratio of the sizes.
    degradation : str
        How the coarse pixels arise from fine ones; see :func:`napari_hsr.resample.degrade`. A
        wrong degradation spoils the result.
    gain : {"full", "angle"}
        ``"full"``: 1. ``"angle"``: FineSR's, the mean spectral angle in degrees, at most 1, so
        that steps shrink as spectra agree. Either is lowered where it would overshoot.
    tolerance : float
        Stop when the RMS residual falls to this fraction of the coarse cube's RMS, or when a
        pass would no longer lower it; a notice of the cube says if it stays above.
    iterations : int
        Maximum number of passes.
    progress : callable, optional
        Called with a :class:`~napari_hsr.progress.Progress`.
    cancel : threading.Event, optional
        Set it from another thread to stop the work.

    Returns
    -------
    Cube
        Float32, not clipped, with the shape of ``fine``. :func:`refine_events` also gives the
        residual maps and the history.

    Raises
    ------
    InputError
        If sizes, bands or wavelengths do not fit, or an option is invalid.
    Cancelled
        If ``cancel`` was set.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_hsr import Cube, refine
    >>> from napari_hsr.resample import upsample
    >>> coarse = Cube(np.random.default_rng(0).random((5, 6, 7)))
    >>> refine(upsample(coarse, 4), coarse).shape
    (5, 24, 28)
    """
    options = locals()  # all of these, before there is another
    progress = options.pop("progress")
    return result_of(refine_events(**options), progress).cube


class _Work:
    """The state of a refinement: arrays of the coarse cube's size, and the progress."""

    def __init__(
        self,
        way: Resampler,
        fine: Cube,
        coarse: Cube,
        place: Place,
        cancel: threading.Event | None,
        iterations: int,
    ):
        self.way, self.fine, self.coarse, self.place = way, fine, coarse, place
        self._cancel = cancel
        self._parts = list(way.parts(coarse.bands))
        self._done, self.total_steps = 0, len(self._parts) * (iterations + 3)

    def measure(self) -> Iterator[Progress]:
        """The residual of the estimate."""
        goal = np.array(self.coarse.data, np.float32)
        known = np.isfinite(goal)
        self.counted = int(known.sum())
        if not self.counted:
            raise InputError(f"{self.coarse.name} has no values: all are NaN or infinite.")
        self.known_bands = known.sum(0)
        self.known: Any = 1 if known.all() else self.place(known.astype(np.float32))
        goal[~known] = 0
        self.goal = self.place(goal)
        self.residual = self.goal - 0
        for bands, rows in self._parts:
            yield self._progress("Degrading the estimate")
            part = down_part(self.way, self.fine, bands, rows, self.place)
            self.residual[bands, rows] = self.goal[bands, rows] - part
        self.residual = self.residual * self.known
        self.total = self.residual * 0
        self.length = math.sqrt(_inner(self.goal, self.goal) / self.counted)
        self.before = self._rms_map(_numpy(self.residual))

    def relative(self, rms: float) -> float:
        """As a fraction of the coarse cube's RMS."""
        return rms / self.length if self.length else rms

    def state(self, number: int, gain: float | None = None) -> Pass:
        """RMS and mean spectral angle of the current residual."""
        rms = math.sqrt(_inner(self.residual, self.residual) / self.counted)
        return Pass(number, rms, _mean_angle(self.goal, self.residual), gain)

    def one_pass(self, number: int, last: Pass, rule: Gain) -> Generator[Progress, None, Any]:
        """One iteration; None, and no change, if it would not lower the residual."""
        change = self.residual * 0
        for bands, rows in self._parts:
            yield self._progress(f"Back-projection, pass {number}")
            change[bands, rows] = self._there_and_back(bands, rows)
        change = change * self.known
        along, square = _inner(self.residual, change), _inner(change, change)
        if not along > 0:
            return None
        gain = 1.0 if rule == "full" or math.isnan(last.angle) else min(1.0, last.angle)
        if gain * square >= 2 * along:  # it would overshoot: take the optimal step instead
            gain = along / square
        held = self.residual
        self.residual = held - gain * change
        found = self.state(number, gain)
        if not found.rms < last.rms:
            self.residual = held
            return None
        self.total = self.total + gain * held
        return found

    def finish(
        self, overwrite: bool
    ) -> Generator[Progress, None, tuple[np.ndarray, np.ndarray, float]]:
        """The refined cube, and its residual computed afresh: the map and its RMS."""
        way = self.way
        data = self.fine.data if overwrite else empty_fine(self.coarse.bands, way)
        for bands, rows in self._parts:
            yield self._progress("Upsampling the correction")
            at = slice(rows.start * way.scale, rows.stop * way.scale)
            added = up_part(way, self.total[bands], at)
            data[bands, at] = read(self.fine, bands, at) + _numpy(added)
        made, left = self.fine.replace(data=data), _numpy(self.goal - 0)
        for bands, rows in self._parts:
            yield self._progress("Checking the result")
            left[bands, rows] -= _numpy(down_part(way, made, bands, rows, self.place))
        stop_if(self._cancel)
        left *= 1 if isinstance(self.known, int) else _numpy(self.known)
        return data, self._rms_map(left), math.sqrt(_inner(left, left) / self.counted)

    def _rms_map(self, residual: np.ndarray) -> np.ndarray:
        """Over the bands with a value; NaN where there is none."""
        total = np.sum(np.square(residual), axis=0, dtype=np.float64)
        rms: np.ndarray = np.sqrt(_over(total, self.known_bands)).astype(np.float32)
        return rms

    def _there_and_back(self, bands: slice, rows: slice) -> Any:
        start, stop = self.way.rows_down().reads(rows.start, rows.stop)
        lifted = up_part(self.way, self.residual[bands], slice(start, stop))
        return self.way.down(lifted, rows.start, rows.stop, start)

    def _progress(self, message: str) -> Progress:
        stop_if(self._cancel)
        self._done += 1
        return Progress(self._done - 1, self.total_steps, message)


def _check_options(gain: str, tolerance: float, iterations: int) -> None:
    if gain not in GAINS:
        raise InputError(f"There is no gain {gain!r}; there are {', '.join(GAINS)}.")
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise InputError(f"The tolerance must be 0 or above, not {tolerance!r}.")
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
        raise InputError(f"The number of passes must be 1 or more, not {iterations!r}.")


def _inner(first: Any, second: Any) -> float:
    """Sum of products, band by band."""
    return sum(float((a * b).sum()) for a, b in zip(first, second, strict=True))


def _mean_angle(goal: Any, residual: Any) -> float:
    """Mean angle in degrees between y and y - r, over pixels where neither is zero."""
    square: Any = 0
    product: Any = 0
    rest: Any = 0
    for y, r in zip(goal, residual, strict=True):
        square, product, rest = square + y * y, product + y * r, rest + r * r
    found = pixel_angles(*(_numpy(x).astype(np.float64) for x in (square, product, rest)))
    return float(found.mean()) if found.size else math.nan


def _over(total: Any, count: np.ndarray) -> np.ndarray:
    """The quotient, NaN where nothing was counted."""
    return np.where(count, total / np.maximum(count, 1), np.nan)


def _numpy(values: Any) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else values.detach().cpu().numpy()
