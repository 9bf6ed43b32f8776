"""The ways of the data in docs/architecture.md, each step held against the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
DOCUMENT = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
#: The most steps that each way may have.
MOST = {"photograph": 12, "cube": 15, "recipe": 40}
WAYS = [way for way in MOST if f"## The way of a {way}\n" in DOCUMENT]


def steps(way: str) -> list[str]:
    """The numbered steps of a way."""
    section = DOCUMENT.split(f"## The way of a {way}\n")[1].split("\n## ")[0]
    return re.findall(r"^\d+\. (.*)$", section, re.M)


@pytest.mark.parametrize("way", WAYS)
def test_each_step_is_where_it_is_said_to_be(way):
    found = steps(way)
    assert 5 < len(found) <= MOST[way]
    for step in found:
        file, name = re.match(r"`([\w/]+\.py)` `(\w+)`", step).groups()
        text = (CHECKOUT / "src" / "napari_hsr" / file).read_text(encoding="utf-8")
        assert re.search(rf"^(?:async )?(?:def|class) {name}\b", text, re.M), step


def test_the_ways_of_photographs_and_cubes_are_told():
    assert {"photograph", "cube"} <= set(WAYS)


def _holders() -> dict[str, str]:
    """The text of all modules of a name, and of what a package of that name holds itself."""
    found: dict[str, str] = {}
    for path in (CHECKOUT / "src" / "napari_hsr").rglob("*.py"):
        name = path.parent.name if path.stem == "__init__" else path.stem
        found[name] = found.get(name, "") + path.read_text(encoding="utf-8")
    return found


def _named(document: str) -> set[str]:
    """Names with a module before them: ``loop.run_tiles``, ``engine.loop.Fit.events``."""
    return set(re.findall(r"`([a-z_]\w*(?:\.\w+)*\.[A-Za-z_]\w*)(?:\([^`]*\))?`", document))


def _is_there(name: str, holders: dict[str, str]) -> bool:
    *before, last = name.split(".")
    if last in holders and before[-1] in {*holders, "napari_hsr"}:
        return True
    modules = [part for part in before if part in holders]
    return bool(modules) and all(
        re.search(rf"\b{part}\b", holders[modules[-1]])
        for part in (*before[before.index(modules[-1]) + 1 :], last)
    )


def test_what_is_named_with_its_module_is_in_that_module():
    holders, files = _holders(), (".json", ".jsonl", ".md", ".py", ".toml", ".yaml")
    named = {
        name
        for name in _named(DOCUMENT)
        if not name.endswith(files) and not name.startswith("sys.")
    }
    assert len(named) > 50
    assert not {name for name in named if not _is_there(name, holders)}


def test_a_name_that_is_gone_is_found():
    holders = _holders()
    assert _is_there("tiles.loop.TileJob", holders)
    assert not _is_there("result_place.Nowhere", holders)
    assert not _is_there("storing.blocks", holders)
