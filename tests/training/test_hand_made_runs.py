"""Run folders are input: what does not fit is left out, and other runs go on."""

from __future__ import annotations

import json

import pytest

from napari_hsr.training.events import Step, from_json, to_json
from napari_hsr.training.runs.run_folder import STATE, State, read_state, write_state

GOOD = State("running", pid=7, step=3, total=9, text="x")


@pytest.mark.parametrize(("field", "value"), [
    ("pid", -7), ("pid", "x"), ("pid", 2**31), ("pid", True), ("text", 5), ("status", []),
    ("step", "3"), ("step", 2**40), ("started", "now"), ("created", 1e308), ("total", None),
])  # fmt: skip
def test_a_state_with_something_else_in_a_field_is_none(tmp_path, field, value):
    write_state(tmp_path, GOOD)
    assert read_state(tmp_path) == GOOD
    content = json.loads((tmp_path / STATE).read_text()) | {field: value}
    (tmp_path / STATE).write_text(json.dumps(content))
    assert read_state(tmp_path) is None


def test_a_state_nested_without_end(tmp_path):
    (tmp_path / STATE).write_text("[" * 100_000)
    assert read_state(tmp_path) is None


def step(**changes):
    good = Step(
        step=3, total=9, loss=0.5, terms={"l1": 0.5}, learning_rate=1e-3, images_per_second=4
    )
    return json.dumps(json.loads(to_json(good)) | changes)


@pytest.mark.parametrize("changes", [
    {"step": "3"}, {"step": 2**31}, {"loss": "x"}, {"loss": 1e308}, {"terms": [1]},
    {"terms": {"l1": "x"}}, {"step": [[]]},
])  # fmt: skip
def test_an_event_with_something_else_in_a_field_is_left_out(changes):
    assert from_json(step()) is not None
    assert from_json(step(loss=None)) is not None
    assert from_json(step(memory_bytes=80 * 10**9)) is not None
    assert from_json(step(**changes)) is None


def test_an_event_nested_without_end():
    assert from_json("[" * 100_000) is None
