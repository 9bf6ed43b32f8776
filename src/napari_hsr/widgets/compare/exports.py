"""The files of a comparison: its figures, and what was known of the errors before."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from napari_hsr.io.text_files import csv_text, write_text

if TYPE_CHECKING:
    from os import PathLike

    from napari_hsr.inference.trust.uncertainty_check import UncertaintyCheck
    from napari_hsr.metrics.compare import Comparison


def write_json(
    path: str | PathLike[str], comparison: Comparison, held: UncertaintyCheck | None
) -> None:
    """Figures, and the curves as ``napari-hsr evaluate --json`` has them, beside their prediction."""
    evaluation, table = comparison.evaluation, comparison.table
    plain = (table or evaluation).to_dict()
    if held is not None:
        rows = plain["rows"] if table else [plain]
        for row in rows:
            if row["prediction"] == evaluation.prediction:
                row.update(held.to_dict())
                break
    write_text(path, json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(
    path: str | PathLike[str], comparison: Comparison, held: UncertaintyCheck | None
) -> None:
    """One figure a row; curves have the share of their points in a column of its own.

    Of several predictions it is their table, without curves.
    """
    evaluation = comparison.evaluation
    text = (comparison.table or evaluation).to_csv()
    if held is None or comparison.table is not None:
        write_text(path, text)
        return
    rows = [[*row, ""] for row in csv.reader(io.StringIO(text))]
    rows[0][-1] = "share"
    unit, nm = evaluation.units.get("rmse", ""), evaluation.wavelengths
    for name, band, share, value in held.figures():
        rows.append(
            [
                name,
                "" if band is None else str(band),
                "" if band is None or nm is None else f"{nm[band]:.10g}",
                repr(value),
                "" if name == "coverage" else unit,
                evaluation.protocol,
                "" if share is None else repr(share),
            ]
        )
    write_text(path, csv_text(rows))
