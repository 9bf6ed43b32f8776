"""What a training says to people: a line that is updated in a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, TextIO

from napari_hsr.training.events import (
    Baseline,
    Began,
    Event,
    Failed,
    Finished,
    Measured,
    Notice,
    Preparing,
    Saved,
    Step,
    Stopped,
)
from napari_hsr.training.runs.figures_text import (
    bytes_words,
    duration,
    figures_words,
    left_over_words,
)

if TYPE_CHECKING:
    from napari_hsr.training.recipe.schema import Recipe

#: Where there is no terminal, steps are told at most this often, in seconds.
PLAIN_SECONDS = 15.0


class Speaker:
    """Says the events of a training; an instance is called with each.

    Parameters
    ----------
    stream : file
    terminal : bool, optional
        Whether the stream is one; by default, as it says itself.
    """

    def __init__(self, stream: TextIO | None = None, terminal: bool | None = None):
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty() if terminal is None else terminal
        self._open = False  # whether a line that will be updated stands there
        self._last = -PLAIN_SECONDS
        self._prepared = ""

    def __call__(self, event: Event) -> None:
        """Say one event."""
        if isinstance(event, (Step, Preparing)):
            self._say_passing(event)
        elif (text := words(event)) is not None:
            self.say(text)

    def say(self, text: str) -> None:
        """One line that stays."""
        self.clear()
        print(text, file=self._stream, flush=True)

    def clear(self) -> None:
        """Take away the line that would have been updated."""
        if self._open:
            self._open = False
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _say_passing(self, event: Step | Preparing) -> None:
        text = words(event)
        if self._terminal:
            width = max(20, shutil.get_terminal_size().columns - 1)
            self._stream.write("\r" + text[:width] + "\x1b[K")
            self._stream.flush()
            self._open = True
            return
        now = time.monotonic()
        if isinstance(event, Preparing):  # once for each kind of work
            kind = event.message.partition(" ")[0]
            if kind == self._prepared:
                return
            self._prepared = kind
        elif event.step < event.total and now - self._last < PLAIN_SECONDS:
            return
        else:
            self._last = now
        print(text, file=self._stream, flush=True)


def words(event: Event) -> str | None:
    """One line about an event; None where there is nothing to say."""
    if isinstance(event, Notice):
        return f"{'warning' if event.warning else 'note'}: {event.text}"
    if isinstance(event, Preparing):
        count = f" ({event.done} of {event.total})" if event.total else ""
        return f"{event.message}{count}"
    if isinstance(event, Began):
        return (
            f"Training on {len(event.train)} images, {len(event.held_out)} held out, "
            f"on {event.device} in {event.precision}: "
            + (f"{event.total:,} steps" if event.total else "as many steps as fit")
            + (f", {event.step:,} of them done" if event.step else "")
        )
    if isinstance(event, Step):
        return step_words(event)
    if isinstance(event, Measured):
        when = f"after step {event.step:,}" if event.step else "before training"
        best = ", the best so far" if event.best and event.step else ""
        return f"Held-out images {when}: {figures_words(event.mean)}{best}"
    if isinstance(event, Baseline):
        return f"Held-out images by {event.name}: {figures_words(event.mean)}"
    if isinstance(event, Saved):
        return None
    if isinstance(event, Finished):
        return _finished_words(event)
    if isinstance(event, Stopped):
        return f"Stopped after step {event.step:,}; everything is saved. To go on: {event.resume}"
    if isinstance(event, Failed):
        return None  # the command's own error says it
    return str(event)


def step_words(event: Step) -> str:
    """``step 400 of 2,000 · loss 0.0312 · 35 images/s · 4 min left · 812 MB``."""
    parts = [f"step {event.step:,}" + (f" of {event.total:,}" if event.total else "")]
    if event.loss is not None:
        parts.append(f"loss {event.loss:.4g}")
    if event.images_per_second:
        parts.append(f"{event.images_per_second:.3g} patches/s")
    if event.seconds_left:
        parts.append(f"{duration(event.seconds_left)} left")
    if event.memory_bytes:
        parts.append(bytes_words(event.memory_bytes))
    return " · ".join(parts)


def _finished_words(event: Finished) -> str:
    lines = [f"Finished in {duration(event.seconds)}. {event.kept}"]
    if event.before:
        lines.append(f"  before  {figures_words(event.before)}")
    if event.after:
        lines.append(f"  after   {figures_words(event.after)}")
    if event.directory:
        lines.append(f"Model: {event.directory}")
    return "\n".join(lines)


# --- before a training ---------------------------------------------------------------------


def table_of(findings) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of the images that were found."""
    rows = []
    finer = any(row.coarse for row in findings.rows)
    for row in findings.rows:
        size = f"{row.height} × {row.width}" if row.height else "–"
        photograph = range_words(row.rgb_range) if row.rgb else "simulated"
        rows.append(
            [
                row.name,
                size,
                str(row.bands or "–"),
                range_words(row.cube_range),
                coarse_words(row) if finer else photograph,
                "–" if row.problem else part_words(row.held_out),
            ]
        )
    seen = "made coarse" if finer else "photograph values"
    header = ["image", "height × width", "bands", "cube values", seen, "part"]
    return header, rows


def coarse_words(row) -> str:
    """``128 × 120``, height first; ``11 × 11 (2 rows left over)`` where it does not divide."""
    if row.coarse is None:
        return "–"
    over = left_over_words(row)
    return f"{row.coarse[0]} × {row.coarse[1]}" + (f" ({over} left over)" if over else "")


def part_words(held_out: bool | None) -> str:
    """``train`` or ``held out``."""
    return "–" if held_out is None else "held out" if held_out else "train"


def range_words(values: tuple[float, float] | None) -> str:
    """``0.002…0.91``."""
    return "–" if values is None else f"{values[0]:.3g}…{values[1]:.3g}"


def plan_words(recipe: Recipe) -> str:
    """How long, in what steps."""
    schedule, batch = recipe.schedule, recipe.batch
    if recipe.strategy == "adapter":
        return "a map of the output in closed form, without steps"
    long = f"{schedule.steps:,} steps" if schedule.steps else f"{schedule.minutes:g} min"
    return f"{long} of {batch.size} patches of {batch.patch} × {batch.patch} pixels"
