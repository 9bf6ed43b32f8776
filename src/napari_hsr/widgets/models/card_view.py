"""What the user must know of a model: the essentials of its card, and the whole of it."""

from __future__ import annotations

import re
from html import escape
from textwrap import shorten

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_hsr.models.card import figures_text
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.plain_text import visible

#: Letters of the words on the training data; their whole is among what unfolds.
BRIEF = 120


class CardView(QWidget):
    """What the user must know of a model: the essentials open, the whole card to unfold."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.essentials, self.caution, self.whole = WrappedLabel(), WrappedLabel(), WrappedLabel()
        for label in (self.essentials, self.whole):
            label.setTextFormat(Qt.TextFormat.RichText)
        slanted = self.caution.font()
        slanted.setItalic(True)
        self.caution.setFont(slanted)
        self.fold = Fold("About this model", self.whole)
        column(self.essentials, self.caution, self.fold, into=self, spacing=4)

    def show_listing(self, listing) -> None:
        """Show a :class:`~napari_hsr.models.model_list.Listing`, or nothing for None."""
        self.setVisible(listing is not None)
        if listing is None:
            return
        self.essentials.setText(as_html(essentials(listing)))
        self.caution.setText(" ".join(listing.cautions))
        self.whole.setText(as_html(listing.details()))


def essentials(listing) -> list[tuple[str, str]]:
    """What is read first of a model: what it takes and makes, and how well it was measured."""
    card = listing.card
    rows = [("Name", listing.name), ("For", listing.purpose), ("Output", listing.output)]
    if card is not None:
        rows.append(("Trained on", shorten(card.training_data, BRIEF, placeholder=" …")))
        rows += [(f"Measured on {at}", figures_text(f)) for at, f in card.figures.items()]
    return [row for row in rows if row[1]]


def as_html(rows: list[tuple[str, str]]) -> str:
    """(heading, text) pairs as paragraphs; very long words may break."""
    return "".join(
        f"<p style='margin: 0 0 3px 0'><b>{escape(visible(head))}:</b> {_breakable(text)}</p>"
        for head, text in rows
    )


def _breakable(text: str) -> str:
    """Hashes and addresses have no spaces, and a narrow panel no room for them in one piece."""
    words = visible(text).split(" ")
    pieces = (re.findall(".{1,12}", word) if len(word) > 24 else [word] for word in words)
    return " ".join("\u200b".join(escape(part) for part in word) for word in pieces)
