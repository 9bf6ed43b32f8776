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
from napari_hsr.provenance import Provenance

#: Key of our state in ``layer.metadata``.
KEY = "hsr"


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
    )


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
