"""A chart in a photograph: four corners dragged over it give exposure, balance, matrix and camera."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QLineEdit, QWidget

from napari_hsr.cameras.profiles import CameraProfile, save_beside
from napari_hsr.errors import HSRError, InputError
from napari_hsr.progress import stop_if
from napari_hsr.trust.chart_layout import CHARTS
from napari_hsr.trust.measured_chart import measure_chart, words
from napari_hsr.viewer.as_read import Held
from napari_hsr.viewer.chart_overlay import ChartOverlay
from napari_hsr.viewer.covering import covered
from napari_hsr.viewer.layer_data import is_photograph, layer_photograph, spatial_transform
from napari_hsr.viewer.layers import add_photograph
from napari_hsr.widgets.common.choosers import LayerChooser, NarrowComboBox
from napari_hsr.widgets.common.close_guard import computing_question
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.layouts import column, narrow_form, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.models_changed import profiles_changed
from napari_hsr.widgets.common.panel import button

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from napari_hsr.photograph import Photograph
    from napari_hsr.trust.chart import ChartFit
    from napari_hsr.trust.chart_layout import Chart

#: Lights that a chart may be under.
LIGHTS = ("D65", "D55", "D50", "A")
#: Width in pixels of the picture that it looks at, the longer side across.
_WIDTH = 1440
#: Deviations in pixels of that picture; noise hides some charts until it is soft.
_BLURS = (0.0, 1.5, 3.0)
_CORNERS = (
    "Drag the four points to the outer corners of the corner patches: 1 is dark skin, or the first of "
    "the edge on an SG, and the others follow clockwise."
)
#: What finds charts, where it is installed.
DETECTION = "colour_checker_detection"


class ChartSection(QWidget):
    """Place a chart's corners, measure it, and use and keep what it says of the camera.

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
        self.overlay: ChartOverlay | None = None
        self.photograph = LayerChooser(viewer, is_photograph)
        self.chart = NarrowComboBox()
        self.chart.offer({key: chart.name for key, chart in CHARTS.items()}, "24")
        self.chart.setToolTip("Which chart is in the picture")
        self.light = NarrowComboBox()
        self.light.offer({name: name for name in LIGHTS}, "D65")
        self.light.setToolTip("The light on the chart: colours are as under it, adapted to D65")
        self.name = QLineEdit()
        self.name.setPlaceholderText("as the photograph")
        self.name.setToolTip("What the camera profile is called in the list of cameras")
        self.place_button = button(
            "Place corners",
            self.place,
            _CORNERS,
        )
        self.find_button = button(
            "Find it",
            self.look_for_chart,
            "Look for a ColorChecker with 24 patches by colour-checker-detection",
        )
        self.measure_button = button(
            "Measure the chart", self.measure, "Add the corrected photograph and keep the profile"
        )
        self.message = Message()
        form = narrow_form()
        form.addRow("Photograph with a chart", self.photograph)
        form.addRow("Chart", self.chart)
        form.addRow("Light on it", self.light)
        form.addRow("Camera profile", self.name)
        column(
            form,
            row(self.place_button, self.find_button),
            *(self.measure_button, self.message),
            into=self,
        )
        self.photograph.changed.connect(self._on_photograph)
        self.chart.currentIndexChanged.connect(self._on_chart)
        self._update_buttons()

    def attach(self) -> None:
        """Follow the viewer."""
        self.photograph.attach()
        self._update_buttons()

    def release(self) -> None:
        """Leave it."""
        self.photograph.release()
        self._job.leave()

    @property
    def busy(self) -> bool:
        """Whether a chart is being looked for or measured."""
        return self._job.running

    # --- the corners -------------------------------------------------------------------------

    def place(self, corners: np.ndarray | None = None, layer: Any = None) -> None:
        """Put the corners over a photograph, the chosen one: (y, x) of pixels, or its middle."""
        layer = self.photograph.layer() if layer is None else layer
        if layer is None:
            return
        if self.overlay is not None:
            self.overlay.remove()
        self.message.clear()
        self.overlay = ChartOverlay(self._viewer, layer, self._kind, corners)
        if corners is None:
            self.message.show_info(_CORNERS)
        self._update_buttons()

    def look_for_chart(self) -> None:
        """Look for the chart in a thread, and put the corners there."""
        layer = self.photograph.layer()
        if find_spec(DETECTION) is None:
            self.message.show_info(
                "Charts are found by a library that is not installed: pip install "
                "colour-checker-detection. Without it, place the corners by hand."
            )
        elif layer is not None:
            try:
                photograph = layer_photograph(layer)
            except HSRError as error:
                self.message.show_exception(error)
                return
            self.message.show_info("Looking for the chart…")
            self._job.start(
                partial(_find, photograph),
                finished=partial(self._on_found, layer),
                failed=self._on_failed,
                ended=self._update_buttons,
            )
            self._update_buttons()

    def _on_found(self, layer: Any, corners: np.ndarray | None) -> None:
        if corners is None or layer not in self._viewer.layers:
            self.message.show_warning("No chart was found: place the corners by hand.")
        else:
            self.place(corners, layer)

    @property
    def _kind(self) -> Chart:
        return CHARTS[self.chart.value()]

    def _on_chart(self, _row: int) -> None:
        if self.overlay is not None and self.overlay.there:
            self.overlay.set_chart(self._kind)

    def _on_photograph(self, _layer: object) -> None:
        self._update_buttons()

    def _update_buttons(self) -> None:
        there = self.photograph.layer() is not None and not self._job.running
        for part in (self.place_button, self.find_button):
            part.setEnabled(there)
        self.measure_button.setEnabled(there and self.overlay is not None)

    # --- what it says ------------------------------------------------------------------------

    def measure(self) -> None:
        """Measure the chart in a thread."""
        layer = self.photograph.layer()
        if layer is None or self.overlay is None:
            return
        try:
            if not self.overlay.there:
                raise InputError("The corners are no longer there: place them again.")
            if not self.overlay.lies_over(layer):
                raise InputError("The corners lie over another photograph: place them on this one.")
            if not self.overlay.in_place:
                raise InputError("The layer of the corners was moved: place them again.")
            corners, photograph = self.overlay.corners(), layer_photograph(layer)
        except HSRError as error:
            self.message.show_exception(error)
            return
        self.message.show_info("Measuring the chart…")
        name = self.name.text().strip() or layer.name
        options = (corners, self._kind, self.light.value(), name)
        self._job.start(
            partial(_measure, photograph, *options),
            f"The chart in {layer.name}",
            asks=computing_question,
            finished=partial(self._on_measured, layer, Held(layer)),
            failed=self._on_failed,
            ended=self._update_buttons,
        )
        self._update_buttons()  # a second one would keep a second profile

    def _on_measured(
        self, layer: Any, held: Held, found: tuple[CameraProfile, ChartFit, Photograph]
    ) -> None:
        profile, fit, corrected = found
        if layer not in self._viewer.layers or not held.by(layer):
            there = "changed" if layer in self._viewer.layers else "removed"
            self.message.show_warning(
                f"The photograph was {there} before its chart was measured, and no layer was added. The "
                f"camera profile {profile.name} was kept: it is of the photograph as it was."
            )
            profiles_changed()
            return
        if self.overlay is not None:
            self.overlay.remove()
            self.overlay = None
        made = add_photograph(
            self._viewer,
            corrected,
            above=layer,
            name=f"{layer.name} · by its chart",
            **spatial_transform(layer),
        )
        self._viewer.layers.selection.active = made  # Reconstruct takes it
        show = self.message.show_warning if fit.doubtful else self.message.show_info
        kept = f"{words(profile, fit)} Kept as the camera profile {profile.name}."
        show(f"{kept} {covered(self._viewer, made)}".strip())
        profiles_changed()
        self._update_buttons()

    def _on_failed(self, error: Exception) -> None:
        self.message.show_exception(error, "Measuring the chart")


