"""Trainings in processes of their own: started, followed, stopped, and found again later.

The process is the same command that a terminal would run. It shares nothing with whoever
started it but the files in the run's folder, so that neither takes the other down.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError, InputError
from napari_hsr.io.atomic import replacing
from napari_hsr.training.runs.run_folder import (
    ENDS,
    EVENTS,
    LOG,
    RECIPE,
    STOP,
    Follower,
    State,
    ending,
    last_event,
    log_tail,
    read_state,
    write_state,
)

if TYPE_CHECKING:
    from napari_hsr.training.events import Event
    from napari_hsr.training.recipe.schema import Recipe

#: A process that was started and has not written yet counts as alive for so long, in seconds.
START_SECONDS = 60.0
#: So long a process that has written its last word is waited for, in seconds.
END_SECONDS = 5.0
#: How far the two words on when a process was created may lie apart, in seconds.
CREATED_WITHIN = 2.0

#: Processes that this one started, so that their ends are noticed; by folder.
_started: dict[Path, subprocess.Popen] = {}


@dataclass(frozen=True)
class Status:
    """Where a run stands, in words for people.

    Attributes
    ----------
    status : str
        ``starting``, ``running``, ``stopping``, ``finished``, ``stopped``, ``failed``, or
        ``died``: the process is gone and has not said why.
    step, total : int
        Steps done, of how many.
    text : str
        One sentence; of a process that died, with the last lines of its log under it.
    resumable : bool
        Whether it can go on: from its last checkpoint, or anew where there is none yet.
    started : float
        In seconds since 1970.
    """

    status: str
    step: int = 0
    total: int = 0
    text: str = ""
    resumable: bool = False
    started: float = 0.0

    @property
    def active(self) -> bool:
        """Whether the process is at work."""
        return self.status in ("starting", "running", "stopping")


class Run:
    """One training, by its folder.

    Parameters
    ----------
    output : Path
        The run's folder.
    """

    def __init__(self, output: Path):
        self.output = Path(os.path.abspath(output))
        self._follower = Follower(self.output)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.output.name

    def events(self) -> list[Event]:
        """The events since the last call, from the first on; whole lines only."""
        return self._follower.news()

    def alive(self) -> bool:
        """Whether the process that trains exists: by its number and when it was created."""
        return self._alive(read_state(self.output))

    def status(self) -> Status:
        """Where it stands; also of a run whose process was killed."""
        alive = self.alive()  # first: a process that ends now has written its state before
        state = read_state(self.output)
        if state is None:
            return Status("died", text=f"{self.output}: the state of this training is not there.")
        status, text = state.status, state.text
        if status in ("starting", "running"):
            if alive:
                status = "stopping" if (self.output / STOP).exists() else status
            elif type(end := last_event(self.output)) in ENDS:  # the disk was full, say
                status, text = ENDS[type(end)], ending(end)
            else:
                status, text = "died", self._obituary(state)
        return Status(
            status,
            state.step,
            state.total,
            text,
            resumable=status in ("stopped", "failed", "died") and (self.output / RECIPE).is_file(),
            started=state.started,
        )

    def stop(self) -> None:
        """Ask it to finish the step, save and end; it does so within a step.

        Raises
        ------
        FileError
            If the folder cannot be written to.
        """
        try:
            (self.output / STOP).touch()
        except OSError as error:
            raise FileError(
                self.output / STOP, f"it cannot be written ({error.strerror or error})"
            ) from error

    def kill(self, seconds: float = 5.0) -> None:
        """End it now, with all its helpers; what was saved stays."""
        process = process_of(read_state(self.output))
        if process is None and (started := _started.get(self.output)) is not None:
            started.kill()
            started.wait(seconds)
            return
        if process is None or process.pid == os.getpid():  # trained from Python, by ourselves
            return
        kill_family(process.pid, seconds)
        _reap(self.output)

    def log(self, lines: int = 12) -> str:
        """The last lines of its log."""
        return log_tail(self.output, lines)

    def recipe(self) -> Recipe:
        """What it trains by; HSRError if that cannot be read."""
        from napari_hsr.training.recipe.yaml_io import read_recipe

        return read_recipe(self.output / RECIPE)

    def _obituary(self, state: State) -> str:
        where = f" after step {state.step:,}" if state.step else ""
        said = self.log()
        return (
            f"The training ended{where} without saying why: its process was killed or crashed."
            + (f"\nThe last lines of its log:\n{said}" if said else "")
        )

    def _alive(self, state: State | None) -> bool:
        if state is None:
            return False
        process = _reap(self.output)
        if state.pid is not None:
            return process_of(state) is not None
        if process is not None:
            return process.returncode is None
        return state.status == "starting" and time.time() - state.started < START_SECONDS


def command(output: Path, resume: bool = False) -> list[str]:
    """The command line that trains by the recipe in ``output``: what a terminal would run."""
    # -P: nothing is imported from whatever folder the viewer was started in.
    words = [sys.executable, "-P", "-X", "faulthandler", "-m", "napari_hsr.train"]
    words += ["--output", str(output), "--debug"]
    return [*words, "--resume"] if resume else [*words, str(Path(output) / RECIPE)]


def start(recipe: Recipe, output: Path) -> Run:
    """Start a training in a process of its own.

    Parameters
    ----------
    recipe : Recipe
        Its paths should be absolute.
    output : Path
        The run's folder; made if it is not there.

    Raises
    ------
    InputError
        If the folder holds a run that was begun already.
    FileError
        If it cannot be written to.
    """
    from napari_hsr.training.recipe.yaml_io import write_recipe
    from napari_hsr.training.runs.run_folder import holds_a_run

    run = Run(output)
    if run.alive() or holds_a_run(run.output):
        raise InputError(f"{run.output} holds a training already: choose another folder.")
    try:
        run.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(run.output, f"it cannot be made ({error.strerror or error})") from error
    write_recipe(recipe, run.output / RECIPE)
    (run.output / EVENTS).unlink(missing_ok=True)
    return _launch(run, State("starting", started=time.time()), command(run.output))


def resume(output: Path) -> Run:
    """Let a run go on from its last checkpoint (anew without one), in a process of its own.

    Raises
    ------
    InputError
        If it is running, has finished, or its recipe is gone.
    """
    run = Run(output)
    end = time.monotonic() + END_SECONDS  # it has said that it ended, and is about to
    while not run.status().active and run.alive() and time.monotonic() < end:
        time.sleep(0.05)
    if run.alive():
        raise InputError(f"{run.output} is being trained already.")
    if not run.status().resumable:
        raise InputError(f"{run.output} holds no training that could go on: start it anew.")
    before = read_state(run.output)
    state = State("starting", started=before.started, step=before.step, total=before.total)
    return _launch(run, state, command(run.output, resume=True))


def _launch(run: Run, state: State, words: list[str]) -> Run:
    (run.output / STOP).unlink(missing_ok=True)
    write_state(run.output, replace(state, changed=time.time()))
    register(run.output)
    _reap(run.output)
    with (run.output / LOG).open("ab") as log:
        _started[run.output] = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            **detached(),
        )
    return run


def process_of(state: State | None):
    """The psutil process that wrote a state; None if it is gone."""
    import psutil

    if state is None or state.pid is None:
        return None
    try:
        process = psutil.Process(state.pid)
        same = abs(process.create_time() - state.created) <= CREATED_WITHIN
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def kill_family(pid: int, seconds: float = 5.0) -> None:
    """End a process and all its helpers now."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        family = [*process.children(recursive=True), process]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=seconds)


