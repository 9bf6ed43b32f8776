"""What the contract tests share: comparing descriptions, and data that are the same everywhere."""

from __future__ import annotations

import contextlib
import io
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import napari_hsr
from napari_hsr import Cube, Photograph, Wavelengths
from napari_hsr.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
SAMPLES = HERE / "samples"

# --- internal names: adjust these lines, and only these, when something is renamed -------------


def recipe_class() -> type:
    """The pydantic model of a training recipe."""
    from napari_hsr.training.recipe.schema import Recipe

    return Recipe


#: The text on the button that starts a run in the Reconstruct panel.
RUN_BUTTON = "Run"


# --- comparing ---------------------------------------------------------------------------------


def lost(old: Any, new: Any, at: str = "") -> list[str]:
    """What ``old`` has and ``new`` lacks or has changed; keys may have been added to mappings."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = [f"{at}/{key}: removed" for key in old if key not in new]
        for key in old.keys() & new.keys():
            found += lost(old[key], new[key], f"{at}/{key}")
        return sorted(found)
    if isinstance(new, list) and all(map(_is_option, new[len(old or ()) :])):
        new = new[: len(old or ())]  # keyword-only parameters with a default were added
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [line for i, (a, b) in pairs for line in lost(a, b, f"{at}/{i}")]
    return [] if _same(old, new) else [f"{at}: {old!r} became {new!r}"]


def _is_option(item: Any) -> bool:
    """Whether an item describes a parameter that no call of 0.1 had to give."""
    if not isinstance(item, dict) or item.get("kind") != "KEYWORD_ONLY":
        return False
    return item.get("default") not in (None, "")


def _same(old: Any, new: Any) -> bool:
    return type(old) is type(new) and old == new


def shape(value: Any) -> Any:
    """The keys and types of a JSON value; the items of a list are merged into one."""
    if isinstance(value, dict):
        # What a card says of its training depends on the training.
        return {k: "object" if k == "training" else shape(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        items = [shape(item) for item in value]
        return {"[]": reduce(merged, items) if items else "nothing"}
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names[type(value)]


def merged(one: Any, other: Any) -> Any:
    """One shape that holds what either holds."""
    if one == other:
        return one
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(key for key in other if key not in one)]
        return {
            k: merged(one[k], other[k]) if k in one and k in other else one.get(k, other.get(k))
            for k in keys
        }
    if isinstance(one, str) and isinstance(other, str):
        return "|".join(sorted({*one.split("|"), *other.split("|")}))
    return one if isinstance(one, dict) else other


# --- data made by arithmetic on integers, the same to the bit everywhere -------------------------


def levels(bands: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Whole numbers from 40 to 219, shape (bands, height, width), float32."""
    band, row, column = np.ogrid[:bands, :height, :width]
    texture = row * column % (13 + seed) * (band % 5 + 1)
    steps = band * 3 + row * row * (seed + 1) + column * 7 + texture
    return (40 + steps % 180).astype(np.float32)


def cube(bands: int = 31, height: int = 16, width: int = 12, seed: int = 0, **facts) -> Cube:
    """A cube of such values in 0..1; 31 bands from 400 to 700 nm unless stated."""
    facts.setdefault("wavelengths", Wavelengths(np.linspace(400, 700, bands)))
    facts.setdefault("units", "reflectance")
    return Cube(levels(bands, height, width, seed) / 256, **facts)


def photograph(height: int = 16, width: int = 12, seed: int = 0) -> Photograph:
    """An 8-bit sRGB photograph that fits :func:`cube` roughly."""
    bands = levels(31, height, width, seed)
    thirds = [bands[20:].mean(0), bands[10:20].mean(0), bands[:10].mean(0)]
    return Photograph(np.floor(np.stack(thirds, axis=-1)).astype(np.uint8), encoding="srgb")


def write_pairs(folder: Path, count: int = 3) -> Path:
    """Photographs and cubes with one stem each, as the smallest training data."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        napari_hsr.write(cube(seed=seed), folder / f"leaf{seed}.npz")
        napari_hsr.write(photograph(seed=seed), folder / f"leaf{seed}.png")
    return folder


def numbers(values: np.ndarray) -> dict[str, Any]:
    """Size, mean, deviation, extremes and a few values of an array."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    places = np.linspace(0, flat.size - 1, 9).astype(int)
    return {
        "shape": list(np.shape(values)),
        "summary": [float(f(flat)) for f in (np.mean, np.std, np.min, np.max)],
        "values": flat[places].tolist(),
    }


def run(*arguments: object) -> tuple[int, str, str]:
    """Run a command in this process: exit status, standard output, standard error."""
    return run_function(main, [str(argument) for argument in arguments])


def run_function(command: Callable, words: list[str]) -> tuple[int, str, str]:
    """Call a function that takes words as a command line does; otherwise as :func:`run`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = command(words)
        except SystemExit as left:  # argparse
            status = left.code
    return int(status or 0), out.getvalue(), err.getvalue()
