"""The plan of the house in docs/architecture.md, held against the imports."""

from __future__ import annotations

import ast
import gc
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = CHECKOUT / "src" / "napari_hsr"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: From the ground up. A room may import from those below its own floor, and from itself.
FLOORS = (
    (
        "band_gaps",
        "byte_cache",
        "errors",
        "notices",
        "moved_modules",
        "quantities",
        "signs_of_life",
        "units",
        "user_folders",
    ),
    ("arguments", "arrays"),
    ("georeference", "progress", "provenance"),
    ("local_workers",),
    ("workers",),
    ("cube",),
    ("photograph", "spectral_library"),
    ("photograph_stack",),
    ("io", "colour", "resample"),
    ("cameras", "calibration", "conversion"),
    ("spectra", "samples", "trust"),
    ("analysis",),
    ("metrics", "matching"),
    ("models",),
    ("inference",),
    ("training",),
    ("viewer",),
    ("widgets", "cli"),
    ("__main__", "train"),
)
LEVEL = {name: level for level, floor in enumerate(FLOORS) for name in floor}

QT = {"qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "superqt", "pyqtgraph", "magicgui"}
NAPARI = {"napari", "npe2", "app_model", "vispy"}
#: Libraries that only these rooms may import, at any depth.
ALLOWED_IN = {
    **{library: {"widgets"} for library in QT},
    **{library: {"viewer", "widgets"} for library in NAPARI},
    "torch": {"models", "inference", "training"},
    "lightning": {"training"},
    "pytorch_lightning": {"training"},
}
#: The engine's innermost file: nothing else may import Lightning, which takes seconds.
LIGHTNING = ("launch",)


def room(path: Path) -> str:
    """The room that a file of the package belongs to; the package's own __init__ is ""."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


@pytest.fixture(scope="module", autouse=True)
def kept_trees() -> Iterator[None]:
    """Of hundreds of files: looking for garbage among them took most of the time."""
    gc.disable()
    yield
    parsed.cache_clear()
    gc.enable()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path, text: str | None = None) -> list[tuple[str, bool, int]]:
    """(dotted name, inside a function?, line) of every import in a file, relative ones resolved."""
    package = list(path.relative_to(PACKAGE.parent).with_suffix("").parts[:-1])
    found = []

    def visit(node: ast.AST, inside: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend((alias.name, inside, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # "from napari_hsr import io" names a room, "from napari_hsr.io import read" does not.
            found.extend((f"{module}.{alias.name}", inside, node.lineno) for alias in node.names)
        deeper = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.expr):  # no expression holds a statement
                visit(child, deeper)

    visit(parsed(path) if text is None else ast.parse(text), False)
    return found


def own_room(name: str) -> str | None:
    """The room that a dotted name of ours points to: None for others', "" for the public API."""
    parts = name.split(".")
    if parts[0] != "napari_hsr":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in LEVEL else ""


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(CHECKOUT)}:{line}"


def test_every_room_has_its_place():
    assert {room(path) for path in MODULES} - {""} <= set(LEVEL)


def test_imports_point_down_only():
    wrong = []
    for path in MODULES:
        here = room(path)
        if here == "":  # the door that opens every room on first use; its rooms stay closed below
            continue
        for name, _, line in imports(path):
            there = own_room(name)
            if there and there != here and LEVEL[there] >= LEVEL[here]:
                wrong.append(f"{where(path, line)}: {here} imports {there}")
    assert not wrong, "\n".join(wrong)


def file_imports() -> dict[str, set[str]]:
    """Which files of the package each file imports, in functions and for type checking too."""
    names = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in MODULES
    }
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        found = set()
        for target, _, _ in imports(path):
            parts = target.split(".")
            # "from a.b import c" imports a.b.c if that is a file, else a.b
            found |= {next((m for m in (target, ".".join(parts[:-1])) if m in names), name)}
        graph[name] = found - {name, "napari_hsr"}
    return graph


