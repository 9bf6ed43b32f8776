"""Which images are trained on: a folder, or layers of the viewer; with photographs or a camera."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_hsr.viewer.layers import is_cube, is_photograph, layer_cube, layer_photograph
from napari_hsr.widgets.choosers import NarrowComboBox
from napari_hsr.widgets.computing_options import narrow_form
from napari_hsr.widgets.connections import Connections
from napari_hsr.widgets.messages import WrappedLabel
from napari_hsr.widgets.train_work import LayerPair, stems_of

#: Marks the layers in ``layer.metadata`` that a training itself shows: no data to train on.
PREVIEW_KEY = "hsr_training_preview"
_SIMULATED = "simulated by the camera"
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
    "Cubes in one folder, or in one below it; CAVE scenes; or Train_spectral. Theirs are the fine "
    "pixels: the coarse ones are made of them. Photographs beside them are left alone."
)
_CUBE_LAYER_HELP = (
    "Tick cubes: theirs are the fine pixels, and the coarse ones are made of them. The training "
    "runs in a process of its own: at its start the layers are written as files into its folder."
)
_LAYER_HELP = (
    "Tick cubes, and choose the photograph of each. The training runs in a process of its own: "
    "at its start the layers are written as files into its folder."
)
_NO_LAYER_HELP = "There is no cube in the viewer: open some, or take a folder."


class DataSection(QWidget):
    """The part of the Train panel in which data are picked.

    Signals
    -------
    changed()
        The data are others now; what was found in them holds no more.
    ready()
        And they are complete: a folder was chosen. They may be looked at without being asked.
    """

    changed = Signal()
    ready = Signal()

    def __init__(self, viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self.source = NarrowComboBox()
        self.source.set_choices(["a folder", "layers of the viewer"], 0)
        self.folder_line = QLineEdit()
        self.folder_line.setPlaceholderText("folder of the images")
        self.browse_button = QPushButton("Browse…")
        self.help = WrappedLabel()
        self.layer_list = LayerPairs(viewer)
        self.photographs = NarrowComboBox()
        self.photographs.set_choices(["those beside the cubes", _SIMULATED], 0)
        self.camera = CameraChooser()
        self._folder_row = QWidget()
        row = QHBoxLayout(self._folder_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.folder_line, 1)
        row.addWidget(self.browse_button)
        self._form = form = narrow_form(self)
        form.addRow("Images from", self.source)
        form.addRow(self._folder_row)
        form.addRow(self.layer_list)
        form.addRow(self.help)
        form.addRow("Photographs", self.photographs)
        form.addRow("Camera", self.camera)
        self.source.currentIndexChanged.connect(self._on_changed)
        self.photographs.currentIndexChanged.connect(self._on_changed)
        self.camera.chosen.connect(lambda _: self._on_changed())
        self.layer_list.changed.connect(self._on_changed)
        self.folder_line.textChanged.connect(self._on_changed)
        self.folder_line.editingFinished.connect(self._on_folder_done)
        self.browse_button.clicked.connect(self._browse)
        self._asked_for = ""
        self._cubes_alone = False
        self._show()

    def set_cubes_alone(self, alone: bool) -> None:
        """Whether photographs are of no use: then none are asked for, and no camera."""
        self._cubes_alone = alone
        self.layer_list.set_cubes_alone(alone)
        self._show()

    def from_layers(self) -> bool:
        """Whether layers of the viewer are trained on."""
        return self.source.currentIndex() == 1

    def folder(self) -> Path | None:
        """The folder, None if none is named or layers are trained on."""
        text = self.folder_line.text().strip()
        return None if self.from_layers() or not text else Path(text).expanduser().absolute()

    def set_folder(self, folder: Path | str) -> None:
        """Take the images of a folder, as if the user had chosen it."""
        self.source.setCurrentIndex(0)
        self.folder_line.setText(str(folder))
        self._on_folder_done()

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
        self._form.setRowVisible(self.camera, self.simulated())


class LayerPairs(QWidget):
    """The cubes of the viewer to tick, and the photograph of each.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self._rows: list[tuple[object, QCheckBox, NarrowComboBox, list]] = []
        self._cubes_alone = False
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._connections = Connections(self)
        events = viewer.layers.events
        for emitter in (events.inserted, events.removed, events.renamed):
            self._connections.connect(emitter, "refresh")
        self.refresh()

    def refresh(self, event=None) -> None:
        """Look again at what the viewer holds; what was ticked and chosen stays so."""
        before = {
            id(layer): (tick.isChecked(), photos[chooser.currentIndex()])
            for layer, tick, chooser, photos in self._rows
        }
        while self._column.count():
            self._column.takeAt(0).widget().deleteLater()
        layers = [x for x in self._viewer.layers if PREVIEW_KEY not in x.metadata]
        photographs = [layer for layer in layers if is_photograph(layer)]
        self._rows = []
        for layer in filter(is_cube, layers):
            ticked, photo = before.get(id(layer), (False, None))
            if id(layer) not in before:
                photo = _likeliest(layer, photographs)
            offered = [*(p for p in photographs if _size(p) == _size(layer)), None]
            tick = QCheckBox(_short(layer.name))
            tick.setToolTip(layer.name)
            tick.setChecked(ticked)
            chooser = NarrowComboBox()
            names = [f"with {p.name}" for p in offered[:-1]]
            chooser.set_choices(
                [*names, f"photograph {_SIMULATED}"],
                offered.index(photo) if photo in offered else len(offered) - 1,
            )
            chooser.setEnabled(ticked)
            chooser.setVisible(not self._cubes_alone)
            tick.toggled.connect(chooser.setEnabled)
            tick.toggled.connect(lambda _: self.changed.emit())
            chooser.currentIndexChanged.connect(lambda _: self.changed.emit())
            self._rows.append((layer, tick, chooser, offered))
            self._column.addWidget(tick)
            self._column.addWidget(chooser)
        self.changed.emit()

    def set_cubes_alone(self, alone: bool) -> None:
        """Whether photographs are of no use; what was chosen is there again afterwards."""
        self._cubes_alone = alone
        for _, _, chooser, _ in self._rows:
            chooser.setVisible(not alone)

    def offered(self) -> int:
        """How many cubes there are."""
        return len(self._rows)

    def tick(self, layer, photograph=None) -> None:
        """Tick a cube and choose its photograph (None: simulated), as if the user had."""
        for own, tick, chooser, photos in self._rows:
            if own == layer:
                chooser.setCurrentIndex(photos.index(photograph))
                tick.setChecked(True)

    def any(self, with_photograph: bool = False) -> bool:
        """Whether a cube is ticked; with a photograph, if asked so."""
        return any(
            tick.isChecked() and (not with_photograph or photos[chooser.currentIndex()] is not None)
            for _, tick, chooser, photos in self._rows
        )

    def pairs(self) -> list[LayerPair]:
        """The ticked ones."""
        ticked = [
            (layer, None if self._cubes_alone else photos[chooser.currentIndex()])
            for layer, tick, chooser, photos in self._rows
            if tick.isChecked()
        ]
        stems = stems_of([layer.name for layer, _ in ticked])
        return [
            LayerPair(
                dataclasses.replace(layer_cube(layer), name=stem),
                None if photo is None else dataclasses.replace(layer_photograph(photo), name=stem),
            )
            for (layer, photo), stem in zip(ticked, stems, strict=True)
        ]


