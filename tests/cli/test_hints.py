"""No command is told an option that it does not have."""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

import pytest

import napari_hsr
from napari_hsr.cli import COMMANDS, build_parser
from napari_hsr.cli.output import HINTS, hints_of, sentence
from napari_hsr.errors import Hint, HSRError, hints_worded

ROOT = Path(napari_hsr.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
#: Settings that a recipe's fault is told by come from this option alone.
OF_A_FAULT = {"--set"}
#: What a sentence names as one of a command.
NAMED = re.compile(
    r"\b(?:napari-hsr|python -m|the command line's|command line)\b|\b(?:convert --scale|predict --precision)\b"
)


def parsers(parser: argparse.ArgumentParser, name: str = "") -> dict[str, argparse.ArgumentParser]:
    """All commands with those that they have themselves, by their names."""
    found = {name: parser} if name else {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner, its in action.choices.items():
                found |= parsers(its, f"{name} {inner}".strip())
    return found


EVERY = parsers(build_parser())


def sentences(path: Path):
    """Texts of a module that are no docstrings, pieces of f-strings put together; none without "--"."""
    source = path.read_text(encoding="utf-8")
    if "--" not in source:
        return
    tree = ast.parse(source)
    inside = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inside.add(id(node.value))  # a docstring, of a module, class, function or attribute
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            constants = [p.value for p in node.values if isinstance(p, ast.Constant)]
            yield "…".join(str(value) for value in constants)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in inside
        ):
            yield node.value


def own_modules(command: str) -> set[str]:
    """The module of a command, and those of the command line that it imports, as far as they go."""
    ahead, found = [COMMANDS[command].__name__.rpartition(".")[2]], set()
    while ahead:
        module = ahead.pop()
        if module in found:
            continue
        found.add(module)
        text = (ROOT / "cli" / f"{module}.py").read_text(encoding="utf-8")
        ahead += re.findall(r"from napari_hsr\.cli\.(\w+) import", text)
    return found


@pytest.mark.parametrize("hint", Hint)
def test_every_hint_is_worded_by_an_option_that_some_command_has(hint):
    option, words = HINTS[hint]
    assert set(OPTION.findall(words)) >= {option}
    having = [name for name, parser in EVERY.items() if option in parser._option_string_actions]
    assert having
    for parser in (EVERY[name] for name in having):  # all that is named, not the first alone
        assert set(OPTION.findall(words)) <= set(parser._option_string_actions)


@pytest.mark.parametrize("command", EVERY)
def test_no_command_is_told_an_option_that_it_does_not_have(command):
    options = EVERY[command].get_default("options")
    assert options == set(EVERY[command]._option_string_actions)
    with hints_worded(hints_of(options)):
        for hint in Hint:
            told = sentence(HSRError("It is wrong.", hint=hint))
            assert set(OPTION.findall(told)) <= options
        assert set(OPTION.findall(sentence(MemoryError()))) <= options


def test_what_any_surface_may_say_names_no_option():
    # where hints are worded for Python, with what the command line has besides
    worded = {ROOT / "errors.py"}
    others = [p for p in ROOT.rglob("*.py") if "cli" not in p.relative_to(ROOT).parts]
    told = [
        (str(path.relative_to(ROOT)), text)
        for path in {*others} - worded
        for text in sentences(path)
        if not NAMED.search(text) and set(OPTION.findall(text)) - OF_A_FAULT
        if " " in text  # else of a command that is started
    ]
    assert not told


def test_what_a_command_says_names_options_of_its_own():
    told = []
    for path in (ROOT / "cli").glob("*.py"):
        commands = [name for name in COMMANDS if path.stem in own_modules(name)]
        parsed = [parser for name, parser in EVERY.items() if name.split()[0] in commands]
        options = {option for parser in parsed for option in parser._option_string_actions}
        if commands:
            texts = (text for text in sentences(path) if not NAMED.search(text))
            told += [(path.stem, t) for t in texts if set(OPTION.findall(t)) - options]
    assert not told


def test_hints_are_worded_for_python_where_no_command_runs():
    error = HSRError("It takes 2 GB.", hint=Hint.ALLOW_LARGE)
    assert str(error).startswith("It takes 2 GB. If that is meant, read(…, allow_large=True)")
    with hints_worded(hints_of({"--tile"})):
        assert str(error) == "It takes 2 GB."
