"""The result of comparing a prediction with the ground truth, and its written forms."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_hsr.cube import jsonable
from napari_hsr.io.text_files import csv_text, write_text
from napari_hsr.metrics.protocols import LABELS

if TYPE_CHECKING:
    import os

    from napari_hsr.notices import Notice

#: What may be left out of the figures: the noun, and why.
_EXCLUDED = {
    "nonfinite": ("sample", "left out of every metric: NaN or infinite"),
    "mrae_below_floor": ("sample", "left out of MRAE: below its floor"),
    "sam_black": ("pixel", "left out of SAM: black"),
    "sam_below_floor": ("pixel", "left out of SAM: below its floor"),
    "sam_nonfinite": ("pixel", "left out of SAM: NaN or infinite"),
    "ssim_windows": ("window", "left out of SSIM: NaN or infinite"),
}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of one comparison; ``result["psnr"]`` and ``result.psnr`` are the same.

    Attributes
    ----------
    values : dict of str to float
        The metrics of the protocol, among ``mrae``, ``rmse``, ``psnr``, ``psnr_band``, ``sam``,
        ``ssim``, ``ergas``, ``cc`` and ``mrse``; NaN if undefined, inf if infinite (PSNR of equal
        cubes).
    per_band : dict of str to list of float
        ``rmse`` and ``psnr`` of each band, and ``mrae``, ``ssim``, ``cc`` where the protocol
        defines them.
    wavelengths : tuple of float or None
        Centres of the compared bands in nm; None if unknown.
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
    notes : tuple of Notice
        What the user must know about the comparison.
    prediction, truth : str
        Names of the two cubes.
    delta_e : dict of str to float
        The mean CIE ΔE00 under each light that was asked for, by its name.
    """

    values: dict[str, float]
    per_band: dict[str, list[float]]
    wavelengths: tuple[float, ...] | None
    protocol: str
    protocol_text: str
    units: dict[str, str]
    excluded: dict[str, int | float]
    notes: tuple[Notice, ...] = ()
    prediction: str = "prediction"
    truth: str = "truth"
    delta_e: dict[str, float] = field(default_factory=dict)

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
                **({"delta_e_2000": self.delta_e} if self.delta_e else {}),
            }
        )
        return plain

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """One figure per row: ``metric, band_index, wavelength_nm, value, unit, protocol``.

        Overall figures come first, with empty band and wavelength; bands count from 0. Undefined
        values are written as ``nan``, infinite ones as ``inf``.
        """
        rows = [["metric", "band_index", "wavelength_nm", "value", "unit", "protocol"]]
        for key, value in self.values.items():
            rows.append([key, "", "", repr(float(value)), self.units[key], self.protocol])
        for light, value in self.delta_e.items():
            rows.append([f"delta_e_2000 {light}", "", "", repr(float(value)), "", self.protocol])
        for key, values in self.per_band.items():
            for band, value in enumerate(values):
                nm = "" if self.wavelengths is None else f"{self.wavelengths[band]:.10g}"
                unit = self.units.get(key, "")
                rows.append([key, str(band), nm, repr(float(value)), unit, self.protocol])
        return csv_text(rows)

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_csv` to a file, atomically."""
        write_text(path, self.to_csv())

    def write_json(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_json` to a file, atomically."""
        write_text(path, self.to_json())

    def table(self) -> str:
        """Format the figures for a terminal, with the protocol and all notes."""
        width = max(len(LABELS[key]) for key in self.values)
        lines = [f"{self.prediction} against {self.truth}, protocol {self.protocol}"]
        for key, value in self.values.items():
            unit = self.units[key]
            text = f"{value:.4f}" if unit in ("dB", "°") else f"{value:.6g}"
            lines.append(f"  {LABELS[key]:<{width}}  {text:>10} {unit}".rstrip())
        lines += [f"  ΔE00 {light}: {value:.3f}" for light, value in self.delta_e.items()]
        lines += [f"  {line}" for line in self.excluded_lines()]
        lines += [f"  note: {note}" for note in self.notes]
        rules = f"{self.protocol}: {self.protocol_text}"
        lines += textwrap.wrap(rules, 96, initial_indent="  ", subsequent_indent="    ")
        return "\n".join(lines)

    def excluded_lines(self) -> list[str]:
        """What was excluded, one line each."""
        lines = []
        for key, (noun, text) in _EXCLUDED.items():
            number = self.excluded.get(key)
            if number:
                share = self.excluded.get(f"{key}_share")
                lines.append(f"{number:,} {noun}{'s' * (number > 1)}{_percent(share)} {text}.")
        return lines


def _percent(share: float | None) -> str:
    if share is None:
        return ""
    return f" ({share:.2%})" if share >= 1e-4 else " (< 0.01%)"
