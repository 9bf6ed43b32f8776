"""What the product does on a row of inputs, as JSON without any text of its own."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "contract" / "samples"


def codes(thing) -> list[str]:
    """Codes of the notices of a cube, a photograph or a result."""
    return [notice.code.value for notice in thing.notices]


def outcome(function, *arguments, **options):
    """What a call gives, or the type of what it raises."""
    from napari_hsr.errors import HSRError

    try:
        return function(*arguments, **options)
    except HSRError as error:
        return error


def facts(thing) -> object:
    """Numbers, codes and types of a cube, a photograph or a fault."""
    if isinstance(thing, Exception):
        return type(thing).__name__
    known = getattr(thing, "wavelengths", None)
    data = np.asarray(thing.data, np.float64)
    return {
        "shape": list(data.shape),
        "mean": round(float(np.nanmean(data)), 6),
        "wavelengths": None if known is None else [len(known), known.assumed],
        "units": getattr(thing, "units", None),
        "encoding": getattr(thing, "encoding", None),
        "codes": codes(thing),
        "place": getattr(thing, "place", None) is not None,
    }


def doubtful_files(folder: Path) -> list[Path]:
    """Files of other programs in which something must be assumed, or nothing can be read."""
    import h5py

    rng = np.random.default_rng(0)
    cube = rng.random((31, 9, 8)).astype(np.float32)
    np.save(folder / "bare.npy", cube)
    np.save(folder / "photo.npy", rng.random((20, 30, 3)))
    np.save(folder / "plane.npy", cube[0])
    np.savez(folder / "descending.npz", cube=cube[:5], wavelengths=[700, 650, 600, 550, 500])
    np.savez(folder / "micrometres.npz", cube=cube[:5], wavelengths=[0.5, 0.55, 0.6, 0.65, 0.7])
    np.savez(folder / "twice.npz", cube=cube[:5], wavelengths=[500, 500, 600, 650, 700])
    np.savez(folder / "short.npz", cube=cube[:5], wavelengths=[500, 600])
    spoilt = cube.copy()
    spoilt[3, 2, 1] = np.nan
    np.savez(folder / "nan.npz", cube=spoilt)
    with h5py.File(folder / "two.h5", "w") as file:
        file["first"], file["second"] = cube, cube
    (folder / "empty.mat").write_bytes(b"")
    (folder / "text.tif").write_text("no picture")
    header = (
        "ENVI\nsamples = 8\nlines = 9\nbands = 5\ndata type = 4\ninterleave = bsq\n"
        "reflectance scale factor = 10000\ndata ignore value = -9999\n"
    )
    (folder / "scan.hdr").write_text(header)
    (folder / "scan.img").write_bytes(cube[:5].tobytes())
    return sorted(p for p in folder.iterdir() if p.suffix != ".img")


def command(*line: object) -> dict:
    """Exit status of a command, and how many lines it said."""
    from napari_hsr.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(part) for part in line])
        except SystemExit as error:
            status = error.code
    said: dict = {"status": status, "notes": len(err.getvalue().splitlines())}
    with contextlib.suppress(ValueError):
        said["json"] = shape(json.loads(out.getvalue()))
    return said


def shape(value: object) -> object:
    """Keys and types of JSON; numbers and texts are left out."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return [len(value), shape(value[0]) if value else None]
    return type(value).__name__


