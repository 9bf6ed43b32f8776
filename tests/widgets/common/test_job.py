"""A job runs beside the event loop, ends in exactly one way, and leaves nothing running."""

from __future__ import annotations

import logging
import threading
import time

import pytest
from napari.utils import progress
from qtpy.QtCore import QCoreApplication, QEvent, QObject
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_hsr.errors import Cancelled, InputError
from napari_hsr.progress import Progress
from napari_hsr.widgets.common import job as job_module
from napari_hsr.widgets.common.job import Job

from ...patience import PATIENCE

#: Of slow work, each of 5 ms: it is cancelled long before the last.
STEPS = 100_000


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("napari-hsr")]


@pytest.fixture(autouse=True)
def _nothing_left_running():
    assert_soon_no_threads()  # another test may have left torch being imported
    yield
    assert_soon_no_threads()


def assert_soon_no_threads():
    """Cancelled work ends at its next step, by itself: no event loop is needed for that."""
    for thread in threads():
        thread.join(PATIENCE)
    assert not threads()


class Slow:
    """Work that goes on until it is cancelled; notes where it ran and that it was cleaned up."""

    def __init__(self, honours_cancel: bool = True):
        self.honours_cancel = honours_cancel
        self.thread = None
        self.steps = 0
        self.cleaned_up_in = None

    def __call__(self, cancel):
        self.thread = threading.current_thread()
        try:
            while self.steps < STEPS:
                if self.honours_cancel and cancel.is_set():
                    raise Cancelled
                time.sleep(0.005)
                self.steps += 1
                yield Progress(self.steps, STEPS, f"step {self.steps}")
            yield "too late"
        finally:
            self.cleaned_up_in = threading.current_thread()


class Ears:
    """Notes every signal of a job, and the thread it arrived in."""

    def __init__(self, job: Job):
        self.heard: list[tuple[str, object]] = []
        self.elsewhere: list[str] = []
        for name in ("started", "cancelled", "ended"):
            getattr(job, name).connect(lambda name=name: self.note(name))
        for name in ("progressed", "finished", "failed"):
            getattr(job, name).connect(lambda value, name=name: self.note(name, value))

    def note(self, name, value=None):
        self.heard.append((name, value))
        if threading.current_thread() is not threading.main_thread():
            self.elsewhere.append(name)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.heard if name != "progressed"]


@pytest.fixture
def panel(qtbot):
    panel = QWidget()
    qtbot.addWidget(panel)
    return panel


def test_the_result_arrives_on_the_main_thread(qtbot, panel):
    def work(cancel):
        assert threading.current_thread() is not threading.main_thread()
        for step in range(3):
            yield Progress(step, 3, "counting")
        yield "the result"

    job = Job(work, "Counting", panel)
    ears = Ears(job)
    with qtbot.waitSignal(job.ended):
        job.start()
    assert ears.names == ["started", "finished", "ended"]
    assert ("finished", "the result") in ears.heard
    assert ("progressed", Progress(2, 3, "counting")) in ears.heard
    assert not ears.elsewhere
    assert not job.running


def test_fast_events_do_not_flood_the_main_thread(qtbot, panel):
    def work(cancel):
        for step in range(5000):
            yield Progress(step + 1, 5000)
        yield "done"

    job = Job(work, "", panel)
    ears = Ears(job)
    with qtbot.waitSignal(job.ended):
        job.start()
    told = [value.done for name, value in ears.heard if name == "progressed"]
    assert told[-1] == 5000
    assert told == sorted(told)
    assert len(told) < 500


def test_a_fault_of_the_user_arrives_as_a_value_and_is_not_logged(qtbot, panel, caplog):
    def work(cancel):
        yield Progress(0, 1)
        raise InputError("The photograph is empty: shape (0, 0, 3).")

    job = Job(work, "", panel)
    ears = Ears(job)
    with qtbot.waitSignal(job.ended):
        job.start()
    assert ears.names == ["started", "failed", "ended"]
    error = dict(ears.heard)["failed"]
    assert isinstance(error, InputError)
    assert not caplog.records


