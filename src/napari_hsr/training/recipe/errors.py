"""What is wrong with a recipe, in one sentence: which setting, what was expected, what is there."""

from __future__ import annotations

import difflib
import inspect
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from napari_hsr.training.recipe.schema import Recipe

if typing.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What other programs call it.
_ELSEWHERE = {
    "lr": "optimiser.learning_rate",
    "batch_size": "batch.size",
    "patch_size": "batch.patch",
    "crop_size": "batch.patch",
    "epochs": "schedule.steps",
    "iterations": "schedule.steps",
    "max_steps": "schedule.steps",
    "gpus": "engine.devices",
    "num_nodes": "engine.nodes",
    "data_dir": "data.folder",
    "losses": "loss",
}
#: Said in words instead of as a regular expression.
_FORMS = {
    "name": "a name of letters, digits and any of . _ + - without spaces",
    "weights_sha256": "8 to 64 digits of a SHA-256, 0-9 and a-f",
}
#: pydantic's kinds of faults that are about the value's kind, not about its size.
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "path": "a path",
    "tuple": "a list",
    "list": "a list",
    "dict": "settings by name",
    "model": "settings by name",
}


def sentence(error: ValidationError, content: Any, source: str, overrides: Sequence[str]) -> str:
    """The first fault, and how many others there are.

    Parameters
    ----------
    error : ValidationError
        Of :class:`Recipe`.
    content : dict
        What was validated.
    source : str
        The file, or the recipe by name.
    overrides : sequence of str
        ``KEY=VALUE``: the fault is said to be theirs where one of them set it.
    """
    grouped: dict[tuple, list[dict]] = {}
    for fault in error.errors(include_url=False):
        grouped.setdefault(_place(fault["loc"]), []).append(fault)
    # a list that is invalid because an item is: the item says it
    grouped = {
        place: found
        for place, found in grouped.items()
        if not any(place == other[: len(place)] for other in grouped if other != place)
    }
    # an unknown name is often why a known one is missing: it goes first
    unknown = [loc for loc, found in grouped.items() if found[0]["type"] == "extra_forbidden"]
    place = (unknown or list(grouped))[0]
    where = source
    for override in overrides:
        key = override.partition("=")[0].strip()
        dotted = _dotted(place)
        if key == dotted or key.startswith(f"{dotted}.") or dotted.startswith(f"{key}."):
            where = f"--set {override}"
    others = len(grouped) - 1
    more = f" ({others} more {'is' if others == 1 else 'are'} wrong)" if others else ""
    text = _fault(place, grouped[place], content)
    end = text[-1] if text[-1] in "?." else "."
    return f"{where}: {text.removesuffix(end)}{more}{end}"


def _place(loc: tuple) -> tuple:
    """The fault's place without the branches of unions that pydantic puts at its end."""
    place, model = [], Recipe
    for part in loc:
        if isinstance(part, int):
            place.append(part)
            continue
        if model is None or not isinstance(part, str):
            break
        place.append(part)
        field = model.model_fields.get(part)
        model = next(filter(is_settings, leaves(field.annotation)), None) if field else None
        if field is not None and _number_or_pair(field.annotation):
            break  # the branches of a union: said as a whole
    return tuple(place)


def _number_or_pair(annotation: Any) -> bool:
    inner = typing.get_args(annotation)
    return float in inner and any(typing.get_origin(kind) is tuple for kind in inner)


def _fault(place: tuple, found: list[dict], content: Any) -> str:
    fault = found[0]
    dotted = _dotted(place)
    if fault["type"] == "extra_forbidden":
        return f"{dotted}: there is no such setting; {_nearest(place)}"
    if fault["type"] == "missing" and isinstance(place[-1], int):
        short = place[:-1]
        return f"{_dotted(short)}: expected more values, found {shown(_value(content, short))}"
    if fault["type"] == "missing":
        return f"{dotted} is missing: expected {_expected(place, found)}"
    if fault["type"] == "value_error":
        problem = str(fault["ctx"]["error"])
        return f"{dotted}: {problem}" if dotted else problem
    value = _value(content, place)
    text = f"{dotted}: expected {_expected(place, found)}, found {shown(value)}"
    options = _options(fault)
    near = difflib.get_close_matches(str(value), options, n=1, cutoff=0.5)
    return f"{text}; did you mean {near[0]}?" if near else text


