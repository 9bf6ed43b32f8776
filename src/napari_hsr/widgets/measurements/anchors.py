"""Spectra measured at pins and in shapes correct a cube; undone by one click."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFileDialog, QFormLayout, QLabel, QWidget

from napari_hsr.errors import HSRError
from napari_hsr.spectral_library import numbered
from napari_hsr.trust.anchored import anchored_events
from napari_hsr.viewer.as_read import Held, too_late
from napari_hsr.viewer.computed_cubes import computed_cube
from napari_hsr.viewer.covering import covered
from napari_hsr.viewer.fingerprints import Trace
from napari_hsr.viewer.layer_data import is_cube, layer_cube, spatial_transform
from napari_hsr.viewer.layers import add_cube
from napari_hsr.viewer.names import rows_changed
from napari_hsr.viewer.pins import is_points
from napari_hsr.viewer.super_resolved import display_of
from napari_hsr.viewer.undo import changing, undo_of
from napari_hsr.widgets.common.choosers import LayerChooser, NarrowComboBox
from napari_hsr.widgets.common.close_guard import computing_question
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.labels import BriefLabel
from napari_hsr.widgets.common.layouts import column, narrow_form, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.common.plain_text import on_button, tip
from napari_hsr.widgets.common.progress_bar import ProgressBar
from napari_hsr.widgets.measurements.places import Place, places_on

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from os import PathLike

    from napari_hsr.spectral_library import SpectralLibrary
    from napari_hsr.trust.anchors import AnchorFit

_ADVICE = (
    "Pin the measured places by Shift-click with Spectra open, or draw shapes around them; then open "
    "the file of measured spectra."
)
_NONE = "not measured"
_MOVED = "Pins, shapes or what is attached to them were changed meanwhile: it is corrected by what they were."
#: Changes that come within this time are looked at together, in ms.
_SETTLE_MS = 60


class _Corrected(NamedTuple):
    """A corrected layer, the cube that it was made from, and whether that was visible before."""

    layer: Any
    cube: Any
    shown: bool


class AnchorSection(QWidget):
    """Attach measured spectra to places, correct the cube by them, and see what it gains.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    panel : QWidget
        Closing it stops the work.
    """

    def __init__(self, viewer: Any, panel: QWidget):
        super().__init__(panel)
        self._viewer = viewer
        self._job = JobSlot(panel)
        self._library: SpectralLibrary | None = None
        self.file: Trace | None = None  # of the measured spectra, as it was when it was opened
        self._choosers: dict[str, tuple[Place, NarrowComboBox]] = {}
        self._chosen: dict[str, str] = {}  # spectrum by place, also while its row is not there
        self._made: list[_Corrected] = []  # the last one last
        self.cube = LayerChooser(viewer, is_cube, empty="no cube open")
        self.points = LayerChooser(viewer, is_points, empty="no pins")
        self.open_button = button(
            "Open measured spectra…", self._ask, "A spectrometer's file or a spectral library"
        )
        self.library_label = BriefLabel(2, _ADVICE)
        self._rows = QWidget()
        self._form = QFormLayout(self._rows)
        self._form.setContentsMargins(0, 0, 0, 0)
        self.apply_button = button(
            "Correct the cube", self.run, "Fit the correction; it is refused if it does not help"
        )
        self.undo_button = button(
            "Undo", self.undo, "Remove what was corrected, and show the cube as it was before"
        )
        self.bar = ProgressBar("How far the correction is")
        self.bar.setTextVisible(False)
        self.bar.hide()
        self.message = Message()
        form = narrow_form()
        form.addRow("Cube to correct", self.cube)
        form.addRow("Pins are in", self.points)
        column(
            form,
            *(self.open_button, self.library_label, self._rows),
            row(self.apply_button, self.undo_button),
            *(self.bar, self.message),
            into=self,
        )
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self.refresh)
        self._layers, self._shapes = Connections(self), Connections(self)
        self.cube.changed.connect(self._on_layers)
        self.points.changed.connect(self._on_layers)

    # --- life ------------------------------------------------------------------------------

    def attach(self) -> None:
        """Follow the viewer."""
        for name in ("inserted", "removed"):
            self._layers.connect(getattr(self._viewer.layers.events, name), "_on_layers")
        self.cube.attach()
        self.points.attach()
        self._on_layers()

    def release(self) -> None:
        """Leave it."""
        self._layers.close()
        self._shapes.close()
        self._settle.stop()
        self.cube.release()
        self.points.release()
        self._job.leave()

    def _on_layers(self, event: object = None) -> None:
        self._shapes.close()
        for layer in self._viewer.layers:
            of_places = layer is self.points.layer() or layer.__class__.__name__ == "Shapes"
            if of_places:
                self._shapes.connect(layer.events.data, "_on_rows")
            if of_places or layer is self.cube.layer():
                self._shapes.follow(layer, "_later")
        self._made = [one for one in self._made if one.layer in self._viewer.layers]
        self._later()

    def _on_rows(self, event: object) -> None:
        rows_changed(event)
        self._later()

    def _later(self, event: object = None) -> None:
        self._settle.start()

    # --- what is attached --------------------------------------------------------------------

    def read(self, path: str | PathLike[str]) -> str:
        """Take the measured spectra of a file; what is wrong with it, empty if nothing is."""
        from napari_hsr.io import read_library

        try:
            library = read_library(path)
        except HSRError as error:
            self.message.show_exception(error)
            return str(error)
        self.message.clear()
        library = library.replace(names=numbered(library.names))
        self._library, self.file = library, Trace.of(path)
        said = [f"{library.name}: {len(library)} spectra.", *library.notices]
        self.library_label.setText(" ".join(said))
        self.refresh()
        return ""

    def refresh(self) -> None:
        """List the places there are now; what was chosen for each stays."""
        layer = self.cube.layer()
        places = [] if layer is None else places_on(self._viewer, self.points.layer(), layer)
        names = () if self._library is None else self._library.names
        while self._form.rowCount():
            self._form.removeRow(0)
        self._choosers = {}
        empty = [f"{one.unique_id} " for one in self._viewer.layers if not len(one.data)]
        for key in [key for key in self._chosen if key.startswith(tuple(empty))]:
            del self._chosen[key]  # others will begin at 1 again
        for number, place in enumerate(places if names else ()):
            if place.key not in self._chosen:
                taken = self._chosen.values()
                self._chosen[place.key] = _suggested(place.name, number, names, taken)
            chooser = NarrowComboBox()
            chooser.setToolTip(tip(f"The spectrum measured at {place.name}"))
            chooser.setAccessibleName(place.name)
            chosen = self._chosen[place.key]
            chooser.offer(
                {_NONE: _NONE, **{n: n for n in names}}, chosen if chosen in names else _NONE
            )
            chooser.currentIndexChanged.connect(partial(self._on_chosen, place.key))
            label = QLabel(on_button(place.name.split(" (")[0]))
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setBuddy(chooser)
            self._form.addRow(label, chooser)
            self._choosers[place.key] = place, chooser
        self._rows.setVisible(bool(self._choosers))
        self._update_buttons()

    def attached(self) -> list[tuple[str, Any]]:
        """(spectrum, place) of each place with a measured spectrum."""
        return [
            (chooser.value(), place.where)
            for place, chooser in self._choosers.values()
            if chooser.value() != _NONE
        ]

    def choose(self, place: int, name: str) -> None:
        """Attach a spectrum to a place, by its number in the list, as the user would."""
        list(self._choosers.values())[place][1].set_value(name)

    def _on_chosen(self, key: str, _row: int) -> None:
        self._chosen[key] = self._choosers[key][1].value()
        self._update_buttons()

    def _update_buttons(self) -> None:
        ready = len(self.attached()) >= 2 and not self._job.running
        self.apply_button.setEnabled(ready)
        self.undo_button.setEnabled(bool(self._made))

    # --- the correction ------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something is being computed, or looked at soon."""
        return self._job.running or self._settle.isActive()

    def run(self) -> None:
        """Correct the cube in a thread."""
        self.refresh()  # places may lie elsewhere since they were listed
        layer = self.cube.layer()
        if layer is None or self._library is None or len(self.attached()) < 2:
            return
        self.message.clear()
        taken = self.attached()
        try:
            work = partial(anchored_events, computed_cube(layer), self._library, taken, 1)
        except HSRError as error:  # a preview, or a frame that is not computed yet
            self.message.show_exception(error)
            return
        self.bar.begin()
        self.bar.show()
        self._job.start(
            work,
            f"Correct {layer.name}",
            asks=computing_question,
            progressed=self.bar.move_to,
            finished=partial(self._on_finished, layer, Held(layer), taken),
            failed=lambda error: self.message.show_exception(error, "The correction"),
            ended=self._on_ended,
        )
        self._update_buttons()

    def undo(self) -> None:
        """Remove all that was made of the cube that was corrected last, and show it as it was."""
        if not self._made:
            return
        last = self._made[-1]
        for one in [one for one in self._made if one.cube == last.cube]:
            self._viewer.layers.remove(one.layer)
        last.cube.visible = last.shown
        self.message.clear()
        self._update_buttons()

    def _on_finished(
        self,
        layer: Any,
        held: Held,
        taken: list[tuple[str, Any]],
        result: tuple[AnchorFit, Any],
    ) -> None:
        fit, cube = result
        if why := too_late(self._viewer, layer, held, "it was corrected"):
            self.message.show_warning(why)
            return
        if not fit.helps:
            self.message.show_warning(f"{fit.words()}.")
            return
        kept, moved = self.cube.layer(), ""
        if kept == layer:
            self.refresh()  # where the places lie by now
            moved = "" if _same(self.attached(), taken) else _MOVED
        place = spatial_transform(layer) | display_of(layer)
        shown = layer.visible
        with undo_of(self._viewer).as_one(f"correct {layer.name}"):
            name = f"{layer.name} · anchored"
            made = add_cube(self._viewer, cube, above=layer, name=name, **place)
            with changing(self._viewer, layer, "hide what was corrected", ("visible",)):
                layer.visible = False
        if kept is not None and kept in self._viewer.layers:
            self.cube.set_layer(kept)
        # the cube before all anchors, also of one that was corrected again
        first = next((one for one in self._made if layer in (one.layer, one.cube)), None)
        found = (layer, shown) if first is None else (first.cube, first.shown)
        self._made.append(_Corrected(made, *found))
        doubts = [notice for notice in cube.notices if notice not in layer_cube(layer).notices]
        show = self.message.show_warning if doubts or moved else self.message.show_info
        said = (f"{fit.words()}.", moved, covered(self._viewer, made), *doubts)
        show(" ".join(filter(None, said)))

    def _on_ended(self) -> None:
        self.bar.hide()
        self._update_buttons()

    def _ask(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open measured spectra")
        if path:
            self.read(path)


def _same(one: list[tuple[str, Any]], other: list[tuple[str, Any]]) -> bool:
    """Whether the same spectra are attached to the same places."""
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(
        a == b and np.array_equal(p, q) for (a, p), (b, q) in pairs
    )


def _suggested(place: str, number: int, names: Sequence[str], taken: Collection[str]) -> str:
    """The spectrum of the place's name; else the one of its number, if there are few."""
    short = place.split(" (")[0]
    if short in names:
        return short
    return names[number] if number < len(names) <= 12 and names[number] not in taken else _NONE
