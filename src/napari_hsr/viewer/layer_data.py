"""What layers hold: back from layers and layer data tuples to cubes and photographs.

Our state is a JSON-like dictionary under one key of ``layer.metadata``; this module and
:mod:`napari_hsr.viewer.layers` are the only ones that know what is in it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.georeference import Place
from napari_hsr.io.lazy import LazyArray
from napari_hsr.io.tiff.pixels import TiffPixels
from napari_hsr.notices import Code, has
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.photograph_stack import ColoursOnDemand
from napari_hsr.provenance import Provenance
from napari_hsr.units import one_line
from napari_hsr.viewer.layer_state import usable
from napari_hsr.viewer.world_coordinates import plane_in_world, to_layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari.components import ViewerModel
    from napari.layers import Image, Layer

#: Key of our state in ``layer.metadata``.
KEY = "hsr"
#: Marks the layers in ``layer.metadata`` that a training itself shows: no data to train on.
PREVIEW_KEY = "hsr_training_preview"
#: A space without width: what stands behind it is no tag.
_BREAK = "\u200b"
#: Of a name that begins with a folder or a disk, or goes up, signs that look alike are taken.
_SLASH = "\u2215"
_LEADS_ELSEWHERE = re.compile(rf"^\s*([{_SLASH}\\~]|[A-Za-z]:)|\.\.")
_NO_FOLDERS = str.maketrans("\\:", "\u29f5\u2236")
#: A name of stops alone is a folder: that of the others, or the one around it.
_STOPS, _STOP = re.compile(r"\s*\.+\s*"), "\u2024"
#: Its ``kind`` for the cubes of a stack's frames (…, band, y, x).
FRAMES = "frames"
#: Key in the metadata of a map or a picture: the id of the layer that it was added as. Copies carry it too.
ADDED_AS = "hsr_added_as"
#: Marks layers that were drawn to show something: no pins, and no regions to measure.
OVERLAY = "hsr_overlay"
#: Axes that nobody named: napari has merged bands, of whatever cubes, and kept what is known of the first.
_UNNAMED = ("-3", "-2", "-1")
#: The attributes that place a layer in the world.
TRANSFORM = ("scale", "translate", "rotate", "shear", "affine")


# --- layers ------------------------------------------------------------------------------


def unwrapped(thing: Any) -> Any:
    """A viewer or layer itself: napari hands plugins a proxy, and Qt takes no proxies of docks."""
    return getattr(thing, "__wrapped__", thing)


def is_cube(layer: Any) -> bool:
    """True for a three-dimensional image layer that is neither RGB nor a stack of maps.

    The cubes of a stack's frames are one, too: that of the frame on show.
    """
    return is_image(layer) and not layer.rgb and (layer.ndim == 3 or is_frames(layer))


def is_frames(layer: Any) -> bool:
    """True for a layer with the cubes of all frames of a stack (…, band, y, x)."""
    stated = is_image(layer) and state_of(layer.metadata).get("kind") == FRAMES
    return stated and hasattr(layer.data, "frames")  # else somebody copied what is stated


def is_photograph(layer: Any) -> bool:
    """True for a single RGB (or RGBA) image layer."""
    return is_image(layer) and bool(layer.rgb) and layer.ndim == 2


def is_copy(layer: Any) -> bool:
    """True for a copy of a map or picture of ours, as napari's Duplicate makes: the user keeps it, with what it shows."""
    return layer.metadata.get(ADDED_AS) not in (None, str(layer.unique_id))


def is_training_preview(layer: Any) -> bool:
    """True for what a training shows by itself: it comes and changes while the user is at something else."""
    return PREVIEW_KEY in layer.metadata


def is_overlay(layer: Any) -> bool:
    """True for a layer that was drawn here to show something."""
    return OVERLAY in layer.metadata


def is_photograph_stack(layer: Any) -> bool:
    """True for an RGB image layer with axes before its rows: a film, a time-lapse…."""
    return is_image(layer) and bool(layer.rgb) and layer.ndim > 2 and not layer.multiscale


