"""HDF5: our own layout and other people's data sets."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import (
    bands_apart,
    build_cube,
    embedded_record,
    json_facts,
    lazy,
    limits,
    masks_beside,
    pixel_tables,
    structured_arrays,
)
from napari_hsr.io.atomic import replacing, undisturbed
from napari_hsr.io.choose_variable import choose_cube, left_out
from napari_hsr.io.companions import companions
from napari_hsr.io.decoding import unpacked
from napari_hsr.io.hdf5 import cells as hdf5_cells
from napari_hsr.io.hdf5 import neon, places, structure
from napari_hsr.io.hdf5 import probe as hdf5_probe
from napari_hsr.io.hdf5 import products as hdf5_products
from napari_hsr.io.hdf5.attributes import damaged as damaged_attributes
from napari_hsr.io.hdf5.attributes import named
from napari_hsr.io.hdf5.axes import (
    NamedAxes,
    as_line,
    named_axes,
    names_of_axes,
    scales_of,
    text,
)
from napari_hsr.io.hdf5.writing import created
from napari_hsr.io.library_errors import translated
from napari_hsr.io.netcdf import cf_grid, default_fill
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.io.scale_and_offset import DIVISORS, state_numbers
from napari_hsr.io.stored_numbers import Storing, as_stated, blocks, plan
from napari_hsr.io.tiff import geotiff
from napari_hsr.io.variable import Variable
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.cube import Cube

_DAMAGED = "the HDF5 file is damaged or cut short"
_UNITS = ("wavelength_units", "wavelength_unit", "wavelengths_units", "wavelengths_unit")
#: How NetCDF's library marks what holds no values.
_DIMENSION, _NO_VARIABLE = "dimension", "This is a netCDF dimension but not a netCDF variable"


def read(path: Path, choice: Choice = ANY) -> Cube:
    """Read the cube of an HDF5 file; bands come first by custom.

    Raises
    ------
    FileError
        If the file is damaged or holds no (or more than one possible) cube.
    """
    return read_container(path, choice, matlab=False)


def read_container(path: Path, choice: Choice, matlab: bool) -> Cube:
    """Read a cube from an HDF5 container; MATLAB stores its axes in reverse.

    The file stays open only as long as the cube lives on disk.
    """
    import h5py

    with translated(path, _DAMAGED):
        heaps = structure.check_heaps(path)
        hdf5_probe.check(path)
        file = h5py.File(path, "r")
    keep = False
    try:
        with translated(path, _DAMAGED):
            items = dict(structure.datasets(path, file))
            places.check_apart(path, items.values(), heaps)
            items |= hdf5_cells.cells(path, file, items)
            variables = [_describe(name, item) for name, item in items.items()]
            variables = [v for v in variables if v.kind != _DIMENSION]
            product = None
            if not (choice.variable or matlab):
                product = hdf5_products.find(path, file, items)
        if product is not None:
            cube = build_cube.build(path, product, choice)
            keep = isinstance(cube.data, lazy.LazyArray)
            return cube
        with translated(path, _DAMAGED):
            beside = structure.References(path, file)
            ours = _record(file, beside)
        others = [v for v in variables if v.short != embedded_record.KEY]
        table = None
        if (
            choice.variable is None
            and matlab
            and not any(v.real and v.has_three_axes for v in others)
        ):
            table = pixel_tables.find(others, lambda name: structure.checked(path, items[name])[()])
        if table is not None:
            return _of_pixels(path, file, items, variables, table, choice)
        compound = structured_arrays.chosen(
            {n: i.dtype for n, i in items.items() if i.size}, others, choice
        )
        if compound is not None:
            return _of_fields(path, file, items, compound, variables, choice)
        others = bands_apart.offered(others, lambda name: structure.attributes(items[name]))
        with translated(path, _DAMAGED):
            others = [as_line(file, items, v, beside) for v in others]
        chosen = choose_cube(path, others, ours is not None, choice.variable)
        with translated(path, _DAMAGED):
            found = _found(path, file, items, variables, chosen, beside, matlab)
            found.record = ours
        if choice.variable is None:
            found.notices += left_out(path, others, chosen)
        build_cube.check_dtype(path, found.source.dtype, chosen.name)
        build_cube.check_shape(path, found.source.shape, chosen.name)
        cube = build_cube.build(path, found, choice)
        keep = isinstance(cube.data, lazy.LazyArray)
        return cube
    finally:
        if not keep:
            file.close()


def _of_pixels(
    path: Path,
    file: Any,
    items: dict[str, Any],
    variables: list[Variable],
    table: pixel_tables.Table,
    choice: Choice,
) -> Cube:
    """The cube of a table of pixels in a file of MATLAB, whose axes lie in reverse."""
    values = structure.References(path, file)
    with translated(path, _DAMAGED):
        data = table.cube(np.asarray(structure.checked(path, items[table.name])[()]).T)
        alone = replace(next(v for v in variables if v.name == table.name), shape=data.shape)
        beside = companions(variables, alone, lambda name: values.value(items[name]))
    found = build_cube.Found(
        data,
        convention=2,
        stated=True,
        wavelengths=beside.wavelengths,
        unit=beside.unit,
        metadata=beside.metadata,
        per_band=beside.per_band,
        notices=(*table.notices, *beside.notices),
        looked_in="its variables",
    )
    found.ignore(beside.no_data)
    return build_cube.build(path, found, choice)


def _of_fields(
    path: Path,
    file: Any,
    items: dict[str, Any],
    name: str,
    variables: list[Variable],
    choice: Choice,
) -> Cube:
    """The cube of a compound data set, with what lies beside it."""
    beside = structure.References(path, file)
    with translated(path, _DAMAGED):
        source = structure.checked(path, items[name])
        size = math.prod(source.shape) * source.dtype.itemsize
        limits.check_room(path, 2 * size, f"“{name}”")
        told = _written(path, items[name], _name(items[name]))
        attributes = _attributes(file, name, structure.attributes(items[name]))
        values = np.asarray(source[()])
    if (choice.variable or "").strip("/").lower() in (
        name.lower(),
        name.rpartition("/")[2].lower(),
    ):
        choice = replace(choice, variable=None)
    others = [v for v in variables if v.name != name]
    cube = structured_arrays.read(
        path, values, choice, others, lambda one: beside.value(items[one]), attributes
    )
    return cube.replace(notices=(*told, *cube.notices)) if told else cube


def _describe(name: str, item: Any) -> Variable:
    attributes = structure.attributes(item)
    kind = text(attributes.get("MATLAB_class")) or str(item.dtype)
    if text(attributes.get("NAME")).startswith(_NO_VARIABLE):
        kind = _DIMENSION
    if "MATLAB_object_decode" in attributes:
        return Variable(name, tuple(item.shape or ()), None, f"{kind} object")
    numbers = item.dtype.kind in "fiubc" and kind not in ("char", "cell", "struct", "string")
    if "MATLAB_empty" in attributes or item.shape is None:
        return Variable(name, (0, 0), None, f"empty {kind}")
    if item.dtype.kind == "O" and "MATLAB_class" not in attributes:
        kind = "text" if item.dtype.metadata and "vlen" in item.dtype.metadata else "references"
    plane = len(item.shape) == 2  # of a cube, one number may be how many there are
    listed = [
        np.size(v)
        for k, v in attributes.items()
        if k.lower() in wl.KEYS and (np.ndim(v) or (plane and isinstance(v, np.floating)))
    ]
    dtype, own = (item.dtype if numbers else None), item.dtype
    fields = tuple((field, own[field]) for field in own.names or ())
    known = listed[0] if listed else None
    return Variable(name, tuple(item.shape), dtype, kind, known, fields=fields)


def _name(item: Any) -> str:
    return str(item.name or "the array").strip("/")


def _attributes(file: Any, name: str, stated: Any) -> dict[str, Any]:
    """What the file, the groups around an array and it itself state, the nearest last; also in JSON."""
    around = [file]
    for part in name.strip("/").split("/")[:-1]:
        around.append(None if around[-1] is None else structure.own(around[-1], part))
    found: dict[str, Any] = {}
    for given in (*(structure.attributes(item) for item in around if item is not None), stated):
        for value in given.values():
            found |= json_facts.facts(json_facts.parsed(text(value)))
        found |= given
    return found


def _found(
    path: Path,
    file: Any,
    items: dict[str, Any],
    variables: list[Variable],
    chosen: Variable,
    values: structure.References,
    matlab: bool,
) -> build_cube.Found:
    def stated_of(name: str) -> Any:
        return structure.attributes(items[name])

    stored, *others = [items[name] for name in chosen.parts or (chosen.name,)]
    source: Any = structure.checked(path, stored)
    stated = structure.attributes(stored)
    if others:
        source = bands_apart.planes([source, *(structure.checked(path, o) for o in others)])
        stated = bands_apart.shared_attributes(chosen.parts, stated_of, DIVISORS)
    matlab = matlab or "MATLAB_class" in stated
    attributes = _attributes(file, (chosen.parts or (chosen.name,))[0], stated)

    def load(name: str) -> Any:
        return unpacked(values.value(items[name]), stated_of(name))

    beside = companions(variables, chosen, load, attributes, stated_of)
    unit = beside.unit
    said = [v.name for v in variables if v.short in _UNITS and v.is_text]
    if unit is None and said:
        unit = next((str(value) for value in np.ravel(load(said[0]))), None)
    for name in ("wavelength_units", "wavelength units"):
        unit = unit or text(attributes.get(name))
    masks = masks_beside.find(
        variables, chosen, lambda name: structure.checked(path, items[name])[()], turned=matlab
    )
    axes = NamedAxes() if others else named_axes(file, stored, values)
    found = build_cube.Found(
        source,
        convention=2 if matlab else 0,
        flipped=matlab,
        wavelengths=beside.wavelengths,
        unit=unit,
        units=text(named(stated, "units")) or None,
        metadata=beside.metadata,
        per_band=beside.per_band,
        width_unit=beside.width_unit,
        notices=(
            *beside.notices,
            *(told for item in (stored, *others) for told in _written(path, item, _name(item))),
        ),
        looked_in="its variables, attributes and axes",
        masks=masks,
    )
    if axes.bands is not None:
        found.stated, found.convention = True, 2 - axes.bands if matlab else axes.bands
        found.turned = axes.turned and not matlab
        if len(source.shape) == 2 and not matlab:
            found.line, found.convention = True, axes.bands
        if axes.wavelengths is not None and beside.wavelengths is None:
            found.wavelengths, found.unit = axes.wavelengths, axes.unit or unit
    if others:
        names = () if matlab else names_of_axes(stored, values)
        bands_apart.state(found, chosen, stated_of, names)
    place = cf_grid.of_data_set(
        file, (chosen.parts or (chosen.name,))[0], stated, lambda: scales_of(stored, values)
    )
    if place is not None:
        found.metadata[geotiff.KEY] = place
    neon.add_surroundings(path, file, (chosen.parts or (chosen.name,))[0], found)
    found.notices += hdf5_products.of_a_part(file, chosen.name)
    state_numbers(found, stated, attributes | beside.around)
    found.notices += damaged_attributes(stored)
    found.ignore(beside.no_data)
    if "_NCProperties" in structure.attributes(file):
        default_fill.add(found, default_fill.stated(stored))
    return found


def _record(file: Any, values: structure.References) -> embedded_record.Record | None:
    own = embedded_record.stored_as(file)
    item = structure.own_path(file, own) if own else None
    if item is None:
        return None
    stored = values.value(item)
    if isinstance(stored, list):  # MATLAB text
        stored = stored[0] if stored else ""
    elif isinstance(stored, np.ndarray) and stored.dtype.kind in "iu":  # the same, not marked so
        stored = stored.ravel().astype(np.uint16).tobytes().decode("utf-16", "replace")
    return embedded_record.of_variable(own, stored)


def _written(path: Path, source: Any, name: str) -> tuple[Notice, ...]:
    """What was never written reads as zeros: refused if it is all, told if it is a part.

    Raises
    ------
    FileError
        If nothing was written.
    """
    if source.is_virtual:
        others = structure.outside(path, source)
        if not others:
            return ()
        listed = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if others[3:] else "")
        told = f"The values of {name} were read from other files of its folder: {listed}."
        return (Notice.info(Code.OTHER_FILES_READ, told),)
    if 0 in source.shape:
        return ()
    if not source.id.get_storage_size():
        raise FileError(path, f"{name} has a size, {source.shape}, but no values were ever written")
    if source.chunks is None:
        return ()
    pieces = zip(source.shape, source.chunks, strict=True)
    count, whole = source.id.get_num_chunks(), math.prod(-(-n // chunk) for n, chunk in pieces)
    if count == whole:
        return ()
    filled = "zero" if source.dtype.names else f"{source.fillvalue:g}"
    told = (
        f"Only {count} of the {whole} parts of {name} were written: "
        f"the values of the others are {filled}."
    )
    return (Notice.warning(Code.PARTLY_WRITTEN, told),)


def write(cube: Cube, path: Path, storing: Storing | None = None) -> None:
    """Write ``cube`` (bands, height, width), ``wavelengths`` in nm and the record.

    A cube on disk is read once, in the order of its file. Where its pixels have a place of their own, the
    attributes ``pixel_size`` and ``first_pixel_centre`` of ``cube`` say it too (height and
    width, row and column, in pixels of the source); it is read from the record.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    import h5py

    storing = storing or plan(cube)
    record = embedded_record.to_text(cube)  # refused before all values are written
    with replacing(path) as temporary, created(temporary) as new:
        with undisturbed():
            stored = new.file.create_dataset("cube", shape=cube.shape, dtype=storing.dtype)
        for bands, rows, values in blocks(cube):
            new.put(stored, (bands, rows), storing.numbers(values))
        with undisturbed():
            _put_facts(new.file, stored, cube, storing)
            new.file.create_dataset(embedded_record.KEY, data=record, dtype=h5py.string_dtype())


def _put_facts(file: Any, stored: Any, cube: Cube, storing: Storing) -> None:
    stored.attrs["axes"] = "bands, height, width"
    for key, value in as_stated(storing).items():
        stored.attrs[key] = value
    if cube.units:
        stored.attrs["units"] = one_line(cube.units)  # the record has it as it is
    if cube.place is not None:
        stored.attrs["pixel_size"] = cube.place.pixel
        stored.attrs["first_pixel_centre"] = cube.place.origin
    if cube.wavelengths is not None:
        nm = file.create_dataset("wavelengths", data=cube.wavelengths.nm)
        nm.attrs["units"] = "nm"
