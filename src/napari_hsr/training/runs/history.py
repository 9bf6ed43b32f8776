"""The events of a run as curves and as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.io.text_files import csv_text
from napari_hsr.training.events import Baseline, Began, Event, Measured, Step, from_json
from napari_hsr.training.runs.run_folder import last_lines, thinned

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Steps of a record that become rows and points: 14 hours of training, with one every half second.
MOST_STEPS = 100_000
#: Columns of ``log.csv`` that are always there; the loss's terms come behind them.
COLUMNS = (
    "step",
    "loss",
    "learning_rate",
    "images_per_second",
    "psnr_db",
    "sam_deg",
    "mrae",
    "rmse",
    "best",
)


@dataclass
class History:
    """Steps and measurements in order, each step once.

    Attributes
    ----------
    steps : list of Step
    measured : list of Measured
    baseline : Baseline or None
        Plain interpolation, for super-resolution.
    """

    steps: list[Step] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    baseline: Baseline | None = None

    @classmethod
    def of(cls, events: Iterable[Event | None]) -> History:
        """From events; steps that a resumed run repeated count once."""
        history, began = cls(), math.inf
        for event in events:
            if isinstance(event, Began):
                began = event.step
            elif isinstance(event, Baseline):
                history.baseline = event
            elif isinstance(event, (Step, Measured)):
                if event.step > began:  # a stage that is over begins again, and takes no step
                    history._cut(began)
                    began = math.inf
                if isinstance(event, Step):
                    history.steps.append(event)
                    continue
                others = [e for e in history.measured if e.step != event.step]
                # a resumed run measures the start and the adapter again
                history.measured = sorted([*others, event], key=lambda e: e.step)
        history._cut(began)
        return history

    def _cut(self, step: float) -> None:
        """Leave out what came after a step that a resumed run goes on from."""
        self.steps = [e for e in self.steps if e.step <= step]
        self.measured = [e for e in self.measured if e.step <= step]

    @classmethod
    def read(cls, path: str | Path) -> History:
        """From a run's ``events.jsonl``; empty if there is none.

        Of more than :data:`MOST_STEPS` steps so many are taken, evenly spread.
        """
        path = Path(path)
        if not path.is_file():
            return cls()
        lines, _ = last_lines(path)
        return cls.of(
            from_json(line.decode("utf-8", "replace")) for line in thinned(lines, MOST_STEPS)
        )

    def curve(self, key: str) -> tuple[list[int], list[float]]:
        """Steps and finite values of ``loss`` or of a figure of the held-out images."""
        found: Sequence[tuple[int, float | None]]
        if key == "loss":
            found = [(e.step, e.loss) for e in self.steps]
        else:
            found = [(e.step, e.mean.get(key)) for e in self.measured]
        kept = [(s, v) for s, v in found if v is not None and math.isfinite(v)]
        return [s for s, _ in kept], [v for _, v in kept]

    def csv(self) -> str:
        """One row for each step with a report or a validation; unknown values are left empty."""
        terms = list(dict.fromkeys(name for e in self.steps for name in e.terms))
        rows: dict[int, dict[str, object]] = {}
        for step in self.steps:
            rows.setdefault(step.step, {}).update(
                loss=step.loss,
                learning_rate=step.learning_rate,
                images_per_second=step.images_per_second,
                **{f"loss_{name}": value for name, value in step.terms.items()},
            )
        for measured in self.measured:
            rows.setdefault(measured.step, {}).update(measured.mean, best=int(measured.best))
        names = [*COLUMNS, *(f"loss_{name}" for name in terms)]
        known = ({"step": number, **rows[number]} for number in sorted(rows))
        return csv_text([names, *([row.get(name) for name in names] for row in known)])