def _nearest(place: tuple) -> str:
    """A hint: the nearest name here, or where a setting of just this name is."""
    *above, name = place
    if name in _ELSEWHERE:
        return f"did you mean {_ELSEWHERE[name]}?"
    model = _model_at(tuple(above))
    known = list(model.model_fields) if model else []
    elsewhere = [path for path in _all_names(Recipe) if path.split(".")[-1] == name]
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.75) or elsewhere[:1]
    near = near or difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    if not near:
        return f"there are {', '.join(known)}"
    prefix = _dotted(tuple(above))
    full = near[0] if near[0] in elsewhere or not prefix else f"{prefix}.{near[0]}"
    return f"did you mean {full}?"


def _all_names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        for inner in filter(is_settings, leaves(field.annotation)):
            index = "0." if "tuple" in _words(field.annotation) else ""
            yield from _all_names(inner, f"{prefix}{name}.{index}")


def _model_at(place: tuple) -> type[BaseModel] | None:
    model = Recipe
    for part in place:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if model else None
        model = next(filter(is_settings, leaves(field.annotation)), None) if field else None
    return model


def _field_at(place: Sequence) -> Any:
    names = [part for part in place if not isinstance(part, int) and not str(part).isdigit()]
    model = _model_at(tuple(names[:-1])) if names else None
    return model.model_fields.get(names[-1]) if model else None


def takes_text(place: Sequence[str]) -> bool:
    """Whether the setting of this name is text or a path and nothing else."""
    field = _field_at(place)
    kinds = set(leaves(field.annotation)) - {type(None)} if field else set()
    return bool(kinds) and kinds <= {str, Path, Ellipsis}


def _expected(place: tuple, found: list[dict]) -> str:
    fault = found[0]
    context = fault.get("ctx", {})
    kind = fault["type"]
    field = _field_at(place)
    if field is not None and _number_or_pair(field.annotation):
        return "a number, or a pair [least, highest]"
    if kind == "string_pattern_mismatch":
        return _FORMS.get(str(place[-1]), context["pattern"])
    limits = {
        "greater_than": "a number above {gt:g}",
        "greater_than_equal": "a number of {ge:g} or more",
        "less_than": "a number below {lt:g}",
        "less_than_equal": "a number of {le:g} or less",
        "too_short": "{min_length} or more of them",
        "too_long": "{max_length} values at most",
    }
    if kind in limits:
        return limits[kind].format(**context)
    options = _options(fault)
    if options:
        return f"one of {', '.join(options)}"
    if kind == "missing":
        if field is not None:
            literal = [o for o in leaves(field.annotation) if isinstance(o, str)]
            settings = next(filter(is_settings, leaves(field.annotation)), None)
            if literal:
                return f"one of {', '.join(literal)}"
            if settings:
                return f"settings such as {', '.join(list(settings.model_fields)[:2])}"
        if field is not None and Path in leaves(field.annotation):
            return "a path"
        return "a value"
    for start, words in _KINDS.items():
        if kind.startswith(start):
            return words
    return fault["msg"][:1].lower() + fault["msg"][1:]


def _options(fault: dict) -> list[str]:
    """What a setting may be, from pydantic's ``'a', 'b' or 'c'``."""
    if fault["type"] != "literal_error":
        return []
    text = str(fault["ctx"]["expected"]).replace(" or ", ", ")
    return [option.strip().strip("'") for option in text.split(", ")]


def _value(content: Any, place: tuple) -> Any:
    for part in place:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return None
    return content


def _dotted(place: tuple) -> str:
    return ".".join(str(part) for part in place)


def shown(value: Any) -> str:
    """A value in a sentence: as YAML would have it, and not too long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = " ".join(str(value).split())
    if isinstance(value, str) and (" " in text or not text):
        text = repr(text)
    return text if len(text) <= 60 else f"{text[:59]}…"


def yaml_problem(error: Exception) -> str:
    """What a YAML parser stumbled over, and where."""
    problem = getattr(error, "problem", None) or "it is nested too deeply"
    mark = getattr(error, "problem_mark", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"it is not a YAML file of settings ({problem}{place})"


def is_settings(kind: Any) -> bool:
    """Whether an annotation's leaf is a group of settings."""
    return inspect.isclass(kind) and issubclass(kind, BaseModel)


def leaves(annotation: Any) -> list[Any]:
    """The kinds an annotation is made of, and the values of its literals."""
    if annotation is None:
        return []
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Annotated:
        inner = inner[:1]
    return [leaf for part in inner for leaf in leaves(part)] if inner else [annotation]


def _words(annotation: Any) -> str:
    return str(annotation)
