"""Where pixels lie on the ground, as a file's ``map info`` or GeoTIFF tags say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hsr.io.tiff import geotiff

if TYPE_CHECKING:
    from napari_hsr.cube import Cube


@dataclass(frozen=True)
class Ground:
    """A grid that lies straight on the ground.

    Attributes
    ----------
    corner : tuple of float
        (x, y) of the upper left corner of the first pixel.
    pixel : tuple of float
        Width and height of a pixel; the height is negative where rows run to the north.
    unit : str or None
        ``"m"`` where coordinates are known to be in metres.
    """

    corner: tuple[float, float]
    pixel: tuple[float, float]
    unit: str | None = None

    def at(self, row: float, column: float) -> tuple[float, float]:
        """(x, y) of the centre of a pixel."""
        (x, y), (width, height) = self.corner, self.pixel
        return x + (column + 0.5) * width, y - (row + 0.5) * height


def ground_of(cube: Cube) -> Ground | None:
    """The ground of a cube; None if nothing is known, or it is turned."""
    found = geotiff.corner_and_pixel(geotiff.stated(cube.metadata))
    if found is None:
        return None
    corner, pixel, metres = found
    return Ground(corner, pixel, "m" if metres else None)
