"""Combo boxes for layers, encodings and devices that keep up with what is available."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import (
    QComboBox,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_hsr.viewer.layer_data import is_training_preview
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.focus import frame_focus
from napari_hsr.widgets.common.job import Job
from napari_hsr.widgets.common.models_changed import models_changed
from napari_hsr.widgets.common.plain_text import one_line, tip, visible
from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


#: Within this time, in ms, a panel has been drawn, if the computer is not busy; and how often it is waited.
DRAWN_MS, _OFTEN = 250, 40


class DrawnTimer(QTimer):
    """A single shot that also waits until the panel around a part of it has been painted.

    Signals
    -------
    elapsed()
        Time is up, and what the panel says is seen; or it was not painted for ten seconds.
    """

    elapsed = Signal()

    def __init__(self, part: QWidget):
        super().__init__(part)
        self._part, self._left = part, 0
        self.setSingleShot(True)
        self.timeout.connect(self._look)

    def begin(self, milliseconds: int) -> None:
        """Start anew."""
        self._left = _OFTEN
        self.start(milliseconds)

    def _look(self) -> None:
        panel: QWidget | None = self._part
        while panel is not None and not hasattr(panel, "painted"):
            panel = panel.parentWidget()
        seen = panel is None or panel.visibleRegion().isEmpty() or getattr(panel, "painted", True)
        if not seen and self._left:
            self._left -= 1
            self.start(DRAWN_MS)
        else:
            self.elapsed.emit()


#: Pixels that the style keeps free beside a text.
MARGIN = 4
#: Pixels of an open list beside its texts.
_BESIDE = 48
#: Letters of a text that a chooser asks for room for, at most.
WIDEST = 48


class NarrowComboBox(QComboBox):
    """A combo box that shortens long texts rather than keeping its panel wide.

    It asks for the room of its text, which a dock with a panel alone has, and makes do with little.
    """

    #: Where long texts are shortened: at the end, or in the middle where the ends differ.
    elide = Qt.TextElideMode.ElideRight
    #: Whether its entries come later than the panel, and the one that a session wants until then.
    comes_later, awaited = False, ""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._values: list[Any] = []
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setMinimumWidth(72)  # below what style sheets would ask for
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_choices(self, texts: list[str], current: int) -> None:
        """Replace all entries, without a signal."""
        with signals_blocked(self):
            self.clear()
            self.addItems([visible(text) for text in texts])
            for row, text in enumerate(texts):
                self.setItemData(row, tip(text), Qt.ItemDataRole.ToolTipRole)
            self.setCurrentIndex(current)

    def offer(self, labels: Mapping[Any, str], current: Any) -> None:
        """Replace all entries by these values, each with its label, without a signal."""
        self._values = list(labels)
        if self.awaited in labels.values():
            current = next(value for value, label in labels.items() if label == self.awaited)
            self.awaited = ""
        row = self._values.index(current) if current in self._values else -1
        self.set_choices(list(labels.values()), row)

    def await_text(self, text: str) -> None:
        """Choose the entry with this text as soon as there is one."""
        self.awaited = text

    def said(self) -> str:
        """The text of what is chosen, or waited for; empty where nothing is."""
        return self.currentText() or self.awaited

    def offered(self) -> list[Any]:
        """The values that can be chosen."""
        return list(self._values)

    def value(self) -> Any:
        """The chosen value of those that :meth:`offer` lists; None if there is none."""
        row = self.currentIndex()
        return self._values[row] if row >= 0 else None

    def set_value(self, value: Any) -> None:
        """Choose a value as the user would; ValueError if it is not offered."""
        self.setCurrentIndex(self._values.index(value))

    def showPopup(self) -> None:  # noqa: N802 - Qt's name
        """The list has room for its entries, where there is any beside the panel."""
        view, screen = present(self.view()), present(self.screen()).availableGeometry()
        role = Qt.ItemDataRole.FontRole
        widths = [
            QFontMetrics(self.itemData(row, role) or self.font()).horizontalAdvance(line)
            for row in range(self.count())
            for line in self.itemText(row).split("\n")
        ]
        view.setMinimumWidth(min(max(widths, default=0) + _BESIDE, screen.width() // 2))
        super().showPopup()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As wide as what it says, to be read whole, but for long names."""
        narrow, metrics, option = super().sizeHint(), self.fontMetrics(), QStyleOptionComboBox()
        self.initStyleOption(option)
        option.rect.setWidth(narrow.width())
        style = present(self.style())
        room = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        text = metrics.horizontalAdvance(self._said().split("\n")[0]) + 2 * MARGIN
        frame = narrow.width() - room.width()
        return narrow.expandedTo(QSize(min(text, WIDEST * metrics.averageCharWidth()) + frame, 0))

    def _said(self) -> str:
        return self.currentText() if self.currentIndex() >= 0 else self.placeholderText()

    def paintEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Paint the current text with an ellipsis where it is too long (style sheets cut it)."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        if self.currentIndex() < 0:
            option.currentText = self.placeholderText()
        style = present(self.style())
        room = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = option.fontMetrics.elidedText(
            (option.currentText or "").split("\n")[0], self.elide, room.width() - MARGIN
        )
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()  # now, not when Python drops the last reference
        frame_focus(self)


