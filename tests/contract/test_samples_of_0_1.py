"""Files that napari-hsr 0.1.0 wrote still open, and give what they gave: see ``make_samples.py``."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import yaml

import napari_hsr

from . import basis, layers, trainings
from .basis import SAMPLES
from .test_surface import close

EXPECTED = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))
#: Stands for the folder of the samples in files that name a place.
PLACE = "SAMPLES"


@pytest.fixture
def samples(tmp_path, monkeypatch):
    """A copy in which the places are those of the day."""
    folder = tmp_path / "samples"
    shutil.copytree(SAMPLES, folder)
    for run in (folder / "runs").iterdir():
        run.rename(folder / run.name)
    for path in folder.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".yaml") and path.parent != folder:
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(PLACE, folder.as_posix()), encoding="utf-8")
    monkeypatch.setenv("NAPARI_HSR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NAPARI_HSR_DATA", str(folder / "user-data"))
    return folder


@pytest.mark.parametrize("name", sorted(EXPECTED["files"]))
def test_images_open_as_they_did(name):
    expected = dict(EXPECTED["files"][name])
    image = napari_hsr.read(SAMPLES / "cubes" / name)
    for key, value in basis.numbers(image.data).items():
        np.testing.assert_allclose(value, expected.pop(key), rtol=1e-12)
    found = image.summary()
    assert len(found.pop("notices")) == len(expected.pop("notices"))
    assert basis.lost(expected, found) == []


@pytest.mark.parametrize("suffix", ["mat", "h5", "hdf5", "hdr", "tif", "tiff", "npz"])
def test_every_value_is_what_was_written(suffix):
    cube = napari_hsr.read(SAMPLES / "cubes" / f"plain.{suffix}")
    np.testing.assert_array_equal(np.asarray(cube.data), basis.levels(7, 6, 5) / 256)
    assert cube.wavelengths == napari_hsr.Wavelengths((400, 412.5, 430, 455, 500, 610, 699.5))
    assert cube.provenance.steps == ("Read from field.raw.", "Divided by 256.")
    assert cube.provenance.extra == {"operator": "K. L.", "temperature": 21.5}
    assert (cube.place.pixel, cube.place.origin) == ((0.25, 0.5), (-0.375, -0.25))
    assert cube.metadata["gain"] == 2.5


def test_an_envi_image_may_be_named_by_its_binary():
    cube = napari_hsr.read(SAMPLES / "cubes" / "plain.img")
    np.testing.assert_array_equal(np.asarray(cube.data), basis.levels(7, 6, 5) / 256)


@pytest.mark.parametrize("suffix", ["mat", "h5", "hdf5", "hdr", "tif", "tiff", "npz"])
def test_what_is_written_today_opens_as_what_was_written_then(suffix, tmp_path):
    sample = napari_hsr.read(SAMPLES / "cubes" / f"plain.{suffix}")
    again = napari_hsr.read(napari_hsr.write(sample, tmp_path / f"plain.{suffix}"))
    np.testing.assert_array_equal(np.asarray(again.data), np.asarray(sample.data))
    assert again.summary() == sample.summary()


# --- models ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["finished", "regression", "imported"])
def test_models_of_the_user_load_and_give_what_they_gave(name, samples):
    model = napari_hsr.load_model(name if name == "imported" else samples / name)
    assert basis.lost(EXPECTED[name]["card"], model.card.model_dump(mode="json")) == []
    made = napari_hsr.reconstruct(basis.photograph(), model, device="cpu", precision="float32")
    close(EXPECTED[name]["cube"], basis.numbers(made.data))


def test_imported_models_are_listed_changed_handed_on_and_removed(samples):
    assert "imported" in [card.name for card in napari_hsr.list_models()]
    assert basis.run("models", "edit", "imported", "--licence", "CC0")[0] == 0
    assert basis.run("models", "export", "imported", "-o", samples / "out.safetensors")[0] == 0
    assert napari_hsr.load_model(samples / "out.safetensors").card.licence == "CC0"
    assert basis.run("models", "remove", "imported")[0] == 0
    assert not list((samples / "user-data" / "models").iterdir())


# --- trainings -------------------------------------------------------------------------------


def test_a_stopped_training_goes_on_to_the_same_end(samples):
    run, begun = samples / "stopped", trainings.events(samples / "stopped")
    status, out, err = basis.run("train", "--output", run, "--resume", "--json")
    assert status == 0, err
    events = trainings.events(run)
    assert events[: len(begun)] == begun
    new = events[len(begun) :]
    assert [json.loads(line) for line in out.splitlines()] == new
    assert [event["step"] for event in new if event["kind"] == "began"] == [5]
    assert max(event["step"] for event in new if event["kind"] == "step") == 20
    # Not to the bit: the first steps were taken on another machine.
    uninterrupted = trainings.events(samples / "finished")[-1]
    assert new[-1]["kind"] == uninterrupted["kind"] == "finished"
    assert new[-1]["after"].keys() == uninterrupted["after"].keys()
    for key, value in uninterrupted["after"].items():
        assert new[-1]["after"][key] == pytest.approx(value, rel=2e-3)
    state = json.loads((run / "state.json").read_text(encoding="utf-8"))
    assert (state["status"], state["step"], state["total"]) == ("finished", 20, 20)
    assert napari_hsr.load_model(run).name == "tiny"


def test_a_stopped_training_does_not_go_on_with_other_images(samples):
    napari_hsr.write(basis.cube(seed=7), samples / "pairs" / "leaf1.npz")
    begun = len(trainings.events(samples / "stopped"))
    status, _, err = basis.run("train", "--output", samples / "stopped", "--resume")
    assert status == 1
    assert "leaf1" in err.splitlines()[-1]
    assert "unexpected" not in err
    kinds = {event["kind"] for event in trainings.events(samples / "stopped")[begun:]}
    assert not kinds & {"began", "step", "saved", "finished"}


def test_runs_are_known_by_their_list(samples):
    known = samples / "user-data" / "trainings" / ".known"
    known.mkdir(parents=True)
    for number, name in enumerate(("stopped", "finished")):
        (known / f"{number}.txt").write_text(str(samples / name), encoding="utf-8")
    status, _, err = basis.run("train", "--resume")
    assert status == 1
    assert str(samples / "stopped") in err
    assert str(samples / "finished") not in err


@pytest.mark.parametrize("name", ["finished", "stopped", "regression"])
def test_the_recipe_of_a_run_is_a_recipe(name, samples):
    recipe = yaml.safe_load((samples / name / "recipe.yaml").read_text(encoding="utf-8"))
    (samples / "one").mkdir()  # a single image ends the dry run early
    shutil.copy(samples / "pairs" / "leaf0.npz", samples / "one")
    words = ["train", samples / name, "--data", samples / "one", "--dry-run", "--json"]
    _, out, _ = basis.run(*words)
    found = json.loads(out)["recipe"]
    found["data"]["folder"] = recipe["data"]["folder"]
    assert basis.lost(recipe, found) == []


# --- layers ----------------------------------------------------------------------------------


def test_a_layer_of_a_session_is_written_with_all_that_it_carries(tmp_path):
    keywords = json.loads((SAMPLES / "layer.json").read_text(encoding="utf-8"))
    estimate = napari_hsr.read(SAMPLES / "cubes" / "estimate.mat")
    (path,) = layers.command("write_image")(str(tmp_path / "a.h5"), estimate.data, keywords)
    again = napari_hsr.read(path)
    np.testing.assert_array_equal(np.asarray(again.data), np.asarray(estimate.data))
    for key in ("wavelengths_nm", "units", "provenance", "metadata", "name", "place"):
        assert again.summary()[key] == estimate.summary()[key]


# --- the samples themselves ------------------------------------------------------------------


def test_samples_are_small_and_name_no_place_on_any_machine():
    # Put together from pieces, so that no file here names such a place itself.
    place = re.compile(
        rb"(?<![A-Za-z0-9_.*-])/(?:"
        + b"|".join([b"tmp", b"work", b"home", b"root", b"Users"])
        + rb")/"
    )
    size = 0
    for path in (p for p in basis.HERE.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        content = path.read_bytes()
        size += len(content)
        assert not place.search(content), path
    assert size < 1.5e6
