"""Layers of the viewer to train on: cubes to tick, each with its photograph."""

from __future__ import annotations

import dataclasses
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_hsr.viewer.computed_cubes import computed_cube
from napari_hsr.viewer.layer_data import (
    is_cube,
    is_photograph,
    is_training_preview,
    layer_photograph,
)
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.plain_text import on_button, one_line, tip
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.train.training_work import LayerPair, stems_of

#: Said of photographs that there are none of.
SIMULATED = "simulated by the camera"


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
        self._rows: list[tuple[Any, QCheckBox, NarrowComboBox, list]] = []
        self._cubes_alone = False
        self._column = column(into=self, spacing=2)
        self._connections = Connections(self)
        events = viewer.layers.events
        for emitter in (events.inserted, events.removed, events.renamed):
            self._connections.connect(emitter, "refresh")
        self.refresh()

    def refresh(self, event=None) -> None:
        """Look again at what the viewer holds; what was ticked and chosen stays so.

        A cube whose photograph is gone is not ticked any more: it would be trained on with another one.
        """
        before = {
            id(layer): (tick.isChecked(), photos[chooser.currentIndex()])
            for layer, tick, chooser, photos in self._rows
        }
        while self._column.count():
            present(present(self._column.takeAt(0)).widget()).deleteLater()
        layers = [x for x in self._viewer.layers if not is_training_preview(x)]
        photographs = [layer for layer in layers if is_photograph(layer)]
        self._rows = []
        for layer in filter(is_cube, layers):
            ticked, photo = before.get(id(layer), (False, None))
            if id(layer) not in before:
                photo = _likeliest(layer, photographs)
            offered = [*(p for p in photographs if _size(p) == _size(layer)), None]
            tick = QCheckBox(_short(layer.name))
            said = layer.name
            if photo not in offered and ticked:
                ticked = False
                said += (
                    f"\nIts photograph {photo.name} was removed: choose another, and tick it again."
                )
            tick.setToolTip(tip(said))
            tick.setChecked(ticked)
            chooser = NarrowComboBox()
            chooser.setAccessibleName(f"Photograph of {one_line(layer.name)}")
            chooser.setToolTip("The photograph of this cube")
            names = [f"with {p.name}" for p in offered[:-1]]
            chooser.set_choices(
                [*names, f"photograph {SIMULATED}"],
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
                dataclasses.replace(computed_cube(layer), name=stem),
                None if photo is None else dataclasses.replace(layer_photograph(photo), name=stem),
            )
            for (layer, photo), stem in zip(ticked, stems, strict=True)
        ]


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
    return on_button(name if len(name) <= most else f"{name[: most // 2]}…{name[-most // 2 + 1 :]}")
