"""What is wrong with a recipe: which field, what was expected and what was found."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import HSRError
from napari_hsr.training.recipe import fields
from napari_hsr.training.recipe.fields import FieldPath, dotted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

#: What other programs call a field.
_OTHER_NAMES = {
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
#: Patterns in words.
_PATTERNS = {
    "name": "a name of letters, digits and any of . _ + - without spaces",
    "weights_sha256": "8 to 64 digits of a SHA-256, 0-9 and a-f",
}
#: Limits by pydantic's error types.
_LIMITS = {
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of {ge:g} or more",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of {le:g} or less",
    "finite_number": "a finite number",
    "too_short": "{min_length} or more of them",
    "too_long": "{max_length} values at most",
}
#: Types by the first word of pydantic's error types, such as ``int_parsing``.
_TYPES = {
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


class RecipeError(HSRError):
    """A recipe cannot be used.

    Attributes
    ----------
    field : str
        Dotted path of the field at fault; empty if it is the recipe as a whole.
    expected : str
        In words; empty where the message says more than that.
    found : object
        The field's value.
    """

    def __init__(self, message: str, *, field: str = "", expected: str = "", found: Any = None):
        self.field, self.expected, self.found = field, expected, found
        super().__init__(message)


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field.

    Attributes
    ----------
    path : tuple of str or int
        Empty if it is the recipe as a whole.
    problem : str
        Without the field's name and the full stop.
    suggestion : str
        The name or value that was probably meant.
    expected : str
        In words.
    found : object
        The field's value.
    missing, unknown : bool
        A field that has to be there is not; or there is no such field.
    """

    path: FieldPath
    problem: str
    suggestion: str = ""
    expected: str = ""
    found: Any = None
    missing: bool = False
    unknown: bool = False

    def sentence(self, note: str = "", *, named: bool = True) -> str:
        """The fault in one sentence, with a note in brackets at its end.

        ``named=False`` leaves out the field's name where the sentence makes sense without it.
        """
        text = self.problem
        if self.path and (named or self.missing):
            text = f"{dotted(self.path)}{' ' if self.missing else ': '}{text}"
        if self.suggestion:
            text = f"{text}; did you mean {self.suggestion}"
        return f"{text}{note}{'?' if self.suggestion else '.'}"


def faults(error: ValidationError, content: Any) -> list[Fault]:
    """One fault a field, those of unknown names first: they often explain missing ones.

    Parameters
    ----------
    error : ValidationError
        Of :class:`~napari_hsr.training.recipe.schema.Recipe`.
    content : dict
        What was validated.
    """
    by_path: dict[FieldPath, ErrorDetails] = {}
    for details in error.errors(include_url=False):
        by_path.setdefault(_field_path(details["loc"]), details)
    found = [
        _fault(path, details, content)
        for path, details in by_path.items()
        # a list that is invalid because of an item: the item's fault says it
        if not any(path == other[: len(path)] for other in by_path if other != path)
    ]
    return sorted(found, key=lambda fault: not fault.unknown)


def recipe_error(
    error: ValidationError, content: Any, source: str, overrides: Sequence[str]
) -> RecipeError:
    """The error that reports the first fault, and how many others there are.

    Parameters
    ----------
    error, content
        As of :func:`faults`.
    source : str
        The file, or the recipe by name.
    overrides : sequence of str
        ``KEY=VALUE``; one that set the field at fault is named instead of the source.
    """
    first, *others = faults(error, content)
    for override in overrides:
        if _concerns(override, first.path):
            source = f"--set {override}"
    count = len(others)
    note = f" ({count} more {'is' if count == 1 else 'are'} wrong)" if others else ""
    return RecipeError(
        f"{source}: {first.sentence(note)}",
        field=dotted(first.path),
        expected=first.expected,
        found=first.found,
    )


def _concerns(override: str, path: FieldPath) -> bool:
    """Whether an override set the field, a group that holds it, or a part of it."""
    key = tuple(override.partition("=")[0].strip().split("."))
    parts = tuple(map(str, path))
    shorter = min(len(key), len(parts))
    return shorter > 0 and key[:shorter] == parts[:shorter]


