"""What the Reconstruct panel keeps under "Advanced", and how it describes a model."""

from __future__ import annotations

from html import escape

from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_hsr.widgets.choosers import NarrowComboBox
from napari_hsr.widgets.fold import Fold
from napari_hsr.widgets.messages import WrappedLabel

#: What a run may be computed in, as :func:`napari_hsr.inference.events` takes it.
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
#: Ways to cut the photograph; the last one reads the spin box.
TILES = ("auto", "whole", "size")
_TILE_LABELS = ("automatic", "whole image", "tiles of…")


class AdvancedOptions(QWidget):
    """Tile size and precision.

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
        tiles = QHBoxLayout()
        tiles.setContentsMargins(0, 0, 0, 0)
        tiles.addWidget(self.tile_chooser, 1)
        tiles.addWidget(self.tile_size)
        form = narrow_form(self)
        form.addRow("Tiles", tiles)
        form.addRow("Precision", self.precision_chooser)
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


class CardView(QWidget):
    """What the user must know of a model: the essentials open, the whole card to unfold."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.essentials = WrappedLabel()
        self.caution = WrappedLabel()
        self.whole = WrappedLabel()
        self.fold = Fold("About this model", self.whole)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for part in (self.essentials, self.caution, self.fold):
            layout.addWidget(part)

    def show_card(self, card) -> None:
        """Show a :class:`~napari_hsr.models.ModelCard`, or nothing for None."""
        self.setVisible(card is not None)
        if card is None:
            return
        from napari_hsr.models.card import ILL_POSED

        rows = [row for row in card.sentences() if row[1]]
        short = [r for r in rows if r[0] in ("Output", "Trained on") or r[0].startswith("Measured")]
        self.essentials.setText(_as_html(short))
        self.caution.setText(f"<i>{escape(ILL_POSED)}</i>")
        self.whole.setText(_as_html([r for r in rows if r not in short]))


def _as_html(rows: list[tuple[str, str]]) -> str:
    return "".join(
        f"<p style='margin: 0 0 3px 0'><b>{escape(head)}:</b> {escape(text)}</p>"
        for head, text in rows
    )


def narrow_form(parent: QWidget | None = None) -> QFormLayout:
    """A form whose fields take the whole width: names of models are long, docks are narrow."""
    form = QFormLayout(parent)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return form
