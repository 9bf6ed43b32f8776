"""Pins over the frames of a film or stack: the band on show, or an index, as a plot and a table."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QDialog, QLabel, QWidget

from napari_hsr.errors import InputError
from napari_hsr.inference.stacks.over_time import PixelsOverTime
from napari_hsr.viewer.axis import current_band, current_nm
from napari_hsr.viewer.frames import go_to_frame, shown_frame
from napari_hsr.viewer.layer_data import is_frames, layer_cube
from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.choosers import LayerChooser, NarrowComboBox
from napari_hsr.widgets.common.close_guard import computing_question
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.help_window import HelpButton
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.common.progress_bar import ProgressBar
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.maps.index_form import IndexForm
from napari_hsr.widgets.plotting.curves import PlotCurve
from napari_hsr.widgets.plotting.plot import SpectrumPlot
from napari_hsr.widgets.spectra.exports import ask_and_write, need_curves

if TYPE_CHECKING:
    from pathlib import Path

    from qtpy.QtGui import QShowEvent

    from napari_hsr.inference.stacks.over_time import OverTime
    from napari_hsr.progress import Progress
    from napari_hsr.widgets.spectra.sources import Shown

#: Shortest time between two pictures of what has been computed, in seconds.
_REDRAW = 0.15


class OverTimeWindow(QDialog):
    """Choose a film's cubes and what is plotted of its pins; frames are computed in a thread.

    A model that sees one pixel at a time is run at once, others when Compute is pressed. What is
    known of a pin stays while the window is there.

    Parameters
    ----------
    panel : CurvePanel
        Whose pins they are.
    viewer : napari viewer
    """

    def __init__(self, panel: Any, viewer: Any):
        super().__init__(panel)
        self._panel, self._viewer = panel, viewer
        self._known: dict[Any, PixelsOverTime] = {}  # by layer
        self._found: OverTime | None = None
        self._shown: list[Shown] = []
        self._values = np.empty((0, 0))
        self._asked: tuple[Any, ...] = ()  # cubes, pins and axis that were computed or stopped
        self._drawn_at = 0.0
        self.setWindowTitle("Over time")
        self.resize(620, 640)
        self.cubes = LayerChooser(viewer, is_frames, self, empty="no cubes of a film or stack")
        self.along = NarrowComboBox()
        self.along.setToolTip("The axis of the stack that is plotted")
        self._along_row = QWidget()
        row(QLabel("Along"), self.along, stretch=self.along, into=self._along_row)
        self.plot = SpectrumPlot()
        self.index = IndexForm()
        self.index_fold = Fold("An index in place of the band on show", self.index)
        self.compute_button = button("Compute", self.compute, "Compute the frames that are missing")
        self.cancel_button = button("Cancel", self.cancel, "Stop; what is computed stays")
        self.progress = ProgressBar("Frames that are done")
        self.csv_button = button("Export CSV…", self._ask_csv, "One row a frame, one column a pin")
        self.png_button = button(
            "Export PNG…", self._ask_png, "The plot and its whole legend, black on white for print"
        )
        self.message = Message()
        self._jobs = JobSlot(self)
        exports = row(self.csv_button, self.png_button, HelpButton(self))
        exports.insertStretch(0, 1)
        layout = column(
            row(QLabel("Cubes"), self.cubes, stretch=self.cubes),
            self._along_row,
            self.plot,
            row(self.compute_button, self.progress, self.cancel_button, stretch=self.progress),
            self.index_fold,
            self.message,
            exports,
            into=self,
        )
        layout.setContentsMargins(9, 9, 9, 9)
        layout.setStretch(layout.indexOf(self.plot), 1)
        self.plot.follow_theme(viewer)
        self.plot.marker_moved.connect(self._on_marker)
        self.cubes.changed.connect(self._on_layer)
        self.along.currentIndexChanged.connect(self._on_choice)
        self.index.changed.connect(self._draw)
        self._connections = Connections(self)
        self._connections.connect(viewer.dims.events.point, "_on_slider")
        name_controls(self)
        self._on_layer(self.cubes.layer())

    @property
    def busy(self) -> bool:
        """Whether frames are computed."""
        return self._jobs.running

    @property
    def found(self) -> OverTime | None:
        """What is known of the pins."""
        return self._found

    @property
    def values(self) -> np.ndarray:
        """What is plotted, shape (pins, frames); NaN where it is not known."""
        return self._values

    # --- what is chosen --------------------------------------------------------------------

    def _on_layer(self, layer: Any) -> None:
        axes = () if layer is None else layer.data.frames.stack.axes
        self.along.offer({at: axis.label for at, axis in enumerate(axes)}, 0 if axes else None)
        self._along_row.setVisible(len(axes) > 1)
        self.index.set_cube(None if layer is None else layer_cube(layer))
        self._on_choice()

    def _on_choice(self, *_ignored) -> None:
        self._jobs.drop()
        self._show_running(False)
        self.refresh()

    def _memory(self) -> PixelsOverTime | None:
        """What is known of the chosen cubes' pixels; of cubes that are gone, nothing is kept."""
        layer = self.cubes.layer()
        here = {one.unique_id for one in self._viewer.layers}
        self._known = {key: one for key, one in self._known.items() if key in here}
        if layer is None or not is_frames(layer):
            return None
        known, frames = self._known.get(layer.unique_id), layer.data.frames
        if known is None or known.frames is not frames:  # the layer was given other cubes
            known = self._known[layer.unique_id] = PixelsOverTime(frames)
        return known

    def _pins(self) -> list[Shown]:
        """Those of all frames, in an order that stays while the slider moves."""
        layer, every = self.cubes.layer(), (*self._panel.kept, *self._panel.pins_elsewhere)
        pins = (one for one in every if one.pixel is not None)
        return [
            one
            for one in sorted(pins, key=lambda one: one.origin[1])
            if one.source is not None
            and one.source.layer == layer
            and not self._panel.look.is_hidden(one.key)
        ]

    def refresh(self) -> None:
        """Show the pins as they are now, and compute what takes little."""
        memory, self._shown = self._memory(), self._pins()
        if memory is not None and memory.forget_changed():
            self._asked = ()
        asked = self._asking(memory)
        if self.busy and asked[0] != self._asked[0]:  # the layer was given other cubes
            self._jobs.drop()
            self._show_running(False)
        new = memory is not None and self._shown and not self.busy and asked != self._asked
        if new and present(memory).single:
            self.compute()
        self._draw()

    def _asking(self, memory: PixelsOverTime | None) -> tuple[Any, ...]:
        """What would be computed now, the cubes first; nothing of it is kept alive."""
        return memory and id(memory.frames), self._pixels(), self.along.value()

    def _pixels(self) -> tuple[tuple[int, int], ...]:
        return tuple(dict.fromkeys(present(one.pixel) for one in self._shown))

    # --- computing -------------------------------------------------------------------------

    def compute(self) -> None:
        """Compute the frames that are missing, in a thread."""
        memory, pixels, along = self._memory(), self._pixels(), self.along.value()
        if memory is None or not pixels or self.busy:
            return
        self._asked = self._asking(memory)
        self._jobs.start(
            lambda cancel: memory.events(pixels, along, cancel),
            f"{self.cubes.layer().name} over time",
            asks=computing_question,
            progressed=self._on_progress,
            finished=lambda _found: None,
            failed=lambda error: self.message.show_exception(error, "Computing the frames"),
            ended=self._on_ended,
        )
        self._show_running(True)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 - Qt's name
        """A run that closing the window ended has not said so."""
        self._show_running(self.busy)
        super().showEvent(event)

    def cancel(self) -> None:
        """Stop computing."""
        self._jobs.cancel()
        self.cancel_button.setEnabled(False)

    def _on_progress(self, progress: Progress) -> None:
        self.progress.follow(progress)
        if time.perf_counter() - self._drawn_at > _REDRAW:
            self._draw()

    def _on_ended(self) -> None:
        self._show_running(False)
        self.refresh()

    def _show_running(self, running: bool) -> None:
        self.progress.setVisible(running)
        self.cancel_button.setVisible(running)
        self.cancel_button.setEnabled(running)
        self.compute_button.setEnabled(not running)

    # --- showing ---------------------------------------------------------------------------

    def _draw(self) -> None:
        self._drawn_at = time.perf_counter()
        memory, pixels = self._memory(), self._pixels()
        self._found = memory.at_hand(pixels, self.along.value()) if memory and pixels else None
        curves = []
        if self._found is None:
            self._values = np.empty((0, 0))
            self.message.clear()
            self.compute_button.setEnabled(False)
            self.plot.set_placeholder(self._advice())
        else:
            self._say(self._found)
            self._values = self._of_pins(self._found)
            for one, values in zip(self._shown, self._values, strict=True):
                name, color = one.name, one.drawn.color
                curves.append(PlotCurve(name, self._found.positions, values, color=color))
            self.plot.set_labels(self._found.axis.label, self._what())
        self.plot.set_curves(curves)
        for each in (self.csv_button, self.png_button):
            each.setEnabled(bool(np.isfinite(self._values).any()))
        self._sync_marker()

    def _of_pins(self, found: OverTime) -> np.ndarray:
        """What is plotted, a row a pin."""
        nothing = np.full((len(self._shown), found.axis.size), np.nan)
        if self.index.text():
            try:
                values = found.index(self.index.text())
            except InputError as error:
                self.message.show_warning(str(error))
                return nothing
        else:
            band = current_band(self._viewer, self.cubes.layer())
            if band is None:
                self.message.show_warning("The wavelength slider is outside these cubes.")
                return nothing
            values = found.band(band)
        return values[[found.pixels.index(one.pixel) for one in self._shown]]

    def _say(self, found: OverTime) -> None:
        size, failed = found.axis.size, found.failures
        self.compute_button.setEnabled(bool(found.missing) and not self.busy)
        if failed:
            place, why = next(iter(failed.items()))
            self.message.show_warning(
                f"{len(failed)} of {size} frames cannot be computed and are left out: frame "
                f"{place + 1}: {why}"
            )
        elif found.missing and not self.busy:
            self.message.show_info(
                f"{size - found.missing} of {size} frames are computed. Compute adds the others."
            )
        else:
            self.message.clear()

    def _what(self) -> str:
        """The label of the values."""
        if self.index.text():
            return self.index.text()
        layer = self.cubes.layer()
        units = self._found.units if self._found else None
        nm, band = current_nm(self._viewer, layer), current_band(self._viewer, layer)
        at = f"at {nm:.5g} nm" if nm is not None else f"in band {0 if band is None else band + 1}"
        return f"{units or 'value'} {at}"

    def _advice(self) -> str:
        if self.cubes.layer() is None:
            return "Open a film or a folder of photographs, and reconstruct it."
        return "Shift-click pins a pixel of the film's cubes: its values over time stand here."

    # --- the marker ------------------------------------------------------------------------

    def _on_slider(self, event=None) -> None:
        if self.isVisible():
            self._draw()

    def _sync_marker(self) -> None:
        layer, found = self.cubes.layer(), self._found
        if layer is None or found is None:
            self.plot.set_marker(None)
            return
        number = shown_frame(self._viewer, layer)[self.along.value()]
        self.plot.set_marker(found.axis.counted(number), found.axis.symbol or "frame")

    def _on_marker(self, x: float) -> None:
        if self._found is not None:
            axis = self._found.axis
            number = round((x - axis.counted(0)) / (axis.step or 1.0))
            go_to_frame(self._viewer, self.cubes.layer(), self.along.value(), number)
            self._sync_marker()  # snap to a frame

    # --- files -----------------------------------------------------------------------------

    def export_csv(self, path: Path) -> Path:
        """Write what is plotted, one row a frame.

        Raises
        ------
        InputError
            If there is nothing.
        FileError
            If the file cannot be written.
        """
        need_curves(self._shown if self._found else [])
        found = present(self._found)
        rows = [self._shown[self._first(pixel)] for pixel in found.pixels]
        values = np.stack([self._values[self._first(pixel)] for pixel in found.pixels])
        found.write_csv(path, values, [one.name for one in rows], self._what())
        return path

    def _first(self, pixel: tuple[int, int]) -> int:
        return next(at for at, one in enumerate(self._shown) if one.pixel == pixel)

    def export_png(self, path: Path) -> Path:
        """Write the plot with its legend; errors as :meth:`export_csv`."""
        need_curves(self._shown if self._found else [])
        self.plot.export_png(path)
        return path

    def _ask_csv(self) -> None:
        self.refresh()  # files may have changed
        kinds = "Comma-separated values (*.csv)"
        ask = (self, self.message, "Export values over time", "over-time.csv", kinds)
        ask_and_write(*ask, self.export_csv)

    def _ask_png(self) -> None:
        self.refresh()
        ask = (self, self.message, "Export plot", "over-time.png", "PNG picture (*.png)")
        ask_and_write(*ask, self.export_png)
