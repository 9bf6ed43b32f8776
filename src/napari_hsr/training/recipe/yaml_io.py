"""Recipes as YAML files: read with overrides, refused in one sentence, written whole.

Data alone: nothing that a file names is run.
"""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from napari_hsr.errors import FileError, HSRError
from napari_hsr.training.recipe import errors as faults
from napari_hsr.training.recipe.schema import RGB_TO_CUBE, SUPER_RESOLUTION, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUFFIXES = (".yaml", ".yml")
#: Settings that are a name or a path: made absolute if there is such a file by the recipe.
_NAMES_OR_PATHS = ("start", "sensitivities", "cameras")
#: An override of one of these takes the place of what the file says instead of it.
_INSTEAD = {
    ("schedule", "steps"): ("minutes",),
    ("schedule", "minutes"): ("steps",),
    ("model", "start"): ("architecture", "settings", "head"),
    ("model", "architecture"): ("start", "settings"),
    ("data", "folder"): ("pairs",),
    ("data", "pairs"): ("folder",),
}


class RecipeError(HSRError):
    """A recipe cannot be used; one sentence names its file, the setting and what is wrong."""


def recipe_names() -> list[tuple[str, str]]:
    """Names of the recipes that come with the product, each with a line that describes it."""
    return [(path.stem, _first_comment(path)) for path in _packaged()]


def read_recipe(path_or_name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from a file, from a run's folder, or one of :func:`recipe_names`.

    Parameters
    ----------
    path_or_name : str or path-like
        ``my.yaml``; a folder with a ``recipe.yaml``, as a run leaves it; or a name, which goes
        before a folder of the same name (``./name``).
    overrides : sequence of str
        ``optimiser.learning_rate=1e-4`` or ``loss.0.weight=2``; values are YAML.

    Returns
    -------
    Recipe
        Its paths absolute: those of a file were relative to the file's folder, those of
        overrides to the working folder.

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
        content = _absolute(content, Recipe, path.absolute().parent)
    for override in overrides:
        content = _override(content, override)
    content = _absolute(content, Recipe, Path.cwd())
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(faults.sentence(error, content, source, overrides)) from None


def write_recipe(recipe: Recipe, path: str | Path) -> Path:
    """Write every setting of a recipe, so that it reads back equal; whole or not at all.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    from napari_hsr.io.atomic import replacing

    path = Path(path)
    text = _yaml().safe_dump(
        _dumped(recipe), sort_keys=False, allow_unicode=True, default_flow_style=None, width=96
    )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _dumped(recipe: Recipe) -> dict[str, Any]:
    content = recipe.model_dump(mode="json")
    captures = [content["camera"], *content["validation"]["captures"]]
    for capture in captures:
        if capture and capture["preset"]:  # a preset stands alone: no default beside it
            default = type(recipe).model_fields["camera"].annotation
            for key, field in _settings_in(default)[0].model_fields.items():
                if capture[key] in (field.default, None) or capture[key] == _listed(field.default):
                    del capture[key]
    return content


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _packaged() -> list[Path]:
    folder = Path(str(files("napari_hsr.training"))) / "recipes"
    return sorted(path for path in folder.glob("*.yaml"))


def _first_comment(path: Path) -> str:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def _find(path_or_name: str | Path) -> tuple[Path, bool]:
    """The file, and whether it came with the product."""
    path = Path(path_or_name).expanduser()
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
    near = difflib.get_close_matches(text, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}."
    raise RecipeError(f"There is no recipe {text!r}; {hint}")


def _yaml():
    try:
        import yaml
    except ImportError:
        raise RecipeError("Recipes need PyYAML: pip install 'napari-hsr[train]'.") from None
    return yaml


def _parse(path: Path, source: str) -> dict[str, Any]:
    if path.is_dir():
        raise FileError(path, "a recipe was expected, but this is a folder without recipe.yaml")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise FileError(path, "there is no such recipe") from None
    except UnicodeDecodeError:
        raise FileError(path, "a recipe is a text file, but this is another kind") from None
    except OSError as error:
        raise FileError(path, f"it cannot be read ({error.strerror})") from error
    yaml = _yaml()
    try:
        content = _load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"{source}: {faults.yaml_problem(error)}.") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else faults.shown(content)
        raise RecipeError(
            f"{source}: a recipe is a list of settings such as name: mine, but this holds {found}."
        )
    return content


def _load(text: str) -> Any:
    """Plain YAML; unlike PyYAML's, ``1e-4`` is a number, and a setting may stand once only."""
    import re

    yaml = _yaml()

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node, deep=False):
            seen = set()
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
    return yaml.load(text, Loader)


