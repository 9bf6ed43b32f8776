"""The list of models at hand, and the networks whose weights are still to be imported."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QFont
from qtpy.QtWidgets import QMenu, QPushButton, QWidget

from napari_hsr.models.card import RECONSTRUCTION
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.models_changed import models_changed
from napari_hsr.widgets.common.plain_text import on_button, visible
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.models.card_view import as_html


class ModelChooser(NarrowComboBox):
    """The models at hand, one line each; what is known of them is in the tool tips.

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
    """

    changed = Signal(object)

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
        self.setPlaceholderText("no model installed")
        self.refresh()
        self.currentIndexChanged.connect(self._on_current)
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
        self._listings = [listing for listing in self._offered() if listing.at_hand]
        names = [listing.name for listing in self._listings]
        row = names.index(wanted) if wanted in names else 0
        self.set_choices([listing.title for listing in self._listings], row if names else -1)
        bold = QFont(self.font())
        bold.setBold(True)
        for row in range(len(names)):
            self.setItemData(row, bold, Qt.ItemDataRole.FontRole)
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
        self.setCurrentIndex([x.name for x in self._listings].index(name))

    def showPopup(self) -> None:  # noqa: N802 - Qt's name
        """What was imported elsewhere, on the command line for instance, is there too."""
        self.refresh()
        self.explain()
        super().showPopup()

    def explain(self) -> None:
        """Give each entry its tool tip: these take longer to write than all else."""
        for row, listing in enumerate(self._listings):
            self.setItemData(row, _brief(listing), Qt.ItemDataRole.ToolTipRole)

    def _on_current(self, *_ignored) -> None:
        current = self.name(), self.card()
        self.setToolTip(_brief(self.listing()) if self.listing() else "No model is installed")
        if current != self._last:
            self._last = current
            self.changed.emit(current[1])


class MoreNetworks(QPushButton):
    """A button with the networks whose weights are not here; one that is chosen asks for them.

    Signals
    -------
    wanted(object)
        The :class:`~napari_hsr.models.published_weights.Entry` of the chosen one.
    """

    wanted = Signal(object)

    def __init__(self, task: str, parent: QWidget | None = None):
        super().__init__("More networks…", parent)
        self.task = task
        self.setToolTip(
            "Published networks whose weights are not on this computer: how to get or train them"
        )
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self.fill)
        self.setMenu(menu)

    def fill(self) -> None:
        """List those that are missing now."""
        from napari_hsr.models.model_list import listings

        menu = present(self.menu())
        menu.clear()
        for listing in listings(self.task):
            if not listing.at_hand:
                action = present(menu.addAction(on_button(listing.title)))
                action.setToolTip(_whole(listing))
                action.triggered.connect(
                    lambda _checked=False, entry=listing.entry: self.wanted.emit(entry)
                )


def _brief(listing) -> str:
    """What tells a model from others; the card below the list has all of it."""
    parts = (listing.purpose, listing.output, listing.size)
    return _wrapped(listing, escape(visible(" · ".join(filter(None, parts)))))


def _whole(listing) -> str:
    """All that is known of a network that has no card yet."""
    how = ("How to get it", f"Weights are not here: {listing.to_have}")
    return _wrapped(listing, as_html([how, *listing.details()]))


def _wrapped(listing, text: str) -> str:
    title = escape(visible(listing.title))
    return f"<div style='width: 420px'><p><b>{title}</b></p>{text}</div>"
