"""Tiny trainings, and what they leave in their folders."""

from __future__ import annotations

import contextlib
import io
import json
import re
import signal
from typing import TYPE_CHECKING, Any

import numpy as np

import napari_hsr
from napari_hsr.cli import main

from .basis import cube, merged, run, shape, write_pairs

if TYPE_CHECKING:
    from pathlib import Path

TINY = {
    "name": "tiny",
    "model": {"architecture": "edsr", "settings": {"width": 8, "blocks": 1}},
    "data": {"hold_out": 1},
    "schedule": {"steps": 20, "warmup": 2},
    "batch": {"size": 2, "patch": 8},
    "optimiser": {"learning_rate": 1e-3},
    "ema": 0.9,
    "validation": {"every": 10},
    "engine": {
        "device": "cpu",
        "precision": "float32",
        "tensorboard": False,
        "checkpoint_every": 5,
    },
}


def write_recipe(folder: Path, pairs: Path, **changes: Any) -> Path:
    """A recipe that trains for twenty steps of two small patches."""
    import yaml

    content = {**TINY, **changes}
    content["data"] = {"folder": str(pairs), **content["data"]}
    path = folder / f"{content['name']}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


class _AsksToStop(io.StringIO):
    """A standard output that presses Ctrl-C as soon as steps are saved."""

    def write(self, text: str) -> int:
        for line in text.splitlines():
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("kind") == "saved" and event["step"] >= 5 and not self.closed_to:
                self.closed_to = True
                signal.raise_signal(signal.SIGINT)
        return super().write(text)

    closed_to = False


def train_and_stop(*arguments: object) -> tuple[int, str]:
    """Train, press Ctrl-C after five steps: exit status and standard output."""
    out = _AsksToStop()
    with contextlib.redirect_stdout(out):
        status = main(["train", *(str(argument) for argument in arguments), "--json"])
    return status, out.getvalue()


def train_all(folder: Path) -> dict[str, Path]:
    """Trainings of every kind, by name: the folders of their runs."""
    pairs = write_pairs(folder / "pairs")
    cubes = folder / "cubes"
    cubes.mkdir()
    for seed in range(3):
        napari_hsr.write(cube(seed=seed, height=32, width=32), cubes / f"leaf{seed}.npz")
    finer = {
        "task": "super-resolution",
        "model": {"start": "coarsr-x2"},
        "coarse": {"scale": 2, "bands": 5},
        "schedule": {"steps": 1, "warmup": 0},
    }
    regression = {"model": {"start": "rootpoly-srgb"}, "strategy": "adapter"}
    found = {}
    for name, data, changes in (
        ("tiny", pairs, {}),
        ("finer", cubes, finer),
        ("regression", pairs, regression),
    ):
        recipe = write_recipe(folder, data, **{"name": name, **changes})
        found[name] = folder / name
        status, out, err = run("train", recipe, "--output", found[name], "--json")
        assert status == 0, err
        (folder / f"{name}.out").write_text(out, encoding="utf-8")
    found["stopped"] = folder / "stopped"
    status, _ = train_and_stop(folder / "tiny.yaml", "--output", found["stopped"])
    assert status == 130
    found["failed"] = folder / "failed"
    found["failed"].mkdir()  # one that a failed training makes itself is taken away again
    missing = write_recipe(folder, cubes, name="failing")  # cubes alone, and no camera for them
    assert run("train", missing, "--output", found["failed"], "--json")[0] == 1
    return found


def training_files(runs: dict[str, Path]) -> dict[str, Any]:
    """Files of a run's folder, and the shapes of what is in events, state, card and log."""
    found: dict[str, Any] = {}
    for name, folder in runs.items():
        names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        found[name] = {
            "files": {re.sub(r"best-\d+", "best-N", file): True for file in names},
            "events": event_shapes(folder),
            "state": shape(json.loads((folder / "state.json").read_text(encoding="utf-8"))),
        }
        if (folder / "card.json").is_file():
            card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
            found[name]["card"] = shape(card)
        if (folder / "log.csv").is_file():
            header = (folder / "log.csv").read_text(encoding="utf-8").splitlines()[0]
            found[name]["log"] = dict.fromkeys(header.split(","), True)
        if (folder / "preview.npz").is_file():
            with np.load(folder / "preview.npz") as preview:
                found[name]["preview"] = {k: list(preview[k].shape) for k in preview}
    return found


def events(folder: Path) -> list[dict[str, Any]]:
    """The events of a run."""
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def event_shapes(folder: Path) -> dict[str, Any]:
    """Keys and types of the events of a run by their kinds."""
    found: dict[str, Any] = {}
    for event in events(folder):
        kind = event["kind"]
        found[kind] = merged(found[kind], shape(event)) if kind in found else shape(event)
    return found
