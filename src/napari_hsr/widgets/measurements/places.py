"""The places in the viewer where a spectrum can have been measured: pins and shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_hsr.viewer.layer_data import layer_cube, pixel_at
from napari_hsr.viewer.pins import pins_of, tidy
from napari_hsr.viewer.regions import Plane, Target, is_regions, shape_mask, shape_regions

if TYPE_CHECKING:
    import numpy as np

#: Most places listed.
MOST = 40


@dataclass(frozen=True, eq=False)
class Place:
    """A pin or a shape over a cube.

    Attributes
    ----------
    key : str
        The same for as long as the pin or shape is there.
    name : str
    where : (int, int) or ndarray of bool
        Row and column of the cube, or a mask (height, width).
    """

    key: str
    name: str
    where: tuple[int, int] | np.ndarray


def places_on(viewer: Any, points: Any, layer: Any) -> list[Place]:
    """The pins of a layer of points, and all visible shapes, as far as they lie on a cube.

    Of a film, those of the frame on show.
    """
    found: list[Place] = []
    if points is not None and len(points.data):
        tidy(points)
        for pin in pins_of(viewer, points, MOST):
            at = pixel_at(layer, pin.place, viewer)
            if at is not None:
                key = f"{points.unique_id} {pin.number}"
                found.append(Place(key, f"pin {pin.number} (row {at[0]}, column {at[1]})", at))
    cube = layer_cube(layer)
    target = Target(None, cube, Plane.of(layer, viewer))
    for shapes in viewer.layers:
        if not is_regions(shapes):
            continue
        for region in shape_regions(shapes, viewer):
            if len(found) >= MOST:  # each mask is as large as a band
                return found[:MOST]
            mask = shape_mask(region, target)
            if mask.any():
                found.append(Place(f"{shapes.unique_id} {region.origin[1]}", region.name, mask))
    return found[:MOST]
