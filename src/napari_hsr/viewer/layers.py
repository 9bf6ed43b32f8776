"""Cubes, photographs and maps as napari layers.

A layer that holds one of ours carries ``layer.metadata["hsr"]``, a JSON-like dictionary that
nobody else writes (see :mod:`napari_hsr.viewer.layer_data`), and beside it
``layer.metadata["wavelengths"]`` (nm or None) for other plugins. The array of a layer is
always taken from the layer itself, never from a copy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import Cube, Wavelengths, jsonable
from napari_hsr.errors import InputError
from napari_hsr.georeference import Place
from napari_hsr.io.lazy import LazyArray
from napari_hsr.io.zarr.in_parts import pyramid
from napari_hsr.viewer import axis, preferred_writer
from napari_hsr.viewer.canvas_text import show_bar, show_wavelength
from napari_hsr.viewer.display_limits import beyond, contrast_limits, map_limits, spread
from napari_hsr.viewer.layer_data import (
    ADDED_AS,
    KEY,
    cube_layers,
    is_frames,
    is_image,
    is_photograph_stack,
    layer_cube,
    layer_name,
    layer_photograph,
    spatial_transform,
    state_of,
    wavelength_state,
)
from napari_hsr.viewer.undo import push_added

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_hsr.photograph import Photograph
    from napari_hsr.viewer.undo import State

#: Key in the metadata of a derived layer: the id of the layer that it was derived from.
SOURCE = "hsr_source"
#: Label of the band axis, with and without wavelengths at a regular spacing.
NM_LABEL, BAND_LABEL = "λ (nm)", "band"
#: What :func:`set_wavelengths` changes of a layer.
WAVELENGTH_STATE = ("scale", "translate", "units", "axis_labels", "metadata")
#: y and x stay in pixels: a length unit beside "nm" would rescale them to nanometres.
NM_UNITS, PIXEL_UNITS = ("nm", "pixel", "pixel"), ("pixel", "pixel", "pixel")


# --- from our things to layers -------------------------------------------------------------


def cube_layer(cube: Cube, **overrides: Any) -> tuple[Any, dict[str, Any], str]:
    """The layer data tuple of a cube.

    With wavelengths at a regular spacing the first axis is in nanometres; with irregular
    or unknown ones it is the band index. Its place decides where it lies in y and x. Contrast
    limits come from ``cube.value_range`` and a coarse subsample, so the cube is not scanned a
    second time.

    Parameters
    ----------
    cube : Cube
        (bands, height, width).
    **overrides
        Keywords of ``viewer.add_image`` that replace ours; ``metadata`` is merged, and
        ``scale``, ``translate``, ``units`` and ``affine`` may be given for y and x alone.

    Returns
    -------
    (data, keywords, "image")
    """
    state = {
        "kind": "cube",
        "name": cube.name,
        "units": cube.units,
        "value_range": list(cube.value_range),
        "provenance": cube.provenance.to_dict(),
        "notices": list(cube.notices),
        "metadata": {k: v for k, v in cube.metadata.items() if k != "card"},
        "card": cube.metadata.get("card"),
        **wavelength_state(cube.wavelengths),
    }
    keywords = {
        "name": cube.name,
        "colormap": "gray",
        "contrast_limits": contrast_limits(cube),
        "rgb": False,
        "multiscale": False,
        **band_axis(cube.wavelengths, cube.place),
    }
    keywords = _override(keywords, overrides)
    keywords["metadata"] |= {KEY: jsonable(state), "wavelengths": state["wavelengths"]}
    preferred_writer.prefer()
    return cube.data, keywords, "image"


def photograph_layer(photo: Photograph, **overrides: Any) -> tuple[Any, dict[str, Any], str]:
    """The layer data tuple of a photograph: an RGB image that keeps its stated encoding."""
    state = {
        "kind": "photograph",
        "name": photo.name,
        "encoding": photo.encoding,
        "provenance": photo.provenance.to_dict(),
        "notices": list(photo.notices),
        "metadata": photo.metadata,
    }
    plain = {"name": photo.name, "rgb": True, "multiscale": False, "axis_labels": ("y", "x")}
    keywords = _override(plain, overrides)
    keywords["metadata"] |= {KEY: jsonable(state)}
    return photo.data, keywords, "image"


def map_layer(
    data: np.ndarray,
    name: str,
    *,
    unit: str | None = None,
    title: str | None = None,
    limits: tuple[float, float] | None = None,
    colormap: str = "magma",
    like: Layer | None = None,
    provenance: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> tuple[Any, dict[str, Any], str]:
    """The layer data tuple of a two-dimensional map such as the spectral angle per pixel.

    Parameters
    ----------
    data : ndarray, shape (height, width)
        May hold NaN where the map is not defined. With ``limits`` it is not read.
    name : str
        Name of the layer; the unit is added in brackets if it is not there.
    unit : str, optional
        Unit of the values, for example ``"°"``.
    title : str, optional
        What is written over the colour bar, with the unit; by default the name.
    limits : (float, float), optional
        Contrast limits; by default 0 (or the minimum) to the 99.5th percentile.
    like : layer, optional
        A cube or map whose place in the world (last two axes) the map takes.
    provenance : mapping, optional
        JSON-like facts: what was compared, by which protocol.
    """
    if limits is None:
        data = np.asarray(data)
    if data.ndim != 2:
        raise InputError(f"A map has two axes (height, width); {name!r} has shape {data.shape}.")
    if unit and unit not in name:
        name = f"{name} ({unit})"
    low, high = map_limits(data) if limits is None else limits
    state = {
        "kind": "map",
        "unit": unit,
        "title": title,
        "provenance": dict(provenance or {}),
        "beyond": beyond(data, high) if isinstance(data, np.ndarray) else None,
    }
    keywords = {
        "name": name,
        "colormap": colormap,
        "contrast_limits": spread(low, high),
        "rgb": False,
        "multiscale": False,
        "axis_labels": ("y", "x"),
        **spatial_transform(like),
    }
    keywords = _override(keywords, overrides)
    keywords["metadata"] |= {KEY: jsonable(state)}
    return data, keywords, "image"


def smaller_sizes(cube: Cube) -> list[Any]:
    """The smaller sizes of a result on disk, which its store holds; none of one in memory."""
    return pyramid(Path(cube.data.path))[1:] if isinstance(cube.data, LazyArray) else []


def add_cube(
    viewer: ViewerModel,
    cube: Cube,
    *,
    above: Layer | None = None,
    smaller: Sequence[Any] = (),
    **overrides: Any,
) -> Image:
    """Add a cube to the viewer and write its wavelength on the canvas.

    The first cube opens at its band nearest to 550 nm: beside a photograph napari would start at
    the first band, which is often nearly black. Later cubes do so only if the slider's position
    lies outside them.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    cube : Cube
    above : layer, optional
        What it was derived from: it is put directly above that, below points, shapes and labels.
    smaller : sequence of array
        The same cube in smaller sizes, largest first, shown where pixels are too small to see.
    **overrides
        As for :func:`cube_layer`.
    """
    first = not cube_layers(viewer)
    data, keywords, _ = cube_layer(cube, **overrides)
    if smaller:
        data, keywords["multiscale"] = [data, *smaller], True
    layer = viewer.add_image(data, **keywords)
    put_above(viewer, layer, above)
    push_added(viewer, layer)
    if first:
        axis.go_to_band(viewer, layer, axis.first_band(layer))
    elif layer.visible:
        axis.go_into(viewer, layer)
    show_wavelength(viewer)
    return layer


def add_photograph(
    viewer: ViewerModel, photo: Photograph, *, above: Layer | None = None, **overrides: Any
) -> Image:
    """Add a photograph to the viewer; ``above`` as for :func:`add_cube`."""
    data, keywords, _ = photograph_layer(photo, **overrides)
    layer = viewer.add_image(data, **keywords)
    layer.metadata[ADDED_AS] = str(layer.unique_id)
    put_above(viewer, layer, above)
    push_added(viewer, layer)
    return layer


def add_map(
    viewer: ViewerModel, data: Any, name: str, *, above: Layer | None = None, **options: Any
) -> Image:
    """Add a map to the viewer, its colour bar with its unit; options as for :func:`map_layer`."""
    data, keywords, _ = map_layer(data, name, **options)
    layer = viewer.add_image(data, **keywords)
    layer.metadata[ADDED_AS] = str(layer.unique_id)
    put_above(viewer, layer, above)
    push_added(viewer, layer)
    show_bar(viewer, layer)
    return layer


def put_above(viewer: ViewerModel, layer: Layer, source: Layer | None) -> None:
    """Move a layer just added to above its source and what else was derived from that.

    Points, shapes and labels stay on top, also where the source was removed meanwhile. A layer
    without a source stays where napari puts it.
    """
    if source is None:
        return
    layers = viewer.layers
    layer.metadata[SOURCE] = str(source.unique_id)
    if source not in layers:
        put_below_drawings(viewer, layer)
    else:
        place, family = layers.index(source) + 1, {str(source.unique_id)}
        while layers[place].metadata.get(SOURCE) in family and layers[place] != layer:
            family.add(str(layers[place].unique_id))
            place += 1
        if place < len(layers) - 1:
            layers.move(len(layers) - 1, place)


def put_below_drawings(viewer: ViewerModel, layer: Layer) -> None:
    """Move a layer just added to above all pictures, and below points, shapes and labels."""
    layers = viewer.layers
    pictures = [at for at, one in enumerate(layers) if is_image(one) and one != layer]
    place = pictures[-1] + 1 if pictures else 0
    if place < len(layers) - 1:
        layers.move(len(layers) - 1, place)


def band_axis(wavelengths: Wavelengths | None, place: Place | None = None) -> dict[str, Any]:
    """``scale``, ``translate``, ``units`` and ``axis_labels`` of a cube with these bands."""
    place = place or Place()
    step = wavelengths.step if wavelengths is not None else None
    first = 0.0 if wavelengths is None or step is None else float(wavelengths.nm[0])
    return {
        "scale": (step or 1.0, *place.pixel),
        "translate": (first, *place.origin),
        "units": PIXEL_UNITS if step is None else NM_UNITS,
        "axis_labels": (BAND_LABEL if step is None else NM_LABEL, "y", "x"),
    }


# --- changes by the user -------------------------------------------------------------------


def set_wavelengths(layer: Layer, nm: Iterable[float], assumed: bool = False) -> None:
    """State the wavelengths of a cube layer and put it on the matching axis.

    The place of the layer in y and x stays as it is.

    Raises
    ------
    InputError
        If the values are not one a band, finite, positive and strictly ascending, or the layer holds
        the cubes of frames.
    """
    if is_frames(layer):  # each frame is computed with them, and keeps them
        raise InputError(
            f"The wavelengths of {layer.name} are those of the model that makes its frames."
        )
    cube = layer_cube(layer)
    wavelengths = Wavelengths(np.asarray(list(nm), dtype=float), assumed)
    if len(wavelengths) != cube.bands:
        raise InputError(
            f"{layer.name!r} has {cube.bands} bands, but {len(wavelengths)} wavelengths are given."
        )
    cube = cube.with_wavelengths(wavelengths.nm, assumed)
    state = dict(state_of(layer.metadata) or _foreign_state(cube))
    state |= wavelength_state(wavelengths) | {"notices": list(cube.notices)}
    placed = band_axis(wavelengths)
    for name in ("scale", "translate", "units"):
        now = getattr(layer, name)
        setattr(layer, name, (*now[:-3], placed[name][0], *now[-2:]))
    layer.axis_labels = (*layer.axis_labels[:-3], *placed["axis_labels"])
    # The setter, not the dictionary: it tells the panels.
    layer.metadata = {
        **layer.metadata,
        KEY: jsonable(state),
        "wavelengths": state["wavelengths"],
    }


def before_wavelengths(before: State, now: State) -> State:
    """What takes :func:`set_wavelengths` back, of :data:`WAVELENGTH_STATE`: what else was changed since stays."""
    found: State = {
        name: (*now[name][:-3], before[name][-3], *now[name][-2:])
        for name in ("scale", "translate", "units")
    }
    ours = {key: value for key, value in before["metadata"].items() if key in (KEY, "wavelengths")}
    others = {k: v for k, v in now["metadata"].items() if k not in (KEY, "wavelengths")}
    return {**found, "axis_labels": before["axis_labels"], "metadata": others | ours}


def set_encoding(layer: Layer, encoding: str | None) -> None:
    """State the encoding of a photograph layer (see :class:`napari_hsr.photograph.Photograph`)."""
    state = state_of(layer.metadata)
    if not state and not is_photograph_stack(layer):
        photo = layer_photograph(layer)
        state = {
            "kind": "photograph",
            "name": photo.name,
            "provenance": photo.provenance.to_dict(),
        }
    layer.metadata = {**layer.metadata, KEY: jsonable(dict(state) | {"encoding": encoding})}


def _foreign_state(cube: Cube) -> dict[str, Any]:
    return {"kind": "cube", "name": cube.name, "provenance": cube.provenance.to_dict()}


def _override(keywords: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**keywords, **overrides}
    for key in ("scale", "translate", "units"):
        short, full = overrides.get(key), keywords.get(key)
        if short is not None and full is not None and len(short) < len(full):
            merged[key] = (*full[: len(full) - len(short)], *short)
    axes, affine = len(keywords.get("scale", ())), overrides.get("affine")
    if affine is not None and np.shape(affine) == (3, 3) and axes == 3:
        merged["affine"] = np.eye(4)
        merged["affine"][1:, 1:] = affine
    merged["metadata"] = dict(overrides.get("metadata") or {})
    merged["name"] = layer_name(merged["name"])
    return merged
