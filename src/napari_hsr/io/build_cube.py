"""From an array as a format stores it to a cube: axes, wavelengths, notices, memory or disk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import Cube, Wavelengths, jsonable
from napari_hsr.errors import FileError, Hint
from napari_hsr.io import alternatives, facts_beside, lazy, limits, masks_beside, value_notices
from napari_hsr.io.band_axis import band_axis
from napari_hsr.io.bands import take
from napari_hsr.io.decoding import NO_DATA as NO_DATA
from napari_hsr.io.decoding import are_factors_of_values, scaled_already
from napari_hsr.io.found import Found as Found
from napari_hsr.io.library_errors import translated
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.io.several_cubes import one_of as one_of_several
from napari_hsr.io.tiff import geotiff, map_info
from napari_hsr.io.wavelengths import band_widths
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice
from napari_hsr.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: In a memory map of up to this size values that are NaN or infinite are counted on opening.
COUNTED_ON_DISK_BYTES = 64 * 2**20


def check_shape(path: Path, shape: Sequence[int], what: str = "array") -> None:
    """Refuse arrays that are no cube: empty ones, those of one axis, and more than four.

    Raises
    ------
    FileError
        Naming the shape.
    """
    size = " x ".join(str(int(n)) for n in shape)
    if 0 in shape:
        raise FileError(path, f"the {what} is empty ({size})")
    long_axes = sum(n > 1 for n in shape)
    usable = len(shape) in (2, 3) or (len(shape) == 4 and shape[0] == 1)
    usable = usable or (len(shape) > 3 and long_axes in (3, 4))
    if not usable:
        plural = "es" if len(shape) != 1 else "is"
        counted = f"has {len(shape)} ax{plural} ({size})" if shape else "is a single number"
        raise FileError(
            path, f"the {what} {counted}; a cube has three: bands, height and width in some order"
        )


def check_dtype(path: Path, dtype: np.dtype, what: str = "array") -> None:
    """Refuse what is not real numbers.

    Raises
    ------
    FileError
        Naming the data type.
    """
    if np.dtype(dtype).kind not in "fiub":
        kinds = {"c": "complex numbers", "O": "Python objects", "S": "text", "U": "text"}
        held = kinds.get(np.dtype(dtype).kind, f"values of type {np.dtype(dtype)}")
        raise FileError(path, f"the {what} holds {held}; a cube holds real numbers")


def build(path: Path, found: Found, choice: Choice = ANY) -> Cube:
    """Make the cube.

    Raises
    ------
    FileError
        If the array is no cube, or cannot be read.
    """
    check_dtype(path, found.source.dtype)
    check_shape(path, found.source.shape)
    found = one_of_several(path, found, choice)
    found.ignore(() if choice.no_data is None else (choice.no_data,))
    facts_beside.add(path, found, choice)
    source, notices = found.source, list(found.notices)
    notices += found.record.notices if found.record else ()
    source, found = _three_axes(path, source, found, notices)
    logical = tuple(source.shape[::-1] if found.flipped else source.shape)
    listed = [] if found.wavelengths is None else wl.as_list(found.wavelengths)
    is_list = len(listed) > 1 or any(isinstance(value, (int, float)) for value in listed)
    count = len(listed) if is_list else None
    axis = found.convention
    if choice.order is None and not (found.stated or found.record):
        axis, told = band_axis(logical, count, found.convention)
        notices += [told] if told else []
    picture = [other for other in range(3) if other != axis]
    order: tuple[int, ...] = (axis, *(picture[::-1] if found.turned else picture))
    if found.flipped:
        order = tuple(2 - place for place in order)
    if choice.order is not None:
        order = tuple(2 - a for a in choice.order) if found.flipped else choice.order
    if not found.record:
        taken = tuple(2 - place for place in order) if found.flipped else order
        alternatives.note_axes(logical, taken, any(n.code is Code.AXIS_GUESSED for n in notices))
    if (bands := source.shape[order[0]]) > limits.MOST_BANDS:
        problem = (
            f"{bands:,} bands are more than any camera has: another axis holds them, to be stated"
        )
        raise FileError(path, problem, Hint.STATE_AXES)
    _check_scales(found, source.shape[order[0]], notices)
    resolved = _resolve(found, source.shape[order[0]])
    notices += resolved.notices
    data, of_values = _data(path, source, order, found, resolved.order)
    data, of_masks = masks_beside.apply(path, data, found.masks, order, resolved.order)
    notices += [*of_values, *of_masks, *scaled_already(found.decoding, source.dtype, data)]
    record = found.record
    marker = found.metadata.get(NO_DATA)
    if isinstance(marker, float) and found.decoding.is_also_a_value(marker, found.source.dtype):
        found.metadata[NO_DATA] = np.nan  # else a value equal to it would be lost on saving
    lacks = record.lacks if record else {"units", "metadata"}
    stated = None if record is None or "metadata" in lacks else record.metadata
    metadata = _metadata(found, resolved, notices) if stated is None else stated
    units = found.units if record is None or "units" in lacks else record.units
    notices += value_notices.damaged_unit(units)
    notices += value_notices.far_beyond_reflectance(units, data)
    place = None if record else _of_place(found.metadata)
    notices += [] if place is None else [Notice.warning(Code.PLACE_UNUSABLE, place)]
    if geotiff.rows_to_the_north(found.metadata):
        turned = (
            "Its rows run from south to north: the picture stands on its head. Its place is kept."
        )
        notices.append(Notice.info(Code.OTHER, turned))
    cube = Cube(
        data,
        resolved.wavelengths,
        units=units,
        name=(record.name if record else found.name) or path.stem,
        provenance=record.provenance if record else _fresh(path, found, resolved),
        metadata=metadata,
        notices=tuple(notices),
        place=record.place if record else None,
        _value_range=found.value_range,
    )
    return cube if choice.bands is None else _only(path, cube, list(choice.bands))


def _of_place(metadata: dict[str, Any]) -> str | None:
    """What is to be told of where the image lies, as ENVI's items say it."""
    system = metadata.get("coordinate system string")
    return map_info.read_otherwise(metadata.get("map info"), system)


