"""The training images: a folder or layers of the viewer, with photographs or a camera."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QLineEdit, QPushButton, QWidget

from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import narrow_form, row
from napari_hsr.widgets.train.layer_pairs import SIMULATED, LayerPairs

if TYPE_CHECKING:
    from napari_hsr.widgets.train.training_work import LayerPair

_PRESETS = {
    "preset:ntire2022": "as NTIRE 2022 simulates",
    "preset:ntire2020-clean": "as NTIRE 2020, clean track",
    "preset:ntire2020-real-world": "as NTIRE 2020, real world track",
}
_TABLE = "table"
_FOLDER_HELP = (
    "Photographs and cubes matched by their names, in one folder or in two below it; cubes alone; "
    "CAVE scenes; or Train_RGB and Train_spectral."
)
_CUBES_HELP = (
    "Cubes in one folder, or in one below it; CAVE scenes; or Train_spectral. The coarse cubes "
    "are made from them. Photographs beside them are ignored."
)
_CUBE_LAYER_HELP = (
    "Tick cubes: the coarse ones are made from them. At the start they are written as files into "
    "the run folder."
)
_LAYER_HELP = (
    "Tick cubes, and choose the photograph of each. At the start they are written as files into "
    "the run folder."
)
_NO_LAYER_HELP = "There is no cube in the viewer: open some, or choose a folder."


class DataSection(QWidget):
    """The part of the Train panel that chooses the data.

    Signals
    -------
    changed()
        Other data are chosen; what was found in the former no longer holds.
    ready()
        The choice is complete: a folder was chosen, and can be checked at once.
    """

    changed = Signal()
    ready = Signal()

    def __init__(self, viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self.source = NarrowComboBox()
        self.source.set_choices(["a folder", "layers of the viewer"], 0)
        self.source.setToolTip("Where the images to train on are")
        self.folder_line = QLineEdit()
        self.folder_line.setPlaceholderText("folder of the images")
        self.folder_line.setAccessibleName("Folder of the images")
        self.folder_line.setToolTip("Its cubes and photographs are trained on")
        self.browse_button = QPushButton("Browse…")
        self.browse_button.setToolTip("Choose the folder")
        self.help = WrappedLabel()
        self.layer_list = LayerPairs(viewer)
        self.photographs = NarrowComboBox()
        self.photographs.set_choices(["those beside the cubes", SIMULATED], 0)
        self.photographs.setToolTip("Real photographs of the cubes, or what a camera would see")
        self.camera = CameraChooser()
        self._folder_row = QWidget()
        row(self.folder_line, self.browse_button, stretch=self.folder_line, into=self._folder_row)
        self._form = form = narrow_form(self)
        form.addRow("Images from", self.source)
        form.addRow(self._folder_row)
        form.addRow(self.layer_list)
        form.addRow(self.help)
        form.addRow("Photographs", self.photographs)
        form.addRow("Camera", self.camera)
        self.source.currentIndexChanged.connect(self._on_others)
        self.photographs.currentIndexChanged.connect(self._on_changed)
        self.camera.chosen.connect(lambda _: self._on_changed())
        self.layer_list.changed.connect(self._on_layers)
        self.folder_line.textChanged.connect(self._on_others)
        self.folder_line.editingFinished.connect(self._on_folder_done)
        self.browse_button.clicked.connect(self._browse)
        self._asked_for = ""
        self._cubes_alone = False
        self._bare = False
        self._show()

    def set_without_photographs(self, bare: bool) -> None:
        """Whether some cubes have no photograph: a camera then simulates it."""
        self._bare = bare
        self._show()

    def set_cubes_alone(self, alone: bool) -> None:
        """Whether only cubes are used: then neither photographs nor a camera are asked for."""
        self._cubes_alone = alone
        self.layer_list.set_cubes_alone(alone)
        self._show()

    def from_layers(self) -> bool:
        """Whether layers of the viewer are trained on."""
        return self.source.currentIndex() == 1

    def folder(self) -> Path | None:
        """The folder, None if none is named or layers are trained on."""
        text = self.folder_line.text().strip()
        return None if self.from_layers() or not text else Path(os.path.expanduser(text)).absolute()

    def set_folder(self, folder: Path | str) -> None:
        """Take the images of a folder, as if the user had chosen it."""
        self.show_folder(folder)
        self._on_folder_done()

    def show_folder(self, folder: Path | str) -> None:
        """Name a folder; its images are not looked at before they are asked for."""
        self.source.setCurrentIndex(0)
        self.folder_line.setText(str(folder))

    def layers(self) -> list[LayerPair]:
        """The ticked cubes, each named as its file will be; empty for a folder.

        Raises
        ------
        InputError
            If a layer holds something else.
        """
        return self.layer_list.pairs() if self.from_layers() else []

    def simulated(self) -> bool:
        """Whether all photographs are simulated, though there may be some."""
        if self._cubes_alone:
            return False
        if self.from_layers():
            return self.layer_list.any() and not self.layer_list.any(with_photograph=True)
        return self.photographs.currentIndex() == 1

    def missing(self) -> str:
        """What is still to be chosen, in one sentence; empty if nothing is."""
        if self.from_layers():
            return "" if self.layer_list.any() else "Tick the cubes to train on."
        return "" if self.folder() is not None else "Choose the folder of your images."

    # --- inside --------------------------------------------------------------------------

    def _browse(self) -> None:
        at = self.folder_line.text().strip()
        chosen = QFileDialog.getExistingDirectory(self, "The folder of the training images", at)
        if chosen:
            self.set_folder(chosen)

    def _on_folder_done(self) -> None:
        text = self.folder_line.text().strip()
        if text and text != self._asked_for:
            self._asked_for = text
            self.ready.emit()

    def _on_others(self, *_ignored) -> None:
        self._bare = False
        self._on_changed()

    def _on_layers(self) -> None:
        if self.from_layers():
            self._on_changed()  # of a folder, what was found and held out stays

    def _on_changed(self, *_ignored) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        layers = self.from_layers()
        self._folder_row.setVisible(not layers)
        self.layer_list.setVisible(layers)
        alone = self._cubes_alone
        some = _CUBE_LAYER_HELP if alone else _LAYER_HELP
        some = some if self.layer_list.offered() else _NO_LAYER_HELP
        self.help.setText(some if layers else _CUBES_HELP if alone else _FOLDER_HELP)
        self._form.setRowVisible(self.photographs, not (layers or alone))
        asked = self.simulated() or (self._bare and not alone)
        self._form.setRowVisible(self.camera, asked)


class CameraChooser(NarrowComboBox):
    """The cameras that cubes can be photographed with.

    Signals
    -------
    chosen(str)
        As :func:`napari_hsr.widgets.train.recipe_content.camera_content` takes it.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        from napari_hsr.cameras import list_cameras

        self._cameras = {camera: camera for camera in list_cameras()} | _PRESETS
        self._current = "cie-1931"
        self.setToolTip("The camera that the cubes are photographed with")
        self._list()
        self.activated.connect(self._on_activated)

    def camera(self) -> str:
        """The chosen one."""
        return self._current

    def set_camera(self, camera: str) -> None:
        """Choose one, as if the user had; a table's are ``table.csv:*``."""
        self._cameras.setdefault(camera, f"{Path(camera.removesuffix(':*')).name}, all")
        self._current = camera
        self._list()
        self.chosen.emit(camera)

    def _list(self) -> None:
        table = {_TABLE: "from a table of sensitivities (CSV)…"}
        self.offer(self._cameras | table, self._current)

    def _on_activated(self, _row: int) -> None:
        if self.value() != _TABLE:
            self.set_camera(self.value())
            return
        path, _ = QFileDialog.getOpenFileName(
            self, "A table of sensitivities", "", "Tables (*.csv);;All files (*)"
        )
        self.set_camera(f"{path}:*" if path else self._current)
