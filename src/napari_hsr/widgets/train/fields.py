"""One setting of a recipe as a row: its editor follows its kind, its problem stands under it."""

from __future__ import annotations

import inspect
import re
import types
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.messages import WrappedLabel

if TYPE_CHECKING:
    from pydantic import BaseModel

#: Units of the settings that have one, by the end of their path.
UNITS = {
    "schedule.minutes": "min",
    "schedule.steps": "steps, instead of the time budget",
    "schedule.warmup": "steps",
    "schedule.every": "steps",
    "batch.size": "patches",
    "batch.patch": "pixels",
    "batch.accumulate": "parts",
    "validation.every": "steps",
    "validation.patience": "measurements",
    "engine.checkpoint_every": "steps",
    "engine.devices": "number",
    "engine.nodes": "number",
    "data.wavelengths_nm": "nm",
    "data.hold_out": "share or number",
    "augmentation.exposure": "powers of ten",
    "augmentation.metamers": "share",
    "augmentation.mix": "share",
    "camera.photoelectrons": "electrons",
    "camera.jpeg": "quality 1–100",
    "camera.bits": "bits",
}
_ACRONYMS = {"ema": "EMA", "jpeg": "JPEG"}
_UNSET = "automatic"


class Field(QWidget):
    """The label, the editor and the problem of one setting.

    Parameters
    ----------
    path : tuple of str
        Names from the recipe down to the setting.
    annotation : type
        As pydantic has it.
    help_text : str
        For the tool tip.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, path: tuple[str, ...], annotation: Any, help_text: str = ""):
        super().__init__()
        self.path = path
        self._kinds, self._optional = split_optional(annotation)
        dotted = ".".join(path)
        unit = UNITS.get(dotted)
        title = path[-1].removesuffix("_nm").replace("_", " ")
        title = _ACRONYMS.get(title) or title[:1].upper() + title[1:]
        self._choices: list[Any] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 4)
        column.setSpacing(1)
        self.problem = WrappedLabel()
        self.problem.setStyleSheet("QLabel { color: rgb(235, 90, 90); }")
        self.problem.hide()
        if self._is_switch():
            self.editor: QWidget = QCheckBox(title)
            self.editor.toggled.connect(lambda _: self.changed.emit())
        else:
            label = QLabel(f"{title} ({unit})" if unit else title)
            label.setWordWrap(True)
            column.addWidget(label)
            self.editor = self._make_editor()
        column.addWidget(self.editor)
        column.addWidget(self.problem)
        self.setToolTip(f"<p><b>{dotted}</b></p><p>{help_text}</p>" if help_text else dotted)

    def value(self) -> Any:
        """What is chosen or typed, for pydantic to judge."""
        if isinstance(self.editor, QCheckBox):
            return self.editor.isChecked()
        if isinstance(self.editor, NarrowComboBox):
            return self._choices[max(0, self.editor.currentIndex())]
        text = self.editor.text().strip()
        if not text:
            return None if self._optional else "" if str in self._kinds else []
        return parsed(text) if self._is_structure() else text

    def set_value(self, value: Any) -> None:
        """Show a value, without a signal."""
        blocked = self.editor.blockSignals(True)
        if isinstance(self.editor, QCheckBox):
            self.editor.setChecked(bool(value))
        elif isinstance(self.editor, NarrowComboBox):
            # A group that is not there has no values: its first choice stands for none.
            self.editor.setCurrentIndex(self._choices.index(value) if value in self._choices else 0)
        else:
            self.editor.setText(shown(value))
            self.editor.setCursorPosition(0)
        self.editor.blockSignals(blocked)

    def show_problem(self, sentence: str) -> None:
        """Mark the setting with a sentence; an empty one takes the mark away."""
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))
        mark = "border: 1px solid rgb(225, 60, 60);" if sentence else ""
        self.editor.setStyleSheet(f"{type(self.editor).__name__} {{ {mark} }}" if mark else "")

    # --- inside --------------------------------------------------------------------------

    def _is_switch(self) -> bool:
        return self._kinds == [bool] and not self._optional

    def _is_structure(self) -> bool:
        """Lists, pairs and settings by name: written as in a recipe's file."""
        return any(get_origin(kind) in (tuple, list, dict) for kind in self._kinds)

    def _make_editor(self) -> QWidget:
        if any(get_origin(kind) is Literal for kind in self._kinds) or self._kinds == [bool]:
            found = [True, False] if self._kinds == [bool] else list(get_args(self._kinds[0]))
            self._choices = [None, *(c for c in found if c is not None)]
            if not self._optional and None not in found:
                self._choices = found
            names = {None: _UNSET if self._kinds == [bool] else "none", True: "yes", False: "no"}
            chooser = NarrowComboBox()
            texts = [
                names[c] if c is None or c is True or c is False else str(c) for c in self._choices
            ]
            chooser.set_choices(texts, 0)
            chooser.currentIndexChanged.connect(lambda _: self.changed.emit())
            return chooser
        line = QLineEdit()
        line.setPlaceholderText(_UNSET if self._optional else "")
        line.textChanged.connect(lambda _: self.changed.emit())
        return line


def split_optional(annotation: Any) -> tuple[list[Any], bool]:
    """The kinds that a value may be of, and whether it may be left out."""
    if get_origin(annotation) in (Union, types.UnionType):
        parts = get_args(annotation)
        kinds = [
            kind for part in parts if part is not type(None) for kind in split_optional(part)[0]
        ]
        return kinds, type(None) in parts
    if hasattr(annotation, "__metadata__"):  # Annotated
        return split_optional(get_args(annotation)[0])
    return [annotation], False


def parsed(text: str) -> Any:
    """A value as it is written in a recipe's file; text that cannot be read stays text."""
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def shown(value: Any) -> str:
    """A value as it is written in a recipe's file, on one line."""
    import yaml

    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (list, tuple, dict)):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if not value:
        return ""
    value = [*value] if isinstance(value, tuple) else value
    return yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False).strip()


def help_texts(model: type[BaseModel]) -> dict[str, str]:
    """What a numpydoc docstring says of each attribute."""
    text = inspect.getdoc(model) or ""
    _, _, listed = text.partition("Attributes\n----------\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in listed.splitlines():
        if line and not line[0].isspace():
            names = [name.strip() for name in line.partition(" : ")[0].split(",")]
        for name in names if line[:1].isspace() else ():
            found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return {name: re.sub(r"``|:[a-z]+:", "", words) for name, words in found.items()}
