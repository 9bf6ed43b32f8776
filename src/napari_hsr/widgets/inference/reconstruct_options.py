"""What the Reconstruct panel keeps under "Advanced"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.messages import WrappedLabel
from napari_hsr.widgets.inference.computing_options import ComputingOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

#: What is said of tiles.
ABOUT_TILES = (
    "Large photographs are reconstructed tile by tile, in bounded memory.\n"
    "A pixel-wise model gives the same cube whatever the tiles are."
)
#: Passes over the image, as :func:`napari_hsr.inference.reconstruct_events` takes them, with their labels.
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


class AdvancedOptions(ComputingOptions):
    """Tile size, precision, ensemble and grid; the last two where the model has a choice of them.

    Parameters
    ----------
    on_change : callable
        Called without arguments after each change by the user.
    """

    def __init__(self, on_change, parent: QWidget | None = None):
        super().__init__(on_change, ABOUT_TILES, parent)
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
        form = self._form
        form.addRow("Ensemble", self.ensemble_chooser)
        form.addRow(self.ensemble_note)
        form.addRow("Grid of the cube", self.grid_chooser)
        form.addRow(self.grid_note)
        self.ensemble_chooser.currentIndexChanged.connect(self._on_ensemble)
        self.grid_chooser.currentIndexChanged.connect(self._on_grid)
        self._on_change = on_change
        self._list(self._ensembles, self._grids)
        self.ensemble_note.hide()  # until something is known of a model

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
