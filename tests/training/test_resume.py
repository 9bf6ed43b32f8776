"""Broken off anywhere and gone on with, a training ends with the weights it would have had."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_hsr.errors import FileError, HSRError, InputError
from napari_hsr.models.model_file import save_model
from napari_hsr.training.engine import checkpoint
from napari_hsr.training.events import Measured, Saved, Step

from ..patience import PATIENCE
from . import engine

#: Each costs the start of a process; a run by hand may take more.
KILLS = int(os.environ.get("NAPARI_HSR_TEST_KILLS", "2"))
#: A fit in a process of its own: folder, whether to resume, and milliseconds a batch takes.
SCRIPT = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import engine

folder, resume, milliseconds = sys.argv[1:]
plain = engine.batches()

def batch(*place):
    time.sleep(float(milliseconds) / 1000)
    return plain(*place)

recipe = engine.recipe(24, engine={{"checkpoint_every": 2}})
print("ready", flush=True)
engine.run(Path(folder), recipe, batches=batch, resume=resume == "yes")
print("done", flush=True)
"""


def alone(folder: Path, resume: str, milliseconds: int = 0) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT, folder, resume, str(milliseconds)],
        stdout=subprocess.PIPE,
        text=True,
    )


def last(folder: Path) -> dict:
    return torch.load(folder / "last.pt", weights_only=True)


def all_equal(one, other) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(all_equal(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(all_equal, one, other))
    return one == other


@pytest.mark.thorough
def test_killed_at_any_instant_it_ends_with_the_same_weights(tmp_path):
    """kill -9 of the real process, again and again, until it gets to its end."""
    whole, _ = engine.run(tmp_path / "whole", engine.recipe(24, engine={"checkpoint_every": 2}))
    folder = tmp_path / "killed"
    rng = np.random.default_rng()
    kills, resume, ended_first = 0, "no", 0
    while kills < KILLS:
        process = alone(folder, resume, 40)
        assert process.stdout.readline() == "ready\n"
        done = last(folder)["state"]["step"] if (folder / "last.pt").exists() else 0
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and process.poll() is None:  # some way into it
            if (folder / "last.pt").exists() and last(folder)["state"]["step"] > done:
                break
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.15))
        ended = process.poll() is not None
        process.kill()
        process.communicate()
        if not ended:
            kills, resume = kills + 1, "yes"
            continue
        assert process.returncode == 0
        if kills:
            break
        shutil.rmtree(folder)  # it got to its end before it could be killed: once more
        ended_first += 1
        assert ended_first < 20
    (folder / "left over.part").write_bytes(b"half of a checkpoint")  # of version 0.1
    (folder / ".last.pt.0.tmp").write_bytes(b"half of a checkpoint")
    fitted, _ = engine.run(folder, engine.recipe(24, engine={"checkpoint_every": 2}), resume=True)
    assert engine.same(fitted.weights, whole.weights)
    assert (fitted.step, fitted.mean) == (whole.step, whole.mean)
    mine, other = last(folder), last(tmp_path / "whole")
    assert mine["state"]["step"] == 24
    for key in ("weights", "average", "optimiser"):
        assert all_equal(mine[key], other[key])
    assert {p.name for p in folder.iterdir()} == {"last.pt", mine["state"]["best_file"]}


@pytest.mark.parametrize("choose", ["psnr", "last"])
@pytest.mark.parametrize("step", [1, 4, 9])
def test_stopped_and_gone_on_it_ends_with_the_same_weights(tmp_path, step, choose):
    recipe = engine.recipe(anchor=0.1, validation={"choose": choose})
    whole, _ = engine.run(tmp_path / "whole", recipe)
    first, heard = engine.stopped_after(tmp_path / "run", recipe, step)
    assert first.stopped
    assert first.state.step == step == heard.of(Saved)[-1].step
    second, heard = engine.run(tmp_path / "run", recipe, resume=True)
    assert not second.stopped
    assert heard.of(Step)[0].step == step + 1
    assert engine.same(second.weights, whole.weights)
    assert (second.step, second.mean, second.images) == (whole.step, whole.mean, whole.images)


def test_a_network_that_draws_at_random_ends_with_the_same_weights(tmp_path, monkeypatch):
    """Its draws are those of the step, whatever ran before."""
    from napari_hsr.models.architectures.edsr import EDSR

    plain = EDSR.forward

    def forward(self, x):
        return plain(self, torch.nn.functional.dropout(x, 0.5, self.training))

    monkeypatch.setattr(EDSR, "forward", forward)
    whole, _ = engine.run(tmp_path / "whole")
    engine.stopped_after(tmp_path / "run", engine.recipe(), 5)
    second, _ = engine.run(tmp_path / "run", resume=True)
    assert engine.same(second.weights, whole.weights)


