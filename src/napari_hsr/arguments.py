"""Arguments of the wrong type, told in a sentence: one rule for all functions that users call."""

from __future__ import annotations

import ast
import numbers
from collections.abc import Iterable
from functools import wraps
from inspect import Parameter, signature
from itertools import islice
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar, cast

from napari_hsr.errors import HSRError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

#: What code raises that meets a value of a type it was not made for.
_MET = (TypeError, AttributeError, ValueError, LookupError, ArithmeticError)
#: Lists of any kind, by the names that annotations have for them.
_LISTS = ("Sequence", "Iterable", "Collection", "list", "tuple")
#: Entries of a list that are looked at.
_MOST = 1_000
_WORDS = {
    "str": "a text", "int": "a whole number", "float": "a number", "bool": "True or False",
    "None": "None", "PathLike": "a path", "Callable": "a function", "ndarray": "an array of numbers",
    "Event": "a threading.Event",
}  # fmt: skip


class ArgumentError(InputError):
    """An argument has a type that the function does not take."""


def told(function: F) -> F:
    """Let a function, or the making of a class, say in a sentence which argument has a wrong type.

    Only what failed is looked at: whatever works goes on working, and an error of arguments that are
    all of the annotated types is not touched.
    """
    if isinstance(function, type):
        function.__init__ = told(function.__init__)  # type: ignore[misc]
        return cast("F", function)

    @wraps(function)
    def called(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except _MET as error:
            if isinstance(error, HSRError) and not isinstance(error, ArgumentError):
                raise
            wrong = _wrong(function, args, named)
            if wrong is None:
                raise
            raise ArgumentError(wrong) from error

    return cast("F", called)


def _wrong(function: Callable[..., Any], args: Any, named: Any) -> str | None:
    """What is wrong with the first argument that has another type than is annotated."""
    takes = signature(function)
    try:
        given = takes.bind(*args, **named).arguments
    except TypeError:  # other arguments than there are: Python's own words are the best
        return None
    for name, value in given.items():
        one = takes.parameters[name]
        if one.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD) or name == "self":
            continue
        wanted = ast.parse(one.annotation, mode="eval").body
        parts, around = _parts(wanted), function.__globals__
        # of an alias nothing is known
        plain = all(isinstance(around.get(_name(part), type), type) for part in parts)
        if plain and not _fits(value, wanted):
            words = list(dict.fromkeys(map(_words, parts)))
            either = " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
            return f"{name} must be {either}, not {_kind(value)}."
    return None


def _parts(wanted: ast.expr) -> list[ast.expr]:
    """The alternatives of an annotation."""
    if isinstance(wanted, ast.BinOp):
        return [*_parts(wanted.left), *_parts(wanted.right)]
    return [wanted]


def _name(wanted: ast.expr) -> str:
    if isinstance(wanted, ast.Subscript):
        return _name(wanted.value)
    return wanted.attr if isinstance(wanted, ast.Attribute) else ast.unparse(wanted)


def _inside(wanted: ast.expr) -> list[ast.expr]:
    """What stands in the square brackets of an annotation."""
    inside = wanted.slice if isinstance(wanted, ast.Subscript) else None
    if isinstance(inside, ast.Tuple):
        return inside.elts
    return [] if inside is None else [inside]


def _fits(value: Any, wanted: ast.expr) -> bool:
    if isinstance(wanted, ast.BinOp):
        return any(_fits(value, part) for part in _parts(wanted))
    name, inside = _name(wanted), _inside(wanted)
    if name in _LISTS:
        return _is_list(value, name, inside)
    known: dict[str, Callable[[Any], bool]] = {
        "Any": lambda _value: True,
        "None": lambda value: value is None,
        "str": lambda value: isinstance(value, str),
        "float": _is_number,
        "int": lambda value: isinstance(value, numbers.Integral),
        "bool": lambda value: type(value).__name__.rstrip("_") == "bool",
        "PathLike": lambda value: isinstance(value, PathLike),
        "Callable": callable,
        "dict": lambda value: isinstance(value, dict),
        "Event": lambda value: hasattr(value, "is_set"),
        "Region": lambda value: isinstance(value, (str, tuple)),  # what the alias stands for
        "ndarray": _is_array,
    }
    if name in known:
        return known[name](value)
    return any(one.__name__ == name for one in type(value).__mro__)


def _is_number(value: Any) -> bool:
    if isinstance(value, numbers.Integral):
        return abs(int(value)) < 2**1023
    return isinstance(value, numbers.Real)


def _is_array(value: Any) -> bool:
    import numpy as np

    try:
        return np.asarray(value).dtype.kind in "biuf"
    except _MET:
        return False


def _is_list(value: Any, name: str, inside: list[ast.expr]) -> bool:
    if isinstance(value, (str, bytes, dict)) or not isinstance(value, Iterable):
        return False
    entries = [*islice(value, _MOST)]
    if name == "tuple" and not (len(inside) == 2 and _name(inside[1]) == "..."):
        return len(entries) == len(inside) and all(map(_fits, entries, inside))
    return not inside or all(_fits(entry, inside[0]) for entry in entries)


def _words(wanted: ast.expr) -> str:
    name, inside = _name(wanted), _inside(wanted)
    if name in _LISTS and name not in _WORDS:
        return f"{len(inside)} values in brackets" if name == "tuple" else "a list"
    return _WORDS.get(name, f"a {name}")


def _kind(value: Any) -> str:
    name = type(value).__name__
    if value is None:
        return "None"
    return f"{_WORDS[name]}" if name in ("str", "ndarray") else f"of the type {name}"
