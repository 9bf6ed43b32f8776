"""The part of a panel that chooses, describes, imports and removes models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QMessageBox, QPushButton, QWidget

from napari_hsr.errors import HSRError
from napari_hsr.models.card import RECONSTRUCTION, SUPER_RESOLUTION
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.models_changed import models_changed
from napari_hsr.widgets.models.card_view import CardView
from napari_hsr.widgets.models.import_answers import dropped_checkpoint
from napari_hsr.widgets.models.import_checkpoint import ImportDialog, open_import
from napari_hsr.widgets.models.model_chooser import ModelChooser, MoreNetworks

if TYPE_CHECKING:
    from pathlib import Path

#: Said of a model that was imported where it cannot be used.
_ELSEWHERE = {
    RECONSTRUCTION: "It reconstructs photographs: use it in the Reconstruct panel.",
    SUPER_RESOLUTION: "It super-resolves cubes: use it in the Super-resolve panel.",
}


class ModelSection(QWidget):
    """The list of models, what must be known of the chosen one, and ways to change the list.

    Signals
    -------
    changed(object)
        The card of the model that became current; None for an interpolation.
    imported(object)
        A model that was imported just now, loaded. It then becomes current, unless it is for
        another task or scale than those listed, which the user is told.

    Parameters
    ----------
    parent : QWidget, optional
    task, scale
        Of the models that are listed, as for :class:`ModelChooser`.
    """

    changed = Signal(object)
    imported = Signal(object)

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        task: str = RECONSTRUCTION,
        scale: int | None = None,
    ):
        super().__init__(parent)
        self.dialog: ImportDialog | None = None
        self.chooser = ModelChooser(task=task, scale=scale)
        self.card = CardView()
        self.import_button = QPushButton("Import…")
        self.import_button.setToolTip(
            "Import a file of weights as a model (.pth, .pt, .ckpt, .pkl, .safetensors).\n"
            "Or drop the file on this panel."
        )
        self.remove_button = QPushButton("Remove…")
        self.remove_button.setToolTip("Delete this imported model from this computer")
        self.message = Message()
        self.more = MoreNetworks(task)
        buttons = row(self.import_button, self.more, self.remove_button)
        column(self.chooser, buttons, self.message, self.card, into=self, spacing=4)
        self.chooser.changed.connect(self._on_changed)
        self.more.wanted.connect(lambda entry: self.open_import(entry=entry))
        self.import_button.clicked.connect(lambda: self.open_import())
        self.remove_button.clicked.connect(self.ask_to_remove)
        self._show_current()

    def set_scale(self, scale: int) -> None:
        """List the models for another scale."""
        self.message.clear()
        self.chooser.set_scale(scale)

    def open_import(self, path: str | Path | None = None, entry=None) -> None:
        """Open the dialog, or hand a file to the one that is open."""
        if self.dialog is not None:
            if path is not None:
                self.dialog.read(path)
            self.dialog.raise_()
            return
        self.message.clear()
        self.dialog = open_import(self, path, entry)
        self.dialog.imported.connect(self._on_imported)
        self.dialog.finished.connect(self._on_dialog_closed)

    def take_drag(self, event) -> bool:
        """Accept a drag over the panel if it carries one checkpoint."""
        if _dropped(event) is None:
            return False
        event.acceptProposedAction()
        return True

    def take_drop(self, event) -> bool:
        """Import the checkpoint that was dropped on the panel, if it is one."""
        path = _dropped(event)
        if path is None:
            return False
        event.acceptProposedAction()
        self.open_import(path)
        return True

    def ask_to_remove(self) -> None:
        """Delete the chosen model if it is the user's own and they confirm it."""
        listing = self.chooser.listing()
        if listing is None or not listing.own:
            return
        box = QMessageBox(
            QMessageBox.Icon.Question,
            "Remove a model",
            f"Delete the model {listing.name} ({listing.size}) from this computer?",
            QMessageBox.StandardButton.Cancel,
            self,
        )
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setInformativeText("Cubes that were made with it stay as they are.")
        delete = box.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        assert delete is not None  # Qt makes a button for a text
        delete.clicked.connect(lambda: self.remove(listing.name))
        box.finished.connect(box.deleteLater)
        box.open()

    def remove(self, name: str) -> None:
        """Delete an imported model without asking."""
        from napari_hsr.models import user_models

        try:
            user_models.remove(name)
        except HSRError as error:
            self.message.show_exception(error)
            return
        models_changed()
        self.message.show_info(f"{name} was deleted.")

    # --- inside --------------------------------------------------------------------------

    def _on_imported(self, model) -> None:
        models_changed()  # every open panel lists it now
        self.imported.emit(model)
        if model.task != self.chooser.task:
            self.message.show_info(f"{model.name} was imported. {_ELSEWHERE[model.task]}")
            return
        if self.chooser.scale not in (None, model.scale):
            self.message.show_info(
                f"{model.name} was imported. It makes pixels {model.scale} times as fine: choose "
                "that scale."
            )
            return
        self.chooser.set_name(model.name)
        self.message.show_info(f"{model.name} was imported.")

    def _on_dialog_closed(self, _result: int) -> None:
        self.dialog = None

    def _on_changed(self, card) -> None:
        self.message.clear()
        self._show_current()
        self.changed.emit(card)

    def _show_current(self) -> None:
        listing = self.chooser.listing()
        self.card.show_listing(listing)
        self.remove_button.setVisible(listing is not None and listing.own)


def _dropped(event) -> Path | None:
    return dropped_checkpoint([url.toLocalFile() for url in event.mimeData().urls()])
