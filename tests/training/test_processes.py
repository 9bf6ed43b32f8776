"""Trainings in their own processes: started, followed, stopped, killed, found again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from napari_hsr.errors import HSRError, InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.training.events import Began, Finished, Noticed, Step, Stopped, from_json, to_json
from napari_hsr.training.recipe.schema import ModelSettings, Recipe
from napari_hsr.training.runs import processes
from napari_hsr.training.runs.journal import Journal
from napari_hsr.training.runs.run_folder import (
    EVENTS,
    LOG,
    STATE,
    Follower,
    State,
    log_tail,
    read_state,
    write_state,
)
from napari_hsr.training.runs.run_folder import (
    RECIPE as RECIPE_FILE,
)

from ..patience import wait_for
from .stand_ins import FAKE, fake_trainings

RECIPE = Recipe(name="mine", model=ModelSettings(start="rootpoly-srgb"))


def told(text: str) -> Noticed:
    return Noticed(Notice.warning(Code.IMAGE_CHANGED, text))


@pytest.fixture
def fake(monkeypatch):
    """``fake("wait")``: runs are from now on fake ones that behave so."""
    yield from fake_trainings(monkeypatch)


def test_a_run_is_followed_to_its_end(fake, tmp_path):
    fake("finish")
    run = processes.start(RECIPE, tmp_path / "run")
    assert run.status().active
    events = []
    wait_for(lambda: events.extend(run.events()) or not run.alive())
    events += run.events()
    assert [e.step for e in events if isinstance(e, Step)] == [1, 2, 3, 4, 5, 6]
    assert isinstance(events[-1], Finished)
    status = run.status()
    assert (status.status, status.step, status.total) == ("finished", 6, 6)
    assert not status.resumable
    assert run.recipe() == RECIPE


def test_another_look_reads_the_same_events_from_the_first(fake, tmp_path):
    fake("finish")
    run = processes.start(RECIPE, tmp_path / "run")
    wait_for(lambda: not run.alive())
    again = processes.Run(tmp_path / "run").events()
    assert isinstance(again[0], Began)
    assert isinstance(again[-1], Finished)
    assert again == run.events()


def test_stop_saves_and_resume_goes_on(fake, tmp_path):
    fake("wait")
    run = processes.start(RECIPE, tmp_path / "run")
    wait_for(lambda: run.status().step == 3)
    with pytest.raises(InputError, match="being trained already"):
        processes.resume(run.output)
    with pytest.raises(InputError, match="holds a training already"):
        processes.start(RECIPE, run.output)
    run.stop()
    wait_for(lambda: not run.alive())
    assert run.status().status == "stopped"
    assert run.status().resumable
    assert isinstance(run.events()[-1], Stopped)
    fake("finish")
    again = processes.resume(run.output)
    wait_for(lambda: not again.alive())
    steps = [e.step for e in again.events() if isinstance(e, Step)]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert again.status().status == "finished"
    assert again.status().started == pytest.approx(run.status().started)


def test_stopping_is_a_state_of_its_own_and_kill_needs_no_answer(fake, tmp_path):
    fake("hang")
    run = processes.start(RECIPE, tmp_path / "run")
    wait_for(lambda: run.status().step == 3)
    run.stop()
    assert run.status().status == "stopping"
    run.kill()
    assert not run.alive()
    status = run.status()
    assert status.status == "died"
    assert status.resumable


def test_a_crash_is_told_with_the_log_and_half_a_line_is_no_event(fake, tmp_path):
    fake("crash")
    run = processes.start(RECIPE, tmp_path / "run")
    wait_for(lambda: not run.alive())
    status = run.status()
    assert status.status == "died"
    assert status.resumable
    assert "killed or crashed" in status.text
    assert "\n" not in status.text
    assert "a line of the log" in status.log
    assert [type(e) for e in run.events()] == [Began, Step]
    journal = Journal(run.output, resume=True)  # what goes on begins a line of its own
    journal(told("on again"))
    journal.close()
    assert run.events() == [told("on again")]


def test_a_failure_is_told_in_its_own_words(fake, tmp_path):
    fake("fail")
    run = processes.start(RECIPE, tmp_path / "run")
    wait_for(lambda: not run.alive())
    assert run.status().status == "failed"
    assert run.status().text == "The cube of a is broken."


def test_runs_are_found_again_the_newest_first(fake, tmp_path):
    fake("finish")
    for name in ("one", "two"):
        run = processes.start(RECIPE, tmp_path / name)
        wait_for(lambda run=run: not run.alive())
    assert [run.name for run in processes.find()] == ["two", "one"]
    processes.forget(tmp_path / "two")
    assert [run.name for run in processes.find()] == ["one"]
    (tmp_path / "one").rename(tmp_path / "elsewhere")
    assert processes.find() == []


def test_a_run_whose_folder_is_away_for_a_while_is_listed_when_it_is_back(tmp_path):
    """A drive that was not mounted when the list was read once had lost its trainings for ever."""
    folder = tmp_path / "drive" / "one"
    folder.mkdir(parents=True)
    write_state(folder, State("stopped", started=1.0))
    processes.register(folder)
    (tmp_path / "drive").rename(tmp_path / "away")
    assert processes.find() == []
    (tmp_path / "away").rename(tmp_path / "drive")
    assert [run.output for run in processes.find()] == [folder]
    (tmp_path / "drive").rename(tmp_path / "away")
    (entry,) = (processes.trainings_folder() / ".known").iterdir()
    os.utime(entry, (0, 0))  # not seen for years
    assert processes.find() == []
    assert not entry.exists()


def test_the_number_of_a_process_that_is_another_one_now_is_not_taken_for_it(tmp_path):
    ours = psutil.Process()
    folder = tmp_path / "old"
    folder.mkdir()
    state = State("running", pid=os.getpid(), created=ours.create_time() - 3600, started=1.0)
    write_state(folder, state)
    assert not processes.Run(folder).alive()
    assert processes.Run(folder).status().status == "died"
    write_state(folder, State("running", pid=os.getpid(), created=ours.create_time(), started=1))
    assert processes.Run(folder).alive()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere it does not change")
def test_a_training_lives_on_when_the_clock_is_set(tmp_path, monkeypatch):
    """Two would train in its folder, and neither's checkpoints be left."""
    journal = Journal(tmp_path)
    journal(Began(0, 9, "CPU", "float32"))
    journal.close()
    assert processes.Run(tmp_path).alive()
    # of a process Linux knows when after the start of the computer it began
    plain = psutil._pslinux.boot_time()
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: plain + 3600)
    assert processes.Run(tmp_path).alive()
    state = read_state(tmp_path)
    write_state(tmp_path, replace(state, since_boot=state.since_boot - 60))
    assert not processes.Run(tmp_path).alive()


