"""The fields in which a user completes the card of a checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QLineEdit, QWidget

from napari_hsr.photograph import CAMERA
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.control_settings import for_one_run
from napari_hsr.widgets.common.layouts import narrow_form
from napari_hsr.widgets.common.plain_text import tip
from napari_hsr.widgets.models.import_answers import Answers

_OTHER_CAMERA = "a camera's own linear response…"


class ImportForm(QWidget):
    """Name, wavelengths, input encoding and whatever else a card says.

    An empty field is not stated: what the catalogue or the file itself says is taken for it,
    else what is assumed; its placeholder says which.

    Signals
    -------
    changed()
        After each change by the user.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._checkpoint: Any = None
        self._entries: list = []
        self._encodings: list[str] = []
        self.overwrite = QCheckBox("Replace the model of that name")
        self.overwrite.setToolTip("A model of that name is there already")
        for_one_run(self.overwrite)
        self.entry, self.encoding = NarrowComboBox(), NarrowComboBox()
        self.entry.setToolTip("Fills in what its authors state")
        self.encoding.setToolTip("How the numbers of its photographs stand for light")
        self._form = narrow_form(self)
        self.name = self._add("Name", "What the model will be called")
        self._form.addRow(self.overwrite)
        self._form.addRow("Which published weights it is", self.entry)
        self.wavelengths = self._add(
            "Wavelengths",
            "Band centres in nm: 400–700 where they are evenly spaced, 400:700:10 with the step, "
            "or a list of one for each band",
        )
        self._form.addRow("Photographs it was trained on", self.encoding)
        self.camera = self._add("Camera", "The camera whose response the photographs are in")
        self.camera.setPlaceholderText("name of the camera: nikon-d700")
        self.rule = self._add(
            "Statistics of its input rule",
            "ntire2020-clean, ntire2020-real-world, or\nmean R G B, deviation R G B of the "
            "photographs that it was trained on, in 0..1",
        )
        self.units = self._add("Units of the values", "Of its spectra, such as reflectance")
        self.training_data = self._add("Training data", "What it was trained on")
        self.licence = self._add("Licence", "The licence of its weights")
        for line in self._lines():
            line.textChanged.connect(self._on_changed)
        self.overwrite.toggled.connect(self._on_changed)
        self.entry.currentIndexChanged.connect(self._on_changed)
        self.encoding.currentIndexChanged.connect(self._on_changed)

    def _add(self, label: str, tooltip: str) -> QLineEdit:
        line = QLineEdit()
        line.setToolTip(tooltip)
        self._form.addRow(label, line)
        return line

    def show_checkpoint(self, checkpoint, name: str, entry=None) -> None:
        """Ask about another file, with a name proposed and the entry it is expected to be."""
        from napari_hsr.models.published_weights import ENTRIES

        self._checkpoint = None  # while the fields are filled, nobody asks what they hold
        self._entries = [e for e in ENTRIES if e.architecture == checkpoint.architecture]
        row = self._entries.index(entry) + 1 if entry in self._entries else 0
        self.entry.set_choices(["none of the catalogue", *(e.title for e in self._entries)], row)
        for line in self._lines():
            line.clear()
        self.overwrite.setChecked(False)
        self.name.setText(name)
        self._list_encodings()
        self._checkpoint = checkpoint
        self._on_changed()

    def answers(self) -> Answers:
        """What is filled in."""
        row = self.entry.currentIndex() - 1
        encoding = self._encodings[max(0, self.encoding.currentIndex())]
        if encoding == CAMERA:
            encoding += self.camera.text().strip()
        return Answers(
            name=self.name.text().strip(),
            overwrite=self.overwrite.isChecked(),
            entry=self._entries[row] if row >= 0 else None,
            wavelengths=self.wavelengths.text().strip(),
            input_encoding=encoding,
            input_rule=self.rule.text().strip() if self._checkpoint.asks_for_rule else "",
            units=self.units.text().strip(),
            training_data=self.training_data.text().strip(),
            licence=self.licence.text().strip(),
        )

    # --- inside --------------------------------------------------------------------------

    def _lines(self) -> tuple[QLineEdit, ...]:
        return (
            *(self.name, self.wavelengths, self.camera, self.rule),
            *(self.units, self.training_data, self.licence),
        )

    def _list_encodings(self) -> None:
        from napari_hsr.colour import ENCODINGS, encoding_label
        from napari_hsr.models import list_models

        stated = {c.input_encoding for c in list_models()} | {
            e.input_encoding for e in self._entries
        }
        cameras = sorted(c for c in stated if c.startswith(CAMERA))
        self._encodings = ["", *ENCODINGS, *cameras, CAMERA]
        labels = [encoding_label(e) for e in self._encodings[1:-1]]
        self.encoding.set_choices(["", *labels, _OTHER_CAMERA], 0)

    def _on_changed(self, *_ignored) -> None:
        if self._checkpoint is None:
            return
        self._say_what_is_taken()
        encoding = self._encodings[max(0, self.encoding.currentIndex())]
        photographs = self._checkpoint.bands is not None  # else it takes cubes, of any bands
        self._form.setRowVisible(self.wavelengths, photographs)
        self._form.setRowVisible(self.encoding, photographs)
        self._form.setRowVisible(self.camera, photographs and encoding == CAMERA)
        self._form.setRowVisible(self.entry, bool(self._entries))
        self._form.setRowVisible(self.rule, self._checkpoint.asks_for_rule)
        self._form.setRowVisible(self.overwrite, self.overwrite.isChecked() or self._name_taken())
        self.changed.emit()

    def _name_taken(self) -> bool:
        from napari_hsr.models.user_models import stored

        return self.name.text().strip() in stored()

    def _say_what_is_taken(self) -> None:
        """Placeholders: what holds for a field that stays empty."""
        from napari_hsr.colour import encoding_label
        from napari_hsr.cube import Wavelengths

        answers, card = self.answers(), self._checkpoint.card
        entry = answers.entry
        known = entry or card
        source = "catalogue" if entry else "file’s card"
        nm = answers.known_wavelengths(self._checkpoint)
        spread = Wavelengths(np.asarray(nm)).describe().split(", ", 1)[-1]
        if self._checkpoint.bands is not None and len(nm) != self._checkpoint.bands:
            self.wavelengths.setPlaceholderText(f"{self._checkpoint.bands} band centres in nm")
        else:
            self.wavelengths.setPlaceholderText(f"{spread} ({source if known else 'assumed'})")
        encoding = getattr(known, "input_encoding", "")
        text = (
            f"as the {source} says: {encoding_label(encoding)}"
            if encoding
            else "not stated: linear sRGB is assumed"
        )
        self.encoding.setItemText(0, text)
        self.rule.setPlaceholderText(card.input_rule if card else "ntire2020-clean (assumed)")
        for line, field in (
            (self.units, "units"),
            (self.training_data, "training_data"),
            (self.licence, "licence"),
        ):
            value = getattr(known, field, "") or "not stated"
            line.setPlaceholderText(value)
            line.setToolTip(tip(value))
