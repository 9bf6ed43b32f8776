"""The one walk over a recipe's fields: for its errors, its overrides and its form."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from napari_hsr.training.recipe.schema import Recipe

if typing.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic.fields import FieldInfo

#: Field names from the recipe down to a value, with the indices of list items between them.
FieldPath = tuple[str | int, ...]


def dotted(path: FieldPath) -> str:
    """A path as users write it: ``loss.0.weight``."""
    return ".".join(map(str, path))


def members(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of, itself first; literals are not taken apart."""
    yield annotation
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is not Literal:
        for kind in inner[:1] if origin is typing.Annotated else inner:
            yield from members(kind)


def group_of(annotation: Any) -> type[BaseModel] | None:
    """The group of settings that a field, or an item of a list field, holds."""
    for kind in members(annotation):
        if inspect.isclass(kind) and issubclass(kind, BaseModel):
            return kind
    return None


def choices(annotation: Any) -> list[Any]:
    """The values of an annotation's literals."""
    literals = (kind for kind in members(annotation) if typing.get_origin(kind) is Literal)
    return [value for kind in literals for value in typing.get_args(kind)]


def takes_list(annotation: Any) -> bool:
    """Whether a field holds a list."""
    return any(typing.get_origin(kind) is tuple for kind in members(annotation))


def takes_number_or_range(annotation: Any) -> bool:
    """Whether a field holds a number, or a (minimum, maximum) pair to draw one from."""
    kinds = typing.get_args(annotation)
    return float in kinds and any(typing.get_origin(kind) is tuple for kind in kinds)


def takes_path(annotation: Any) -> bool:
    """Whether a field holds paths."""
    return Path in members(annotation)


def takes_only_text(annotation: Any) -> bool:
    """Whether a field, or an item of a list field, holds text or a path and nothing else."""
    leaves = {kind for kind in members(annotation) if not typing.get_args(kind)}
    plain = leaves - {type(None), Ellipsis}
    return not choices(annotation) and bool(plain) and plain <= {str, Path}


def group_at(path: FieldPath) -> type[BaseModel] | None:
    """The group of settings at a path; None if there is none."""
    group: type[BaseModel] | None = Recipe
    for name in _names(path):
        field = group.model_fields.get(name) if group else None
        group = group_of(field.annotation) if field else None
    return group


def field_at(path: FieldPath) -> FieldInfo | None:
    """The field at a path; None if there is none."""
    *above, name = _names(path) or [""]
    group = group_at(tuple(above))
    return group.model_fields.get(name) if group else None


def all_paths(group: type[BaseModel] = Recipe, above: FieldPath = ()) -> Iterator[FieldPath]:
    """The paths of all fields; those in lists as of the first item."""
    for name, field in group.model_fields.items():
        yield (*above, name)
        inner = group_of(field.annotation)
        if inner is not None:
            index = (0,) if takes_list(field.annotation) else ()
            yield from all_paths(inner, (*above, name, *index))


def mapped(content: Any, change: Callable[[FieldPath, Any], Any], path: FieldPath = ()) -> Any:
    """Nested dicts and lists with each plain value replaced by ``change(path, value)``."""
    if isinstance(content, dict):
        return {key: mapped(value, change, (*path, key)) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [mapped(value, change, (*path, index)) for index, value in enumerate(content)]
    return change(path, content)


def _names(path: FieldPath) -> list[str]:
    """The field names of a path; an override writes its indices as digits."""
    return [part for part in path if isinstance(part, str) and not part.isdigit()]
