"""Prints the events of a training: one updated line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, TextIO

from napari_hsr.notices import Severity
from napari_hsr.training.events import (
    Baseline,
    Began,
    Event,
    Finished,
    Measured,
    Noticed,
    Preparing,
    Step,
    Stopped,
)
from napari_hsr.training.runs.figures import describe_figures, describe_left_over, describe_step
from napari_hsr.units import device_words, format_seconds, one_line

if TYPE_CHECKING:
    from napari_hsr.training.data.findings import Findings, Row
    from napari_hsr.training.recipe.schema import Recipe

#: Without a terminal, seconds between two lines about steps.
PLAIN_SECONDS = 15.0


class EventPrinter:
    """Prints the events of a training; an instance is called with each.

    Parameters
    ----------
    stream : file, optional
        stderr if not given.
    """

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._open = False  # whether the last line can be updated
        self._last = -PLAIN_SECONDS
        self._prepared = Preparing(0, 0, "")

    def __call__(self, event: Event) -> None:
        """Print one event."""
        text = describe(event)
        if text is None:
            return
        if not isinstance(event, (Step, Preparing)):
            self.clear()
        elif self._terminal:
            width = max(20, shutil.get_terminal_size().columns - 1)
            self._stream.write("\r" + one_line(text, width) + "\x1b[K")
            self._stream.flush()
            self._open = True
            return
        elif not self._due(event):
            return
        print(*map(one_line, text.split("\n")), sep="\n", file=self._stream, flush=True)

    def clear(self) -> None:
        """Remove the line that would have been updated."""
        if self._open:
            self._open = False
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _due(self, event: Step | Preparing) -> bool:
        """Whether an event among many gets a line."""
        if isinstance(event, Preparing):  # where another kind of work begins
            before, self._prepared = self._prepared, event
            return event.total != before.total or event.done < before.done
        now = time.monotonic()
        due = event.step >= event.total or now - self._last >= PLAIN_SECONDS
        self._last = now if due else self._last
        return due


def describe(event: Event) -> str | None:
    """One line about an event; None where there is nothing to say."""
    if isinstance(event, Noticed):
        doubtful = event.notice.severity == Severity.WARNING
        return f"{'warning' if doubtful else 'note'}: {event.notice}"
    if isinstance(event, Preparing):
        count = f" ({event.done} of {event.total})" if event.total else ""
        return f"{event.message}{count}"
    if isinstance(event, Began):
        return (
            f"Training on {len(event.train)} images, {len(event.held_out)} held out, "
            f"on {device_words(event.device)} in {event.precision}: "
            + (f"{event.total:,} steps" if event.total else "as many steps as there is time for")
            + (f", {event.step:,} of them done" if event.step else "")
        )
    if isinstance(event, Step):
        return describe_step(event)
    if isinstance(event, Measured):
        when = f"after step {event.step:,}" if event.step else "before training"
        best = ", the best so far" if event.best and event.step else ""
        return f"Held-out images {when}: {describe_figures(event.mean)}{best}"
    if isinstance(event, Baseline):
        return f"Held-out images by {event.name}: {describe_figures(event.mean)}"
    if isinstance(event, Finished):
        return _describe_finished(event)
    if isinstance(event, Stopped):
        return (
            f"Stopped after step {event.step:,}; everything is saved. To continue: {event.resume}"
        )
    return None  # a checkpoint was saved; or it failed, which the command's own error says


def _describe_finished(event: Finished) -> str:
    lines = [f"Finished in {format_seconds(event.seconds)}. {event.kept}"]
    if event.before:
        lines.append(f"  before  {describe_figures(event.before)}")
    if event.after:
        lines.append(f"  after   {describe_figures(event.after)}")
    if event.directory:
        lines.append(f"Model: {event.directory}")
    return "\n".join(lines)


# --- before a training ------------------------------------------------------------------


def image_table(findings: Findings) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of the images that were found."""
    finer = any(row.coarse for row in findings.rows)
    rows = []
    for row in findings.rows:
        photograph = _range(row.rgb_range) if row.rgb else "simulated"
        part = "–" if row.problem else "held out" if row.held_out else "train"
        rows.append(
            [
                row.name,
                f"{row.height} × {row.width}" if row.height else "–",
                str(row.bands or "–"),
                _range(row.cube_range),
                _coarse_size(row) if finer else photograph,
                part,
            ]
        )
    seen = "made coarse" if finer else "photograph values"
    return ["image", "height × width", "bands", "cube values", seen, "part"], rows


def _coarse_size(row: Row) -> str:
    """``128 × 120``, height first; ``11 × 11 (2 rows left over)`` where it does not divide."""
    if row.coarse is None:
        return "–"
    over = describe_left_over(row)
    return f"{row.coarse[0]} × {row.coarse[1]}" + (f" ({over} left over)" if over else "")


def _range(values: tuple[float, float] | None) -> str:
    """``0.002…0.91``."""
    return "–" if values is None else f"{values[0]:.3g}…{values[1]:.3g}"


def describe_plan(recipe: Recipe) -> str:
    """How long a training takes, in which steps."""
    schedule, batch = recipe.schedule, recipe.batch
    if recipe.strategy == "adapter":
        return "a map of the output in closed form, without steps"
    length = f"{schedule.steps:,} steps" if schedule.steps else f"{schedule.minutes:g} min"
    return f"{length} of {batch.size} patches of {batch.patch} × {batch.patch} pixels"
