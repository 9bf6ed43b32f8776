"""What the user must know of a model: the essentials of its card, and the whole of it."""

from __future__ import annotations

import re
from html import escape
from textwrap import shorten

from qtpy.QtWidgets import QWidget

from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import column

#: Headings of a model's details that are shown without unfolding; those measured come on top.
SHORT = ("For", "Output", "Trained on")
#: Letters of the words on the training data; their whole is then among what unfolds.
BRIEF = 120


class CardView(QWidget):
    """What the user must know of a model: the essentials open, the whole card to unfold."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.essentials = WrappedLabel()
        self.caution = WrappedLabel()
        self.whole = WrappedLabel()
        self.fold = Fold("About this model", self.whole)
        column(self.essentials, self.caution, self.fold, into=self, spacing=4)

    def show_listing(self, listing) -> None:
        """Show a :class:`~napari_hsr.models.model_list.Listing`, or nothing for None."""
        self.setVisible(listing is not None)
        if listing is None:
            return
        rows = listing.details()
        short = [r for r in rows if r[0] in SHORT or r[0].startswith("Measured")]
        brief = [
            (head, shorten(text, BRIEF, placeholder=" …") if head == "Trained on" else text)
            for head, text in short
        ]
        self.essentials.setText(as_html(brief))
        self.caution.setText(f"<i>{escape(' '.join(listing.cautions))}</i>")
        self.whole.setText(as_html([r for r in rows if r not in short or r not in brief]))


def as_html(rows: list[tuple[str, str]]) -> str:
    """(heading, text) pairs as paragraphs; very long words may break."""
    return "".join(
        f"<p style='margin: 0 0 3px 0'><b>{escape(head)}:</b> {_breakable(text)}</p>"
        for head, text in rows
    )


def _breakable(text: str) -> str:
    """Hashes and addresses have no spaces, and a narrow panel no room for them in one piece."""
    pieces = (re.findall(".{1,12}", word) if len(word) > 24 else [word] for word in text.split(" "))
    return " ".join("\u200b".join(escape(part) for part in word) for word in pieces)
