"""Cubes as RGB layers, in true colour or in false colour from three bands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_hsr.notices import as_notices
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.viewer.computed_cubes import computed_cube
from napari_hsr.viewer.layer_data import (
    is_copy,
    is_frames,
    layer_name,
    layer_state,
    spatial_transform,
)
from napari_hsr.viewer.layers import add_photograph, photograph_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_hsr.cube import Cube, Wavelengths

#: What a picture shows, in its metadata: two of one kind and of the same bands are the same picture.
TRUE_COLOUR, FALSE_COLOUR = "true-colour", "false-colour"


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
    return _picture(cube, render(cube), "true colour", note, {"kind": TRUE_COLOUR}, SRGB)


def false_colour(
    cube: Cube, nm: Sequence[float] | None = None, *, bands: Sequence[int] | None = None
) -> Photograph:
    """Three bands as red, green and blue, each stretched separately.

    Parameters
    ----------
    cube : Cube
    nm : (float, float, float), optional
        Wavelengths in nm for red, green and blue.
    bands : (int, int, int), optional
        Or the bands themselves, counted from 0. By default :func:`false_colour_bands`.

    Returns
    -------
    Photograph
        (height, width, 3) float32 in 0..1, without an encoding: not colorimetric.

    Raises
    ------
    InputError
        If there is no such band, or wavelengths are asked for and not known.
    """
    from napari_hsr.colour import bands_as_rgb
    from napari_hsr.colour import false_colour as three_bands

    known = cube.wavelengths
    if nm is not None:
        data = three_bands(cube, nm)
        bands = [cube.nearest_band(value) for value in nm]
    else:
        bands = false_colour_bands(cube) if bands is None else [int(band) for band in bands]
        data = bands_as_rgb(cube, bands)
    used = " / ".join(str(band + 1) if known is None else f"{known[band]:.5g}" for band in bands)
    used = f"bands {used}" if known is None else f"{used} nm"
    note = f"Red, green and blue show {used}, each stretched from its 1st to its 99th percentile."
    made = {"kind": FALSE_COLOUR, "bands": bands}
    return _picture(cube, data, f"false colour {used}", note, made, None)


def false_colour_bands(cube: Cube) -> list[int]:
    """The bands, from 0, that are shown as red, green and blue unless others are asked for.

    By wavelength where they are known. Else those that the file names (``default bands``), or
    bands at five sixths, half and a sixth of their number.
    """
    if cube.wavelengths is not None:
        return [cube.nearest_band(nm) for nm in false_colour_wavelengths(cube.wavelengths)]
    return named_bands(cube.bands, cube.metadata.get("default bands"))


def named_bands(bands: int, named: object) -> list[int]:
    """Three band numbers of a file, counted from 1, as indices; others if they are no such."""
    values = named if isinstance(named, (list, tuple)) else []
    numbers = [v for v in values if isinstance(v, (int, float)) and v % 1 == 0 and 1 <= v <= bands]
    if len(values) == len(numbers) == 3:
        return [int(value) - 1 for value in numbers]
    return [min(bands - 1, int(bands * part)) for part in (5 / 6, 1 / 2, 1 / 6)]


def false_colour_wavelengths(wavelengths: Wavelengths | None) -> tuple[float, float, float]:
    """Default wavelengths in nm for red, green, blue: colour infrared if the cube covers it."""
    if wavelengths is None:
        return 650.0, 550.0, 450.0
    wanted: tuple[float, ...]
    low, high = float(wavelengths.nm[0]), float(wavelengths.nm[-1])
    if low <= 560 and high >= 800:
        wanted = (800.0, 660.0, 560.0)
    elif low <= 450 and high >= 650:
        wanted = (650.0, 550.0, 450.0)
    else:
        wanted = tuple(low + (high - low) * part for part in (5 / 6, 1 / 2, 1 / 6))
    red, green, blue = (float(wavelengths[wavelengths.nearest(nm)]) for nm in wanted)
    return red, green, blue


def add_true_colour(viewer: ViewerModel, layer: Image) -> Image:
    """Add or update the true-colour picture of a cube layer, placed over it."""
    return add_picture(viewer, layer, true_colour(computed_cube(layer)))


def add_false_colour(
    viewer: ViewerModel,
    layer: Image,
    nm: Sequence[float] | None = None,
    *,
    bands: Sequence[int] | None = None,
) -> Image:
    """Add or update the false-colour picture of a cube layer; as :func:`false_colour`."""
    return add_picture(viewer, layer, false_colour(computed_cube(layer), nm, bands=bands))


def is_picture(layer: Any) -> bool:
    """True for a picture that was made of a cube here: no photograph that somebody took."""
    return "rendered_layer" in (layer_state(layer).get("metadata") or {})


def add_picture(viewer: ViewerModel, layer: Image, picture: Photograph) -> Image:
    """Place a picture over its cube layer, replacing an earlier one of the same kind.

    Of the cubes of a film, that of another frame stays, as does one that the user gave a name.
    """
    picture.metadata["rendered_layer"] = str(layer.unique_id)
    place, same = spatial_transform(layer), ("rendered_layer", "picture")
    for there in [one for one in viewer.layers if not is_copy(one)]:
        state = layer_state(there)
        known = state.get("metadata") or {}
        alike = all(known.get(key) == picture.metadata[key] for key in same)
        called = f"{state.get('name')}"  # with the frame
        other_frame = is_frames(layer) and called != picture.name
        # napari numbers names that are taken
        if alike and not other_frame and there.name.startswith(layer_name(called)):
            data, keywords, _ = photograph_layer(picture, **place)
            there.data = data
            there.metadata = {**there.metadata, **keywords["metadata"]}
            for name, value in place.items():
                setattr(there, name, value)
            there.visible = True
            return there
    return add_photograph(viewer, picture, above=layer, **place)


def _picture(
    cube: Cube, data, how: str, note: str, made: dict[str, Any], encoding: str | None
) -> Photograph:
    provenance = cube.provenance.with_step(f"Shown in {how}: {note}")
    if not provenance.input:
        provenance = replace(provenance, input=cube.name)
    return Photograph(
        data,
        encoding=encoding,
        name=f"{cube.name} · {how}",
        provenance=provenance,
        notices=as_notices((note,)),
        metadata={"rendering": how, "picture": made},
    )
