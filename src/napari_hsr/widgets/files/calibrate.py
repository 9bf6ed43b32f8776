"""Calibrate…: from the counts of a scan to reflectance, by white and dark references."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFileDialog,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hsr.calibration.reflectance import calibrate_events
from napari_hsr.errors import HSRError, InputError
from napari_hsr.io import read_library
from napari_hsr.notices import Severity
from napari_hsr.progress import Progress, abandonable
from napari_hsr.viewer.areas import meant_shape
from napari_hsr.viewer.as_read import Held
from napari_hsr.viewer.computed_cubes import computed_cube
from napari_hsr.viewer.covering import covered
from napari_hsr.viewer.fingerprints import Trace
from napari_hsr.viewer.layer_data import (
    is_cube,
    is_overlay,
    layer_shape,
    layer_state,
    spatial_transform,
)
from napari_hsr.viewer.layers import add_cube
from napari_hsr.viewer.world_coordinates import to_layer, to_world
from napari_hsr.widgets.common.choosers import LayerChooser
from napari_hsr.widgets.common.close_guard import computing_question
from napari_hsr.widgets.common.control_settings import about_layers
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.layouts import column, narrow_form, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import Panel, button
from napari_hsr.widgets.common.plain_text import one_line
from napari_hsr.widgets.common.progress_bar import ProgressBar
from napari_hsr.widgets.common.scroll_area import VerticalScroll

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    import napari
    from napari.layers import Layer

    from napari_hsr.cube import Cube
    from napari_hsr.spectral_library import SpectralLibrary


#: Pixels by which the corners of a rectangle may lie beside its sides.
_ASKEW = 0.5
#: On the button that asks for the white's reflectance as a spectrum.
_FROM_A_FILE = "From a file…"


class CalibrateWidget(Panel):
    """Chooses the scan, its references or a white rectangle, and adds the reflectance.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer):
        super().__init__()
        self._viewer = viewer
        self._curve: SpectralLibrary | None = None
        self._curve_file: Trace | None = None
        none = "no cube open"
        white, dark = _named("white"), _named("dark")
        self.scan = LayerChooser(
            viewer, is_cube, self, empty=none, rather=lambda one: not (white(one) or dark(one))
        )
        self.white = LayerChooser(viewer, self._may_be_white, self, empty=none, rather=white)
        self.dark = LayerChooser(viewer, is_cube, self, empty=none, rather=dark)
        self.white_dark = LayerChooser(viewer, is_cube, self, empty=none, rather=dark)
        self.has_dark = QCheckBox("Dark reference")
        self.has_white_dark = QCheckBox("Dark reference of the white")
        self.has_dark.setToolTip("What the camera counts without light; subtracted from both")
        self.has_white_dark.setToolTip("Where the white was taken with another exposure time")
        self.reflectance = QDoubleSpinBox()
        self.reflectance.setRange(0.01, 1.2)
        self.reflectance.setSingleStep(0.01)
        self.reflectance.setValue(1.0)
        self.reflectance.setToolTip("What share of the light the white reflects, 0 to 1")
        self.curve_button = button(
            _FROM_A_FILE, self._ask_for_curve, "The white's reflectance spectrum; its first one"
        )
        self.number_button = button(
            "By a number", self.forget_curve, "Take the number again, and not the file's spectrum"
        )
        self.number_button.hide()
        self.exposures = tuple(_time(of) for of in ("scan", "white"))
        about_layers(*self.exposures, self.has_dark, self.has_white_dark)
        self.message = Message(lines=3)
        self.run_button = button("Calibrate", self.run, "Add the reflectance as a new layer")
        self._job = JobSlot(self)
        self.cancel_button = button("Cancel", self._job.cancel, "Stop calibrating")
        self.progress = ProgressBar("How far the reflectance is")
        self._arrange()
        for box, chooser in ((self.has_dark, self.dark), (self.has_white_dark, self.white_dark)):
            box.toggled.connect(chooser.setVisible)
            box.toggled.connect(lambda _on: self._check())
            chooser.setVisible(False)
        for chooser in self._choosers:
            chooser.changed.connect(lambda _layer: self._check())
        self._check()
        self.attach()

    @property
    def _choosers(self) -> tuple[LayerChooser, ...]:
        return self.scan, self.white, self.dark, self.white_dark

    def _arrange(self) -> None:
        form = narrow_form()
        form.addRow("Scan, in counts", self.scan)
        form.addRow("White reference, or rectangle over it", self.white)
        for part in (self.has_dark, self.dark, self.has_white_dark, self.white_dark):
            form.addRow(part)
        form.addRow(
            "Reflectance of the white",
            row(self.reflectance, self.curve_button, self.number_button, stretch=self.reflectance),
        )
        for of, box in zip(("scan", "white"), self.exposures, strict=True):
            form.addRow(f"Exposure time of the {of}", box)
        content = QWidget()
        column(form, into=content)
        outer = QVBoxLayout(self)
        outer.addWidget(VerticalScroll(content, 110))
        outer.addStretch(1)
        outer.addWidget(self.message)
        outer.addWidget(self.progress)
        buttons = (self.run_button, self.cancel_button, self.help_button())
        outer.addLayout(row(*buttons, stretch=self.run_button))
        # The button stays at the lower edge of the dock; napari would add an empty stretch below.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def run(self) -> None:
        """Compute the reflectance in a thread, and add it above the scan."""
        scan, white = self.scan.layer(), self.white.layer()
        if self._job.running or scan is None or white is None:
            return
        for chooser in self._choosers:  # the result is not the next scan
            if chooser.layer() is not None:
                chooser.set_layer(chooser.layer())
        self.message.clear()
        try:
            work = partial(_reflectance, computed_cube(scan), **self._options(scan, white))
        except HSRError as error:
            self.message.show_exception(error)
            return
        held = {layer: self._taken(layer, scan) for layer in (scan, white, *self._darks().values())}
        self._job.start(
            work,
            f"Calibrate {scan.name}",
            asks=computing_question,
            progressed=self.progress.follow,
            finished=partial(self._show, scan, held, set(layer_state(scan).get("notices") or ())),
            failed=lambda error: self.message.show_exception(error, "Calibrating"),
            cancelled=lambda: self.message.show_info("Cancelled: no layer was added."),
            ended=lambda: self._show_running(False),
        )
        self._show_running(True)

    def _options(self, scan: Layer, white: Layer) -> dict[str, Any]:
        """The references as cubes, which nothing is read of yet, and what is stated of them."""
        options: dict[str, Any] = {
            "white_reflectance": self._curve or self.reflectance.value(),
            "exposures": self._times(),
        }
        if is_cube(white):
            options["white"] = computed_cube(white)
        else:
            options["patch"] = self._patch(white, scan)
        options |= {name: computed_cube(layer) for name, layer in self._darks().items()}
        return options

    def _darks(self) -> dict[str, Layer]:
        """The dark references that are asked for."""
        asked = (
            ("dark", self.has_dark, self.dark),
            ("white_dark", self.has_white_dark, self.white_dark),
        )
        return {
            name: chooser.layer()
            for name, box, chooser in asked
            if box.isChecked() and chooser.layer() is not None
        }

    def _taken(self, layer: Layer, scan: Layer) -> Callable[[], bool]:
        """What says later whether a layer still holds what is taken of it now."""
        if is_cube(layer):
            held = Held(layer)
            return lambda: held.by(layer)
        patch = self._patch(layer, scan)

        def still() -> bool:
            try:
                return self._patch(layer, scan) == patch
            except InputError:  # no rectangle any more
                return False

        return still

    def _show(
        self, scan: Layer, held: dict[Layer, Callable[[], bool]], before: set[str], cube: Cube
    ) -> None:
        if scan not in self._viewer.layers:
            self.message.show_warning("The scan was removed before its reflectance was ready.")
            return
        gone = [layer for layer in held if layer not in self._viewer.layers]
        changed = gone or [layer for layer, still in held.items() if not still()]
        if changed:
            names = " and ".join(f"“{layer.name}”" for layer in changed)
            were = f"{'was' if len(changed) == 1 else 'were'} {'removed' if gone else 'changed'}"
            self.message.show_warning(f"{names} {were} before the reflectance was ready.")
            return
        layer = add_cube(self._viewer, cube, above=scan, **spatial_transform(scan))
        told = [notice for notice in cube.notices if notice not in before]
        added = f"“{layer.name}” was added."
        doubtful = any(notice.severity == Severity.WARNING for notice in told)
        show = self.message.show_warning if doubtful else self.message.show_info
        show(" ".join(filter(None, (added, covered(self._viewer, layer), *told))))

    def _show_running(self, running: bool) -> None:
        self.progress.begin()
        self.progress.setVisible(running)
        self.cancel_button.setEnabled(running)
        self._enable()

    def files_in_use(self) -> list[Trace]:
        """The white's reflectance spectrum."""
        return [self._curve_file] if self._curve_file else []

    def use_files(self, paths: list[str]) -> list[str]:
        """Take it again; a sentence if it cannot be."""
        return [said for path in paths[-1:] if (said := self.read_curve(path))]

    def read_curve(self, path: str) -> str:
        """Take the first spectrum of a file as the white's reflectance; why that cannot be, or ""."""
        try:
            self._curve = read_library(path)
        except HSRError as error:
            self.message.show_exception(error)
            return str(error)
        self._curve_file = Trace.of(path)
        self.curve_button.setText(one_line(self._curve.names[0]))
        self._show_curve()
        return ""

    def forget_curve(self) -> None:
        """Take the number as the white's reflectance again."""
        self._curve, self._curve_file = None, None
        self.curve_button.setText(_FROM_A_FILE)
        self._show_curve()

    def _show_curve(self) -> None:
        self.reflectance.setEnabled(self._curve is None)
        self.number_button.setVisible(self._curve is not None)
        self._check()  # what was said of a run is of another white

    def _ask_for_curve(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Reflectance of the white", "", "All files (*)")
        if path:
            self.read_curve(path)

    def _times(self) -> tuple[float, float] | None:
        scan, white = (box.value() for box in self.exposures)
        if not scan and not white:
            return None
        if not (scan and white):
            raise InputError("State both exposure times, or neither.")
        return scan, white

    def _may_be_white(self, layer: Layer) -> bool:
        drawn = type(layer).__name__ == "Shapes" and not is_overlay(layer)  # not a chart's layout
        return is_cube(layer) or drawn

    def _patch(self, shapes: Layer, scan: Layer) -> tuple[int, int, int, int]:
        """Top, left, bottom and right of the selected or last shape, in pixels of the scan."""
        number = meant_shape(self._viewer, shapes)
        if number is None:
            where = ", in the frame on show" if len(shapes.data) else ""
            raise InputError(f"“{shapes.name}” holds no rectangle{where}: draw one over the white.")
        corners = np.array(
            [
                to_layer(self._viewer, scan, to_world(self._viewer, shapes, corner)[-2:])[-2:]
                for corner in shapes.data[number]
            ]
        )
        if shapes.shape_type[number] == "ellipse" or not _upright(corners):
            raise InputError(
                f"The shape of “{shapes.name}” is no rectangle along the sides of the scan: its corners "
                "would hold what is not the white. Draw one over the white."
            )
        height, width = layer_shape(scan)[-2:]
        low = np.clip(np.floor(corners.min(0) + 0.5), 0, (height, width)).astype(int)
        high = np.clip(np.floor(corners.max(0) + 0.5), 0, (height, width)).astype(int)
        if (high <= low).any():
            raise InputError(f"The rectangle of “{shapes.name}” does not lie over the scan.")
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def _check(self) -> None:
        self.message.clear()
        if reason := self._reason():
            self.message.show_info(reason)
        self._enable()

    def _reason(self) -> str:
        """Why it cannot be run with what is chosen, or nothing."""
        scan, white = self.scan.layer(), self.white.layer()
        if scan is None or white is None:
            return "Open the scan and its references first."
        if white is scan:
            return "Choose the white reference, or draw a rectangle over the white."
        if any(dark in (scan, white) for dark in self._darks().values()):
            return "Choose a dark reference that is neither the scan nor the white."
        return ""

    def _enable(self) -> None:
        self.run_button.setEnabled(not self._reason() and not self._job.running)

    def _attach(self) -> None:
        self._show_running(False)  # a job that ran when it was closed is not heard any more
        for chooser in self._choosers:
            chooser.attach()

    def _release(self) -> None:
        self._job.leave()
        for chooser in self._choosers:
            chooser.release()


def _upright(corners: np.ndarray) -> bool:
    """Whether corners (y, x) in pixels are those of a rectangle along the axes."""
    low, high = corners.min(0), corners.max(0)
    at = [(np.abs(corners - edge) <= _ASKEW).tolist() for edge in (low, high)]
    where = {(y0, x0, y1, x1) for (y0, x0), (y1, x1) in zip(*at, strict=True)}
    kinds = {(y0, x0) for y0, x0, y1, x1 in where if (y0 or y1) and (x0 or x1)}
    return len(corners) == 4 and len(where) == len(kinds) == 4


def _named(word: str) -> Callable[[Any], bool]:
    """Whether a layer's name has the word, as files of references do."""
    return lambda layer: word in layer.name.lower()


def _reflectance(scan: Cube, cancel: threading.Event, **options: Any) -> Iterator[Progress | Cube]:
    """The work of the thread; with the range of the values, so that the window need not read them."""

    def work() -> Iterator[Progress | Cube]:
        for event in calibrate_events(scan, **options):
            if not isinstance(event, Progress):
                event = event.replace(name=f"{event.name} reflectance")
                _ = event.value_range  # remembered
            yield event

    return abandonable(work(), cancel)  # its steps read whole scans


def _time(of: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0, 1e6)
    box.setDecimals(3)
    box.setSuffix(" ms")
    box.setSpecialValueText("as stated")
    box.setToolTip(f"Exposure time of the {of}; by default what the files state, else equal")
    return box
