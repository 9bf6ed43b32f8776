"""Where things lie in the viewer's world, in whatever units its layers are.

napari draws lengths in the smallest unit of any layer, so a cube in micrometres beside a band axis
in nanometres has a world in nanometres, while the layer's own transforms stay in micrometres.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.components import ViewerModel
    from napari.layers import Layer


def unit_factors(viewer: ViewerModel | None, layer: Layer) -> np.ndarray:
    """How many units of the viewer's world one unit of the layer is, for each of its axes.

    All 1 without a viewer, and where units of layers contradict each other: napari leaves them out
    of account then. A layer that is being removed may have other units and more axes than those
    that stay.
    """
    world = None if viewer is None else viewer.layers.extent.units
    return np.array(_ratios(tuple(layer.units), None if world is None else tuple(world)))


def unit_ratios(layer: Layer, other: Layer) -> np.ndarray:
    """How many units of ``other`` one of ``layer`` is, axis by axis; 1 where they do not compare.

    The last axes of both belong together: cubes of a stack have more of them.
    """
    ratios = np.ones(layer.ndim)
    for axis in range(-1, -1 - min(layer.ndim, other.ndim), -1):
        unit, there = layer.units[axis], other.units[axis]
        if unit.dimensionality == there.dimensionality:
            ratios[axis] = _ratios((unit,), (there,))[0]
    return ratios


def to_layer(viewer: ViewerModel | None, layer: Layer, position: Iterable[float]) -> np.ndarray:
    """Data coordinates of a layer at a position in the viewer's world.

    The position may have more axes than the layer, or fewer: the last ones count.
    """
    factors = unit_factors(viewer, layer)
    place = np.asarray(tuple(position), dtype=float)[-layer.ndim :]
    return np.asarray(layer.world_to_data(tuple(place / factors[-len(place) :])), dtype=float)


def to_world(viewer: ViewerModel, layer: Layer, position: Iterable[float]) -> np.ndarray:
    """The position in the viewer's world of data coordinates of a layer."""
    return np.asarray(layer.data_to_world(tuple(position))) * unit_factors(viewer, layer)


def plane_in_world(
    layer: Layer, viewer: ViewerModel | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """How the last two axes of a layer lie in the world: ``world = matrix @ (y, x) + origin``.

    In the units of the viewer's world, or without a viewer in the layer's own.
    """
    ndim = layer.ndim  # without the colours of RGB
    origin, down, right = (
        np.asarray(layer.data_to_world((*(0.0,) * (ndim - 2), *corner)), dtype=float)[-2:]
        for corner in ((0, 0), (1, 0), (0, 1))
    )
    factors = unit_factors(viewer, layer)[-2:]
    return np.column_stack([down - origin, right - origin]) * factors[:, None], origin * factors


@lru_cache(maxsize=64)
def _ratios(units: tuple[Any, ...], world: tuple[Any, ...] | None) -> tuple[float, ...]:
    if world is None:
        return (1.0,) * len(units)
    pairs = [*zip(units[::-1], world[::-1], strict=False)]  # the last axes belong together
    if any(unit.dimensionality != here.dimensionality for unit, here in pairs):
        return (1.0,) * len(units)
    found = [1.0 if unit == here else float((1 * unit).to(here).magnitude) for unit, here in pairs]
    return (*(1.0,) * (len(units) - len(found)), *found[::-1])