def _override(content: dict[str, Any], override: str) -> dict[str, Any]:
    """The content with one ``key.path=value`` set; what it was made from stays as it was."""
    key, equals, text = override.partition("=")
    parts = tuple(part.strip() for part in key.strip().split("."))
    if not equals or not all(parts):
        raise RecipeError(
            f"--set {override}: expected KEY=VALUE, such as optimiser.learning_rate=1e-4."
        )
    yaml = _yaml()
    try:
        value = _load(text)
    except yaml.YAMLError as error:
        value = text.strip()
        if not faults.takes_text(parts):
            raise RecipeError(f"--set {override}: {faults.yaml_problem(error)}.") from None
    quoted = text.strip()[:1] in ("'", '"')
    if faults.takes_text(parts) and not quoted and not isinstance(value, (list, type(None))):
        value = text.strip()  # a folder may be called 2024 or "a: b #c", a model 1e3
    content = _with(content, parts, value, f"--set {override}", Recipe)
    for other in _INSTEAD.get(parts, ()) if value is not None else ():
        content[parts[0]].pop(other, None)
    return content


def _with(at: Any, parts: tuple[str, ...], value: Any, source: str, model: Any) -> Any:
    """A copy of nested dicts and lists with the value in its place."""
    first, rest = parts[0], parts[1:]
    if isinstance(at, (list, tuple)):
        if not first.isdigit() or int(first) > len(at):
            raise RecipeError(
                f"{source}: expected a number from 0 to {len(at)} (a new one) in the place of "
                f"{first}."
            )
        copy, place = [*at], int(first)
        if place == len(copy):
            copy.append({} if rest else value)
        copy[place] = _with(copy[place], rest, value, source, model) if rest else value
        return copy
    copy = dict(at) if isinstance(at, dict) else {}
    if not rest:
        return {**copy, first: value}
    inner = next(iter(_settings_in(_annotation(model, first))), None)
    below = copy.get(first)
    if below is None and rest[0].isdigit():  # item of a list that the file leaves at its default
        below = _default_list(model, first)
    return {**copy, first: _with(below, rest, value, source, inner)}


def _annotation(model: Any, name: str) -> Any:
    field = model.model_fields.get(name) if model else None
    return field.annotation if field else None


def _default_list(model: Any, name: str) -> list[Any]:
    field = model.model_fields.get(name) if model else None
    default = field.get_default(call_default_factory=True) if field else None
    items = default if isinstance(default, tuple) else ()
    return [i.model_dump(mode="json") if isinstance(i, BaseModel) else i for i in items]


def _settings_in(annotation: Any) -> list[type[BaseModel]]:
    return [kind for kind in faults.leaves(annotation) if faults.is_settings(kind)]


def _absolute(content: Any, model: Any, folder: Path) -> Any:
    """The content with its relative paths made absolute, as far as it fits the settings."""
    if not isinstance(content, dict) or model is None:
        return content
    return {key: _made_absolute(value, key, model, folder) for key, value in content.items()}


def _made_absolute(value: Any, key: Any, model: Any, folder: Path) -> Any:
    annotation = _annotation(model, key) if isinstance(key, str) else None
    inner = next(iter(_settings_in(annotation)), None)
    if isinstance(value, (list, tuple)):
        if inner is not None:
            return [_absolute(item, inner, folder) for item in value]
        return [_made_absolute(item, key, model, folder) for item in value]
    if inner is not None:
        return _absolute(value, inner, folder)
    if not isinstance(value, str) or not value:
        return value
    if Path in faults.leaves(annotation):
        return str(folder / Path(value).expanduser())
    if key in _NAMES_OR_PATHS:
        return next(_existing(value, folder), value)
    return value


def _existing(text: str, folder: Path) -> Iterator[str]:
    """``file`` or ``file:name`` made absolute, if it looks like a path and there is one."""
    head, colon, tail = text.rpartition(":")
    for name, rest in ((text, ""), (head, colon + tail)):
        path = Path(name).expanduser()
        if name and (path.suffix or path.name != name) and (folder / path).exists():
            yield str(folder / path) + rest
