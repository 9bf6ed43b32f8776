"""Set wavelengths…: stating the band centres of a cube that does not name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM, Wavelengths
from napari_hsr.errors import HSRError
from napari_hsr.io.wavelength_list import evenly, listed, read_text
from napari_hsr.viewer import axis
from napari_hsr.viewer.layer_data import is_cube, layer_wavelengths
from napari_hsr.viewer.layers import set_wavelengths
from napari_hsr.widgets.common.choosers import LayerChooser
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.scroll_area import VerticalScroll

if TYPE_CHECKING:
    from pathlib import Path

    import napari


class SetWavelengthsWidget(QWidget):
    """States the wavelengths of a cube: evenly from start to stop, or a list of one a band.

    What is typed is checked at once, and said in one sentence; Apply is offered only for
    wavelengths that fit.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer):
        super().__init__()
        self._viewer = viewer
        self._found: Wavelengths | None = None
        #: The present wavelengths as the panel itself wrote them into the list.
        self._list = ""

        self.chooser = LayerChooser(viewer, is_cube, self, empty="no cube open")
        self.now = QLabel()
        self.now.setWordWrap(True)
        self.start, self.stop = (
            _nm_box(DEFAULT_WAVELENGTHS_NM[0]),
            _nm_box(DEFAULT_WAVELENGTHS_NM[-1]),
        )
        self.text = QPlainTextEdit()
        self.text.setPlaceholderText("400, 410, 420 …\none wavelength for each band")
        self.text.setMinimumHeight(80)
        self.unit = QComboBox()
        self.unit.addItems(["nm", "µm"])
        self.file_button = QPushButton("From a file…")
        self.file_button.setToolTip(
            "A text or CSV file: one wavelength a line, or a column of them"
        )
        self.tabs = QTabWidget()
        self.message = Message()
        self.apply_button = QPushButton("Apply")
        self._arrange()

        self.chooser.changed.connect(self._take)
        self.start.valueChanged.connect(self._check)
        self.stop.valueChanged.connect(self._check)
        self.text.textChanged.connect(self._check)
        self.unit.currentIndexChanged.connect(self._check)
        self.tabs.currentChanged.connect(self._check)
        self.file_button.clicked.connect(self._ask_for_file)
        self.apply_button.clicked.connect(self.apply)
        self._connections = Connections(self)
        self._connections.connect(viewer.layers.events, "_on_layers")
        self._take(self.chooser.layer())

    def _arrange(self) -> None:
        even = QWidget()
        form = QFormLayout(even)
        form.addRow("First band", self.start)
        form.addRow("Last band", self.stop)
        many = QWidget()
        column = QVBoxLayout(many)
        column.addWidget(self.text)
        row = QHBoxLayout()
        row.addWidget(QLabel("Unit"))
        row.addWidget(self.unit)
        row.addStretch(1)
        row.addWidget(self.file_button)
        column.addLayout(row)
        self.tabs.addTab(even, "Evenly spaced")
        self.tabs.addTab(many, "List")
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        top = QHBoxLayout()
        top.addWidget(QLabel("Cube"))
        top.addWidget(self.chooser, 1)
        layout.addLayout(top)
        for part in (self.now, self.tabs, self.message):
            layout.addWidget(part)
        layout.addStretch(1)
        outer = QVBoxLayout(self)
        outer.addWidget(VerticalScroll(content, least=110))
        outer.addWidget(self.apply_button)
        # Height is worth more to a plot that is docked beside it.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    @property
    def wavelengths(self) -> Wavelengths | None:
        """What Apply would state; None while it does not fit."""
        return self._found

    def read_file(self, path: str | Path) -> None:
        """Put the text of a file into the list."""
        self.tabs.setCurrentIndex(1)
        try:
            self.text.setPlainText(read_text(path))
        except HSRError as error:
            self.message.show_exception(error)

    def apply(self) -> bool:
        """State the wavelengths; the band that is shown stays. True if it was done."""
        layer = self.chooser.layer()
        if layer is None or self._found is None:
            return False
        band = axis.current_band(self._viewer, layer)
        try:
            set_wavelengths(layer, self._found.nm)
        except HSRError as error:
            self.message.show_exception(error)
            return False
        if band is not None:
            axis.go_to_band(self._viewer, layer, band)
        self.message.show_info(f"{layer.name} now has {self._found.describe()}.")
        return True

    # --- inside --------------------------------------------------------------------------

    def _take(self, layer) -> None:
        known = None if layer is None else layer_wavelengths(layer)
        if self._list and self.text.toPlainText() == self._list:  # another cube's, not the user's
            self._list = ""
            self.text.clear()
            self.tabs.setCurrentIndex(0)
        if known is not None:
            for box, nm in ((self.start, known.nm[0]), (self.stop, known.nm[-1])):
                blocked = box.blockSignals(True)
                box.setValue(float(nm))
                box.blockSignals(blocked)
            if known.step is None and len(known) > 1:
                self._show_list(known)  # one click on Apply must not space them evenly
        self._describe()
        self._check()

    def _show_list(self, known: Wavelengths) -> None:
        """Begin with the list that the cube has."""
        self._list = ", ".join(f"{nm:.10g}" for nm in known.nm)
        self.unit.setCurrentText("nm")
        self.text.setPlainText(self._list)
        self.tabs.setCurrentIndex(1)

    def _describe(self) -> None:
        layer = self.chooser.layer()
        if layer is None:
            self.now.setText("Open a cube first.")
            return
        known = layer_wavelengths(layer)
        if known is None:
            bands = _bands(layer)
            self.now.setText(f"Now: {bands} band{_s(bands)}, wavelengths not known.")
        else:
            self.now.setText(f"Now: {known.describe()}.")

    def _check(self, *_ignored) -> None:
        self._found = None
        layer = self.chooser.layer()
        self.tabs.setEnabled(layer is not None)
        try:
            if layer is None:
                self.message.clear()
            elif self.tabs.currentIndex() == 0:
                self._found = evenly(self.start.value(), self.stop.value(), _bands(layer))
            elif self.text.toPlainText().strip():
                micrometres = self.unit.currentText() == "µm"
                self._found = listed(self.text.toPlainText(), _bands(layer), micrometres)
            else:
                self.message.show_info(_needed(_bands(layer)))
            if self._found is not None:
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

    def release(self) -> None:
        """Leave the viewer without callbacks of this panel."""
        self._connections.close()

    def event(self, event: QEvent) -> bool:
        """Notice being taken out of its dock (napari does not delete it then)."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.release()
        return super().event(event)


def open_dialog(viewer, layer, parent: QWidget) -> QDialog:
    """The same in a window of its own, for one layer; it closes when applied."""
    dialog = QDialog(parent)
    dialog.setWindowTitle("Set wavelengths…")
    content = SetWavelengthsWidget(viewer)
    if layer is not None:
        content.chooser.set_layer(layer)
    box = QVBoxLayout(dialog)
    box.setContentsMargins(0, 0, 0, 0)
    box.addWidget(content)
    # After the panel's own slot: a message that says why not must stay to be read.
    content.apply_button.clicked.connect(lambda: content.message.kind == "info" and dialog.accept())
    dialog.finished.connect(dialog.deleteLater)
    dialog.resize(360, dialog.sizeHint().height())
    dialog.open()
    return dialog


def _nm_box(value: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(2)
    box.setRange(1.0, 100_000.0)
    box.setSingleStep(10.0)
    box.setSuffix(" nm")
    box.setValue(value)
    return box


def _bands(layer) -> int:
    return int((layer.data[0] if layer.multiscale else layer.data).shape[0])


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _needed(bands: int) -> str:
    if bands == 1:
        return "One wavelength is needed."
    return f"{bands} wavelengths are needed, one for each band."


def _spacing(wavelengths: Wavelengths) -> str:
    if wavelengths.step is None and len(wavelengths) > 1:
        return ", irregularly spaced: the slider goes by band"
    return ""
