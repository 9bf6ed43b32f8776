"""What people and programs rely on is still there: see ``make_snapshots.py``."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest

import napari_hsr

from . import basis, figures, layers, surface, trainings

QUICK = (
    "signatures",
    "command_line",
    "manifest",
    "cards",
    "json_outputs",
    "recipes",
    "readme_figures",
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_HSR_CACHE", str(tmp_path / "own-cache"))


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "work"
    made.mkdir()
    return made


@pytest.mark.parametrize("name", QUICK)
def test_nothing_of_it_was_removed_or_changed(name, folder):
    assert basis.lost(surface.stored(name), surface.SNAPSHOTS[name](folder)) == []


def test_what_is_missing_or_changed_is_found():
    """The comparison itself."""
    old = {"a": {"b": 1, "c": [1, {"d": "x"}]}, "e": None}
    assert basis.lost(old, {**old, "new": 1}) == []
    assert basis.lost(old, {"a": {"b": 1, "c": [1, {"d": "x", "f": 2}]}, "e": None}) == []
    assert basis.lost(old, {"a": old["a"]}) == ["/e: removed"]
    parameter = {"name": "x", "kind": "KEYWORD_ONLY", "default": "None"}
    assert basis.lost([old], [old, parameter]) == []
    assert basis.lost([old], [old, {**parameter, "default": ""}]) != []
    assert basis.lost([old], [old, {**parameter, "kind": "POSITIONAL_OR_KEYWORD"}]) != []
    assert basis.lost(old, {**old, "a": {"b": 1.0, "c": old["a"]["c"]}}) == ["/a/b: 1 became 1.0"]
    assert basis.lost(old, {**old, "a": {"b": 1, "c": [1, {"d": "y"}]}}) == [
        "/a/c/1/d: 'x' became 'y'"
    ]
    assert basis.lost({"c": [1, 2]}, {"c": [1, 2, 3]}) == ["/c: [1, 2] became [1, 2, 3]"]
    assert basis.shape([{"a": 1}, {"a": None, "b": [True, 0.5]}]) == {
        "[]": {"a": "integer|null", "b": {"[]": "boolean|number"}}
    }


def test_every_command_of_the_manifest_can_be_imported():
    for entry in layers.raw_manifest()["contributions"]["commands"]:
        module, _, name = entry["python_name"].partition(":")
        assert callable(getattr(importlib.import_module(module), name)), entry["id"]


def test_models_have_the_cards_that_are_listed():
    for card in napari_hsr.list_models():
        listed, loaded = card.model_dump(), napari_hsr.load_model(card.name).card.model_dump()
        assert {**loaded, "weights_sha256": ""} == {**listed, "weights_sha256": ""}


def test_errors_are_what_they_were(folder):
    with pytest.raises(napari_hsr.HSRError):
        napari_hsr.read(folder / "none.mat")
    with pytest.raises(ValueError, match="wavelengths"):
        napari_hsr.Cube(np.zeros((3, 2, 2), np.float32), wavelengths=[400, 500])


# --- recipes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        "batch.patch=4",
        "batch.size=0",
        "ema=1",
        "seed=-1",
        "anchor=-0.1",
        "schedule.kind=linear",
        "augmentation.scales=[2]",
        "data.hold_out=0",
        "loss.0.floor=[0,1]",
        "optimiser.step_per=band",
        "validation.choose=ssim",
        "engine.precision=float64",
        "name=a/b",
        "colour=red",
    ],
)
def test_settings_that_no_training_can_have_are_refused(setting, folder):
    words = ["train", "fine-tune", "--data", folder, "--set", setting, "--dry-run", "--json"]
    status, out, err = basis.run(*words)
    assert (status, out) == (1, "")
    assert setting.partition("=")[0].split(".")[-1] in err


# --- layers ------------------------------------------------------------------------------------


def test_layers_carry_what_they_carried(folder, qapp):
    assert basis.lost(surface.stored("layer_state"), layers.layer_state(folder)) == []


# --- trainings ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Trainings of every kind, made once."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_HSR_CACHE", str(folder / "cache"))
        yield trainings.train_all(folder)


def test_trainings_leave_the_files_and_events_that_they_left(runs):
    assert basis.lost(surface.stored("training_files"), trainings.training_files(runs)) == []


def test_the_command_line_prints_the_events_that_it_writes_down(runs):
    printed = [
        json.loads(line) for line in (runs["tiny"].parent / "tiny.out").read_text().splitlines()
    ]
    assert printed == trainings.events(runs["tiny"])


# --- numbers -----------------------------------------------------------------------------------

#: float32 results of the same weights differ by some 1e-6 of the largest value from processor to
#: processor, as the order of sums does; by 1e-5 behind a normalisation. Other weights, another
#: encoding, a shift by a pixel or a wrong rule change them by 1e-3 or more.
OF_MAXIMUM = 2e-4


def close(old, new, one_level: float = 0.0) -> None:
    """Whether the numbers of an array are those of a snapshot."""
    assert old["shape"] == new["shape"]
    largest = max(abs(value) for value in old["summary"])
    allowed = max(OF_MAXIMUM * largest, one_level)
    for key in ("summary", "values"):
        np.testing.assert_allclose(new[key], old[key], rtol=0, atol=allowed)


def test_results_are_the_numbers_that_they_were(folder):
    old, new = surface.stored("golden_numbers"), figures.golden_numbers(folder)
    assert not old.keys() - new.keys()
    for name, numbers in old.items():
        if name.startswith("evaluate"):
            assert numbers.keys() == new[name].keys()
            np.testing.assert_allclose(
                [new[name][key] for key in numbers], list(numbers.values()), rtol=1e-5
            )
        else:  # a picture of 8 bits may be off by a level where a value lies between two
            close(numbers, new[name], 1.01 / 256 * name.startswith("render"))


def test_true_and_false_colours_are_the_numbers_that_they_were():
    new = layers.false_colours()
    for name, numbers in surface.stored("false_colours").items():
        close(numbers, new[name], 1.01 * (max(numbers["summary"]) > 2))


# --- the command line's exit statuses ------------------------------------------------------------


def test_module_and_command_train_alike():
    """``python -m napari_hsr.train`` is ``napari-hsr train``."""
    train = importlib.import_module("napari_hsr.train")
    for words in (["--list-recipes", "--json"], ["nothing-like-this", "--dry-run"], ["--help"]):
        assert basis.run_function(train.main, words) == basis.run("train", *words)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Names that command lines below may use."""
    folder = tmp_path_factory.mktemp("files")
    pairs = basis.write_pairs(folder / "pairs")
    (folder / "broken.mat").write_bytes(b"no cube at all")
    (folder / "out").mkdir()
    napari_hsr.write(basis.cube(height=20), folder / "taller.npz")
    return {
        "cube": pairs / "leaf0.npz",
        "photo": pairs / "leaf0.png",
        "taller": folder / "taller.npz",
        "broken": folder / "broken.mat",
        "none": folder / "none.mat",
        "out": folder / "out",
    }


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        (0, "--version"),
        (0, "--help"),
        (0, "predict --help"),
        (0, "models"),
        (0, "models list"),
        (0, "models show rootpoly-srgb"),
        (0, "models catalogue"),
        (0, "train --list-recipes"),
        (0, "info {cube}"),
        (0, "info {photo}"),
        (0, "evaluate {cube} {cube}"),
        (0, "render {cube} -o {out}/0.png"),
        (0, "predict {photo} -o {out}/0.mat --model rootpoly-srgb"),
        (0, "predict {photo} -o {out}/folder --model rootpoly-srgb --format h5"),
        (0, "super-resolve {cube} -o {out}/1.mat --model box --scale 2"),
        (1, "info {none}"),
        (1, "info {broken}"),
        (1, "info {broken} --json"),
        (1, "evaluate {cube} {none}"),
        (1, "evaluate {cube} {taller}"),
        (1, "evaluate {cube} {cube} --protocol nothing-like-this"),
        (1, "render {cube} -o {none}/2.png"),
        (1, "render {broken} -o {out}/2.png"),
        (1, "predict {none} -o {out}/3.mat"),
        (1, "predict {photo} {none} -o {out}/four --model rootpoly-srgb"),
        (1, "predict {photo} -o {out}/5.mat --model nothing-like-this"),
        (1, "super-resolve {photo} -o {out}/6.mat --model box --scale 2"),
        (1, "models show nothing-like-this"),
        (1, "models remove rootpoly-srgb"),
        (1, "models import {broken} --name mine"),
        (1, "models edit nothing-like-this --title T"),
        (1, "train nothing-like-this --dry-run"),
        (1, "train --resume"),
        (1, "train --output {out}/empty --resume"),
        (1, "train --data {out}/no-such-folder"),
        (2, ""),
        (2, "nothing-like-this"),
        (2, "info"),
        (2, "info {cube} --nothing-like-this"),
        (2, "predict {photo}"),
        (2, "predict {photo} -o {out}/7.xyz"),
        (2, "predict {photo} -o {out}/8.mat --tile 0"),
        (2, "predict {photo} -o {out}/9.mat --finer 3"),
        (2, "render {cube} -o {out}/10.gif"),
        (2, "render {cube} -o {out}/11.png --bits 12"),
        (2, "super-resolve {cube} -o {out}/12.mat --refine --dualsr"),
        (2, "models edit mine"),
        (2, "models import {broken}"),
        (2, "models import {broken} --name m --wavelengths 400:700"),
    ],
)
def test_exit_statuses_are_what_they_were(files, expected, line):
    status, out, err = basis.run(*line.format(**files).split())
    assert status == expected, err
    if expected == 1:
        assert "Traceback" not in err
        assert "error: " in err
    if expected == 2:
        assert not out
