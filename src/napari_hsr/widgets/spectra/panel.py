"""The Spectra panel: spectra at the cursor, at pinned points and of regions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QLabel, QSizePolicy, QVBoxLayout, QWidget
from superqt.utils import QSignalDebouncer, QSignalThrottler

from napari_hsr import spectra
from napari_hsr.viewer import pins
from napari_hsr.viewer.axis import current_band, current_nm, go_to, go_to_band
from napari_hsr.viewer.drawn_frames import DrawnFrames, frames_on_show, frames_told
from napari_hsr.viewer.names import given_names
from napari_hsr.widgets.common.choosers import LayerChooser
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.common.scroll_area import VerticalScroll
from napari_hsr.widgets.plotting.plot import LEAST_HEIGHT, SpectrumPlot
from napari_hsr.widgets.spectra.curve_actions import CurvePanel
from napari_hsr.widgets.spectra.exports import Notes
from napari_hsr.widgets.spectra.readout import ReadOut, advice, readout
from napari_hsr.widgets.spectra.region_measurement import Measured, RegionFinder, RegionMeter
from napari_hsr.widgets.spectra.sources import Shown, Sources
from napari_hsr.widgets.spectra.trust import TrustRow
from napari_hsr.widgets.spectra.viewer_events import ViewerEvents

if TYPE_CHECKING:
    import napari.viewer

    from napari_hsr.widgets.plotting.legend import Entry

logger = logging.getLogger(__name__)

#: Shortest time between two updates of the cursor's spectrum, in ms (one frame at 60 Hz).
CURSOR_MS = 16
#: How long to wait for more changes of a layer before updating, in ms.
SETTLE_MS = 60
#: Most pins and regions drawn; the panel says so if there are more.
MAX_PINS, MAX_REGIONS = 60, 60


class SpectraWidget(CurvePanel):
    """Spectra of all visible cubes: live at the cursor, at pins, and of regions.

    Parameters
    ----------
    viewer : napari viewer

    Notes
    -----
    Closing the panel removes its callbacks from the viewer; the layer of pins stays.
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self._sources = Sources(viewer)
        self._cursor: list[Shown] = []
        self._pins: list[Shown] = []
        self.pins_elsewhere: list[Shown] = []  # in other frames of a film: for Over time
        self._held: list[Shown] = []  # what is kept when it was drawn last, and as it is drawn
        self._now: list[Shown] = []
        self._regions: list[Shown] = []
        self._measured = False  # whether the regions on show are up to date
        self._seen: dict[Any, tuple[float, ...]] = {}  # frames on show, by the layer drawn in them
        self._place = tuple(viewer.cursor.position)
        self._pointed = False  # whether the mouse has moved over the canvas

        self._build()
        self._cursor_throttle = QSignalThrottler(QSignalThrottler.EmissionPolicy.Leading, self)
        self._cursor_throttle.setTimeout(CURSOR_MS)
        self._cursor_throttle.triggered.connect(self._update_cursor)
        self._settle = QSignalDebouncer(QSignalDebouncer.EmissionPolicy.Trailing, self)
        self._settle.setTimeout(SETTLE_MS)
        self._settle.triggered.connect(self._update_all)
        self._find_regions = RegionFinder(pins.REGION_PALETTE)
        self._meter = RegionMeter(self, MAX_REGIONS)
        self._meter.measured.connect(self._on_measured)
        self._meter.failed.connect(self._on_measuring_failed)
        self._events = ViewerEvents(viewer, self)
        self.attach()

    def _build(self) -> None:
        self.plot = SpectrumPlot()
        self.plot.marker_moved.connect(self._on_marker)
        self.plot.theme_changed.connect(self._update_cursor)  # drawn in the colour of text
        self.cursor_box, self.pins_box, self.regions_box = boxes = [
            QCheckBox(text) for text in ("Cursor", "Pins", "Regions")
        ]
        self.cursor_box.setToolTip("The spectrum under the mouse, of every visible cube")
        self.pins_box.setToolTip("The spectra at the points pinned by Shift-click")
        self.regions_box.setToolTip(
            "Mean ± standard deviation (population, ÷ n) of every visible shape and label"
        )
        for box in boxes:
            box.setChecked(True)
            box.toggled.connect(self._on_box)
        switches = row(*boxes)
        switches.addStretch(1)
        switches.addWidget(self.help_button())
        self.trust = TrustRow(self, self._viewer)
        self.trust.changed.connect(self._on_box)
        self.trust.found.connect(self._on_bands)
        self.points = LayerChooser(self._viewer, pins.is_points, self)
        self.points.changed.connect(self._on_points)
        self._points_row = QWidget()
        row(QLabel("Pins are in"), self.points, stretch=self.points, into=self._points_row)
        self.readout = ReadOut()
        self.copy_button = button(
            "Copy", self.copy_values, "Copy the spectra under the cursor as a table"
        )
        values = row(self.readout, self.copy_button, stretch=self.readout)
        values.setAlignment(self.copy_button, Qt.AlignmentFlag.AlignTop)
        self.csv_button = button(
            "Export CSV…", self._ask_csv, "Pins and regions; Copy takes the spectrum of the cursor"
        )
        self.png_button = button(
            "Export PNG…", self._ask_png, "The plot and its whole legend, black on white for print"
        )
        self.message = Message()
        self._notes = Notes(self.message)
        tools, content = self._build_tools(), QWidget()
        # The plot is above all else: it stays in sight however low the dock is.
        inside = column(
            *(self.plot, values, switches, self.trust, self._points_row, self.processing, tools),
            *(row(*self.pin_buttons, self.csv_button, self.png_button), self.message),
        )
        inside.setStretchFactor(self.plot, 1)
        QVBoxLayout(content).addLayout(inside)
        column(VerticalScroll(content, LEAST_HEIGHT + 12), into=self)
        # The plot takes all height that the dock has; napari would add an empty stretch.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    # --- life ----------------------------------------------------------------------------

    def _attach(self) -> None:
        self._events.attach()
        self._on_undo_changed()
        self.points.attach()
        self._measured = False
        self.plot.follow_theme(self._viewer)
        self._update_all()

    def _release(self) -> None:
        self._events.detach()
        self.points.release()
        self.plot.release()
        for window in self._windows.values():
            window.close()
        self._cursor_throttle.cancel()
        self._settle.cancel()
        self._meter.stop()
        self.trust.stop()

    def set_cursor_interval(self, milliseconds: int) -> None:
        """The shortest time between two updates of the cursor's spectrum."""
        self._cursor_throttle.setTimeout(milliseconds)

    # --- what the viewer tells -------------------------------------------------------------

    def _on_cursor(self, event=None) -> None:
        # napari also sets the position when the slider moves or the number of axes changes.
        before, self._place = self._place, tuple(self._viewer.cursor.position)
        if len(before) != len(self._place):
            self._pointed = False
            return
        if before[-2:] == self._place[-2:]:
            return
        self._pointed = True
        if self.cursor_box.isChecked():
            self._cursor_throttle.throttle()

    def _on_layers(self, event=None) -> None:
        self._sources.forget()
        self._measured = False
        self._settle.throttle()

    def _on_points(self, event=None) -> None:
        self._settle.throttle()  # regions need not be measured again

    def _on_box(self, *_ignored) -> None:
        self._measured = False
        self._update_all()

    def _on_bands(self, live: bool) -> None:
        """Feasible bands were found."""
        if not live:
            self._update_pins()
            self._prepare()
        self._update_cursor()

    def _on_slider(self, event=None) -> None:
        self._sync_marker()
        self._show_readout()
        if frames_on_show(self._viewer) != self._seen:  # another frame's regions and pins
            self._on_layers()

    def pin(self, place) -> None:
        """Pin the spectra at a position in world coordinates, of which the last are (y, x)."""
        hits = [s for s in self._sources() if s.pixel_at(place) is not None]
        if not hits:
            told = "There is no visible cube under this point, so nothing was pinned."
            self._notes.set("pins", told)
            return
        layer = self.points.layer() or pins.new_pins(self._viewer, hits[-1].layer)
        pins.add_pin(self._viewer, layer, tuple(place), {s.drawn.color for s in self._regions})
        self._on_points()

    # --- curves ----------------------------------------------------------------------------

    def _update_all(self, *_ignored) -> None:
        self._sources.forget()
        self._seen = frames_on_show(self._viewer)
        beside = self.libraries
        self._sources.beside, self._sources.units_beside = beside.any_drawn, beside.units
        self._update_notes()
        self.plot.set_labels(
            "wavelength (nm)" if self._sources.in_nm else "band", self._sources.y_label()
        )
        self.readout.set_cubes(len(self._sources.plotted()))
        self._points_row.setVisible(any(not pins.is_ours(one) for one in self.points.layers()))
        self.trust.show_sources(self._sources())
        self._sync_marker()
        self._update_pins()
        if not self._measured:
            self._measured = True
            self._update_regions()
        self._prepare()
        self._update_cursor()

    def _update_notes(self) -> None:
        names = ", ".join(s.name for s in self._sources.left_out())
        told = f"Without wavelengths, and so not on this axis: {names}. "
        self._notes.set("axis", told + "The Wavelength panel can set them." if names else "")
        self._notes.set("cubes", " ".join(self._sources.problems))
        self._notes.set("frames", frames_told(self._viewer, self.points.layer()))

    def _update_cursor(self) -> None:
        self._cursor = []
        if self._pointed and self.cursor_box.isChecked() and self._viewer.dims.ndisplay == 2:
            color = self.plot.foreground
            taken = self._taken("cursor", self._place, "cursor", color, live=True)
            self._cursor = self.trust.on(taken, live=True)
        self._show_readout()
        self._draw()

    def _update_pins(self) -> None:
        layer = self.points.layer()
        self._pins, self.pins_elsewhere = [], []
        self.clear_button.setEnabled(layer is not None and len(layer.data) > 0)
        self._notes.set("pins", "")
        self._notes.set("trust", "")
        if layer is None or not layer.visible or not self.pins_box.isChecked():
            return
        pins.tidy(layer, {s.drawn.color for s in self._regions})
        here = int(DrawnFrames(self._viewer, layer).rows().sum())
        names = given_names(layer)
        for pin in pins.pins_of(self._viewer, layer, MAX_PINS, every=True):
            name, origin = names.get(pin.row) or f"pin {pin.number}", (layer.unique_id, pin.number)
            taken = self._taken("pins", pin.place, name, pin.color, origin=origin)
            (self._pins if pin.here else self.pins_elsewhere).extend(taken)
        self._pins = self.trust.on(self._pins)
        self._notes.set("trust", self.trust.warnings(self._pins))
        if here > MAX_PINS:
            self._notes.set("pins", f"Only the first {MAX_PINS} of {here} pins are drawn.")

    def _taken(
        self, topic: str, place, name: str, color: str, live: bool = False, origin: Any = None
    ) -> list[Shown]:
        try:
            found = self._sources.at(place, name, color, live, origin)
        except Exception as error:  # a lazy array may raise anything
            if f"{error}" not in self._notes.of(f"{topic} read"):
                logger.warning("A spectrum could not be read.", exc_info=True)
            self._notes.set(f"{topic} read", f"The {topic} could not be read: {error}")
            return []
        self._notes.set(f"{topic} read", "")
        return found

    def _update_regions(self) -> None:
        wanted, taken = self.regions_box.isChecked(), {s.drawn.color for s in self._pins}
        found = self._find_regions(self._viewer, taken) if wanted else []
        self._meter.measure(found, self._sources.targets(), self._quantiles())

    def _on_measured(self, measured: Measured) -> None:
        many = f"Only the first {MAX_REGIONS} of {measured.total} regions are drawn."
        self._notes.set("region count", many if measured.total > MAX_REGIONS else measured.problem)
        found, beside = self._sources.regions(measured.curves)
        self._regions = self.trust.on_regions(found)
        more = f" And {len(beside) - 3} more." if len(beside) > 3 else ""
        self._notes.set("regions", " ".join(beside[:3]) + more)
        self._draw_kept()

    def _on_measuring_failed(self, error: BaseException) -> None:
        self._regions = []
        self._notes.set("regions", f"The regions could not be measured: {error}")
        self._draw_kept()

    def _quantiles(self) -> tuple[float, ...]:
        """Those that the table lists, while it is open: they take time."""
        table = self._windows.get("Table")
        return spectra.QUANTILES if table is not None and table.isVisible() else ()

    # --- showing ---------------------------------------------------------------------------

    @property
    def shown(self) -> list[Shown]:
        """All spectra of the plot, as they are drawn: cursor, pins, regions, libraries."""
        return [*self.look(self._cursor, self.kept), *self._drawn]

    @property
    def kept(self) -> list[Shown]:
        """Those that stay when the mouse moves on, as measured, hidden ones too."""
        return [*self.living([*self._pins, *self._regions]), *self._beside()]

    @property
    def _drawn(self) -> list[Shown]:
        return self.look(self.kept, self.kept)

    def _beside(self) -> list[Shown]:
        """The drawn entries of libraries, if the axis is in nm."""
        if not self._sources.in_nm:
            return []
        colors = {s.drawn.color for s in (*self._pins, *self._regions)}
        return self.libraries.shown(colors, self._sources.span())

    def _draw_kept(self) -> None:
        """Draw all anew: more than the cursor's curve has changed."""
        self._prepare()
        self._draw()

    def _prepare(self) -> None:
        self._held = self.kept
        self.processing.offer_others(self._held)
        self.look.forget()
        self._now = self.look(self._held, self._held)
        self._notes.set("processing", self.processing.problem or self.look.problem)
        for window in self._windows.values():
            if window.isVisible():
                window.refresh()

    def _draw(self) -> None:
        cursor = self.look(self._cursor, self._held) if self._cursor else []
        shown = [*cursor, *self._now]
        if not shown:
            told = advice(self._viewer, bool(self._sources()), self.cursor_box.isChecked())
            self.plot.set_placeholder(told)
        if label := self.look.y_label(shown):
            self.plot.set_labels(self.plot.labels[0], label)
        named = [(s.drawn.name, s.drawn.color, s.drawn.style) for s in self._now]
        named += self.trust.entries(self._sources.plotted(), self.plot.foreground)
        # Behind the curves, and those of the cursor last: their coming and going moves no others.
        later = [*self._now, *cursor]
        added = [part for s in later for part in s.behind]
        marks = [part for s in later for part in s.marks]
        self.plot.set_curves(
            [*(s.drawn for s in shown), *marks, *added], [*self._cursor_entries(), *named]
        )
        self.csv_button.setEnabled(bool(self._now))
        self.png_button.setEnabled(bool(shown))

    def _cursor_entries(self) -> list[Entry]:
        """The cursor's part of the legend: there whether or not the mouse is over a cube."""
        if not self.cursor_box.isChecked() or self._viewer.dims.ndisplay != 2:
            return []
        color, label = self.plot.foreground, self._sources.label
        return [(label("cursor", s), color, s.style) for s in self._sources.plotted()]

    def _show_readout(self) -> None:
        self.readout.set_lines(readout(self._viewer, self._cursor, current_nm(self._viewer)))
        self.copy_button.setEnabled(bool(self._cursor))

    # --- the marker ------------------------------------------------------------------------

    def _sync_marker(self) -> None:
        if self._sources.in_nm:
            self.plot.set_marker(current_nm(self._viewer), "nm")
        else:
            band = (top := self._top()) and current_band(self._viewer, top.layer)
            self.plot.set_marker(None if band is None else band + 1, "band")

    def _top(self):
        return next(reversed(self._sources()), None)

    def top_layer(self) -> Any:
        """The layer of the topmost visible cube; None without one."""
        return top.layer if (top := self._top()) else None

    def _on_marker(self, x: float) -> None:
        if self._sources.in_nm:
            go_to(self._viewer, x)
        elif (top := self._top()) is not None:
            go_to_band(self._viewer, top.layer, round(min(max(x, 1), top.cube.bands)) - 1)
        self._sync_marker()  # snap to the slider's step