def test_an_end_that_only_the_events_tell_is_one(tmp_path):
    """The disk filled up between the two: it did not die."""
    state = State("running", pid=2**22 + 1, created=1.0, started=1.0)
    write_state(tmp_path, state)
    (tmp_path / EVENTS).write_text(to_json(Began(0, 9, "CPU", "float32")) + "\n")
    assert processes.Run(tmp_path).status().status == "died"
    with (tmp_path / EVENTS).open("a") as file:
        file.write(to_json(Stopped(4, "resume")) + "\n")
    assert processes.Run(tmp_path).status().status == "stopped"


def test_a_start_that_never_wrote_anything_is_not_alive_for_ever(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    write_state(folder, State("starting", started=time.time()))
    assert processes.Run(folder).alive()
    write_state(folder, State("starting", started=time.time() - 3600))
    assert not processes.Run(folder).alive()
    write_state(folder, State("starting", started=time.time() + 3600))  # the clock was set back
    assert not processes.Run(folder).alive()
    write_state(folder, State("starting", started=time.time() - 3600, changed=time.time()))
    assert processes.Run(folder).alive()  # resumed by another viewer


def test_it_outlives_the_process_that_started_it(tmp_path):
    """The viewer crashes: the training does not notice, and is found again."""
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from napari_hsr.training.runs import processes\n"
        "from napari_hsr.training.recipe.schema import ModelSettings, Recipe\n"
        "processes.command = lambda output, resume=False: "
        f"[sys.executable, {str(FAKE)!r}, str(output), 'wait']\n"
        "processes.start(Recipe(model=ModelSettings(start='x')), Path(sys.argv[1]))\n"
        "os._exit(11)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], check=False)
    assert done.returncode == 11
    (run,) = processes.find()
    try:
        wait_for(lambda: run.status().step == 3)
        assert run.alive()
        run.stop()
        wait_for(lambda: not run.alive())
        assert run.status().status == "stopped"
    finally:
        run.kill()


def test_the_command_is_that_of_a_terminal(tmp_path):
    words = processes.command(tmp_path)
    assert words[0] == sys.executable
    assert words[words.index("-m") + 1] == "napari_hsr.train"
    assert words[-1] == str(tmp_path / "recipe.yaml")
    assert processes.command(tmp_path, resume=True)[-1] == "--resume"


def test_default_folders_are_new_ones_in_the_users_data_folder(own_data):
    first = processes.default_output("my model")
    assert first.parent == own_data / "trainings"
    assert first.name.startswith("my-model-")
    first.mkdir(parents=True)
    assert processes.default_output("my model") not in (first,)


def test_a_follower_begins_anew_with_the_events(tmp_path):
    follower, path = Follower(tmp_path), tmp_path / EVENTS
    assert follower.news() == []
    path.write_text(to_json(told("a")) + "\n" + to_json(told("b")) + "\n")
    assert follower.news() == [told("a"), told("b")]
    path.write_text(to_json(told("c")) + "\nnonsense\n")
    told_of_it, event = follower.news()
    assert told_of_it.notice.code is Code.RUN_LINES_LEFT_OUT
    assert (event, event.notice.code, event.notice.severity) == (
        told("c"),
        Code.IMAGE_CHANGED,
        "warning",
    )


def test_a_follower_begins_anew_where_the_events_of_another_training_are_put(tmp_path):
    follower, path = Follower(tmp_path), tmp_path / EVENTS
    path.write_text(to_json(told("a")) + "\n")
    assert follower.news() == [told("a")]
    (tmp_path / "other").write_text("".join(to_json(told(name)) + "\n" for name in "bcd"))
    (tmp_path / "other").replace(path)  # longer than the one before
    assert follower.news() == [told(name) for name in "bcd"]


def test_a_notice_of_version_0_1_has_no_code():
    old = from_json('{"kind": "notice", "text": "An image is left out.", "warning": true}')
    assert old == Noticed(Notice.warning(Code.OTHER, "An image is left out."))
    assert (old.notice.code, old.notice.severity) == ("other", "warning")


def test_a_journal_in_a_folder_that_is_none_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HSRError, match="nothing can be written there"):
        Journal(tmp_path / "file" / "run")


