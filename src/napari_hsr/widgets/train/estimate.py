"""What a training would take, tried when the user asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_hsr.widgets.common.job import Job, Work
from napari_hsr.widgets.common.messages import Message

if TYPE_CHECKING:
    from napari_hsr.progress import Progress

_ASK, _CANCEL = "Estimate time and memory", "Cancel the estimate"


class Estimate(QWidget):
    """A button, and under it what was found; other settings make it out of date.

    The few steps are taken in a process of their own, as those of the training: the viewer
    stays live, and the memory is what that process took.

    Signals
    -------
    asked()
        The user wants an estimate: :meth:`begin` is to be called.
    """

    asked = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._job: Job | None = None
        self._for: object = None
        self.button = QPushButton(_ASK)
        self.message = Message()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.button)
        column.addWidget(self.message)
        self.button.clicked.connect(self._on_clicked)

    @property
    def running(self) -> bool:
        """Whether steps are being tried."""
        return self._job is not None

    def offer(self, what: object, reason: str) -> None:
        """Say what would be estimated now; an estimate of something else is forgotten.

        Parameters
        ----------
        what : object
            Equal to that of before if nothing has changed.
        reason : str
            Why it cannot be estimated; empty if it can.
        """
        if what != self._for:
            self._for = what
            self.forget()
        self.button.setEnabled(self.running or not reason)
        self.button.setToolTip(
            reason or "Reads the data and takes a few steps, in a process of its own"
        )

    def begin(self, work: Work) -> None:
        """Do the work of an estimate, which ends with a sentence."""
        self.forget()
        job = self._job = Job(work, "Estimating a training", self)
        job.progressed.connect(lambda progress: self._on_progress(progress, job))
        job.finished.connect(lambda text: self._on_found(text, job))
        job.failed.connect(lambda error: self._on_failed(error, job))
        job.ended.connect(lambda: self._on_ended(job))
        self.button.setText(_CANCEL)
        job.start()

    def forget(self) -> None:
        """What was found holds no more; what is going on is cancelled."""
        if self._job is not None:
            self._job.cancel()
            self._job = None
        self.button.setText(_ASK)
        self.message.clear()

    def _on_clicked(self) -> None:
        if self.running:
            self.forget()
        else:
            self.asked.emit()

    def _on_progress(self, progress: Progress, job: Job) -> None:
        if job is self._job:
            self.message.show_info(f"{progress.message}…")

    def _on_found(self, text: str, job: Job) -> None:
        if job is self._job:
            self.message.show_info(text)

    def _on_failed(self, error: Exception, job: Job) -> None:
        if job is self._job:
            self.message.show_exception(error, "Estimating the training")

    def _on_ended(self, job: Job) -> None:
        job.deleteLater()
        if job is self._job:
            self._job = None
            self.button.setText(_ASK)
