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
