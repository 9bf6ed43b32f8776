"""zarr and OME-Zarr (0.4 and 0.5), read where they are looked at and written in chunks.

The layout of OME-Zarr is that of https://ngff.openmicroscopy.org; plain stores are read as xarray
and others write them, with names of axes and a coordinate array of wavelengths.
"""

from __future__ import annotations

import math
import os
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import finite_range
from napari_hsr.errors import FileError
from napari_hsr.io import atomic, bands_apart, build_cube, embedded_record, json_facts
from napari_hsr.io.choose_variable import choose_cube, left_out
from napari_hsr.io.companions import companions
from napari_hsr.io.decoding import unpacked
from napari_hsr.io.hdf5.axes import are_turned, is_spectral, text
from napari_hsr.io.lazy import by_rows
from napari_hsr.io.library_errors import translated
from napari_hsr.io.netcdf import cf_grid
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.io.scale_and_offset import DIVISORS, state_numbers
from napari_hsr.io.stored_numbers import Storing, as_stated, plan
from napari_hsr.io.tiff import geotiff, ome_metadata
from napari_hsr.io.variable import Variable
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.io.zarr import axes as zarr_axes
from napari_hsr.io.zarr import frame as zarr_frame
from napari_hsr.io.zarr import store_check as zarr_store
from napari_hsr.io.zarr.replaceable import check_replaceable
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from napari_hsr.cube import Cube

_DAMAGED = "the zarr store is damaged or cut short"
#: The attribute with what is known of the run that writes, or wrote, a store part by part.
RUN = "napari_hsr_run"
#: The attribute of a store with the cubes of several frames.
FRAMES = "napari_hsr_frames"
#: Chunks of written cubes: rows and columns at most, bands at least, and values: 4 MiB of float32.
_SIDE, _FEWEST_BANDS, _CHUNK_VALUES = 256, 16, 2**20
#: Values held at a time while writing: 64 MiB.
_HELD_VALUES = 2**24
#: Of stores with more chunks than this it is not counted which are missing.
_COUNTED = 100_000


def library(path: Path) -> Any:
    """zarr; FileError where it is not installed."""
    try:
        import zarr
    except ModuleNotFoundError as error:
        raise FileError(
            path, 'zarr stores need the library zarr: pip install "napari-hsr[zarr]"'
        ) from error
    return zarr


def read(path: Path, choice: Choice = ANY) -> Cube:
    """Read the image of an OME-Zarr at full resolution, or the cube of another store.

    Raises
    ------
    FileError
        If the store is damaged, or holds no (or more than one possible) cube.
    """
    zarr = library(path)
    with translated(path, _DAMAGED):
        # what each array says counts, not a copy of it that may be older
        store = zarr.open(zarr_store.checked(path), mode="r", use_consolidated=False)
    if isinstance(store, zarr.Array):
        zarr_store.check_array(path, store)
        alone = _variable("", store)
        return build_cube.build(
            path, _plain(path, store, [alone], {"": store}, alone, store), choice
        )
    with translated(path, _DAMAGED):
        attributes = dict(store.attrs)
    ome = attributes.get("ome", attributes)
    scales = ome.get("multiscales") if isinstance(ome, dict) else None
    run = attributes.get(RUN)
    frames = attributes.get(FRAMES)
    if isinstance(frames, dict) and isinstance(scales, list) and scales:
        array = store["0"]
        zarr_store.check_array(path, array)
        called = str(scales[0].get("name") or path.stem)
        found = zarr_frame.found(path, array, frames, choice.variable, called)
    elif isinstance(scales, list) and scales and choice.variable is None:
        found = _ome(path, store, ome, scales[0], attributes)
        if isinstance(run, dict) and run.get("finished"):
            found.value_range = _window(ome)
    else:
        with translated(path, _DAMAGED):
            arrays = {
                name: item for name, item in store.members(None) if isinstance(item, zarr.Array)
            }
        variables = [_variable(name, array) for name, array in arrays.items()]
        variables = bands_apart.offered(variables, lambda name: dict(arrays[name].attrs))
        variables = [zarr_axes.as_line(variable, arrays, store) for variable in variables]
        chosen = choose_cube(path, variables, wanted=choice.variable)
        parts = [arrays[name] for name in chosen.parts or (chosen.name,)]
        for part in parts:
            zarr_store.check_array(path, part)
        with translated(path, _DAMAGED):
            found = _plain(path, parts[0], variables, arrays, chosen, store)
        if choice.variable is None:
            found.notices += left_out(path, variables, chosen)
    if isinstance(run, dict) and not run.get("finished"):
        told = (
            "The run that writes this store has not finished: values that are not there yet are "
            "NaN. The same run, started again, goes on from there."
        )
        found.notices = (*found.notices, Notice.warning(Code.UNFINISHED, told))
    _add_record(found, attributes)
    return build_cube.build(path, found, choice)


