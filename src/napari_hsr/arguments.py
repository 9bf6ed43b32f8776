"""Arguments of wrong types, told in a sentence: one rule for all functions that users call."""

from __future__ import annotations

import ast
import math
import numbers
from collections.abc import Generator, Iterable, Iterator, Mapping
from functools import cache, wraps
from inspect import Parameter, isgenerator, signature
from itertools import islice
from os import PathLike
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from napari_hsr.errors import HSRError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

#: What code raises that meets a value of a type it was not made for; torch has its own for it.
_MET = (TypeError, AttributeError, ValueError, LookupError, ArithmeticError, RuntimeError)
#: Lists of any kind, by the names that annotations have for them.
_ARRAYS = ("ndarray", "ArrayLike")
_LISTS = ("Sequence", "Iterable", "Collection", "list", "tuple")
#: Entries of a list that are looked at, and characters of a text that names something.
_MOST, _LONGEST = 1_000, 10_000
_WORDS = {
    "str": "a text", "int": "a whole number", "float": "a number", "bool": "True or False",
    "None": "None", "PathLike": "a path", "Path": "a path", "Callable": "a function",
    "ndarray": "an array of numbers", "ArrayLike": "an array of numbers",
    "Event": "a threading.Event", "dict": "a dictionary", "Mapping": "a dictionary",
    "Client": "a client of dask.distributed",
}  # fmt: skip
_MANY = {
    "str": "texts",
    "int": "whole numbers",
    "float": "numbers",
    "Curve": "curves",
    "Cube": "cubes",
}
#: What is passed on in this package, and how one comes by it. Things of another kind may have the
#: same attributes.
_OURS = {
    "Cube": "read(path) gives that of a file, Cube(array) that of an array",
    "Photograph": "read(path) gives that of a file, Photograph(array) that of an array",
    "PhotographStack": "read_stack(path) gives that of a film or a folder",
    "SpectralLibrary": "read_library(path) gives that of a file",
    "Wavelengths": "Wavelengths(list) makes one",
    "Curve": "pixel, region and labels of napari_hsr.spectra give those of a cube",
}
#: Other classes, of which nothing is said but their names.
_OTHERS = (
    "Camera", "Client", "Entries", "Evaluation", "Kind", "LinearCamera", "Model", "ModelCard",
    "Protocol",
)  # fmt: skip


class ArgumentError(InputError):
    """An argument has a type that the function does not take."""


def told(function: F) -> F:
    """Let a function, or a class and its methods, say in a sentence which argument has a wrong type.

    What can be told without reading or using up a value is looked at before the function begins, all
    the rest once it has failed: an array that lies on disk is not read for it. An error of arguments
    that are all as annotated is not touched. A generator is watched until it ends; what makes an object
    may convert what it is given, so that of it arrays alone are looked at before.
    """
    if isinstance(function, type):
        for name, method in [*vars(function).items()]:
            if isinstance(method, FunctionType) and (name == "__init__" or name[0] != "_"):
                setattr(function, name, told(method))
        return cast("F", function)
    making = function.__name__ == "__init__"

    @wraps(function)
    def called(*args: Any, **named: Any) -> Any:
        given = (one for one in _given(function, args, named) if not _is_left_out(function, one))
        _refuse(filter(_is_of_arrays, given) if making else given, late=False)
        try:
            result = function(*args, **named)
        except _MET as error:
            _say(error, function, args, named)
            raise
        return _watched(result, function, args, named) if isgenerator(result) else result

    return cast("F", called)


def _watched(
    events: Generator[Any, Any, Any], function: Callable[..., Any], args: Any, named: Any
) -> Generator[Any, Any, Any]:
    try:
        return (yield from events)
    except _MET as error:
        _say(error, function, args, named)
        raise


def _say(error: Exception, function: Callable[..., Any], args: Any, named: Any) -> None:
    """Raise what is wrong with the arguments instead of an error; nothing where none is known."""
    if isinstance(error, HSRError) and not isinstance(error, ArgumentError):
        return
    given = [*_given(function, args, named)]
    try:
        _refuse(given, late=True)
        # all types are right, but a value is such that hardly anything can be done with it
        strange = next(filter(None, (_strange(name, value) for name, value, _ in given)), None)
        if strange is not None:
            raise ArgumentError(strange)
    except ArgumentError as told_instead:
        raise told_instead from error


_Given = tuple[str, Any, tuple[ast.expr, ...]]


def _given(function: Callable[..., Any], args: Any, named: Any) -> Iterator[_Given]:
    """The arguments of a call: name, value, and the types they may have as far as it is known."""
    taken = _taken(function)
    for name, value in (*zip(taken, args, strict=False), *named.items()):
        if taken.get(name):
            yield name, value, taken[name]


