"""All settings of a recipe as a form, generated from its pydantic fields."""

from __future__ import annotations

import re
import types
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_hsr.training.recipe.descriptions import descriptions
from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import column

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

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
_PROBLEM = "QLabel { color: rgb(235, 90, 90); }"


class Field(QWidget):
    """The label, the editor and the problem of one setting.

    Parameters
    ----------
    path : tuple of str
        Names from the recipe down to the setting.
    annotation : type
        As pydantic has it.
    help_text : str
        For the tooltip.
    blank : str
        What stands in the field while nothing does.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(
        self, path: tuple[str, ...], annotation: Any, help_text: str = "", blank: str = ""
    ):
        super().__init__()
        self._kinds, self._optional = split_optional(annotation)
        dotted, unit = ".".join(path), UNITS.get(".".join(path))
        title = path[-1].removesuffix("_nm").replace("_", " ")
        title = _ACRONYMS.get(title) or title[:1].upper() + title[1:]
        self._values: list[Any] = []  # that can be chosen
        self.editor = self._editor(title)
        if isinstance(self.editor, QLineEdit):
            self.editor.setPlaceholderText(blank)
        self._problem: WrappedLabel | None = None
        parts: list[QWidget] = [self.editor]
        if not isinstance(self.editor, QCheckBox):  # which has a text of its own
            label = QLabel(f"{title} ({unit})" if unit else title)
            label.setWordWrap(True)
            parts.insert(0, label)
        self._column = column(*parts, into=self, spacing=1)
        self._column.setContentsMargins(0, 0, 0, 4)
        self.setToolTip(f"<p><b>{dotted}</b></p><p>{help_text}</p>" if help_text else dotted)

    @property
    def problem(self) -> WrappedLabel:
        """The sentence below the editor, made when there is one: most settings never have any."""
        if self._problem is None:
            self._problem = WrappedLabel()
            self._problem.setStyleSheet(_PROBLEM)
            self._problem.hide()
            self._column.addWidget(self._problem)
        return self._problem

    def said(self) -> str:
        """The sentence that marks the setting; empty if it is in order."""
        return "" if self._problem is None else self._problem.text()

    def value(self) -> Any:
        """What is chosen or typed, for pydantic to judge."""
        if isinstance(self.editor, QCheckBox):
            return self.editor.isChecked()
        if isinstance(self.editor, QComboBox):
            return self._values[self.editor.currentIndex()]
        text = self.editor.text().strip()
        if not text:
            return None
        # Lists, pairs and settings by name are written as in a recipe's file.
        structure = any(get_origin(kind) in (tuple, list, dict) for kind in self._kinds)
        return parsed(text) if structure else text

    def is_blank(self) -> bool:
        """Whether nothing is typed where something could be, and that does not mean none."""
        typed = not isinstance(self.editor, QLineEdit) or self.editor.text().strip()
        return not (typed or self._optional)

    def set_value(self, value: Any) -> None:
        """Show a value, without a signal."""
        with signals_blocked(self.editor):
            if isinstance(self.editor, QLineEdit):
                self.editor.setText(shown(value))
                self.editor.setCursorPosition(0)
            elif isinstance(self.editor, QCheckBox):
                self.editor.setChecked(bool(value))
            else:  # a group that is not there has no values: the first choice stands for none
                row = self._values.index(value) if value in self._values else 0
                self.editor.setCurrentIndex(row)

    def show_problem(self, sentence: str) -> None:
        """Mark the setting with a sentence; an empty one removes the mark."""
        if sentence == self.said():
            return
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))
        mark = "border: 1px solid rgb(225, 60, 60);" if sentence else ""
        self.editor.setStyleSheet(f"{type(self.editor).__name__} {{ {mark} }}" if mark else "")

    def _editor(self, title: str) -> QCheckBox | QComboBox | QLineEdit:
        """What edits a value of one of the kinds: Qt's own, as a wrapper took a fourth of the panel's time."""
        if self._kinds == [bool] and not self._optional:
            box = QCheckBox(title)
            box.toggled.connect(self._on_change)
            return box
        choices = choices_of(self._kinds, self._optional)
        if choices is None:
            line = QLineEdit()
            line.textChanged.connect(self._on_change)
            return line
        self._values = [value for _, value in choices]
        combo = QComboBox()
        combo.addItems([text for text, _ in choices])
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.currentIndexChanged.connect(self._on_change)
        return combo

    def _on_change(self, *_now: object) -> None:
        self.changed.emit()


class SettingsForm(QWidget):
    """One row a setting, one fold a group; nothing is known here of what they mean.

    Parameters
    ----------
    model : type of BaseModel
        The settings.
    leave_out : set of str
        Dotted paths that are shown elsewhere.

    Signals
    -------
    changed()
        The user changed a value.
    """

    changed = Signal()

    def __init__(self, model: type[BaseModel], leave_out: set[str], parent: QWidget | None = None):
        super().__init__(parent)
        self._leave_out = leave_out
        self._content: dict[str, Any] = {}
        self._absent: dict[tuple[str, ...], list[Any]] = {}
        self.fields: dict[tuple[str, ...], Field] = {}
        self.folds: dict[tuple[str, ...], Fold] = {}
        self.other = WrappedLabel()
        self.other.setStyleSheet(_PROBLEM)
        self.other.hide()
        self._models: dict[tuple[str, ...], type[BaseModel]] = {}
        rows = column(self.other, into=self, spacing=2)
        rows.setContentsMargins(8, 0, 0, 0)
        self._add_group(model, (), rows)

    def set_content(self, content: dict[str, Any]) -> None:
        """Show these settings (plain values, as of ``model_dump(mode="json")``)."""
        self._content = content
        for path, field in self.fields.items():
            field.set_value(_at(content, path))
        self._absent = {
            path: self._values_in(path) for path in self.folds if _at(content, path) is None
        }

    def leave_out(self, paths: set[str]) -> None:
        """Show all settings but these (dotted paths of settings and of groups); values stay."""
        for parts in (self.fields, self.folds):
            for path, part in parts.items():
                part.setVisible(".".join(path) not in paths)

    def set_section(self, name: str, content: dict[str, Any]) -> None:
        """Show other values in one group; what is not named becomes its default."""
        for path, field in self.fields.items():
            if path[0] == name:
                field.set_value(content.get(path[1], self._default(path)))

    def content(self) -> dict[str, Any]:
        """All settings, for pydantic to judge; those that are shown elsewhere as they were set.

        A group that was not there is none still, unless the user has set something in it.
        """
        result = deepcopy(self._content)
        untouched = {path for path, now in self._absent.items() if self._values_in(path) == now}
        for path, field in self.fields.items():
            if any(path[: len(group)] == group for group in untouched):
                continue
            place = result
            for name in path[:-1]:
                if not isinstance(place.get(name), dict):
                    place[name] = {}
                place = place[name]
            if field.is_blank():  # then it is the default that stands in it
                place.pop(path[-1], None)
            else:
                place[path[-1]] = field.value()
        return result

    def show_faults(self, faults: dict[tuple, str]) -> None:
        """Mark the settings at fault with their sentences, and open the folds that hold them."""
        by_field: dict[tuple[str, ...], str] = {}
        others = []
        for place, sentence in faults.items():
            path = self._field_of(place)
            if path is None:
                others.append(sentence)
            else:
                by_field.setdefault(path, sentence)
        for path, field in self.fields.items():
            sentence = by_field.get(path, "")
            field.show_problem(sentence)
            if sentence and path[:1] in self.folds:
                self.folds[path[:1]].set_open(True)
        self.other.setText("\n".join(others))
        self.other.setVisible(bool(others))

    # --- inside --------------------------------------------------------------------------

    def _add_group(self, model: type[BaseModel], above: tuple[str, ...], rows: QVBoxLayout) -> None:
        groups, known = [], descriptions(model)
        for name, info in model.model_fields.items():
            path = (*above, name)
            if ".".join(path) in self._leave_out:
                continue
            kinds, _ = split_optional(info.annotation)
            settings = next((k for k in kinds if _is_settings(k)), None)
            if settings is not None:
                groups.append((path, settings))
                continue
            field = Field(path, info.annotation, help_text(known.get(name)), _blank(info))
            field.changed.connect(self.changed)
            self.fields[path] = field
            rows.addWidget(field)
        for path, settings in groups:
            page = QWidget()
            inner = column(into=page, spacing=0)
            inner.setContentsMargins(10, 0, 0, 0)
            self._add_group(settings, path, inner)
            title = path[-1].replace("_", " ")
            fold = Fold(title[:1].upper() + title[1:], page)
            self.folds[path] = fold
            self._models[path] = settings
            rows.addWidget(fold)

    def _values_in(self, group: tuple[str, ...]) -> list[Any]:
        return [f.value() for path, f in self.fields.items() if path[: len(group)] == group]

    def _default(self, path: tuple[str, ...]) -> Any:
        model = self._models[path[:-1]]
        return model.model_validate({}).model_dump(mode="json")[path[-1]]

    def _field_of(self, place: tuple) -> tuple[str, ...] | None:
        names = tuple(part for part in place if isinstance(part, str))
        for length in range(len(names), 0, -1):
            if names[:length] in self.fields:
                return names[:length]
        return None


def choices_of(kinds: list[Any], optional: bool) -> list[tuple[str, Any]] | None:
    """Texts and values of a setting of one of these kinds, None if it is typed."""
    if kinds == [bool]:
        return [(_UNSET, None), ("yes", True), ("no", False)]
    if get_origin(kinds[0]) is Literal:
        values = [value for value in get_args(kinds[0]) if value is not None]
        none = [("none", None)] if optional or None in get_args(kinds[0]) else []
        return [*none, *((str(value), value) for value in values)]
    return None


def _blank(info: FieldInfo) -> str:
    """What an empty field means: none, its default, or that it is needed."""
    kinds, optional = split_optional(info.annotation)
    if optional:
        return _UNSET
    if info.is_required():
        several = any(get_origin(kind) in (tuple, list) for kind in kinds)
        return "needed, as [one, another]" if several else "needed"
    return shown(to_jsonable_python(info.get_default(call_default_factory=True)))


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
    except (yaml.YAMLError, RecursionError, ValueError):  # too deep, or of too many digits
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


def help_text(description: str | None) -> str:
    """A field's description without its markup."""
    return " ".join(re.sub(r"``|:[a-z]+:", "", description or "").split())


def _is_settings(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _at(content: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return content
