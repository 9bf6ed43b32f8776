"""Several processes that share each step come to what one comes to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from ..patience import PATIENCE
from . import data_files, engine

HERE = Path(__file__).parent

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """What two processes left that talked over gloo, each fit in a folder."""
    folder = tmp_path_factory.mktemp("two")
    environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", HERE / "two_processes.py", folder),
        ],
        env=environment | {"OMP_NUM_THREADS": "1", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def ends(folder: Path) -> list[dict]:
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]


def last(folder: Path) -> dict:
    return torch.load(folder / "last.pt", weights_only=True)


def test_two_processes_have_the_gradients_of_one(two, tmp_path):
    """Weights after three steps, and Adam's moments, which are sums of gradients."""
    recipe = engine.recipe(3, validation={"every": 2, "choose": "last"}, anchor=0.1)
    engine.run(tmp_path, recipe)
    one, other = last(tmp_path), last(two / "plain")
    assert engine.far(one["weights"], other["weights"]) < 1e-6
    assert engine.far(one["average"], other["average"]) < 1e-6
    for moment in ("exp_avg", "exp_avg_sq"):
        moments = [
            {k: v[moment] for k, v in saved["optimiser"]["state"].items()} for saved in (one, other)
        ]
        assert engine.far(*moments) < 2e-6


def test_only_the_first_measures_and_writes(two):
    """And the other goes on all the same."""
    assert ends(two / "plain") == [
        {"end": "step 3", "measured": [0, 2, 3]},
        {"end": "step 3", "measured": []},
    ]
    assert {p.name for p in (two / "plain").glob("*.pt")} == {"last.pt", "best-3.pt"}


@pytest.mark.parametrize(
    ("fault", "leader", "other"),
    [
        ("nan", "The loss became nan at step 3, on patches of scene1, scene3;", "stopped"),
        ("stop", "stopped", "stopped"),
        ("patience", "step 2", "step 2"),
    ],
)
def test_processes_end_together(two, fault, leader, other):
    """Whichever of them has a reason to."""
    found = ends(two / fault)
    assert found[0]["end"].startswith(leader)
    assert found[1]["end"] == other
    step = last(two / fault)["state"]["step"]
    assert step == {"nan": 2, "stop": step, "patience": 2}[fault]
    assert step < 5


def test_a_cache_that_two_build_at_once_is_sound(tmp_path):
    """Threads here, processes there: each entry appears whole, and both read the same."""
    from . import driven

    data_files.write_pairs(tmp_path / "data", 3)
    recipe = data_files.recipe(tmp_path / "data", data={"cache": tmp_path / "cache", "hold_out": 1})
    built, faults = [], []

    def build():
        try:
            findings = driven.inspect(recipe, lambda event: None, threading.Event())
            built.append(driven.build(findings, recipe))
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    one, other = built
    for mine, its in zip(one.train + one.held_out, other.train + other.held_out, strict=True):
        assert mine.sha256 == its.sha256
        assert (mine.cube == its.cube).all()
    assert not list((tmp_path / "cache").glob("*part*"))
