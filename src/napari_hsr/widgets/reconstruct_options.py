"""What the Reconstruct panel keeps under "Advanced"."""

from __future__ import annotations

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
#: Passes over the image, as :func:`napari_hsr.inference.events` takes them.
ENSEMBLES = ("single", "mean", "median")
_ENSEMBLE_LABELS = ("one pass", "mean of eight views", "median of eight views")
#: Why a pixel-wise model offers no ensemble.
PIXELWISE = (
    "This model looks at one pixel at a time: flipped and transposed views give the same cube, "
    "so an ensemble of them is of no use."
)


class AdvancedOptions(QWidget):
    """Tile size, precision and ensemble.

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
            "Automatic takes the precision that the model was made for on this device."
        )
        self.ensemble_chooser = NarrowComboBox()
        self.ensemble_chooser.set_choices(list(_ENSEMBLE_LABELS), 0)
        self.ensemble_chooser.setToolTip(
            "The network sees the image flipped and transposed in eight ways, and the mean or the\n"
            "median of what it makes of them is taken: a little better, at eight times the time."
        )
        self.ensemble_note = WrappedLabel(PIXELWISE)
        self.ensemble_note.hide()
        tiles = QHBoxLayout()
        tiles.setContentsMargins(0, 0, 0, 0)
        tiles.addWidget(self.tile_chooser, 1)
        tiles.addWidget(self.tile_size)
        form = narrow_form(self)
        form.addRow("Tiles", tiles)
        form.addRow("Precision", self.precision_chooser)
        form.addRow("Ensemble", self.ensemble_chooser)
        form.addRow(self.ensemble_note)
        self.tile_chooser.currentIndexChanged.connect(
            lambda row: self.tile_size.setEnabled(TILES[row] == "size")
        )
        self.tile_chooser.currentIndexChanged.connect(lambda _: on_change())
        self.tile_size.valueChanged.connect(lambda _: on_change())
        self.precision_chooser.currentIndexChanged.connect(lambda _: on_change())
        self.ensemble_chooser.currentIndexChanged.connect(lambda _: on_change())

    def tile(self) -> int | str:
        """``"auto"``, ``"whole"`` or the side of a tile in pixels."""
        choice = TILES[self.tile_chooser.currentIndex()]
        return self.tile_size.value() if choice == "size" else choice

    def precision(self) -> str:
        """One of :data:`PRECISIONS`."""
        return PRECISIONS[self.precision_chooser.currentIndex()]

    def ensemble(self) -> str:
        """One of :data:`ENSEMBLES`; one pass where others are of no use."""
        if not self.ensemble_chooser.isEnabled():
            return ENSEMBLES[0]
        return ENSEMBLES[self.ensemble_chooser.currentIndex()]

    def show_pixelwise(self, pixelwise: bool) -> None:
        """Offer ensembles, or say why not."""
        self.ensemble_chooser.setEnabled(not pixelwise)
        self.ensemble_note.setVisible(pixelwise)


def narrow_form(parent: QWidget | None = None) -> QFormLayout:
    """A form whose fields take the whole width: names of models are long, docks are narrow."""
    form = QFormLayout(parent)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return form
