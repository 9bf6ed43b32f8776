"""Work that is left alone when it is cancelled."""

from __future__ import annotations

import threading

import pytest

from napari_hsr.errors import Cancelled, InputError
from napari_hsr.io.limits import allowing_large, large_allowed
from napari_hsr.progress import abandonable


def test_events_come_as_they_are_one_after_the_other():
    made = []

    def work():
        for number in range(3):
            made.append(number)
            yield number
        raise InputError("no more")

    events = abandonable(work(), threading.Event())
    assert next(events) == 0
    assert made == [0]  # nothing ahead of what was asked for
    assert next(events) == 1
    assert next(events) == 2
    with pytest.raises(InputError, match="no more"):
        next(events)


def test_what_is_allowed_here_is_allowed_there():
    with allowing_large():
        assert list(abandonable(iter([0]), None)) == [0]
        assert next(abandonable((large_allowed() for _ in "x"), None))


def test_a_cancel_is_answered_while_nothing_looks_and_closes_the_work_behind_it():
    began, go_on, closed, cancel = (threading.Event() for _ in range(4))

    def work():
        try:
            began.set()
            go_on.wait()
            yield 1
            raise AssertionError("it went on")
        finally:
            closed.set()

    threading.Thread(target=lambda: (began.wait(), cancel.set())).start()
    with pytest.raises(Cancelled):
        next(abandonable(work(), cancel))
    assert not closed.is_set()
    go_on.set()
    assert closed.wait(60)


def test_whoever_has_had_enough_ends_the_work():
    closed = threading.Event()

    def work():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    events = abandonable(work(), None)
    next(events)
    events.close()
    assert closed.wait(60)
