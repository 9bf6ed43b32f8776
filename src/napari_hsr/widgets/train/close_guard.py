"""Asks what becomes of a running training when napari is closed."""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from qtpy.QtCore import QEvent, QObject, Qt, QThread
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget

from napari_hsr.errors import HSRError
from napari_hsr.widgets.common.plain_text import one_line
from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hsr.training.runs.processes import Run

STOP, LEAVE, CANCEL = "stop", "leave", "cancel"


def ask(parent: QWidget | None, name: str, may_cancel: bool) -> QMessageBox:
    """The question what becomes of a training; its buttons are named STOP, LEAVE and CANCEL."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("A training is running")
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(f"The training {one_line(name)} is still running.")
    box.setInformativeText(
        "It can go on without napari, and the Train panel finds it again. Or stop it after this "
        "step: everything is saved, and it can be resumed."
    )
    roles = QMessageBox.ButtonRole
    for key, text, role, tip in (
        (LEAVE, "Leave it running", roles.AcceptRole, "It goes on in a process of its own"),
        (STOP, "Stop and save", roles.DestructiveRole, "After the step under way"),
        *([(CANCEL, "Cancel", roles.RejectRole, "Stay in napari")] if may_cancel else []),
    ):
        button = present(box.addButton(text, role))
        button.setObjectName(key)
        button.setAccessibleName(text)
        button.setToolTip(tip)
        if key == LEAVE:
            box.setDefaultButton(button)
    return box


def answer_of(box: QMessageBox) -> str:
    """STOP, LEAVE or CANCEL; closing the box is leaving things as they are."""
    button = box.clickedButton()
    fallback = CANCEL if any(b.objectName() == CANCEL for b in box.buttons()) else LEAVE
    return button.objectName() if button is not None else fallback


def stop_quietly(run: Run) -> None:
    """Ask a run to stop; that it cannot be asked was said when it could be."""
    with suppress(HSRError):
        run.stop()


class CloseGuard(QObject):
    """Asks before the main window closes while a training is running.

    Parameters
    ----------
    parent : QWidget
        The panel.
    running : callable
        Gives the run that is at work, or None.
    """

    def __init__(self, parent: QWidget, running: Callable[[], Run | None]):
        super().__init__(parent)
        self._running = running
        # Weak: a panel that Python keeps for a while must not keep the whole viewer.
        self._window: Callable[[], QWidget | None] = lambda: None
        self.asks = _ask_and_wait

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
        before, self._window = self.window, lambda: None
        if before is not None:
            with suppress(RuntimeError):  # it was deleted
                before.removeEventFilter(self)

    def eventFilter(self, watched, event) -> bool:  # noqa: N802 - Qt's name
        """Hold the closing up until there is an answer; scripts are not asked."""
        window = self.window
        if event.type() != QEvent.Type.Close or window is None or watched is not window:
            return False
        run = self._running()
        if run is None or present(QThread.currentThread()).loopLevel() == 0:
            return False
        answer = self.asks(window, run.name)
        if answer == CANCEL:
            event.ignore()
            return True
        if answer == STOP:
            stop_quietly(run)
        return False


def main_window(panel: QWidget) -> QWidget | None:
    """The window that the panel's dock belongs to, also while the dock floats."""
    found, part = None, cast("QWidget | None", panel)
    while part is not None:
        found = part if isinstance(part, QMainWindow) else found
        part = part.parentWidget()
    return found


def _ask_and_wait(parent: QWidget, name: str) -> str:
    box = ask(parent, name, may_cancel=True)
    box.exec()
    answer = answer_of(box)
    box.deleteLater()
    return answer
