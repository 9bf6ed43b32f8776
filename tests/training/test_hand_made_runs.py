"""Run folders are input: what does not fit is left out, and other runs go on."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from napari_hsr.notices import Code
from napari_hsr.training.events import LONGEST_LINE, Began, Noticed, Step, from_json, to_json
from napari_hsr.training.runs import run_folder
from napari_hsr.training.runs.run_folder import (
    EVENTS,
    STATE,
    Follower,
    State,
    last_event,
    read_state,
    write_state,
)

GOOD = State("running", pid=7, step=3, total=9, text="x")


@pytest.mark.parametrize(("field", "value"), [
    ("pid", -7), ("pid", "x"), ("pid", 2**31), ("pid", True), ("text", 5), ("status", []),
    ("step", "3"), ("step", 2**40), ("started", "now"), ("created", 1e308), ("total", None),
    ("pid", -1), ("pid", 0), ("started", 1e29), ("started", -1e18), ("changed", None),
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


@pytest.mark.parametrize("line", [
    '{"kind": "began", "step": 0, "total": 9, "device": "c", "precision": "f", "train": 5}',
    '{"kind": "began", "step": 0, "total": 9, "device": "c", "precision": "f", "held_out": [1]}',
    '{"kind": "measured", "step": 1, "mean": {}, "images": {}, "best": "yes"}',
    '{"kind": "notice", "text": 5}',
])  # fmt: skip
def test_lists_and_answers_are_looked_at_too(line):
    assert from_json(line) is None


def test_a_figure_that_is_missing_is_what_it_is_by_default():
    found = from_json('{"kind": "finished", "directory": "", "kept": "x", "seconds": null}')
    assert found.seconds == 0.0


def test_a_line_that_no_event_has_is_left_out(tmp_path):
    text = "x" * LONGEST_LINE
    (tmp_path / EVENTS).write_text(f'{{"kind": "notice", "text": "{text}"}}\n{step()}\n')
    found = Follower(tmp_path).news()
    assert [type(event) for event in found] == [Noticed, Step]
    assert found[0].notice.code == Code.RUN_LINES_LEFT_OUT


def test_an_event_nested_without_end():
    assert from_json("[" * 100_000) is None


def test_a_long_record_is_thinned_but_for_its_end_and_what_is_rare(tmp_path):
    lines = [to_json(Began(0, 10**6, "CPU", "float32"))]
    lines += [step(step=n) for n in range(1, 50_000)]
    lines.insert(30_000, to_json(Began(7, 10**6, "CPU", "float32")))
    (tmp_path / EVENTS).write_text("\n".join(lines) + "\n")
    found = Follower(tmp_path).news()
    assert sum(isinstance(event, Began) for event in found) == 2
    steps = [event.step for event in found if isinstance(event, Step)]
    assert steps[-1] == 49_999
    assert 1_500 < len(steps) <= run_folder.MOST_LINES
    assert len(set(np.diff(steps))) == 1
    assert last_event(tmp_path).step == 49_999


def test_of_a_record_without_an_end_the_last_part_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "MOST_BYTES", 1000)
    (tmp_path / EVENTS).write_text("\n".join(step(step=n) for n in range(500)) + "\n")
    found = Follower(tmp_path).news()
    assert [event.step for event in found] == list(range(500 - len(found), 500))
    assert len(found) >= 3


def test_lines_that_are_no_events_are_told_once(tmp_path):
    follower = Follower(tmp_path)
    (tmp_path / EVENTS).write_text(step() + "\n" + "rubbish\n" * 3 + step(loss="x") + "\n")
    told, kept = follower.news()
    assert isinstance(told, Noticed)
    assert told.notice.code == Code.RUN_LINES_LEFT_OUT
    assert "4 lines" in told.notice
    assert isinstance(kept, Step)
    with (tmp_path / EVENTS).open("a") as file:
        file.write("more\n")
    assert follower.news() == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_the_place_of_a_record_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / EVENTS)
    assert Follower(tmp_path).news() == []
    os.mkfifo(tmp_path / STATE)
    assert read_state(tmp_path) is None