def _check_scales(found: Found, bands: int, notices: list[Notice]) -> None:
    """Scales and offsets that make no values, or are not one a band, are left out and said; of some bands, said."""
    scale, offset = found.decoding.scale, found.decoding.offset
    sizes = {np.size(scale), np.size(offset)} - {1}
    if sizes - {bands}:
        told = f"The file states {max(sizes)} scale factors or offsets for {bands} bands: left out."
    elif not are_factors_of_values(scale, offset).any():
        numbers = f"{np.ravel(scale)[0]:g} and {np.ravel(offset)[0]:g}"
        told = f"No values come of the file's scale factor and offset ({numbers}): left out."
    else:
        useless = np.flatnonzero(~are_factors_of_values(scale, offset))
        if useless.size:
            each = f"{np.ravel(scale)[useless[0] if np.size(scale) > 1 else 0]:g}"
            told = f"No values come of the file's scale factor and offset of {useless.size} of {bands} bands ({each})."
            notices.append(Notice.warning(Code.GAIN_NOT_APPLIED, told))
        return
    said = [n for n in notices if n.code is Code.SCALE_APPLIED]
    notices[:] = [n for n in notices if n not in said]
    notices.append(Notice.warning(Code.GAIN_NOT_APPLIED, told))
    found.steps = tuple(step for step in found.steps if step not in map(str, said))
    found.decoding = replace(found.decoding, scale=1.0, offset=0.0)


def _only(path: Path, cube: Cube, bands: list[int]) -> Cube:
    """The cube with these bands alone."""
    if max(bands) >= cube.bands:
        raise FileError(
            path, f"band {max(bands)} was asked for; it has bands 0 to {cube.bands - 1}"
        )
    bands = sorted(set(bands))
    return take(cube, bands, f"Bands {', '.join(map(str, bands))} were taken.")


def _three_axes(path: Path, source: Any, found: Found, notices: list[Notice]) -> tuple[Any, Found]:
    dimensions = len(source.shape)
    if dimensions == 3:
        return source, found
    with translated(path, "the array cannot be read"):
        source = source if isinstance(source, np.ndarray) else np.asarray(source[()])
    if dimensions > 3:
        told = f"Axes of length 1 were left out of the array's {dimensions}."
        notices.append(Notice.info(Code.AXES_CHANGED, told))
        kept = [axis for axis, n in enumerate(source.shape) if n > 1]
        if dimensions == 4 and source.shape[0] == 1:
            kept = [1, 2, 3]
        three = source.reshape([source.shape[axis] for axis in kept])
        named = found.stated and not found.flipped and found.convention in kept
        if named:
            found = replace(found, convention=kept.index(found.convention))
        return three, found
    if found.line:
        told = "The array has two axes, of which one holds the bands: it is a line of pixels, one row high."
        notices.append(Notice.info(Code.AXES_CHANGED, told))
        line = np.moveaxis(source, found.convention, 0)[:, np.newaxis]
        return line, replace(found, convention=0, flipped=False, stated=True)
    # one band: bands first, whatever the custom; a flipped plane is turned by `order` below
    plane = source.T[np.newaxis] if found.flipped else source[np.newaxis]
    one = Found(**{**found.__dict__, "flipped": False, "stated": True, "convention": 0})
    if found.record is None:
        told = "The array has two axes and was opened as a cube of one band."
        notices.append(Notice.info(Code.AXES_CHANGED, told))
    return plane, one


def _resolve(found: Found, bands: int) -> wl.Resolved:
    """Our own files say how sure their wavelengths were; others are examined."""
    record = found.record
    if record is None or record.wavelengths is None:
        return wl.resolve(
            found.wavelengths, bands, found.unit, not found.unit_has_a_place, found.looked_in
        )
    if record.wavelengths == "none" or found.wavelengths is None:
        return wl.Resolved(None, notices=(wl.none_given(),))
    resolved = wl.resolve(found.wavelengths, bands, found.unit or "nm")
    if record.wavelengths == "assumed" and resolved.wavelengths is not None:
        told = Notice.warning(
            Code.WAVELENGTHS_ASSUMED,
            f"The wavelengths in the file were an assumption when it was written; {wl.SET_THEM}.",
        )
        nm = Wavelengths(resolved.wavelengths.nm, assumed=True)
        return wl.Resolved(nm, resolved.order, 1.0, (*resolved.notices, told))
    return resolved


