"""What the settings of a recipe are, in the strings below them in the source."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache


@cache
def descriptions(kind: type) -> dict[str, str]:
    """The string below each field of a class, by the field's name.

    pydantic can do this by itself (``use_attribute_docstrings``), but looks for the source of each
    class anew, which takes a quarter of a second whenever a recipe is first used.
    """
    for node in _parsed(kind.__module__).body:
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
            return {
                field.target.id: inspect.cleandoc(below.value.value)
                for field, below in zip(node.body, node.body[1:], strict=False)
                if isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
                and isinstance(below.value.value, str)
            }
    return {}


@cache
def _parsed(module: str) -> ast.Module:
    try:
        return ast.parse(inspect.getsource(sys.modules[module]))
    except OSError:  # installed without its source: the settings go without help
        return ast.Module([], [])
