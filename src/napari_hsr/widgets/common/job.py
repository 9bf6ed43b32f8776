"""Long work in a thread, reported to the main thread as Qt signals.

The thread touches no Qt at all: it puts events into a queue that a timer empties on the
main thread. Nothing can therefore reach a widget that is gone, failures travel as values,
and a fast generator cannot flood the event loop. (napari's own workers raise a second
error when the first one fails, and do not close the generator when they are stopped.)
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, cast

from qtpy.QtCore import QCoreApplication, QEvent, QObject, QTimer, Signal

from napari_hsr.errors import Cancelled, HSRError, InputError, lacks_memory
from napari_hsr.progress import Progress
from napari_hsr.viewer.layer_data import untagged
from napari_hsr.widgets.common.connections import when_gone
from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

logger = logging.getLogger(__name__)

#: Work to be done: called in the thread with the event that asks it to stop.
Work = Callable[[threading.Event], Iterable[object]]

#: How often the main thread polls the queue, in ms.
POLL_MS = 30
#: Steps of the bar in napari's activity dock.
STEPS = 1000
#: How long the application waits for the thread on quitting, in seconds.
STOP_SECONDS = 5.0
#: What is said where the work itself does not say it better.
NO_MEMORY = (
    "There is not enough memory: close other layers or programs, or take a part of the image."
)


class Job(QObject):
    """One run of a generator of events; all signals arrive on the main thread.

    Parameters
    ----------
    work : callable
        Called in the thread as ``work(cancel)`` with a ``threading.Event``; returns an
        iterable of :class:`~napari_hsr.progress.Progress` and, last, the result. It ends
        with :class:`~napari_hsr.errors.Cancelled`, or simply ends, once ``cancel`` is set.
    title : str
        Opens the line in napari's activity dock; empty for a job that is not shown there.
    parent : QWidget
        The panel it belongs to. When the panel is closed, deleted or taken out of its dock,
        the run is cancelled and says nothing more; its thread ends at its next look at the
        cancel event. When the application quits, the thread is waited for.
    poll_ms : int
        How often it is looked for news.

    Signals
    -------
    started()
    progressed(Progress)
        The latest one; those that came in between are left out, but for lasting ones.
    finished(object), failed(Exception), cancelled()
        Exactly one of these ends the run, unless the panel is gone.
    ended()
        After any of them, when nothing is running any more.
    """

    started = Signal()
    progressed = Signal(object)
    finished = Signal(object)
    failed = Signal(object)
    cancelled = Signal()
    ended = Signal()

    def __init__(
        self, work: Work, title: str = "", parent: QObject | None = None, poll_ms: int = POLL_MS
    ):
        super().__init__(parent)
        self._run = _Run(work, title)
        self._timer = QTimer(self)
        self._timer.setInterval(poll_ms)
        self._timer.timeout.connect(self._deliver)
        # Bound to the plain object, not to this one: Qt's half is being taken down by then. For
        # the same reason nothing is waited for there: other threads would get to run Python,
        # and its garbage collector, in the middle of Qt's destructors.
        when_gone(self, self._run.leave)

    #: What was finished before a cancel, where the work hands it over (:class:`Cancelled`).
    part: object = None
    _closing = False  # the panel was asked to close, and may refuse

    @property
    def running(self) -> bool:
        """True from :meth:`start` until the end was announced."""
        return self._timer.isActive()

    @property
    def cancelling(self) -> bool:
        """True once it was asked to stop."""
        return self._run.cancel.is_set()

    def start(self) -> None:
        """Start the thread. A job runs once; starting it again is refused.

        Raises
        ------
        RuntimeError
            If it was started before.
        """
        if self._run.thread.ident is not None:
            raise RuntimeError("this job was started before; each run needs a job of its own")
        parent = self.parent()
        if parent is not None:
            parent.installEventFilter(self)
        present(QCoreApplication.instance()).aboutToQuit.connect(self.stop)
        self._run.open_activity()
        self._run.thread.start()
        self._timer.start()
        self.started.emit()

    def cancel(self) -> None:
        """Ask the work to stop; ``cancelled`` follows when it has."""
        self._run.cancel.set()

    def stop(self, seconds: float = STOP_SECONDS) -> bool:
        """Cancel, wait up to ``seconds`` for the thread, and say nothing more.

        Returns
        -------
        bool
            True if nothing is running any more. Otherwise the thread ends by itself at its
            next look at the cancel event, and its result is dropped.
        """
        self._timer.stop()
        return self._run.stop(seconds)

    def eventFilter(self, watched, event) -> bool:  # noqa: N802 - Qt's name
        """Notice that the panel was closed, or taken out of its dock (napari does not delete it).

        A dialog may refuse to be closed: it is, once it is hidden.
        """
        panel = self.parent()
        if panel is not None and watched is panel and self.running:
            kind = event.type()
            if kind == QEvent.Type.Close:
                self._closing = True
            elif kind == QEvent.Type.Paint:  # it is still there
                self._closing = False
            closed = self._closing and (
                kind == QEvent.Type.Hide or not cast("QWidget", panel).isVisible()
            )
            orphaned = kind == QEvent.Type.ParentChange and panel.parent() is None
            if closed or orphaned:
                self.stop(seconds=0)
        return False

    @property
    def _silent(self) -> bool:
        """True once it was stopped or deleted: it says nothing more, and Qt's half may not be there."""
        return self._run.gone or not self.running

    def _deliver(self) -> None:
        # napari's dock and every slot may let the event loop run, and the panel be deleted in it:
        # after each of them it is asked whether there is still something to speak with.
        run = self._run
        news = run.news()
        *earlier, last = [None, *(e for e in news if isinstance(e, Progress))]
        for progress in [one for one in earlier if one is not None and one.lasting]:
            if self._silent:
                return
            self.progressed.emit(progress)
        if last is not None and not self._silent:
            run.show_activity(last)
            if not self._silent:
                self.progressed.emit(last)
        end = next((e for e in news if isinstance(e, _End)), None)
        if end is None or self._silent:
            return
        self._timer.stop()
        was_cancelled = self.cancelling
        run.stop(STOP_SECONDS)
        if run.gone:
            return
        if was_cancelled or isinstance(end.error, Cancelled):
            self.part = getattr(end.error, "part", None)
            self.cancelled.emit()
        elif end.error is not None:
            self.failed.emit(end.error)
        else:
            self.finished.emit(end.result)
        if not run.gone:
            self.ended.emit()


