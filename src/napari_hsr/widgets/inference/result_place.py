"""Where a result is kept: in memory, or in a zarr store of a folder, and which one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_hsr.units import file_stem, from_home
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.labels import BriefLabel
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.inference.panel_runs import AUTO, DISK, MEMORY, Keeping

if TYPE_CHECKING:
    from collections.abc import Callable

CHOICES = {
    AUTO: "automatic",
    MEMORY: "in memory",
    DISK: "on disk",
}


class ResultPlace(QWidget):
    """Choose memory or disk, and the folder.

    Parameters
    ----------
    on_change : callable
        Called without arguments after each change by the user.
    """

    def __init__(self, on_change: Callable[[], object], parent: QWidget | None = None):
        super().__init__(parent)
        self._on_change = on_change
        self._folder: Path | None = None
        self.choice = NarrowComboBox()
        self.choice.offer(CHOICES, AUTO)
        self.choice.setToolTip(
            "Automatic takes the disk where memory would not do.\n"
            "On disk a cube is written tile by tile, in the memory of a tile, as a zarr store with a\n"
            "pyramid. A run that was cancelled or killed goes on where it was: run it again."
        )
        self.folder_button = button("Folder…", self._ask, "Where results on disk go")
        self.where = BriefLabel(2)
        column(row(self.choice, self.folder_button, stretch=self.choice), self.where, into=self)
        self.choice.currentIndexChanged.connect(self._changed)
        self.where.hide()

    def set_folder(self, folder: Path) -> None:
        """Let results on disk go there."""
        self._folder = folder
        self._changed()

    def keeping(self, layer: Any, model: str, suffix: str = "") -> Keeping:
        """What is chosen, for a run of a model on a layer."""
        folder = self.folder(layer)
        name = f"{file_stem(layer.name)}_{file_stem(f'{model}{suffix}', longest=100)}"
        return Keeping(self.choice.value(), free_store(folder, name))

    def folder(self, layer: Any) -> Path:
        """The chosen folder, else that of the layer's file, else the user's own."""
        file = getattr(getattr(layer, "source", None), "path", None)
        beside = Path(file).parent if file else Path.home()
        return self._folder or beside

    def value(self) -> tuple[Any, ...]:
        """What is chosen, to see whether a result is still of it."""
        return self.choice.value(), self._folder

    def show_folder(self, layer: Any) -> None:
        """Show where results of a layer would go."""
        used = layer is not None and self.choice.value() != MEMORY
        self.where.setVisible(used)
        if used:
            when = "On disk" if self.choice.value() == DISK else "If memory is short"
            self.where.setText(f"{when}: a zarr store in {from_home(self.folder(layer))}")

    def _ask(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for results on disk")
        if chosen:
            self.set_folder(Path(chosen))

    def _changed(self, *_ignored: object) -> None:
        self.folder_button.setEnabled(self.choice.value() != MEMORY)
        self._on_change()


def free_store(folder: Path, name: str) -> Path:
    """A zarr store of this name that is not there yet, or was not finished: a number is added."""
    found, number = folder / f"{name}.zarr", 1
    while os.path.exists(found):
        number += 1
        found = folder / f"{name}_{number}.zarr"
    return found
