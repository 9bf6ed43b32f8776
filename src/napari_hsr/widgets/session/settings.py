"""What the controls of panels are set to: read off for a session, and set again as a user would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QRadioButton,
    QSpinBox,
    QWidget,
)

from napari_hsr.units import one_line
from napari_hsr.viewer.session_file import PanelRecord
from napari_hsr.viewer.workspace import PLUGIN, open_panel, panel_dock
from napari_hsr.widgets.common.accessible import controls
from napari_hsr.widgets.common.choosers import EncodingChooser, LayerChooser, NarrowComboBox
from napari_hsr.widgets.common.panel import Panel

if TYPE_CHECKING:
    import napari

#: Panels of a session that are docked above each other, if there is room.
ABOVE_EACH_OTHER = 2


def open_panels(viewer: napari.Viewer) -> list[PanelRecord]:
    """The panels of a viewer, in the order in which they were opened."""
    names = _names()
    return [
        PanelRecord(
            name=names[type(panel).__name__],
            settings=settings(panel),
            files=panel.files_in_use() if isinstance(panel, Panel) else [],
        )
        for panel in dict.fromkeys(viewer.window.dock_widgets.values())
        if type(panel).__name__ in names
    ]


def restore_panels(viewer: napari.Viewer, records: list[PanelRecord]) -> list[str]:
    """Open panels and set their controls; what is no longer offered is told, a sentence each."""
    known, told = set(_names().values()), []
    for record in records:
        if record.name not in known:
            told.append(f"There is no panel {one_line(record.name, 80)}.")
            continue
        if len(records) > ABOVE_EACH_OTHER:  # in stacks at once: the window would grow, and shrink
            panel = open_panel(viewer, record.name)
        else:
            _, panel = panel_dock(viewer, record.name)
        if isinstance(panel, Panel):
            told += panel.use_files(record.files)
        told += [f"{record.name}: {one}" for one in restore(panel, record.settings)]
    return told


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


def _names() -> dict[str, str]:
    """What the manifest calls the panels, by the names of their classes."""
    from npe2 import PluginManager

    given = PluginManager.instance().get_manifest(PLUGIN).contributions
    classes = {c.id: (c.python_name or "").partition(":")[2] for c in given.commands or ()}
    return {classes[widget.command]: widget.display_name for widget in given.widgets or ()}