def _is_left_out(function: Callable[..., Any], given: _Given) -> bool:
    """Whether it is None in place of a default, as callers pass on what they were not given themselves."""
    return given[1] is None and given[0] in _with_default(function)


@cache
def _with_default(function: Callable[..., Any]) -> frozenset[str]:
    every = signature(function).parameters.items()
    return frozenset(name for name, one in every if one.default is not Parameter.empty)


def _is_of_arrays(given: _Given) -> bool:
    return any(_name(one) in _ARRAYS for one in given[2])


@cache
def _taken(function: Callable[..., Any]) -> dict[str, tuple[ast.expr, ...]]:
    """The alternatives of each annotation; none where nothing is known of one."""
    found: dict[str, tuple[ast.expr, ...]] = {}
    around = getattr(function, "__globals__", {})
    for name, one in signature(function).parameters.items():
        parts: list[ast.expr] = []
        loose = one.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        if not loose and isinstance(one.annotation, str):
            parts = _parts(ast.parse(one.annotation, mode="eval").body)
        known = all(_is_known(_name(part), around) for part in parts)
        found[name] = tuple(parts) if known else ()
    return found


def _is_known(name: str, around: Mapping[str, Any]) -> bool:
    """Whether it is known what a name in an annotation stands for; of most aliases nothing is."""
    if name in (*_ARRAYS, *_LISTS, *_KNOWN, *_OURS, *_OTHERS, "Literal"):
        return True
    return isinstance(around.get(name), type)


def _refuse(given: Iterable[_Given], late: bool) -> None:
    """ArgumentError for the first argument that has another type than is annotated."""
    for name, value, alternatives in given:
        if not any(_fits(value, one, late) for one in alternatives):
            raise ArgumentError(_sentence(name, value, alternatives))
        if isinstance(value, str) and len(value) > _LONGEST:
            many = f"{_LONGEST:,} characters or fewer, not of {len(value):,}"
            raise ArgumentError(f"{name} must be a text of {many}.")


def _parts(wanted: ast.expr) -> list[ast.expr]:
    """The alternatives of an annotation."""
    if isinstance(wanted, ast.BinOp):
        return [*_parts(wanted.left), *_parts(wanted.right)]
    return [wanted]


@cache
def _name(wanted: ast.expr) -> str:
    """Asked for again with each call of a function: the same expression has the same name."""
    if isinstance(wanted, ast.Subscript):
        return _name(wanted.value)
    return wanted.attr if isinstance(wanted, ast.Attribute) else ast.unparse(wanted)


def _inside(wanted: ast.expr) -> list[ast.expr]:
    """What stands in the square brackets of an annotation."""
    inside = wanted.slice if isinstance(wanted, ast.Subscript) else None
    if isinstance(inside, ast.Tuple):
        return inside.elts
    return [] if inside is None else [inside]


def _fits(value: Any, wanted: ast.expr, late: bool) -> bool:
    """Whether a value may have the annotated type; only ``late`` is it read or used up for that."""
    if isinstance(wanted, ast.BinOp):
        return any(_fits(value, part, late) for part in _parts(wanted))
    name, inside = _name(wanted), _inside(wanted)
    if name in _LISTS:
        return _is_list(value, name, inside, late)
    if name in _ARRAYS:
        return _is_array(value, late)
    if name in ("dict", "Mapping"):
        return isinstance(value, Mapping) and all(
            _fits(part, kind, late)
            for pair in islice(value.items(), _MOST)
            for part, kind in zip(pair, inside, strict=False)
        )
    if name == "int" and isinstance(value, float) and not late:
        return value.is_integer()  # which most functions take
    if name == "Literal":  # which values there are, functions say themselves
        return type(value) in {type(ast.literal_eval(one)) for one in inside}
    if name == "Client" and not late:  # some schedulers have clients of their own
        return True
    if name in _KNOWN:
        return _KNOWN[name](value)
    if name in _OTHERS and not late:  # functions say themselves how one comes by these
        return True
    return any(one.__name__ == name for one in type(value).__mro__)


def _is_whole(value: Any) -> bool:
    if isinstance(value, numbers.Integral):
        return not isinstance(value, bool)
    return _is_single(value, "iu")


def _is_number(value: Any) -> bool:
    if isinstance(value, numbers.Integral):
        return not isinstance(value, bool) and abs(int(value)) < 2**1023
    return isinstance(value, numbers.Real) or _is_single(value, "iuf")


def _is_single(value: Any, kinds: str) -> bool:
    """Whether it is an array of NumPy without axes, which is as good as its number."""
    return getattr(value, "shape", None) == () and getattr(value.dtype, "kind", "") in [*kinds]


