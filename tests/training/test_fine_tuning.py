"""From a few files of the user's to a model directory, by each strategy, through the front door."""

import json
import threading

import numpy as np
import pytest
import torch

import napari_hsr
from napari_hsr.colour import convert
from napari_hsr.cube import Cube
from napari_hsr.models.architectures.edsr import EDSR
from napari_hsr.models.card import ModelCard
from napari_hsr.models.model_file import save_model
from napari_hsr.training.events import Finished, Measured, Step, Stopped
from napari_hsr.training.train import train

from .stand_ins import GRID, photographed, recipe, smooth_cube


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Four cubes, ENVI, with their photographs as 8-bit sRGB PNG."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("pairs")
    found = []
    for seed in range(4):
        cube = smooth_cube(seed, 32, 24)
        path = napari_hsr.write(Cube(cube, GRID), folder / f"scene{seed}.hdr")
        rgb = convert(photographed(cube).clip(0, 1), "linear-srgb", "srgb")
        picture = folder / f"scene{seed}.png"
        Image.fromarray(np.rint(rgb * 255).astype(np.uint8)).save(picture)
        found.append({"cube": str(path), "rgb": str(picture)})
    return found


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A small network that knows nothing yet."""
    torch.manual_seed(0)
    card = ModelCard(
        name="blank",
        title="Blank",
        architecture="edsr",
        input_encoding="linear-srgb",
        wavelengths_nm=tuple(GRID),
        licence="CC0",
    )
    path = tmp_path_factory.mktemp("start") / "blank.safetensors"
    return save_model(path, EDSR(width=16, blocks=1).state_dict(), card)


def settings(pairs, tmp_path, start, **changes):
    return recipe(
        name="mine",
        model={"start": str(start)},
        data={"pairs": pairs, "hold_out": 1, "cache": str(tmp_path / "cache")},
        **{
            "schedule": {"steps": 20, "warmup": 0},
            "optimiser": {"learning_rate": 1e-3},
            "batch": {"size": 2, "patch": 16},
            "validation": {"every": 5},
            "engine": {"device": "cpu", "precision": "float32", "tensorboard": False},
        }
        | changes,
    )


def run(made, folder, stop=None, resume=False):
    events = []
    ended = train(made, folder, events.append, stop or threading.Event(), resume)
    return ended, events


@pytest.mark.parametrize("strategy", ["adapter", "auto"])
def test_the_default_regression_is_fine_tuned(pairs, tmp_path, strategy):
    made = settings(pairs, tmp_path, "rootpoly-srgb", strategy=strategy)
    ended, events = run(made, tmp_path / "run")
    assert isinstance(ended, Finished)
    assert ended.after["psnr_db"] > ended.before["psnr_db"] + 2
    model = napari_hsr.load_model(tmp_path / "run")
    assert model.card.architecture == "adapted"
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert len(card["training"]["data"]) == 3
    assert len(card["training"]["held_out"]) == 1
    assert all(len(d["sha256"]) == 64 for d in card["training"]["data"].values())
    measured = [e for e in events if isinstance(e, Measured)]
    assert [m.step for m in measured][:2] == [0, 1]
    assert measured[0].mean["psnr_db"] == pytest.approx(ended.before["psnr_db"])
    with np.load(tmp_path / "run" / measured[1].preview) as preview:
        assert preview["prediction"].shape == preview["truth"].shape


@pytest.mark.parametrize("strategy", ["head", "auto"])
def test_a_network_is_fine_tuned(pairs, tmp_path, network, strategy):
    before = network.read_bytes()
    made = settings(pairs, tmp_path, network, strategy=strategy)
    ended, events = run(made, tmp_path / "run")
    assert ended.after["psnr_db"] > ended.before["psnr_db"] + 2
    assert network.read_bytes() == before  # the start is never overwritten
    model = napari_hsr.load_model(tmp_path / "run")
    assert model.card.training["strategy"] in (("head",) if strategy == "head" else ("adapter", "head", "full"))  # fmt: skip
    if strategy == "head":
        start = napari_hsr.load_model(network).module.state_dict()
        now = model.module.state_dict()
        moved = {key for key in now if not torch.allclose(now[key], start[key], atol=2e-4)}
        assert {"head.0.weight", "tail.0.weight"} <= moved
        assert not any("body" in key and key.endswith("weight") for key in moved)
    steps = [e.step for e in events if isinstance(e, Step)]
    assert steps == sorted(steps)
    assert steps[-1] == (20 if strategy == "head" else 21)


def test_nothing_is_written_where_nothing_is_better(pairs, tmp_path, network):
    first, _ = run(settings(pairs, tmp_path, network, strategy="adapter"), tmp_path / "one")
    assert first.directory
    perfect = settings(
        pairs, tmp_path, tmp_path / "one", strategy="head",
        optimiser={"learning_rate": 10.0}, ema=0.0,
    )  # fmt: skip
    ended, _ = run(perfect, tmp_path / "two")
    assert ended.directory == ""
    assert "nothing improved on mine on the held-out images" in ended.kept
    assert not list((tmp_path / "two").glob("*.safetensors"))


def test_a_stop_between_the_strategies_is_gone_on_from(pairs, tmp_path, network):
    made = settings(pairs, tmp_path, network, strategy="auto", anchor=0.5)
    whole, _ = run(made, tmp_path / "whole")
    stop, seen = threading.Event(), []

    def report(event):
        seen.append(event)
        if isinstance(event, Step) and event.step >= 12:
            stop.set()

    ended = train(made, tmp_path / "run", report, stop)
    assert isinstance(ended, Stopped)
    assert not list((tmp_path / "run").glob("*.safetensors"))
    again, _ = run(made, tmp_path / "run", resume=True)
    assert again.after == pytest.approx(whole.after, rel=1e-6)
    one, other = (napari_hsr.load_model(tmp_path / n).weights_sha256 for n in ("whole", "run"))
    assert one == other
