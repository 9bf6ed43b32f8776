"""Events of a training, the same for the command line, the panel and the tests.

Each event is a line of JSON in the run's ``events.jsonl`` (:func:`to_json`, :func:`from_json`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from napari_hsr.notices import Code, Notice, Severity

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

R = TypeVar("R")

Figures = dict[str, float]


#: Bytes that no line of an event has.
LONGEST_LINE = 2**22
#: No figure of a training is as large.
_LARGEST = 1e30


@dataclass(frozen=True)
class Event:
    """Base class; ``kind`` in its JSON is the class's name in lower case, mostly."""


@dataclass(frozen=True)
class Noticed(Event):
    """The user is told something; in JSON of the kind ``notice``, with text, code and severity."""

    notice: Notice


@dataclass(frozen=True)
class Preparing(Event):
    """Work before the first step: ``done`` of ``total`` (0: unknown), and what it is."""

    done: int
    total: int
    message: str


@dataclass(frozen=True)
class Began(Event):
    """Steps begin, or continue after a resume.

    ``step`` of ``total`` steps are done; ``device`` and ``precision`` are for people; ``train``
    and ``held_out`` name the images.
    """

    step: int
    total: int
    device: str
    precision: str
    train: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step(Event):
    """Progress after a step of the optimiser, every half second or so.

    ``loss`` is the mean since the last such event, ``terms`` its terms without their weights;
    ``images_per_second`` counts patches; ``seconds_left`` excludes validation;
    ``memory_bytes`` is the process's resident memory, or the device's.
    """

    step: int
    total: int
    loss: float
    terms: Figures = field(default_factory=dict)
    learning_rate: float = 0.0
    images_per_second: float = 0.0
    seconds_left: float = 0.0
    memory_bytes: int = 0


@dataclass(frozen=True)
class Measured(Event):
    """A validation after ``step`` steps (0: before training).

    ``mean`` over the images, ``images`` each; keys as in cards: ``psnr_db``, ``sam_deg``,
    ``mrae``, ``rmse``. ``preview`` is a .npz beside the events with ``prediction``
    (bands, h, w), ``truth``, ``sam`` (h, w) in degrees and ``wavelengths_nm``, of one image,
    downsampled; empty if there is none. ``best``: whether these weights are the best so far.
    """

    step: int
    mean: Figures
    images: dict[str, Figures]
    preview: str = ""
    best: bool = False


@dataclass(frozen=True)
class Baseline(Event):
    """Figures of plain interpolation on the held-out images, which any model must beat.

    ``name`` says which interpolation; ``mean`` and ``images`` are as in :class:`Measured`.
    """

    name: str
    mean: Figures
    images: dict[str, Figures] = field(default_factory=dict)


@dataclass(frozen=True)
class Saved(Event):
    """A checkpoint was written."""

    step: int
    path: str


@dataclass(frozen=True)
class Finished(Event):
    """The end: the model folder is complete.

    ``kept`` says in one sentence what was kept and why; ``directory`` is empty if nothing was
    better than the start, so that no model was made.
    """

    directory: str
    kept: str
    before: Figures = field(default_factory=dict)
    after: Figures = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Stopped(Event):
    """Stopped on request; everything is saved. ``resume`` is the command that continues."""

    step: int
    resume: str


@dataclass(frozen=True)
class Failed(Event):
    """A fault ended it, in one sentence; what was saved stays."""

    text: str
    step: int = 0


Report = Callable[[Event], None]

_KINDS = {
    kind.__name__.lower(): kind
    for kind in (Preparing, Began, Step, Measured, Baseline, Saved, Finished, Stopped, Failed)
}


def result_of(events: Iterable[Event | R], report: Report | None = None) -> R:
    """Run work that yields events and then its result to the end; report the events."""
    for event in events:
        if not isinstance(event, Event):
            return event
        if report is not None:
            report(event)
    raise AssertionError("long work ends with a result")


def passed_on(events: Iterable[Event | R]) -> Generator[Event, None, R]:
    """Yield the events of a part of the work; ``yield from`` gives its result."""
    for event in events:
        if not isinstance(event, Event):
            return event
        yield event
    raise AssertionError("long work ends with a result")


def to_json(event: Event) -> str:
    """One line of JSON, without its end; what is not finite is written as null."""
    if isinstance(event, Noticed):
        told, warning = event.notice, event.notice.severity == Severity.WARNING
        return json.dumps({"kind": "notice", "text": told, "warning": warning, "code": told.code})
    return json.dumps({"kind": type(event).__name__.lower(), **_finite(asdict(event))})


def from_json(line: str) -> Event | None:
    """The event of a line; None if it is incomplete or of an unknown kind."""
    try:
        content = json.loads(line)
        name = content.pop("kind")
        if name == "notice":  # version 0.1 wrote no code
            severity = Severity.WARNING if content.get("warning") else Severity.INFO
            if not isinstance(content["text"], str):
                return None
            return Noticed(Notice(content.get("code", Code.OTHER), severity, content["text"]))
        kind: Callable[..., Event] = _KINDS[name]
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None
    kinds, optional = _fields_of(name)
    known = kinds.keys()
    if not all(fits(kinds[k], v) for k, v in content.items() if k in known):
        return None  # made by hand, or by another program
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items() if k in known}
    values = {k: v for k, v in values.items() if v is not None or k not in optional}
    try:
        return kind(**values)
    except TypeError:
        return None


@cache
def _fields_of(name: str) -> tuple[dict[str, str], set[str]]:
    """The fields of a kind of event with how their types are written, and those with a default."""
    kinds = {f.name: str(f.type) for f in fields(_KINDS[name])}
    kinds |= {key: "float" for key in kinds if key.endswith("_bytes")}  # beyond 32 bits
    return kinds, {f.name for f in fields(_KINDS[name]) if f.default is not MISSING}


def fits(kind: str, value: Any) -> bool:
    """Whether a value from a file fits a field, by how its type is written.

    Whole numbers are within 32 bits, others within what can be drawn; None stands for NaN.
    """
    if kind.startswith("int"):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return (whole and -1 <= value < 2**31) or ("None" in kind and value is None)
    if kind.startswith("float"):
        real = isinstance(value, (int, float)) and not isinstance(value, bool)
        return value is None or (real and abs(value) < _LARGEST)
    if kind.startswith("str"):
        return isinstance(value, str) or ("None" in kind and value is None)
    if kind.startswith(("dict[str, float", "Figures")):
        return isinstance(value, dict) and all(fits("float", v) for v in value.values())
    if kind.startswith("dict[str, Figures"):
        return isinstance(value, dict) and all(fits("Figures", v) for v in value.values())
    if kind.startswith("tuple[str"):
        return isinstance(value, list) and all(isinstance(v, str) for v in value)
    return kind == "bool" and isinstance(value, bool)


def _finite(value: Any) -> Any:
    """NaN and infinity as None: JSON has neither."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
