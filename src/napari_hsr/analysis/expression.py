"""Band arithmetic such as ``(b650 - b550) / (b650 + b550)``: parsed, never run as Python."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Characters and levels of nesting that an expression may have.
LONGEST, DEEPEST = 500, 60
#: What may be called: numbers or bands in the brackets.
FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "sqrt": (1, np.sqrt),
    "log": (1, np.log),
    "log10": (1, np.log10),
    "exp": (1, np.exp),
    "abs": (1, np.abs),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
}
_BAND = re.compile(r"\bb(\d+)\.(\d+)\b")
#: A number with a keyword of Python behind it.
_RUN_ON = re.compile(r"\b[\d.]+(?:and|else|for|if|in|is|not|or)\b")


def _divided(one: Any, other: Any) -> Any:
    return np.where(np.equal(other, 0), np.nan, np.divide(one, other))


_OPERATIONS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: _divided,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}


@dataclass(frozen=True)
class Expression:
    """A formula of bands and numbers.

    Attributes
    ----------
    text : str
        As it was written.
    names : tuple of str
        What it needs values of, each once, in their order: ``b650`` or ``b650_5`` for bands.
    """

    text: str
    names: tuple[str, ...]
    _tree: ast.expr = field(repr=False, compare=False)

    def evaluate(self, values: Mapping[str, Any]) -> np.ndarray:
        """The value, in float64; NaN where it is divided by zero or the result is not finite.

        Parameters
        ----------
        values : mapping of str to array-like
            Of each name, in shapes that fit each other.
        """
        with np.errstate(all="ignore"):
            found = np.asarray(_value(self._tree, values), dtype=np.float64)
        return np.where(np.isfinite(found), found, np.nan)


@lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """Parse a formula: numbers, names, ``+ - * / **``, brackets and :data:`FUNCTIONS`.

    What was parsed once is kept: a panel parses in the main thread and computes in another, and
    Python 3.11 may fail where two threads make syntax trees at once.

    Raises
    ------
    InputError
        If it is anything else; the sentence says what.
    """
    if len(text) > LONGEST:
        raise InputError(
            f"The formula has {len(text):,} characters; {LONGEST} are the most that are read."
        )
    if _RUN_ON.search(text):  # Python reads it, and warns
        raise _unreadable(text)
    try:
        tree = ast.parse(_BAND.sub(r"b\1_\2", text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unreadable(text) from None
    names: dict[str, None] = {}
    _check(tree, text, names, 0)
    return Expression(text, tuple(names), tree)


def _unreadable(text: str) -> InputError:
    return InputError(
        f"The formula {one_line(text, 100)!r} cannot be read; one is written as "
        "(b650 - b550) / (b650 + b550)."
    )


def _check(node: ast.AST, text: str, names: dict[str, None], depth: int) -> None:
    """Refuse whatever is not arithmetic; collect the names."""
    if depth > DEEPEST:
        raise InputError(f"The formula is nested more than {DEEPEST} deep.")
    if isinstance(node, ast.Name):
        names[node.id] = None
        return
    if isinstance(node, ast.Constant) and (type(node.value) is int or type(node.value) is float):
        if abs(node.value) > 1e300:
            raise InputError("A number in the formula is larger than 1e300.")
        return
    parts: list[ast.expr]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        parts = [node.left, node.right]
    elif isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATIONS:
        parts = [node.operand]
    elif _is_call(node):
        assert isinstance(node, ast.Call)
        parts = node.args
    else:
        power = isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor)
        parsed = _BAND.sub(r"b\1_\2", text).strip()
        piece = ast.get_source_segment(parsed, node) or parsed
        raise InputError(
            f"In the formula {one_line(text, 100)!r}, {one_line(piece, 60)!r} is not understood: "
            + (
                "powers are written as b650 ** 2."
                if power
                else f"it takes bands, numbers, + - * / **, brackets and {', '.join(FUNCTIONS)}."
            )
        )
    for part in parts:
        _check(part, text, names, depth + 1)


def _is_call(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FUNCTIONS
        and len(node.args) == FUNCTIONS[node.func.id][0]
        and not node.keywords
    )


def _value(node: ast.AST, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return np.asarray(values[node.id], dtype=np.float64)
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, (int, float))  # as checked when it was parsed
        return np.float64(node.value)
    if isinstance(node, ast.BinOp):
        return _OPERATIONS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.UnaryOp):
        return _OPERATIONS[type(node.op)](_value(node.operand, values))
    assert isinstance(node, ast.Call)  # all that _check passes
    assert isinstance(node.func, ast.Name)
    return FUNCTIONS[node.func.id][1](*(_value(part, values) for part in node.args))