class CameraChooser(NarrowComboBox):
    """The cameras that cubes can be photographed with.

    Signals
    -------
    chosen(str)
        As :func:`napari_hsr.widgets.train_work.camera_content` takes it.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        from napari_hsr.cameras import list_cameras

        self._ids = [*list_cameras(), *_PRESETS, _TABLE]
        self._current = "cie-1931"
        self._list()
        self.activated.connect(self._on_activated)

    def camera(self) -> str:
        """The chosen one."""
        return self._current

    def set_camera(self, camera: str) -> None:
        """Choose one, as if the user had; a table's are ``table.csv:*``."""
        if camera not in self._ids:
            self._ids.insert(-1, camera)
        self._current = camera
        self._list()
        self.chosen.emit(camera)

    def _list(self) -> None:
        labels = {**_PRESETS, _TABLE: "from a table of sensitivities (CSV)…"}
        texts = [
            labels.get(i, f"{Path(i[:-2]).name}, all" if i.endswith(":*") else i) for i in self._ids
        ]
        self.set_choices(texts, self._ids.index(self._current))

    def _on_activated(self, row: int) -> None:
        if self._ids[row] != _TABLE:
            self.set_camera(self._ids[row])
            return
        path, _ = QFileDialog.getOpenFileName(
            self, "A table of sensitivities", "", "Tables (*.csv);;All files (*)"
        )
        self.set_camera(f"{path}:*" if path else self._current)


def _likeliest(cube, photographs: list):
    """The photograph of the same size whose name has most in common with the cube's."""
    same = [p for p in photographs if _size(p) == _size(cube)]
    return max(same, key=lambda p: _in_common(p.name.lower(), cube.name.lower()), default=None)


def _in_common(a: str, b: str) -> int:
    """How many letters two names have in common at their beginning."""
    return next((at for at, pair in enumerate(zip(a, b, strict=False)) if pair[0] != pair[1]), 99)


def _size(layer) -> tuple[int, int]:
    shape = (layer.data[0] if layer.multiscale else layer.data).shape
    return tuple(shape[:2]) if layer.rgb else tuple(shape[-2:])


def _short(name: str, most: int = 34) -> str:
    """Tick boxes do not shorten their texts themselves; a menu key is written twice."""
    text = name if len(name) <= most else f"{name[: most // 2]}…{name[-most // 2 + 1 :]}"
    return text.replace("&", "&&")
