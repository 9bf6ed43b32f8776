"""The list of models: what each is for, its size and where its weights come from."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import QEvent, QObject, QPersistentModelIndex, Qt, Signal
from qtpy.QtWidgets import QStyledItemDelegate, QWidget

from napari_hsr.models.card import RECONSTRUCTION
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.models.card_view import as_html
from napari_hsr.widgets.models.models_changed import models_changed

#: The open list is as wide as its lines, within these bounds, in pixels.
LIST_WIDTH = (280, 640)


class ModelChooser(NarrowComboBox):
    """The models at hand, and greyed the networks whose weights are still to be imported.

    Each has two lines: its title; and its photographs, wavelengths and size. A greyed one has two
    more: how to have weights, and where they are published. It cannot be chosen; clicking it asks
    for its weights.

    Parameters
    ----------
    parent : QWidget, optional
    task : str
        Which models: those that make cubes of photographs, or those that make the pixels of
        cubes finer.
    scale : int, optional
        Of these, those alone for this scale, with the interpolations behind them.

    Signals
    -------
    changed(object)
        The card of the model that became current, or that the current one has now; None for an
        interpolation.
    wanted(object)
        The :class:`~napari_hsr.models.published_weights.Entry` of a greyed one that was clicked.
    """

    changed = Signal(object)
    wanted = Signal(object)

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        task: str = RECONSTRUCTION,
        scale: int | None = None,
    ):
        super().__init__(parent)
        self.task, self.scale = task, scale
        self._listings: list = []
        self._last: tuple = (None, None)
        #: The name that was last chosen at each scale.
        self._chosen: dict[int | None, str | None] = {}
        self._pressed = QPersistentModelIndex()
        self.setPlaceholderText("no model installed")
        # A list with lines of their own height, not a menu of all entries on one line each.
        self.setStyleSheet("QComboBox { combobox-popup: 0; }")
        self.setItemDelegate(QStyledItemDelegate(self))
        self.view().setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setMaxVisibleItems(8)
        self.refresh()
        self.currentIndexChanged.connect(self._on_current)
        self.view().viewport().installEventFilter(self)
        self._connections = Connections(self)
        self._connections.connect(models_changed, "refresh")

    def refresh(self, event=None) -> None:
        """List the models again; the chosen one is kept as long as it is there."""
        from napari_hsr.models import DEFAULT

        self._list(self.name() or DEFAULT)

    def set_scale(self, scale: int) -> None:
        """List the models for another scale; the one chosen there before, else the first."""
        self._chosen[self.scale] = self.name()
        self.scale = scale
        self._list(self._chosen.get(scale))

    def _list(self, wanted: str | None) -> None:
        self._listings = self._offered()
        at_hand = [x.name for x in self._listings if x.at_hand]
        row = at_hand.index(wanted) if wanted in at_hand else 0
        self.set_choices([_lines(x) for x in self._listings], row if at_hand else -1)
        grey = self.palette().windowText().color()
        grey.setAlphaF(0.5)
        for row, listing in enumerate(self._listings):
            self.setItemData(row, _tooltip(listing), Qt.ItemDataRole.ToolTipRole)
            if not listing.at_hand:  # wheel and arrow keys pass over it
                self.model().item(row).setFlags(Qt.ItemFlag.NoItemFlags)
                self.setItemData(row, grey, Qt.ItemDataRole.ForegroundRole)
        self._on_current()

    def _offered(self) -> list:
        from napari_hsr.models.model_list import listings

        return listings(self.task, self.scale)

    def listing(self):
        """What is known of the chosen model: a :class:`~napari_hsr.models.model_list.Listing`."""
        row = self.currentIndex()
        return self._listings[row] if 0 <= row < len(self._listings) else None

    def card(self):
        """The card of the chosen model, or None for an interpolation, or if there is no model."""
        return None if self.listing() is None else self.listing().card

    def name(self) -> str | None:
        """The name of the chosen model, or None."""
        return None if self.listing() is None else self.listing().name

    def set_name(self, name: str) -> None:
        """Choose a model by name; raises ValueError if it is not at hand."""
        self.setCurrentIndex([x.name for x in self._listings if x.at_hand].index(name))

    def showPopup(self) -> None:  # noqa: N802 - Qt's name
        """What was imported elsewhere, on the command line for instance, is there too."""
        self.refresh()
        room = self.view().sizeHintForColumn(0) + 2 * self.view().frameWidth() + 24
        self.view().setMinimumWidth(min(max(room, LIST_WIDTH[0]), LIST_WIDTH[1]))
        super().showPopup()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """A click on a greyed line of the open list asks for its weights."""
        if event.type() == QEvent.Type.MouseButtonPress:
            self._pressed = QPersistentModelIndex(self.view().indexAt(event.position().toPoint()))
        elif event.type() == QEvent.Type.MouseButtonRelease:
            at = self.view().indexAt(event.position().toPoint())
            clicked = at.isValid() and self._pressed == QPersistentModelIndex(at)
            if clicked and not self._listings[at.row()].at_hand:
                self.hidePopup()
                self.wanted.emit(self._listings[at.row()].entry)
                return True
        return super().eventFilter(watched, event)

    def _on_current(self, *_ignored) -> None:
        current = self.name(), self.card()
        if current != self._last:
            self._last = current
            self.changed.emit(current[1])


def _lines(listing) -> str:
    lines = [listing.title, listing.facts]
    if not listing.at_hand:
        page = listing.entry.page.removeprefix("https://")
        lines.insert(1, f"No weights here: {listing.to_have}")
        lines.append(page if listing.entry.published else f"none published: {page}")
    return "\n".join(lines)


def _tooltip(listing) -> str:
    """The details as wrapped text of a bearable width."""
    return (
        f"<div style='width: 420px'><p><b>{escape(listing.title)}</b></p>"
        f"{as_html(listing.details())}</div>"
    )
