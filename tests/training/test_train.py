"""A whole training, from files to a model directory, and all that can be wrong with it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import napari_hsr
from napari_hsr.errors import FileError, HSRError, InputError
from napari_hsr.models.model_file import save_model
from napari_hsr.notices import Code
from napari_hsr.training import export, validation
from napari_hsr.training import train as training
from napari_hsr.training.engine import launch, loop
from napari_hsr.training.engine.step import Stepper
from napari_hsr.training.events import (
    Finished,
    Measured,
    Noticed,
    Saved,
    Step,
    Stopped,
    from_json,
    to_json,
)
from napari_hsr.training.recipe.yaml_io import read_recipe, write_recipe
from napari_hsr.training.runs import estimate as estimating
from napari_hsr.training.runs import recorder
from napari_hsr.training.runs.run_folder import (
    EVENTS,
    STATE,
    Follower,
    State,
    read_state,
    write_state,
)
from napari_hsr.training.train import train

from ..patience import PATIENCE
from . import data_files, engine
from .driven import estimate, inspect

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"architecture": "edsr", "settings": {"width": 8, "blocks": 1}}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    return data_files.write_pairs(tmp_path_factory.mktemp("pairs"), 4)


@pytest.fixture(scope="module")
def cached(tmp_path_factory) -> Path:
    """One cache for all: images are decoded once."""
    return tmp_path_factory.mktemp("cache")


def recipe(folder: Path, cache: Path, steps: int | None = 6, **settings):
    settings = {
        "name": "mine",
        "model": SMALL,
        "schedule": {"steps": steps, "warmup": 2},
        "optimiser": {"learning_rate": 2e-3},
        "validation": {"every": 3},
        "engine": {
            "device": "cpu", "precision": "float32", "tensorboard": False, "checkpoint_every": 2,
        },
        **settings,
    }  # fmt: skip
    return data_files.recipe(folder, data={"cache": cache, "hold_out": 1}, **settings)


def run(given, output, resume=False, on=None):
    heard = engine.Heard()

    def report(event):
        heard(event)
        if on is not None:
            on(event, heard.stop)

    return train(given, output, report, heard.stop, resume=resume), heard


def stop_after(step):
    def on(event, stop):
        if isinstance(event, Saved) and event.step == step:
            stop.set()

    return on


def weights(folder: Path) -> bytes:
    """Of the file, without its card, which tells how long it took."""
    from safetensors.numpy import load_file

    found = load_file(folder / "mine.safetensors")
    return b"".join(found[key].tobytes() for key in sorted(found))


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_from_files_to_a_model(pairs, cached, tmp_path):
    end, heard = run(recipe(pairs, cached), tmp_path / "run")
    assert isinstance(end, Finished)
    assert end.directory == str(tmp_path / "run")
    model = napari_hsr.load_model(tmp_path / "run")
    assert model.name == "mine"
    best = max(heard.of(Measured), key=lambda m: m.mean["psnr_db"])
    stated = model.card.figures["the held-out images"]["psnr_db"]
    assert stated == pytest.approx(best.mean["psnr_db"], abs=0.02)
    assert end.after["psnr_db"] == pytest.approx(stated, abs=1e-4)
    assert f"after {best.step} steps" in end.kept
    photograph = napari_hsr.read(pairs / "scene0.png")
    assert napari_hsr.reconstruct(photograph, model, device="cpu").shape == (31, 24, 20)
    assert files(tmp_path / "run") == {
        "mine.safetensors", "card.json", "recipe.yaml", "split.txt", "log.csv", "plot.png",
        "preview.npz", "checkpoint/last.pt", f"checkpoint/best-{best.step}.pt",
        "events.jsonl", "state.json",
    }  # fmt: skip


def test_from_python_it_leaves_what_the_command_line_leaves(pairs, cached, tmp_path):
    """Every event once, the recipe to resume by, a log and a plot that are not empty."""
    given = recipe(pairs, cached)
    end, heard = run(given, tmp_path / "run")
    told = Follower(tmp_path / "run").news()
    assert told == [from_json(to_json(event)) for event in [*heard, end]]
    assert read_state(tmp_path / "run").status == "finished"
    assert read_recipe(tmp_path / "run" / "recipe.yaml") == given
    rows = (tmp_path / "run" / "log.csv").read_text().splitlines()
    steps = [row.split(",")[0] for row in rows]  # others between, where a step takes its time
    assert (steps[:3], steps[-1]) == (["step", "0", "1"], "6")
    assert "3" in steps
    with pytest.raises(InputError, match="holds a training already"):
        run(given, tmp_path / "run")
    assert Follower(tmp_path / "run").news() == told


def test_a_recipe_that_never_began_is_not_what_is_resumed(pairs, cached, tmp_path):
    given = recipe(pairs, cached, model={"start": "rootpoly-srgb"})
    with pytest.raises(InputError, match="no trainable weights"):
        run(given, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()  # as the panel does, which looks into it
    with pytest.raises(InputError, match="no trainable weights"):
        run(given, tmp_path / "run")
    assert read_state(tmp_path / "run").status == "failed"
    assert "no trainable weights" in read_state(tmp_path / "run").text
    run(recipe(pairs, cached, seed=3), tmp_path / "run")
    assert read_recipe(tmp_path / "run" / "recipe.yaml").seed == 3


def test_a_start_that_is_none_is_told_before_images_are_read(cached, tmp_path):
    given = recipe(data_files.write_pairs(tmp_path / "data", 2), cached, model={"start": "nosuch"})
    heard = engine.Heard()
    with pytest.raises(HSRError, match="nosuch"):
        train(given, tmp_path / "run", heard, heard.stop)
    assert not heard


def test_two_processes_do_not_train_in_one_folder(pairs, cached, tmp_path):
    import psutil

    waits = [sys.executable, "-c", "input()"]
    (tmp_path / "run").mkdir()
    with subprocess.Popen(waits, stdin=subprocess.PIPE) as other:  # until the pipe is closed
        created = psutil.Process(other.pid).create_time()
        state = State("running", other.pid, created, time.time(), step=3, total=6)
        write_state(tmp_path / "run", state)
        for resume in (False, True):
            with pytest.raises(InputError, match=f"trained already, by the process {other.pid}"):
                run(recipe(pairs, cached), tmp_path / "run", resume=resume)
        other.communicate(b"\n")
    assert read_state(tmp_path / "run") == state
    write_state(tmp_path / "run", replace(state, created=1.0))  # the number is another's now
    assert run(recipe(pairs, cached), tmp_path / "run")[0].directory


@pytest.mark.parametrize("resume", [False, True])
def test_of_two_that_begin_at_once_in_one_folder_one_trains(tmp_path, monkeypatch, resume):
    """Both find the folder free; the other process is the first to write that it trains there."""
    import psutil

    folder, other = tmp_path / "run", psutil.Process(os.getppid())
    state = State("running", other.pid, other.create_time(), time.time())
    free = recorder._check_nobody_trains

    def found_free(output):
        monkeypatch.setattr(recorder, "_check_nobody_trains", free)
        free(output)
        (output / STATE).write_text(json.dumps(asdict(state)))
        (output / EVENTS).write_text("of the other\n")

    folder.mkdir()
    monkeypatch.setattr(recorder, "_check_nobody_trains", found_free)
    with pytest.raises(InputError, match=f"trained already, by the process {other.pid}"):
        next(recorder.recorded([], recipe(tmp_path, None), folder, resume))
    assert read_state(folder) == state
    assert (folder / EVENTS).read_text() == "of the other\n"


def test_without_tensorboard_it_is_said_once(pairs, cached, tmp_path, monkeypatch):
    there = importlib.util.find_spec

    def absent(name):
        return None if name == "tensorboard" else there(name)

    monkeypatch.setattr(training, "find_spec", absent)
    monkeypatch.setattr(launch, "find_spec", absent)
    given = recipe(pairs, cached, 2, engine={"device": "cpu", "precision": "float32"})
    _, heard = run(given, tmp_path / "run")
    (said,) = [n.notice for n in heard.of(Noticed) if n.notice.code == Code.TENSORBOARD_MISSING]
    assert "not installed" in said
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_the_adapter_does_without_lightning(pairs, cached, tmp_path, monkeypatch):
    """And what needs it says how to get it, to whoever looks into the folder too."""
    for name in ("launch", "loop", "step"):
        monkeypatch.delitem(sys.modules, f"napari_hsr.training.engine.{name}", raising=False)
    for name in [n for n in sys.modules if n.partition(".")[0] == "lightning"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightning", None)
    given = recipe(pairs, cached, model={"start": "rootpoly-srgb"}, strategy="adapter")
    assert run(given, tmp_path / "adapter")[0].directory
    (tmp_path / "full").mkdir()  # as the panel does
    with pytest.raises(HSRError, match=r"pip install .napari-hsr\[train\]"):
        run(recipe(pairs, cached), tmp_path / "full")
    assert "napari-hsr[train]" in read_state(tmp_path / "full").text


def test_cubes_of_eight_bands_with_a_simulated_camera(cached, tmp_path):
    from napari_hsr.cube import Wavelengths

    grid = Wavelengths(np.linspace(420, 690, 8))
    for seed in range(3):
        cube = data_files.spectra(seed, grid=grid)
        data_files.write_cube(tmp_path / "cubes" / f"scene{seed}.npz", cube, grid)
    model = {**SMALL, "head": "colour-exact"}
    camera = {"cameras": ["nikon-5100-npl"]}
    end, _ = run(recipe(tmp_path / "cubes", cached, model=model, camera=camera), tmp_path / "run")
    assert end.directory
    made = napari_hsr.load_model(tmp_path / "run")
    assert (made.bands, made.card.architecture) == (8, "colour-exact")
    assert made.input_encoding == "camera:nikon-5100-npl"


def test_stopped_and_resumed_it_is_the_same_model(pairs, cached, tmp_path):
    given = recipe(pairs, cached)
    run(given, tmp_path / "whole")
    end, _ = run(given, tmp_path / "run", on=stop_after(4))
    assert isinstance(end, Stopped)
    assert end.step in (4, 5)
    assert end.resume.endswith(f"--output {tmp_path / 'run'} --resume")
    assert not (tmp_path / "run" / "mine.safetensors").exists()
    assert (tmp_path / "run" / "log.csv").read_text().startswith("step,loss,")
    end, heard = run(given, tmp_path / "run", resume=True)
    assert isinstance(end, Finished)
    assert heard.of(Step)[0].step in (5, 6)
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_a_stop_before_the_first_step(pairs, cached, tmp_path):
    stop = threading.Event()
    stop.set()
    end = train(recipe(pairs, cached), tmp_path / "run", lambda event: None, stop)
    assert end.step == 0
    end, _ = run(recipe(pairs, cached), tmp_path / "run", resume=True)
    assert isinstance(end, Finished)


def test_a_stop_in_the_last_validation_tells_the_steps_that_were_taken(pairs, cached, tmp_path):
    """It had said "after step 0", though all steps were there."""
    given = recipe(pairs, cached)
    stop, last = threading.Event(), given.schedule.steps

    def report(event):
        if isinstance(event, Step) and event.step == last:
            stop.set()

    end = train(given, tmp_path / "run", report, stop)
    assert isinstance(end, Stopped)
    assert end.step == last
    end = train(given, tmp_path / "run", lambda event: None, stop, resume=True)  # at once
    assert isinstance(end, Stopped)
    assert end.step == last
    end, _ = run(given, tmp_path / "run", resume=True)
    assert isinstance(end, Finished)


def test_what_is_no_better_than_its_start_is_not_written(pairs, cached, tmp_path):
    given = engine.model(31)
    start = save_model(tmp_path / "start.safetensors", given.module.state_dict(), given.card)
    before = start.read_bytes()
    settings = {"model": {"start": str(start)}, "data_statement": "mine"}
    worse = recipe(pairs, cached, 3, optimiser={"learning_rate": 50}, **settings)
    end, heard = run(worse, tmp_path / "worse")
    assert end.directory == ""
    assert end.kept.startswith("No model was made: none of the 3 steps improved on small on the")
    assert not list((tmp_path / "worse").glob("*.safetensors"))
    better = recipe(pairs, cached, 6, **settings)
    end, heard = run(better, tmp_path / "better")
    assert end.after["psnr_db"] > end.before["psnr_db"] + 0.1
    assert end.before["psnr_db"] == heard.of(Measured)[0].mean["psnr_db"]
    assert start.read_bytes() == before


def test_a_start_that_wants_a_camera_is_not_given_srgb(pairs, cached, tmp_path):
    given = engine.model(31)
    card = given.card.model_copy(update={"input_encoding": "camera:nikon-d700"})
    start = save_model(tmp_path / "start.safetensors", given.module.state_dict(), card)
    with pytest.raises(InputError, match=r"scene\d: .*camera:nikon-d700") as caught:
        run(recipe(pairs, cached, model={"start": str(start)}), tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_a_start_without_weights_to_train_is_told(pairs, cached, tmp_path):
    with pytest.raises(InputError, match="rootpoly-srgb has no trainable weights"):
        run(recipe(pairs, cached, model={"start": "rootpoly-srgb"}), tmp_path / "run")


def test_a_folder_that_cannot_be_written_to(pairs, cached, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for output in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(FileError, match="nothing can be written there"):
            run(recipe(pairs, cached), output)


def test_another_model_is_not_overwritten(pairs, cached, tmp_path):
    (tmp_path / "other.safetensors").write_bytes(b"")
    with pytest.raises(FileError, match=r"another model already \(other\.safetensors\)"):
        run(recipe(pairs, cached), tmp_path)


def test_a_folder_that_changes_under_a_run(cached, tmp_path):
    """Told once, and gone on with what was read; a resume finds another image and says so."""
    folder = data_files.write_pairs(tmp_path / "data", 3)
    given = recipe(folder, cached, 8)
    changed = None

    def on(event, stop):
        nonlocal changed
        if isinstance(event, Saved) and event.step >= 2 and changed is None:
            changed = folder / "scene1.npz"
            data_files.write_cube(changed, data_files.spectra(99))
        stop_after(6)(event, stop)

    end, heard = run(given, tmp_path / "run", on=on)
    assert isinstance(end, Stopped)
    told = [n.notice for n in heard.of(Noticed) if n.notice.severity == "warning"]
    assert len(told) == 1
    assert f"{changed} changed since the training began" in told[0]
    with pytest.raises(InputError, match="scene1 is not the image that the training began with"):
        run(given, tmp_path / "run", resume=True)
    changed.unlink()
    (folder / "scene1.png").unlink()
    with pytest.raises(InputError, match="when the training began"):
        run(given, tmp_path / "run", resume=True)


@pytest.fixture
def clock(monkeypatch):
    """In the place of ``time``: it goes only while steps are taken and images measured.

    A step takes 10 ms and an image 50 ms, the first of each 1 s more, on every machine.
    """
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    for module in (training, estimating, loop):
        monkeypatch.setattr(module, "time", clock)

    def timed(function, seconds):
        asked = []

        def work(*arguments, **options):
            clock.now += seconds(*arguments) + (not asked)
            asked.append(arguments)
            return function(*arguments, **options)

        return work

    monkeypatch.setattr(Stepper, "step", timed(Stepper.step, lambda _stepper: 0.01))
    validating = timed(validation.validate, lambda _model, images, *_: 0.05 * len(images))
    for module in (validation, export):
        monkeypatch.setattr(module, "validate", validating)
    return clock


def test_an_estimate_is_near_and_writes_nothing_but_the_cache(pairs, tmp_path, monkeypatch, clock):
    """By a clock that other programs do not make go faster."""
    monkeypatch.chdir(tmp_path)
    settings = {"batch": {"size": 8, "patch": 16}, "validation": {"every": 20}}
    settings["model"] = {"architecture": "edsr", "settings": {"width": 8, "blocks": 1}}
    given = recipe(pairs, tmp_path / "cache", 120, **settings)
    before = files(pairs)
    findings = inspect(given, keep=True)
    found = estimate(given, findings)
    assert files(pairs) == before
    assert {p.name for p in tmp_path.iterdir()} == {"cache"}
    assert found.steps == 120
    assert found.device.startswith("CPU")
    assert found.memory_bytes > 1e8
    began = clock.now
    run(given, tmp_path / "run")
    assert found.seconds == pytest.approx(clock.now - began, rel=0.1)
    assert found.seconds_a_step == pytest.approx(0.01)


def test_an_estimate_of_all_strategies_takes_a_start_without_weights(pairs, cached):
    given = recipe(pairs, cached, None, schedule={"minutes": 3}, strategy="auto",
                   model={"start": "rootpoly-srgb"})  # fmt: skip
    found = estimate(given, inspect(given, keep=True))
    assert 0 < found.seconds < 180


def test_an_estimate_of_a_time_budget_is_the_budget(pairs, cached):
    given = recipe(pairs, cached, None, schedule={"minutes": 3})
    found = estimate(given, inspect(given, keep=True))
    assert found.seconds == 180
    assert found.steps > 100


def test_nothing_is_saved_once_another_process_goes_on_with_it(pairs, cached, tmp_path):
    """A computer that slept while a step was taken: the last checkpoint is theirs by now."""
    given, folder = recipe(pairs, cached, validation={"every": 100}), tmp_path / "run"
    last = folder / "checkpoint" / "last.pt"
    events = training.train_events(given, folder)
    for event in events:
        if isinstance(event, Saved) and event.step == 2:
            break
    last.write_bytes(b"theirs")
    ours = read_state(folder)
    write_state(folder, replace(ours, pid=ours.pid + 1, machine="elsewhere"))
    with pytest.raises(FileError, match="another process has resumed this training"):
        list(events)
    assert last.read_bytes() == b"theirs"


def test_a_fit_asks_before_each_checkpoint(tmp_path):
    def check():
        raise FileError(tmp_path, "it is another's")

    with pytest.raises(FileError, match="it is another's"):
        engine.run(tmp_path, check=check)
    assert not list(tmp_path.rglob("*.pt"))


def headless(*arguments: object, interrupt: Path | None = None) -> tuple[int, str, str]:
    """``python -m napari_hsr.train`` with every warning an error; Ctrl-C once there is a file."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "napari_hsr.train", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE
    while interrupt is not None and process.poll() is None and time.monotonic() < deadline:
        if interrupt.exists():
            process.send_signal(signal.SIGINT)
            break
        time.sleep(0.02)
    out, err = process.communicate(timeout=5 * PATIENCE)
    return process.returncode, out, err


@pytest.mark.thorough
def test_ctrl_c_and_resume_at_the_command_line(pairs, cached, tmp_path):
    """The real command: it finishes its step, says how to go on, and ends as if undisturbed."""
    engine_settings = {"device": "cpu", "precision": "float32", "checkpoint_every": 5}
    given = recipe(pairs, cached, 100, validation={"every": 1000}, engine=engine_settings)
    run(given, tmp_path / "whole")
    write_recipe(given, tmp_path / "mine.yaml")
    output = tmp_path / "run"
    for _ in range(10):
        shutil.rmtree(output, ignore_errors=True)
        status, out, err = headless(
            *(tmp_path / "mine.yaml", "--output", output),
            interrupt=output / "checkpoint" / "best-0.pt",
        )
        if status:  # else it got to its end before it was interrupted
            break
    assert status == 130, out + err
    assert "--resume" in out + err
    status, again, faults = headless("--output", output, "--resume")
    assert status == 0, again + faults
    assert weights(output) == weights(tmp_path / "whole")
    said = (out + err + again + faults).lower()
    for word in ("lightning", "warning", "traceback", "tip:", "rank", "dataloader"):
        assert word not in said
    assert any((output / "tensorboard").iterdir())