def training(folder: Path) -> dict:
    """A tiny training: the kinds of its events, and how it ends, goes on and is refused."""
    import yaml

    recipe = {
        "name": "tiny",
        "model": {"architecture": "edsr", "settings": {"width": 8, "blocks": 1}},
        "data": {"folder": str(SAMPLES / "pairs"), "hold_out": 1},
        "schedule": {"steps": 4, "warmup": 1},
        "batch": {"size": 2, "patch": 8},
        "validation": {"every": 2},
        "engine": {"device": "cpu", "tensorboard": False, "checkpoint_every": 2},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe))
    run = folder / "run"
    said = {
        "dry": command("train", path, "--dry-run", "--json"),
        "run": command("train", path, "-o", run),
        "again": command("train", path, "-o", run),
        "resume": command("train", "-o", run, "--resume"),
        "wrong": command("train", path, "-o", folder / "no", "--set", "batch.size=0"),
    }
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    said["events"] = sorted({(e["kind"], *sorted(e)) for e in events})
    said["state"] = json.loads((run / "state.json").read_text()).get("state")
    card = json.loads((run / "card.json").read_text())
    said["card"] = shape(card)
    return said


def models(folder: Path) -> dict:
    """A checkpoint that is imported, completed, listed and handed on."""
    weights = folder / "mine.safetensors"
    shutil.copy(next((SAMPLES / "runs" / "finished").glob("*.safetensors")), weights)
    return {
        "import": command("models", "import", weights, "--name", "mine"),
        "again": command("models", "import", weights, "--name", "mine"),
        "edit": command("models", "edit", "mine", "--training-data", "leaves", "--licence", "CC0"),
        "show": command("models", "show", "mine", "--json"),
        "list": command("models", "--json"),
        "export": command("models", "export", "mine", "-o", folder / "out.safetensors"),
        "remove": command("models", "remove", "mine"),
    }


def main() -> None:
    """Print all of it."""
    import napari_hsr
    from napari_hsr.models import list_models

    folder = Path(sys.argv[1])
    made = folder / "made"
    made.mkdir()
    files = doubtful_files(made) + sorted((SAMPLES / "cubes").iterdir())
    found: dict = {}
    for path in files:
        thing = outcome(napari_hsr.read, path)
        found[path.name] = facts(thing)
        if isinstance(thing, napari_hsr.Cube):
            stated = outcome(thing.with_wavelengths, range(400, 400 + 5 * thing.bands, 5))
            found[f"{path.name}, stated"] = facts(stated)
        found[f"{path.name}, info"] = command("info", path, "--json")
    photo = SAMPLES / "cubes" / "photo.png"
    for precision in ("auto", "bfloat16"):
        for model in ("rootpoly-srgb", "mstpp-photo"):
            cube = outcome(napari_hsr.reconstruct, photo, model, precision=precision)
            found[f"{model} {precision}"] = facts(cube)
    found["unstated"] = facts(outcome(napari_hsr.reconstruct, made / "photo.npy", "rootpoly-srgb"))
    for refine in (False, "back-projection", "dualsr"):
        cube = outcome(
            napari_hsr.super_resolve, made / "descending.npz", "coarsr-x4", 4, refine=refine
        )
        found[f"super-resolve {refine}"] = facts(cube)
    lines = {
        "predict": ("predict", photo, "-o", made / "out.mat"),
        "predict again": ("predict", photo, "-o", made / "out.mat", "--json"),
        "predict stated": (
            *("predict", made / "photo.npy", "-o", made / "stated.mat"),
            *("--input-encoding", "srgb", "--json"),
        ),
        "predict unstated": ("predict", made / "photo.npy", "-o", made / "unstated.mat"),
        "super-resolve": (
            *("super-resolve", made / "out.mat", "-o", made / "fine.mat"),
            *("--scale", "2", "--refine", "--json"),
        ),
        "evaluate": ("evaluate", made / "out.mat", made / "out.mat", "--json"),
        "render": ("render", made / "out.mat", "-o", made / "seen.png", "--json"),
        "no model": ("predict", photo, "-o", made / "x.mat", "--model", "none-such"),
        "no file": ("info", made / "none-such.mat"),
    }
    found |= {name: command(*line) for name, line in lines.items()}
    found["models"] = models(folder)
    found["cards"] = [card.name for card in list_models()]
    found["training"] = training(folder)
    print(json.dumps(found, sort_keys=True, default=str))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
