"""Values are looked at once, and only where that is quick."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_hsr.widgets.common import value_checks
from napari_hsr.widgets.common.value_checks import ValueChecks


@pytest.fixture
def seen():
    return []


@pytest.fixture
def one(seen):
    def look(thing, cancel):
        seen.append(thing)
        return f"{thing} is odd"

    return ValueChecks(look)


GO_ON = threading.Event()


def test_an_array_is_looked_at_once_until_it_is_forgotten(one, seen):
    array = np.zeros(3)
    assert [one.at(array, "a", GO_ON) for _ in range(3)] == ["a is odd"] * 3
    assert seen == ["a"]
    one.at(np.zeros(3), "b", GO_ON)
    assert seen == ["a", "b"]
    one.forget()
    one.at(array, "a", GO_ON)
    assert seen == ["a", "b", "a"]


def test_what_takes_long_is_left_to_the_run(one, seen, monkeypatch, tmp_path):
    assert one.at(object(), "lazy", GO_ON) is None
    stored = np.memmap(tmp_path / "x", mode="w+", shape=(3,))
    assert one.at(stored, "on disk", GO_ON) is None
    monkeypatch.setattr(value_checks, "LARGEST_CHECKED", 10)
    assert one.at(np.zeros(3), "large", GO_ON) is None
    assert not seen


def test_a_look_that_was_broken_off_is_not_remembered(one, seen):
    stopped = threading.Event()
    stopped.set()
    array = np.zeros(3)
    one.at(array, "a", stopped)
    one.at(array, "a", GO_ON)
    assert len(seen) == 2


def test_nothing_is_kept_of_arrays_that_are_gone(one):
    for _ in range(5):
        one.at(np.zeros(3), "a", GO_ON)
    one.at(np.zeros(3), "b", GO_ON)
    assert len(one._said) <= 2
