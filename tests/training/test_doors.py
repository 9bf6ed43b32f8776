"""What the panel starts is what a terminal would run: the same weights, to the bit."""

from __future__ import annotations

import threading

from napari_hsr.cli import main
from napari_hsr.models.model_file import save_model
from napari_hsr.training.recipe.yaml_io import read_recipe, write_recipe
from napari_hsr.training.runs import processes
from napari_hsr.training.runs.processes import Run
from napari_hsr.training.runs.run_folder import log_tail, read_state
from napari_hsr.widgets.train.recipe_content import Front, base_content, content_of
from napari_hsr.widgets.train.training_work import start_work

from ..patience import PATIENCE
from . import data_files, engine


def settings_for(tmp_path) -> dict:
    """Those that the panel begins with, and a few steps on small patches."""
    settings = base_content()
    changes = {
        "schedule": {"steps": 4, "minutes": None, "warmup": 1},
        "optimiser": {"learning_rate": 3e-3},
        "batch": {"size": 2, "patch": 12},
        "data": {"hold_out": 1, "cache": str(tmp_path / "cache")},
        "engine": {"device": "cpu", "precision": "float32", "tensorboard": False},
    }
    return settings | {name: {**settings[name], **part} for name, part in changes.items()}


def test_the_panel_and_the_command_line_come_to_the_same_weights(tmp_path):
    given = engine.model(31)
    start = save_model(tmp_path / "start.safetensors", given.module.state_dict(), given.card)
    pairs = data_files.write_pairs(tmp_path / "pairs", 3)
    front = Front("mine", str(start), "full", 10.0, False, pairs)
    content = content_of(settings_for(tmp_path), front)
    *_, run = start_work(content, [], "", tmp_path / "panel", threading.Event())
    assert isinstance(run, Run)
    processes._started.pop(run.output).wait(5 * PATIENCE)
    assert run.status().status == "finished", log_tail(run.output)
    write_recipe(read_recipe(run.output / "recipe.yaml"), tmp_path / "terminal.yaml")
    words = ["train", str(tmp_path / "terminal.yaml"), "--output", str(tmp_path / "terminal")]
    assert main(words) == 0
    made = [(tmp_path / door / "mine.safetensors") for door in ("panel", "terminal")]
    one, other = (weights(path) for path in made)
    assert one == other
    states = [read_state(path.parent) for path in made]
    assert [(s.status, s.step, s.total) for s in states] == [("finished", 4, 4)] * 2


def weights(path) -> bytes:
    """Of the file, without its card, which tells how long it took."""
    from safetensors.numpy import load_file

    found = load_file(path)
    return b"".join(found[key].tobytes() for key in sorted(found))
