"""Stacks of photographs, and the cubes of their frames, as layers.

A stack of photographs gets an axis of one band before its rows, so that it lies with the cubes of its
frames (…, band, y, x) on the same sliders; that axis is wide enough to be shown at every wavelength.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import jsonable
from napari_hsr.errors import InputError
from napari_hsr.photograph import SRGB
from napari_hsr.photograph_stack import (
    OnDemand,
    PhotographStack,
    StackAxis,
    split_index,
    stack_of_array,
)
from napari_hsr.provenance import Provenance
from napari_hsr.viewer import axis
from napari_hsr.viewer.canvas_text import show_wavelength
from napari_hsr.viewer.display_limits import contrast_limits
from napari_hsr.viewer.layer_data import (
    FRAMES,
    KEY,
    cube_layers,
    is_photograph_stack,
    layer_name,
    layer_state,
    wavelength_state,
)
from napari_hsr.viewer.layers import band_axis, put_above

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_hsr.cube import Cube
    from napari_hsr.inference.stacks.frame_cubes import FrameCubes

#: Centre of the one band of a stack of photographs, and its width: any cube lies inside.
_BAND_NM, _WIDE_NM = 550.0, 4000.0


class OnBandAxis(OnDemand):
    """The pixels of a stack (…, 1, height, width, 3): with an axis where its cubes have bands."""

    def __init__(self, stack: PhotographStack):
        self.stack, self._data = stack, stack.data
        self.dtype = self._data.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """(…, 1, height, width, 3)."""
        return (*self.stack.lead, 1, self.stack.height, self.stack.width, 3)

    def __getitem__(self, key: Any) -> np.ndarray:
        lead = len(self.stack.axes)
        chosen, (band, *inside) = split_index(key, self.shape, lead)
        parts = [slice(c.start, c.stop, c.step) if isinstance(c, range) else c for c in chosen]
        values = self._data[(*parts, *inside)]
        if isinstance(band, slice):
            values = np.expand_dims(values, sum(isinstance(part, slice) for part in parts))
        return values


def stack_layer(stack: PhotographStack, **overrides: Any) -> tuple[Any, dict[str, Any], str]:
    """The layer data tuple of a stack of photographs, with an axis of one band."""
    state = {
        "kind": "stack",
        "name": stack.name,
        "encoding": stack.encoding,
        "provenance": stack.provenance.to_dict(),
        "notices": list(stack.notices),
        "metadata": stack.metadata,
    }
    keywords = {
        "name": stack.name,
        "rgb": True,
        "multiscale": False,
        "axis_labels": (*(a.label for a in stack.axes), "λ (nm)", "y", "x"),
        "scale": (*(a.step for a in stack.axes), _WIDE_NM, 1.0, 1.0),
        "translate": (*(a.start for a in stack.axes), _BAND_NM, 0.0, 0.0),
        "units": (*(a.unit for a in stack.axes), "nm", "pixel", "pixel"),
        **overrides,
        "metadata": {KEY: jsonable(state)},
    }
    keywords["name"] = layer_name(keywords["name"])
    return OnBandAxis(stack), keywords, "image"


def add_stack(viewer: ViewerModel, stack: PhotographStack, **overrides: Any) -> Image:
    """Add a stack of photographs to the viewer."""
    data, keywords, _ = stack_layer(stack, **overrides)
    return viewer.add_image(data, **keywords)


def layer_stack(layer: Layer) -> PhotographStack:
    """The stack of photographs that an RGB layer with more than two axes holds.

    That of another program keeps the names, scales and units of its axes; its encoding is sRGB for
    integers, and must be stated for floats.

    Raises
    ------
    InputError
        If it is none.
    """
    if not is_photograph_stack(layer):
        raise InputError(f"{getattr(layer, 'name', layer)!r} is no stack of photographs.")
    state = layer_state(layer)
    if isinstance(layer.data, OnBandAxis):
        known = layer.data.stack
        return replace(known, encoding=state.get("encoding"), name=layer.name)
    encoding = state.get("encoding", SRGB if np.dtype(layer.data.dtype).kind in "iu" else None)
    lead = layer.data.shape[:-3]
    placed = zip(layer.axis_labels, lead, layer.scale, layer.translate, layer.units, strict=False)
    axes = tuple(_axis(str(label), size, *at) for label, size, *at in placed)
    given = Provenance(input=layer.name)
    return stack_of_array(layer.data, encoding, layer.name, axes, provenance=given)


def _axis(label: str, size: int, step: float, start: float, unit: Any) -> StackAxis:
    """An axis of a layer, whose label may end with its unit."""
    given = StackAxis(label, size, float(step), float(start), f"{unit}")
    return replace(given, name=label.removesuffix(f" ({given.symbol})"))


def on_band_axis(viewer: ViewerModel, layer: Layer) -> Image:
    """The layer with an axis of one band: itself, or a new one in its place."""
    if isinstance(layer.data, OnBandAxis):
        return layer
    stack, at = layer_stack(layer), viewer.layers.index(layer)
    place = {
        "scale": (*(a.step for a in stack.axes), _WIDE_NM, *layer.scale[-2:]),
        "translate": (*(a.start for a in stack.axes), _BAND_NM, *layer.translate[-2:]),
    }
    viewer.layers.remove(layer)
    made = add_stack(viewer, stack, visible=layer.visible, **place)
    viewer.layers.move(viewer.layers.index(made), at)
    return made


def add_frames(
    viewer: ViewerModel, frames: FrameCubes, source: Layer, first: Cube, name: str
) -> Image:
    """Add the cubes of a stack as one layer (…, band, y, x), over the layer of its photographs.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    frames : FrameCubes
    source : layer
        The stack of photographs; its axes before the rows, and its place in y and x, are taken.
    first : Cube
        That of the frame on show, for the limits of the contrast.
    name : str
    """
    source = on_band_axis(viewer, source) if source in viewer.layers else source
    bands = band_axis(frames.wavelengths)
    lead = len(frames.stack.axes)
    state = {
        "kind": FRAMES,
        "name": name,
        "units": first.units,
        "provenance": first.provenance.to_dict(),
        "notices": list(first.notices),
        "card": first.metadata.get("card"),
        **wavelength_state(frames.wavelengths),
    }
    was_first = not cube_layers(viewer)
    layer = viewer.add_image(
        frames.data,
        name=layer_name(name),
        colormap="gray",
        contrast_limits=contrast_limits(first),
        rgb=False,
        multiscale=False,
        scale=(*source.scale[:lead], bands["scale"][0], *source.scale[-2:]),
        translate=(*source.translate[:lead], bands["translate"][0], *source.translate[-2:]),
        units=(*source.units[:lead], bands["units"][0], *source.units[-2:]),
        axis_labels=(*source.axis_labels[:lead], bands["axis_labels"][0], "y", "x"),
        metadata={KEY: jsonable(state), "wavelengths": state["wavelengths"]},
    )
    put_above(viewer, layer, source)
    if was_first:
        axis.go_to_band(viewer, layer, axis.first_band(layer))
    else:
        axis.go_into(viewer, layer)
    show_wavelength(viewer)
    return layer


def grow(viewer: ViewerModel, source: Layer, layer: Layer, stack: PhotographStack) -> None:
    """Show a stack that has grown, and its cubes, which know of it already.

    Whoever looks at the last frame sees the new last one; others stay where they are.
    """
    last = shown_frame(viewer, layer)[0] >= source.data.shape[0] - 1
    source.data = OnBandAxis(stack)
    layer.data = layer.data.frames.data
    if last:
        go_to_frame(viewer, layer, 0, stack.lead[0] - 1)


def shown_frame(viewer: ViewerModel, layer: Layer) -> tuple[int, ...]:
    """Index of the frame of a stack, or of its cubes, at the viewer's sliders."""
    from napari_hsr.viewer.world_coordinates import to_layer

    lead = len(_stack_of(layer).axes)
    if viewer.dims.ndim < layer.ndim:
        return (0,) * lead
    place = to_layer(viewer, layer, viewer.dims.point)[:lead]
    return tuple(
        int(np.clip(np.round(np.nan_to_num(p)), 0, size - 1))
        for p, size in zip(place, _stack_of(layer).lead, strict=True)
    )


def go_to_frame(viewer: ViewerModel, layer: Layer, along: int, number: int) -> None:
    """Move the viewer's slider to a frame along one of the first axes of a stack."""
    from napari_hsr.viewer.world_coordinates import unit_factors

    size = _stack_of(layer).lead[along]
    place = layer.translate[along] + layer.scale[along] * min(max(number, 0), size - 1)
    axis = viewer.dims.ndim - layer.ndim + along
    viewer.dims.set_point(axis, float(place * unit_factors(viewer, layer)[along]))


def _stack_of(layer: Layer) -> PhotographStack:
    return layer.data.frames.stack if hasattr(layer.data, "frames") else layer_stack(layer)


def frame_changed(layer: Layer, drawn: bool = False) -> None:
    """Show what has been computed of the frame on show, and tell the panels.

    A layer that is still on show is sliced again, unless it is ``drawn`` with that already.
    """
    if not drawn:
        layer.refresh()
    layer.events.data(value=layer.data)
