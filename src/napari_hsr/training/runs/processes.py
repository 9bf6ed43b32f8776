"""Trainings in processes of their own: started, followed, stopped, and found again later.

The process is the command that a terminal would run. It shares only the files of the run's folder
with the process that started it, so that neither can crash the other.
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
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError, InputError
from napari_hsr.io import limits
from napari_hsr.io.atomic import replacing
from napari_hsr.io.library_errors import translated
from napari_hsr.signs_of_life import this_machine
from napari_hsr.training.runs.heartbeat import goes_on, is_elsewhere, process_of, where
from napari_hsr.training.runs.run_folder import (
    ENDS,
    EVENTS,
    LOG,
    RECIPE,
    STATE,
    STOP,
    Follower,
    State,
    check_no_links,
    ending,
    known_state,
    last_event,
    log_tail,
    read_state,
    recovered,
    write_state,
)
from napari_hsr.user_folders import data_folder

if TYPE_CHECKING:
    from napari_hsr.training.events import Event
    from napari_hsr.training.recipe.schema import Recipe

#: Seconds for which a started process that has not written anything yet counts as alive.
START_SECONDS = 60.0
#: Seconds to wait for a process that has written its end: its libraries take long to unload.
END_SECONDS = 20.0
#: Seconds, 90 days, after which a folder that is no longer there is forgotten: until then a drive or a share may come back.
_FORGOTTEN_AFTER = 90 * 86_400.0
#: Bytes of a folder's name with all above it, beyond what any system takes.
_LONGEST_PATH = 2**16
#: Processes that this one started, by folder, so that it notices when they end.
_started: dict[Path, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Status:
    """The status of a run, for people.

    Attributes
    ----------
    status : str
        ``starting``, ``running``, ``stopping``, ``finished``, ``stopped``, ``failed``, or
        ``died``: the process is gone and has not said why.
    step, total : int
        Steps done, of how many.
    text : str
        One sentence.
    log : str
        The last lines of its log, where it failed or died.
    resumable : bool
        Whether it can be resumed, from its last checkpoint or, without one, from the start.
    started : float
        In seconds since 1970.
    """

    status: str
    step: int = 0
    total: int = 0
    text: str = ""
    log: str = ""
    resumable: bool = False
    started: float = 0.0

    @property
    def active(self) -> bool:
        """Whether the process is running."""
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
        self._known: State | None = None

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.output.name

    def events(self) -> list[Event]:
        """The events since the last call, from the first on; whole lines only."""
        return self._follower.news()

    def alive(self) -> bool:
        """Whether the process that trains exists: by its number and when it was created."""
        return self._alive(self._state())

    def _state(self) -> State | None:
        """Its state, or the last one that could be read: a file damaged for a moment ends no training.

        Where none ever could, what its events say.
        """
        state = read_state(self.output)
        if state is not None or not os.path.lexists(self.output / STATE):
            self._known = state
        return state or self._known or recovered(self.output)

    def status(self) -> Status:
        """Its status, also after the process was killed."""
        alive = self.alive()  # first: a process that ends now has written its state before
        state = self._state()
        if state is None:
            there = os.path.lexists(self.output / STATE)
            text = f"the state of this training is {'damaged' if there else 'missing'}"
            return Status("died", text=f"{self.output}: {text}, and no events tell how it ended.")
        status, text = state.status, state.text
        if status in ("starting", "running"):
            if alive:
                status = "stopping" if os.path.exists(self.output / STOP) else status
            elif (end := last_event(self.output)) and type(end) in ENDS:  # the disk was full, say
                status, text = ENDS[type(end)], ending(end)
            else:
                after = f" after step {state.step:,}" if state.step else ""
                text = f"The training ended{after} for an unknown reason: its process was "
                status, text = "died", f"{text}killed or crashed."
        return Status(
            status,
            state.step,
            state.total,
            text,
            log_tail(self.output, 20) if status in ("failed", "died") else "",
            resumable=status in ("stopped", "failed", "died")
            and os.path.isfile(self.output / RECIPE),
            started=state.started,
        )

    def stop(self) -> None:
        """Ask it to finish the current step, save and end.

        Raises
        ------
        FileError
            If the folder cannot be written to.
        """
        with translated(self.output / STOP, "it cannot be written", only=(OSError,)):
            (self.output / STOP).touch()

    def kill(self, seconds: float = 5.0) -> None:
        """End it now, with all its helper processes; what was saved stays."""
        process = process_of(self._state())
        if process is None and (started := _started.get(self.output)) is not None:
            started.kill()
            started.wait(seconds)
            return
        if process is None or process.pid == os.getpid():  # trained from Python, by ourselves
            return
        kill_family(process.pid, seconds)
        _reap(self.output)

    def recipe(self) -> Recipe:
        """Its recipe; HSRError if that cannot be read."""
        from napari_hsr.training.recipe.yaml_io import read_recipe

        return read_recipe(self.output / RECIPE)

    def _alive(self, state: State | None) -> bool:
        if state is None:
            return False
        process = _reap(self.output)
        if state.pid is not None or is_elsewhere(state):
            return goes_on(self.output, state)
        if process is not None:
            return process.returncode is None
        # begun or resumed by another viewer; a clock that was set back makes no start last for ever
        since = time.time() - max(state.started, state.changed)
        return state.status == "starting" and abs(since) < START_SECONDS


def command(output: Path, resume: bool = False) -> list[str]:
    """The command line that trains by the recipe in ``output``."""
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
        If the folder holds a run already.
    FileError
        If it cannot be written to.
    """
    from napari_hsr.training.recipe.yaml_io import write_recipe
    from napari_hsr.training.runs.run_folder import holds_a_run

    run = Run(output)
    if run.alive() or holds_a_run(run.output):
        raise InputError(f"{run.output} holds a training already: choose another folder.")
    with translated(run.output, "it cannot be made", only=(OSError,)):
        run.output.mkdir(parents=True, exist_ok=True)
    write_recipe(recipe, run.output / RECIPE)
    (run.output / EVENTS).unlink(missing_ok=True)
    state = State("starting", machine=this_machine(), started=time.time())
    return _launch(run, state, command(run.output))


