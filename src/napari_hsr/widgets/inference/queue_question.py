"""The questions whether napari is closed while a queue of photographs runs, or a folder is watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.units import one_line
from napari_hsr.widgets.common.close_guard import CANCEL, STOP, question

if TYPE_CHECKING:
    from qtpy.QtWidgets import QMessageBox, QWidget


def close_question(parent: QWidget | None, layers: list[Any]) -> QMessageBox:
    """The question whether napari is closed during a queue, of files where there are no layers."""
    kept = (
        "Cubes that are finished are layers: what was not saved is lost."
        if layers
        else "Files that are finished stay, and a second start goes on with what is missing."
    )
    return question(
        parent,
        ("A queue is running", "The queue of photographs is still running.", kept),
        ((CANCEL, "Cancel", "Stay in napari"), (STOP, "Stop the queue", "And close napari")),
    )


def watching_question(parent: QWidget | None, what: str) -> QMessageBox:
    """The question whether napari is closed while a folder is watched, such as ``"Watching run 3"``."""
    return question(
        parent,
        (
            "A folder is watched",
            f"{one_line(what, 200)}: its photographs are still being reconstructed as they come.",
            "The photographs stay as files; their cubes are lost where they were not saved.",
        ),
        ((CANCEL, "Cancel", "Stay in napari"), (STOP, "Stop watching", "And close napari")),
    )
