"""Cubes as RGB layers, in true colour or in false colour from three wavelengths."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.viewer.layer_data import layer_cube, layer_state, spatial_transform
from napari_hsr.viewer.layers import add_photograph, photograph_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_hsr.cube import Cube, Wavelengths


def true_colour(cube: Cube) -> Photograph:
    """A cube in true colour: CIE 1931 2° observer, illuminant D65, sRGB.

    Returns
    -------
    Photograph
        (height, width, 3) float32 in 0..1, encoding ``"srgb"``; a notice says how the
        brightness was set.

    Raises
    ------
    InputError
        If the wavelengths are not known or do not cover the visible range.
    """
    from napari_hsr.colour import render, rendering

    note = rendering(cube).note
    return _picture(cube, render(cube), "true colour", note, SRGB)


def false_colour(cube: Cube, nm: Sequence[float] | None = None) -> Photograph:
    """Three bands as red, green and blue, each stretched separately.

    Parameters
    ----------
    cube : Cube
        With known wavelengths.
    nm : (float, float, float), optional
        Wavelengths in nm for red, green and blue; by default
        :func:`false_colour_wavelengths`.

    Returns
    -------
    Photograph
        (height, width, 3) float32 in 0..1, without an encoding: not colorimetric.

    Raises
    ------
    InputError
        If the wavelengths are not known, or no band lies near one asked for.
    """
    from napari_hsr.colour import false_colour as three_bands

    nm = false_colour_wavelengths(cube.wavelengths) if nm is None else nm
    data = three_bands(cube, nm)
    bands = [cube.wavelengths[cube.wavelengths.nearest(value)] for value in nm]
    used = " / ".join(f"{value:.5g}" for value in bands)
    note = (
        f"Red, green and blue show {used} nm, each stretched from its 1st to its 99th percentile."
    )
    return _picture(cube, data, f"false colour {used} nm", note, None)


def false_colour_wavelengths(wavelengths: Wavelengths | None) -> tuple[float, float, float]:
    """Default wavelengths in nm for red, green, blue: colour infrared if the cube covers it."""
    if wavelengths is None:
        return 650.0, 550.0, 450.0
    low, high = float(wavelengths.nm[0]), float(wavelengths.nm[-1])
    if low <= 560 and high >= 800:
        wanted = (800.0, 660.0, 560.0)
    elif low <= 450 and high >= 650:
        wanted = (650.0, 550.0, 450.0)
    else:
        wanted = tuple(low + (high - low) * part for part in (5 / 6, 1 / 2, 1 / 6))
    return tuple(float(wavelengths[wavelengths.nearest(nm)]) for nm in wanted)


def add_true_colour(viewer: ViewerModel, layer: Image) -> Image:
    """Add or update the true-colour picture of a cube layer, placed over it."""
    return add_picture(viewer, layer, true_colour(layer_cube(layer)))


def add_false_colour(viewer: ViewerModel, layer: Image, nm: Sequence[float] | None = None) -> Image:
    """Add or update the false-colour picture of a cube layer; wavelengths in nm, red first."""
    return add_picture(viewer, layer, false_colour(layer_cube(layer), nm))


def add_picture(viewer: ViewerModel, layer: Image, picture: Photograph) -> Image:
    """Place a picture over its cube layer, replacing an earlier one of the same kind."""
    picture.metadata["rendered_layer"] = str(layer.unique_id)
    place = spatial_transform(layer)
    for there in viewer.layers:
        known = layer_state(there).get("metadata") or {}
        if all(known.get(key) == picture.metadata[key] for key in ("rendered_layer", "rendering")):
            data, keywords, _ = photograph_layer(picture, **place)
            there.data = data
            there.metadata = keywords["metadata"]
            for name, value in place.items():
                setattr(there, name, value)
            there.visible = True
            return there
    return add_photograph(viewer, picture, **place)


def _picture(cube: Cube, data, how: str, note: str, encoding: str | None) -> Photograph:
    provenance = cube.provenance.with_step(f"Shown in {how}: {note}")
    if not provenance.input:
        provenance = replace(provenance, input=cube.name)
    return Photograph(
        data,
        encoding=encoding,
        name=f"{cube.name} · {how}",
        provenance=provenance,
        notices=(note,),
        metadata={"rendering": how},
    )
