"""Contents of a file…: which array of a file is the cube, and what its axes are."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hsr import io
from napari_hsr.errors import HSRError, InputError, SeveralArraysError
from napari_hsr.io import alternatives
from napari_hsr.io.detect import CAMERA_SUFFIXES
from napari_hsr.io.number_parsing import number
from napari_hsr.io.read_choice import Choice
from napari_hsr.photograph import Photograph
from napari_hsr.viewer import as_read, file_choices
from napari_hsr.viewer.contributions import announce
from napari_hsr.viewer.fingerprints import Trace
from napari_hsr.viewer.layer_data import is_cube, is_photograph
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.choosers import LayerChooser, NarrowComboBox
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import narrow_form, row
from napari_hsr.widgets.common.messages import Message, with_room
from napari_hsr.widgets.common.panel import Panel, button, main_window
from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer


_AXES = {"b": "bands", "y": "rows", "x": "columns"}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
#: Dialogs that are open: without a window as their parent, nothing else would keep them.
_OPEN: dict[str, QDialog] = {}


class FileContentsWidget(Panel):
    """Opens the file of a layer once more: another array, other axes, another full scale.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer):
        super().__init__()
        self._viewer, self._keeps_settings = viewer, False  # they are those of one file
        self._path = ""
        self._seen = alternatives.Alternatives()
        self.chooser = LayerChooser(viewer, _is_of_a_file, self, empty="nothing opened from a file")
        self.told = WrappedLabel()
        self.array = NarrowComboBox()
        self.array.setToolTip("The array that is read as the cube")
        self.axes = NarrowComboBox()
        self.axes.setToolTip("What the axes of the stored array are, in the order of the file")
        self.no_data = QLineEdit()
        self.no_data.setPlaceholderText("as the file states")
        self.no_data.setToolTip("The stored number that stands for missing values: -9999")
        self.full_scale = QDoubleSpinBox()
        self.full_scale.setRange(0, 2**32)
        self.full_scale.setDecimals(0)
        self.full_scale.setSpecialValueText("as the file states")
        self.full_scale.setToolTip("The value that means white: 4095 for 12 bits kept in 16")
        self.half_size = QCheckBox("Half size, without interpolating colours")
        self.half_size.setToolTip("One pixel for each 2 × 2 of the camera's mosaic")
        self.remember = QCheckBox("Also for other files of this layout")
        self.remember.setToolTip("Files with the same arrays open like this from now on")
        self.remember.setChecked(True)
        self.message = Message(lines=3)
        self.open_button = button("Open", self.open, "Read the file like this, as a new layer")
        self._arrange()
        self.chooser.changed.connect(self._take)
        self.array.currentIndexChanged.connect(self._offer_axes)
        self._connections = Connections(self)
        self._take(self.chooser.layer())
        self.attach()

    def _arrange(self) -> None:
        self._form: QFormLayout = narrow_form()
        for label, field in (
            ("Layer", self.chooser),
            ("", self.told),
            ("Array", self.array),
            ("Axes of the stored array", self.axes),
            ("No data", self.no_data),
            ("White", self.full_scale),
            ("", self.half_size),
            ("", self.remember),
        ):
            self._form.addRow(*((label, field) if label else (field,)))
        outer = QVBoxLayout(self)
        outer.addLayout(self._form)
        outer.addLayout(row(self.open_button, self.help_button(), stretch=self.open_button))
        outer.addWidget(with_room(self.message, 3))  # the button stays where it is
        outer.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def set_file(self, path: str) -> None:
        """Offer what a file leaves open."""
        self._path, self._seen = path, alternatives.Alternatives()
        self.message.clear()
        if path:
            try:
                with alternatives.recorded() as self._seen:
                    io.read(path)
            except SeveralArraysError:  # what they are was recorded
                pass
            except HSRError as error:
                self.message.show_exception(error)
        seen = self._seen
        self.array.offer({a.name: _described(a) for a in seen.arrays}, seen.chosen)
        if seen.arrays and not seen.chosen:
            self.array.setCurrentIndex(0)
        cube = bool(seen.arrays or seen.shape)
        raw = Path(path).suffix.lower() in CAMERA_SUFFIXES
        for field, shown in (
            (self.array, bool(seen.arrays)),
            (self.axes, cube),
            (self.no_data, cube),
            (self.full_scale, bool(path) and not cube and not raw),
            (self.half_size, raw),
            (self.remember, cube),
        ):
            self._form.setRowVisible(field, shown)
        self.no_data.clear()  # what was stated was of another file
        self.told.setText(self._sentence())
        self._offer_axes()
        self.open_button.setEnabled(bool(path) and (cube or not self.message.text()))

    def show_file_alone(self, path: str) -> None:
        """Offer what one file leaves open, whatever layers come and go."""
        self.chooser.changed.disconnect(self._take)
        self._form.setRowVisible(self.chooser, False)
        self.set_file(path)

    def open_alike(self, other: FileContentsWidget) -> None:
        """Open the file as the other one was, if it has its layout."""
        if file_choices.layout(self._path, self._seen) == file_choices.layout(
            other._path, other._seen
        ):
            self.array.set_value(other.array.value())
            self.axes.set_value(other.axes.value())
            self.open_button.click()

    def choice(self) -> Choice:
        """What the fields state.

        Raises
        ------
        InputError
            If the number for missing values is none.
        """
        if not self._seen.arrays and not self._seen.shape:
            return Choice(
                full_scale=self.full_scale.value() or None, half_size=self.half_size.isChecked()
            )
        text = self.no_data.text().strip()
        missing = number(text)
        if text and missing is None:
            raise InputError(f"The number for missing values is none: {text!r}.")
        return Choice(variable=self.array.value(), axes=self.axes.value(), no_data=missing)

    @property
    def kept_by_itself(self) -> str:
        """The array that was read without asking; empty if none was."""
        return self._seen.chosen or self._seen.axes

    def keep(self) -> None:
        """Remember what was read by itself for files of this layout, if that is ticked.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        if self.remember.isChecked():
            kept = Choice(variable=self._seen.chosen or None, axes=self._seen.axes or None)
            file_choices.remember(self._path, self._seen, kept)

    def open(self) -> Layer | None:
        """Open the file like this as a new layer; None if it could not be read so."""
        try:
            choice, trace = self.choice(), Trace.of(self._path)
            thing = io.read(
                self._path,
                variable=choice.variable,
                axes=choice.axes,
                full_scale=choice.full_scale,
                half_size=choice.half_size,
                no_data=choice.no_data,
            )
            if self.remember.isChecked() and not choice.is_open:
                file_choices.remember(self._path, self._seen, choice)
        except HSRError as error:
            self.message.show_exception(error)
            return None
        from napari.layers._source import layer_source

        announce(thing)
        stated = file_choices.stated(choice)
        with layer_source(path=self._path, reader_plugin="napari-hsr"):
            if isinstance(thing, Photograph):
                layer = add_photograph(self._viewer, thing, metadata=stated)
            else:
                layer = add_cube(self._viewer, thing, metadata=stated)
        as_read.note(layer.data, trace)
        shape = " × ".join(str(n) for n in thing.data.shape)
        self.message.show_info(f"{thing.name} was opened ({shape}).")
        return layer

    def _take(self, layer: Layer | None) -> None:
        self.set_file("" if layer is None else str(layer.source.path))

    def _sentence(self) -> str:
        count = len(self._seen.arrays)
        if not self._path:
            return "Open a file first."
        if count > 1:
            named = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
            return f"This file holds {named} arrays that could be the cube."
        if self._seen.axes_guessed:
            return "This file does not say which of its axes holds the bands."
        return ""

    def _offer_axes(self, _row: int = 0) -> None:
        """Each order of bands, rows and columns, with the lengths of the chosen array."""
        array = next((a for a in self._seen.arrays if a.name == self.array.value()), None)
        shape = tuple(n for n in array.shape if n > 1) if array else self._seen.shape
        if len(shape) != 3:
            self.axes.offer({None: "as found"}, None)
            return
        orders = ["".join(order) for order in permutations("byx")]
        labels = {
            axes: " × ".join(f"{n} {_AXES[a]}" for n, a in zip(shape, axes, strict=True))
            for axes in orders
        }
        found = self._seen.axes if array is None or array.name == self._seen.chosen else ""
        likely = f"as found: {labels[found]}" if found else "found by itself"
        self.axes.offer({None: likely} | labels, None)

    def _attach(self) -> None:
        self.chooser.attach()

    def _release(self) -> None:
        self.chooser.release()


def ask_what_to_read(path: str) -> QDialog:
    """The form in a window of its own, for a file that leaves a choice.

    What was opened of the file by itself makes room for what the user opens, or stays as it is.
    """
    import napari

    if path not in _OPEN:
        file_dialog(napari.current_viewer(), path, main_window()).open()
    return _OPEN[path]


def file_dialog(viewer: napari.Viewer, path: str, parent: QWidget | None = None) -> QDialog:
    """The window of :func:`ask_what_to_read`, not shown yet."""
    before = set(viewer.layers)
    dialog = QDialog(parent)
    content = FileContentsWidget(viewer)
    content.show_file_alone(path)
    present(content.layout()).setContentsMargins(0, 0, 0, 0)  # flush with what is below
    dialog.setWindowTitle(Path(path).name)
    keep = button(
        "Keep what is open", lambda: _keep(content, dialog), "Do not ask again for files like this"
    )
    box = QVBoxLayout(dialog)
    box.addWidget(content)
    keep.setVisible(bool(content.kept_by_itself))
    box.addWidget(keep)

    def opened() -> None:
        # what napari added of this file since the question was asked
        guessed = [layer for layer in viewer.layers if layer not in before and _is_of(layer, path)]
        if content.message.kind == "info":
            for layer in guessed[:-1]:
                viewer.layers.remove(layer)
            dialog.accept()
            if content.remember.isChecked():
                for other in _OPEN.copy().values():  # files that were dropped together
                    present(other.findChild(FileContentsWidget)).open_alike(content)

    content.open_button.clicked.connect(opened)
    dialog.finished.connect(lambda _result: _OPEN.pop(path, None))
    dialog.finished.connect(dialog.deleteLater)
    _OPEN[path] = dialog
    name_controls(dialog)
    dialog.resize(420, dialog.sizeHint().height())
    return dialog


def _keep(content: FileContentsWidget, dialog: QDialog) -> None:
    try:
        content.keep()
    except HSRError as error:
        content.message.show_exception(error)
    else:
        dialog.accept()


def _is_of_a_file(layer: Layer) -> bool:
    path = getattr(layer.source, "path", None)
    if not path or not (is_cube(layer) or is_photograph(layer)):
        return False
    return io.can_read(path)


def _is_of(layer: Layer, path: str) -> bool:
    return str(getattr(layer.source, "path", None)) == str(path)


def _described(array: alternatives.StoredArray) -> str:
    size = " × ".join(str(n) for n in array.shape)
    return f"{array.name}: {size + ', ' if size else ''}{array.kind}"
