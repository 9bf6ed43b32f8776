"""How the files in ``samples`` were made, by napari-hsr 0.1.0.

They stand for what people have on their disks, so they are never made again by later code: run
this with the sources of 0.1 only (commit 918dd37). Places on the machine that made them are
replaced by :data:`PLACE`, which the tests replace by the folder of the day.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
SAMPLES = HERE / "samples"
#: Stands for the folder of the samples in files that name a place.
PLACE = "SAMPLES"


def cubes(folder: Path) -> None:
    """A cube in every format that is written, one with assumed wavelengths, one reconstructed."""
    from tests.contract import basis

    import napari_hsr
    from napari_hsr.cube import Wavelengths
    from napari_hsr.georeference import Place
    from napari_hsr.provenance import Provenance

    plain = basis.cube(
        7,
        6,
        5,
        wavelengths=Wavelengths((400.0, 412.5, 430.0, 455.0, 500.0, 610.0, 699.5)),
        name="plain",
        place=Place((0.25, 0.5), (-0.375, -0.25)),
        metadata={"site": "field 7", "gain": 2.5, "filters": ["a", "b"]},
        notices=("A notice that came with the cube.",),
        provenance=Provenance(
            input="field.raw",
            model="some-model",
            weights_sha256="0123456789abcdef" * 4,
            version="0.1.0",
            created="2026-01-02T03:04:05+00:00",
            steps=("Read from field.raw.", "Divided by 256."),
            extra={"operator": "K. L.", "temperature": 21.5},
        ),
    )
    for suffix in (".mat", ".h5", ".hdf5", ".hdr", ".tif", ".tiff", ".npz"):
        napari_hsr.write(plain, folder / f"plain{suffix}")
    assumed = basis.cube(31, 6, 5, wavelengths=Wavelengths.default(), units=None)
    napari_hsr.write(assumed, folder / "assumed.mat")
    napari_hsr.write(basis.cube(4, 6, 5, wavelengths=None, units=None), folder / "unknown.npz")
    photo = basis.photograph()
    napari_hsr.write(photo, folder / "photo.png")
    napari_hsr.write(
        napari_hsr.Photograph(photo.data.astype("uint16") * 257, encoding="linear-srgb"),
        folder / "linear.tif",
    )
    photo.name = "photo.png"
    estimate = napari_hsr.reconstruct(photo, "rootpoly-srgb", device="cpu", precision="float32")
    napari_hsr.write(estimate, folder / "estimate.mat")
    napari_hsr.write(
        napari_hsr.super_resolve(estimate, "bicubic-matlab", 2, refine=True), folder / "finer.h5"
    )


def layer(folder: Path) -> None:
    """What a layer of an estimate carries, as a napari session keeps it."""
    from tests.contract import layers

    path = str(folder / "cubes" / "estimate.mat")
    ((_, keywords, _),) = layers.command("get_reader")(path)(path)
    text = json.dumps(keywords, indent=1, ensure_ascii=False, sort_keys=True)
    (folder / "layer.json").write_text(f"{text}\n", encoding="utf-8")


def runs(folder: Path, work: Path) -> None:
    """A finished training, its like that was stopped, a regression; each in its folder."""
    from tests.contract import basis, trainings

    pairs = basis.write_pairs(work / "pairs")
    shutil.copytree(pairs, folder / "pairs")
    tiny = trainings.write_recipe(work, pairs)
    regression = trainings.write_recipe(
        work, pairs, name="regression", model={"start": "rootpoly-srgb"}, strategy="adapter"
    )
    finished, stopped, fitted = work / "finished", work / "stopped", work / "regression"
    assert basis.run("train", tiny, "--output", finished, "--json")[0] == 0
    assert trainings.train_and_stop(tiny, "--output", stopped)[0] == 130
    assert basis.run("train", regression, "--output", fitted, "--json")[0] == 0
    for run in (finished, stopped, fitted):
        shutil.copytree(run, folder / "runs" / run.name)


def user_data(folder: Path, work: Path) -> None:
    """A user's data folder with an imported model, its card completed and its error measured."""
    from safetensors.torch import load_file
    from tests.contract import basis

    weights = load_file(work / "finished" / "tiny.safetensors")
    torch.save({"state_dict": weights, "epoch": 3}, work / "checkpoint.pth")
    facts = ["--wavelengths", "400:700:10", "--input-encoding", "srgb", "--units", "reflectance"]
    words = ["models", "import", work / "checkpoint.pth", "--name", "imported", *facts]
    status, _, err = basis.run(*words)
    assert status == 0, err
    assert basis.run("models", "edit", "imported", "--training-data", "Three leaves")[0] == 0
    photo = work / "pairs" / "leaf0.png"
    assert basis.run("models", "measure", "imported", "--image", photo)[0] == 0
    models = Path(os.environ["NAPARI_HSR_DATA"]) / "models"
    shutil.copytree(models, folder / "user-data" / "models")


def without_places(folder: Path, work: Path) -> None:
    """Replace the working folder in every file by :data:`PLACE`."""
    for path in folder.rglob("*"):
        if path.suffix == ".pt":
            state = torch.load(path, weights_only=True)
            torch.save(_replaced(state, str(work)), path)
        elif path.suffix in (".json", ".jsonl", ".yaml", ".csv", ".txt"):
            text = path.read_text(encoding="utf-8").replace(str(work), PLACE)
            path.write_text(text, encoding="utf-8")


def _replaced(value: Any, place: str) -> Any:
    if isinstance(value, dict):
        return type(value)((k, _replaced(v, place)) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return type(value)(_replaced(v, place) for v in value)
    return value.replace(place, PLACE) if isinstance(value, str) else value


def expected() -> dict[str, Any]:
    """What 0.1.0 itself reads of the files."""
    from tests.contract import basis

    import napari_hsr

    files = sorted(p for p in (SAMPLES / "cubes").iterdir() if p.suffix not in (".img", ".json"))
    found: dict[str, Any] = {"files": {}}
    for path in files:
        image = napari_hsr.read(path)
        facts = image.summary()
        found["files"][path.name] = {**facts, **basis.numbers(image.data)}
    photo = basis.photograph()
    for name, model in {
        "finished": SAMPLES / "runs" / "finished",
        "regression": SAMPLES / "runs" / "regression",
        "imported": SAMPLES / "user-data" / "models" / "imported.safetensors",
    }.items():
        made = napari_hsr.reconstruct(photo, model, device="cpu", precision="float32")
        card = napari_hsr.load_model(model).card.model_dump(mode="json")
        found[name] = {"card": card, "cube": basis.numbers(made.data)}
    return found


def main() -> None:
    """Make all of it anew."""
    sys.path.insert(0, str(HERE.parents[1]))
    shutil.rmtree(SAMPLES, ignore_errors=True)
    (SAMPLES / "cubes").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        os.environ["NAPARI_HSR_DATA"] = str(work / "data")
        os.environ["NAPARI_HSR_CACHE"] = str(work / "cache")
        cubes(SAMPLES / "cubes")
        layer(SAMPLES)
        runs(SAMPLES, work)
        user_data(SAMPLES, work)
        without_places(SAMPLES, work)
        text = json.dumps(expected(), indent=1, ensure_ascii=False, sort_keys=True)
        (SAMPLES / "expected.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
