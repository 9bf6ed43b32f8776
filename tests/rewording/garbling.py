"""Loads the package with every text in it reworded: what its code does must not change.

``python garbling.py FOLDER SCRIPT...`` runs scripts twice, each time with folders of their own and
the package loaded anew: as it is, and so that each of its strings that is prose, four words or
more, reads differently. What each script prints last is printed, line by line. Libraries are
loaded once, which takes longer than the rest.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.machinery
import io
import os
import re
import runpy
import sys
from pathlib import Path

PACKAGE = "napari_hsr"
#: From here on a string is a sentence, and not a key of a file format.
WORDS = 4
#: Long names by which other libraries, and model cards, know things: keys and no texts.
KEYS = {
    "CIE 1931 2 Degree Standard Observer",
    "CIE 1964 10 Degree Standard Observer",
    "the held-out images",
}

_TURNED = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM",
)
#: What stands for something else inside a text: fields of str.format and of %.
_FIELD = re.compile(r"(\{[^{}]*\}|%\(\w+\)[sdrfgi]|%[sdrfgi])")


def reworded(text: str) -> str:
    """The text in other letters; what is filled into it later is left alone."""
    parts = _FIELD.split(text)
    return "".join(p if _FIELD.fullmatch(p) else p.translate(_TURNED) for p in parts)


def is_prose(text: str) -> bool:
    """Whether a string reads like a sentence."""
    if text in KEYS:
        return False
    return len(re.findall(r"[A-Za-zÀ-ÿ]{2,}", text)) >= WORDS and " " in text.strip()


class Garbler(ast.NodeTransformer):
    """Rewords the strings of a module, but for docstrings and regular expressions."""

    def __init__(self) -> None:
        self.count = 0

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """A string by itself documents: it is no text that anybody is shown."""
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Patterns are not texts."""
        base = node.func.value if isinstance(node.func, ast.Attribute) else None
        if isinstance(base, ast.Name) and base.id == "re":
            return node
        return self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """An f-string is prose as a whole."""
        constants = [v for v in node.values if isinstance(v, ast.Constant)]
        if is_prose(" ".join(str(v.value) for v in constants)):
            self.count += 1
            for value in constants:
                value.value = str(value.value).translate(_TURNED)
        for value in node.values:
            if not isinstance(value, ast.Constant):
                self.visit(value)
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        """The format after the colon is none."""
        node.value = self.visit(node.value)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """One string."""
        if isinstance(node.value, str) and is_prose(node.value):
            self.count += 1
            return ast.copy_location(ast.Constant(reworded(node.value)), node)
        return node


class Loader(importlib.machinery.SourceFileLoader):
    """Compiles what the garbler makes of a file, and caches nothing."""

    reworded = 0

    def source_to_code(self, data, path, *, _optimize=-1):
        """The code of a module, its texts reworded."""
        garbler = Garbler()
        tree = garbler.visit(ast.parse(data))
        Loader.reworded += garbler.count
        return compile(tree, path, "exec", dont_inherit=True, optimize=_optimize)

    def get_code(self, fullname):
        """Never from the cache of the plain texts, nor into it."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class Finder(importlib.machinery.PathFinder):
    """Finds the modules of the package for the loader above."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        """As usual, with another loader for ours."""
        if fullname.split(".")[0] != PACKAGE:
            return None
        spec = super().find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


def run(scripts: list[str], folder: Path) -> list[str]:
    """What each of the scripts prints last, with the package loaded anew."""
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]
    lines = []
    for script in scripts:
        own = folder / Path(script).stem
        own.mkdir(parents=True)
        os.environ["NAPARI_HSR_DATA"] = str(own / "data")
        sys.argv = [script, str(own)]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            runpy.run_path(script, run_name="__main__")
        lines.append(said.getvalue().splitlines()[-1])
    return lines


if __name__ == "__main__":
    folder, *scripts = sys.argv[1:]
    plain = run(scripts, Path(folder, "plain"))
    sys.meta_path.insert(0, Finder)
    garbled = run(scripts, Path(folder, "garbled"))
    assert Loader.reworded > 100  # the finder found the package, and not what was loaded before
    print(*plain, *garbled, sep="\n")
