"""The command line: its options, exit statuses and JSON."""

from __future__ import annotations

import argparse
import json
import shlex
from typing import TYPE_CHECKING, Any

from napari_hsr.cli import build_parser

from .basis import SAMPLES, run, shape, write_pairs
from .trainings import write_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Command lines and what is parsed of them: how the values of options are understood.
EXAMPLES = (
    "predict a.png b.png -o out --model rootpoly-srgb --tile 128 --precision float32 --format .h5",
    "predict a.png -o out.mat --tile whole --ensemble mean --finer 2 --input-encoding srgb",
    "super-resolve a.mat -o out.mat --scale 4 --refine --model coarsr-x4 --tile auto --device cpu",
    "super-resolve a.mat -o out.mat --scale 4 --dualsr --half-model coarsr-x2",
    "evaluate a.mat b.mat --protocol dualsr --scale 4 --json",
    "render a.mat -o a.png --camera nikon-5100-npl --illuminant D50 --bits 16",
    "models",
    "models --json",
    "models list --json",
    "models import a.pth --name mine --as mstpp-ntire2022 --wavelengths 400:700:10 --overwrite",
    "models edit mine --wavelengths 410,430,450 --training-data here --licence CC0 --title T",
    "models measure mine --image a.png --input-encoding srgb --device cpu --json",
    "models export mine -o a.safetensors --overwrite",
    "models catalogue --json",
    "train fine-tune --data d -o r --start m --set schedule.minutes=30 batch.size=4 --set seed=1",
    "train --output r --resume --json",
    "train --data d --dry-run",
    "train --list-recipes",
    "info a.mat --json --debug",
    "--debug info a.mat",
    "demo --output demo --no-viewer --close-viewer",
)


def command_line() -> dict[str, Any]:
    """Every option of every command, and how examples are parsed."""
    parsers = {path or "napari-hsr": options(parser) for path, parser in _parsers(build_parser())}
    return {"commands": parsers, "examples": {line: parsed(line) for line in EXAMPLES}}


def _parsers(parser: argparse.ArgumentParser, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from _parsers(below, f"{path} {name}".strip())


def options(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """The options of one command by their strings, its positional arguments by number."""
    found: dict[str, Any] = {}
    for action in parser._actions:
        facts = {
            "action": type(action).__name__.strip("_"),
            "dest": action.dest,
            "nargs": action.nargs,
            "required": action.required,
            "default": action.default,
            "const": action.const,
            "choices": {str(choice): True for choice in action.choices or ()},
        }
        names = action.option_strings or [f"argument {sum(k[0] == 'a' for k in found)}"]
        found |= dict.fromkeys(names, facts)
    return found


def parsed(line: str) -> dict[str, Any]:
    """What a command line is parsed to, without the functions in it."""
    values = vars(build_parser().parse_args(shlex.split(line)))
    return {key: value for key, value in values.items() if not callable(value)}


def json_of(*arguments: object) -> Any:
    """What a command prints as JSON."""
    _, out, err = run(*arguments)
    assert out, f"{arguments}: {err}"
    return json.loads(out)


def json_outputs(folder: Path) -> dict[str, Any]:
    """Keys and types of everything that commands print as JSON."""
    pairs = write_pairs(folder / "pairs")
    truth, photo, other = pairs / "leaf0.npz", pairs / "leaf0.png", pairs / "leaf1.npz"
    recipe = write_recipe(folder, pairs)
    small = SAMPLES / "runs" / "finished" / "tiny.safetensors"
    commands = {
        "info of a cube": ("info", truth, "--json"),
        "info of a photograph": ("info", photo, "--json"),
        "info of an estimate": ("info", SAMPLES / "cubes" / "estimate.mat", "--json"),
        "evaluate": ("evaluate", truth, other, "--json"),
        "evaluate by dualsr": ("evaluate", truth, other, "--protocol", "dualsr", "--json"),
        "models": ("models", "--json"),
        "models list": ("models", "list", "--json"),
        "models show": ("models", "show", "coarsr-x2", "--json"),
        "models catalogue": ("models", "catalogue", "--json"),
        "models measure": ("models", "measure", small, "--image", photo, "--json"),
        "train --list-recipes": ("train", "--list-recipes", "--json"),
        "train --dry-run": ("train", recipe, "--dry-run", "--json"),
    }
    return {name: shape(json_of(*arguments)) for name, arguments in commands.items()}
