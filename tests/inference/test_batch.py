from __future__ import annotations

import csv
import json
import threading

import pytest

from napari_hsr.errors import Cancelled, InputError
from napari_hsr.inference.batch.queue import (
    BatchResult,
    Outcome,
    State,
    Told,
    batch_events,
)
from napari_hsr.inference.batch.summary import summary_path, write_summary
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress, stop_if

NOTICE = Notice.warning(Code.SATURATED, "One pixel is saturated.")


class Thing:
    """An item of three steps, which may fail and calls back at each step."""

    def __init__(self, name, at_step=lambda step: None, error=None):
        self.name, self._at_step, self._error = name, at_step, error

    def events(self, cancel):
        for step in range(3):
            stop_if(cancel)
            self._at_step(step)
            yield Progress(step, 3, "Reckoning")
        yield Progress(2, 3, "Reckoning", within=0.5)
        if self._error:
            raise self._error
        yield Told(("Of this one.",), self.name)
        yield Outcome({"input": self.name, "output": f"{self.name}.h5"}, (NOTICE,))


def ended(events) -> tuple[list, BatchResult]:
    *seen, result = events
    return seen, result


@pytest.mark.parametrize("jobs", [1, 3])
def test_one_bad_item_stops_no_other(jobs):
    items = [Thing("a"), Thing("b", error=ValueError("bad")), Thing("c")]
    seen, result = ended(batch_events(items, jobs=jobs))
    assert [row.state for row in result.rows] == [State.FINISHED, State.FAILED, State.FINISHED]
    assert str(result.rows[1].error) == "bad"
    assert result.rows[0].notices == (NOTICE,)
    assert not result.cancelled
    assert sorted(event.told.about for event in seen if event.told) == ["a", "c"]
    assert (seen[-1].done, seen[-1].total) == (3, 3)
    assert {event.row.share for event in seen if event.changed == 0} >= {
        0,
        1 / 3,
        2 / 3,
        2.5 / 3,
        1,
    }


def test_several_are_under_way_at_a_time():
    together = threading.Barrier(2, timeout=30)  # broken if one waits for the other to end
    items = [Thing(name, lambda step: together.wait()) for name in "ab"]
    _, result = ended(batch_events(items, jobs=2))
    assert [row.state for row in result.rows] == [State.FINISHED] * 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_has_not_ended_is_cancelled_and_what_has_is_kept(jobs):
    cancel = threading.Event()
    waiting = jobs > 1  # for the other to end
    items = [Thing("a"), Thing("b", lambda step: cancel.wait(30) if waiting and step else None)]
    rows = []
    for event in batch_events(items, jobs=jobs, cancel=cancel):
        rows = event.rows
        if rows[0].ended:
            cancel.set()
    assert [row.state for row in rows] == [State.FINISHED, State.CANCELLED]


def test_a_paused_queue_waits_and_goes_on():
    pause, cancel, at = threading.Event(), threading.Event(), []
    pause.set()
    events = batch_events([Thing("a", at.append)], pause=pause, cancel=cancel)
    for event in events:
        if event.row.message == "Paused":
            break
    assert at == [0]
    pause.clear()
    assert [e.rows[0].state for e in events if isinstance(e, BatchResult)] == [State.FINISHED]
    assert at == [0, 1, 2]


def test_a_paused_queue_can_be_cancelled():
    pause, cancel = threading.Event(), threading.Event()
    pause.set()
    for event in batch_events([Thing("a")], pause=pause, cancel=cancel):
        if isinstance(event, BatchResult):
            assert event.cancelled
        elif event.row.message == "Paused":
            cancel.set()


def test_whoever_leaves_ends_the_work():
    left = threading.Event()
    items = [Thing("a"), Thing("b", lambda step: left.wait(30) if step else None)]
    cancel = threading.Event()
    events = batch_events(items, jobs=2, cancel=cancel)
    next(event for event in events if event.rows[0].ended)
    threading.Timer(0.01, left.set).start()
    events.close()
    assert cancel.is_set()


def test_no_jobs_at_all_are_refused():
    with pytest.raises(InputError, match="1 or more"):
        list(batch_events([Thing("a")], jobs=0))


def test_a_summary_is_a_table_of_all(tmp_path):
    items = [Thing("a"), Thing("b", error=InputError("Too small.")), Thing("c", error=Cancelled())]
    _, result = ended(batch_events(items))
    with write_summary(result, tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["finished", "failed", "cancelled"]
    assert (rows[0]["output"], rows[0]["notices"]) == ("a.h5", str(NOTICE))
    assert (rows[1]["error"], rows[1]["output"]) == ("Too small.", "")
    told = json.loads(write_summary(result, tmp_path / "all.json").read_text())
    assert [item["name"] for item in told["items"]] == ["a", "b", "c"]
    assert told["items"][0]["notices"] == [str(NOTICE)]
    assert told["cancelled"] is True
    with pytest.raises(InputError, match=r"\.csv or \.json"):
        summary_path("all.txt")


def test_names_in_a_summary_are_no_formulas_of_a_spreadsheet(tmp_path):
    names = ["=1+1", "+a", "-a", "@SUM(A1)", "-5", "plain"]
    items = [Thing(name, error=InputError(f"{name}: too small.")) for name in names]
    _, result = ended(batch_events(items))
    with write_summary(result, tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["'=1+1", "'+a", "'-a", "'@SUM(A1)", "-5", "plain"]
    assert rows[0]["error"] == "'=1+1: too small."
    assert all(float(row["seconds"]) >= 0 for row in rows)
    told = json.loads(write_summary(result, tmp_path / "all.json").read_text())
    assert [item["name"] for item in told["items"]] == names  # no spreadsheet opens it
