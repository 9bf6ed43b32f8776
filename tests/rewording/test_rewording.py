"""Texts are for people: with every one of them reworded the product does the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .garbling import Garbler, is_prose, reworded

HERE = Path(__file__).resolve().parent


#: What the product does without a viewer, and what its panels do.
SCRIPTS = ("behaviour.py", "panels.py")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What each script tells in the product's words, and in others."""
    done = subprocess.run(
        [sys.executable, HERE / "garbling.py", tmp_path_factory.mktemp("rewording")]
        + [HERE / script for script in SCRIPTS],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()[-2 * len(SCRIPTS) :]]
    return dict(
        zip(SCRIPTS, zip(told[: len(SCRIPTS)], told[len(SCRIPTS) :], strict=True), strict=True)
    )


@pytest.mark.thorough
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_product_does_the_same_in_other_words(ran, script):
    plain, garbled = ran[script]
    assert plain
    assert set(plain) == set(garbled)
    different = {key: (plain[key], garbled[key]) for key in plain if plain[key] != garbled[key]}
    assert not different


@pytest.mark.parametrize(
    "text",
    ["The file gives no wavelengths.", "Computed in {used}: %s is what it was trained for."],
)
def test_texts_are_reworded_and_what_is_filled_in_is_not(text):
    assert is_prose(text)
    assert reworded(text) != text
    assert reworded(text).count("{used}") == text.count("{used}")
    assert reworded(text).count("%s") == text.count("%s")


def test_code_that_looks_for_words_is_found_out():
    import ast

    code = (
        "def said(n):\n    return f'{n} values of the file are NaN'\n"
        "def behaves(n):\n    return 'are NaN' in said(n)\n"
    )
    plain, garbled = {}, {}
    exec(compile(code, "plain", "exec"), plain)
    tree = ast.fix_missing_locations(Garbler().visit(ast.parse(code)))
    exec(compile(tree, "garbled", "exec"), garbled)
    assert plain["behaves"](3) != garbled["behaves"](3)