def _add_record(found: build_cube.Found, attributes: dict[str, Any]) -> None:
    found.record = embedded_record.parse(attributes.get(embedded_record.stored_as(attributes)))
    if "wavelengths_nm" in attributes:
        found.wavelengths, found.unit = attributes["wavelengths_nm"], "nm"


def _variable(name: str, array: Any) -> Variable:
    numbers = array.dtype.kind in "fiubc"
    dtype = array.dtype if numbers else None
    return Variable(name, tuple(array.shape), dtype, str(array.dtype))


def _plain(
    path: Path,
    array: Any,
    variables: list[Variable],
    arrays: dict[str, Any],
    chosen: Variable,
    store: Any,
) -> build_cube.Found:
    """An array without OME's metadata, and what stands beside it in its store."""
    around = dict(store.attrs)
    attributes, small = dict(array.attrs), partial(zarr_store.small, path)
    source: Any = None
    if chosen.parts:
        source = bands_apart.planes([arrays[name] for name in chosen.parts])
        attributes = bands_apart.shared_attributes(
            chosen.parts, lambda name: dict(arrays[name].attrs), DIVISORS
        )
    found = build_cube.Found(
        source or ArrayOfThree(array), units=text(attributes.get("units")) or None
    )
    every = {**json_facts.facts(around), **around, **json_facts.facts(attributes), **attributes}

    def listed_in(name: str) -> Any:
        return unpacked(np.asarray(small(arrays[name])), arrays[name].attrs)

    known = companions(
        variables,
        chosen,
        listed_in,
        every,
        lambda name: arrays[name].attrs,
    )
    found.wavelengths, found.unit = known.wavelengths, known.unit
    found.width_unit = known.width_unit
    found.unit = found.unit or text(every.get("wavelength_units")) or None
    found.metadata, found.per_band, found.notices = (
        known.metadata,
        known.per_band,
        known.notices,
    )
    found.looked_in = "its arrays, attributes and axes"
    names, listed, unit = zarr_axes.dimensions(array), None, None
    if not names:
        names, listed, unit = zarr_axes.hyperspy(chosen.name, array.shape, arrays, store)
    if found.wavelengths is None and listed is not None:
        found.wavelengths, found.unit = listed, unit
    mapping = arrays.get(zarr_axes.beside(chosen.name, text(attributes.get("grid_mapping"))))
    if mapping is not None:
        at = {name: arrays.get(zarr_axes.beside(chosen.name, name)) for name in names}
        along = {
            name: (unpacked(np.asarray(small(axis)), axis.attrs), text(axis.attrs.get("units")))
            for name, axis in at.items()
            if axis is not None
        }
        place = cf_grid.of_array(dict(mapping.attrs), along)
        found.metadata |= {} if place is None else {geotiff.KEY: place}
    kept = [name for name, size in zip(names, array.shape, strict=False) if size > 1]
    kept = names if len(array.shape) == 3 else kept
    spectral = [i for i, name in enumerate(kept) if is_spectral(name)]
    if len(spectral) == 1 and (len(kept) == 3 or chosen.line):
        found.stated, found.convention, found.line = True, spectral[0], chosen.line
        found.turned = are_turned(kept, spectral[0])
        axis = arrays.get(zarr_axes.beside(chosen.name, kept[spectral[0]]))
        if axis is not None and found.wavelengths is None and axis.dtype.kind in "iuf":
            values = unpacked(np.asarray(small(axis)), axis.attrs)
            if not wl.are_band_numbers(values):
                found.wavelengths = values
        if axis is not None and found.unit is None:
            found.unit = text(axis.attrs.get("units")) or None
    if "_ARRAY_DIMENSIONS" in attributes and array.metadata.zarr_format == 2:
        fill = array.metadata.fill_value  # where xarray keeps _FillValue in stores of version 2
        if fill == 0 and "_FillValue" not in attributes:  # what zarr has by default, too
            told = (
                "Zeros were kept, though xarray takes the store's fill value, 0, for missing ones."
            )
            found.notices += (Notice.info(Code.NO_DATA, told),)
        elif fill is not None:
            attributes = {"_FillValue": fill, **attributes}
    if chosen.parts:
        bands_apart.state(found, chosen, lambda name: dict(arrays[name].attrs), names)
    state_numbers(found, attributes, every | known.around)
    found.ignore(known.no_data)
    for name in chosen.parts or (chosen.name,):
        found.notices += _missing_chunks(path, arrays[name])[: not found.notices]
    return found


