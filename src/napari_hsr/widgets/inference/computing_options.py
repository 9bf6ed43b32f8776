"""How a run is computed: in which tiles, and in which precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QSpinBox, QWidget

from napari_hsr.widgets.common.choosers import NarrowComboBox

if TYPE_CHECKING:
    from collections.abc import Callable

#: What a run may be computed in, as :func:`napari_hsr.inference.reconstruct_events` takes it.
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
#: Ways to cut the image; the last one reads the spin box.
TILES = ("auto", "whole", "size")
_TILE_LABELS = ("automatic", "whole image", "tiles of…")


class ComputingOptions(QWidget):
    """Tile size and precision.

    Parameters
    ----------
    on_change : callable
        Called without arguments after each change by the user.
    about_tiles : str
        Said of the tiles, as a tooltip.
    """

    def __init__(
        self,
        on_change: Callable[[], object],
        about_tiles: str,
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self.tile_chooser = NarrowComboBox()
        self.tile_chooser.set_choices(list(_TILE_LABELS), 0)
        self.tile_chooser.setToolTip(about_tiles)
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
        tiles = QHBoxLayout()
        tiles.setContentsMargins(0, 0, 0, 0)
        tiles.addWidget(self.tile_chooser, 1)
        tiles.addWidget(self.tile_size)
        self._form = narrow_form(self)
        self._form.addRow("Tiles", tiles)
        self._form.addRow("Precision", self.precision_chooser)
        self.tile_chooser.currentIndexChanged.connect(
            lambda row: self.tile_size.setEnabled(TILES[row] == "size")
        )
        self.tile_chooser.currentIndexChanged.connect(lambda _: on_change())
        self.tile_size.valueChanged.connect(lambda _: on_change())
        self.precision_chooser.currentIndexChanged.connect(lambda _: on_change())

    def tile(self) -> int | str:
        """``"auto"``, ``"whole"`` or the side of a tile in pixels."""
        choice = TILES[self.tile_chooser.currentIndex()]
        return self.tile_size.value() if choice == "size" else choice

    def precision(self) -> str:
        """One of :data:`PRECISIONS`."""
        return PRECISIONS[self.precision_chooser.currentIndex()]


def narrow_form(parent: QWidget | None = None) -> QFormLayout:
    """A form whose fields take the whole width: names of models are long, docks are narrow."""
    form = QFormLayout(parent)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return form
