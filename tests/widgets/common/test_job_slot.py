"""One job at a time: an earlier one is not heard, and the end comes when nothing runs."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QWidget

from napari_hsr.errors import InputError
from napari_hsr.progress import Progress
from napari_hsr.widgets.common.close_guard import computing_question
from napari_hsr.widgets.common.job_slot import JobSlot


@pytest.fixture
def panel(qtbot):
    panel = QWidget()
    qtbot.addWidget(panel)
    return panel


@pytest.fixture
def slot(panel):
    return JobSlot(panel)


def endless(cancel):
    while not cancel.wait(0.005):
        yield Progress(0, 0)


def test_a_result_is_announced_once_nothing_runs(slot, qtbot):
    heard = []
    slot.start(
        lambda _cancel: iter([Progress(1, 2), "result"]),
        finished=lambda result: heard.append((result, slot.running)),
        ended=lambda: heard.append("ended"),
    )
    assert slot.running
    qtbot.waitUntil(lambda: "ended" in heard)
    assert heard == [("result", False), "ended"]


def test_another_job_silences_the_first(slot, qtbot):
    heard = []
    slot.start(endless, cancelled=lambda: heard.append("first"), ended=lambda: heard.append("end"))
    slot.start(lambda _cancel: iter(["second"]), finished=heard.append)
    qtbot.waitUntil(lambda: not slot.running)
    qtbot.wait(100)
    assert heard == ["second"]


def test_a_cancelled_job_says_so_and_a_dropped_one_nothing(slot, qtbot):
    heard = []
    slot.start(endless, cancelled=lambda: heard.append("cancelled"))
    slot.cancel()
    assert slot.cancelling
    qtbot.waitUntil(lambda: not slot.running)
    assert heard == ["cancelled"]
    slot.start(endless, cancelled=lambda: heard.append("dropped"))
    slot.drop()
    assert not slot.running
    qtbot.wait(100)
    assert heard == ["cancelled"]


def test_a_failure_arrives_as_a_value(slot, qtbot):
    def work(_cancel):
        yield Progress(0, 0)
        raise InputError("It does not fit.")

    heard = []
    slot.start(work, failed=lambda error: heard.append(str(error)))
    qtbot.waitUntil(lambda: not slot.running)
    assert heard == ["It does not fit."]


def test_what_ends_with_its_panel_is_told_where_it_would_be_missed(slot, qtbot, monkeypatch):
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    slot.start(endless, "Checking leaf")
    slot.leave()
    assert told == []
    slot.start(endless, "Reconstruct leaf", asks=computing_question)
    slot.leave()
    assert told == ["Reconstruct leaf: this was stopped, as its panel was closed."]
    slot.start(lambda _cancel: iter(["cube"]), "Reconstruct leaf", asks=computing_question)
    qtbot.waitUntil(lambda: not slot.running)
    slot.leave()
    assert len(told) == 1
