"""Closing napari while something is being saved."""

from __future__ import annotations

import threading

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMainWindow, QWidget

from napari_hsr.progress import Progress
from napari_hsr.widgets.common.close_guard import (
    CANCEL,
    LEAVE,
    STOP,
    CloseGuard,
    computing_question,
    running_question,
    saving_question,
)
from napari_hsr.widgets.common.job_slot import JobSlot

from ...patience import PATIENCE


def test_closing_napari_during_a_run_asks_and_stops_it(qtbot):
    window, begun = QMainWindow(), threading.Event()
    qtbot.addWidget(window)
    stopped = []

    def work(cancel):
        begun.set()
        cancel.wait(PATIENCE)
        stopped.append(cancel.is_set())
        yield "part"

    jobs, finished = JobSlot(window), []
    jobs.start(work, "Reconstruct leaf", asks=running_question, finished=finished.append)
    qtbot.waitUntil(begun.is_set)
    answers, texts, done = [CANCEL, STOP], [], []
    timer = QTimer(window)

    def answer():
        box = QApplication.activeModalWidget()
        if box is not None:
            texts.append(box.text())
            next(b for b in box.buttons() if b.objectName() == answers[len(texts) - 1]).click()

    timer.timeout.connect(answer)
    timer.start(10)
    for count in (1, 2):
        QTimer.singleShot(0, lambda: done.append(window.close()))  # inside an event loop
        qtbot.waitUntil(lambda count=count: len(done) == count)
    timer.stop()
    assert done == [False, True]
    assert texts == ["Reconstruct leaf: this is not finished yet."] * 2
    qtbot.waitUntil(lambda: stopped == [True])
    assert not jobs.running
    assert finished == []


def test_a_question_is_withdrawn_once_the_run_is_finished(qtbot):
    window, release = QMainWindow(), threading.Event()
    qtbot.addWidget(window)
    jobs, found, done = JobSlot(window), [], []

    def work(_cancel):
        release.wait(PATIENCE)
        yield "cube"

    timer = QTimer(window)
    timer.timeout.connect(lambda: QApplication.activeModalWidget() and release.set())
    timer.start(10)
    jobs.start(work, "Maps of leaf", asks=computing_question, finished=found.append)
    QTimer.singleShot(0, lambda: done.append(window.close()))  # inside an event loop
    qtbot.waitUntil(lambda: bool(done))
    timer.stop()
    assert (done, found) == ([False], ["cube"])
    qtbot.waitUntil(lambda: not window.findChildren(CloseGuard))


def test_closing_napari_while_something_is_written_asks(qtbot):
    window, release = QMainWindow(), threading.Event()
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()

    def work(cancel):
        while not release.wait(0.005) and not cancel.is_set():
            yield Progress(0, 1)
        yield "written"

    jobs = JobSlot(window)
    asked, answers, done = [], [CANCEL, LEAVE], []

    def answer():
        box = QApplication.activeModalWidget()
        if box is not None:
            asked.append(box.text())
            next(b for b in box.buttons() if b.objectName() == answers[len(asked) - 1]).click()

    timer = QTimer(window)
    timer.timeout.connect(answer)
    timer.start(10)

    def close():
        QTimer.singleShot(0, lambda: done.append(window.close()))  # inside an event loop
        count = len(done)
        qtbot.waitUntil(lambda: len(done) > count)

    jobs.start(work, "Saving leaf.h5", asks=saving_question)
    close()
    assert done == [False]
    assert jobs.running
    close()
    assert done == [False, True]
    assert asked == ["Saving leaf.h5: this is not finished yet."] * 2
    assert not jobs.running  # the window, to which it belongs, was closed
    window.show()
    ended = []
    jobs.start(work, "Saving leaf.h5", asks=saving_question, ended=lambda: ended.append(True))
    release.set()
    qtbot.waitUntil(lambda: bool(ended))
    close()  # nothing is written any more
    assert len(asked) == 2
    timer.stop()  # it would call what is gone once the test has ended


def test_what_is_to_be_stopped_goes_on_where_the_next_question_is_cancelled(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    stopped, done, answers = [], [], {}

    def guard(name):
        panel = QWidget(window)
        made = CloseGuard(panel, lambda: name, running_question, stopped.append)
        made.watch(panel)

    guard("asked last")
    guard("asked first")  # Qt calls the filter that came last first
    timer = QTimer(window)

    def answer():
        box = QApplication.activeModalWidget()
        if box is not None:
            given = answers[box.text().partition(":")[0]]
            next(b for b in box.buttons() if b.objectName() == given).click()

    timer.timeout.connect(answer)
    timer.start(10)
    for count, given in ((1, (STOP, CANCEL)), (2, (CANCEL, STOP)), (3, (STOP, STOP))):
        answers.update(zip(("asked first", "asked last"), given, strict=True))
        QTimer.singleShot(0, lambda: done.append(window.close()))  # inside an event loop
        qtbot.waitUntil(lambda count=count: len(done) == count)
        assert done[-1] == (count == 3)
        assert sorted(stopped) == ([] if count < 3 else ["asked first", "asked last"])
    timer.stop()