def _field_path(location: tuple[int | str, ...]) -> FieldPath:
    """Pydantic's location without the branches of unions that it appends."""
    path: FieldPath = ()
    for part in location:
        field = fields.field_at(path)
        if field is not None and fields.takes_number_or_range(field.annotation):
            break
        if isinstance(part, str) and fields.group_at(path) is None:
            break
        path = (*path, part)
    return path


def _fault(path: FieldPath, details: ErrorDetails, content: Any) -> Fault:
    kind, found = details["type"], _value_at(content, path) if path else None
    if kind == "extra_forbidden":
        suggestion = _similar_name(path)
        group = fields.group_at(path[:-1])
        known = (
            "" if suggestion or group is None else f"; there are {', '.join(group.model_fields)}"
        )
        return Fault(path, f"there is no such setting{known}", suggestion, unknown=True)
    if kind == "missing" and isinstance(path[-1], int):
        found = _value_at(content, path[:-1])
        text = f"expected more values, found {shown(found)}"
        return Fault(path[:-1], text, expected="more values", found=found)
    if kind == "value_error":
        return Fault(path, str(details["ctx"]["error"]), found=found)
    expected = _expected(path, details)
    if kind == "missing":
        return Fault(path, f"is missing: expected {expected}", expected=expected, missing=True)
    options = _options(path) if kind == "literal_error" else []
    near = difflib.get_close_matches(str(found), options, n=1, cutoff=0.5)
    text = f"expected {expected}, found {shown(found)}"
    return Fault(path, text, near[0] if near else "", expected, found)


def _similar_name(path: FieldPath) -> str:
    """The nearest name in the same group, or the path of a field of just this name."""
    *above, last = path
    name = str(last)
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    group = fields.group_at(tuple(above))
    known = list(group.model_fields) if group else []
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    if not near:
        elsewhere = next((p for p in fields.all_paths() if p[-1] == name), None)
        if elsewhere is not None:
            return dotted(elsewhere)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return dotted((*above, near[0])) if near else ""


def _expected(path: FieldPath, details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    field = fields.field_at(path)
    annotation = field.annotation if field else None
    if fields.takes_number_or_range(annotation):
        return "a number, or a pair [least, highest]"
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(str(path[-1]), str(context["pattern"]))
    if kind in _LIMITS:
        return _LIMITS[kind].format(**context)
    if kind in ("literal_error", "missing") and (options := _options(path)):
        return f"one of {', '.join(options)}"
    if kind == "missing":
        group = fields.group_of(annotation)
        if group is not None:
            return f"settings such as {', '.join(list(group.model_fields)[:2])}"
        return "a path" if fields.takes_path(annotation) else "a value"
    message = details["msg"]
    return _TYPES.get(kind.partition("_")[0], message[:1].lower() + message[1:])


def _options(path: FieldPath) -> list[str]:
    """The values that a field may have, if they are named one by one."""
    field = fields.field_at(path)
    return [str(option) for option in fields.choices(field.annotation)] if field else []


def _value_at(content: Any, path: FieldPath) -> Any:
    for part in path:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return None
    return content


def shown(value: Any) -> str:
    """A value in a sentence: as YAML would have it, and not too long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = " ".join(str(value)[:1_000].split())
    if isinstance(value, str) and (" " in text or not text):
        text = repr(text)
    return text if len(text) <= 60 else f"{text[:59]}…"


def yaml_problem(error: Exception) -> str:
    """What a YAML parser stumbled over, and where."""
    problem = getattr(error, "problem", None) or str(error)[:200]
    if isinstance(error, RecursionError):
        problem = "it is nested too deeply"
    elif isinstance(error, ValueError):  # Python's words on it advise programs
        problem = "it holds a number or a date that cannot be read"
    mark = getattr(error, "problem_mark", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"it is not a YAML file of settings ({problem}{place})"
