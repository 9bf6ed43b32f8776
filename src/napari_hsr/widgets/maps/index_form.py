"""What index is wanted: one of those that the cube can give, or a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QLineEdit, QWidget

from napari_hsr.analysis.catalogue import catalogue, installed
from napari_hsr.analysis.indices import names, why_not
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import column, narrow_form
from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    from napari_hsr.cube import Cube

EXAMPLE = "(b650 - b550) / (b650 + b550)"


class IndexForm(QWidget):
    """The indices on offer, a line for a name or a formula, and how wavelengths are met.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._outline: Cube | None = None
        self._listing = JobSlot(self)
        self.choices = NarrowComboBox()
        self.choices.comes_later = True
        self.choices.setToolTip("The indices of the catalogue that this cube's bands can give")
        self.what = QLineEdit()
        self.what.setPlaceholderText(EXAMPLE)
        self.what.setToolTip(
            "An index by name, or a formula: b650 is the band at 650 nm; + - * / **, brackets, "
            "sqrt, log, log10, exp, abs, min, max"
        )
        self.interpolate = QCheckBox("Interpolate between bands")
        self.interpolate.setToolTip(
            "In a formula: a wavelength between two bands; unticked, the nearest band is taken"
        )
        self.about = WrappedLabel()
        rows = narrow_form()
        rows.addRow("Index", self.choices)
        rows.addRow("Name or formula", self.what)
        column(rows, self.interpolate, self.about, into=self).addStretch(1)
        self.choices.activated.connect(lambda _row: self.what.setText(self.choices.value()))
        self.what.textChanged.connect(self._on_text)
        self.interpolate.toggled.connect(lambda _on: self.changed.emit())

    def set_cube(self, outline: Cube | None) -> None:
        """Offer what a cube can give; only its bands count. The catalogue is read in a thread."""
        self._outline = outline
        self.choices.offer({}, None)
        self.choices.setPlaceholderText("none: write a formula")
        self._listing.drop()  # of a cube that is not chosen any more
        if outline is not None:
            self._listing.start(lambda _cancel: iter([installed()]), finished=self._offer)

    def release(self) -> None:
        """Hear no more of the catalogue."""
        self._listing.drop()

    def _offer(self, _installed: bool) -> None:
        found = [] if self._outline is None else names(self._outline)
        self._list(found, None)
        if found:
            self.choices.setPlaceholderText(f"choose one of {len(found)}")
        self.choices.setEnabled(bool(found))
        self._on_text()

    def _on_text(self, _text: str = "") -> None:
        text = self.text()
        found = catalogue().find(text) if text.isidentifier() and installed() else None
        self.about.setText(
            "" if found is None else f"{found.title} ({found.domain}): {found.formula}"
        )
        self.interpolate.setEnabled(found is None)
        listed = self.choices.offered()
        with_name = found.name if found is not None and found.name in listed else None
        self._list(listed, with_name)
        self.changed.emit()

    def _list(self, names: list[str], current: str | None) -> None:
        """Offer these indices, each with what its letters stand for."""
        titles = {name: present(catalogue().find(name)).title for name in names}
        self.choices.offer({name: f"{name} · {title}" for name, title in titles.items()}, current)

    def text(self) -> str:
        """The name or formula."""
        return self.what.text().strip()

    def why_not(self) -> str | None:
        """Why there is no such map, in one sentence."""
        if self._outline is None:
            return None
        return why_not(self._outline, self.text(), interpolate=self.interpolate.isChecked())
