"""Room for one job of a panel: whatever an earlier one still says is not heard."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_hsr.widgets.common.close_guard import ENDED, ask_while, tell_end
from napari_hsr.widgets.common.job import Job, Work
from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

    from napari_hsr.widgets.common.close_guard import Ask

#: Signals of a job of which one ends it.
_ENDS = ("finished", "failed", "cancelled")


class JobSlot:
    """Runs one job at a time; starting another one drops the first.

    Parameters
    ----------
    panel : QWidget
        Which the jobs belong to.
    """

    def __init__(self, panel: QWidget):
        self._panel = panel
        self._job: Job | None = None  # the one that is heard
        self._last: Job | None = None  # the same, until its very end
        self._title = ""  # of a job whose outcome would be missed
        #: What the job that was cancelled last had finished, if it hands that over.
        self.part: object = None

    @property
    def running(self) -> bool:
        """Whether a job is under way. It no longer is when its end is announced.

        Nor when its panel was closed meanwhile, which nothing announces.
        """
        return self._job is not None and self._job.running

    @property
    def cancelling(self) -> bool:
        """Whether the job under way was asked to stop."""
        return self.running and present(self._job).cancelling

    def start(
        self, work: Work, title: str = "", *, asks: Ask | None = None, **slots: Callable[..., Any]
    ) -> None:
        """Start a job.

        Parameters
        ----------
        work, title
            As for :class:`~napari_hsr.widgets.common.job.Job`.
        asks : callable, optional
            The question before napari is closed meanwhile, where its outcome would be lost:
            :func:`~napari_hsr.widgets.common.close_guard.saving_question`, say.
        **slots : callable
            What is called by the job's signals, by their names: ``progressed``, ``finished``,
            ``failed``, ``cancelled`` and ``ended``.
        """
        self.drop()
        job = self._job = Job(work, title, self._panel)
        self._title = title if asks is not None else ""
        ended = slots.pop("ended", None)
        for name in {*_ENDS, *slots}:
            getattr(job, name).connect(partial(self._pass_on, job, name, slots.get(name)))
        job.ended.connect(partial(self._on_ended, job, ended))
        self._last = job
        job.start()
        if asks is not None:
            ask_while(job, self._panel, title, asks)

    def cancel(self) -> None:
        """Ask the job to stop, and hear what it says until it has."""
        if self._job is not None:
            self._job.cancel()

    def drop(self) -> None:
        """Ask the job to stop, and hear no more of it."""
        if self._job is not None:
            self._job.cancel()
        self._job = self._last = None

    def leave(self, ends: str = ENDED) -> None:
        """As :meth:`drop`, where the panel is closed: what becomes of work that would be missed is told.

        Parameters
        ----------
        ends : str
            What does; :data:`~napari_hsr.widgets.common.close_guard.GOES_ON` of a file that a library writes to its end.
        """
        if self._job is not None and self._title:
            tell_end(self._title, ends)
        self.drop()

    def _pass_on(self, job: Job, name: str, slot: Callable[..., Any] | None, *said: Any) -> None:
        if job is not self._job:
            return
        if name in _ENDS:
            self._job, self.part = None, job.part
        if slot is not None:
            slot(*said)

    def _on_ended(self, job: Job, slot: Callable[[], Any] | None) -> None:
        job.deleteLater()
        if job is self._last and slot is not None:
            slot()
