"""What the controls of panels are set to: read off, and set again as a user would.

For a session's file, and for a panel that is closed and opened again in its viewer.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, runtime_checkable
from weakref import WeakKeyDictionary

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QRadioButton,
    QSpinBox,
    QTabWidget,
    QWidget,
)

from napari_hsr.units import one_line
from napari_hsr.viewer.fingerprints import Trace
from napari_hsr.viewer.layer_data import unwrapped
from napari_hsr.widgets.common.accessible import controls, parts_of
from napari_hsr.widgets.common.choosers import EncodingChooser, LayerChooser, NarrowComboBox
from napari_hsr.widgets.common.lasting_chooser import LastingChooser

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import napari

T = TypeVar("T")

#: Says of a control what its setting is about, where that is not how the user works.
_ABOUT = "napari_hsr_about"
_LAYERS, _VIEW, _RUN = "layers", "view", "run"


@runtime_checkable
class HasFiles(Protocol):
    """A panel or window that opens files beside the layers, and can open them again."""

    def files_in_use(self) -> Sequence[object]:
        """Their paths, or what is known of them."""

    def use_files(self, paths: list[str]) -> object:
        """Open them."""


@dataclass(frozen=True)
class _Closed:
    """How a panel was set when it was closed.

    Attributes
    ----------
    values : dict
        As :func:`settings` gives them.
    of_layers : dict
        Those that are about the layers which the viewer held.
    layers : tuple
        Of the layers, what tells them apart.
    files : list of str or Trace
        What it had opened beside them.
    """

    values: dict[str, Any]
    of_layers: dict[str, Any]
    layers: tuple[Any, ...]
    files: list[object]


#: By viewer and class of panel.
_CLOSED: WeakKeyDictionary[Any, dict[type[QWidget], _Closed]] = WeakKeyDictionary()
#: By viewer and class, what :func:`one_for` gives.
_SHARED: WeakKeyDictionary[Any, dict[type, Any]] = WeakKeyDictionary()


def about_layers(*controls: QWidget) -> None:
    """State of controls that what they are set to is true of the layers there are, and of no others."""
    for control in controls:
        control.setProperty(_ABOUT, _LAYERS)


def about_view(*controls: QWidget) -> None:
    """State of controls that they only show how the viewer is set."""
    for control in controls:
        control.setProperty(_ABOUT, _VIEW)


def for_one_run(*controls: QWidget) -> None:
    """State of controls that what they are set to is an answer for one run: nothing else sets them."""
    for control in controls:
        control.setProperty(_ABOUT, _RUN)


def remember(viewer: napari.viewer.Viewer, panel: QWidget) -> None:
    """Keep how a panel is set for the next one of its kind in the viewer."""
    values, of_layers, named = settings(panel), {}, _named(panel)
    for name, control in named.items():
        about = control.property(_ABOUT)
        chosen = isinstance(control, LayerChooser) and control.by_hand
        if name in values and (about == _LAYERS or chosen):
            of_layers[name] = values[name]
        if about is not None or isinstance(control, LayerChooser):
            values.pop(name, None)
    files = list(panel.files_in_use()) if isinstance(panel, HasFiles) else []
    kept = _Closed(values, of_layers, _layers(viewer), files)
    _CLOSED.setdefault(unwrapped(viewer), {})[type(panel)] = kept


def _paths(panel: HasFiles) -> list[str]:
    return [str(one) for one in panel.files_in_use()]


def _tell_changed(files: list[object]) -> None:
    """Of files that were read again, which are others than the panel had read before; one that is gone it tells."""
    from napari.utils.notifications import show_warning

    for one in files:
        if isinstance(one, Trace) and not one.holds() and os.path.exists(one.path):
            name = one_line(os.path.basename(one.path), 200)
            show_warning(f"{name} {one.changed()}: the panel that is open again has read it anew.")


def set_as_before(viewer: napari.viewer.Viewer, panel: QWidget) -> None:
    """Set a new panel as the last of its kind was; what is no longer offered is left as it is.

    What is about layers is set only if the viewer has the same ones as then. The panel itself says
    what it finds wrong with a file.
    """
    kept = _CLOSED.get(unwrapped(viewer), {}).get(type(panel))
    if kept is None:
        return
    paths = [str(one) for one in kept.files]
    if paths and isinstance(panel, HasFiles) and paths != _paths(panel):
        panel.use_files(paths)
        _tell_changed(kept.files)
    same = kept.layers == _layers(viewer)
    restore(panel, {**kept.of_layers, **kept.values} if same else kept.values)


def one_for(viewer: Any, kind: type[T]) -> T:
    """What all panels of a viewer share, and what is there when they are closed: made at first."""
    of = _SHARED.setdefault(unwrapped(viewer), {})
    if kind not in of:
        of[kind] = kind()
    return cast("T", of[kind])


def _layers(viewer: Any) -> tuple[Any, ...]:
    return tuple(layer.unique_id for layer in viewer.layers)


#: Lists of entries to tick, and of pages; between the texts of ticked ones.
_LISTS, _APART, _TICKED = (QListWidget, QTabWidget), "\n", Qt.CheckState.Checked


def settings(panel: QWidget) -> dict[str, Any]:
    """By their accessible names, what the controls of a panel are set to."""
    found = {name: _value(control) for name, control in _named(panel).items()}
    return {name: value for name, value in found.items() if value is not None}


def restore(
    panel: QWidget, wanted: dict[str, Any], renamed: Mapping[str, str] | None = None
) -> list[str]:
    """Set the controls of a panel; what cannot be set is told.

    Names of layers that are ``renamed`` by now stand for those: others may have them.
    """
    told = []
    for name, control in _named(panel).items():
        if name not in wanted:
            continue
        value = _as_here(control, wanted[name], renamed or {})
        lost = isinstance(control, LastingChooser) and control.missing  # it says what it was set to
        if (lost or value != _value(control)) and not _set(control, value):
            value = str(value).replace(_APART, ", ")
            told.append(f"{name} cannot be set to {value!r} here.")
    return told


def _as_here(control: QWidget, value: Any, renamed: Mapping[str, str]) -> Any:
    """What a setting says in the names that layers have here."""
    if not renamed or not isinstance(value, str):
        return value
    if isinstance(control, QListWidget):
        texts = {item.text() for item in _items(control)}
        parts = [(text, _in_names(text, renamed)) for text in value.split(_APART)]
        return _APART.join(here if here in texts else text for text, here in parts)
    if not isinstance(control, QComboBox):
        return value
    here = _in_names(value, renamed)
    offered = isinstance(control, LastingChooser) or control.findText(here) >= 0
    return here if offered else value


def _in_names(text: str, renamed: Mapping[str, str]) -> str:
    """A text that may begin or end with the name of a layer, with the one it has now."""
    for name in sorted(renamed, key=len, reverse=True):
        if text == name or text.startswith(f"{name} "):
            return f"{renamed[name]}{text[len(name) :]}"
        if text.endswith(f" {name}"):
            return f"{text[: -len(name)]}{renamed[name]}"
    return text


def _named(panel: QWidget) -> dict[str, QWidget]:
    """Those that hold a setting, by name; a second one of a name is numbered."""
    found: dict[str, QWidget] = {}
    parts = parts_of(panel)
    lists = [one for kind in (QTabWidget, QListWidget) for one in parts if isinstance(one, kind)]
    for control in (*controls(panel, parts), *(one for one in lists if one.accessibleName())):
        kinds = (QCheckBox, QRadioButton, QComboBox, QSpinBox, QDoubleSpinBox, QLineEdit, *_LISTS)
        # the encoding is that of the layer
        if not isinstance(control, kinds) or isinstance(control, EncodingChooser):
            continue
        if control.property(_ABOUT) == _RUN:
            continue
        name, number = control.accessibleName(), 1
        while (key := name if number == 1 else f"{name} ({number})") in found:
            number += 1
        found[key] = control
    return found


def _value(control: QWidget) -> Any:
    if isinstance(control, (QCheckBox, QRadioButton)):
        return control.isChecked()
    if isinstance(control, NarrowComboBox):
        return control.said() or None
    if isinstance(control, QComboBox):
        return control.currentText() or None
    if isinstance(control, QLineEdit):
        return control.text()
    if isinstance(control, QTabWidget):
        return control.tabText(control.currentIndex())
    if isinstance(control, QListWidget):
        ticked = [one.text() for one in _items(control) if one.checkState() == _TICKED]
        return _APART.join(ticked)
    return cast("QSpinBox | QDoubleSpinBox", control).value()


def _set(control: QWidget, value: Any) -> bool:
    """Set a control as a user would; whether that could be done."""
    if isinstance(control, (QCheckBox, QRadioButton)):
        control.setChecked(value is True)
    elif isinstance(control, LayerChooser):
        layer = next((one for one in control.layers() if one.name == value), None)
        if layer is None:
            return False
        control.set_layer(layer)
    elif isinstance(control, QComboBox):
        row = control.findText(str(value))
        if row < 0 and isinstance(control, NarrowComboBox) and control.comes_later:
            control.await_text(str(value))
            return True
        if row < 0:
            return not control.count()  # of results, which a session does not hold
        control.setCurrentIndex(row)
        control.activated.emit(row)
    elif isinstance(control, QLineEdit):
        control.setText(str(value))
        control.editingFinished.emit()
    elif isinstance(control, QTabWidget):
        texts = [control.tabText(at) for at in range(control.count())]
        if value not in texts:
            return False
        control.setCurrentIndex(texts.index(value))
    elif isinstance(control, QListWidget):
        wanted = set(str(value).split(_APART)) - {""}
        for item in _items(control):
            item.setCheckState(_TICKED if item.text() in wanted else Qt.CheckState.Unchecked)
        return wanted <= {item.text() for item in _items(control)}
    elif isinstance(value, (int, float)):
        box = cast("QDoubleSpinBox", control)  # or a QSpinBox
        if not box.minimum() <= value <= box.maximum():
            return False
        box.setValue(value if isinstance(box, QDoubleSpinBox) else round(value))
    else:
        return False
    return True


def _items(of: QListWidget) -> list[QListWidgetItem]:
    return [item for item in map(of.item, range(of.count())) if item is not None]
