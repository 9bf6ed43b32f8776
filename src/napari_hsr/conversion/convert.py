"""A part of a cube, other bands, another grid, another scale."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.conversion.wavelengths import to_wavelengths
from napari_hsr.errors import InputError
from napari_hsr.georeference import Place, cropped_metadata
from napari_hsr.io.bands import take
from napari_hsr.io.decoding import Decoding
from napari_hsr.io.lazy import LazyArray, by_rows
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.cube import Cube, Wavelengths


#: A scale that is nearer to 0 is that of no unit.
_LEAST = 1e-15


@told
def convert(
    cube: Cube,
    *,
    crop: tuple[int, int, int, int] | None = None,
    bands: Sequence[int] | None = None,
    wavelengths: Wavelengths | Sequence[float] | np.ndarray | None = None,
    fwhm: float | Sequence[float] | np.ndarray | None = None,
    scale: float | None = None,
    units: str | None = None,
) -> Cube:
    """The cube in another form; what is asked for is done in the order of the parameters.

    Parameters
    ----------
    cube : Cube
        One on disk stays there: values are computed as they are read.
    crop : (int, int, int, int), optional
        Top, left, bottom, right in pixels from 0, the last two not included. Place, ``map info``
        and the tags of a GeoTIFF follow.
    bands : sequence of int, optional
        Bands from 0, each once; in ascending order.
    wavelengths, fwhm : optional
        The new grid in nm and the widths of its bands: :func:`to_wavelengths`.
    scale : float, optional
        What values are multiplied by.
    units : str, optional
        What the values are.

    Returns
    -------
    Cube

    Raises
    ------
    InputError
        If the rectangle or the bands are not those of the cube, or the grid does not fit.
    """
    if crop is not None:
        cube = _cropped(cube, crop)
    if bands is not None:
        cube = _of_bands(cube, bands)
    if wavelengths is not None:
        cube = to_wavelengths(cube, wavelengths, fwhm)
    elif fwhm is not None:
        raise InputError("Widths of bands are of use with a grid of wavelengths only.")
    if scale is not None:
        cube = _scaled(cube, scale, unit_stays=units is None)
    return cube if units is None else cube.replace(units=units)


class _Window:
    """A rectangle of an array, indexed as an array of its own."""

    def __init__(self, source: Any, top: int, left: int, height: int, width: int):
        self._source, self._top, self._left = source, top, left
        self.dtype = np.dtype(np.float32)
        self.shape = (int(source.shape[0]), height, width)
        self.by_rows = by_rows(source)

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        bands, rows, columns = key
        rows = _moved(rows, self._top, self.shape[1])
        return self._source[bands, rows, _moved(columns, self._left, self.shape[2])]


def _moved(part: int | slice, by: int, size: int) -> int | slice:
    if isinstance(part, int):
        return part + by
    start, stop, step = part.indices(size)
    return slice(start + by, stop + by, step)


def _cropped(cube: Cube, crop: tuple[int, int, int, int]) -> Cube:
    top, left, bottom, right = crop
    height, width = cube.shape[1:]
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise InputError(
            f"The rectangle {top},{left},{bottom},{right} (top, left, bottom, right) does not lie "
            f"inside {cube.name}, which has {height} x {width} pixels."
        )
    if isinstance(cube.data, np.ndarray):
        data: Any = cube.data[:, top:bottom, left:right]
    else:
        data = LazyArray(_Window(cube.data, top, left, bottom - top, right - left))
    place = cube.place or Place()
    origin = (
        place.origin[0] + top * place.pixel[0],
        place.origin[1] + left * place.pixel[1],
    )
    step = f"Cropped to rows {top} to {bottom - 1} and columns {left} to {right - 1}."
    return cube.replace(
        data=data,
        place=Place(place.pixel, origin),
        metadata=cropped_metadata(cube.metadata, top, left),
        provenance=cube.provenance.with_step(step),
    )


def _of_bands(cube: Cube, bands: Sequence[int]) -> Cube:
    chosen = sorted({index(band) for band in bands})
    if not chosen or chosen[0] < 0 or chosen[-1] >= cube.bands:
        raise InputError(
            f"Bands {', '.join(map(str, bands)) or 'none'} were asked for; {cube.name} has bands 0 "
            f"to {cube.bands - 1}."
        )
    return take(cube, chosen, f"{len(chosen)} of {cube.bands} bands were taken.")


def _scaled(cube: Cube, scale: float, unit_stays: bool) -> Cube:
    """The values multiplied; ``unit_stays`` where nobody states another one."""
    if not _LEAST <= abs(scale) <= 1 / _LEAST:  # and float32 holds what becomes of the values
        raise InputError(
            f"Values are multiplied by a number other than 0, from {_LEAST:g} to {1 / _LEAST:g}, not by "
            f"{scale!r}."
        )
    data: Any = LazyArray(cube.data, decoding=Decoding(scale=scale))
    notices = cube.notices
    if unit_stays and cube.units and scale != 1.0:
        text = (
            f"Values were multiplied by {scale:g} and are still called {one_line(cube.units, 60)}: state their "
            "unit if it is another one now."
        )
        notices += (Notice.warning(Code.VALUES_RESCALED, text),)
    return cube.replace(
        data=data[:] if cube.in_memory else data,
        notices=notices,
        provenance=cube.provenance.with_step(f"Values were multiplied by {scale:g}."),
    )
