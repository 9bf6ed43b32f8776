"""The files of a run's folder, written by the process that trains and read by any other.

``events.jsonl`` holds every event, one line of JSON each; ``state.json`` is a short summary.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from napari_hsr.errors import FileError, Hint, InputError
from napari_hsr.io import limits
from napari_hsr.io.text_files import write_text
from napari_hsr.notices import Code, Notice
from napari_hsr.training.events import (
    LONGEST_LINE,
    Began,
    Event,
    Failed,
    Finished,
    Noticed,
    Saved,
    Step,
    Stopped,
    fits,
    from_json,
)

EVENTS, STATE, STOP, LOG, RECIPE = (
    "events.jsonl",
    "state.json",
    "stop",
    "log.txt",
    "recipe.yaml",
)
#: Where checkpoints lie; in a run of several strategies each has a folder of its own.
CHECKPOINTS, LAST = "checkpoint", "last.pt"
#: Beside them: how much of its time the strategy ``auto`` has spent; and pictures of the last validation.
SPENT, PREVIEW = "spent.json", "preview.npz"
#: What stands before the first checkpoint to go on from, patterns in the folder of the run.
_BEFORE_A_CHECKPOINT = (
    PREVIEW,
    f"{CHECKPOINTS}/**/best-*.pt",
    f"{CHECKPOINTS}/**/{SPENT}",
    "tensorboard/**/events.out.tfevents.*",
)
#: Bytes of ``state.json``.
_LARGEST_STATE = 2**20
#: Seconds since 1970 that no clock shows yet.
_LATEST = 2**36
#: Of a longer record fewer steps are read.
MOST_LINES = 3_000
#: Bytes of a record that are read at once, and lines in them, the last ones.
MOST_BYTES, MOST_READ = 2**27, 1_000_000
_STEP = b'{"kind": "step"'
#: What is told of a folder in whose place another one lies.
DISPLACED = (
    "something else lies there since the folder of this training was moved: where it is now, the "
    "training can be resumed from its last checkpoint"
)
#: :attr:`State.status` of a training that has ended.
ENDS = {Finished: "finished", Stopped: "stopped", Failed: "failed"}


@dataclass(frozen=True)
class State:
    """A short summary of a training.

    Attributes
    ----------
    status : str
        ``starting``, ``running``, or how it ended: ``finished``, ``stopped``, ``failed``.
    pid : int or None
        Of the process that trains; None until it writes itself.
    created : float
        When that process was created, in seconds since 1970: the system reuses process ids.
    since_boot : float
        The same in seconds since the computer was started, 0 where it is not known: under Linux
        ``created`` changes for every reader when the clock is set.
    machine : str
        Where that process is, see :func:`~napari_hsr.signs_of_life.this_machine`.
    started, changed : float
        When the training was started and when this was written, in seconds since 1970.
    step, total : int
        Steps done, of how many.
    text : str
        How it ended, in one sentence.
    """

    status: str
    pid: int | None = None
    created: float = 0.0
    since_boot: float = 0.0
    machine: str = ""
    started: float = 0.0
    changed: float = 0.0
    step: int = 0
    total: int = 0
    text: str = ""


def ending(event: Event) -> str:
    """How a training ended, in one sentence."""
    if isinstance(event, Finished):
        return event.kept
    if isinstance(event, Stopped):
        return f"Stopped after step {event.step:,}; everything is saved."
    return event.text if isinstance(event, Failed) else ""


def write_state(folder: Path, state: State, *, shared: bool = True) -> None:
    """Write ``state.json``, whole or not at all; ``shared`` as for :func:`~napari_hsr.io.atomic.replacing`.

    On Windows a file cannot be replaced while another process reads it.
    """
    for attempt in range(5):
        try:
            write_text(Path(folder) / STATE, json.dumps(asdict(state)), shared=shared)
            return
        except FileError as error:
            if attempt == 4 or not isinstance(error.__cause__, PermissionError):
                raise
            time.sleep(0.05)


def read_state(folder: Path) -> State | None:
    """The state in a run's folder; None if it is missing or damaged."""
    try:
        content = json.loads(limits.content(Path(folder) / STATE, _LARGEST_STATE).decode("utf-8"))
        known = {k: v for k, v in content.items() if k in State.__dataclass_fields__}
        kinds = {f.name: str(f.type) for f in fields(State)}
        if all(fits(kinds[key], value) for key, value in known.items()):
            state = State(**known)
            times = (state.created, state.since_boot, state.started, state.changed)
            if all(0 <= at < _LATEST for at in times) and (state.pid is None or state.pid > 0):
                return state
    except (FileError, OSError, ValueError, TypeError, AttributeError, RecursionError):
        pass  # FileError: too large, or no regular file
    return None


def known_state(folder: Path) -> State | None:
    """The state in a run's folder; where that is missing or damaged, what the events say."""
    return read_state(folder) or recovered(folder)


def recovered(folder: Path) -> State | None:
    """The state of a training that nobody works at, by its events; None if there are none."""
    events = Follower(folder).news()
    if not events:
        return None
    steps = [event for event in events if isinstance(event, (Began, Step))]
    step, total = (steps[-1].step, steps[-1].total) if steps else (0, 0)
    status, text = ENDS.get(type(events[-1]), "running"), ending(events[-1])
    changed = (Path(folder) / EVENTS).stat().st_mtime
    return State(status, started=changed, changed=changed, step=step, total=total, text=text)