def _ome(
    path: Path, store: Any, ome: dict[str, Any], scale: dict[str, Any], around: dict[str, Any]
) -> build_cube.Found:
    """The finest image of a pyramid; its channels are the bands."""
    with translated(path, _DAMAGED):
        name = str(scale["datasets"][0]["path"]).strip("/")
        axes = [str(axis["name"] if isinstance(axis, dict) else axis) for axis in scale["axes"]]
    with translated(path, _DAMAGED):
        array = store.get(name)
    if array is None or not hasattr(array, "chunks"):
        raise FileError(path, f"its metadata name the array {name!r}, which is not in the store")
    zarr_store.check_array(path, array)
    if len(axes) != len(array.shape):
        raise FileError(
            path, f"its metadata name {len(axes)} axes for an array of {len(array.shape)}"
        )
    found = build_cube.Found(ArrayOfThree(array), name=str(scale.get("name") or ""))
    long = [axis for axis, size in zip(axes, array.shape, strict=True) if size > 1]
    kept = axes if len(axes) == 3 else long
    spectral = [i for i, axis in enumerate(kept) if axis == "c" or is_spectral(axis)]
    if len(kept) == 3 and len(spectral) == 1:
        found.stated, found.convention = True, spectral[0]
        found.turned = are_turned(kept, found.convention)
    attributes, every = dict(array.attrs), {**around, **array.attrs}
    found.wavelengths, found.unit = ome_metadata.wavelengths(ome, scale, axes, array.shape)
    if found.wavelengths is None:
        beside = companions([_variable(name, array)], _variable(name, array), every.get, every)
        found.wavelengths, found.unit = beside.wavelengths, beside.unit
        found.unit = found.unit or text(every.get("wavelength_units")) or None
    found.looked_in = "its channels, axes and attributes"
    found.units = text(attributes.get("units")) or None
    state_numbers(found, attributes, every)
    found.notices += _missing_chunks(path, array)
    return found


def _window(ome: dict[str, Any]) -> tuple[float, float] | None:
    """The extremes that a store of ours states of its values."""
    try:
        window = ome["omero"]["channels"][0]["window"]
        return float(window["min"]), float(window["max"])
    except (LookupError, TypeError, ValueError):
        return None


