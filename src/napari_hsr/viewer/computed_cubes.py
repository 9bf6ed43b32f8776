"""Cubes of layers to be measured and kept: nothing that stands in for values which are still computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.errors import InputError
from napari_hsr.notices import Code
from napari_hsr.units import one_line
from napari_hsr.viewer.layer_data import layer_cube

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_hsr.cube import Cube


def computed_cube(layer: Layer) -> Cube:
    """As :func:`layer_cube`, for what is measured and kept.

    Raises
    ------
    InputError
        As there, and if something stands in for the frame on show while it is computed.
    """
    cube = layer_cube(layer)
    check_computed(cube)
    return cube


def check_computed(cube: Cube) -> None:
    """Refuse a cube whose values stand in for others that are still computed.

    Raises
    ------
    InputError
        If it is such a one.
    """
    waiting = why_not_computed(cube)
    if waiting is not None:
        raise InputError(waiting)


def why_not_computed(cube: Cube) -> str | None:
    """Why a cube holds no values to be kept, in one sentence; None where it does."""
    told = [str(notice) for notice in cube.notices if notice.code == Code.PLACEHOLDER]
    if not told:
        return None
    return f"{one_line(cube.name)}: {told[0]} Wait until it is done."
