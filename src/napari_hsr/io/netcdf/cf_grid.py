"""The grid of a NetCDF, HDF5 or zarr file on the ground, by the CF conventions, as GeoTIFF's tags.

``grid_mapping`` of an array names a variable whose attributes state the coordinate system: by its text
(``crs_wkt``, ``spatial_ref``) or by parameters. Coordinates of the axes, or GDAL's ``GeoTransform``,
say where the pixels lie. CF 1.11, section 5.6 and appendix F.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io.hdf5 import structure
from napari_hsr.io.hdf5.axes import is_column, is_row, text
from napari_hsr.io.number_parsing import number
from napari_hsr.io.tiff import geokeys, geotiff

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Numbers along an axis, and their unit.
Centres = tuple["np.ndarray", "str | None"]
_TEXTS = ("crs_wkt", "spatial_ref", "esri_pe_string")
#: Coordinates are even if no step differs by more than this part of it.
_EVEN = 1e-3
#: Units of coordinates, in small letters: those of the angles of a satellite's scan are no place.
_KILOMETRES = ("km", "kilometer", "kilometers", "kilometre", "kilometres")
_OF_A_SCAN = ("rad", "radian", "radians", "microradian", "microradians", "urad")
_UTM_NORTH, _UTM_SOUTH = 32600, 32700


def of_array(
    mapping: Mapping[str, Any], coordinates: Mapping[str, Centres]
) -> dict[str, Any] | None:
    """What GeoTIFF's tags would say; None where grid or coordinate system are not stated.

    Parameters
    ----------
    mapping : mapping
        The attributes of the variable that ``grid_mapping`` names.
    coordinates : mapping of str to (ndarray, str or None)
        Centres of the pixels along each axis and their unit, by the name of the axis.
    """
    x, y = (_metres(coordinates, of_axis) for of_axis in (is_column, is_row))
    grid = _transform(mapping, x, y) or _centres(x, y)
    system = next((text(mapping.get(key)) for key in _TEXTS if text(mapping.get(key))), "")
    keys = geokeys.of_text(system) if system else _by_parameters(mapping)
    return None if grid is None or keys is None else grid | keys


def _metres(
    coordinates: Mapping[str, Centres], of_axis: Callable[[str], bool]
) -> np.ndarray | None:
    """The centres along one axis, in metres or degrees; None where they are not stated, not even, or angles of a scan."""
    values, unit = next((v for name, v in coordinates.items() if of_axis(name)), (None, None))
    plain = (unit or "").strip().lower()
    if values is None or not _is_even(values) or plain in _OF_A_SCAN:
        return None
    return np.asarray(values, np.float64) * (1000.0 if plain in _KILOMETRES else 1.0)


def _transform(
    mapping: Mapping[str, Any], x: np.ndarray | None, y: np.ndarray | None
) -> dict[str, Any] | None:
    """GDAL's six numbers: corner, across and down, for x and for y.

    GDAL states those of rows that run to the south, and yet stores rows that run to the north, as coordinates say.
    """
    numbers = [number(part) for part in text(mapping.get("GeoTransform")).split()]
    known = [n for n in numbers if n is not None]
    if len(known) != 6 or len(numbers) != 6:
        return None
    corner_x, x_across, x_down, corner_y, y_across, y_down = known
    if x is not None and not x_down and (x[-1] - x[0]) * x_across < 0:
        corner_x, x_across = corner_x + x.size * x_across, -x_across
    if y is not None and not y_across and (y[-1] - y[0]) * y_down < 0:
        corner_y, y_down = corner_y + y.size * y_down, -y_down
    return geotiff.of_six([corner_x, x_across, x_down, corner_y, y_across, y_down])


def _centres(x: np.ndarray | None, y: np.ndarray | None) -> dict[str, Any] | None:
    if x is None or y is None:
        return None
    across, down = ((v[-1] - v[0]) / (v.size - 1) for v in (x, y))
    return geotiff.of_six([x[0] - across / 2, across, 0.0, y[0] - down / 2, 0.0, down])


def _is_even(values: np.ndarray) -> bool:
    if values.ndim != 1 or values.size < 2 or values.dtype.kind not in "iuf":
        return False
    steps = np.diff(np.asarray(values, dtype=np.float64))
    return bool(np.isfinite(steps).all() and np.ptp(steps) <= _EVEN * abs(steps).min())


def _by_parameters(mapping: Mapping[str, Any]) -> dict[str, Any] | None:
    """Degrees on WGS 84, and its zones of UTM; others need a text."""

    def stated(name: str) -> float | None:
        value = np.ravel(np.asarray(mapping.get(name, ())))
        return float(value[0]) if value.size and value.dtype.kind in "iuf" else None

    name, flattening = text(mapping.get("grid_mapping_name")), stated("inverse_flattening")
    if flattening is None or abs(flattening - 298.257223563) > 1e-6:
        return None
    if name == "latitude_longitude":
        return geokeys.of_code(geokeys.WGS84, projected=False)
    meridian, north = stated("longitude_of_central_meridian"), stated("false_northing")
    zone = None if meridian is None else (meridian + 183) / 6
    usual = (stated("scale_factor_at_central_meridian"), stated("false_easting"))
    if name != "transverse_mercator" or zone is None or zone % 1 or usual != (0.9996, 500000.0):
        return None
    first = {0.0: _UTM_NORTH, 1e7: _UTM_SOUTH}.get(north if north is not None else -1.0)
    return None if first is None else geokeys.of_code(first + int(zone), projected=True)


def of_data_set(
    file: Any, name: str, stated: Mapping[str, Any], along: Callable[[], dict[str, Centres]]
) -> dict[str, Any] | None:
    """Grid and coordinate system of a data set in HDF5; None where none is stated.

    Parameters
    ----------
    file : h5py.File
    name : str
        Of the data set, with its folder.
    stated : mapping
        Its attributes.
    along : callable
        Gives the scales of its axes, and their units, by their names.
    """
    wanted = text(stated.get("grid_mapping")).split(":")[0].strip()
    folder = name.strip("/").rpartition("/")[0]
    places = (f"{folder}/{wanted}".strip("/"), wanted)
    sought = (structure.own_path(file, place) for place in places if wanted and place)
    mapping = next((found for found in sought if found is not None), None)
    return None if mapping is None else of_array(structure.attributes(mapping), along())
