"""The Wavelength panel: the band on show, in nanometres, and colour renderings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QGroupBox, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_hsr.errors import HSRError
from napari_hsr.io import WRITE_SUFFIXES, write
from napari_hsr.progress import abandonable
from napari_hsr.viewer import axis, rendering
from napari_hsr.viewer.as_read import Held, too_late
from napari_hsr.viewer.canvas_text import show_wavelength
from napari_hsr.viewer.computed_cubes import computed_cube
from napari_hsr.viewer.contributions import write_image
from napari_hsr.viewer.covering import covered
from napari_hsr.viewer.layer_data import (
    is_cube,
    is_frames,
    layer_shape,
    layer_state,
    layer_wavelengths,
)
from napari_hsr.viewer.workspace import open_panel
from napari_hsr.widgets.common.choosers import LayerChooser
from napari_hsr.widgets.common.close_guard import (
    ENDED,
    GOES_ON,
    computing_question,
    saving_question,
)
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.control_settings import about_layers, about_view
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.layouts import row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import Panel, button
from napari_hsr.widgets.common.plain_text import one_line
from napari_hsr.widgets.common.save_dialog import ask_path
from napari_hsr.widgets.common.scroll_area import VerticalScroll
from napari_hsr.widgets.wavelength.apart import why_apart
from napari_hsr.widgets.wavelength.band_control import BandControl, NanometreBox, band_name
from napari_hsr.widgets.wavelength.set_wavelengths import open_dialog
from napari_hsr.widgets.wavelength.tint import Tint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari

    from napari_hsr.cube import Wavelengths
    from napari_hsr.photograph import Photograph

_RENDERING, _SAVING = "Rendering", "Saving"
#: Events of a layer that may change its bands or their description.
_BANDS_CHANGED = {"metadata", "scale", "translate", "units", "data"}


class WavelengthWidget(Panel):
    """Shows and sets the wavelength of the viewer, in step with napari's own slider.

    The slider covers the bands of one cube, the selected or the newest, so that it is exact for
    irregular grids too; other cubes on the axis follow by wavelength.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer):
        super().__init__()
        self._viewer = viewer
        self._layer: Any = None  # the Image on show
        self._known: Wavelengths | None = None  # of its cube
        self._job = JobSlot(self)
        self._doing = ""
        self._tint = Tint()
        self._enter = QTimer(self)
        self._enter.setSingleShot(True)
        self._enter.timeout.connect(self._go_into)

        self.chooser = LayerChooser(viewer, is_cube, self, empty="no cube open")
        self._chooser_row = QWidget()
        self._chooser_row.setLayout(row(QLabel("Cube"), self.chooser, stretch=self.chooser))
        self.control = BandControl()
        self.info = QLabel()
        self.info.setToolTip("napari's slider below the picture counts from 0")
        self.tint = QCheckBox("Tint the image with the colour of the band")
        self.tint.setToolTip("Black to the colour of the wavelength on show, instead of grey")
        self.notice = Message()
        self.set_button = button(
            "Set wavelengths…", self._set_wavelengths, "State the band centres of this cube"
        )
        self.true_button = button(
            "True colour", self._true_colour, "Add the cube as the eye sees it (CIE 1931, D65)"
        )
        self.false_button = button(
            "False colour", self._false_colour, "Add three bands as red, green and blue"
        )
        self.maps_button = button(
            "Maps…", self._open_maps, "An index, components or endmembers of this cube as maps"
        )
        self.save_button = button(
            "Save cube…",
            self._ask_save,
            "Write the cube with its wavelengths, scale and place as MATLAB, ENVI, TIFF, HDF5, "
            "NumPy or zarr file",
        )
        self.channels = [NanometreBox() for _ in range(3)]
        about_layers(*self.channels)
        about_view(self.control.number)
        self.message = Message()
        self._arrange()

        self.chooser.changed.connect(self._take)
        self.control.band_chosen.connect(self._go)
        self.tint.toggled.connect(self._update_tint)
        self.tint.toggled.connect(self._say_hidden)
        self._take(self.chooser.layer())
        self.attach()

    @property
    def layer(self):
        """The cube layer whose bands the slider covers, or None."""
        return self._layer

    def _arrange(self) -> None:
        colour = QGroupBox("The cube in colour")
        inside = QVBoxLayout(colour)
        inside.addWidget(self.true_button)
        boxes = row()
        for letter, word, box in zip("RGB", ("red", "green", "blue"), self.channels, strict=True):
            box.setToolTip(f"The band shown as {word} (arrow keys: the next one)")
            box.setButtonSymbols(NanometreBox.ButtonSymbols.NoButtons)  # room for the unit
            boxes.addWidget(QLabel(letter))
            boxes.addWidget(box, 1)
        inside.addLayout(boxes)
        inside.addWidget(self.false_button)
        self._last = QWidget()
        row(self.maps_button, self.save_button, into=self._last)
        content = QWidget()
        layout = QVBoxLayout(content)
        for part in (
            self._chooser_row,
            self.control,
            self.tint,
            self.notice,
            self.set_button,
            colour,
            self._last,
            self.message,
        ):
            layout.addWidget(part)
        layout.insertLayout(2, row(self.info, self.help_button(), stretch=self.info))
        layout.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(VerticalScroll(content, least=160))
        # Height is worth more to a plot that is docked beside it.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    # --- the cube ------------------------------------------------------------------------

    def _take(self, layer) -> None:
        self._tint.remove()
        self.control.stop()
        self._layer = layer
        self._chooser_row.setVisible(len(self.chooser.layers()) > 1)
        self.message.clear()
        self._update_bands()
        if layer is not None:
            show_wavelength(self._viewer)
            self._enter.start(0)  # a layer just added is not yet on the viewer's slider

    def _go_into(self) -> None:
        """Move the slider into a cube that was just chosen."""
        if self._layer is not None and self._layer in self._viewer.layers and self._layer.visible:
            axis.go_into(self._viewer, self._layer)

    def _update_bands(self) -> None:
        layer = self._layer
        known = self._known = None if layer is None else layer_wavelengths(layer)
        bands = 1 if layer is None else _bands(layer)
        self.control.setEnabled(layer is not None)
        self.control.set_bands(bands, known)
        for box, band in zip(self.channels, _first_channels(layer, bands, known), strict=True):
            box.set_bands(bands, known)
            box.set_band(band)
        self.tint.setEnabled(known is not None)
        self._update_buttons()
        self._say_what_is_known(known)
        self._update_band()

    def _update_buttons(self) -> None:
        idle = self._layer is not None and not self._job.running
        for part in (self.false_button, self.save_button, *self.channels):
            part.setEnabled(idle)
        self.true_button.setEnabled(idle and self._known is not None)

    def _say_what_is_known(self, known) -> None:
        doubtful = self._layer is not None and (known is None or known.assumed)
        self.set_button.setVisible(doubtful)
        said = why_apart(self._layer, known, self.chooser.layers())
        if doubtful and known is not None:
            span = f"{known.nm[0]:g}–{known.nm[-1]:g} nm"
            said = f"{span} is an assumption: the file names no wavelengths. {said}".rstrip()
        elif doubtful and not said:
            said = "The wavelengths of this cube are not known: bands go by number."
        if said:
            self.notice.show_warning(said)
        else:
            self.notice.clear()

    # --- the band ------------------------------------------------------------------------

    def _update_band(self, event=None) -> None:
        layer = self._layer
        if layer is None:
            self.info.setText("Open a cube, or reconstruct one.")
            return
        if self.control.bands() != _bands(layer):
            # napari moves its slider before it tells that the layer has other data
            self._update_bands()
            return
        band = axis.current_band(self._viewer, layer)
        self.control.set_band(band)
        if band is None:
            at = axis.current_nm(self._viewer)
            where = "the slider" if at is None or self._known is None else f"{at:.5g} nm"
            self.info.setText(f"Not shown: {where} lies outside this cube.")
            return
        nm = axis.current_nm(self._viewer, layer)
        text = f"band {band + 1} of {layer_shape(layer)[0]}{self._on_slider()}"
        self.info.setText(text if nm is None else f"{text} · {band_name(band, nm)}")
        self._update_tint()

    def _on_slider(self) -> str:
        """The number that napari's slider shows, which counts from 0; nothing in 3D, without a slider."""
        dims, at = self._viewer.dims, axis.band_axis_index(self._viewer)
        return f" (slider: {dims.current_step[at]})" if at in dims.not_displayed else ""

    def _go(self, band: int) -> None:
        if self._layer is not None:
            axis.go_to_band(self._viewer, self._layer, band)
            self._say_hidden()

    def _say_hidden(self, _on: bool = True) -> None:
        """What is set here would seem to do nothing."""
        if not self._job.running:
            over = covered(self._viewer, self._layer) if self._layer is not None else ""
            self.message.show_info(f"The band on show is hidden. {over}" if over else "")

    def _update_tint(self, _on: bool = True) -> None:
        nm = None if self._layer is None else axis.current_nm(self._viewer, self._layer)
        if self.tint.isChecked() and nm is not None:
            self._tint.apply(self._layer, nm)
        elif not self.tint.isChecked():
            self._tint.remove()

    def _on_layers(self, event=None) -> None:
        self._chooser_row.setVisible(len(self.chooser.layers()) > 1)
        if self._layer is None:
            return
        if event.type in _BANDS_CHANGED:
            self._update_bands()
        elif event.type in ("inserted", "removed"):
            self._say_what_is_known(self._known)

    # --- colour --------------------------------------------------------------------------

    def _set_wavelengths(self) -> None:
        open_dialog(self._viewer, self._layer, self)

    def _true_colour(self) -> None:
        self._render(rendering.true_colour)

    def _false_colour(self) -> None:
        bands = [box.band() for box in self.channels]
        self._render(lambda cube: rendering.false_colour(cube, bands=bands))

    def _render(self, picture_of) -> None:
        layer = self._layer
        try:
            cube = computed_cube(layer)
        except HSRError as error:
            self.message.show_exception(error)
            return
        held = Held(layer)
        self._start(
            _RENDERING,
            layer,
            lambda: picture_of(cube),
            lambda made: self._show(made, layer, held),
        )

    def _start(
        self, what: str, layer: Any, work: Callable[[], Any], finished: Callable[[Any], object]
    ) -> None:
        self.message.show_info(f"{what}…")
        self._doing, made = what, (do() for do in (work,))  # which begins in the thread
        self._job.start(
            lambda cancel: made if what == _SAVING else abandonable(made, cancel),
            f"{what} {layer.name}",
            asks=saving_question if what == _SAVING else computing_question,
            finished=finished,
            failed=lambda error: self.message.show_exception(error, what),
            ended=self._update_buttons,
        )
        self._update_buttons()

    def _show(self, picture: Photograph, layer, held: Held) -> None:
        if why := too_late(self._viewer, layer, held, "its picture was ready"):
            self.message.show_warning(why)
            return
        rendering.add_picture(self._viewer, layer, picture)
        seen = covered(self._viewer) or "It lies over the bands: hide it to see them one by one."
        self.message.show_info(f"{picture.notices[0]} {seen}")

    def _ask_save(self) -> None:
        layer = self._layer  # while it is asked a run may end, and another cube be taken
        name = f"{one_line(layer.name).replace('/', '-')}.mat"
        kinds = " ".join(f"*{suffix}" for suffix in WRITE_SUFFIXES if suffix != ".png")
        path = ask_path(self, "Save cube", name, f"Spectral cubes ({kinds})")
        if path is not None:
            self.save(path, layer)

    def save(self, path: Path, layer: Any = None) -> None:
        """Write the cube of a layer, the one on show, with what that knows of it; the suffix sets the format."""
        layer = self._layer if layer is None else layer
        if is_frames(layer):
            self._save_frame(path, layer)
            return
        data, meta, _ = layer.as_layer_data_tuple()
        self._start(
            _SAVING,
            layer,
            lambda: write_image(path, data, meta),
            lambda written: self.message.show_info(f"Wrote {written[0]}."),
        )

    def _save_frame(self, path: Path, layer: Any) -> None:
        """Write the cube of the frame on show."""
        try:
            cube = computed_cube(layer)
        except HSRError as error:
            self.message.show_exception(error)
            return
        self._start(
            _SAVING,
            layer,
            lambda: write(cube, path),
            lambda written: self.message.show_info(f"Wrote {written}, of {one_line(cube.name)}."),
        )

    def _open_maps(self) -> None:
        if getattr(self._viewer, "window", None) is not None:  # a model of a viewer has none
            panel = open_panel(self._viewer, "Maps")
            if self._layer in panel.chooser.layers():
                panel.chooser.set_layer(self._layer)

    # --- coming and going ----------------------------------------------------------------

    def _attach(self) -> None:
        self.chooser.attach()
        self._connections = Connections(self)
        for moved in (self._viewer.dims.events.point, self._viewer.dims.events.ndisplay):
            self._connections.connect(moved, "_update_band")
        self._connections.connect(self._viewer.layers.events, "_on_layers")
        self._update_bands()

    def _release(self) -> None:
        self.control.stop()
        self._enter.stop()
        self.tint.setChecked(False)
        self.chooser.release()
        self._connections.close()
        if self.message.text() in (f"{_RENDERING}…", f"{_SAVING}…"):  # which says nothing more
            self.message.clear()
        self._job.leave(GOES_ON if self._doing == _SAVING else ENDED)

    def hideEvent(self, event) -> None:  # noqa: N802 - Qt's name
        self.control.stop()
        super().hideEvent(event)


def _bands(layer: Any) -> int:
    """How many there are to choose from; one of an array of none."""
    return max(1, layer_shape(layer)[0])


def _first_channels(layer, bands: int, known: Wavelengths | None) -> list[int]:
    """The bands that false colour begins with, from 0."""
    if known is not None:
        return [known.nearest(nm) for nm in rendering.false_colour_wavelengths(known)]
    metadata = {} if layer is None else layer_state(layer).get("metadata") or {}
    return rendering.named_bands(bands, metadata.get("default bands"))