def test_the_best_weights_survive_a_kill_between_their_file_and_the_checkpoint(
    tmp_path, monkeypatch
):
    """The checkpoint names weights that are there, whichever of the two files was written."""
    whole, _ = engine.run(tmp_path / "whole")
    save = checkpoint.save

    class Killed(BaseException):
        pass

    def dying(folder, state, name=checkpoint.LAST):
        path = save(folder, state, name)
        if name == "best-8.pt":
            raise Killed
        return path

    monkeypatch.setattr(checkpoint, "save", dying)
    with pytest.raises(Killed):
        engine.run(tmp_path / "run")
    state = last(tmp_path / "run")["state"]
    assert state["step"] < 8
    assert (tmp_path / "run" / state["best_file"]).is_file()
    monkeypatch.setattr(checkpoint, "save", save)
    second, heard = engine.run(tmp_path / "run", resume=True)
    assert engine.same(second.weights, whole.weights)
    assert [m.step for m in heard.of(Measured)] == [8, 10]


def test_a_finished_fit_is_only_read(tmp_path):
    whole, _ = engine.run(tmp_path)
    again, heard = engine.run(tmp_path, resume=True)
    assert engine.same(again.weights, whole.weights)
    assert not heard.of(Step)
    assert not heard.of(Measured)


def test_resume_without_a_checkpoint_begins(tmp_path):
    whole, _ = engine.run(tmp_path / "a")
    other, _ = engine.run(tmp_path / "b", resume=True)
    assert engine.same(other.weights, whole.weights)


def test_another_recipe_is_not_gone_on_with(tmp_path):
    engine.stopped_after(tmp_path, engine.recipe(), 5)
    with pytest.raises(FileError, match=r"last\.pt: .*other settings \(ema, optimiser\)"):
        engine.run(tmp_path, engine.recipe(ema=0.5, optimiser={"learning_rate": 1}), resume=True)
    # where it is computed may change
    fitted, _ = engine.run(
        tmp_path, engine.recipe(engine={"checkpoint_every": 5}, title="Other"), resume=True
    )
    assert fitted.state.step == 10


def test_a_checkpoint_of_an_earlier_version_is_gone_on_with(tmp_path):
    """Settings that have come since are as if they had been there; others are told."""
    whole, _ = engine.run(tmp_path / "whole")
    engine.stopped_after(tmp_path / "run", engine.recipe(), 5)
    saved = last(tmp_path / "run")
    del saved["recipe"]["model"]["begin"], saved["state"]["start_mean"]
    checkpoint.save(tmp_path / "run", saved)
    fitted, _ = engine.run(tmp_path / "run", resume=True)
    assert engine.same(fitted.weights, whole.weights)
    saved["recipe"]["model"]["gone"] = 1
    checkpoint.save(tmp_path / "run", saved)
    with pytest.raises(FileError, match=r"of another version of this program \(model\.gone\)"):
        engine.run(tmp_path / "run", resume=True)


def test_another_network_is_not_gone_on_with(tmp_path):
    engine.stopped_after(tmp_path, engine.recipe(), 5)
    with pytest.raises(FileError, match="to another network than this training's"):
        engine.run(tmp_path, model=engine.model(9), resume=True)


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (({"a": "1"}, {"c": "3"}), "b was trained on when the training began, and is no more"),
        (({"a": "1", "b": "2", "d": "4"}, {"c": "3"}), "d was not trained on when"),
        (({"a": "1", "b": "9"}, {"c": "3"}), "b is not the image that the training began with"),
        (({"a": "1", "b": "2"}, {"d": "3"}), "c was held out when"),
    ],
)
def test_other_images_are_not_gone_on_with(tmp_path, now, sentence):
    images = ({"a": "1", "b": "2"}, {"c": "3"})
    engine.stopped_after(tmp_path, engine.recipe(4), 2, images=images)
    with pytest.raises(InputError, match=sentence):
        engine.run(tmp_path, engine.recipe(4), images=now, resume=True)
    fitted, _ = engine.run(tmp_path, engine.recipe(4), images=images, resume=True)
    assert fitted.state.step == 4


