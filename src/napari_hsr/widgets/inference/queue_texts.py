"""What is said of a queue: of a row in its table, and of all of it at its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import explain
from napari_hsr.inference.batch.queue import State
from napari_hsr.notices import Severity
from napari_hsr.units import format_seconds

if TYPE_CHECKING:
    from napari_hsr.inference.batch.queue import BatchResult, Row

#: States in which items end, in the order in which they are counted.
_ENDS = (State.FINISHED, State.UNCHANGED, State.FAILED, State.CANCELLED)


def texts_of(one: Row) -> tuple[str, str, str, str]:
    """What the table says of a row."""
    state = str(one.state)
    writing = one.state is State.RUNNING and one.share == 1
    if writing:
        state = "finishing"
    elif one.state is State.RUNNING:
        state = f"{one.message or state} · {one.share:.0%}"
    elif one.ended and one.seconds:
        state = f"{state}, {format_seconds(one.seconds)}"
    left = "" if one.seconds_left is None or writing else format_seconds(one.seconds_left)
    return one.name, state, left, said_of(one)


def ended(result: BatchResult) -> str:
    """How many items ended in which way: ``2 finished, 1 failed in 3.0 s.``."""
    counts = {state: sum(row.state is state for row in result.rows) for state in _ENDS}
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"{said} in {format_seconds(result.seconds)}."


def said_of(one: Row) -> str:
    """Why a row failed, or its notices: a line has room for one, and for no path before it."""
    if one.error is not None:
        said, path = explain(one.error, "the log says where"), str(getattr(one.error, "path", ""))
        return Path(path).name + said.removeprefix(path) if path else said
    ordered = sorted(one.notices, key=lambda notice: notice.severity is not Severity.WARNING)
    return " ".join(ordered)