def detached() -> dict:
    """Options that keep Ctrl-C and the end of this process away from the other one."""
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": flags}
    return {"start_new_session": True}


def _reap(output: Path) -> subprocess.Popen | None:
    """The process that we started for the folder, its end noticed; None if it was not us."""
    process = _started.get(output)
    if process is not None:
        process.poll()
    return process


# --- runs that there are -----------------------------------------------------------------


def data_folder() -> Path:
    """``trainings`` in the user's data folder, beside the imported models."""
    from napari_hsr.models.user_models import folder

    return folder().parent / "trainings"


def default_output(name: str) -> Path:
    """A folder that is not there yet: ``trainings/NAME-DATE`` in the user's data folder."""
    stem = f"{re.sub(r'[^A-Za-z0-9._+-]+', '-', name)}-{time.strftime('%Y-%m-%d-%H%M')}"
    path, number = data_folder() / stem, 1
    while path.exists():
        number += 1
        path = data_folder() / f"{stem}-{number}"
    return path


def register(output: Path) -> None:
    """Remember a run's folder, so that :func:`find` finds it.

    One small file a run: two processes that register at once do not lose each other's.
    """
    output = os.path.abspath(output)
    entry = _register() / f"{hashlib.sha256(output.encode()).hexdigest()[:16]}.txt"
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(entry.parent, f"it cannot be made ({error.strerror or error})") from error
    with replacing(entry) as temporary:
        temporary.write_text(output, encoding="utf-8")


def forget(output: Path) -> None:
    """List a run no more; its folder stays."""
    output = os.path.abspath(output)
    entry = _register() / f"{hashlib.sha256(output.encode()).hexdigest()[:16]}.txt"
    with suppress(OSError):  # then it is listed once more: no harm
        entry.unlink(missing_ok=True)


def find() -> list[Run]:
    """All runs that are known and still there, the one started last first."""
    found = []
    for entry in _register().glob("*.txt"):
        try:
            output = Path(entry.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
        state = read_state(output)
        if state is not None:
            found.append((state.started, Run(output)))
        elif not output.exists():
            forget(output)
    return [run for _, run in sorted(found, key=lambda pair: pair[0], reverse=True)]


def _register() -> Path:
    return data_folder() / ".known"
