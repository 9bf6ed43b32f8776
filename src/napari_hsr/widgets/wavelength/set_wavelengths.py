"""Set wavelengths…: state the band centres of a cube whose file does not give them."""

from typing import TYPE_CHECKING, Final, Literal

from magicgui import magicgui
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM, Wavelengths
from napari_hsr.errors import HSRError
from napari_hsr.io.wavelengths.wavelength_list import evenly, listed, read_text
from napari_hsr.viewer import axis
from napari_hsr.viewer.layer_data import is_cube, layer_shape, layer_wavelengths
from napari_hsr.viewer.layers import WAVELENGTH_STATE, before_wavelengths, set_wavelengths
from napari_hsr.viewer.undo import changing
from napari_hsr.widgets.common.choosers import LayerChooser
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import row
from napari_hsr.widgets.common.messages import Message, with_room
from napari_hsr.widgets.common.panel import Panel, button
from napari_hsr.widgets.common.scroll_area import VerticalScroll

if TYPE_CHECKING:
    from pathlib import Path

    import napari

EVEN: Final = "evenly spaced"
LIST: Final = "list"
_NM = {"min": 1.0, "max": 1e5, "step": 10.0}


def stated_wavelengths(
    bands: int,
    spacing: Literal["evenly spaced", "list"] = EVEN,
    first: float = DEFAULT_WAVELENGTHS_NM[0],
    last: float = DEFAULT_WAVELENGTHS_NM[-1],
    centres: str = "",
    unit: Literal["nm", "µm"] = "nm",
) -> Wavelengths:
    """The wavelengths that a user states; the parameters are the fields of the form.

    Parameters
    ----------
    bands : int
        How many are needed.
    spacing : str
        Whether ``first`` and ``last`` count, or ``centres``.
    first, last : float
        Centres of the first and the last band, in nm.
    centres : str
        A list or table of band centres in ``unit``.
    unit : str

    Raises
    ------
    InputError
        If they do not fit the bands, or do not ascend.
    """
    if spacing == EVEN:
        return evenly(first, last, bands)
    return listed(centres, bands, micrometres=unit == "µm")