def cube_layers(viewer: ViewerModel) -> list[Image]:
    """The cubes in the viewer, bottom first."""
    return [layer for layer in viewer.layers if is_cube(layer)]


def photograph_layers(viewer: ViewerModel) -> list[Image]:
    """The photographs in the viewer, bottom first."""
    return [layer for layer in viewer.layers if is_photograph(layer)]


def layer_cube(layer: Layer) -> Cube:
    """The cube that a layer holds: its state, with the layer's current array.

    Its place is that of the layer in the viewer. An image layer made by another program is a
    cube indexed by band; it has wavelengths if its first axis is in nanometres and y, x are not.

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
    keywords = {
        "name": layer.name,
        "metadata": layer.metadata,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
        **{key: getattr(layer, key) for key in TRANSFORM},
    }
    if is_frames(layer):
        frames, name = layer.data.frames, shown_name(layer)
        cube = frames.cube_at_hand(frames.shown)
        if has(cube.notices, Code.PLACEHOLDER):  # in legends and tables, too
            name += " (not yet computed)"
        return cube.replace(name=name, place=place_in(keywords)[0])
    return cube_from_parts(full_resolution(layer), keywords)


def shown_name(layer: Layer) -> str:
    """The name of a cube's layer, of the cubes of a film with the frame on show: what is made of it is of that one."""
    if not is_frames(layer):
        return layer.name
    frames = layer.data.frames
    return f"{layer.name} · frame {frames.stack.number(frames.shown) + 1}"


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
        full_resolution(layer),
        {"name": layer.name, "metadata": layer.metadata},
    )


def layer_shape(layer: Layer) -> tuple[int, ...]:
    """The shape of a layer's array, of the full resolution of a pyramid, of one frame of a stack."""
    shape = tuple(full_resolution(layer).shape)
    return shape[-3:] if is_frames(layer) else shape


def layer_state(layer: Layer) -> dict[str, Any]:
    """A copy of our state in a layer (``kind``, ``card``, ``provenance``…); empty if none."""
    return dict(state_of(layer.metadata))


def layer_wavelengths(layer: Layer) -> Wavelengths | None:
    """The wavelengths of a cube layer, without touching its array."""
    known = ("metadata", "scale", "translate", "units", "axis_labels")
    return wavelengths_of(layer_shape(layer)[0], {key: getattr(layer, key) for key in known})


def pixel_at(
    layer: Layer, position: Iterable[float], viewer: ViewerModel | None = None
) -> tuple[int, int] | None:
    """(row, column) of the pixel of ``layer`` under a position, None outside.

    The position is one in the viewer's world, or without a viewer in the layer's units. It may
    have more axes than the layer; a pixel covers ±0.5 around its centre.
    """
    place = to_layer(viewer, layer, position)[-2:]
    if not np.isfinite(place).all():
        return None
    row, column = (int(v) for v in np.floor(place + 0.5))
    shape = layer_shape(layer)
    height, width = shape[:2] if getattr(layer, "rgb", False) else shape[-2:]
    return (row, column) if 0 <= row < height and 0 <= column < width else None


def spatial_transform(like: Layer | None) -> dict[str, Any]:
    """Keywords that place a two-dimensional layer exactly over ``like``, in its units."""
    if like is None:
        return {}
    matrix, origin = plane_in_world(like)
    scale, translate = np.asarray(like.scale[-2:]), np.asarray(like.translate[-2:])
    # What scale and translate do not say (rotation, shear, the layer's affine) goes into one
    # affine; it is the identity for most.
    linear = matrix / scale
    affine = np.eye(3)
    affine[:2, :2], affine[:2, 2] = linear, origin - linear @ translate
    return {
        "scale": scale,
        "translate": translate,
        "affine": affine,
        "units": tuple(like.units[-2:]),
    }


# --- layer data tuples ---------------------------------------------------------------------