def resume(output: Path) -> Run:
    """Resume a run in a process of its own.

    Raises
    ------
    InputError
        If it is running, has finished, or its recipe is gone.
    HSRError
        If its recipe is none, as the process could not say.
    """
    run = Run(output)
    end = time.monotonic() + END_SECONDS  # it wrote that it ended, and is about to
    while not run.status().active and run.alive() and time.monotonic() < end:
        time.sleep(0.05)
    before, found = known_state(run.output), run.status()
    if before is not None and found.active:  # what has said that it ended writes nothing any more
        raise InputError(f"{run.output} is being trained already{where(before)}.")
    if before is None or not found.resumable:
        raise InputError(f"{run.output} holds no training to resume: start a new one.")
    check_no_links(run.output)
    run.recipe()
    state = State(
        "starting",
        machine=this_machine(),
        started=before.started,
        step=before.step,
        total=before.total,
    )
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


def detached() -> dict[str, Any]:
    """Options of a process that Ctrl-C, and the end of this one, do not reach."""
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": flags}
    return {"start_new_session": True}


def _reap(output: Path) -> subprocess.Popen[bytes] | None:
    """The process that this one started for the folder, if any; its exit status is collected."""
    process = _started.get(output)
    if process is not None:
        process.poll()
    return process


# --- runs that there are -----------------------------------------------------------------


def trainings_folder() -> Path:
    """``trainings`` in the user's data folder, beside the imported models."""
    return data_folder() / "trainings"


def default_output(name: str) -> Path:
    """A new folder name: ``trainings/NAME-DATE`` in the user's data folder."""
    stem = f"{re.sub(r'[^A-Za-z0-9._+-]+', '-', name)}-{time.strftime('%Y-%m-%d-%H%M')}"
    path, number = trainings_folder() / stem, 1
    while os.path.lexists(path):
        number += 1
        path = trainings_folder() / f"{stem}-{number}"
    return path


def new_output(name: str) -> Path:
    """As :func:`default_output`, and made: no other training can take it any more.

    Raises
    ------
    FileError
        If it cannot be made.
    """
    while True:
        path = default_output(name)
        # where there is one by now, another viewer was faster
        with translated(path, "it cannot be made", only=(OSError,)), suppress(FileExistsError):
            path.mkdir(parents=True)
            return path


def register(output: Path) -> None:
    """Remember a run's folder, so that :func:`find` finds it.

    One small file a run: two processes that register at once do not lose each other's.
    """
    entry = _entry(output)
    with translated(entry.parent, "it cannot be made", only=(OSError,)):
        entry.parent.mkdir(parents=True, exist_ok=True)
    with replacing(entry, shared=True) as temporary:
        temporary.write_bytes(os.fsencode(os.path.abspath(output)))  # a name may be no text


def forget(output: Path) -> None:
    """Remove a run from the list; its folder stays."""
    with suppress(OSError):  # then it stays listed: no harm
        _entry(output).unlink(missing_ok=True)


def find() -> list[Run]:
    """All known runs that are there, the latest first. One whose folder is away is listed again when it is back."""
    found = []
    for entry in _register().glob("*.txt"):
        try:
            output = Path(os.fsdecode(limits.content(entry, _LONGEST_PATH)))
        except (OSError, FileError, UnicodeDecodeError):
            continue
        state = known_state(output)
        if state is not None:
            found.append((state.started, Run(output)))
        with suppress(OSError):  # the register may be read-only: nothing is lost
            if os.path.lexists(output):
                os.utime(entry)  # seen now
            elif time.time() - entry.stat().st_mtime > _FORGOTTEN_AFTER:
                forget(output)
    return [run for _, run in sorted(found, key=lambda pair: pair[0], reverse=True)]


def _entry(output: Path) -> Path:
    """The file that names a run's folder."""
    name = hashlib.sha256(os.path.abspath(output).encode(errors="surrogatepass")).hexdigest()[:16]
    return _register() / f"{name}.txt"


def _register() -> Path:
    return trainings_folder() / ".known"