def test_no_two_files_import_each_other_in_a_circle():
    graph = file_imports()
    del graph["napari_hsr"]  # the public API, which opens every room on first use

    def reached_from(name: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(graph[name])
        while waiting:
            here = waiting.pop()
            if here not in seen:
                seen.add(here)
                waiting.extend(graph[here])
        return seen

    circles = {name for name in graph if name in reached_from(name)}
    assert not circles, sorted(circles)


def test_the_command_line_calls_the_viewer_only_inside_a_function():
    wrong = [
        where(path, line)
        for path in MODULES
        if room(path) == "cli"
        for name, inside, line in imports(path)
        if own_room(name) == "viewer" and not inside
    ]
    assert not wrong, "\n".join(wrong)


def test_qt_napari_torch_and_lightning_stay_in_their_rooms():
    wrong = []
    for path in MODULES:
        for name, _, line in imports(path):
            library = name.split(".")[0]
            if library in ALLOWED_IN and room(path) not in ALLOWED_IN[library]:
                wrong.append(f"{where(path, line)}: {library} in {room(path) or '__init__'}")
    assert not wrong, "\n".join(wrong)


def test_lightning_is_imported_by_the_engine_alone():
    found = {
        path.relative_to(PACKAGE).with_suffix("").as_posix()
        for path in MODULES
        for name, _, _ in imports(path)
        if name.split(".")[0] in ("lightning", "pytorch_lightning", "lightning_utilities")
    }
    assert found == {f"training/engine/{name}" for name in LIGHTNING}


def test_the_rules_see_a_forbidden_import():
    """The walk itself: late, relative and aliased imports are all found."""
    path = PACKAGE / "io" / "imagined.py"
    found = imports(path, "def f():\n    from ..widgets import plot\n    import torch.nn as nn\n")
    assert ("napari_hsr.widgets.plot", True, 2) in found
    assert ("torch.nn", True, 3) in found
    assert own_room(found[0][0]) == "widgets"
    assert room(path) == "io"


def loaded_after(code: str, *arguments: str) -> set[str]:
    """Top-level modules that a fresh Python has loaded after ``code``."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_importing_the_package_loads_nothing_heavy():
    loaded = loaded_after("import napari_hsr")
    heavy = QT | NAPARI | {"torch", "lightning", "scipy", "numpy", "skimage", "h5py", "colour"}
    assert not loaded & heavy


def test_help_of_the_command_line_loads_nothing_heavy():
    code = "from napari_hsr.cli import build_parser\nbuild_parser().format_help()"
    heavy = {"torch", "lightning", "pytorch_lightning", "scipy", "numpy", "tqdm"}
    assert not loaded_after(code) & (QT | NAPARI | heavy)


def test_readers_writers_and_samples_of_the_plugin_load_neither_torch_nor_lightning():
    import yaml

    manifest = yaml.safe_load((PACKAGE / "napari.yaml").read_text(encoding="utf-8"))
    contributions = manifest["contributions"]
    wanted = {
        entry["command"]
        for kind in ("readers", "writers", "sample_data")
        for entry in contributions.get(kind, [])
        if "command" in entry
    }
    modules = {
        command["python_name"].split(":")[0]
        for command in contributions["commands"]
        if command["id"] in wanted
    }
    assert modules
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    assert not loaded_after(code, *modules) & {"torch", "lightning", "pytorch_lightning"}


def test_looking_on_at_a_training_loads_neither_torch_nor_lightning():
    """What the Train panel does while another process trains."""
    names = ("recipe.schema", "recipe.yaml_io", "events", "runs.run_folder", "runs.processes")
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    loaded = loaded_after(code, *(f"napari_hsr.training.{name}" for name in names))
    assert not loaded & {"torch", "lightning", "pytorch_lightning"}


def test_a_photograph_becomes_a_cube_without_napari_and_qt(tmp_path):
    """API and command line, with every viewer library made impossible to import."""
    code = f"""
import sys
for name in {sorted(QT | NAPARI)!r}:
    sys.modules[name] = None
import numpy as np
from PIL import Image
from napari_hsr import load_model, read, reconstruct, write
from napari_hsr.cli import main
from napari_hsr.models import DEFAULT

photo, saved, folder = sys.argv[1:]
values = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
Image.fromarray(values).save(photo)
cube = reconstruct(read(photo), load_model("rootpoly-srgb"))
assert cube.shape == (31, 9, 7)
write(cube, saved)
assert main(["predict", photo, "-o", folder]) == 0
assert main(["info", saved, "--json"]) == 0
assert main(["evaluate", f"{{folder}}/photo_{{DEFAULT}}.mat", saved]) == 0
assert main(["render", saved, "-o", folder + "/seen.png"]) == 0
assert main(["models"]) == 0
"""
    done = subprocess.run(
        [
            *(sys.executable, "-c", code),
            *(tmp_path / "photo.png", tmp_path / "saved.mat", tmp_path / "out"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_source_file_is_too_long_to_hold_one_idea():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    too_long = {str(path.relative_to(PACKAGE)): n for path, n in lengths.items() if n > 400}
    assert not too_long


def test_shares_are_written_in_one_way():
    apart = [
        f"{path.relative_to(PACKAGE)}:{number}"
        for path in MODULES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\d %(?:$|[^ \w]| (?:of|and|or|for|to)\b)", line)  # a remainder is none
    ]
    assert not apart


def code_lines(path: Path) -> list[str]:
    """The lines of a file without imports, heads of functions, docstrings, comments and blanks."""
    text = path.read_text(encoding="utf-8")
    left_out: set[int] = set()
    for node in ast.walk(parsed(path)):
        last = node.end_lineno if isinstance(node, (ast.Import, ast.ImportFrom)) else None
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            last = node.body[0].lineno - 1
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            last = node.end_lineno
        if last is not None:
            left_out.update(range(node.lineno, last + 1))
    lines = [line.strip() for at, line in enumerate(text.splitlines(), 1) if at not in left_out]
    return [line for line in lines if line and not line.startswith("#")]


def test_no_ten_lines_stand_twice():
    seen: dict[str, str] = {}
    twice = []
    for path in MODULES:
        lines = code_lines(path)
        for at in range(len(lines) - 9):
            ten = "\n".join(lines[at : at + 10])
            where = path.relative_to(PACKAGE).as_posix()
            if ten in seen:
                twice.append(f"{seen[ten]} and {where}: {lines[at]}")
            seen[ten] = where
    assert not twice, "\n".join(twice)


def test_no_tracked_file_names_a_place_on_one_machine():
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    # Put together from pieces, so that this file passes its own test; the socket of an
    # X server, a hidden folder in the one for temporary files, is the same on every machine.
    places = ["/" + "work/", "/" + "root/", "/" + "farm/", "/" + "home/[a-z]", "/" + "tmp/[a-z]"]
    needle = re.compile("(?<![A-Za-z0-9_.*-])(?:" + "|".join(places) + ")")
    found = []
    for name in filter(None, listing.stdout.split("\0")):
        path = CHECKOUT / name
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        found += [f"{name}: {line.strip()}" for line in text.splitlines() if needle.search(line)]
    assert not found, "\n".join(found)
