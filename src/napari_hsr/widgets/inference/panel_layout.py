"""How the panels that run a model are laid out: choices, what is said of them, and buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLayout, QSizePolicy, QVBoxLayout, QWidget

from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.scroll_area import VerticalScroll

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Heights in pixels at least, and those asked for where the panel is low: of the form, and of what is
#: said of it.
FORM_LEAST, FORM_ASKED, SAID_LEAST, SAID_ASKED = 110, 240, 40, 110


def lay_out(
    panel: QWidget, form: Sequence[QWidget | QLayout], buttons: QLayout, said: Sequence[QWidget]
) -> None:
    """Lay out a panel.

    The form and the messages share the room, and both scroll; the buttons stay at the lower edge,
    where no message moves them, however low the window is: three panels fit above each other.
    """
    panel.setMinimumWidth(290)
    # It ends in a stretch of its own; napari would add a larger one at each opening.
    panel.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
    choices, above = QWidget(), QWidget()
    column(*form, into=choices)
    column(*said, into=above)
    outer = QVBoxLayout(panel)
    outer.addWidget(VerticalScroll(choices, FORM_LEAST, asked=FORM_ASKED), 1)
    outer.addStretch()
    outer.addWidget(VerticalScroll(above, SAID_LEAST, asked=SAID_ASKED), 1)
    outer.addLayout(buttons)
