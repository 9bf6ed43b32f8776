"""Holding a prediction against a truth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_hsr.cube import Cube
from napari_hsr.metrics.evaluation import Evaluation
from napari_hsr.metrics.match import match
from napari_hsr.metrics.measure import Measured, measure
from napari_hsr.metrics.protocols import Protocol, get_protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

#: Value ranges further apart than this are called different scales.
SCALE_FACTOR = 10.0


def evaluate(
    prediction: Any,
    truth: Any,
    protocol: str | Protocol = "default",
    *,
    progress: Callable[[int, int], Any] | None = None,
    cancel: threading.Event | None = None,
) -> Evaluation:
    """Compare a prediction with the truth under a named protocol.

    Parameters
    ----------
    prediction, truth : Cube or array-like, shape (bands, height, width)
        Cubes, or bare arrays of real numbers; on one wavelength grid, or on two of which the
        coarser lies in the finer. Lazy cubes are read in row blocks, twice.
    protocol : str or Protocol
        A name out of :data:`napari_hsr.metrics.PROTOCOLS`, or a protocol of your own
        (``dataclasses.replace(PROTOCOLS["default"], name="12-bit", peak=4095)``).
    progress : callable, optional
        Called as ``progress(done, total)`` after each block.
    cancel : threading.Event, optional
        When set, the work stops at the next block.

    Returns
    -------
    Evaluation
        Values that are not finite in either cube are left out and counted.

    Raises
    ------
    InputError
        If the cubes differ in size, their bands cannot be matched, the protocol is not known,
        or its crop leaves nothing of the image.
    napari_hsr.errors.Cancelled
        If ``cancel`` was set.
    """
    rules = get_protocol(protocol)
    first, second, wavelengths, notes = match(prediction, truth)
    found = measure(first, second, rules, progress, cancel)
    own = (truth.units if isinstance(truth, Cube) else None) or ""
    known = {"rmse": own, "psnr": "dB", "psnr_band": "dB", "sam": "°"}
    keys = dict.fromkeys([*rules.metrics, *found.per_band])
    units = {key: known.get(key, "") for key in keys}
    per_band = {key: values.tolist() for key, values in found.per_band.items()}
    return Evaluation(
        values=found.values,
        per_band=per_band,
        wavelengths=None if wavelengths is None else tuple(wavelengths),
        protocol=rules.name,
        protocol_text=rules.description,
        units=units,
        excluded=found.excluded,
        notes=(*notes, *_remarks(prediction, truth, found, rules), *found.notes),
        prediction=prediction.name if isinstance(prediction, Cube) else "prediction",
        truth=truth.name if isinstance(truth, Cube) else "truth",
    )


def average(evaluations: Iterable[Evaluation]) -> dict[str, float]:
    """Plain mean of each figure over several scenes counted by one protocol.

    Raises
    ------
    ValueError
        If there is none, or they were counted by different protocols.
    """
    evaluations = list(evaluations)
    protocols = sorted({e.protocol for e in evaluations})
    if len(protocols) != 1:
        raise ValueError(f"one protocol is needed for a mean, not {protocols or 'none'}")
    return {
        key: math.fsum(e.values[key] for e in evaluations) / len(evaluations)
        for key in evaluations[0].values
    }


def _remarks(prediction: Any, truth: Any, found: Measured, rules: Protocol) -> list[str]:
    """Sentences about the values themselves: scales, units, what the rules do not bear."""
    seen, notes = found.survey, []
    p_range, t_range = seen.prediction_range, seen.truth_range
    p_top, t_top = (max(abs(low), abs(high)) for low, high in (p_range, t_range))
    spans = f"{p_range[0]:.4g}..{p_range[1]:.4g} and the truth {t_range[0]:.4g}..{t_range[1]:.4g}"
    if max(p_top, t_top) > SCALE_FACTOR * min(p_top, t_top):
        notes.append(f"The scales differ: the prediction spans {spans}; nothing was rescaled.")
    uses_peak = {"psnr", "psnr_band", "ssim"} & set(rules.metrics)
    if uses_peak and not rules.peak / SCALE_FACTOR <= t_top <= 2 * rules.peak and t_top > 0:
        notes.append(
            f"PSNR and SSIM take {rules.peak:g} as full scale, but the truth spans "
            f"{t_range[0]:.4g}..{t_range[1]:.4g}: they hold only for values in 0..{rules.peak:g}."
        )
    p_units, t_units = (c.units if isinstance(c, Cube) else None for c in (prediction, truth))
    if p_units and t_units and p_units != t_units:
        notes.append(f"The units differ: the prediction is in {p_units}, the truth in {t_units}.")
    dead = int((~seen.live).sum())
    if dead:
        notes.append(f"{dead} of {seen.live.size} bands hold no finite value and are left out.")
    if not seen.live.any():
        notes.append("No figure is defined: no sample is finite in both cubes.")
    if rules.positive_truth and t_range[0] <= 0:
        notes.append(
            "The original program leaves out scenes whose truth has a value of 0 or less; "
            "this is one."
        )
    if "mrae" in rules.metrics and not math.isfinite(found.values["mrae"]) and seen.live.any():
        notes.append(_about_mrae(rules, t_range))
    return notes


def _about_mrae(rules: Protocol, truth_range: tuple[float, float]) -> str:
    if rules.mrae.floor is None:
        return "MRAE is not finite: this protocol divides by the zeros of the truth."
    return (
        "MRAE is not defined: no sample of the truth lies above its floor "
        f"(the largest value is {truth_range[1]:.4g})."
    )
