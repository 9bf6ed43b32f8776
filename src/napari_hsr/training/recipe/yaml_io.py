"""Recipes as YAML files: read with overrides, checked, written whole or not at all.

A recipe is only data: nothing that a file names is executed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from napari_hsr.cameras.settings import CaptureSettings
from napari_hsr.errors import FileError, HSRError, did_you_mean
from napari_hsr.io import limits
from napari_hsr.training.recipe import fields
from napari_hsr.training.recipe.errors import RecipeError, recipe_error, shown, yaml_problem
from napari_hsr.training.recipe.schema import RGB_TO_CUBE, SUPER_RESOLUTION, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    from napari_hsr.training.recipe.fields import FieldPath

SUFFIXES = (".yaml", ".yml")
#: Bytes of a recipe.
_LARGEST = 2**20
#: Fields that hold a name or a path: made absolute if there is such a file.
_NAMES_OR_PATHS = ("start", "sensitivities", "cameras")
#: Fields that exclude each other: an override of one removes the others.
_INSTEAD: dict[tuple[str, ...], tuple[str, ...]] = {
    ("schedule", "steps"): ("minutes",),
    ("schedule", "minutes"): ("steps",),
    ("model", "start"): ("architecture", "settings", "head"),
    ("model", "architecture"): ("start", "settings"),
    ("data", "folder"): ("pairs",),
    ("data", "pairs"): ("folder",),
}


def recipe_names() -> list[tuple[str, str]]:
    """Names and one-line descriptions of the recipes that come with the package."""
    return [(path.stem, _first_comment(path)) for path in _packaged()]


def read_recipe(path_or_name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe from a file or a run's folder, or one of :func:`recipe_names`.

    Parameters
    ----------
    path_or_name : str or path-like
        ``my.yaml``; a folder with a ``recipe.yaml``, such as that of a run; or a name, which has
        priority over a folder of the same name (write that as ``./name``).
    overrides : sequence of str
        ``optimiser.learning_rate=1e-4`` or ``loss.0.weight=2``; values are YAML.

    Returns
    -------
    Recipe
        With absolute paths. Relative paths in a file are relative to the file's folder, those
        in overrides to the working directory.

    Raises
    ------
    FileError
        If the file cannot be read.
    RecipeError
        If it is not YAML, or a setting is not known or not as expected.
    """
    path, packaged = _find(path_or_name)
    source = f"the recipe {path.stem}" if packaged else str(path)
    content = _parse(path, source)
    task = content.get("task", RGB_TO_CUBE)
    if task not in (RGB_TO_CUBE, SUPER_RESOLUTION):
        raise RecipeError(
            f"{source}: this is a recipe for the task {task}, but only {RGB_TO_CUBE} "
            f"(photograph to cube) and {SUPER_RESOLUTION} (coarse cube to fine) can be trained."
        )
    if not packaged:
        content = _with_absolute_paths(content, path.absolute().parent)
    for override in overrides:
        content = _override(content, override)
    content = _with_absolute_paths(content, Path.cwd())
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise recipe_error(error, content, source, overrides) from None


def write_recipe(recipe: Recipe, path: str | Path) -> Path:
    """Write every setting of a recipe, so that it reads back equal; whole or not at all.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    from napari_hsr.io.text_files import write_text

    text = _yaml().safe_dump(
        _dumped(recipe), sort_keys=False, allow_unicode=True, default_flow_style=None, width=96
    )
    return write_text(path, text)


def put_recipe(recipe: Recipe, path: Path) -> Path | None:
    """Have a file hold a recipe: one that does, in whatever words, stays as it is.

    Returns
    -------
    Path or None
        Where a file that holds something else was moved, which somebody may have written.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    from napari_hsr.io.library_errors import translated

    if not os.path.lexists(path):
        write_recipe(recipe, path)
        return None
    with suppress(HSRError):  # by hand, and not finished perhaps
        if read_recipe(path) == recipe:
            return None
    number, aside = 1, path.with_stem(f"{path.stem}-changed-1")
    while os.path.lexists(aside):
        number += 1
        aside = path.with_stem(f"{path.stem}-changed-{number}")
    with translated(path, "it cannot be moved aside", only=(OSError,)):
        path.rename(aside)
    write_recipe(recipe, path)
    return aside


def _dumped(recipe: Recipe) -> dict[str, Any]:
    content = recipe.model_dump(mode="json")
    # a preset has to stand alone, without the defaults of the other settings beside it
    for capture in (content["camera"], *content["validation"]["captures"]):
        if capture and capture["preset"]:
            for key, default in CaptureSettings().model_dump(mode="json").items():
                if capture[key] in (default, None):
                    del capture[key]
    return content


def _packaged() -> list[Path]:
    folder = Path(str(files("napari_hsr.training"))) / "recipes"
    return sorted(path for path in folder.glob("*.yaml"))


def _first_comment(path: Path) -> str:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def _find(path_or_name: str | Path) -> tuple[Path, bool]:
    """The file, and whether it came with the package."""
    path = Path(os.path.expanduser(path_or_name))
    text = str(path_or_name)
    names = {found.stem: found for found in _packaged()}
    if text in names and not isinstance(path_or_name, Path):
        return names[text], True
    if (path / "recipe.yaml").is_file():
        return path / "recipe.yaml", False
    if isinstance(path_or_name, Path) or path.suffix in SUFFIXES or path.name != text:
        return path, False
    if path.exists():
        return path, False
    known = ", ".join(names)
    raise RecipeError(f"There is no recipe {text!r}{did_you_mean(text, names)}; there are {known}.")