def test_another_table_of_lights_is_not_gone_on_with(tmp_path):
    table = tmp_path / "lights.csv"
    table.write_text("nm,lamp\n400,1\n700,2\n")
    recipe = engine.recipe(4, camera={"illuminants": [f"{table}:lamp"]})
    folder = tmp_path / "run"
    engine.stopped_after(folder, recipe, 2)
    table.write_text("nm,lamp\n400,2\n700,1\n")
    with pytest.raises(InputError, match=r"lights\.csv has changed since the training began"):
        engine.run(folder, recipe, resume=True)


@pytest.mark.parametrize("change", [{"input_encoding": "srgb"}, {}], ids=["card", "weights"])
def test_another_start_model_is_not_gone_on_with(tmp_path, change):
    """Its weights are held on to, and its card says what the trained ones take."""
    start = tmp_path / "start.safetensors"
    model = engine.model()
    weights = model.module.state_dict()
    save_model(start, weights, model.card)
    recipe = engine.recipe(4, model={"start": str(start)}, anchor=0.1)
    folder = tmp_path / "run"
    engine.stopped_after(folder, recipe, 2)
    other = weights if change else {key: 2 * value for key, value in weights.items()}
    save_model(start, other, model.card.model_copy(update=change))
    with pytest.raises(
        InputError, match=r"start\.safetensors has changed since the training began"
    ):
        engine.run(folder, recipe, resume=True)
    save_model(start, weights, model.card)
    fitted, _ = engine.run(folder, recipe, resume=True)
    assert fitted.state.step == 4


def _in_state(**changes):
    return lambda saved: saved["state"].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        *(_in_state(step=step) for step in ("x", 2.5, -5, 2**40, True, 5)),
        *(_in_state(total=total) for total in (-3, 2**62, "x", 3)),
        *(_in_state(parts=parts) for parts in (0, -1, "a")),
        *(_in_state(seconds=seconds) for seconds in ("x", float("nan"), None)),
        _in_state(measured="x"),
        *(_in_state(best_file=file) for file in ("/etc/passwd", "../best-1.pt", "gone.pt", ["a"])),
        *(_in_state(best_mean=mean) for mean in ([1], {"psnr_db": "x"}, {1: 2.0})),
        _in_state(best_images={"a": 3}),
        *(lambda s, value=value: s.update(state=value) for value in ([], "x", None)),
        *(lambda s, value=value: s.update(split=value) for value in ("x", None, {"train": {}})),
        lambda saved: saved.update(tables=5),
        lambda saved: saved.update(models=["a"]),
        lambda saved: saved.update(average=[1]),
        lambda saved: saved["average"].popitem(),
        lambda saved: saved.update(average={k: v.ravel()[:1] for k, v in saved["average"].items()}),
        lambda saved: saved.update(optimiser="x"),
        lambda saved: saved.update(optimiser={}),
        lambda saved: saved["optimiser"]["state"][0].update(exp_avg=torch.ones(2)),
        lambda saved: saved.update(precision="x"),
    ],
)
def test_a_checkpoint_made_by_hand_is_refused_in_a_sentence(tmp_path, change):
    """It had ended in a fault inside, gone on with other steps, or read a file that nobody named."""
    engine.stopped_after(tmp_path, engine.recipe(4), 2)
    saved = last(tmp_path)
    change(saved)
    checkpoint.save(tmp_path, saved)
    with pytest.raises((FileError, InputError)):
        engine.run(tmp_path, engine.recipe(4), resume=True)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.unlink(), "are gone"),
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "are damaged"),
        (lambda path: torch.save({"format": checkpoint.FORMAT}, path), "are gone"),
    ],
    ids=["removed", "cut short", "another"],
)
def test_best_weights_that_cannot_be_handed_over_are_missed_before_the_first_step(
    tmp_path, spoil, told
):
    engine.stopped_after(tmp_path, engine.recipe(4), 2)
    best = tmp_path / last(tmp_path)["state"]["best_file"]
    spoil(best)
    with pytest.raises(FileError, match=f"{best.name}.*{told}"):
        engine.run(tmp_path, engine.recipe(4), resume=True)
    assert last(tmp_path)["state"]["step"] == 2


@pytest.mark.parametrize("step", [7, 8, 9], ids=["plain", "measured", "saved"])
def test_weights_that_a_gradient_spoilt_are_not_saved(tmp_path, monkeypatch, step):
    """The loss tells it a step later: by then the weights are NaN."""
    plain, calls = torch.nn.utils.clip_grad_norm_, []

    def spoilt(parameters, *args):
        parameters = list(parameters)
        calls.append(parameters)
        if len(calls) == step:
            parameters[0].grad.fill_(float("nan"))
        return plain(parameters, *args)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", spoilt)
    with pytest.raises(HSRError, match=r"NaN|nan"):
        engine.run(tmp_path)
    saved = last(tmp_path)
    for part in ("weights", "average"):
        assert all(torch.isfinite(value).all() for value in saved[part].values())
    assert saved["state"]["step"] in (6, 8)
    fitted, _ = engine.run(tmp_path, resume=True)
    assert fitted.state.step == 10


