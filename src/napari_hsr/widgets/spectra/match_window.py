"""The entries of a library most like a pin or a region."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QFileDialog, QLabel, QTableWidget, QTableWidgetItem
from superqt.utils import signals_blocked

from napari_hsr.errors import HSRError
from napari_hsr.io.bands import widths_of
from napari_hsr.io.libraries import LIBRARY_SUFFIXES
from napari_hsr.matching import MEASURES, match
from napari_hsr.viewer.computed_cubes import check_computed
from napari_hsr.viewer.trust_maps import evidence_of
from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.help_window import HelpButton
from napari_hsr.widgets.common.lasting_chooser import LastingChooser
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.common.plain_text import one_line, tip
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.table import fit_columns, widen_for
from napari_hsr.widgets.spectra.exports import try_to
from napari_hsr.widgets.spectra.libraries import LIBRARY
from napari_hsr.widgets.spectra.sources import told_apart

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hsr.matching import Matches

#: Entries listed.
MOST = 20
_ALIKE = "Its colour differs from the best one's by less than the camera's noise"
HEADS = ("Entry", "Angle (°)", "SID", "Correlation")


def ask_library(panel: Any, parent: QDialog, message: Message) -> None:
    """Ask for files of spectra, and open them in the panel."""
    kinds = " ".join(f"*{suffix}" for suffix in (*LIBRARY_SUFFIXES, ".hdr"))
    paths, _ = QFileDialog.getOpenFileNames(
        parent, "Open spectra", "", f"Spectra ({kinds});;All files (*)"
    )
    for path in paths:
        try_to(message, partial(_opened, panel, Path(path)))


def _opened(panel: Any, path: Path) -> str:
    library = panel.libraries.opened[panel.load_library(path)]
    said = f"{path.name}: {len(library):,} {'spectrum' if len(library) == 1 else 'spectra'}, {library.wavelengths.describe()}."
    return " ".join([said, *library.notices])


class MatchWindow(QDialog):
    """The best entries for one curve, found anew whenever something changes.

    Parameters
    ----------
    panel : CurvePanel
    """

    def __init__(self, panel: Any):
        super().__init__(panel)
        self._panel = panel
        self._found: Matches | None = None
        self._at, self._fitted = 0, False
        self.setWindowTitle("Match")
        self.resize(460, 560)
        self.curve = LastingChooser()
        self.curve.elide = Qt.TextElideMode.ElideMiddle
        self.curve.set_empty("no pin or region yet")
        self.curve.setToolTip("The pin or region that is looked up")
        self.library = NarrowComboBox()
        self.library.setPlaceholderText("none opened")
        self.library.setToolTip("The file of spectra that is searched")
        self.by = NarrowComboBox()
        self.by.offer({name: words for name, (words, _) in MEASURES.items()}, "angle")
        self.by.setToolTip("The measure that orders the entries")
        for chooser in (self.curve, self.library, self.by):
            chooser.currentIndexChanged.connect(lambda _at: self._match())
        self.open_button = button("Open…", self._ask, "Open files of spectra (libraries)")
        self.table = QTableWidget(0, len(HEADS))
        self.table.setHorizontalHeaderLabels(list(HEADS))
        present(self.table.verticalHeader()).hide()
        self.table.setToolTip("Tick an entry to draw it beside the pixels")
        self.table.itemChanged.connect(self._on_item)
        self.message = Message()
        self.said = Message()
        layout = column(
            row(QLabel("Spectrum"), self.curve, stretch=self.curve),
            row(QLabel("Library"), self.library, self.open_button, stretch=self.library),
            row(QLabel("Ordered by"), self.by, HelpButton(self), stretch=self.by),
            self.table,
            self.said,
            self.message,
            into=self,
        )
        layout.setContentsMargins(9, 9, 9, 9)
        name_controls(self)

    def refresh(self) -> None:
        """Offer the curves and libraries that there are now, and match again."""
        curves = told_apart([one for one in self._panel.kept if one.origin[0] != LIBRARY])
        known = self.curve.value()
        newest = known if known in curves else next(reversed(curves), None)
        self.curve.offer_there(curves, newest, in_use=False)
        opened = self._panel.libraries.opened
        names = {at: f"{one.name} ({len(one):,})" for at, one in enumerate(opened)}
        known = self.library.value()
        more = known is None or len(names) > len(self.library.offered())
        self.library.offer(names, max(names, default=None) if more else known)
        self._match()

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """A curve that is gone is matched no longer, though another may have its key."""
        self.curve.forget(gone)

    @property
    def found(self) -> Matches | None:
        """What is listed."""
        return self._found

    def _match(self) -> None:
        self._found = None
        one = next((c for c in self._panel.kept if c.key == self.curve.value()), None)
        at = self.library.value()
        self.said.clear()
        if missing := self.curve.missing:
            gone = "was removed: choose another spectrum."
            hidden = "is not on show: show it again, or choose another spectrum."
            state = gone if self.curve.removed else hidden
            self.said.show_warning(f"“{one_line(missing)}” {state}")
        elif one is None or at is None:
            steps = [] if at is not None else ["open a library"]
            if one is None:
                steps.append(
                    "pin a pixel by Shift-click or draw a region in a Shapes or Labels layer"
                )
            self.said.show_info(f"To find entries like a curve, {' and '.join(steps)}.")
        else:
            try:
                check_computed(one.source.cube)
                curve = one.curve
                entries = self._panel.libraries.entries(
                    at, curve.wavelengths_nm, len(curve), widths_of(one.source.cube)
                )
                evidence = evidence_of(one.source.layer)
                self._found = match(
                    curve,
                    entries,
                    by=self.by.value(),
                    most=MOST,
                    cube=one.source.cube,
                    seen=None if evidence is None else evidence.linear_camera,
                )
                self._at = at
            except HSRError as error:
                self.said.show_exception(error)
            else:
                if self._found.notices:
                    self.said.show_warning(" ".join(self._found.notices))
        self._fill()

    def _fill(self) -> None:
        best = self._found.best if self._found else ()
        with signals_blocked(self.table):
            self.table.setRowCount(len(best))
            for at, one in enumerate(best):
                drawn = self._panel.libraries.is_drawn((LIBRARY, self._at, one.number))
                alike = " ≈" if one.indistinguishable else ""
                name = QTableWidgetItem(one_line(one.name) + alike)
                why = f"\n{_ALIKE}" if alike else ""
                name.setToolTip(tip(one.name + why))
                states = Qt.CheckState
                name.setCheckState(states.Checked if drawn else states.Unchecked)
                texts = f"{one.angle:.3f}", f"{one.sid:.4f}", f"{one.correlation:.4f}"
                cells = [name, *map(QTableWidgetItem, texts)]
                flags = Qt.ItemFlag
                for place, cell in enumerate(cells):
                    kind = flags.ItemIsEnabled
                    if not place:
                        kind |= flags.ItemIsUserCheckable
                    else:
                        right, middle = Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignVCenter
                        cell.setTextAlignment(right | middle)
                    cell.setFlags(kind)
                    self.table.setItem(at, place, cell)
        fit_columns(self.table)
        if best and not self._fitted and self.isVisible():
            self._fitted = True  # once: from here on the width is the user's
            widen_for(self.table)

    def _on_item(self, item: QTableWidgetItem) -> None:
        if item.column() or self._found is None:
            return
        number = self._found.best[item.row()].number
        drawn = item.checkState() == Qt.CheckState.Checked
        self._panel.draw_entry((LIBRARY, self._at, number), drawn)

    def _ask(self) -> None:
        ask_library(self._panel, self, self.message)
