"""A dialog for the file to write, which never overwrites another file unasked."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_hsr.widgets.common.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def ask_path(
    parent: QWidget,
    title: str,
    name: str,
    kinds: str,
    beside: Callable[[Path], Sequence[Path]] | None = None,
) -> Path | None:
    """The file that the user wants to write, or None if the dialog was cancelled.

    A missing suffix is added, that of the filter that was chosen: a part of the name that no filter
    has is none. The file dialog has then checked another name than the one written, so this function
    asks about an existing file itself.

    Parameters
    ----------
    parent : QWidget
    title : str
        Title of the dialog.
    name : str
        Proposed file name, with the suffix that is added.
    kinds : str
        Filters of the dialog, as ``"Table (*.csv);;JSON (*.json)"``.
    beside : callable, optional
        The other files that are written with a path: no dialog asks about those.
    """
    typed, kind = QFileDialog.getSaveFileName(parent, title, name, kinds)
    if not typed:
        return None
    proposed = Path(name).suffix
    of_kind = _suffixes(kind) or [proposed]
    if typed.lower().endswith((proposed, *_suffixes(kinds))):
        path, unasked = Path(typed), []  # the dialog itself has asked
    else:
        path = Path(typed + (proposed if proposed in of_kind else of_kind[0]))
        unasked = [path]
    unasked += beside(path) if beside is not None else ()
    there = [file for file in unasked if os.path.lexists(file)]
    return path if not there or _may_replace(parent, title, there) else None


def _suffixes(kinds: str) -> list[str]:
    return re.findall(r"\*(\.\w+)", kinds.lower())


def _may_replace(parent: QWidget, title: str, files: Sequence[Path]) -> bool:
    buttons = QMessageBox.StandardButton
    box = QMessageBox(QMessageBox.Icon.Question, title, "", buttons.Yes | buttons.No, parent)
    box.setTextFormat(Qt.TextFormat.PlainText)  # a file may be called like a tag
    named = " and ".join(f"“{one_line(file.name)}”" for file in files)
    one = len(files) == 1
    box.setText(f"{named} already {'exists. Replace it?' if one else 'exist. Replace them?'}")
    box.setDefaultButton(buttons.No)
    return box.exec() == buttons.Yes
