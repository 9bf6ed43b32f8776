"""A spectrum with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_hsr.arguments import told

if TYPE_CHECKING:
    import numpy as np


@told
@dataclass(frozen=True, eq=False)
class Curve:
    """A spectrum with where it comes from.

    Attributes
    ----------
    name : str
        A short name for legends and columns.
    mean : ndarray, shape (bands,), float64
        The value of a pixel, or the mean over a region's finite values; NaN where there is none.
    std : ndarray, shape (bands,), float64, or None
        Population standard deviation over the region; None for a single pixel.
    count : int
        Number of pixels.
    wavelengths_nm : ndarray, shape (bands,), or None
        Band centres, None if they are not known.
    units : str or None
        What the values are, if known.
    cube : str
        Name of the cube.
    position : tuple of float or None
        (row, column) of the pixel, or the centre of mass of the region.
    missing : int
        Samples of all bands that are NaN or infinite; a region's mean leaves them out.
    ranges : dict of str to (ndarray, ndarray)
        What the values may be at least and at most, (bands,) each, by what says so: ``"feasible"``,
        ``"90%"``.
    quantiles : dict of float to ndarray, shape (bands,)
        Of a region, by their share: ``quantiles[0.5]`` is the median.
    coordinates : tuple of float or None
        (x, y) on the ground: easting and northing, or longitude and latitude.
    length_unit : str or None
        That of the coordinates, such as ``"m"``, or ``"px"`` for pixels; None if it is not known.
    measured_share : float or None
        Part of its energy that its camera measured, where that is known.
    """

    name: str
    mean: np.ndarray
    std: np.ndarray | None = None
    count: int = 1
    wavelengths_nm: np.ndarray | None = None
    units: str | None = None
    cube: str = ""
    position: tuple[float, float] | None = None
    missing: int = 0
    ranges: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    quantiles: dict[float, np.ndarray] = field(default_factory=dict)
    coordinates: tuple[float, float] | None = None
    measured_share: float | None = None
    length_unit: str | None = None

    def __len__(self) -> int:
        return len(self.mean)
