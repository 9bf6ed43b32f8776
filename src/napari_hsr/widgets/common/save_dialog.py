"""Asking for the file to write, with its suffix, and never over another file unasked."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget


def ask_path(parent: QWidget, title: str, name: str, kinds: str) -> Path | None:
    """The file that the user wants to write, or None if he thought better of it.

    A suffix that was not typed is added. The file dialog has then asked about another name
    than the one that is written, so an existing file of that name is asked about here.

    Parameters
    ----------
    parent : QWidget
    title : str
        Of the dialog.
    name : str
        The file name that is proposed; its suffix is the one that is needed.
    kinds : str
        Filter of the dialog, as ``"PNG picture (*.png)"``.
    """
    typed, _ = QFileDialog.getSaveFileName(parent, title, name, kinds)
    if not typed:
        return None
    suffix = Path(name).suffix
    if typed.lower().endswith(suffix):
        return Path(typed)  # the dialog itself has asked
    path = Path(typed + suffix)
    return path if not path.exists() or _may_replace(parent, title, path) else None


def _may_replace(parent: QWidget, title: str, path: Path) -> bool:
    buttons = QMessageBox.StandardButton
    answer = QMessageBox.question(
        parent,
        title,
        f"“{path.name}” already exists. Replace it?",
        buttons.Yes | buttons.No,
        buttons.No,
    )
    return answer == buttons.Yes