def _missing_chunks(path: Path, array: Any) -> tuple[Notice, ...]:
    """A notice if chunks, or shards of them, were never written, or are lost: they read as one value."""
    sides = array.shards or array.chunks
    if math.prod(-(-n // side) for n, side in zip(array.shape, sides, strict=True)) > _COUNTED:
        return ()
    there, parts, what = zarr_store.chunks_there(path, array)
    if there >= parts:
        zarr_store.state_whole(array)
        return ()
    told = (
        f"Only {there} of its {parts} {what} are there: the values of the others are "
        f"{array.fill_value}."
    )
    return (Notice.warning(Code.PARTLY_WRITTEN, told),)


class ArrayOfThree:
    """A zarr array with axes of length one left out where it has more than three."""

    def __init__(self, array: Any):
        self._array = array
        whole = tuple(int(n) for n in array.shape)
        many = len(whole) > 3 and sum(n > 1 for n in whole) == 3
        self._kept = [i for i, n in enumerate(whole) if n > 1 or not many]
        self.shape = tuple(whole[i] for i in self._kept)
        self.chunks = tuple(int(array.chunks[i]) for i in self._kept)
        self.dtype = array.dtype

    def __getitem__(self, key: Any) -> np.ndarray:
        if not isinstance(key, tuple) or not key:
            return np.asarray(self._array[...]).reshape(self.shape)
        full: list[Any] = [0] * len(self._array.shape)
        for axis, part in zip(self._kept, key, strict=True):
            full[axis] = part
        return np.asarray(self._array[tuple(full)])


def write(cube: Cube, path: Path, storing: Storing | None = None) -> None:
    """Write an OME-Zarr 0.4 with one resolution, in compressed chunks.

    It appears whole or not at all; a store of that name is replaced.

    Raises
    ------
    FileError
        If it cannot be written, or the name is that of a folder of something else, even beside a store.
    """
    zarr = library(path)
    storing = storing or plan(cube)
    target = Path(os.path.realpath(path))
    atomic.finish(target)
    check_replaceable(target, path)
    atomic.clear_up(target.parent)
    before, temporary = atomic.expected(target), atomic.beside(target, "tmp")
    ome_metadata.attributes(cube, (0.0, 1.0))  # refused before all values are written
    try:
        with translated(path, "it cannot be written"):
            # the library writes in a thread of its own, which an interrupt here would not end
            with atomic.undisturbed():
                group = zarr.open_group(temporary, mode="w", zarr_format=2)
            limits = _write_array(group, cube, storing)
            with atomic.undisturbed():
                group.attrs.update(ome_metadata.attributes(cube, limits))
                atomic.put_folder_in_place(temporary, target, before)
    finally:
        with atomic.undisturbed():
            zarr_store.wait_for_writes()
            shutil.rmtree(temporary, ignore_errors=True)


def _write_array(group: Any, cube: Cube, storing: Storing) -> tuple[float, float]:
    """Write the values in chunks that one pass over the source fills; their range."""
    bands, height, width = cube.shape
    rows_first = by_rows(cube.data)
    down, across = min(height, _SIDE), min(width, _SIDE)
    if rows_first:
        down = max(1, min(down, _HELD_VALUES // (bands * width)))
    deep = min(bands, max(_FEWEST_BANDS, _CHUNK_VALUES // (down * across)))
    if not rows_first:
        deep = max(1, min(deep, _HELD_VALUES // (height * width)))
    with atomic.undisturbed():
        array = group.create_array(
            "0",
            shape=cube.shape,
            chunks=(deep, down, across),
            dtype=storing.dtype,
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
    stated = {key: float(value) for key, value in as_stated(storing).items()}
    array.attrs.update(stated | ({"units": cube.units} if cube.units else {}))
    low, high = np.inf, -np.inf
    step = down if rows_first else deep
    for first in range(0, height if rows_first else bands, step):
        part = slice(first, min(first + step, height if rows_first else bands))
        if rows_first:
            values = np.asarray(cube.data[:, part, :], dtype=np.float32)
            with atomic.undisturbed():
                array[:, part] = storing.numbers(values)
        else:
            values = np.asarray(cube.data[part], dtype=np.float32)
            with atomic.undisturbed():
                array[part] = storing.numbers(values)
        least, largest = finite_range(values)
        low, high = min(low, least), max(high, largest)
    return (low, high) if low <= high else (0.0, 0.0)
