"""Comparing a prediction with the ground truth: figures, with the protocol they follow."""

from __future__ import annotations

import csv
import io
import json
import math
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cube import Cube, Wavelengths, jsonable
from napari_hsr.metrics.match import match
from napari_hsr.metrics.measure import Measured, measure_events
from napari_hsr.metrics.protocols import LABELS, Protocol, get_protocol
from napari_hsr.progress import Progress, result_of

if TYPE_CHECKING:
    import os
    import threading
    from collections.abc import Callable, Iterable, Iterator

#: Value ranges further apart than this are called different scales.
SCALE_FACTOR = 10.0


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of one comparison; ``result["psnr"]`` and ``result.psnr`` give the same.

    Attributes
    ----------
    values : dict of str to float
        One figure for each metric that the protocol defines, out of ``mrae``, ``rmse``,
        ``psnr``, ``psnr_band``, ``sam``, ``ssim``, ``ergas``, ``cc`` and ``mrse``; NaN where it
        is not defined, inf where it is infinite (PSNR of equal cubes).
    per_band : dict of str to list of float
        ``rmse`` and ``psnr`` of each band, and ``mrae``, ``ssim``, ``cc`` where the protocol
        defines them.
    wavelengths : tuple of float or None
        Centres of the compared bands in nm, None if they are not known.
    protocol : str
        Name of the protocol.
    protocol_text : str
        Its rules in one paragraph.
    units : dict of str to str
        Unit of each figure: ``"dB"``, ``"°"``, the cube's own, or empty.
    excluded : dict of str to int or float
        ``nonfinite``, ``nonfinite_share``: samples that are NaN or infinite in either cube;
        ``mrae_below_floor`` and ``…_share``: finite samples whose truth is below MRAE's floor;
        ``sam_black`` and ``…_share``: pixels left out of SAM for a black spectrum;
        ``sam_below_floor``: pixels too faint for it; ``sam_nonfinite``: pixels with a value
        that is not finite; ``ssim_windows``: windows that touch one.
    notes : tuple of str
        Sentences that the user must see.
    prediction, truth : str
        Names of the two cubes.
    """

    values: dict[str, float]
    per_band: dict[str, list[float]]
    wavelengths: tuple[float, ...] | None
    protocol: str
    protocol_text: str
    units: dict[str, str]
    excluded: dict[str, int | float]
    notes: tuple[str, ...] = ()
    prediction: str = "prediction"
    truth: str = "truth"

    def __getitem__(self, key: str) -> float:
        return self.values[key]

    def __getattr__(self, key: str) -> float:
        # Only called for what is not an attribute; "values" itself is missing while unpickling.
        values: dict[str, float] = self.__dict__.get("values", {})
        if key in values:
            return values[key]
        if key in LABELS:
            raise AttributeError(
                f"protocol {self.protocol!r} does not define {key}; it defines {', '.join(values)}"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {key!r}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; figures that are not finite become ``"inf"`` or ``"nan"``.

        ``float("inf")`` and ``float("nan")`` read them back; JSON itself has no such numbers.
        """
        plain: dict[str, Any] = jsonable(
            {
                "prediction": self.prediction,
                "truth": self.truth,
                "protocol": self.protocol,
                "protocol_text": self.protocol_text,
                "values": self.values,
                "units": self.units,
                "excluded": self.excluded,
                "notes": self.notes,
                "wavelengths_nm": self.wavelengths,
                "per_band": self.per_band,
            }
        )
        return plain

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """One figure a row: ``metric, band_index, wavelength_nm, value, unit, protocol``.

        Figures of the whole cube come first, with both left empty; bands count from 0,
        as in the array. Not-a-number values are written ``nan``, infinite ones ``inf``.
        """
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["metric", "band_index", "wavelength_nm", "value", "unit", "protocol"])
        for key, value in self.values.items():
            rows.writerow([key, "", "", repr(float(value)), self.units[key], self.protocol])
        for key, values in self.per_band.items():
            for band, value in enumerate(values):
                nm = "" if self.wavelengths is None else f"{self.wavelengths[band]:.10g}"
                unit = self.units.get(key, "")
                rows.writerow([key, band, nm, repr(float(value)), unit, self.protocol])
        return text.getvalue()

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_csv` to a file, whole or not at all."""
        _write(path, self.to_csv())

    def write_json(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_json` to a file, whole or not at all."""
        _write(path, self.to_json())

    def table(self) -> str:
        """The figures for a terminal, with the protocol and all notes."""
        width = max(len(LABELS[key]) for key in self.values)
        lines = [f"{self.prediction} against {self.truth}, protocol {self.protocol}"]
        for key, value in self.values.items():
            unit = self.units[key]
            text = f"{value:.4f}" if unit in ("dB", "°") else f"{value:.6g}"
            lines.append(f"  {LABELS[key]:<{width}}  {text:>10} {unit}".rstrip())
        lines += [f"  {line}" for line in self.excluded_lines()]
        lines += [f"  note: {note}" for note in self.notes]
        rules = f"{self.protocol}: {self.protocol_text}"
        lines += textwrap.wrap(rules, 96, initial_indent="  ", subsequent_indent="    ")
        return "\n".join(lines)

    def excluded_lines(self) -> list[str]:
        """What was left out, one line each; empty if nothing was."""
        lines = []
        for key, (noun, text) in _EXCLUDED.items():
            number = self.excluded.get(key)
            if number:
                share = self.excluded.get(f"{key}_share")
                lines.append(f"{number:,} {noun}{'s' * (number > 1)}{_percent(share)} {text}.")
        return lines


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
    report = None if progress is None else (lambda event: progress(event.done, event.total))
    return result_of(evaluate_events(prediction, truth, protocol, cancel=cancel), report)


def evaluate_events(
    prediction: Any,
    truth: Any,
    protocol: str | Protocol = "default",
    *,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | Evaluation]:
    """:func:`evaluate` as events: progress after each block, and the evaluation at the end."""
    rules = get_protocol(protocol)
    first, second, wavelengths, notes = match(prediction, truth)
    for event in measure_events(first, second, rules, cancel):
        if isinstance(event, Progress):
            yield event
        else:
            yield _evaluation(prediction, truth, rules, event, wavelengths, notes)


def _evaluation(
    prediction: Any,
    truth: Any,
    rules: Protocol,
    found: Measured,
    wavelengths: Wavelengths | None,
    notes: tuple[str, ...],
) -> Evaluation:
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


_EXCLUDED = {
    "nonfinite": ("sample", "left out of every metric: NaN or infinite"),
    "mrae_below_floor": ("sample", "left out of MRAE: below its floor"),
    "sam_black": ("pixel", "left out of SAM: black"),
    "sam_below_floor": ("pixel", "left out of SAM: below its floor"),
    "sam_nonfinite": ("pixel", "left out of SAM: NaN or infinite"),
    "ssim_windows": ("window", "left out of SSIM: NaN or infinite"),
}


def _percent(share: float | None) -> str:
    if share is None:
        return ""
    return f" ({share:.2%})" if share >= 1e-4 else " (< 0.01 %)"


def _write(path: str | os.PathLike[str], text: str) -> None:
    from napari_hsr.io.atomic import replacing

    with replacing(Path(path).expanduser()) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
