"""The question what becomes of a running training when napari is closed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from napari_hsr.errors import HSRError
from napari_hsr.widgets.common.close_guard import CANCEL, LEAVE, STOP, question
from napari_hsr.widgets.common.plain_text import one_line

if TYPE_CHECKING:
    from qtpy.QtWidgets import QMessageBox, QWidget

    from napari_hsr.training.runs.processes import Run


def ask(parent: QWidget | None, name: str, may_cancel: bool) -> QMessageBox:
    """The question what becomes of a training; its buttons are named STOP, LEAVE and CANCEL."""
    texts = (
        "A training is running",
        f"The training {one_line(name)} is still running.",
        "It can go on without napari, and the Train panel finds it again. Or stop it after this "
        "step: everything is saved, and it can be resumed.",
    )
    answers = (
        (LEAVE, "Leave it running", "It goes on in a process of its own"),
        (STOP, "Stop and save", "After the step under way"),
        *([(CANCEL, "Cancel", "Stay in napari")] if may_cancel else []),
    )
    return question(parent, texts, answers)


def stop_quietly(run: Run) -> None:
    """Ask a run to stop; that it cannot be asked was said when it could be."""
    with suppress(HSRError):
        run.stop()
