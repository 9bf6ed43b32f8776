"""What the Reconstruct panel keeps under "Advanced"."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QSpinBox,
    QWidget,
)

from napari_hsr.widgets.choosers import NarrowComboBox
from napari_hsr.widgets.messages import WrappedLabel

#: What a run may be computed in, as :func:`napari_hsr.inference.events` takes it.
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
#: Ways to cut the photograph; the last one reads the spin box.
TILES = ("auto", "whole", "size")
_TILE_LABELS = ("automatic", "whole image", "tiles of…")
#: Passes over the image, as :func:`napari_hsr.inference.events` takes them, with their labels.
ENSEMBLES = {
    "single": "one pass",
    "mean": "mean of eight views",
    "median": "median of eight views",
    "strips": "two strips, as published results",
}
#: Pixels of the cube for each of the photograph, along each side, with their labels.
GRIDS = {1: "as the photograph", 2: "twice as fine", 4: "four times as fine"}
#: Why a pixel-wise model offers no ensemble.
PIXELWISE = (
    "This model looks at one pixel at a time: flipped and transposed views give the same cube, "
    "so an ensemble of them is of no use."
)
#: What is said of a grid that is finer than the photograph.
NEVER_TRAINED = "The network was never trained for a finer grid than the photograph's."


class AdvancedOptions(QWidget):
    """Tile size, precision, ensemble and grid; the last two where the model has a choice of them.

    Parameters
    ----------
    on_change : callable
        Called without arguments after each change by the user.
    """

    def __init__(self, on_change, parent: QWidget | None = None):
        super().__init__(parent)
        self.tile_chooser = NarrowComboBox()
        self.tile_chooser.set_choices(list(_TILE_LABELS), 0)
        self.tile_chooser.setToolTip(
            "Large photographs are reconstructed tile by tile, in bounded memory.\n"
            "A pixel-wise model gives the same cube whatever the tiles are."
        )
        self.tile_size = QSpinBox()
        self.tile_size.setRange(16, 16384)
        self.tile_size.setSingleStep(64)
        self.tile_size.setValue(512)
        self.tile_size.setSuffix(" px")
        self.tile_size.setEnabled(False)
        self.tile_size.setToolTip("Height and width of a tile")
        self.precision_chooser = NarrowComboBox()
        self.precision_chooser.set_choices(["automatic", *PRECISIONS[1:]], 0)
        self.precision_chooser.setToolTip(
            "Automatic takes bfloat16 where its error is in the model's card, 45 dB or better, and\n"
            "the device computes in it natively; else float32."
        )
        self.ensemble_chooser = NarrowComboBox()
        self.ensemble_chooser.setToolTip(
            "The network sees the image flipped and transposed in eight ways, and the mean or the\n"
            "median of what it makes of them is taken: a little better, at eight times the time.\n"
            "Two strips: all rows but the last two, then the last two, as for DRCR-Net's figures;\n"
            "by the exact network in float32, not the faster copy."
        )
        self.ensemble_note = WrappedLabel(PIXELWISE)
        self.grid_chooser = NarrowComboBox()
        self.grid_chooser.setToolTip("The network can be asked between the photograph's pixels.")
        self.grid_note = WrappedLabel(NEVER_TRAINED)
        self._ensembles, self._ensemble = ("single",), "single"
        self._grids, self._grid = (1,), 1
        tiles = QHBoxLayout()
        tiles.setContentsMargins(0, 0, 0, 0)
        tiles.addWidget(self.tile_chooser, 1)
        tiles.addWidget(self.tile_size)
        form = narrow_form(self)
        form.addRow("Tiles", tiles)
        form.addRow("Precision", self.precision_chooser)
        form.addRow("Ensemble", self.ensemble_chooser)
        form.addRow(self.ensemble_note)
        form.addRow("Grid of the cube", self.grid_chooser)
        form.addRow(self.grid_note)
        self._form = form
        self.tile_chooser.currentIndexChanged.connect(
            lambda row: self.tile_size.setEnabled(TILES[row] == "size")
        )
        self.tile_chooser.currentIndexChanged.connect(lambda _: on_change())
        self.tile_size.valueChanged.connect(lambda _: on_change())
        self.precision_chooser.currentIndexChanged.connect(lambda _: on_change())
        self.ensemble_chooser.currentIndexChanged.connect(self._on_ensemble)
        self.grid_chooser.currentIndexChanged.connect(self._on_grid)
        self._on_change = on_change
        self._list(self._ensembles, self._grids)
        self.ensemble_note.hide()  # until something is known of a model

    def tile(self) -> int | str:
        """``"auto"``, ``"whole"`` or the side of a tile in pixels."""
        choice = TILES[self.tile_chooser.currentIndex()]
        return self.tile_size.value() if choice == "size" else choice

    def precision(self) -> str:
        """One of :data:`PRECISIONS`."""
        return PRECISIONS[self.precision_chooser.currentIndex()]

    def ensemble(self) -> str:
        """One of :data:`ENSEMBLES`: the one chosen last, or one pass where it is not offered."""
        return self._ensemble if self._ensemble in self._ensembles else "single"

    def finer(self) -> int:
        """One of :data:`GRIDS`: the one chosen last, or 1 where it is not offered."""
        return self._grid if self._grid in self._grids else 1

    def offer(self, ensembles: Sequence[str], grids: Sequence[int]) -> None:
        """Show the ensembles and grids that a model has, where there is a choice; without signals.

        What was chosen before another model became current is chosen again where it is offered.
        """
        self.ensemble_note.setVisible(len(ensembles) == 1)
        if (tuple(ensembles), tuple(grids)) != (self._ensembles, self._grids):
            self._list(tuple(ensembles), tuple(grids))  # not each time: a list may be open

    def _list(self, ensembles: tuple[str, ...], grids: tuple[int, ...]) -> None:
        self._ensembles, self._grids = ensembles, grids
        for chooser, labels, offered, current in (
            (self.ensemble_chooser, ENSEMBLES, ensembles, self.ensemble()),
            (self.grid_chooser, GRIDS, grids, self.finer()),
        ):
            chooser.set_choices([labels[one] for one in offered], offered.index(current))
            for part in (chooser, self._form.labelForField(chooser)):
                part.setVisible(len(offered) > 1)
        self.grid_note.setVisible(self.finer() > 1)

    def _on_ensemble(self, row: int) -> None:
        self._ensemble = self._ensembles[row]
        self._on_change()

    def _on_grid(self, row: int) -> None:
        self._grid = self._grids[row]
        self.grid_note.setVisible(self.finer() > 1)
        self._on_change()


def narrow_form(parent: QWidget | None = None) -> QFormLayout:
    """A form whose fields take the whole width: names of models are long, docks are narrow."""
    form = QFormLayout(parent)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return form
