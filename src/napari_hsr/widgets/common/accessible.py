"""For screen readers and keys: controls have a name, and those that have the keyboard a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGraphicsView,
    QGroupBox,
    QLabel,
    QLayout,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QScrollBar,
    QTableWidget,
    QTextBrowser,
    QTextEdit,
    QWidget,
)

from napari_hsr.widgets.common.decimals import take_point_and_comma
from napari_hsr.widgets.common.focus import FocusFrame

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_CONTROLS = (
    *(QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QGraphicsView),
    *(QLineEdit, QPlainTextEdit, QTableWidget, QTextEdit),
)
#: Those that show no focus of their own in napari's style.
_FRAMED = (QListWidget, QTableWidget, QTextBrowser)
#: Of lists and tables, boxes without a tick: as dark as their ground in napari's style.
_BOXES = (
    "QAbstractItemView::indicator:unchecked "
    "{ border: 1px solid #8a8a8a; border-radius: 2px; width: 11px; height: 11px; }"
)


def parts_of(root: QWidget) -> list[QWidget]:
    """All that is in a widget: asked once for all that looks at them, as finding hundreds takes long."""
    return root.findChildren(QWidget)


def controls(root: QWidget, parts: Iterable[QWidget] | None = None) -> list[QWidget]:
    """The controls in a widget that somebody operates; parts of others are left out.

    Parameters
    ----------
    root : QWidget
    parts : iterable of QWidget, optional
        Its :func:`parts_of`, where they are known.
    """
    return [
        part
        for part in (parts_of(root) if parts is None else parts)
        if isinstance(part, _CONTROLS)
        and not isinstance(part, QScrollBar)
        and not part.objectName().startswith("qt_")
        and not isinstance(part.parentWidget(), (QComboBox, QAbstractSpinBox, QTableWidget))
    ]


def name_controls(root: QWidget, parts: Sequence[QWidget] | None = None) -> None:
    """Name the controls in a widget that have no name yet, and make visible what the style hides.

    That is the focus of some, and boxes that can be ticked. Numbers are taken in either spelling.

    A name is the control's own text, the label beside it, or its tool tip. ``parts`` as for
    :func:`controls`.
    """
    parts = parts_of(root) if parts is None else parts
    labels: dict[QWidget, str] = {}
    for widget in (root, *parts):
        layout = widget.layout()
        if layout is not None:
            _read(layout, labels, widget.title() if isinstance(widget, QGroupBox) else "")
    for control in controls(root, parts):
        if not control.accessibleName():
            control.setAccessibleName(_name(control, labels))
        if isinstance(control, QDoubleSpinBox):
            take_point_and_comma(control)
    for part in parts:
        if isinstance(part, (QListWidget, QTableWidget)) and not part.styleSheet():
            part.setStyleSheet(_BOXES)
        if isinstance(part, QTableWidget):
            part.setTabKeyNavigation(False)  # Tab goes on to what is behind; arrows move inside
        plain = type(part) is QComboBox or isinstance(part, _FRAMED)
        if plain and part.findChild(FocusFrame) is None:
            FocusFrame(part)


def _name(control: QWidget, labels: dict[QWidget, str]) -> str:
    own = control.text() if isinstance(control, QAbstractButton) else ""
    around: QWidget | None = control
    while not own and around is not None:  # the label of what it is a part of
        own = labels.get(around, "")
        around = around.parentWidget()
    return (own or control.toolTip().partition("\n")[0]).replace("&&", "&").strip("▸▾ ")


def _read(layout: QLayout, labels: dict[QWidget, str], label: str) -> None:
    """Note which label stands before each widget of a layout."""
    for at in range(layout.count()):
        item = layout.itemAt(at)
        if item is None:
            continue
        widget, inner = item.widget(), item.layout()
        if isinstance(layout, QFormLayout):
            field = layout.labelForField(widget if widget is not None else inner)
            label = field.text() if isinstance(field, QLabel) else ""
        if inner is not None:
            _read(inner, labels, label)
        elif type(widget) is QLabel:
            label = widget.text()
        elif widget is not None and label:
            labels.setdefault(widget, label)
