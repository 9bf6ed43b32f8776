"""How a run is computed: in which tiles and which precision; of a photograph, also how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QSpinBox, QWidget

from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import narrow_form, row
from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: What a run may be computed in, as :func:`napari_hsr.inference.reconstruct_events` takes it.
PRECISIONS = {
    "auto": "automatic",
    "float32": "float32",
    "bfloat16": "bfloat16",
    "float16": "float16",
}
#: Ways to cut the image; the last one reads the spin box.
TILES = {"auto": "automatic", "whole": "whole image", "size": "tiles of…"}
#: Passes over the image, as :func:`napari_hsr.inference.reconstruct_events` takes them.
ENSEMBLES = {
    "single": "one pass",
    "mean": "mean of eight views",
    "median": "median of eight views",
    "strips": "two strips, as published results",
}
#: Pixels of the cube for each of the photograph, along each side.
GRIDS = {1: "as the photograph", 2: "twice as fine", 4: "four times as fine"}
#: Why a pixel-wise model offers no ensemble.
PIXELWISE = (
    "This model looks at one pixel at a time: flipped and transposed views give the same cube, "
    "so an ensemble does not help."
)
NEVER_TRAINED = "The network was never trained for a finer grid than the photograph's."


class ComputingOptions(QWidget):
    """Tile size and precision.

    Parameters
    ----------
    on_change : callable
        Called without arguments after each change by the user.
    about_tiles : str
        Tooltip of the tiles.
    """

    def __init__(
        self,
        on_change: Callable[[], object],
        about_tiles: str,
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self._on_change = on_change
        self.tile_chooser = NarrowComboBox()
        self.tile_chooser.offer(TILES, "auto")
        self.tile_chooser.setToolTip(about_tiles)
        self.tile_size = QSpinBox()
        self.tile_size.setRange(16, 16384)
        self.tile_size.setSingleStep(64)
        self.tile_size.setValue(512)
        self.tile_size.setSuffix(" px")
        self.tile_size.setEnabled(False)
        self.tile_size.setToolTip("Height and width of a tile")
        self.precision_chooser = NarrowComboBox()
        self.precision_chooser.offer(PRECISIONS, "auto")
        self.precision_chooser.setToolTip(
            "Automatic takes bfloat16, or float16 on older graphics cards, where the model's card\n"
            "states an error of 45 dB or better and the device supports it natively; else float32."
        )
        self._form = narrow_form(self)
        self._form.addRow(
            "Tiles", row(self.tile_chooser, self.tile_size, stretch=self.tile_chooser)
        )
        self._form.addRow("Precision", self.precision_chooser)
        for changed in (
            self.tile_chooser.currentIndexChanged,
            self.tile_size.valueChanged,
            self.precision_chooser.currentIndexChanged,
        ):
            changed.connect(self._changed)

    def options(self) -> dict[str, Any]:
        """Options of the functions of :mod:`napari_hsr.inference`, by their names."""
        tile = self.tile_chooser.value()
        return {
            "tile": self.tile_size.value() if tile == "size" else tile,
            "precision": self.precision_chooser.value(),
        }

    def _changed(self, *_ignored: object) -> None:
        self.tile_size.setEnabled(self.tile_chooser.value() == "size")
        self._on_change()


class ReconstructionOptions(ComputingOptions):
    """Tile size, precision, ensemble and grid; the last two where the model has a choice of them.

    Parameters
    ----------
    on_change : callable
        Called without arguments after each change by the user.
    """

    def __init__(self, on_change: Callable[[], object], parent: QWidget | None = None):
        super().__init__(
            on_change,
            "Large photographs are reconstructed tile by tile, in bounded memory.\n"
            "A pixel-wise model gives the same cube whatever the tiles are.",
            parent,
        )
        self.ensemble_chooser = NarrowComboBox()
        self.ensemble_chooser.setToolTip(
            "The network sees the image flipped and transposed in eight ways, and the mean or the\n"
            "median of the results is taken: a little better, at eight times the time.\n"
            "Two strips: all rows but the last two, then the last two, as for DRCR-Net's figures;\n"
            "by the exact network in float32, not the faster copy."
        )
        self.ensemble_note = WrappedLabel(PIXELWISE)
        self.grid_chooser = NarrowComboBox()
        self.grid_chooser.setToolTip(
            "This network can also compute values between the photograph's pixels."
        )
        self.grid_note = WrappedLabel(NEVER_TRAINED)
        self._form.addRow("Ensemble", self.ensemble_chooser)
        self._form.addRow(self.ensemble_note)
        self._form.addRow("Grid of the cube", self.grid_chooser)
        self._form.addRow(self.grid_note)
        self._choosers: dict[str, tuple[NarrowComboBox, Mapping[Any, str]]] = {
            "ensemble": (self.ensemble_chooser, ENSEMBLES),
            "finer": (self.grid_chooser, GRIDS),
        }
        #: What the user chose last, which the current model may not offer.
        self._wanted: dict[str, Any] = {"ensemble": "single", "finer": 1}
        self.offer({"ensemble": ("single",), "finer": (1,)})
        self.ensemble_note.hide()  # until something is known of a model
        for name, (chooser, _) in self._choosers.items():
            chooser.currentIndexChanged.connect(lambda _row, name=name: self._on_chosen(name))

    def options(self) -> dict[str, Any]:
        """Those of any run, the ensemble and the grid."""
        chosen = {name: chooser.value() for name, (chooser, _) in self._choosers.items()}
        return super().options() | chosen

    def offer(self, offers: Mapping[str, Sequence[Any]]) -> None:
        """Show the ensembles and grids that a model has, where there is a choice; without signals.

        What was chosen before another model became current is chosen again where it is offered.
        """
        for name, (chooser, labels) in self._choosers.items():
            offered = list(offers[name])
            if offered != chooser.offered():  # not each time: a list may be open
                wanted = self._wanted[name]
                current = wanted if wanted in offered else next(iter(labels))
                chooser.offer({value: labels[value] for value in offered}, current)
            for part in (chooser, self._form.labelForField(chooser)):
                present(part).setVisible(len(offered) > 1)
        self.ensemble_note.setVisible(len(offers["ensemble"]) == 1)
        self.grid_note.setVisible(self.grid_chooser.value() > 1)

    def _on_chosen(self, name: str) -> None:
        self._wanted[name] = self._choosers[name][0].value()
        self.grid_note.setVisible(self.grid_chooser.value() > 1)
        self._on_change()