class LayerChooser(NarrowComboBox):
    """The viewer's layers of one kind.

    Until the user has chosen, it follows the viewer: the active layer if it is of the right
    kind, else the newest; what a training shows by itself only where there is nothing else. A choice
    once made is kept for as long as its layer is there.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    accepts : callable
        ``accepts(layer) -> bool``: whether a layer is offered.
    parent : QWidget, optional
    empty : str
        What it says when there is nothing to choose.
    rather : callable, optional
        ``rather(layer) -> bool``: whether a layer is taken by itself where there are others.

    Signals
    -------
    changed(object)
        The layer, or None, when another one became current.
    """

    changed = Signal(object)

    def __init__(
        self,
        viewer,
        accepts: Callable[[object], bool],
        parent: QWidget | None = None,
        *,
        empty: str = "no photograph open",
        rather: Callable[[Any], bool] = lambda _layer: True,
    ):
        super().__init__(parent)
        self._viewer = viewer
        self._accepts, self._rather = accepts, rather
        self._current = None
        self._touched = False
        self._empty = f"{empty[:1].upper()}{empty[1:]}"
        self.setPlaceholderText(empty)
        self.activated.connect(self._on_activated)
        self._connections = Connections(self)
        self.attach()

    def attach(self) -> None:
        """Follow the viewer's layers, from the beginning on and after :meth:`release`."""
        self.release()
        events = self._viewer.layers.events
        for emitter in (events.inserted, events.removed, events.reordered, events.renamed):
            self._connections.connect(emitter, "refresh")
        self._connections.connect(self._viewer.layers.selection.events.active, "refresh")
        self._connections.connect(events, "_on_changed")
        self.refresh()

    def release(self) -> None:
        """Leave the viewer without callbacks of this chooser; what is chosen stays."""
        self._connections.close()

    @property
    def by_hand(self) -> bool:
        """Whether what is chosen was chosen by the user, and is there still."""
        return self._touched

    def layer(self):
        """The chosen layer, or None if there is none."""
        return self._current

    def layers(self) -> list:
        """All layers on offer, in the viewer's order."""
        return self.offered()

    def set_layer(self, layer) -> None:
        """Choose ``layer`` as if the user had; one that is not on offer is refused.

        Raises
        ------
        ValueError
            If the layer is not among those on offer.
        """
        self._touched = True
        self._make_current(self._values[self._values.index(layer)])

    def refresh(self, event=None) -> None:
        """Look again at what the viewer holds (also when ``accepts`` would answer otherwise)."""
        self._values = [layer for layer in self._viewer.layers if self._accepts(layer)]
        if self._current not in self._values:
            self._touched = False
        self._make_current(self._current if self._touched else self._preferred())

    def _on_changed(self, event) -> None:
        """Other data may have made another kind of a layer: no cube has two axes."""
        there = self._viewer.layers if event.type == "data" else ()
        if there and self._values != [layer for layer in there if self._accepts(layer)]:
            self.refresh()

    def _preferred(self):
        own = [layer for layer in self._values if not is_training_preview(layer)] or self._values
        meant = [*filter(self._rather, own)] or own
        for wanted in (self._viewer.layers.selection.active, self._current):
            if wanted in meant:
                return meant[meant.index(wanted)]
        return meant[-1] if meant else None

    def _on_activated(self, row: int) -> None:
        self._touched = True
        self._make_current(self._values[row])

    def _make_current(self, layer) -> None:
        self.offer({one: one_line(one.name) for one in self._values}, layer)
        self.setEnabled(bool(self._values))
        self.setToolTip(self._empty if layer is None else tip(layer.name))
        if layer != self._current:  # napari hands out new proxies of one layer
            self._current = layer
            self.changed.emit(layer)


