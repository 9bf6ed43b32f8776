"""Cubes, photographs and maps as napari layers, and back again.

A layer that holds one of our things carries ``layer.metadata["hsr"]``, a JSON-like
dictionary that nobody else writes (see :mod:`napari_hsr.viewer.layer_data`), and beside it
``layer.metadata["wavelengths"]`` (nm or None) for other plugins. The array of a layer is
always taken from the layer itself, never from a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import Cube, Wavelengths, jsonable
from napari_hsr.errors import InputError
from napari_hsr.place import Place
from napari_hsr.viewer.display_limits import contrast_limits, map_limits, spread
from napari_hsr.viewer.layer_data import (
    KEY,
    TRANSFORM,
    cube_from_parts,
    photograph_from_parts,
    state_of,
    wavelength_state,
    wavelengths_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_hsr.photograph import Photograph

#: Label of the band axis, with and without wavelengths at a regular spacing.
NM_LABEL, BAND_LABEL = "λ (nm)", "band"
#: y and x stay in pixels: a length unit beside "nm" would rescale them to nanometres.
NM_UNITS, PIXEL_UNITS = ("nm", "pixel", "pixel"), ("pixel", "pixel", "pixel")


# --- from our things to layers -------------------------------------------------------------


def cube_layer(cube: Cube, **overrides: Any) -> tuple[Any, dict[str, Any], str]:
    """The layer data tuple of a cube.

    With wavelengths at a regular spacing the first axis is in nanometres; with irregular
    or unknown ones it is the band index. Its place decides where it lies in y and x. Contrast limits come from ``cube.value_range``
    and a coarse subsample, so the cube is not scanned a second time.

    Parameters
    ----------
    cube : Cube
        (bands, height, width).
    **overrides
        Keywords of ``viewer.add_image`` that replace ours; ``metadata`` is merged, and the
        last two entries of ``scale`` and ``translate`` may be given alone.

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
    keywords = {"name": photo.name, "rgb": True, "multiscale": False, "axis_labels": ("y", "x")}
    keywords = _override(keywords, overrides)
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
        May hold NaN where the map is not defined.
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
    data = np.asarray(data)
    if data.ndim != 2:
        raise InputError(f"A map has two axes (height, width); {name!r} has shape {data.shape}.")
    if unit and unit not in name:
        name = f"{name} ({unit})"
    state = {"kind": "map", "unit": unit, "title": title, "provenance": dict(provenance or {})}
    low, high = map_limits(data) if limits is None else limits
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


