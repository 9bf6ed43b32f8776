"""``napari-hsr train``, with another engine in the place of the real one."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_hsr import notices
from napari_hsr.cli import train as train_command
from napari_hsr.cli.interrupt import cancelled_by_user
from napari_hsr.cli.train_messages import EventPrinter, describe
from napari_hsr.cube import Wavelengths
from napari_hsr.errors import FileError, InputError
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.models.model_file import save_model
from napari_hsr.models.state_dict import from_state_dict
from napari_hsr.training import train as training
from napari_hsr.training.data import inspection
from napari_hsr.training.data.findings import Row
from napari_hsr.training.engine import devices
from napari_hsr.training.events import (
    Began,
    Finished,
    Measured,
    Noticed,
    Preparing,
    Saved,
    Step,
    Stopped,
)
from napari_hsr.training.runs import estimate as estimating
from napari_hsr.training.runs import journal, processes, run_folder
from napari_hsr.training.runs.figures import describe_step
from napari_hsr.training.runs.journal import Journal
from napari_hsr.training.runs.recorder import recorded
from napari_hsr.training.runs.run_folder import RECIPE, read_state
from napari_hsr.units import format_seconds

from ..patience import wait_for

RECIPE_TEXT = "name: mine\nmodel: {start: rootpoly-srgb}\nschedule: {steps: 40}\n"


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE_TEXT)
    return path


@pytest.fixture
def engine(monkeypatch):
    """An engine that takes two steps; ``engine.error`` or ``engine.stops`` end it otherwise."""
    state = SimpleNamespace(error=None, stops=False, calls=[], argv=[])

    def train_events(recipe, output, cancel=None, resume=False, began=None):
        state.calls.append((recipe, output, resume))
        events = work(output, resume)
        state.argv = list(sys.argv)
        return recorded(events, recipe, output, resume) if devices.leads(recipe) else events

    def work(output, resume):
        yield Began(20 if resume else 0, 40, "CPU", "float32", ("a", "b"), ("c",))
        yield Step(30, 40, 0.25, images_per_second=8.0, seconds_left=30.0, memory_bytes=10**9)
        if state.error is not None:
            raise state.error
        if state.stops:
            yield Stopped(30, "python -m napari_hsr.train --output x --resume")
            return
        figures = {"psnr_db": 32.5, "sam_deg": 7.25}
        yield Measured(40, figures, {"c": figures}, best=True)
        yield Finished(str(output), "Kept the last.", {"psnr_db": 30.0}, figures, 12.0)

    monkeypatch.setattr(training, "train_events", train_events)
    return state


def kinds(out: str) -> list[str]:
    return [json.loads(line)["kind"] for line in out.splitlines()]


def test_a_training_says_how_it_goes_and_leaves_its_journal(hsr, engine, recipe, tmp_path):
    output = tmp_path / "run"
    status, out, err = hsr("train", recipe, "--output", output)
    assert (status, out) == (0, "")
    assert "Training on 2 images, 1 held out, on the CPU in float32: 40 steps" in err
    assert "PSNR 32.50 dB, SAM 7.25°, the best so far" in err
    assert f"Model: {output}" in err
    (called,) = engine.calls
    assert called[0].schedule.steps == 40
    assert called[1:] == (output, False)
    assert (output / RECIPE).is_file()
    assert read_state(output).status == "finished"
    (run,) = processes.find()
    assert [type(e) for e in run.events()] == [Began, Step, Measured, Finished]


def test_json_is_one_event_a_line_and_nothing_else(hsr, engine, recipe, tmp_path):
    status, out, err = hsr("train", recipe, "--output", tmp_path / "run", "--json")
    assert (status, err) == (0, "")
    assert kinds(out) == ["began", "step", "measured", "finished"]
    assert json.loads(out.splitlines()[-1])["after"]["psnr_db"] == 32.5


def test_what_the_command_line_says_comes_before_the_recipe(hsr, engine, recipe, tmp_path):
    (tmp_path / "images").mkdir()
    status, _, err = hsr(
        *("train", recipe, "--output", tmp_path / "run", "--data", tmp_path / "images"),
        *("--start", "other", "--set", "schedule.steps=7", "seed=3", "--set", "batch.size=2"),
    )
    assert status == 0, err
    ((given, _, _),) = engine.calls
    assert given.data.folder == tmp_path / "images"
    assert given.model.start == "other"
    assert (given.schedule.steps, given.seed, given.batch.size) == (7, 3, 2)


def test_a_start_that_makes_cubes_finer_has_a_recipe_of_its_own(hsr, engine, tmp_path):
    torch.manual_seed(0)
    weights = CoarSR(scale=2, width=4, blocks=1).state_dict()
    start = save_model(tmp_path / "mine.safetensors", weights, from_state_dict(weights).card)
    status, _, err = hsr("train", "--start", start, "--output", tmp_path / "run")
    assert status == 0, err
    ((given, _, _),) = engine.calls
    assert (given.task, given.coarse.scale) == ("super-resolution", 2)
    assert given.model.start == str(start)


def test_a_failure_is_one_sentence_status_1_and_an_event(hsr, engine, recipe, tmp_path):
    engine.error = InputError("The cube of a is broken.")
    status, out, err = hsr("train", recipe, "--output", tmp_path / "run", "--json")
    assert status == 1
    assert kinds(out) == ["began", "step", "failed"]
    assert err == "napari-hsr: error: The cube of a is broken.\n"
    assert read_state(tmp_path / "run").text == "The cube of a is broken."


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_too_little_memory_says_what_takes_less(hsr, engine, recipe, tmp_path, error):
    engine.error = error
    status, _, err = hsr("train", recipe, "--output", tmp_path / "run")
    assert status == 1
    assert "batch.patch" in err
    assert len(err.splitlines()[-1:]) == 1


def test_stopped_is_status_130_and_says_how_to_go_on(hsr, engine, recipe, tmp_path):
    engine.stops = True
    status, _, err = hsr("train", recipe, "--output", tmp_path / "run")
    assert status == 130
    assert "To continue: python -m napari_hsr.train" in err
    assert read_state(tmp_path / "run").status == "stopped"


def test_an_interrupt_is_status_130_and_told(hsr, engine, recipe, tmp_path):
    engine.error = KeyboardInterrupt()
    status, _, _ = hsr("train", recipe, "--output", tmp_path / "run")
    assert status == 130
    assert "last checkpoint stays" in read_state(tmp_path / "run").text


def test_resume_takes_the_recipe_of_the_run(hsr, engine, recipe, tmp_path):
    output = tmp_path / "run"
    engine.stops = True
    hsr("train", recipe, "--output", output)
    status, _, err = hsr("train", "--output", output, "--resume")
    assert status == 130
    assert "no checkpoint yet" in err
    assert len(engine.calls) == 2
    (output / "checkpoint" / "full").mkdir(parents=True)
    (output / "checkpoint" / "full" / "last.pt").write_bytes(b"")
    status, _, err = hsr("train", "--resume")
    assert status == 1
    assert str(output) in err  # those that can be resumed are named
    status, _, err = hsr("train", recipe, "--output", output)
    assert status == 1
    assert "holds a training already" in err
    status, _, err = hsr("train", recipe, "--output", output, "--resume", "--set", "seed=9")
    assert status == 1
    assert "other settings (seed)" in err
    engine.stops = False
    status, _, err = hsr("train", recipe, "--output", output, "--resume")
    assert status == 0, err
    assert engine.calls[-1] == (engine.calls[0][0], output, True)
    events = processes.Run(output).events()
    assert [e.step for e in events if isinstance(e, Began)] == [0, 20, 20]
    assert "no checkpoint" not in err


def test_a_folder_without_a_run_is_not_resumed(hsr, tmp_path):
    status, _, err = hsr("train", "--output", tmp_path, "--resume")
    assert status == 1
    assert "no training was started here" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data", "nowhere"], "nowhere: there is no such folder"),
        (["--set", "sched.steps=3"], "sched"),
    ],
)
def test_wrong_words_are_one_sentence(hsr, engine, recipe, tmp_path, arguments, sentence):
    status, out, err = hsr("train", recipe, "--output", tmp_path / "run", *arguments)
    assert (status, out) == (1, "")
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert not engine.calls
    assert not (tmp_path / "run").exists()


def test_without_the_extra_packages_it_says_how_to_get_them(hsr, engine, recipe, tmp_path):
    engine.error = ModuleNotFoundError("No module named 'lightning'", name="lightning")
    status, _, err = hsr("train", recipe, "--output", tmp_path / "run")
    assert status == 1
    assert 'pip install "napari-hsr[train]"' in err
    assert "napari-hsr[train]" in read_state(tmp_path / "run").text
    engine.error = ModuleNotFoundError("No module named 'torch'", name="torch")
    _, _, err = hsr("train", recipe, "--output", tmp_path / "other")
    assert "napari-hsr[train]" not in err


def test_helpers_of_a_training_on_several_devices_write_nothing(
    hsr, engine, recipe, tmp_path, monkeypatch
):
    monkeypatch.setenv("LOCAL_RANK", "1")
    output, several = tmp_path / "run", ("--set", "engine.devices=2")
    journal = Journal(output)  # of the first process, at work
    journal(Began(0, 40, "CPU", "float32"))
    journal.close()
    before = (output / "events.jsonl").read_text()
    status, out, err = hsr("train", recipe, "--output", output, *several)
    assert (status, out, err) == (0, "", "")
    assert (output / "events.jsonl").read_text() == before
    status, _, err = hsr("train", recipe, *several)
    assert status == 1
    assert "--output is needed" in err


def test_the_processes_that_the_first_starts_are_told_its_folder(hsr, engine, recipe, monkeypatch):
    monkeypatch.setattr("sys.argv", ["napari-hsr", "train"])
    assert hsr("train", recipe)[0] == 0
    assert engine.argv == ["napari-hsr", "train", "--output", str(engine.calls[-1][1])]
    assert sys.argv == ["napari-hsr", "train"]


@pytest.mark.parametrize("variables", [{"RANK": "1"}, {"LOCAL_RANK": "3", "SLURM_PROCID": "1"}])
def test_what_is_left_in_the_environment_leads_no_run_anywhere(
    hsr, engine, recipe, tmp_path, monkeypatch, variables
):
    for name, value in (variables | {"NAPARI_HSR_RUN": str(tmp_path / "theirs")}).items():
        monkeypatch.setenv(name, value)
    status, out, err = hsr("train", recipe, "--output", tmp_path / "mine")
    assert status == 0
    assert out + err  # it speaks: it is no helper
    assert not (tmp_path / "theirs").exists()
    assert (tmp_path / "mine" / "events.jsonl").exists()


# --- before a training ---------------------------------------------------------------------


def row(name, problem="", **changes):
    facts = {
        "name": name,
        "rgb": f"{name}.png",
        "cube": f"{name}.mat",
        "height": 20,
        "width": 30,
        "bands": 31,
        "cube_range": (0.0, 0.9),
        "warnings": (),
        "rgb_range": (0.0, 1.0),
        "held_out": False,
        "problem": notices.Notice.warning(notices.Code.UNREADABLE, problem) if problem else None,
    }
    return Row(**{**facts, **changes})


@pytest.fixture
def found(monkeypatch, engine):
    """What the inspection finds; ``found.obstacle`` is why training cannot start."""
    rows = [row("a"), row("b", rgb="", rgb_range=None), row("c", held_out=True)]
    state = SimpleNamespace(rows=rows, obstacle=None, notices=())

    def check():
        if state.obstacle:
            raise InputError(state.obstacle)

    def inspect_events(recipe, cancel):
        yield Preparing(1, 3, "Reading a")
        yield SimpleNamespace(
            rows=state.rows,
            wavelengths=Wavelengths(np.arange(400.0, 701, 10)),
            train=[r for r in state.rows if r.held_out is False],
            held_out=[r for r in state.rows if r.held_out],
            problems=[r for r in state.rows if r.problem],
            decoded_bytes=65_000_000,
            notices=state.notices,
            check=check,
        )

    monkeypatch.setattr(inspection, "inspect_events", inspect_events)
    found = estimating.Estimate(600.0, 1_500_000_000, "CPU", 0.5, 40)
    monkeypatch.setattr(estimating, "estimate_events", lambda recipe, findings: iter([found]))
    return state


def test_a_dry_run_prints_what_would_be_done_and_trains_nothing(hsr, found, engine, recipe):
    status, out, _ = hsr("train", recipe, "--dry-run")
    assert status == 0
    assert re.search(r"Decoded on disk +65 MB", out)
    for said in ("20 × 30", "0…0.9", "simulated", "held out", "40 steps of 8 patches", "10 min"):
        assert said in out
    for said in ("1.5 GB", "2 images", "400–700"):
        assert said in out
    assert not engine.calls
    assert processes.find() == []


def test_a_dry_run_shows_the_problems_and_fails_with_the_obstacle(hsr, found, recipe):
    found.rows[0] = row("a", problem="It is 3 pixels wider than its photograph.")
    found.rows[0] = row("a", found.rows[0].problem, warnings=("It looks linear.",))
    found.rows[1] = row("b", warnings=("It looks dark.",))  # that is said while it is looked at
    found.obstacle = "One image is left: add one."
    status, out, err = hsr("train", recipe, "--dry-run")
    assert status == 1
    assert "a: It is 3 pixels wider" in out
    assert "note: a: It looks linear." in err
    assert "It looks dark" not in err
    assert err.endswith("error: One image is left: add one.\n")
    status, out, _ = hsr("train", recipe, "--dry-run", "--json")
    assert status == 1
    content = json.loads(out)
    assert content["images"][0]["problem"].startswith("It is 3")
    assert content["obstacle"] == "One image is left: add one."


def test_packaged_recipes_are_listed(hsr, monkeypatch):
    from napari_hsr.training.recipe import yaml_io

    monkeypatch.setattr(yaml_io, "recipe_names", lambda: [("paper", "As in the paper")])
    status, out, _ = hsr("train", "--list-recipes")
    assert status == 0
    assert out.splitlines()[1].split() == ["paper", "As", "in", "the", "paper"]


def test_python_m_train_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "napari_hsr.train", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--resume" in done.stdout
    assert "Ctrl-C finishes the step" in done.stdout


# --- being asked to stop ---------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="signals cannot be sent to oneself there")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_first_signal_asks_and_the_next_is_as_before(name, capfd):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with cancelled_by_user(None) as stop:
        os.kill(os.getpid(), number)
        wait_for(stop.is_set)
        assert signal.getsignal(number) is before
    assert "Ctrl-C again to quit at once" in capfd.readouterr().err
    assert signal.getsignal(number) is before


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal there")
def test_under_nohup_a_closed_terminal_asks_nothing():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cancelled_by_user(None) as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["closed terminal", "full disk"])
def test_what_cannot_be_said_any_more_ends_no_training(
    hsr, engine, recipe, tmp_path, monkeypatch, code
):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(sys, "stderr", Gone())
    write = run_folder.write_state
    calls = []

    def full(*given, **options):  # the run's own folder lies on the same disk
        calls.append(given)
        if len(calls) == 2:
            raise FileError(tmp_path, "the disk is full")
        write(*given, **options)

    monkeypatch.setattr(journal, "write_state", full)
    out = tmp_path / "run"
    args = SimpleNamespace(
        resume=False, json=False, output=str(out), recipe=str(recipe), materials=None, data=None,
        start=None, resample=None, set=[],
    )  # fmt: skip
    assert train_command._train(args) == 0
    assert read_state(out).status == "finished"


def test_a_file_asks_too_and_goes_at_the_end(tmp_path):
    with cancelled_by_user(tmp_path) as stop:
        assert not stop.is_set()
        (tmp_path / "stop").touch()
        wait_for(stop.is_set)
        assert (tmp_path / "stop").exists()  # so that others see what is going on
    assert not (tmp_path / "stop").exists()


def test_a_file_left_over_asks_nothing(tmp_path):
    (tmp_path / "stop").touch()
    os.utime(tmp_path / "stop", (1.0, 1.0))
    with cancelled_by_user(tmp_path) as stop:
        assert not (tmp_path / "stop").exists()
    assert not stop.is_set()


# --- words -------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_in_a_terminal_steps_share_one_line():
    stream = Terminal()
    speaker = EventPrinter(stream)
    speaker(Step(1, 9, 0.5))
    speaker(Step(2, 9, 0.4))
    speaker(Noticed(notices.Notice.warning(notices.Code.OTHER, "careful")))
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("\r\x1b[Kwarning: careful\n")


def test_elsewhere_steps_are_told_now_and_then_and_the_last_always():
    stream = io.StringIO()
    speaker = EventPrinter(stream)
    for step in range(1, 10):
        speaker(Preparing(step, 9, f"Reading image {step}"))
    for step in range(1, 10):
        speaker(Step(step, 9, 0.5))
    lines = stream.getvalue().splitlines()
    assert lines == ["Reading image 1 (1 of 9)", "Step 1 of 9 · loss 0.5", "Step 9 of 9 · loss 0.5"]


def test_every_number_has_its_unit():
    step = Step(1200, 2000, 0.031, images_per_second=35.2, seconds_left=272, memory_bytes=812e6)
    assert describe_step(step) == (
        "Step 1,200 of 2,000 · loss 0.031 · 35.2 patches/s · 5 min left · 812 MB of memory"
    )
    assert format_seconds(45.2) == "45 s"
    assert format_seconds(7500) == "2 h 5 min"
    assert format_seconds(-3600) == "0.0 s"  # the clock was set back
    assert describe(Saved(3, "x")) is None
    assert "before training: PSNR 30.00 dB" in describe(Measured(0, {"psnr_db": 30.0}, {}))
    assert "no figures" in describe(Measured(5, {"psnr_db": None}, {}))


# --- the folder and the name -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "My-model-1"),  # the packaged recipe has no name of its own
        (["fine-tune"], "My-model-1"),
        (["nameless.yaml"], "My-model-1"),
        (["mine.yaml"], "mine"),
        (["--set", "name=other"], "other"),
    ],
)
def test_the_model_is_named_as_its_folder_unless_it_is_named(
    hsr, engine, recipe, tmp_path, arguments, name
):
    (tmp_path / "nameless.yaml").write_text(RECIPE_TEXT.partition("\n")[2])
    arguments = [tmp_path / a if a.endswith(".yaml") else a for a in arguments]
    status, _, err = hsr("train", *arguments, "--output", tmp_path / "_My model 1")
    assert status == 0, err
    ((given, _, _),) = engine.calls
    assert given.name == name


def test_a_refused_training_leaves_no_folder_that_it_made(hsr, monkeypatch, recipe, tmp_path):
    def refused():
        yield Preparing(0, 1, "Looking through a")
        raise InputError("There is one image only.")

    def train_events(recipe, output, cancel=None, resume=False, began=None):
        return recorded(refused(), recipe, output, resume)

    monkeypatch.setattr(training, "train_events", train_events)
    status, _, err = hsr("train", recipe, "--output", tmp_path / "run")
    assert (status, "There is one image only." in err) == (1, True)
    assert not (tmp_path / "run").exists()
    assert processes.find() == []
    (tmp_path / "mine").mkdir()  # the user's own, or made by the panel that looks on
    hsr("train", recipe, "--output", tmp_path / "mine")
    assert read_state(tmp_path / "mine").text == "There is one image only."


def test_resample_states_the_grid_of_the_cubes():
    from napari_hsr.cli import build_parser
    from napari_hsr.cli.train import _recipe

    recipe = _recipe(build_parser().parse_args(["train", "--resample", "420:680:20"]))
    assert recipe.data.wavelengths_nm == tuple(range(420, 681, 20))