def _data(
    path: Path,
    source: Any,
    axes: tuple[int, ...],
    found: Found,
    bands: tuple[int, ...] | None,
) -> tuple[Any, list[Notice]]:
    """A view of a float32 memory map, a lazy array, or a plain array in memory; notices."""
    mapped = isinstance(source, np.memmap) and source.flags.aligned
    plain = found.decoding.does_nothing
    if mapped and source.dtype == np.float32 and plain:
        view = source.transpose(axes)
        if bands is None or _descending(bands):
            view = view if bands is None else view[::-1]
            return view, _not_finite(view)
    told = value_notices.no_effect(found.decoding, source.dtype)
    if lazy.too_big(source.shape) and not _in_memory(source):
        array = lazy.LazyArray(source, axes, found.decoding, bands, path)
        # of a memory map alone a few rows cost nothing: elsewhere whole chunks or pages are unpacked
        if isinstance(source, np.memmap) and found.record is None:
            sample = _sample(source.transpose(axes))
            told += value_notices.usual_marker(found.decoding, sample, sampled=True)
            if found.decoding.missing(sample) is None:  # else they are NaN, and told below
                told += value_notices.beyond(sample, lazy.to_float32(sample), sampled=True)[0]
        return array, [*told, *value_notices.no_data(found.decoding)]
    with translated(path, "the array cannot be read"):
        stored = np.asarray(source if isinstance(source, np.ndarray) else source[()])
    stored = stored.transpose(axes)
    missing = found.decoding.missing(stored)
    if found.decoding.scales_nothing:
        told += value_notices.rounded(stored if missing is None else stored[~missing])
    told += value_notices.usual_marker(found.decoding, stored) if found.record is None else []
    values = lazy.to_float32(stored) if plain else found.decoding.values(stored)
    of_wide, wide = value_notices.beyond(stored, values, not found.decoding.scales_nothing)
    told += of_wide
    values = values if bands is None else values[list(bands)]
    if missing is None and source.dtype.kind != "f":
        return values, told
    count = 0 if missing is None else int(missing.sum())
    others = values.size - int(np.isfinite(values).sum()) - count - wide
    if missing is None:
        return values, told + value_notices.kept(others)
    return values, [
        *told,
        *value_notices.no_data(found.decoding, count),
        *value_notices.kept(others),
    ]


def _sample(data: Any) -> np.ndarray:
    """A few rows of the middle band, the first among them: what is missing often lies at the edges."""
    band, height = data.shape[0] // 2, data.shape[1]
    rows = [data[band, slice(top, top + 4)] for top in (0, height // 2)]
    return np.concatenate([np.asarray(part) for part in rows])


def _not_finite(data: Any) -> list[Notice]:
    """A notice if values are NaN or infinite; large data on disk are not read for that."""
    if isinstance(data, np.memmap) and data.nbytes > COUNTED_ON_DISK_BYTES:
        return []
    return value_notices.kept(
        sum(band.size - int(np.count_nonzero(np.isfinite(band))) for band in data)
    )


def _descending(bands: tuple[int, ...]) -> bool:
    return list(bands) == list(range(len(bands)))[::-1]


def _in_memory(source: Any) -> bool:
    return isinstance(source, np.ndarray) and not isinstance(source, np.memmap)


def _metadata(found: Found, resolved: wl.Resolved, notices: list[Notice]) -> dict[str, Any]:
    per_band = dict(found.per_band)
    if "fwhm" in per_band and resolved.wavelengths is not None:
        centres = resolved.wavelengths.nm
        per_band["fwhm"], told = band_widths.in_nm(
            per_band["fwhm"], centres, resolved.scale, found.width_unit
        )
        notices += [told] if told else []
    if resolved.order is not None:
        per_band = {key: [values[i] for i in resolved.order] for key, values in per_band.items()}
    shown = found.metadata.get("default bands")
    if resolved.order is not None and isinstance(shown, list):
        placed = {band + 1: i + 1 for i, band in enumerate(resolved.order)}  # counted from 1
        found.metadata["default bands"] = [placed.get(band, band) for band in shown]
    kept: dict[str, Any] = jsonable({**found.metadata, **per_band, **resolved.metadata})
    return kept


def _fresh(path: Path, found: Found, resolved: wl.Resolved) -> Provenance:
    steps = list(found.steps)
    if resolved.order is not None:
        steps.append("Bands put in ascending order of wavelength.")
    if resolved.wavelengths is not None and resolved.wavelengths.assumed:
        steps.append("Wavelengths assumed: 400–700 nm in steps of 10 nm.")
    return Provenance(input=path.name, steps=tuple(steps))
