"""Layer data tuples back to cubes and photographs, and our state in a layer's metadata.

The state is a JSON-like dictionary under one key of ``layer.metadata``; this module and
:mod:`napari_hsr.viewer.layers` are the only ones that know what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.place import Place
from napari_hsr.provenance import Provenance

#: Key of our state in ``layer.metadata``.
KEY = "hsr"
#: What says where a layer lies in the world.
TRANSFORM = ("scale", "translate", "rotate", "shear", "affine")


def cube_from_parts(data: Any, keywords: Mapping[str, Any]) -> Cube:
    """The cube in a layer data tuple, as :func:`layer_cube` for a writer that has no layer."""
    state = state_of(keywords.get("metadata"))
    metadata = dict(state.get("metadata") or {})
    if state.get("card") is not None:
        metadata["card"] = state["card"]
    name = str(keywords.get("name") or state.get("name") or "cube")
    return Cube(
        _on_demand(data),
        wavelengths=wavelengths_of(data.shape[0], keywords),
        units=state.get("units"),
        name=name,
        provenance=Provenance.from_dict(state.get("provenance") or {"input": name}),
        metadata=metadata,
        notices=tuple(state.get("notices") or ()),
        place=place_in(keywords)[0],
    )


def place_in(keywords: Mapping[str, Any]) -> tuple[Place | None, str | None]:
    """Where a layer lies in y and x, and what of it a place cannot hold, in one sentence.

    Returns
    -------
    place : Place or None
        None where its pixels are 1 and the first is centred at 0. Of a layer that is turned or
        sheared, the place that it has without that: what lies over it, turned the same way,
        still does.
    left_out : str or None
    """
    matrix, offset, straight = _flat_affine(keywords)
    name = keywords.get("name") or "The layer"
    scale, translate = (
        np.asarray(keywords[key], dtype=float)[-2:] if keywords.get(key) is not None else default
        for key, default in (("scale", np.ones(2)), ("translate", np.zeros(2)))
    )
    if straight:
        scale, translate = matrix * scale, matrix * translate + offset
    try:
        place = Place(tuple(scale.tolist()), tuple(translate.tolist()))
    except InputError as error:  # mirrored, or flat
        return None, f"{name} lies where a file cannot say: {error}"
    told = None if straight else f"{name} is turned or sheared in the viewer: a file cannot say it."
    return (None if place == Place() else place), told


def _flat_affine(keywords: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, bool]:
    """Factors and offset in y and x beside scale and translate, if there is no more than that."""
    affine = np.eye(4)
    given = keywords.get("affine")
    if given is not None and np.shape(given) == (4, 4):
        affine = np.asarray(given, dtype=float)
    linear = affine[1:3, 1:3]
    factors = np.diag(linear)
    straight = np.allclose(linear, np.diag(factors)) and not affine[1:3, 0].any()
    rotate, shear = keywords.get("rotate"), keywords.get("shear")
    if rotate is not None:
        straight &= np.ndim(rotate) == 2 and np.allclose(rotate, np.eye(len(rotate)))
    if shear is not None:
        straight &= np.allclose(shear, np.eye(len(shear)) if np.ndim(shear) == 2 else 0)
    return factors, affine[1:3, 3], bool(straight)


def photograph_from_parts(data: Any, keywords: Mapping[str, Any]) -> Photograph:
    """The photograph in a layer data tuple."""
    state = state_of(keywords.get("metadata"))
    data = np.asarray(data)[..., :3]
    name = str(keywords.get("name") or state.get("name") or "photograph")
    return Photograph(
        data,
        encoding=state.get("encoding", SRGB if data.dtype.kind in "iu" else None),
        name=name,
        provenance=Provenance.from_dict(state.get("provenance") or {"input": name}),
        notices=tuple(state.get("notices") or ()),
        metadata=dict(state.get("metadata") or {}),
    )


def state_of(metadata: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Our state in a layer's metadata; empty if there is none."""
    state = (metadata or {}).get(KEY)
    return state if isinstance(state, Mapping) else {}


def wavelength_state(wavelengths: Wavelengths | None) -> dict[str, Any]:
    """The entries of the state that say what wavelengths a cube has."""
    known = wavelengths is not None
    return {
        "wavelengths": list(wavelengths) if known else None,
        "assumed": bool(known and wavelengths.assumed),
    }


def wavelengths_of(bands: int, keywords: Mapping[str, Any]) -> Wavelengths | None:
    """The wavelengths in the metadata or on the first axis of a layer, None if not known."""
    metadata = keywords.get("metadata") or {}
    state = state_of(metadata)
    nm = state["wavelengths"] if "wavelengths" in state else metadata.get("wavelengths")
    if nm is None and not state:
        nm = _nm_axis(bands, keywords)
    if nm is None or np.shape(nm) != (bands,):
        return None
    try:
        return Wavelengths(nm, bool(state.get("assumed", False)))
    except (TypeError, ValueError):  # another program's list: not what we call wavelengths
        return None


def _nm_axis(bands: int, keywords: Mapping[str, Any]) -> np.ndarray | None:
    units = [str(unit) for unit in keywords.get("units") or ()]
    if len(units) != 3 or units[0] not in ("nm", "nanometer") or units[1] == units[0]:
        return None
    return keywords["translate"][0] + keywords["scale"][0] * np.arange(bands)


def _on_demand(data: Any) -> Any:
    """Arrays on disk (h5py, zarr, dask, memory maps) as float32, read when asked for."""
    from napari_hsr.io.lazy import LazyArray

    if isinstance(data, LazyArray):
        return data
    if isinstance(data, np.ndarray) and (data.dtype == np.float32 or type(data) is not np.memmap):
        return data
    if np.dtype(data.dtype).kind not in "fiub":
        raise InputError(f"A cube holds real numbers, not {data.dtype}.")
    return LazyArray(data)
