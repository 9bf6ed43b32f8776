"""Save session… and Open session…, and a session that is dropped on the canvas."""

from __future__ import annotations

from functools import partial
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_hsr.errors import FileError, HSRError
from napari_hsr.units import format_bytes, one_line
from napari_hsr.viewer.contributions import NOTHING, read_layers
from napari_hsr.viewer.layer_data import unwrapped
from napari_hsr.viewer.session_file import SUFFIX
from napari_hsr.viewer.session_opening import open_events, show
from napari_hsr.viewer.session_saving import plan, save_events
from napari_hsr.viewer.unreadable import telling
from napari_hsr.widgets.common.close_guard import ask_while, saving_question
from napari_hsr.widgets.common.job import Job
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.save_dialog import ask_path
from napari_hsr.widgets.session.settings import files_of_panels, open_panels, restore_panels

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    import napari
    from qtpy.QtWidgets import QMainWindow, QWidget

    from napari_hsr.viewer.session_opening import Opened
    from napari_hsr.viewer.session_saving import Plan

KINDS = f"Session of napari-hsr (*{SUFFIX})"
#: Names of the buttons that answer a question.
YES, NO = "yes", "no"
#: Sentences of a notification at most, the rest is counted there; and of the box that lists them.
_MOST_TOLD, _MOST_LISTED = 6, 1_000


def save_session(viewer: napari.Viewer) -> None:
    """Ask for a file, and for what to do with layers that no file holds."""
    viewer = unwrapped(viewer)
    window = _window(viewer)
    made = plan(viewer, open_panels(viewer), files_of_panels(viewer))
    if made.without_file:
        beside = ask_beside(window, made)
        if beside is None:
            return
        if not beside:
            made.leave_out()
    path = ask_path(window, "Save session", f"session{SUFFIX}", KINDS)
    if path is not None:
        save_to(viewer, made, path)


def save_to(viewer: napari.Viewer, made: Plan, path: Path) -> Job:
    """Write a session in a thread, and say how it went."""

    def saved(done: Plan) -> None:
        said = f"The session was saved{_without(done.lost)} as {path.name}."
        _tell(_window(viewer), said, done.told)

    title = f"Saving {path.name}"
    job = _start(viewer, partial(save_events, made, path), title, saved)
    ask_while(job, _window(viewer), title, saving_question)
    return job


def ask_beside(window: QMainWindow, made: Plan) -> bool | None:
    """Whether layers without a file are written beside the session; None to cancel."""
    return _answer(beside_box(window, made))


def beside_box(window: QWidget | None, made: Plan) -> QMessageBox:
    """The question; its answers are named as :func:`_answer` reads them."""
    names = ", ".join(f"“{record.name}”" for record in made.without_file)
    box = QMessageBox(QMessageBox.Icon.Question, "Save session", "", parent=window)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(one_line(f"No file holds {names}.", 500))
    box.setInformativeText(
        f"It can be written into a folder beside the session ({format_bytes(made.size())}), or left "
        "out. To keep it elsewhere, cancel and save it first (File ▸ Save Selected Layers…)."
    )
    roles = QMessageBox.ButtonRole
    _add(box, "Write beside", roles.AcceptRole, YES, "Into a folder named after the session")
    _add(box, "Leave out", roles.DestructiveRole, NO, "The session is saved without them")
    _add(box, "Cancel", roles.RejectRole, "", "Save nothing")
    return box


def _add(box: QMessageBox, text: str, role: QMessageBox.ButtonRole, name: str, tip: str) -> None:
    """Add an answer; the safe one, which is the accepting one, is the default."""
    button = present(box.addButton(text, role))
    button.setObjectName(name)
    button.setToolTip(tip)
    button.setAccessibleName(text)
    if role == QMessageBox.ButtonRole.AcceptRole:
        box.setDefaultButton(button)


def _answer(box: QMessageBox) -> bool | None:
    """True or False as the clicked button is named; None for Cancel, Esc and closing."""
    box.exec()
    chosen = box.clickedButton()
    return {YES: True, NO: False}.get("" if chosen is None else chosen.objectName())


def open_session(viewer: napari.Viewer) -> None:
    """Ask for a file and open it."""
    viewer = unwrapped(viewer)
    typed, _ = QFileDialog.getOpenFileName(_window(viewer), "Open session", "", KINDS)
    if typed:
        open_file(viewer, typed)


