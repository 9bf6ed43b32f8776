"""The public surface of napari-hsr, described as plain JSON values.

Each function in :data:`SNAPSHOTS` describes one part of it. ``make_snapshots.py`` stores the
descriptions; the tests compare them with what the code does today. Only public entry points are
used, because everything behind them may be renamed. What needs an internal name is in the short
section "internal names" of ``basis.py``.
"""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import numpy as np

import napari_hsr

from .basis import HERE, cube, photograph, recipe_class
from .commands import command_line, json_of, json_outputs
from .figures import golden_numbers, readme_figures
from .layers import false_colours, layer_state, manifest
from .trainings import train_all, training_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# --- the Python API ----------------------------------------------------------------------------


def api() -> dict[str, Any]:
    """Names, signatures, and the public attributes of what they take and return."""
    photo, truth = photograph(), cube()
    made = {
        "Cube": truth,
        "Wavelengths": truth.wavelengths,
        "Photograph": photo,
        "Provenance": truth.provenance,
        "Place": truth.over_same_area(np.zeros((31, 32, 24), np.float32)).place,
        "Evaluation": napari_hsr.evaluate(truth, cube(seed=1)),
    }
    return {
        "all": dict.fromkeys(napari_hsr.__all__, True),
        "signatures": {
            name: signature(getattr(napari_hsr, name))
            for name in napari_hsr.__all__
            if callable(getattr(napari_hsr, name)) and not _is_error(getattr(napari_hsr, name))
        },
        "errors": {
            name: {base.__name__: True for base in getattr(napari_hsr, name).__mro__}
            for name in napari_hsr.__all__
            if _is_error(getattr(napari_hsr, name))
        },
        "attributes": {name: attributes(thing) for name, thing in made.items()},
    }


def _is_error(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseException)


def signature(function: Callable) -> list[dict[str, str]]:
    """Name, kind and default of each parameter, in order."""
    return [
        {
            "name": parameter.name,
            "kind": parameter.kind.name,
            "default": "" if parameter.default is parameter.empty else repr(parameter.default),
        }
        for parameter in inspect.signature(function).parameters.values()
        if not parameter.name.startswith("_")
    ]


def attributes(thing: Any) -> dict[str, Any]:
    """Public attributes of an object; of methods, their signatures."""
    found = {}
    for name in dir(thing):
        if not name.startswith("_"):
            static = inspect.getattr_static(type(thing), name, None)
            method = inspect.isfunction(static) or isinstance(static, classmethod | staticmethod)
            found[name] = signature(getattr(thing, name)) if method else "attribute"
    return found


# --- recipes -------------------------------------------------------------------------------------


def recipes(folder: Path) -> dict[str, Any]:
    """The settings of a recipe with types and defaults, and every packaged recipe in full."""
    return {"settings": _schema(recipe_class()), "packaged": packaged_recipes(folder)}


def packaged_recipes(folder: Path) -> dict[str, Any]:
    """Each packaged recipe with all its settings, as a dry run on one image prints them."""
    single = folder / "single"
    single.mkdir()
    napari_hsr.write(cube(), single / "leaf.npz")
    found = {}
    for entry in json_of("train", "--list-recipes", "--json"):
        content = json_of("train", entry["name"], "--data", single, "--dry-run", "--json")
        content["recipe"]["data"]["folder"] = None
        found[entry["name"]] = content["recipe"]
    return found


def _schema(model: type) -> Any:
    """The JSON schema of settings, with references put in, without prose and bounds."""
    whole = model.model_json_schema()
    kept = ("type", "default", "const", "properties", "items", "additionalProperties", "required")

    def walk(part: Any) -> Any:
        if "$ref" in part:
            rest = {k: v for k, v in part.items() if k != "$ref"}
            part = {**whole["$defs"][part["$ref"].rpartition("/")[2]], **rest}
        found = {key: part[key] for key in kept if key in part}
        if "enum" in part:
            found["enum"] = {str(value): True for value in part["enum"]}
        if "properties" in part:
            found["properties"] = {k: walk(v) for k, v in part["properties"].items()}
        for key in ("anyOf", "prefixItems"):
            if key in part:
                found[key] = {str(i): walk(item) for i, item in enumerate(part[key])}
        for key in ("items", "additionalProperties"):
            if isinstance(part.get(key), dict):
                found[key] = walk(part[key])
        return found

    return walk(whole)


# --- model cards ---------------------------------------------------------------------------------


def cards() -> dict[str, Any]:
    """The cards of the models on board."""
    return {card.name: card.model_dump(mode="json") for card in napari_hsr.list_models()}


#: Name of the snapshot, and what describes it in an empty working folder.
SNAPSHOTS: dict[str, Callable[[Path], Any]] = {
    "signatures": lambda folder: api(),
    "command_line": lambda folder: command_line(),
    "json_outputs": json_outputs,
    "manifest": lambda folder: manifest(),
    "recipes": recipes,
    "cards": lambda folder: cards(),
    "training_files": lambda folder: training_files(train_all(folder)),
    "layer_state": layer_state,
    "golden_numbers": golden_numbers,
    "false_colours": lambda folder: false_colours(),
    "readme_figures": lambda folder: readme_figures(),
}


def stored(name: str) -> Any:
    """A snapshot as it was stored."""
    return json.loads((HERE / "snapshots" / f"{name}.json").read_text(encoding="utf-8"))
