"""The metadata of an OME-Zarr, 0.4 or 0.5, with our wavelengths and record beside them.

https://ngff.openmicroscopy.org
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.io import embedded_record
from napari_hsr.io.limits import MOST_VALUES, check_kept, too_deep, too_many
from napari_hsr.io.number_parsing import number
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.cube import Cube

#: How viewers are to show each channel is left out of a store with more: it is most of its metadata.
_MOST_CHANNELS = 10_000
_EMISSION = ("emission_wavelength", "emissionWavelength", "EmissionWavelength", "wavelength")


def wavelengths(
    ome: dict[str, Any], multiscale: dict[str, Any], axes: Sequence[str], shape: Sequence[int]
) -> tuple[Any, str | None]:
    """The list that a store states and its unit; None and None where it states none.

    That is the channels' wavelengths of emission, or labels; or scale and translation of an axis
    whose unit is one of wavelengths.
    """
    channels = (ome.get("omero") or {}).get("channels") or []
    channels = [channel for channel in channels if isinstance(channel, dict)]
    for key in _EMISSION:
        listed = [number(channel.get(key)) for channel in channels]
        if listed and None not in listed:
            return listed, None
    labels = [str(channel.get("label", "")) for channel in channels]
    found, unit = wl.from_band_names(labels)
    if found is not None:
        return found, unit
    for place, axis in enumerate(multiscale.get("axes") or ()):
        unit = axis.get("unit") if isinstance(axis, dict) else None
        if not wl.is_unit(unit) or axes[place] in ("x", "y", "z") or shape[place] < 2:
            continue
        step, first = 1.0, 0.0
        steps = multiscale["datasets"][0].get("coordinateTransformations") or []
        for one in (*steps, *(multiscale.get("coordinateTransformations") or ())):
            if isinstance(one.get("scale"), list):
                step, first = step * one["scale"][place], first * one["scale"][place]
            if isinstance(one.get("translation"), list):
                first += one["translation"][place]
        return (first + step * np.arange(shape[place])).tolist(), unit
    return None, None


def attributes(
    cube: Cube, limits: tuple[float, float], version: str = "0.4", levels: int = 1
) -> dict[str, Any]:
    """Attributes of the group that holds a cube.

    Parameters
    ----------
    cube : Cube
    limits : (float, float)
        Extremes of its values.
    version : {"0.4", "0.5"}
    levels : int
        Sizes of the pyramid, named ``"0"``, ``"1"``…, each half the one before; the cube is the first.
    """
    low, high = limits
    labels = (
        [f"band {band}" for band in range(cube.bands)]
        if cube.wavelengths is None
        else [f"{nm:.10g} nm" for nm in cube.wavelengths]
    )
    window = {"min": low, "max": high, "start": low, "end": high}
    multiscale = {
        "name": cube.name,
        "axes": [
            {"name": "c", "type": "channel"},
            {"name": "y", "type": "space"},
            {"name": "x", "type": "space"},
        ],
        "datasets": [
            {"path": str(level), "coordinateTransformations": _transformations(cube, 2**level)}
            for level in range(levels)
        ],
    }
    channels = [
        {"label": label, "color": "FFFFFF", "active": band == 0, "window": window}
        for band, label in enumerate(labels)
    ]
    shown = {"omero": {"channels": channels}} if cube.bands <= _MOST_CHANNELS else {}
    found: dict[str, Any] = {embedded_record.KEY: embedded_record.of_cube(cube)}
    if version == "0.4":
        found |= {"multiscales": [{"version": version, **multiscale}], **shown}
    else:
        found["ome"] = {"version": version, "multiscales": [multiscale], **shown}
    if cube.wavelengths is not None:
        found["wavelengths_nm"] = list(cube.wavelengths)
    if too_deep([found]) or too_many(found, MOST_VALUES):
        raise InputError(
            f"The metadata of {one_line(cube.name, 80)} hold more values, or lists deeper in one another, than a "
            "zarr store is read with: take fewer bands, or leave some out."
        )
    # the library indents by two, and puts them one deeper into those of version 3
    check_kept(len(json.dumps(found, indent=3)), f"The attributes of {cube.name}")
    return found


def _transformations(cube: Cube, factor: int) -> list[dict[str, Any]]:
    """Size and centre of the first pixel, which holds ``factor`` x ``factor`` of the cube's."""
    height, width = cube.place.pixel if cube.place is not None else (1.0, 1.0)
    row, column = cube.place.origin if cube.place is not None else (0.0, 0.0)
    shift = (factor - 1) / 2
    first = [0.0, row + shift * height, column + shift * width]
    return [
        {"type": "scale", "scale": [1.0, factor * height, factor * width]},
        {"type": "translation", "translation": first},
    ]