class SetWavelengthsWidget(Panel):
    """A form for the wavelengths of a cube: evenly spaced, or one for each band.

    Entries are checked as they are typed; Apply is enabled once they fit.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: "napari.viewer.Viewer"):
        super().__init__()
        self._viewer, self._keeps_settings = viewer, False  # they are those of one cube
        self._found: Wavelengths | None = None
        #: The list of the cube's own wavelengths, as the panel entered it.
        self._own_list = ""

        self.chooser = LayerChooser(viewer, is_cube, self, empty="no cube open")
        self.now = WrappedLabel()
        self.form = magicgui(
            stated_wavelengths,
            call_button=False,
            bands={"bind": 1},
            spacing={"label": "Spacing", "tooltip": "First and last band, or one value a band"},
            first={"label": "First band (nm)", **_NM},
            last={"label": "Last band (nm)", **_NM},
            centres={"label": "Band centres", "widget_type": "TextEdit"},
            unit={"label": "Unit", "tooltip": "Of the band centres in the list"},
        )
        self.form.margins = (0, 0, 0, 0)
        self.form.centres.native.setPlaceholderText("400, 410, 420 …")
        self.form.centres.max_height = 100
        self.file_button = button(
            "From a file…",
            self._ask_for_file,
            "A text or CSV file with one wavelength a line, or in a column",
        )
        self.message = Message(lines=3)
        self.apply_button = button("Apply", self.apply, "Give the cube these wavelengths")
        self._arrange()

        self.chooser.changed.connect(self._take)
        self.form.changed.connect(self._check)
        # magicgui 0.10 does not announce changes of a TextEdit.
        self.form.centres.native.textChanged.connect(self._check)
        self._connections = Connections(self)
        self._take(self.chooser.layer())
        self.attach()

    def _arrange(self) -> None:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row(QLabel("Cube"), self.chooser, stretch=self.chooser))
        policy = QSizePolicy.Policy
        self.form.native.setSizePolicy(policy.Preferred, policy.Fixed)
        for part in (self.now, self.form.native, self.file_button):
            layout.addWidget(part)
        layout.addStretch(1)
        outer = QVBoxLayout(self)
        outer.addWidget(VerticalScroll(content, least=110))
        outer.addLayout(row(self.apply_button, self.help_button(), stretch=self.apply_button))
        outer.addWidget(with_room(self.message, 3))  # the button stays where it is
        # Height is worth more to a plot that is docked beside it.
        self.setSizePolicy(policy.Preferred, policy.Maximum)

    @property
    def wavelengths(self) -> Wavelengths | None:
        """What Apply would set; None while the entries do not fit."""
        return self._found

    def read_file(self, path: "str | Path") -> None:
        """Put the text of a file into the list."""
        self.form.spacing.value = LIST
        try:
            self.form.centres.value = read_text(path)
        except HSRError as error:
            self.message.show_exception(error)

    def apply(self) -> bool:
        """Set the wavelengths; the band on show stays. True if it was done."""
        layer = self.chooser.layer()
        if layer is None or self._found is None:
            return False
        band = axis.current_band(self._viewer, layer)
        try:
            how = ("set wavelengths", WAVELENGTH_STATE, before_wavelengths)
            with changing(self._viewer, layer, *how):
                set_wavelengths(layer, self._found.nm)
        except HSRError as error:
            self.message.show_exception(error)
            return False
        if band is not None:
            axis.go_to_band(self._viewer, layer, band)
        self.message.show_info(f"{layer.name} now has {self._found.describe()}.")
        return True

    def _take(self, layer) -> None:
        """Start from the wavelengths that the chosen cube has."""
        known = None if layer is None else layer_wavelengths(layer)
        with self.form.changed.blocked():
            if self._own_list and self.form.centres.value == self._own_list:  # of another cube
                self._own_list = self.form.centres.value = ""
                self.form.spacing.value = EVEN
            if known is not None:
                self.form.first.value, self.form.last.value = (
                    float(known.nm[0]),
                    float(known.nm[-1]),
                )
                if known.step is None and len(known) > 1:
                    # Even spacing would replace an irregular grid at one click on Apply.
                    self._own_list = ", ".join(f"{nm:.10g}" for nm in known.nm)
                    self.form.unit.value = "nm"
                    self.form.centres.value = self._own_list
                    self.form.spacing.value = LIST
        self._describe()
        self._check()

    def _describe(self) -> None:
        layer = self.chooser.layer()
        if layer is None:
            self.now.setText("Open a cube first.")
            return
        known = layer_wavelengths(layer)
        bands = layer_shape(layer)[0]
        unknown = f"{bands} band{'' if bands == 1 else 's'}, wavelengths not known"
        self.now.setText(f"Now: {unknown if known is None else known.describe()}.")

    def _check(self) -> None:
        self._found = None
        layer, listing = self.chooser.layer(), self.form.spacing.value == LIST
        for name in ("first", "last", "centres", "unit"):
            self.form[name].visible = listing == (name in ("centres", "unit"))
        self.file_button.setVisible(listing)
        self.form.native.setEnabled(layer is not None)
        if layer is None:
            self.message.clear()
        elif listing and not self.form.centres.value.strip():
            self.message.show_info(_needed(layer_shape(layer)[0]))
        else:
            try:
                self._found = self.form(layer_shape(layer)[0])
                self.message.show_info(f"{self._found.describe()}{_spacing(self._found)}.")
            except HSRError as error:
                self.message.show_warning(str(error))
        self.apply_button.setEnabled(self._found is not None)

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Wavelengths from a file", "", "Text (*.csv *.txt *.tsv *.dat);;All files (*)"
        )
        if path:
            self.read_file(path)

    def _on_layers(self, event=None) -> None:
        if event.type in ("metadata", "data", "scale"):
            self._describe()

    def _attach(self) -> None:
        self._connections.connect(self._viewer.layers.events, "_on_layers")
        self._describe()

    def _release(self) -> None:
        self._connections.close()


#: Pixels in which the form of evenly spaced bands does not scroll.
DIALOG_HEIGHT = 320


def open_dialog(viewer, layer, parent: QWidget) -> QDialog:
    """The form in a window of its own, for one layer; it closes when applied."""
    dialog = QDialog(parent)
    dialog.setWindowTitle("Set wavelengths…")
    content = SetWavelengthsWidget(viewer)
    if layer is not None:
        content.chooser.set_layer(layer)
    box = QVBoxLayout(dialog)
    box.setContentsMargins(0, 0, 0, 0)
    box.addWidget(content)
    # After the panel's own slot: a message that says why not must stay to be read.
    content.apply_button.clicked.connect(
        lambda: dialog.accept() if content.message.kind == "info" else None
    )
    dialog.finished.connect(dialog.deleteLater)
    dialog.resize(360, max(dialog.sizeHint().height(), DIALOG_HEIGHT))
    dialog.open()
    return dialog


def _needed(bands: int) -> str:
    if bands == 1:
        return "One wavelength is needed."
    return f"{bands} wavelengths are needed, one for each band."


def _spacing(wavelengths: Wavelengths) -> str:
    if wavelengths.step is None and len(wavelengths) > 1:
        return ", irregularly spaced: the slider goes by band"
    return ""
