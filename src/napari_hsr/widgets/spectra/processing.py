"""How the curves are drawn: as they are, normalised, differentiated or against another one."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QLabel, QSpinBox, QStackedWidget, QWidget

from napari_hsr.errors import InputError
from napari_hsr.spectra import PROCESSINGS, Processing
from napari_hsr.spectra.processing import WITH_OTHER, WITH_WINDOW
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.lasting_chooser import LastingChooser
from napari_hsr.widgets.common.layouts import row
from napari_hsr.widgets.common.plain_text import one_line
from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_hsr.spectra import Curve
    from napari_hsr.widgets.spectra.sources import Shown

#: Width of the line of a highlighted curve, in pixels.
_BOLD = 4.5
#: Units of curves that are drawn together, each of which the axis names.
_NAMED = 2


class ProcessingRow(QWidget):
    """The choice of a processing, and beside it what that needs.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.choice = NarrowComboBox()
        self.choice.offer(PROCESSINGS, "none")
        self.choice.setToolTip("What is drawn of each curve; a region's is its mean")
        self.other = LastingChooser()
        self.other.set_empty("pin it first")
        self.other.setToolTip("The pin, region or library entry that the curves are held against")
        self.nm = QDoubleSpinBox()
        self.nm.setRange(1, 99_999)
        self.nm.setDecimals(1)
        self.nm.setValue(550)
        self.nm.setSuffix(" nm")
        self.nm.setToolTip("The wavelength at which every curve becomes 1")
        self.window_box = QSpinBox()
        self.window_box.setRange(3, 101)
        self.window_box.setSingleStep(2)
        self.window_box.setValue(7)
        self.window_box.setSuffix(" bands")
        self.window_box.setToolTip("Window of the polynomials (Savitzky–Golay, degree 2), odd")
        self._needs = QStackedWidget()
        for part in (QWidget(), self.other, self.nm, self.window_box):
            self._needs.addWidget(part)
        line = row(QLabel("Draw"), self.choice, self._needs, into=self)
        line.setStretch(1, 1)
        line.setStretch(2, 1)
        self.choice.currentIndexChanged.connect(self._on_choice)
        self.other.currentIndexChanged.connect(lambda _at: self.changed.emit())
        self.nm.valueChanged.connect(lambda _nm: self.changed.emit())
        self.window_box.valueChanged.connect(self._on_window)

    def _on_window(self, bands: int) -> None:
        if bands % 2:
            self.changed.emit()
        else:
            self.window_box.setValue(bands + 1)

    def _on_choice(self, *_at: int) -> None:
        name = self.name
        needed = 1 if name in WITH_OTHER else 3 if name in WITH_WINDOW else 0
        self._needs.setCurrentIndex(2 if name == "wavelength" else needed)
        self.changed.emit()

    @property
    def name(self) -> str:
        """Of the processing."""
        return self.choice.value()

    def offer_others(self, shown: Sequence[Shown]) -> None:
        """The curves that others can be held against, without a signal; the chosen one stays."""
        offered = {one.origin: one.name for one in shown}
        used = self.name in WITH_OTHER
        self.other.offer_there(offered, next(iter(offered), None), in_use=used)

    @property
    def problem(self) -> str:
        """Why nothing is drawn, in one sentence; empty if something is."""
        missing = self.other.missing if self.name in WITH_OTHER else ""
        if not missing:
            return ""
        what = f"“{one_line(missing)}”, which all curves are held against,"
        if self.other.removed:
            return f"{what} was removed: nothing is drawn until another one is chosen."
        return f"{what} is not on show: nothing is drawn until it is, or another one is chosen."

    def against(self, one: Shown, others: Sequence[Shown]) -> Shown | None:
        """What a curve is held against: of the others with the chosen origin, that of the same cube."""
        if self.name not in WITH_OTHER:
            return None
        held = [other for other in others if other.origin == self.other.value()]
        own = [other for other in held if _cube_of(other) == _cube_of(one)]
        return next(iter([*own, *held]), None)

    def processing(self, other: Shown | None) -> Processing:
        """As it is chosen, against another curve."""
        return Processing(
            self.name,
            nm=self.nm.value(),
            other=other.curve if other else None,
            window=self.window_box.value(),
        )


