"""Asks what becomes of long work when napari is closed."""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from qtpy.QtCore import QEvent, QObject, Qt, QThread
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget

from napari_hsr.units import one_line
from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_hsr.widgets.common.job import Job

    #: Makes a question for a window, of what is said to be running.
    Ask = Callable[[QWidget, Any], QMessageBox]

#: What becomes of work whose panel is closed; of a file that is written without a look at whether to go on.
ENDED = "this was stopped, as its panel was closed."
GOES_ON = "this goes on although its panel was closed, and how it ends is not told."
STOP, LEAVE, CANCEL = "stop", "leave", "cancel"
_LOST = "If napari is closed now, what is not written yet is lost."
_STOPPED = "If napari is closed now, it is stopped, and what it has found is lost."
_CANCELLED = (
    "If napari is closed now, the run is stopped. A result in memory is lost; of one that is written to "
    "disk, what is finished stays, and the same run goes on with it."
)


def question(
    parent: QWidget | None, texts: tuple[str, str, str], answers: Iterable[tuple[str, str, str]]
) -> QMessageBox:
    """A question by its title, its text and what is to be known; the first answer is the default.

    Answers are STOP, LEAVE or CANCEL, which names the button, with its text and tooltip.
    """
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setTextFormat(Qt.TextFormat.PlainText)
    title, text, more = texts
    box.setWindowTitle(title)
    box.setText(text)
    box.setInformativeText(more)
    roles = QMessageBox.ButtonRole
    for key, label, tip in answers:
        role = roles.DestructiveRole if key == STOP else roles.AcceptRole
        if box.defaultButton() is not None and key == CANCEL:
            role = roles.RejectRole
        button = present(box.addButton(label, role))
        button.setObjectName(key)
        button.setAccessibleName(label)
        button.setToolTip(tip)
        if box.defaultButton() is None:
            box.setDefaultButton(button)
        if key == CANCEL:
            box.setEscapeButton(button)
    return box


def answer_of(box: QMessageBox) -> str:
    """STOP, LEAVE or CANCEL; closing the box is leaving things as they are."""
    button = box.clickedButton()
    fallback = CANCEL if any(b.objectName() == CANCEL for b in box.buttons()) else LEAVE
    return button.objectName() if button is not None else fallback


class CloseGuard(QObject):
    """Asks before the main window closes while something is running.

    Parameters
    ----------
    parent : QWidget
        The panel.
    running : callable
        Gives what is at work, or None.
    ask : callable
        ``ask(window, running)`` makes the question, which can be cancelled.
    stop : callable
        ``stop(running)`` is called where the answer is STOP, once the window closes: somebody else may
        be asked after that, and cancel.
    """

    def __init__(
        self,
        parent: QWidget,
        running: Callable[[], Any],
        ask: Ask,
        stop: Callable[[Any], object],
    ):
        super().__init__(parent)
        self._running, self.ask, self._stop = running, ask, stop
        self._box: QMessageBox | None = None  # the question that is open
        self._over = False
        self._agreed: Any = None  # what is to be stopped, once the window closes
        # Weak: a panel that Python keeps for a while must not keep the whole viewer.
        self._window: Callable[[], QWidget | None] = lambda: None

    @property
    def window(self) -> QWidget | None:
        """The main window that is watched."""
        return self._window()

    def watch(self, panel: QWidget) -> None:
        """Watch the main window that the panel is in now."""
        window = main_window(panel)
        if window is not self.window:
            self.leave()
            if window is not None:
                self._window = weakref.ref(window)
                window.installEventFilter(self)

    def leave(self) -> None:
        """Watch no window: one that stays must not call what is being collected."""
        self._stop_agreed()  # the panel goes first, with the window behind it
        before, self._window = self.window, lambda: None
        if before is not None:
            with suppress(RuntimeError):  # it was deleted
                before.removeEventFilter(self)

    def end(self) -> None:
        """Ask no more. A question that is open is withdrawn, and napari stays: what it was of is there now."""
        self.leave()
        self._over = True
        if self._box is None:
            self.deleteLater()
        else:  # it is called while that is asked: it must not be deleted in it
            self._box.reject()

    def eventFilter(self, watched, event) -> bool:  # noqa: N802 - Qt's name
        """Hold the closing up until there is an answer; scripts are not asked."""
        window = self.window
        if window is None or watched is not window:
            return False
        if event.type() == QEvent.Type.Hide and not event.spontaneous():  # not iconified
            self._stop_agreed()
        if event.type() != QEvent.Type.Close:
            return False
        self._agreed = None  # the last time somebody else cancelled
        running = self._running()
        if running is None or present(QThread.currentThread()).loopLevel() == 0:
            return False
        box = self._box = self.ask(window, running)
        box.exec()
        answer, self._box = answer_of(box), None
        box.deleteLater()
        if self._over:
            self.deleteLater()
        if answer == CANCEL:
            event.ignore()
            return True
        if answer == STOP:
            self._agreed = running
        return False

    def _stop_agreed(self) -> None:
        agreed, self._agreed = self._agreed, None
        if agreed is not None:
            self._stop(agreed)


def saving_question(parent: QWidget | None, what: str) -> QMessageBox:
    """The question whether napari is closed while something is being written, such as ``"Saving scan.h5"``."""
    return question(
        parent,
        ("Files are being written", f"{one_line(what, 200)}: this is not finished yet.", _LOST),
        (
            (CANCEL, "Cancel", "Stay in napari until it is written"),
            (LEAVE, "Close without it", "What is not written yet is lost"),
        ),
    )


def running_question(parent: QWidget | None, what: str) -> QMessageBox:
    """The question whether napari is closed during a run, such as ``"Reconstruct leaf"``."""
    return question(
        parent,
        ("A run is under way", f"{one_line(what, 200)}: this is not finished yet.", _CANCELLED),
        (
            (CANCEL, "Cancel", "Stay in napari until it is finished"),
            (STOP, "Stop the run", "And close napari"),
        ),
    )


def computing_question(parent: QWidget | None, what: str) -> QMessageBox:
    """The question whether napari is closed while something is computed in memory, such as ``"Maps of leaf"``."""
    return question(
        parent,
        ("A run is under way", f"{one_line(what, 200)}: this is not finished yet.", _STOPPED),
        (
            (CANCEL, "Cancel", "Stay in napari until it is finished"),
            (STOP, "Stop it", "And close napari"),
        ),
    )


def ask_while(job: Job, panel: QWidget, what: str, ask: Ask) -> None:
    """Ask before napari is closed while a job runs, whose outcome would be lost without a word.

    The job must have begun: where the window is its parent, it ends with it once nobody asks.
    """
    guard = CloseGuard(panel, lambda: what if job.running else None, ask, lambda _what: None)
    guard.watch(panel)
    job.ended.connect(guard.end)


def tell_end(what: str, ends: str = ENDED) -> None:
    """Tell what becomes of work, such as ``"Reconstruct leaf"``, whose panel was closed."""
    from napari.utils.notifications import show_warning

    show_warning(one_line(f"{what}: {ends}", 500))


def main_window(panel: QWidget) -> QWidget | None:
    """The window that the panel's dock belongs to, also while the dock floats."""
    found, part = None, cast("QWidget | None", panel)
    while part is not None:
        found = part if isinstance(part, QMainWindow) else found
        part = part.parentWidget()
    return found
