"""Rows, columns and forms without margins, as panels are laid out."""

from __future__ import annotations

from qtpy.QtWidgets import QBoxLayout, QFormLayout, QHBoxLayout, QLayout, QVBoxLayout, QWidget


def column(
    *parts: QWidget | QLayout, into: QWidget | None = None, spacing: int | None = None
) -> QVBoxLayout:
    """Widgets and layouts under each other.

    Parameters
    ----------
    *parts : QWidget or QLayout
    into : QWidget, optional
        What gets this layout.
    spacing : int, optional
        Pixels between two parts; by default the style's.
    """
    layout = QVBoxLayout(into)
    if spacing is not None:
        layout.setSpacing(spacing)
    _fill(layout, parts)
    return layout


def row(
    *widgets: QWidget, stretch: QWidget | None = None, into: QWidget | None = None
) -> QHBoxLayout:
    """Widgets side by side; ``stretch`` takes the width that is left."""
    layout = QHBoxLayout(into)
    _fill(layout, widgets)
    if stretch is not None:
        layout.setStretchFactor(stretch, 1)
    return layout


def narrow_form(parent: QWidget | None = None) -> QFormLayout:
    """A form with labels above its fields: names of models are long, and docks are narrow."""
    form = QFormLayout(parent)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


def _fill(layout: QBoxLayout, parts: tuple[QWidget | QLayout, ...]) -> None:
    layout.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        if isinstance(part, QLayout):
            layout.addLayout(part)
        else:
            layout.addWidget(part)