def test_a_bug_arrives_as_a_value_and_is_logged_with_its_traceback(qtbot, panel, caplog):
    def work(cancel):
        raise ZeroDivisionError("a bug")  # before there is any generator

    job = Job(work, "", panel)
    ears = Ears(job)
    with qtbot.waitSignal(job.ended):
        job.start()
    assert isinstance(dict(ears.heard)["failed"], ZeroDivisionError)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize("honours_cancel", [True, False])
def test_cancel_ends_the_thread_and_cleans_up_in_it(qtbot, panel, honours_cancel):
    work = Slow(honours_cancel)
    job = Job(work, "Slow", panel)
    ears = Ears(job)
    job.start()
    qtbot.waitUntil(lambda: work.steps > 3)
    with qtbot.waitSignal(job.ended):
        job.cancel()
        assert job.cancelling
    assert ears.names == ["started", "cancelled", "ended"]
    assert work.cleaned_up_in is work.thread
    assert not work.thread.is_alive()


def test_cancel_wins_over_a_result_that_is_not_yet_delivered(qtbot, panel):
    finished = threading.Event()

    def work(cancel):
        yield "the result"
        finished.set()

    job = Job(work, "", panel)
    ears = Ears(job)
    job.start()
    assert finished.wait(PATIENCE)
    with qtbot.waitSignal(job.ended):
        job.cancel()
    assert ears.names == ["started", "cancelled", "ended"]


def test_a_job_runs_once(qtbot, panel):
    job = Job(lambda cancel: iter(["x"]), "", panel)
    with qtbot.waitSignal(job.ended):
        job.start()
        with pytest.raises(RuntimeError, match="started before"):
            job.start()
    with pytest.raises(RuntimeError, match="started before"):
        job.start()


def test_the_activity_dock_shows_it_and_lets_it_go(qtbot, panel):
    before = set(progress._all_instances)
    work = Slow()
    job = Job(work, "Reconstruct", panel)
    job.start()
    (bar,) = set(progress._all_instances) - before
    qtbot.waitUntil(lambda: bar.n > 0)
    assert bar.total == job_module.STEPS
    assert bar.desc.startswith("Reconstruct: step ")
    with qtbot.waitSignal(job.ended):
        job.cancel()
    assert set(progress._all_instances) == before


@pytest.mark.parametrize("how", ["close", "deleteLater", "undock"])
def test_the_run_ends_with_its_panel(qtbot, how):
    before = set(progress._all_instances)
    home = QWidget()
    qtbot.addWidget(home)
    panel = QWidget(home) if how == "undock" else QWidget()
    work = Slow()
    job = Job(work, "Slow", panel)
    ears = Ears(job)
    job.start()
    qtbot.waitUntil(lambda: work.steps > 3)
    if how == "undock":
        panel.setParent(None)  # what napari does when a dock widget is closed
    elif how == "close":
        panel.close()
    else:
        with qtbot.waitSignal(panel.destroyed):
            panel.deleteLater()
    assert_soon_no_threads()
    assert work.cleaned_up_in is work.thread
    heard = len(ears.heard)
    qtbot.wait(80)
    assert len(ears.heard) == heard, "a signal after the panel had gone"
    assert set(progress._all_instances) == before


def test_a_panel_that_refuses_to_be_closed_keeps_its_run(qtbot):
    class Stubborn(QWidget):
        stays = True

        def closeEvent(self, event):  # noqa: N802 - Qt's name
            event.setAccepted(not self.stays)

    panel, work = Stubborn(), Slow()
    qtbot.addWidget(panel)
    panel.show()
    job = Job(work, "Slow", panel)
    job.start()
    assert not panel.close()
    assert job.running
    assert not job.cancelling
    panel.stays = False
    assert panel.close()
    assert not job.running
    assert_soon_no_threads()


def test_the_parent_of_a_run_may_be_no_widget(qtbot):
    parent, work = QObject(), Slow()
    job = Job(work, "Slow", parent)
    job.start()
    parent.startTimer(0)  # events that are none of a window's
    qtbot.waitUntil(lambda: work.steps > 3)
    with qtbot.waitSignal(job.ended):
        job.cancel()