def _is_truth(value: Any) -> bool:
    if type(value).__name__.rstrip("_") == "bool":
        return True
    return isinstance(value, numbers.Integral) and value in (0, 1)


def _is_array(value: Any, late: bool) -> bool:
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind not in [*"biuf", ""] or value is None or isinstance(value, (str, bytes, Mapping)):
        return False
    if not late:
        return True
    import numpy as np

    try:
        return np.asarray(value).dtype.kind in "biuf"
    except _MET:
        return False


_KNOWN: dict[str, Callable[[Any], bool]] = {
    "Any": lambda _value: True,
    "object": lambda _value: True,
    "None": lambda value: value is None,
    "str": lambda value: isinstance(value, str),
    "float": _is_number,
    "int": _is_whole,
    "bool": _is_truth,
    "PathLike": lambda value: isinstance(value, PathLike),
    "Path": lambda value: isinstance(value, PathLike),
    "Callable": callable,
    "dict": lambda value: isinstance(value, Mapping),
    "Mapping": lambda value: isinstance(value, Mapping),
    "Event": lambda value: hasattr(value, "is_set"),
    "Client": lambda value: hasattr(value, "submit"),
    # what aliases stand for
    "Region": lambda value: isinstance(value, (str, tuple)),
    "Gain": lambda value: isinstance(value, str),
    "Normalise": lambda value: value is None or isinstance(value, str),
}


def _is_list(value: Any, name: str, inside: list[ast.expr], late: bool) -> bool:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        return False
    if getattr(value, "ndim", 1) != 1 or (name != "Iterable" and not hasattr(value, "__getitem__")):
        return False
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    if inside and _name(inside[0]) in ("int", "float") and kind not in [*"biuf"]:
        return False
    if isinstance(value, Iterator):
        return name == "Iterable"  # what it holds is gone once it was looked at
    if not (late or isinstance(value, (list, tuple))):
        return True
    try:
        entries = [*islice(value, _MOST)]
    except _MET:  # an array of no axes says that it is iterable
        return False
    if name == "tuple" and not (len(inside) == 2 and _name(inside[1]) == "..."):
        return len(entries) == len(inside) and all(
            _fits(entry, one, late) for entry, one in zip(entries, inside, strict=True)
        )
    return not inside or all(_fits(entry, inside[0], late) for entry in entries)


def _strange(name: str, value: Any) -> str | None:
    """What is unusual about a value of a right type, or about one in a list."""
    if isinstance(value, str):
        if "\0" in value or not value:
            return f"{name} must be a text of one character or more, and none of them NUL."
    elif isinstance(value, numbers.Integral):
        if abs(int(value)) >= 2**63:
            return f"{name} is too large: a number below 2^63 was expected."
    elif isinstance(value, numbers.Real):
        if not math.isfinite(value):
            return f"{name} must be a finite number, not {float(value)}."
    elif isinstance(value, Iterator):
        return f"{name} is {_kind(value)} that holds something else than was expected, or nothing."
    elif isinstance(value, (list, tuple)):
        inner = (one for one in value[:_MOST] if not isinstance(one, (list, tuple)))
        return next(filter(None, (_strange(name, one) for one in inner)), None)
    return None


def _sentence(name: str, value: Any, alternatives: Iterable[ast.expr]) -> str:
    words = list(dict.fromkeys(map(_words, alternatives)))
    either = " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
    hint = next((_OURS[n] for n in map(_name, alternatives) if _OURS.get(n)), "")
    return f"{name} must be {either}, not {_kind(value)}{': ' if hint else ''}{hint}."


def _words(wanted: ast.expr) -> str:
    name, inside = _name(wanted), _inside(wanted)
    if name in _LISTS:
        of_so_many = name == "tuple" and not (len(inside) == 2 and _name(inside[1]) == "...")
        what = _MANY.get(_name(inside[0]), "values") if inside else "values"
        return f"{len(inside)} {what} in brackets" if of_so_many else f"a list of {what}"
    if name == "Literal":
        return " or ".join(map(ast.unparse, inside))
    return _WORDS.get(name, f"a{'n' if name[0] in 'AEIO' else ''} {name}")


def _kind(value: Any) -> str:
    name = type(value).__name__
    if value is None:
        return "None"
    if isinstance(value, numbers.Real):
        return str(value)[:20]
    if getattr(getattr(value, "dtype", None), "kind", "f") not in [*"biuf"]:
        return f"{value.dtype} values"[:60]
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return f"{_WORDS[name]}" if name in ("str", "ndarray", "dict") else f"of the type {name[:60]}"