def open_file(viewer: napari.Viewer, path: str | PathLike[str]) -> Job | None:
    """Open a session in a thread; layers on show stay, or are closed if the user says so and any of it can be read."""
    from napari.utils.notifications import show_error

    viewer = unwrapped(viewer)
    closed = list(viewer.layers)  # not what comes while it is asked
    if closed:
        close = ask_to_close(_window(viewer), len(closed))
        if close is None:
            return None
        closed = closed if close else []

    def opened(found: Opened) -> None:
        if found.is_lost:  # nothing would be on show in place of what is
            show_error(
                _sentence(FileError(Path(path), f"nothing of it can be opened: {found.told[0]}"))
            )
            return
        for layer in closed:
            if layer in viewer.layers:
                viewer.layers.remove(layer)
        told = show(viewer, found)
        told += restore_panels(viewer, found.session.panels, found.renamed)
        _tell(_window(viewer), f"{Path(path).name}: the session is open.", told)

    title = f"Opening {Path(path).name}"
    return _start(viewer, partial(open_events, fspath(path)), title, opened)


def ask_to_close(window: QMainWindow, count: int) -> bool | None:
    """Whether the layers on show are closed before a session is opened; None to cancel."""
    return _answer(close_box(window, count))


def close_box(window: QWidget | None, count: int) -> QMessageBox:
    """The question, as :func:`beside_box` is one."""
    layers = f"{count} layer{'s' * (count != 1)}"
    box = QMessageBox(QMessageBox.Icon.Question, "Open session", "", parent=window)
    box.setText(f"Close the {layers} on show first?")
    box.setInformativeText(
        "What was not saved is lost. Kept layers lie below those of the session."
    )
    roles = QMessageBox.ButtonRole
    _add(box, "Close", roles.DestructiveRole, YES, "Close them, and open the session alone")
    _add(box, "Keep", roles.AcceptRole, NO, "Open the session above them")
    _add(box, "Cancel", roles.RejectRole, "", "Open nothing")
    return box


def get_reader(path: str | list[str]) -> Callable[[str | PathLike], list] | None:
    """What opens a session that is dropped on the canvas; for several what says that they are no stack."""
    paths = [path] if isinstance(path, str) else [fspath(one) for one in path]
    if len(paths) == 1 and paths[0].lower().endswith(SUFFIX):
        return _open_dropped
    return telling(paths, "napari-hsr.read_session", read_layers)


def _open_dropped(path: str | PathLike) -> list:
    import napari

    open_file(napari.current_viewer(), fspath(path))
    return NOTHING


def _start(viewer: napari.Viewer, work: Callable, title: str, finished: Callable) -> Job:
    from napari.utils.notifications import show_error

    job = Job(work, title, _window(viewer))
    job.finished.connect(finished)
    job.failed.connect(lambda error: show_error(_sentence(error)))
    job.ended.connect(job.deleteLater)
    job.start()
    return job


def _sentence(error: Exception) -> str:
    return one_line(error if isinstance(error, HSRError) else f"The session failed: {error!r}")


def _without(lost: list[str]) -> str:
    if not lost:
        return ""
    more = f" and {len(lost) - 2} more" if len(lost) > 2 else ""
    return f" without {' and '.join(f'“{name}”' for name in lost[:2])}{more}"


def _tell(window: QMainWindow, done: str, told: list[str]) -> None:
    from napari.utils.notifications import show_info, show_warning

    more = [f"And {len(told) - _MOST_TOLD} more."] if len(told) > _MOST_TOLD else []
    say = show_warning if told else show_info
    say("\n".join(one_line(text, 500) for text in (done, *told[:_MOST_TOLD], *more)))
    if more:
        details_box(window, done, told).open()


def details_box(window: QMainWindow, done: str, told: list[str]) -> QMessageBox:
    """A box with all that is told of a session, where that is more than a notification holds."""
    box = QMessageBox(window)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setWindowTitle("Session")
    box.setText(one_line(done, 500))
    box.setInformativeText(f"{len(told)} things are to be known of it: “Show Details…” lists them.")
    left = [f"And {len(told) - _MOST_LISTED} more."] if len(told) > _MOST_LISTED else []
    box.setDetailedText("\n".join(one_line(text, 500) for text in (*told[:_MOST_LISTED], *left)))
    box.addButton(QMessageBox.StandardButton.Close)
    return box


def _window(viewer: napari.Viewer) -> QMainWindow:
    return viewer.window._qt_window