def _yaml() -> ModuleType:
    try:
        return import_module("yaml")
    except ImportError:
        raise RecipeError("Recipes need PyYAML: pip install 'napari-hsr[train]'.") from None


def _parse(path: Path, source: str) -> dict[str, Any]:
    if path.is_dir():
        raise FileError(path, "a recipe was expected, but this is a folder without recipe.yaml")
    try:
        text = limits.content(path, _LARGEST).decode("utf-8-sig")
    except FileNotFoundError:
        raise FileError(path, "there is no such recipe") from None
    except UnicodeDecodeError:
        raise FileError(path, "a recipe is a text file, but this is another kind") from None
    except OSError as error:
        raise FileError(path, f"it cannot be read ({error.strerror})") from error
    yaml = _yaml()
    try:
        content = _load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise RecipeError(f"{source}: {yaml_problem(error)}.") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else shown(content)
        raise RecipeError(
            f"{source}: a recipe is a list of settings such as name: mine, but this holds {found}."
        )
    return content


def _load(text: str) -> Any:
    """Plain YAML, but ``1e-4`` is a number, and a repeated key is an error."""
    import re

    yaml = _yaml()
    deep = f"its lists lie more than {limits.DEEPEST} deep in one another"
    many = f"its lists hold more than {limits.MOST_ENTRIES:,} values"

    class Loader(yaml.SafeLoader):  # type: ignore[misc,name-defined]  # PyYAML has no types
        nodes, depth = 0, 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            # counted on the way: PyYAML takes seconds for what the limits refuse afterwards
            self.nodes, self.depth = self.nodes + 1, self.depth + 1
            if self.depth > limits.DEEPEST + 2:
                raise yaml.YAMLError(deep)
            if self.nodes > 3 * limits.MOST_ENTRIES:
                raise yaml.YAMLError(many)
            found = super().compose_node(parent, index)
            self.depth -= 1
            return found

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[str | None] = set()
            for key, _ in node.value:
                name = getattr(key, "value", None)
                if isinstance(name, str) and name in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the setting {name} stands twice", key.start_mark
                    )
                seen.add(name if isinstance(name, str) else None)
            return super().construct_mapping(node, deep)

    number = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    found = yaml.load(text, Loader)
    if limits.too_deep(found):
        raise yaml.YAMLError(deep)
    if limits.too_many(found):
        raise yaml.YAMLError(many)
    return found


def _override(content: dict[str, Any], override: str) -> dict[str, Any]:
    """A copy of the content with one ``key.path=value`` set."""
    key, equals, text = override.partition("=")
    parts = tuple(part.strip() for part in key.strip().split("."))
    if not equals or not all(parts):
        raise RecipeError(
            f"--set {override[:80]}: expected KEY=VALUE, such as optimiser.learning_rate=1e-4."
        )
    field = fields.field_at(parts)
    only_text = field is not None and fields.takes_only_text(field.annotation)
    try:
        value = _load(text)
    except (_yaml().YAMLError, RecursionError, ValueError) as error:
        value = text.strip()
        if not only_text:
            raise RecipeError(f"--set {override[:80]}: {yaml_problem(error)}.") from None
    quoted = text.strip()[:1] in ("'", '"')
    if only_text and not quoted and not isinstance(value, (list, type(None))):
        value = text.strip()  # a folder may be called 2024 or "a: b #c", a model 1e3
    content = _with(content, parts, value, f"--set {override[:80]}")
    for other in _INSTEAD.get(parts, ()) if value is not None else ():
        content[parts[0]].pop(other, None)
    return content


def _with(
    content: Any, parts: tuple[str, ...], value: Any, source: str, above: FieldPath = ()
) -> Any:
    """A copy of nested dicts and lists with one value replaced or added."""
    first, rest = parts[0], parts[1:]
    path = (*above, first)
    if isinstance(content, (list, tuple)):
        if not first.isdigit() or int(first) > len(content):
            raise RecipeError(
                f"{source}: expected a number from 0 to {len(content)} (a new one) in the place "
                f"of {first}.",
                field=fields.dotted(path),
            )
        items, index = [*content], int(first)
        if index == len(items):
            items.append({} if rest else value)
        items[index] = _with(items[index], rest, value, source, path) if rest else value
        return items
    settings = dict(content) if isinstance(content, dict) else {}
    if not rest:
        return {**settings, first: value}
    below = settings.get(first)
    if below is None and rest[0].isdigit():  # an item of a list that the file does not set
        below = _default_list(path)
    return {**settings, first: _with(below, rest, value, source, path)}


def _default_list(path: FieldPath) -> list[Any]:
    field = fields.field_at(path)
    default = field.get_default(call_default_factory=True) if field else None
    items = default if isinstance(default, tuple) else ()
    return [i.model_dump(mode="json") if isinstance(i, BaseModel) else i for i in items]


def _with_absolute_paths(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The content with its relative paths made absolute from a folder."""

    def absolute(path: FieldPath, value: Any) -> Any:
        field = fields.field_at(path)
        if field is None or not isinstance(value, str) or not value:
            return value
        if fields.takes_path(field.annotation):
            return str(folder / Path(os.path.expanduser(value)))
        if any(name in path for name in _NAMES_OR_PATHS):
            return next(_existing(value, folder), value)
        return value

    made: dict[str, Any] = fields.mapped(content, absolute)
    return made


def _existing(text: str, folder: Path) -> Iterator[str]:
    """``file`` or ``file:name`` made absolute, if it looks like a path and exists."""
    head, colon, tail = text.rpartition(":")
    for name, rest in ((text, ""), (head, colon + tail)):
        path = Path(os.path.expanduser(name))
        if name and (path.suffix or path.name != name) and (folder / path).exists():
            yield str(folder / path) + rest
