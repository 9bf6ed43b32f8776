"""What the user does to the curves of the Spectra panel: process, hide, rename, hold against libraries."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers.base import ActionType
from qtpy.QtWidgets import QApplication

from napari_hsr import spectra
from napari_hsr.errors import HSRError
from napari_hsr.io.libraries import is_library
from napari_hsr.viewer import pins
from napari_hsr.viewer.names import numbered, rename, row_of, rows_changed
from napari_hsr.viewer.undo import undo_of
from napari_hsr.widgets.common.control_settings import one_for, remember, set_as_before
from napari_hsr.widgets.common.layouts import row
from napari_hsr.widgets.common.panel import Panel, button
from napari_hsr.widgets.common.plain_text import tip
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.spectra import windows
from napari_hsr.widgets.spectra.exports import ask_and_write, need_computed
from napari_hsr.widgets.spectra.libraries import LIBRARY, Libraries
from napari_hsr.widgets.spectra.processing import Look, Marks, ProcessingRow

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence
    from os import PathLike

    from qtpy.QtWidgets import QHBoxLayout, QWidget
    from superqt.utils import QSignalDebouncer

    from napari_hsr.viewer.fingerprints import Trace
    from napari_hsr.widgets.common.choosers import LayerChooser
    from napari_hsr.widgets.common.messages import Message
    from napari_hsr.widgets.plotting.plot import SpectrumPlot
    from napari_hsr.widgets.spectra.exports import Notes
    from napari_hsr.widgets.spectra.region_measurement import RegionMeter
    from napari_hsr.widgets.spectra.sources import Shown, Sources


class CurvePanel(Panel):
    """A panel of curves; its subclass finds them, and draws them in ``_draw_kept``, ``_update_all``."""

    plot: SpectrumPlot
    message: Message
    _notes: Notes
    _sources: Sources
    _viewer: Any
    _measured: bool
    _now: list[Shown]
    _cursor: list[Shown]
    points: LayerChooser
    _settle: QSignalDebouncer
    _meter: RegionMeter

    def measured(self) -> bool:
        """Whether all that is kept is as it is now: what was changed is looked at, but regions take time."""
        self._settle.flush(restart_timer=False)
        return not self._meter.busy

    @property
    def kept(self) -> list[Shown]:
        """Those that stay when the mouse moves on, as measured, hidden ones too."""
        raise NotImplementedError

    @property
    def shown(self) -> list[Shown]:
        """All spectra of the plot, as they are drawn."""
        raise NotImplementedError

    @property
    def _drawn(self) -> list[Shown]:
        raise NotImplementedError

    def _draw_kept(self) -> None:
        raise NotImplementedError

    def _update_all(self, *_ignored: object) -> None:
        raise NotImplementedError

    def _on_points(self, event: Any = None) -> None:
        raise NotImplementedError

    def _cursor_entries(self) -> list[Any]:
        raise NotImplementedError

    def _build_tools(self) -> QHBoxLayout:
        self.setAcceptDrops(True)
        self.libraries = one_for(self._viewer, Libraries)
        self._windows: dict[str, Any] = {}
        self._counted: dict[Any, int] = {}  # points, by layer
        self.processing = ProcessingRow()
        self.processing.changed.connect(self._on_processing)
        self.look = Look(self.processing, one_for(self._viewer, Marks))
        self.plot.legend.clicked.connect(self._on_legend)
        self.undo_button = button("Undo", self.undo)
        self.clear_button = button(
            "Clear pins", self.clear_pins, "Remove all points of the layer of pins"
        )
        self.pin_button = button(
            f"{windows.PIN_AT}…", self.ask_where_to_pin, "Pin the pixel of a row and a column"
        )
        self.pin_buttons = self.pin_button, self.clear_button
        tools = (
            button(f"{name}…", partial(self.open_window, name), tip)
            for name, tip in windows.TOOLS.items()
        )
        return row(*tools, self.undo_button)

    def _on_processing(self) -> None:
        if self.processing.name == "none":
            self.plot.set_labels(self.plot.labels[0], self._sources.y_label())
        self._draw_kept()

    def _on_legend(self, at: int) -> None:
        at -= len(self._cursor_entries())
        if 0 <= at < len(self._now):
            key = self._now[at].key
            self.highlight(None if key == self.look.marks.highlighted else key)

    def highlight(self, key: Any) -> None:
        """Draw the curve with this key in a bold line, and no other."""
        self.look.marks.highlighted = key
        self._draw_kept()

    def _on_rows(self, event: Any) -> None:
        """Points or shapes were added or removed: none has the number of one that is gone."""
        rows_changed(event)
        if event.action == ActionType.REMOVED:
            self.forget_layer(event.source.unique_id, set(numbered(event.source)[0]))

    def _on_removed(self, event: Any) -> None:
        self.forget_layer(event.value.unique_id)

    def living(self, shown: Sequence[Shown]) -> list[Shown]:
        """Those whose layer is still there: regions take time to be measured anew."""
        there = {layer.unique_id for layer in self._viewer.layers}
        return [one for one in shown if one.origin[0] in there]

    def forget_layer(self, layer_id: Any, there: Container[int] = ()) -> None:
        """Forget the curves of a layer but those with these numbers: others may get theirs."""

        def gone(key: Any) -> bool:
            if key[0] == LIBRARY:
                return False
            origin, source = key
            removed = source == layer_id and not there
            return removed or (origin[0] == layer_id and origin[1] not in there)

        self.look.marks.forget(gone)
        self.processing.other.forget(lambda origin: gone((origin, None)))
        for window in self._windows.values():
            if isinstance(window, windows.ChoosesCurves):
                window.forget(gone)

    def _on_points_drawn(self, event: Any) -> None:
        """There may be more or fewer than before: napari does not say that it pastes points."""
        count = len(event.source.data)
        if self._counted.setdefault(event.source.unique_id, count) != count:
            self._counted[event.source.unique_id] = count
            self._on_points()

    def set_hidden(self, key: Any, hidden: bool) -> None:
        """Hide the curve with this key, or show it again."""
        self.look.set_hidden(key, hidden)
        self._draw_kept()

    def show_all(self, keys: Iterable[Any]) -> None:
        """Show the curves with these keys again, and draw once: each drawing takes all of them."""
        for key in keys:
            self.look.set_hidden(key, False)
        self._draw_kept()

    def add_unticked(self, layer: Any) -> None:
        """List the regions of a layer in the table, and draw them only when they are ticked."""
        self.look.marks.unticked_layers.add(layer.unique_id)
        self._draw_kept()

    def rename(self, origin: Any, name: str) -> None:
        """Give a pin, a region or a library's entry another name; an empty one takes it away.

        Raises
        ------
        InputError
            If another one of its layer has that name.
        """
        if origin[0] == LIBRARY:
            self.libraries.rename(origin, name)
        else:
            layer = next(one for one in self._viewer.layers if one.unique_id == origin[0])
            rename(layer, row_of(layer, origin[1]), name)
        self._measured = False
        self._update_all()

    def load_library(self, path: str | PathLike) -> int:
        """Open a file of spectra; few of them are drawn at once. Its number among the libraries.

        Raises
        ------
        FileError, InputError
            If it is none.
        """
        from napari_hsr.io import read_library

        library = read_library(path)
        at = self.libraries.add(library, path)
        self._notes.set(f"library {at}", " ".join(library.notices))
        self._update_all()
        return at

    def files_in_use(self) -> list[Trace]:
        """The libraries that were opened."""
        return list(self.libraries.files)

    def use_files(self, paths: list[str]) -> list[str]:
        """Open libraries; a sentence for each that could not be."""
        told = []
        for path in paths:
            try:
                if os.path.abspath(path) not in map(str, self.libraries.files):
                    self.load_library(path)
            except HSRError as error:
                told.append(str(error))
        return told

    def dragEnterEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Accept files of spectra, tables too; anything else goes to the viewer."""
        paths = [url.toLocalFile() for url in event.mimeData().urls()]
        event.setAccepted(bool(paths) and all(is_library(path) for path in paths))

    def dropEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Open them."""
        told = self.use_files([url.toLocalFile() for url in event.mimeData().urls()])
        if told:
            self.message.show_error(" ".join(told))

    def draw_entry(self, origin: Any, drawn: bool) -> None:
        """Draw an entry of a library beside the pixels, or no longer."""
        self.libraries.draw(origin, drawn)
        self._update_all()

    def open_window(self, name: str) -> QWidget:
        """Open the window of a tool, one of :data:`windows.TOOLS`, or :data:`windows.PIN_AT`."""
        new = name not in self._windows
        if new:
            self._windows[name] = windows.make(name, self, self._viewer)
        window = self._windows[name]
        window.show()
        window.raise_()
        self._measured = False  # with quantiles
        self._update_all()
        if new:  # it lists all there is by now
            set_as_before(self._viewer, window)
        return window

    def release(self) -> None:
        """Leave the viewer; the windows opened again are set as they were."""
        if self._attached:
            for window in self._windows.values():
                remember(self._viewer, window)
        super().release()

    def ask_where_to_pin(self) -> None:
        """Ask for the row and the column of a pin."""
        self.open_window(windows.PIN_AT).activateWindow()

    def undo(self) -> None:
        """Take back what was done last: pins cleared, wavelengths set, a layer added."""
        done = undo_of(self._viewer).undo()
        self.message.show_info(f"Undone: {done}." if done else "There is nothing to undo.")

    def _on_undo_changed(self, event=None) -> None:
        last = undo_of(self._viewer).last()
        self.undo_button.setEnabled(bool(last))
        self.undo_button.setToolTip(tip(f"Undo: {last}") if last else "There is nothing to undo")

    # --- what the buttons do ---------------------------------------------------------------

    def clear_pins(self) -> None:
        """Remove all pins; their layer stays."""
        layer = self.points.layer()
        if layer is not None:
            pins.clear(self._viewer, layer)
            self._update_all()

    def copy_values(self) -> None:
        """Copy the spectra at the cursor to the clipboard, as a table with units."""
        if self._cursor:
            drawn = self.look(self._cursor, self.kept) or self._cursor
            present(QApplication.clipboard()).setText(spectra.to_text([s.curve for s in drawn]))

    def export_csv(self, path: str | PathLike) -> Path:
        """Write the spectra of pins and regions as CSV.

        Raises
        ------
        InputError
            If there is neither, or regions are being measured.
        FileError
            If the file cannot be written.
        """
        need_computed(self._drawn, self.measured())
        spectra.write_csv([s.curve for s in self._drawn], path)
        return Path(path)

    def export_png(self, path: str | PathLike) -> Path:
        """Write the plot, with its legend, as a PNG picture; errors as :meth:`export_csv`."""
        need_computed(self.shown, self.measured())
        self.plot.export_png(path)
        return Path(path)

    def _ask_csv(self) -> None:
        kinds = "Comma-separated values (*.csv)"
        ask = (self, self.message, "Export spectra", "spectra.csv", kinds)
        ask_and_write(*ask, self.export_csv)

    def _ask_png(self) -> None:
        ask = (self, self.message, "Export plot", "spectra.png", "PNG picture (*.png)")
        ask_and_write(*ask, self.export_png)
