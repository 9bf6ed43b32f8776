"""Several predictions against one truth: a table of models and figures."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_hsr.arguments import told
from napari_hsr.cube import jsonable
from napari_hsr.errors import InputError
from napari_hsr.io.text_files import csv_text, name_cell, write_text
from napari_hsr.metrics.evaluate import evaluate_events
from napari_hsr.metrics.protocols import BETTER, LABELS, get_protocol
from napari_hsr.progress import Progress, as_part, result_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.metrics.evaluation import Evaluation
    from napari_hsr.metrics.protocols import Protocol

#: Which way is better, as an arrow.
ARROWS = {"high": "↑", "low": "↓"}


@dataclass(frozen=True)
class Column:
    """A figure of the table.

    Attributes
    ----------
    key : str
        Of :data:`napari_hsr.metrics.METRICS`, or the name of a light.
    label, unit : str
    better : str
        ``"high"`` or ``"low"``.
    light : bool
        Whether it is ΔE00 under the light ``key``.
    """

    key: str
    label: str
    unit: str
    better: str
    light: bool = False

    @property
    def head(self) -> str:
        """``PSNR (dB) ↑``."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.label}{unit} {ARROWS[self.better]}"


@dataclass(frozen=True, eq=False)
class FigureTable:
    """One row a prediction, one column a figure.

    Attributes
    ----------
    evaluations : tuple of Evaluation
        One a row, by one protocol against one truth.
    """

    evaluations: tuple[Evaluation, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the predictions."""
        return tuple(one.prediction for one in self.evaluations)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The figures of the protocol, then ΔE00 under each light."""
        first = self.evaluations[0]
        figures = [Column(k, LABELS[k], first.units.get(k, ""), BETTER[k]) for k in first.values]
        lights = [Column(k, f"ΔE00 {k}", "", "low", light=True) for k in first.delta_e]
        return (*figures, *lights)

    def value(self, row: int, column: Column) -> float:
        """One figure."""
        one = self.evaluations[row]
        return one.delta_e[column.key] if column.light else one.values[column.key]

    def best(self, column: Column) -> tuple[int, ...]:
        """The rows with the best figure: several if they are equal, none if none is defined."""
        values = [self.value(row, column) for row in range(len(self.evaluations))]
        known = [value for value in values if not math.isnan(value)]
        if not known:
            return ()
        most = max(known) if column.better == "high" else min(known)
        return tuple(row for row, value in enumerate(values) if value == most)

    def text(self, row: int, column: Column) -> str:
        """One figure for people, without its unit."""
        value = self.value(row, column)
        if math.isnan(value):
            return "–"
        return f"{value:.2f}" if column.unit in ("dB", "°") or column.light else f"{value:.4g}"

    def table(self, bold: tuple[str, str] = ("", "")) -> str:
        """Format for a terminal: the best figure of a column has a ``*``, between ``bold``."""
        columns = self.columns
        cells = [["", *(column.head for column in columns)]]
        marks = [[False] * (len(columns) + 1)]
        for row, name in enumerate(self.names):
            best = [row in self.best(column) for column in columns]
            values = [self.text(row, column) for column in columns]
            cells.append([name, *(f"{v}{'*' * b}" for v, b in zip(values, best, strict=True))])
            marks.append([False, *best])
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        first = self.evaluations[0]
        lines = [f"against {first.truth}, protocol {first.protocol}; * is the best"]
        for line, marked in zip(cells, marks, strict=True):
            padded = [
                f"{cell:<{width}}" if at == 0 else f"{cell:>{width}}"
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            shown = [
                f"{bold[0]}{cell}{bold[1]}" if mark else cell
                for cell, mark in zip(padded, marked, strict=True)
            ]
            lines.append("  ".join(shown).rstrip())
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the evaluations, and the best rows of each figure."""
        columns = [
            {
                "key": column.key,
                "delta_e_2000": column.light,
                "unit": column.unit,
                "better": column.better,
                "best": [self.names[row] for row in self.best(column)],
            }
            for column in self.columns
        ]
        plain: dict[str, Any] = jsonable(
            {"columns": columns, "rows": [one.to_dict() for one in self.evaluations]}
        )
        return plain

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_csv` to a file, atomically."""
        write_text(path, self.to_csv())

    def write_json(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_dict` to a file, atomically."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        write_text(path, f"{text}\n")

    def to_csv(self) -> str:
        """One prediction a row, with a column a figure."""
        heads = [f"delta_e_2000 {c.key}" if c.light else c.key for c in self.columns]
        rows = [["prediction", *heads, "truth", "protocol"]]
        for row, one in enumerate(self.evaluations):
            values = [repr(float(self.value(row, column))) for column in self.columns]
            rows.append([name_cell(one.prediction), *values, name_cell(one.truth), one.protocol])
        return csv_text(rows)


@told
def evaluate_several(
    predictions: Sequence[Cube],
    truth: Cube,
    protocol: str | Protocol = "default",
    *,
    progress: Callable[[Progress], object] | None = None,
    **options: Any,
) -> FigureTable:
    """Compare several predictions with one truth; options as :func:`evaluate_several_events`."""
    return result_of(evaluate_several_events(predictions, truth, protocol, **options), progress)


def evaluate_several_events(
    predictions: Sequence[Cube],
    truth: Cube,
    protocol: str | Protocol = "default",
    **options: Any,
) -> Iterator[Progress | FigureTable]:
    """Compare several predictions with one truth, as events; the last is a FigureTable.

    Parameters
    ----------
    predictions : sequence of Cube
        At least one; cubes of one name are counted in the table.
    truth : Cube
    protocol : str or Protocol
    **options
        Of :func:`napari_hsr.metrics.evaluate`, without ``progress``.

    Raises
    ------
    InputError
        If there is none, or one cannot be compared; the sentence names it.
    """
    if not len(predictions):
        raise InputError("There is no prediction to compare.")
    rules = get_protocol(protocol)
    names = _told_apart([one.name for one in predictions])
    found = []
    total = 100 * len(predictions)
    for number, (name, one) in enumerate(zip(names, predictions, strict=True)):
        named = one.replace(name=name, _value_range=one._value_range)
        work = evaluate_events(named, truth, rules, **options)
        try:
            done = yield from as_part(work, 100 * number, 100 * number + 100, total, name)
        except InputError as error:
            if len(predictions) == 1:
                raise
            raise InputError(f"{name}: {error}") from error
        found.append(done)
    yield FigureTable(tuple(found))


def _told_apart(names: list[str]) -> list[str]:
    """The names, with a number where one occurs again."""
    seen: dict[str, int] = {}
    told = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        told.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return told
