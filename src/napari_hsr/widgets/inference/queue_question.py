"""The question whether napari is closed while a queue of photographs runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
