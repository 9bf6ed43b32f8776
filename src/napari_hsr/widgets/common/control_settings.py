"""What the controls of panels are set to: read off, and set again as a user would.

For a session's file, and for a panel that is closed and opened again in its viewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QRadioButton,
    QSpinBox,
    QWidget,
)

from napari_hsr.widgets.common.accessible import controls
from napari_hsr.widgets.common.choosers import EncodingChooser, LayerChooser, NarrowComboBox

if TYPE_CHECKING:
    import napari

#: By viewer and class of panel, how a panel was set when it was closed.
_CLOSED: WeakKeyDictionary[Any, dict[type[QWidget], dict[str, Any]]] = WeakKeyDictionary()


def remember(viewer: napari.viewer.Viewer, panel: QWidget) -> None:
    """Keep how a panel is set for the next one of its kind in the viewer."""
    layers = {name for name, one in _named(panel).items() if isinstance(one, LayerChooser)}
    kept = {name: value for name, value in settings(panel).items() if name not in layers}
    _CLOSED.setdefault(_itself(viewer), {})[type(panel)] = kept


def set_as_before(viewer: napari.viewer.Viewer, panel: QWidget) -> None:
    """Set a new panel as the last of its kind was; what is no longer offered is left as it is."""
    restore(panel, _CLOSED.get(_itself(viewer), {}).get(type(panel), {}))


def _itself(viewer: Any) -> Any:
    """The viewer behind the proxy that napari hands to plugins."""
    return getattr(viewer, "__wrapped__", viewer)


def settings(panel: QWidget) -> dict[str, Any]:
    """By their accessible names, what the controls of a panel are set to."""
    found = {name: _value(control) for name, control in _named(panel).items()}
    return {name: value for name, value in found.items() if value is not None}


def restore(panel: QWidget, wanted: dict[str, Any]) -> list[str]:
    """Set the controls of a panel; what cannot be set is told."""
    told = []
    for name, control in _named(panel).items():
        if name in wanted and wanted[name] != _value(control) and not _set(control, wanted[name]):
            told.append(f"{name} cannot be set to {wanted[name]!r} here.")
    return told


def _named(panel: QWidget) -> dict[str, QWidget]:
    """Those that hold a setting, by name; a second one of a name is numbered."""
    found: dict[str, QWidget] = {}
    for control in controls(panel):
        kinds = (QCheckBox, QRadioButton, QComboBox, QSpinBox, QDoubleSpinBox, QLineEdit)
        # the encoding is that of the layer
        if not isinstance(control, kinds) or isinstance(control, EncodingChooser):
            continue
        name, number = control.accessibleName(), 1
        while (key := name if number == 1 else f"{name} ({number})") in found:
            number += 1
        found[key] = control
    return found


def _value(control: QWidget) -> Any:
    if isinstance(control, (QCheckBox, QRadioButton)):
        return control.isChecked()
    if isinstance(control, QComboBox):
        return control.currentText() or None
    if isinstance(control, QLineEdit):
        return control.text()
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
            control.awaited = str(value)
            return True
        if row < 0:
            return not control.count()  # of results, which a session does not hold
        control.setCurrentIndex(row)
        control.activated.emit(row)
    elif isinstance(control, QLineEdit):
        control.setText(str(value))
        control.editingFinished.emit()
    elif isinstance(value, (int, float)):
        box = cast("QDoubleSpinBox", control)  # or a QSpinBox
        if not box.minimum() <= value <= box.maximum():
            return False
        box.setValue(value if isinstance(box, QDoubleSpinBox) else round(value))
    else:
        return False
    return True