def _measure(
    photograph: Photograph,
    corners: np.ndarray,
    kind: Chart,
    light: str,
    name: str,
    cancel: threading.Event,
) -> Iterator[tuple[CameraProfile, ChartFit, Photograph]]:
    profile, fit = measure_chart(photograph, corners, kind, light, name)
    corrected = profile.apply(photograph)
    stop_if(cancel)  # what is told to be stopped keeps no profile
    yield save_beside(profile), fit, corrected  # never in place of one that the user has


def _find(photograph: Photograph, _cancel: threading.Event) -> Iterator[np.ndarray | None]:
    """Corners by colour-checker-detection, (y, x) clockwise from dark skin; None if it finds none."""
    from colour_checker_detection import detect_colour_checkers_segmentation
    from scipy.ndimage import gaussian_filter

    from napari_hsr.colour import decode_photograph_tile, srgb_encode
    from napari_hsr.photograph import LINEAR_SRGB, SRGB

    encoding = photograph.encoding or SRGB
    linear = decode_photograph_tile(
        np.asarray(photograph.data), encoding, LINEAR_SRGB if encoding == SRGB else encoding
    )
    shown = srgb_encode(np.clip(linear, 0, 1)).astype(np.float32)
    size, found = max(shown.shape[:2]) / _WIDTH, ()
    for blur in _BLURS:
        soft = gaussian_filter(shown, (blur * size, blur * size, 0)) if blur else shown
        found = found or detect_colour_checkers_segmentation(soft, additional_data=True)
    if not found:
        yield None
        return
    corners = np.asarray(found[0].quadrilateral, float)[:, ::-1] * size
    if shown.shape[0] > shown.shape[1]:  # it looked at the picture turned clockwise
        corners = np.stack([shown.shape[0] - 1 - corners[:, 1], corners[:, 0]], axis=1)
    yield fitting_corners(photograph, corners)


def fitting_corners(photograph: Photograph, corners: np.ndarray) -> np.ndarray | None:
    """The corners of a 24-patch chart in the order, and so far in, that fit its colours best."""
    best: tuple[float, np.ndarray] | None = None
    middle = corners.mean(axis=0)
    for turned in (
        np.roll(way, step, axis=0) for way in (corners, corners[::-1]) for step in range(4)
    ):
        for part in (1.0, 0.96, 0.92):
            tried = middle + part * (turned - middle)
            try:
                profile, _ = measure_chart(photograph, tried, CHARTS["24"])
            except InputError:
                continue
            if best is None or profile.delta_e < best[0]:
                best = profile.delta_e, tried
    return None if best is None else best[1]
