"""A run folder on a disk that several machines share, where the number of a process says little."""

from __future__ import annotations

import os
import time

import pytest

from napari_hsr import signs_of_life
from napari_hsr.errors import FileError, InputError
from napari_hsr.training.events import Began, Finished, Step, Stopped, to_json
from napari_hsr.training.recipe.schema import ModelSettings, Recipe
from napari_hsr.training.recipe.yaml_io import write_recipe
from napari_hsr.training.runs import heartbeat, processes
from napari_hsr.training.runs.journal import Journal
from napari_hsr.training.runs.recorder import recorded
from napari_hsr.training.runs.run_folder import (
    EVENTS,
    RECIPE,
    STATE,
    State,
    read_state,
    write_state,
)

from ..patience import wait_for
from .stand_ins import fake_trainings

RECIPE_OF_IT = Recipe(name="mine", model=ModelSettings(start="rootpoly-srgb"))
#: With the number of a process that is here too: every machine has such a one.
ELSEWHERE = {"pid": os.getpid(), "machine": "gpu1 pid:[7]", "step": 3, "total": 9}


@pytest.fixture
def folder(tmp_path):
    """Of a training on another machine."""
    (tmp_path / "run").mkdir()
    write_state(tmp_path / "run", State("running", **ELSEWHERE, started=1.0))
    write_recipe(RECIPE_OF_IT, tmp_path / "run" / RECIPE)
    return tmp_path / "run"


def touched(folder, ago: float) -> None:
    at = time.time() - ago
    os.utime(folder / STATE, (at, at))


@pytest.mark.parametrize("resume", [False, True])
def test_what_another_machine_trains_is_not_trained_here(folder, resume):
    before = read_state(folder)
    with pytest.raises(InputError, match=r"trained already, by the process .* on gpu1: wait"):
        next(recorded([], RECIPE_OF_IT, folder, resume))
    with pytest.raises(InputError, match="being trained already on gpu1"):
        processes.resume(folder)
    assert processes.Run(folder).status().status == "running"
    assert read_state(folder) == before


def test_one_that_is_about_to_begin_there_counts_too(folder):
    write_state(folder, State("starting", machine="gpu1"))
    assert processes.Run(folder).status().status == "starting"
    with pytest.raises(InputError, match="trained already on gpu1: wait"):
        next(recorded([], RECIPE_OF_IT, folder, True))


@pytest.mark.parametrize("hours", [-1, 1], ids=["behind", "ahead"])
def test_clocks_that_differ_play_no_part(folder, monkeypatch, hours):
    """Both times are those of the disk, whatever the clock here shows."""
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + hours * 3600)
    assert processes.Run(folder).status().status == "running"


@pytest.mark.parametrize("ago", [3600, -3600], ids=["long ago", "a clock set back"])
def test_without_a_sign_of_life_it_can_be_gone_on_with(folder, ago):
    touched(folder, ago)
    status = processes.Run(folder).status()
    assert (status.status, status.resumable) == ("died", True)
    list(recorded([Began(3, 9, "CPU", "float32"), Stopped(3, "")], RECIPE_OF_IT, folder, True))
    assert read_state(folder).machine == signs_of_life.this_machine()


def test_what_was_stopped_there_is_resumed_here_at_once(folder, monkeypatch):
    write_state(folder, State("stopped", **ELSEWHERE))
    fake = fake_trainings(monkeypatch)
    next(fake)("finish")
    run = processes.resume(folder)
    wait_for(lambda: not run.alive())
    assert run.status().status == "finished"
    next(fake, None)


def test_a_training_gives_signs_of_life_until_it_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(signs_of_life, "BEAT_SECONDS", 0.01)
    journal = Journal(tmp_path)
    touched(tmp_path, 3600)
    wait_for(lambda: heartbeat.beats(tmp_path))
    journal.close()
    touched(tmp_path, 3600)
    time.sleep(0.05)
    assert not heartbeat.beats(tmp_path)


def test_nothing_of_another_training_is_kept_alive(folder, monkeypatch):
    monkeypatch.setattr(signs_of_life, "BEAT_SECONDS", 0.01)
    touched(folder, 3600)
    heart = heartbeat.beating(folder)
    time.sleep(0.1)
    heart.end()
    assert not heartbeat.beats(folder)


def test_one_that_stood_still_leaves_the_folder_to_whoever_resumed_it(tmp_path):
    """A computer that slept: another machine has gone on meanwhile."""
    journal = Journal(tmp_path)
    journal(Began(0, 9, "CPU", "float32"))
    ours = read_state(tmp_path)
    theirs = State("running", **ELSEWHERE, started=ours.started)
    write_state(tmp_path, theirs)
    with pytest.raises(FileError, match="another process has resumed this training"):
        journal(Step(1, 9, 0.5))
    with pytest.raises(FileError, match="another process has resumed this training"):
        heartbeat.check_still_ours(tmp_path, ours.started)
    journal.close()
    assert read_state(tmp_path) == theirs


@pytest.mark.parametrize("state", [None, b"{"], ids=["missing", "damaged"])
def test_events_tell_how_a_training_ended_whose_state_cannot_be_read(tmp_path, state):
    end = Finished(str(tmp_path), "The last weights.", {}, {})
    events = [Began(0, 9, "CPU", "float32"), Step(9, 9, 0.5), end]
    (tmp_path / EVENTS).write_text("".join(to_json(event) + "\n" for event in events))
    if state is not None:
        (tmp_path / STATE).write_bytes(state)
    processes.register(tmp_path)
    (run,) = processes.find()
    status = run.status()
    assert (status.status, status.step, status.text) == ("finished", 9, "The last weights.")


def test_resume_waits_no_longer_for_a_process_that_said_it_ended(tmp_path, monkeypatch):
    """Its libraries may take long to unload; it writes nothing any more."""
    import psutil

    ours = psutil.Process()
    state = State("stopped", ours.pid, ours.create_time(), machine=signs_of_life.this_machine())
    write_state(tmp_path, state)
    write_recipe(RECIPE_OF_IT, tmp_path / RECIPE)
    monkeypatch.setattr(processes, "END_SECONDS", 0.0)
    fake = fake_trainings(monkeypatch)
    next(fake)("finish")
    run = processes.resume(tmp_path)
    wait_for(lambda: not run.alive())
    assert run.status().status == "finished"
    next(fake, None)