def test_every_checkpoint_holds_its_recipe_and_its_split(tmp_path):
    recipe = engine.recipe(4)
    engine.run(tmp_path, recipe, images=({"a": "1"}, {"c": "3"}))
    for path in tmp_path.iterdir():
        saved = torch.load(path, weights_only=True)
        assert type(recipe).model_validate(saved["recipe"]) == recipe
        assert saved["split"] == {"train": {"a": "1"}, "held_out": {"c": "3"}}


class Disk:
    """Full from a moment on: what is written then fails half-way."""

    def __init__(self, monkeypatch):
        self.full = False
        plain = Path.open

        def opened(path, mode="r", *arguments, **options):
            file = plain(path, mode, *arguments, **options)
            return _Full(file, self) if self.full and mode == "wb" else file

        monkeypatch.setattr(Path, "open", opened)


class _Full:
    def __init__(self, file, disk):
        self.file, self.room = file, 2000

    def write(self, data):
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(data)
        return self.file.write(data)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()


def test_a_full_disk_is_told_and_the_last_checkpoint_goes_on(tmp_path, monkeypatch):
    whole, _ = engine.run(tmp_path / "whole")
    disk, folder = Disk(monkeypatch), tmp_path / "run"

    def batches(step, rank, world):
        disk.full = step >= 7
        return engine.batches()(step, rank, world)

    with pytest.raises(FileError) as caught:
        engine.run(folder, batches=batches)
    assert str(caught.value).endswith(
        "the checkpoint could not be written (the disk is full); the last good one stays."
    )
    assert "\n" not in str(caught.value)
    assert {path.suffix for path in folder.iterdir()} == {".pt"}
    assert last(folder)["state"]["step"] == 6
    disk.full = False
    second, _ = engine.run(folder, resume=True)
    assert engine.same(second.weights, whole.weights)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount")
def test_a_disk_that_is_really_full(tmp_path):
    """A file system of 200 kB, filled up behind the first checkpoints."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk]
    if shutil.which("mount") is None or subprocess.run(mounted, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        folder = disk / "checkpoint"

        def batches(step, rank, world):
            if step == 5:
                room = os.statvfs(disk)
                (disk / "filler").write_bytes(bytes(room.f_bavail * room.f_frsize - 8192))
            return engine.batches()(step, rank, world)

        with pytest.raises(FileError, match=r"\(the disk is full\); the last good one stays\.$"):
            engine.run(folder, batches=batches)
        assert {path.suffix for path in folder.iterdir()} == {".pt"}
        (disk / "filler").unlink()
        second, _ = engine.run(folder, resume=True)
    finally:
        subprocess.run(["umount", disk], check=True)
    whole, _ = engine.run(tmp_path / "whole")
    assert engine.same(second.weights, whole.weights)


def test_ctrl_c_twice_saves_nothing_half_done(tmp_path):
    """An interrupt in the middle of a step leaves the checkpoint before it, and its handlers."""
    before = signal.getsignal(signal.SIGINT)

    def batches(step, rank, world):
        if step == 7:
            raise KeyboardInterrupt
        return engine.batches()(step, rank, world)

    with pytest.raises(KeyboardInterrupt):
        engine.run(tmp_path / "run", batches=batches)
    assert signal.getsignal(signal.SIGINT) is before
    assert last(tmp_path / "run")["state"]["step"] == 6
    whole, _ = engine.run(tmp_path / "whole")
    second, _ = engine.run(tmp_path / "run", resume=True)
    assert engine.same(second.weights, whole.weights)


def test_signals_mean_what_they_meant_while_steps_are_taken(tmp_path):
    """SIGTERM must reach the handlers of the command line."""
    asked = []
    before = signal.signal(signal.SIGTERM, lambda *_: asked.append("stop"))
    try:

        def batches(step, rank, world):
            if step == 5:
                os.kill(os.getpid(), signal.SIGTERM)
            return engine.batches()(step, rank, world)

        fitted, _ = engine.run(tmp_path, batches=batches)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert asked == ["stop"]
    assert fitted.state.step == 10