class EncodingChooser(NarrowComboBox):
    """The encodings that a photograph may be in.

    Offers those that need no camera, and the camera responses that installed models were
    made for.

    Signals
    -------
    chosen(str)
        The encoding that the *user* has stated.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setPlaceholderText("not known: choose")
        self.setToolTip("How the photograph's numbers stand for light")
        self.refresh()
        self._connections = Connections(self)
        self._connections.connect(models_changed, "refresh")
        self.activated.connect(lambda row: self.chosen.emit(self._values[row]))

    def refresh(self, event=None) -> None:
        """Look again at what the installed models were made for; what is shown stays."""
        from napari_hsr.colour import ENCODINGS
        from napari_hsr.models import list_models
        from napari_hsr.models.card import CUBE

        shown = self.encoding()
        cameras = {c.input_encoding for c in list_models()} - {*ENCODINGS, CUBE}
        self._values = [*ENCODINGS, *sorted(cameras)]
        self.show_encoding(shown)

    def _said(self) -> str:
        from napari_hsr.colour import encoding_label
        from napari_hsr.photograph import SRGB

        # what most photographs turn out to be, once a panel is docked
        return super()._said() if self.currentIndex() >= 0 else encoding_label(SRGB)

    def encoding(self) -> str | None:
        """The encoding that is shown, None if it is not known."""
        return self.value()

    def show_encoding(self, encoding: str | None) -> None:
        """Show what is known, without a signal."""
        from napari_hsr.colour import encoding_label

        known = self._values if encoding is None else [*self._values, encoding]
        self.offer({one: encoding_label(one) for one in known}, encoding)


class DeviceChooser(NarrowComboBox):
    """``auto``, each CUDA device by name, ``mps`` and ``cpu``.

    Finding the devices loads torch, so it is done in a thread, once the panel has been drawn with
    what it says about that: loading keeps everything else waiting. ``auto`` can be chosen from the
    beginning.
    """

    comes_later = True

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.offer({"auto": "auto"}, "auto")
        self._search = Job(_find_devices, parent=self)
        self._search.finished.connect(self._show)
        self._search.failed.connect(self._show_failure)
        self.setToolTip("Where the model runs: automatic takes a GPU if there is one")
        self._begin = DrawnTimer(self)
        self._begin.elapsed.connect(self._search.start)
        self._begin.begin(DRAWN_MS)

    def device(self) -> str:
        """The id of the chosen device, as :func:`napari_hsr.inference.reconstruct_events` takes it."""
        return self.value()

    def _show(self, devices: list) -> None:
        self.offer({device.id: device.label for device in devices}, self.device())

    def _show_failure(self, error: Exception) -> None:
        self.setToolTip(tip(f"The devices could not be listed: {error}"))


def _find_devices(_cancel):
    from napari_hsr.inference import list_devices

    yield list(list_devices())
