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
    first: QWidget, *others: QWidget, into: QWidget | None = None, equal: bool = False
) -> QHBoxLayout:
    """Widgets side by side: the first one takes the free width, or all share it equally."""
    layout = QHBoxLayout(into)
    _fill(layout, (first, *others))
    for place in range(1 + equal * len(others)):
        layout.setStretch(place, 1)
    return layout


def narrow_form(parent: QWidget | None = None) -> QFormLayout:
    """A form with labels above its fields: names of models are long, and docks are narrow."""
    form = QFormLayout(parent)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return form


def _fill(layout: QBoxLayout, parts: tuple[QWidget | QLayout, ...]) -> None:
    layout.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        add = layout.addLayout if isinstance(part, QLayout) else layout.addWidget
        add(part)