def test_the_run_ends_when_an_ancestor_is_deleted(qtbot):
    window = QWidget()
    QVBoxLayout(window).addWidget(panel := QWidget())
    work = Slow()
    Job(work, "Slow", panel).start()
    qtbot.waitUntil(lambda: work.steps > 3)
    with qtbot.waitSignal(window.destroyed):
        window.deleteLater()
    assert_soon_no_threads()


def test_stopping_is_bounded_even_if_the_work_does_not_listen(qtbot, panel, caplog):
    release = threading.Event()

    def deaf(cancel):
        release.wait(PATIENCE)
        yield "never wanted"

    job = Job(deaf, "Deaf", panel)
    ears = Ears(job)
    job.start()
    assert not job.stop(seconds=0.1)
    assert threads()  # it was not waited for to the end
    assert "has not stopped" in caplog.text
    release.set()
    qtbot.waitUntil(lambda: not threads())
    qtbot.wait(60)
    assert ears.names == ["started"]


def test_closing_the_viewer_in_mid_run_leaves_nothing(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    panel = QWidget()
    viewer.window.add_dock_widget(panel, name="panel")
    work = Slow()
    Job(work, "Slow", panel).start()
    qtbot.waitUntil(lambda: work.steps > 3)
    with qtbot.waitSignal(panel.destroyed):
        viewer.close()
    assert_soon_no_threads()
    assert work.cleaned_up_in is work.thread


def test_closing_the_dock_in_mid_run_leaves_nothing(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    panel = QWidget()
    dock = viewer.window.add_dock_widget(panel, name="panel")
    work = Slow()
    Job(work, "Slow", panel).start()
    qtbot.waitUntil(lambda: work.steps > 3)
    dock.destroyOnClose()  # what the x in the title bar calls
    assert_soon_no_threads()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 9 GB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_lack_of_memory_is_a_sentence_and_no_fault(qtbot, caplog, error):
    def work(_cancel):
        yield Progress(0, 2)
        raise error

    job = Job(work)
    told = []
    job.failed.connect(told.append)
    with qtbot.waitSignal(job.ended):
        job.start()
    assert isinstance(told[0], InputError)
    assert "not enough memory" in str(told[0])
    assert not caplog.records


class Note(Progress):
    """Progress that must be heard of."""

    lasting = True


@pytest.mark.parametrize("where", ["description", "lasting", "closing"])
def test_a_panel_deleted_while_news_are_given_hears_no_more(qtbot, monkeypatch, where):
    """napari's dock and every slot may run the event loop, in which a closed window is deleted."""
    before = set(progress._all_instances)
    panel = QWidget()

    def work(cancel):
        yield Note(1, 3, "one")
        yield Note(2, 3, "two")
        yield "done"

    job = Job(work, "Deleted", panel)
    heard: list[str] = []
    deleted: list[bool] = []

    def delete(*_args):
        if not deleted:
            deleted.append(True)
            panel.deleteLater()
            QCoreApplication.sendPostedEvents(panel, QEvent.Type.DeferredDelete)

    job.start()
    run = job._run
    bar = run._activity
    for name, of in (("set_description", "description"), ("close", "closing")):
        if where == of:
            known = getattr(bar, name)
            monkeypatch.setattr(
                bar, name, lambda *a, known=known: (delete(), known(*a)), raising=True
            )
    if where == "lasting":
        job.progressed.connect(delete)
    job.progressed.connect(lambda _p: heard.append("progressed") if deleted else None)
    job.finished.connect(lambda _r: heard.append("finished"))
    job.ended.connect(lambda: heard.append("ended"))
    with qtbot.captureExceptions() as faults:
        qtbot.waitUntil(lambda: bool(deleted))
        qtbot.wait(60)
    assert not faults
    assert "finished" not in heard
    assert "ended" not in heard
    monkeypatch.undo()
    assert_soon_no_threads()
    assert set(progress._all_instances) == before