def add_cube(viewer: ViewerModel, cube: Cube, **overrides: Any) -> Image:
    """Add a cube to the viewer, with its wavelength written on the canvas.

    The first cube of a viewer is shown at its middle band: beside a photograph napari would
    begin at the first, which is often nearly black. So is any other of which the slider, where
    it stands, would show nothing.
    """
    from napari_hsr.viewer import axis
    from napari_hsr.viewer.canvas_text import show_wavelength

    first = not cube_layers(viewer)
    data, keywords, _ = cube_layer(cube, **overrides)
    layer = viewer.add_image(data, **keywords)
    if first:
        axis.go_to_band(viewer, layer, cube.bands // 2)
    elif layer.visible:
        axis.go_into(viewer, layer)
    show_wavelength(viewer)
    return layer


def add_photograph(viewer: ViewerModel, photo: Photograph, **overrides: Any) -> Image:
    """Add a photograph to the viewer."""
    data, keywords, _ = photograph_layer(photo, **overrides)
    return viewer.add_image(data, **keywords)


def add_map(viewer: ViewerModel, data: np.ndarray, name: str, **options: Any) -> Image:
    """Add a map to the viewer, its colour bar with its unit; options as for :func:`map_layer`."""
    from napari_hsr.viewer.colour_bar_units import show_bar

    data, keywords, _ = map_layer(data, name, **options)
    layer = viewer.add_image(data, **keywords)
    show_bar(viewer, layer)
    return layer


def band_axis(wavelengths: Wavelengths | None, place: Place | None = None) -> dict[str, Any]:
    """``scale``, ``translate``, ``units`` and ``axis_labels`` of a cube with these bands."""
    place = place or Place()
    step = wavelengths.step if wavelengths is not None else None
    first = 0.0 if step is None else float(wavelengths.nm[0])
    return {
        "scale": (step or 1.0, *place.pixel),
        "translate": (first, *place.origin),
        "units": PIXEL_UNITS if step is None else NM_UNITS,
        "axis_labels": (BAND_LABEL if step is None else NM_LABEL, "y", "x"),
    }


def spatial_transform(like: Layer | None) -> dict[str, Any]:
    """Keywords that put a two-dimensional layer exactly where ``like`` is in y and x."""
    if like is None:
        return {}
    front = (0.0,) * (like.ndim - 2)
    origin, down, right = (
        np.asarray(like.data_to_world((*front, *corner)))[-2:]
        for corner in ((0, 0), (1, 0), (0, 1))
    )
    scale, translate = np.asarray(like.scale[-2:]), np.asarray(like.translate[-2:])
    # What scale and translate do not say (rotation, shear, the layer's affine) goes into one
    # affine; it is the identity for most.
    linear = np.column_stack([down - origin, right - origin]) / scale
    affine = np.eye(3)
    affine[:2, :2], affine[:2, 2] = linear, origin - linear @ translate
    return {
        "scale": scale,
        "translate": translate,
        "affine": affine,
        "units": tuple(like.units[-2:]),
    }


# --- from layers to our things -------------------------------------------------------------


def is_cube(layer: Any) -> bool:
    """True for a three-dimensional image layer that is neither RGB nor a stack of maps."""
    return _is_image(layer) and not layer.rgb and layer.ndim == 3


def is_photograph(layer: Any) -> bool:
    """True for a single RGB (or RGBA) image layer."""
    return _is_image(layer) and bool(layer.rgb) and layer.ndim == 2


def cube_layers(viewer: ViewerModel) -> list[Image]:
    """The cubes in the viewer, bottom first."""
    return [layer for layer in viewer.layers if is_cube(layer)]


def photograph_layers(viewer: ViewerModel) -> list[Image]:
    """The photographs in the viewer, bottom first."""
    return [layer for layer in viewer.layers if is_photograph(layer)]


def layer_cube(layer: Layer) -> Cube:
    """The cube that a layer holds: its state, with the layer's current array.

    Its place is that of the layer in the viewer. An image layer that another program made is taken as a cube by band index, with
    wavelengths from its first axis where that is in nanometres (and y, x are not).

    Raises
    ------
    InputError
        If the layer is not a three-dimensional image, or its array is not numeric.
    """
    if not is_cube(layer):
        raise InputError(
            f"{getattr(layer, 'name', layer)!r} is not a cube: an image layer with three axes "
            "(bands, height, width) is needed."
        )
    return cube_from_parts(
        layer.data[0] if layer.multiscale else layer.data,
        {
            "name": layer.name,
            "metadata": layer.metadata,
            "units": layer.units,
            **{key: getattr(layer, key) for key in TRANSFORM},
        },
    )


def layer_photograph(layer: Layer) -> Photograph:
    """The photograph that an RGB layer holds, without its alpha channel.

    Its encoding is the one stored in the layer; else ``"srgb"`` for integers, and None
    for floating point, which the user must then state.

    Raises
    ------
    InputError
        If the layer is not a single RGB image or holds another data type.
    """
    if not is_photograph(layer):
        raise InputError(
            f"{getattr(layer, 'name', layer)!r} is not a photograph: an RGB image layer is needed."
        )
    return photograph_from_parts(
        layer.data[0] if layer.multiscale else layer.data,
        {"name": layer.name, "metadata": layer.metadata},
    )


def layer_state(layer: Layer) -> dict[str, Any]:
    """A copy of our state in a layer (``kind``, ``card``, ``provenance``…); empty if none."""
    return dict(state_of(layer.metadata))


def layer_wavelengths(layer: Layer) -> Wavelengths | None:
    """The wavelengths of a cube layer, without touching its array."""
    keywords = {
        "metadata": layer.metadata,
        "scale": layer.scale,
        "translate": layer.translate,
        "units": layer.units,
    }
    return wavelengths_of(_shape(layer)[0], keywords)


def pixel_at(layer: Layer, world_position: Iterable[float]) -> tuple[int, int] | None:
    """(row, column) of the pixel of ``layer`` under a position in the world, None outside.

    The position may have more axes than the layer; a pixel covers ±0.5 around its centre.
    """
    place = np.asarray(layer.world_to_data(tuple(world_position))[-2:], dtype=float)
    if not np.isfinite(place).all():
        return None
    row, column = (int(v) for v in np.floor(place + 0.5))
    shape = _shape(layer)
    height, width = shape[:2] if getattr(layer, "rgb", False) else shape[-2:]
    return (row, column) if 0 <= row < height and 0 <= column < width else None


# --- changes by the user -------------------------------------------------------------------


def set_wavelengths(layer: Layer, nm: Iterable[float], assumed: bool = False) -> None:
    """State the wavelengths of a cube layer and put it on the matching axis.

    The place of the layer in y and x stays as it is.

    Raises
    ------
    InputError
        If the values are not one a band, finite, positive and strictly ascending.
    """
    cube = layer_cube(layer)
    wavelengths = Wavelengths(np.asarray(list(nm), dtype=float), assumed)
    if len(wavelengths) != cube.bands:
        raise InputError(
            f"{layer.name!r} has {cube.bands} bands, but {len(wavelengths)} wavelengths are given."
        )
    cube = cube.with_wavelengths(wavelengths.nm, assumed)
    state = state_of(layer.metadata) or _foreign_state(cube)
    state = state | wavelength_state(wavelengths) | {"notices": list(cube.notices)}
    axis = band_axis(wavelengths)
    layer.scale = (axis["scale"][0], *layer.scale[-2:])
    layer.translate = (axis["translate"][0], *layer.translate[-2:])
    layer.units = axis["units"]
    layer.axis_labels = axis["axis_labels"]
    # The setter, not the dictionary: it tells the panels.
    layer.metadata = {
        **layer.metadata,
        KEY: jsonable(state),
        "wavelengths": state["wavelengths"],
    }


def set_encoding(layer: Layer, encoding: str | None) -> None:
    """State the encoding of a photograph layer (see :class:`napari_hsr.photograph.Photograph`)."""
    photo = layer_photograph(layer)
    state = state_of(layer.metadata) or {
        "kind": "photograph",
        "name": photo.name,
        "provenance": photo.provenance.to_dict(),
    }
    layer.metadata = {**layer.metadata, KEY: jsonable(dict(state) | {"encoding": encoding})}


# --- inside --------------------------------------------------------------------------------


def _is_image(layer: Any) -> bool:
    from napari.layers import Image

    return isinstance(layer, Image)


def _shape(layer: Layer) -> tuple[int, ...]:
    return tuple((layer.data[0] if layer.multiscale else layer.data).shape)


def _foreign_state(cube: Cube) -> dict[str, Any]:
    return {"kind": "cube", "name": cube.name, "provenance": cube.provenance.to_dict()}


def _override(keywords: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**keywords, **overrides}
    for key in ("scale", "translate"):
        short, full = overrides.get(key), keywords.get(key)
        if short is not None and full is not None and len(short) < len(full):
            merged[key] = (*full[: len(full) - len(short)], *short)
    merged["metadata"] = dict(overrides.get("metadata") or {})
    return merged
