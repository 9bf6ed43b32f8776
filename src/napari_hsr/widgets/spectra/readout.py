"""The values under the cursor, in as many lines as there are cubes: never more while it moves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QWidget
from superqt import QElidingLabel

from napari_hsr.viewer.axis import current_band
from napari_hsr.widgets.common.plain_text import one_line
from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.widgets.spectra.sources import Shown

#: Cubes whose values have a line; Copy takes all.
MOST = 4


class ReadOut(QWidget):
    """A line for the band and the place, and one for each cube.

    The lines are placed here, each with a size of its own, rather than by a layout, which would
    lay out the whole panel at each new text.
    """

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._said: list[str] = []
        self._lines = [QElidingLabel(self) for _ in range(1 + MOST)]
        for line in self._lines:
            line.setTextFormat(Qt.TextFormat.PlainText)
            line.setElideMode(Qt.TextElideMode.ElideRight)  # value and cube stand first
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.set_cubes(1)

    def set_cubes(self, cubes: int) -> None:
        """Keep room for the values of so many cubes."""
        rows = 1 + min(max(cubes, 1), MOST)
        self.setFixedHeight(rows * self._line_height())
        for at, line in enumerate(self._lines):
            line.setVisible(at < rows)

    def set_lines(self, lines: list[str]) -> None:
        """Show these, as far as there is room."""
        if lines != self._said:
            self._said = lines
            for label, text in zip(self._lines, [*lines, *[""] * len(self._lines)], strict=False):
                label.setText(one_line(text))

    def text(self) -> str:
        """All lines."""
        return "\n".join(self._said)

    def resizeEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Each line takes the whole width."""
        super().resizeEvent(event)
        for at, line in enumerate(self._lines):
            line.move(0, at * self._line_height())
            line.setFixedSize(self.width(), self._line_height())

    def _line_height(self) -> int:
        return self.fontMetrics().lineSpacing() + 2


def readout(viewer: Any, cursor: Sequence[Shown], nm: float | None) -> list[str]:
    """The values at the cursor: the band and the place, then one line a cube.

    For example ``λ = 550 nm, reflectance, row 120, column 88`` and ``0.412 (prediction)``. Values
    are those of the band on show; band centres that differ from ``nm`` are given, as are rows
    and columns if they differ between cubes.
    """
    if not cursor:
        return []
    units = {shown.curve.units for shown in cursor}
    one_pixel = len({shown.pixel for shown in cursor}) == 1
    values, bands = [], []
    for shown in cursor:
        source = present(shown.source)  # the cursor is in a cube
        band = current_band(viewer, source.layer)
        bands.append(band)
        if band is None:
            values.append(f"no band here ({source.name})")
            continue
        notes = [source.name]
        wavelengths = shown.curve.wavelengths_nm
        if wavelengths is not None and nm is not None and abs(wavelengths[band] - nm) > 0.05:
            notes.append(f"{wavelengths[band]:.5g} nm")
        if not one_pixel:
            notes.append(_place(shown))
        unit = f" {shown.curve.units}" if len(units) > 1 and shown.curve.units else ""
        value = float(shown.curve.mean[band])
        number = f"{_number(shown, band)}{unit}" if math.isfinite(value) else "no value"
        notes += _trusted(shown)
        values.append(f"{number} ({', '.join(notes)})")
    # bands count from 1, as everywhere
    band_text = next((f"band {band + 1}" for band in bands if band is not None), None)
    where = band_text if nm is None else f"λ = {nm:.5g} nm"
    shared = next(iter(units)) if len(units) == 1 else None
    head = [where, shared, _place(cursor[0]) if one_pixel else None]
    return [", ".join(filter(None, head)), *values]


def _number(shown: Shown, band: int) -> str:
    """The value of a band, with half the interval around it (the lower end stops at zero) to two digits."""
    value = float(shown.curve.mean[band])
    for name, (_, upper) in shown.curve.ranges.items():
        half = float(upper[band]) - value
        if name != "feasible" and 0 < half < math.inf:
            digits = max(0, 1 - math.floor(math.log10(half)))
            return f"{value:.{digits}f} ± {half:.{digits}f}"
    return f"{value:.4g}"


def _trusted(shown: Shown) -> list[str]:
    share = shown.curve.measured_share
    said = [] if share is None else [f"{share:.0%} measured"]
    said += [f"± in {name} of pixels" for name in shown.curve.ranges if name != "feasible"]
    if shown.marks:
        said.append("outside the feasible band")
    return said


def _place(shown: Shown) -> str:
    row, column = present(shown.pixel)
    return f"row {row}, column {column}"


def advice(viewer: Any, cubes: bool, cursor: bool) -> str:
    """What to do where nothing is drawn: whether there are visible cubes, and the cursor's box is ticked."""
    if not cubes:
        hidden = any(True for layer in viewer.layers if not layer.visible)
        first = "Make a cube visible" if hidden else "Open a cube"
        return f"{first}, then move the mouse over it; Shift-click pins a spectrum."
    if not cursor:
        return "Tick “Cursor” for the spectrum under the mouse; Shift-click pins a spectrum."
    if viewer.dims.ndisplay != 2:
        return "Switch to the 2-D view for the spectrum under the mouse."
    return "Move the mouse over the cube; Shift-click pins a spectrum."
