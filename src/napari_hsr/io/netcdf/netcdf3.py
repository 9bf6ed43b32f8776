"""Classic NetCDF files (version 3), as xarray writes them without the NetCDF-4 library."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import bands_apart, build_cube, detect, json_facts, limits, masks_beside
from napari_hsr.io.choose_variable import choose_cube, left_out
from napari_hsr.io.companions import companions
from napari_hsr.io.decoding import unpacked
from napari_hsr.io.hdf5.axes import are_turned, is_spectral, text
from napari_hsr.io.library_errors import translated
from napari_hsr.io.netcdf import cdf5, cf_grid, default_fill
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.io.scale_and_offset import DIVISORS, state_numbers
from napari_hsr.io.tiff import geotiff
from napari_hsr.io.variable import Variable
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.cube import Cube

_DAMAGED = "the NetCDF file is damaged or cut short"


def read(path: Path, choice: Choice = ANY) -> Cube:
    """Read the cube of a classic NetCDF file into memory; the dimension's name states the bands.

    Raises
    ------
    FileError
        If the file is damaged or holds no (or more than one possible) cube.
    """
    from scipy.io import netcdf_file

    limits.check_room(path, path.stat().st_size, "the file")
    with translated(path, _DAMAGED), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if detect.head_of(path, 4) == cdf5.MAGIC:
            stored, of_file, more = cdf5.variables(path)
            behind = 0
        else:
            head, size = detect.head_of(path, limits.MOST_BYTES), path.stat().st_size
            more, behind = cdf5.check_head(head, size), cdf5.bytes_behind(head, size)
            with netcdf_file(str(path), "r", mmap=False) as file:
                stored = {
                    name: (np.array(v.data), tuple(v.dimensions), dict(v._attributes))
                    for name, v in file.variables.items()
                }
                of_file = dict(file._attributes)
    variables = [_variable(name, *of) for name, of in stored.items()]

    def stated(name: str) -> dict[str, Any]:
        return stored[name][2]

    variables = bands_apart.offered(variables, stated)
    chosen = choose_cube(path, variables, wanted=choice.variable)
    source, dimensions, attributes = stored[(chosen.parts or (chosen.name,))[0]]
    if chosen.parts:
        source = np.stack([np.squeeze(stored[name][0]) for name in chosen.parts])
        attributes = bands_apart.shared_attributes(chosen.parts, stated, DIVISORS)
    around = _facts_of(of_file) | _facts_of(attributes)

    def listed(name: str) -> Any:
        return unpacked(stored[name][0], stored[name][2])

    beside = companions(variables, chosen, listed, around, stated)
    found = build_cube.Found(
        source,
        wavelengths=beside.wavelengths,
        unit=beside.unit,
        units=text(attributes.get("units")) or None,
        metadata=beside.metadata,
        per_band=beside.per_band,
        width_unit=beside.width_unit,
        notices=beside.notices,
        looked_in="its variables, attributes and dimensions",
        masks=masks_beside.find(variables, chosen, lambda name: stored[name][0]),
    )
    if more:
        told = f"{more} records behind those that its head counts were left out."
        found.notices += (Notice.warning(Code.BYTES_LEFT_OUT, told),)
    if behind:
        told = f"{behind} bytes behind the arrays were left out: the file may be damaged."
        found.notices += (Notice.warning(Code.BYTES_LEFT_OUT, told),)
    if choice.variable is None:
        found.notices += left_out(path, variables, chosen)
    if chosen.parts:
        bands_apart.state(found, chosen, stated, dimensions)
    else:
        _state_bands(found, dimensions, stored)
    mapping = stored.get(text(attributes.get("grid_mapping")), (None, (), None))[2]
    if mapping is not None:
        along = {
            name: (listed(name), text(stored[name][2].get("units")))
            for name in dimensions
            if name in stored
        }
        place = cf_grid.of_array(mapping, along)
        found.metadata |= {} if place is None else {geotiff.KEY: place}
    state_numbers(found, attributes, beside.around)
    found.ignore(beside.no_data)
    default_fill.add(found)
    return build_cube.build(path, found, choice)


def _variable(
    name: str, values: np.ndarray, dimensions: tuple[str, ...], attributes: dict[str, Any]
) -> Variable:
    plane = values.ndim == 2
    line = plane and sum(map(is_spectral, dimensions)) == 1
    listed = [attributes[key] for key in attributes if key.lower() in wl.KEYS]
    one = plane and any(isinstance(value, (float, np.floating)) for value in listed)
    return Variable(
        name, values.shape, values.dtype, str(values.dtype), 1 if one else None, line=line
    )


def _facts_of(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes, and what those of them state that are texts in JSON."""
    found: dict[str, Any] = {}
    for value in attributes.values():
        found |= json_facts.facts(json_facts.parsed(text(value)))
    return found | attributes


def _state_bands(found: build_cube.Found, dimensions: tuple[str, ...], stored: Any) -> None:
    spectral = [i for i, name in enumerate(dimensions) if is_spectral(name)]
    if len(spectral) != 1:
        return
    found.stated, found.convention = True, spectral[0]
    found.line = len(dimensions) == 2
    found.turned = not found.line and are_turned(list(dimensions), spectral[0])
    values, _, attributes = stored.get(dimensions[spectral[0]], (None, (), {}))
    if values is None:
        return
    if found.wavelengths is None and values.dtype.kind in "iuf":
        found.wavelengths = unpacked(values, attributes)
    found.unit = found.unit or text(attributes.get("units")) or None