def test_a_state_that_is_damaged_is_none(tmp_path):
    (tmp_path / STATE).write_text('{"status": "run')
    assert read_state(tmp_path) is None
    assert processes.Run(tmp_path).status().status == "died"
    assert processes.Run(tmp_path).status().log == ""
    (tmp_path / LOG).write_text("\n".join(map(str, range(100))))
    assert log_tail(tmp_path, 3) == "97\n98\n99"


@pytest.mark.parametrize("how", ["too large", "a folder", "damaged"])
def test_a_state_that_cannot_be_read_ends_no_training(tmp_path, how):
    ours = psutil.Process()
    known = {"step": 3, "total": 9, "pid": ours.pid, "created": ours.create_time()}
    write_state(tmp_path, State("running", **known))
    run = processes.Run(tmp_path)
    assert run.status().status == "running"
    (tmp_path / STATE).unlink()
    if how == "a folder":
        (tmp_path / STATE).mkdir()
    else:
        (tmp_path / STATE).write_bytes(b"{" * (2**21 if how == "too large" else 3))
    assert (run.status().status, run.status().step, run.alive()) == ("running", 3, True)
    assert processes.Run(tmp_path).status().status == "died"  # of another nothing is known


@pytest.mark.parametrize(("recipe", "told"), [("name: [", "recipe"), ("nmae: mine", "nmae")])
def test_a_recipe_that_is_none_is_told_before_anything_is_resumed(fake, tmp_path, recipe, told):
    fake("finish")
    run = tmp_path / "run"
    run.mkdir()
    (run / RECIPE_FILE).write_text(recipe)
    write_state(run, State("stopped", step=3, total=6))
    before = read_state(run)
    with pytest.raises(HSRError, match=told):
        processes.resume(run)
    assert read_state(run) == before
    assert not (run / LOG).exists()