class Follower:
    """Reads new events of a run: whole lines only, each once.

    Of a long record only so many steps are taken, evenly spread, and the last
    :data:`MOST_BYTES`; lines that are no events are counted, and told once.
    """

    def __init__(self, folder: Path):
        self._path = Path(folder) / EVENTS
        self._offset = 0
        self._file: tuple[int, int] | None = None
        self._told = False

    def news(self) -> list[Event]:
        """The events since the last call; from the start after the file was replaced."""
        try:
            if not self._path.is_file():  # a pipe would never end
                return []
            found = self._path.stat()
            size, before = found.st_size, self._file
            self._file = found.st_dev, found.st_ino
            if size < self._offset or before not in (None, self._file):
                self._offset = 0
            if size == self._offset:
                return []
            lines, self._offset = last_lines(self._path, self._offset)
        except OSError:  # missing, or locked for a moment by the process that writes it
            return []
        read = [from_json(line.decode("utf-8", "replace")) for line in thinned(lines)]
        events = [event for event in read if event is not None]
        # a line that a killed process left unfinished is no news
        torn = sum(line.startswith(b"{") and not line.endswith(b"}") for line in lines)
        foreign = len(read) - len(events) - torn
        if foreign > 0 and not self._told:
            self._told = True
            counted = "1 line is no event" if foreign == 1 else f"{foreign} lines are no events"
            text = f"In {self._path.name} {counted} of a training; left out."
            events.insert(0, Noticed(Notice.warning(Code.RUN_LINES_LEFT_OUT, text)))
        return events


def last_lines(path: Path, offset: int = 0) -> tuple[list[bytes], int]:
    """Whole lines of a record from an offset on, the last of them where it is long, and where they end.

    What is longer than any event becomes a line that is none.
    """
    size = path.stat().st_size
    start = max(offset, size - MOST_BYTES)
    with path.open("rb") as file:
        file.seek(start)
        content = file.read(MOST_BYTES)
    end = content.rfind(b"\n") + 1
    whole, ends = content[:end], start + end
    cut = start > offset
    while whole.count(b"\n") > MOST_READ:  # many short ones
        whole, cut = whole[len(whole) // 2 :], True
    lines = whole.splitlines()[cut:]
    return [line if len(line) < LONGEST_LINE else b"-" for line in lines if line], ends


def thinned(lines: list[bytes], most: int = MOST_LINES) -> list[bytes]:
    """Lines of a record in their order: steps evenly spread where they are many, the last of all.

    Of lines of other kinds the last are kept.
    """
    if len(lines) <= most:
        return lines
    steps = [i for i, line in enumerate(lines) if line.startswith(_STEP)]
    others = [i for i, line in enumerate(lines) if not line.startswith(_STEP)]
    every = -(-len(steps) // most) if steps else 1
    kept = {*steps[::-1][::every], *others[-most:], len(lines) - 1}
    return [lines[i] for i in sorted(kept)]


def last_event(folder: Path) -> Event | None:
    """The last event of a run, None if there is none."""
    events = Follower(folder).news()
    return events[-1] if events else None


def has_checkpoint(folder: Path) -> bool:
    """Whether there is a checkpoint to go on from."""
    return any((Path(folder) / CHECKPOINTS).rglob(LAST))


def holds_a_run(folder: Path) -> bool:
    """Whether a training has left steps or a model in the folder."""
    folder = Path(folder)
    if has_checkpoint(folder) or any(folder.glob("*.safetensors")):
        return True
    return any(isinstance(e, (Saved, Finished, Began)) for e in Follower(folder).news())


def remove_what_was_begun(folder: Path) -> None:
    """Remove what a training wrote that left no checkpoint; the folder too, unless somebody uses it."""
    folder = Path(folder)
    with suppress(OSError):  # a folder that is gone, or read-only: nothing there is needed
        for name in (EVENTS, STATE, STOP, RECIPE):
            (folder / name).unlink(missing_ok=True)
        for pattern in _BEFORE_A_CHECKPOINT:
            for file in list(folder.glob(pattern)):
                file.unlink(missing_ok=True)
        parts = [p for own in (CHECKPOINTS, "tensorboard") for p in (folder / own).glob("**/")]
        for place in (*sorted(parts, reverse=True), folder):  # those inside first
            if place.is_dir() and not any(place.iterdir()):
                place.rmdir()


def check_new(folder: Path) -> None:
    """Refuse to begin a training in a folder that holds one, or anything else of the user's.

    Raises
    ------
    InputError
        If the folder is neither empty nor one that a training wrote and never trained in.
    """
    folder = Path(folder)
    if holds_a_run(folder):
        raise InputError(
            f"{folder} holds a training already: resume it, or name another folder for a new one.",
            hint=Hint.RESUME,
        )
    if not folder.is_dir() or read_state(folder) is not None:
        return
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise InputError(
            f"{folder} holds files that are none of a training ({', '.join(names[:3])}{more}): "
            "name an empty folder, or one that is not there yet."
        )


def check_no_links(folder: Path) -> None:
    """Refuse to go on in a folder of which a part lies elsewhere.

    Whoever made it may have meant a file of the user's to be written over.

    Raises
    ------
    InputError
        If a file in it, or in its folder of checkpoints, is a link.
    """
    for place in (Path(folder), Path(folder) / CHECKPOINTS):
        try:
            with os.scandir(place) as entries:
                links = sorted(entry.name for entry in entries if entry.is_symlink())
        except OSError:  # not there, or not ours to look into: writing says so
            continue
        if links:
            raise InputError(
                f"{place} holds links ({', '.join(links[:3])}): what is written there would go "
                "elsewhere. Put the files in their place, or start a new training."
            )


def log_tail(folder: Path, lines: int = 12) -> str:
    """The last lines of a run's log, empty if there are none."""
    path = Path(folder) / LOG
    try:
        limits.check_regular(path)
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            text = file.read(8192).decode("utf-8", "replace")
    except (OSError, FileError):
        return ""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])