class _End:
    """How a thread ended."""

    def __init__(self, result: object = None, error: BaseException | None = None):
        self.result = result
        self.error = error


class _Run:
    """The thread, its queue and its line in the activity dock; knows nothing of Qt objects."""

    def __init__(self, work: Work, title: str):
        self.cancel = threading.Event()
        #: True once the job's Qt half is gone.
        self.gone = False
        self._title = title
        self._mail: SimpleQueue = SimpleQueue()
        self._activity = None
        # Not a daemon: should a step outlast the wait in stop(), the process lets it
        # finish rather than tearing torch down under its feet.
        self.thread = threading.Thread(
            target=_carry_out, args=(work, self.cancel, self._mail), name=f"napari-hsr {title}"
        )

    def news(self) -> list[object]:
        """All events since the last call."""
        news = []
        while True:
            try:
                news.append(self._mail.get_nowait())
            except Empty:
                return news

    def open_activity(self) -> None:
        if self._title:
            from napari.utils import progress

            self._activity = progress(total=0, desc=untagged(self._title), leave=False)

    def show_activity(self, event: Progress) -> None:
        steps = STEPS if event.total else 0
        if self._activity is not None and self._activity.total != steps:
            self._activity.total = steps
        # The dock lets the event loop run, and the run may be abandoned in it: asked each time.
        if self._activity is not None:
            self._activity.update(round(STEPS * event.share) - self._activity.n)
        if self._activity is not None:
            said = f"{self._title}: {event.message}" if event.message else self._title
            self._activity.set_description(untagged(said))  # rich text in napari's dock

    def leave(self) -> None:
        """The job was deleted: cancel, and nothing is said any more."""
        self.gone = True
        self.abandon()

    def abandon(self) -> None:
        """Cancel without waiting."""
        self.cancel.set()
        activity, self._activity = self._activity, None
        if activity is not None:
            activity.close()

    def stop(self, seconds: float) -> bool:
        """Cancel and wait; True if the thread has ended."""
        self.abandon()
        if self.thread.is_alive():
            self.thread.join(seconds)
        if seconds and self.thread.is_alive():
            logger.warning("%s has not stopped within %g s.", self._title or "A job", seconds)
        return not self.thread.is_alive()


def _carry_out(work: Work, cancel: threading.Event, mail: SimpleQueue) -> None:
    """Run in the thread: pass the events on and, whatever happens, report how it ended."""
    try:
        result = _last_event(work(cancel), cancel, mail)
    except (Cancelled, HSRError) as error:
        mail.put(_End(error=error))
    except BaseException as error:
        if lacks_memory(error):  # no fault of the program
            mail.put(_End(error=InputError(NO_MEMORY)))
            return
        logger.error("A job failed in an unexpected way.", exc_info=True)
        mail.put(_End(error=error))
    else:
        mail.put(_End(result))


def _last_event(events: Iterable[object], cancel: threading.Event, mail: SimpleQueue) -> object:
    result = None
    try:
        for event in events:
            if cancel.is_set():  # also for work that does not look at the event itself
                answer = getattr(events, "throw", None)
                if answer is not None:
                    answer(Cancelled())  # a generator can hand over what is finished
                raise Cancelled
            if isinstance(event, Progress):
                mail.put(event)
            else:
                result = event
    finally:
        close = getattr(events, "close", None)  # a generator's own clean-up runs in this thread
        if close is not None:
            close()
    return result
