"""What a training would take, measured over a few steps when the user asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QWidget

from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.messages import Message

if TYPE_CHECKING:
    from napari_hsr.progress import Progress
    from napari_hsr.widgets.common.job import Work

_ASK, _CANCEL = "Estimate time and memory", "Cancel the estimate"


class Estimate(QWidget):
    """A button, and the estimate under it; a change of settings makes it out of date.

    A few steps run in a process of their own, as the training's do: the viewer stays responsive,
    and the memory is what that process took.

    Signals
    -------
    asked()
        The user wants an estimate: :meth:`begin` is to be called.
    """

    asked = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._job = JobSlot(self)
        self._for: object = None
        self.button = QPushButton(_ASK)
        self.message = Message()
        column(self.button, self.message, into=self)
        self.button.clicked.connect(self._on_clicked)

    @property
    def running(self) -> bool:
        """Whether an estimate is under way."""
        return self._job.running

    def offer(self, what: object, reason: str) -> None:
        """State what would be estimated now; an estimate of something else is forgotten.

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
            reason or "Reads the data and runs a few steps in a process of its own"
        )

    def begin(self, work: Work) -> None:
        """Run the work of an estimate, which ends with a sentence."""
        self.forget()
        self._job.start(
            work,
            "Estimating a training",
            progressed=self._on_progress,
            finished=self.message.show_info,
            failed=lambda error: self.message.show_exception(error, "Estimating the training"),
            ended=lambda: self.button.setText(_ASK),
        )
        self.button.setText(_CANCEL)

    def forget(self) -> None:
        """What was found no longer holds; what is under way is cancelled."""
        self._job.drop()
        self.button.setText(_ASK)
        self.message.clear()

    def _on_clicked(self) -> None:
        if self.running:
            self.forget()
        else:
            self.asked.emit()

    def _on_progress(self, progress: Progress) -> None:
        self.message.show_info(f"{progress.message}…")