def cube_from_parts(data: Any, keywords: Mapping[str, Any]) -> Cube:
    """The cube in a layer data tuple, as :func:`layer_cube` for a writer that has no layer."""
    state = state_of(keywords.get("metadata"))
    metadata = dict(state.get("metadata") or {})
    if state.get("card") is not None:
        metadata["card"] = state["card"]
    name = _named(keywords, state) or "cube"
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
    """The place of a layer in y and x, and a sentence on what a place cannot hold.

    Returns
    -------
    place : Place or None
        None for unit pixels with the first centred at 0. Rotation and shear are left out:
        layers that overlay each other and are rotated alike still do.
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
    """Scale and offset in y and x of the affine, and whether there is no rotation or shear."""
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
    name = _named(keywords, state) or "photograph"
    if isinstance(data, np.ndarray):
        data = data[..., :3]
    elif not isinstance(data, TiffPixels):
        data = ColoursOnDemand(data, name)
    return Photograph(
        data,
        encoding=state.get("encoding", SRGB if data.dtype.kind in "iu" else None),
        name=name,
        provenance=Provenance.from_dict(state.get("provenance") or {"input": name}),
        notices=tuple(state.get("notices") or ()),
        metadata=dict(state.get("metadata") or {}),
    )


def state_of(metadata: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Our state in a layer's metadata, without what can be none; empty if there is none."""
    return usable((metadata or {}).get(KEY))


def wavelength_state(wavelengths: Wavelengths | None) -> dict[str, Any]:
    """The entries of the state for the wavelengths of a cube."""
    if wavelengths is None:
        return {"wavelengths": None, "assumed": False}
    return {"wavelengths": list(wavelengths), "assumed": bool(wavelengths.assumed)}


def wavelengths_of(bands: int, keywords: Mapping[str, Any]) -> Wavelengths | None:
    """The wavelengths in the metadata or on the first axis of a layer, None if not known."""
    metadata = keywords.get("metadata") or {}
    state = state_of(metadata)
    if state and tuple(keywords.get("axis_labels") or ()) == _UNNAMED:
        return None
    nm = state["wavelengths"] if "wavelengths" in state else metadata.get("wavelengths")
    if nm is None and not state:
        nm = _nm_axis(bands, keywords)
    if nm is None:
        return None
    try:
        if np.shape(nm) != (bands,):
            return None
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
    if isinstance(data, LazyArray):
        return data
    if isinstance(data, np.ndarray) and (
        data.dtype == np.float32 or not isinstance(data, np.memmap)
    ):
        return data
    if np.dtype(data.dtype).kind not in "fiub":
        raise InputError(f"A cube holds real numbers, not {data.dtype}.")
    return LazyArray(data)


def is_image(layer: Any) -> bool:
    """True for any image layer."""
    from napari.layers import Image

    return isinstance(layer, Image)


def full_resolution(layer: Layer) -> Any:
    """The array of a layer, of a pyramid the largest."""
    return layer.data[0] if layer.multiscale else layer.data


def untagged(text: str) -> str:
    """A text with names from files for napari's lists of layers and of what runs, which are rich text to Qt.

    A tag in it would load pictures: it is broken by a space without width. Control characters are replaced.
    """
    plain = one_line(text.replace(_BREAK, ""), 500)
    return re.sub(r"(?<=[<&])(?=[a-zA-Z!?/])", _BREAK, plain)


def layer_name(name: str) -> str:
    """The name of a layer, as :func:`untagged`.

    napari's *Save All Layers* makes the name of a file of it. A slash in one ends that for all layers,
    and it must not lead out of the folder that the user chose. What was made such a name before stays as it is.
    """
    plain = name.replace("/", _SLASH)
    if _LEADS_ELSEWHERE.search(plain):
        plain = plain.translate(_NO_FOLDERS)
    if _STOPS.fullmatch(plain):
        plain = plain.replace(".", _STOP)
    return untagged(plain)


def _named(keywords: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """The name of a layer, or what a file calls it if that was not changed."""
    shown, known = str(keywords.get("name") or ""), str(state.get("name") or "")
    return known if not shown or shown == layer_name(known) else shown
