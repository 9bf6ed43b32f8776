"""All settings of a recipe as a form, generated from its pydantic fields."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.messages import WrappedLabel
from napari_hsr.widgets.train.fields import Field, help_texts, split_optional


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
        self.other.setStyleSheet("QLabel { color: rgb(235, 90, 90); }")
        self.other.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.other)
        self._add_group(model, (), column)

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
        result = _copy(self._content)
        untouched = {path for path, now in self._absent.items() if self._values_in(path) == now}
        for path, field in self.fields.items():
            if any(path[: len(group)] == group for group in untouched):
                continue
            place = result
            for name in path[:-1]:
                if not isinstance(place.get(name), dict):
                    place[name] = {}
                place = place[name]
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
            if field.problem.text() != sentence:
                field.show_problem(sentence)
            if sentence and path[:1] in self.folds:
                self.folds[path[:1]].set_open(True)
        self.other.setText("\n".join(others))
        self.other.setVisible(bool(others))

    # --- inside --------------------------------------------------------------------------

    def _add_group(self, model: type[BaseModel], above: tuple[str, ...], column) -> None:
        texts = help_texts(model)
        groups = []
        for name, info in model.model_fields.items():
            path = (*above, name)
            if ".".join(path) in self._leave_out:
                continue
            kinds, _ = split_optional(info.annotation)
            settings = next((k for k in kinds if _is_settings(k)), None)
            if settings is not None:
                groups.append((path, settings))
                continue
            field = Field(path, info.annotation, texts.get(name, ""))
            field.changed.connect(self.changed)
            self.fields[path] = field
            column.addWidget(field)
        for path, settings in groups:
            page = QWidget()
            inner = QVBoxLayout(page)
            inner.setContentsMargins(10, 0, 0, 0)
            inner.setSpacing(0)
            self._add_group(settings, path, inner)
            title = path[-1].replace("_", " ")
            fold = Fold(title[:1].upper() + title[1:], page)
            self.folds[path] = fold
            self._models = {**getattr(self, "_models", {}), path: settings}
            column.addWidget(fold)

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


def _is_settings(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _at(content: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _copy(value: Any) -> Any:
    return {k: _copy(v) for k, v in value.items()} if isinstance(value, dict) else value