class Marks:
    """Which curves the user has hidden and highlighted: of a viewer, whatever panel shows them."""

    def __init__(self) -> None:
        self.hidden: dict[Any, bool] = {}
        self.unticked_layers: set[Any] = set()  # whose curves are drawn only when ticked
        self.highlighted: Any = None

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """Forget the curves that are gone, by their keys."""
        self.hidden = {key: on for key, on in self.hidden.items() if key is None or not gone(key)}
        if self.highlighted is not None and gone(self.highlighted):
            self.highlighted = None


class Look:
    """Which curves are drawn, and how: processed, hidden, highlighted."""

    def __init__(self, choice: ProcessingRow, marks: Marks):
        self._choice, self.marks = choice, marks
        self._made: weakref.WeakKeyDictionary[Shown, Shown | str] = weakref.WeakKeyDictionary()
        self.problem = ""

    def forget(self) -> None:
        """The processing is another one, or the curve that others are held against."""
        self._made.clear()

    def is_hidden(self, key: Any) -> bool:
        """Whether the curve with this key is not drawn."""
        unticked = key is not None and key[0][0] in self.marks.unticked_layers
        return self.marks.hidden.get(key, unticked)

    def set_hidden(self, key: Any, hidden: bool) -> None:
        """Draw it no longer, or again."""
        self.marks.hidden[key] = hidden

    def __call__(self, shown: Sequence[Shown], others: Sequence[Shown]) -> list[Shown]:
        """These as they are drawn; ``problem`` says why one is not."""
        self.problem = ""
        found = []
        for one in shown:
            if self.is_hidden(one.key):
                continue
            made = self._processed(one, others)
            if isinstance(made, str):
                self.problem = self.problem or made
                continue
            if one.key is not None and one.key == self.marks.highlighted:
                made = replace(made, drawn=replace(made.drawn, width=_BOLD))
            found.append(made)
        return found

    def _processed(self, one: Shown, others: Sequence[Shown]) -> Shown | str:
        if self._choice.name == "none":
            return one
        if problem := self._choice.problem:
            return problem
        if one not in self._made:
            try:
                other = self._choice.against(one, others)
                curve = self._choice.processing(other)(one.curve)
            except InputError as error:
                self._made[one] = str(error)
            else:
                if other is not None and other.source and _cube_of(other) != _cube_of(one):
                    # none of its own: the unit says whose it is, on the axis and in files
                    named = one_line(f"{other.name} · {other.source.name}", 80)
                    curve = replace(curve, units=f"{curve.units or 'value'}, against {named}")
                drawn = replace(one.drawn, y=_inside(one, curve), std=curve.std)
                self._made[one] = replace(one, curve=curve, drawn=drawn, behind=(), marks=())
        return self._made[one]

    def y_label(self, shown: Sequence[Shown]) -> str:
        """The label of the y axis for what is drawn; empty where nothing is processed."""
        if self._choice.name == "none":
            return ""
        units = {one.curve.units or "value" for one in shown}
        if 1 <= len(units) <= _NAMED:
            return " | ".join(sorted(units))
        return "value (units differ)" if units else PROCESSINGS[self._choice.name]


def _cube_of(one: Shown) -> Any:
    """The layer whose cube a curve is of, None for an entry of a library."""
    return None if one.source is None else one.source.key


def _inside(one: Shown, curve: Curve) -> np.ndarray:
    """The values at the wavelengths that are drawn: of a library, those of the cubes."""
    if len(one.drawn.x) == len(curve):
        return curve.mean
    return curve.mean[np.isin(present(curve.wavelengths_nm), one.drawn.x)]
