"""The band axis of the viewer in nanometres: reading and setting the slider.

A cube with regularly spaced wavelengths uses an axis in nanometres. Cubes with irregular or
unknown wavelengths use the band index; for irregular ones the functions here convert between
index and wavelength, so that callers can always work in nanometres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.viewer.layer_data import cube_layers, is_cube, layer_shape, layer_wavelengths
from napari_hsr.viewer.world_coordinates import to_layer, to_world, unit_factors

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

#: Green, in nm: where a cube of visible light opens.
BRIGHT_NM = 550.0


def band_axis_index(viewer: ViewerModel) -> int | None:
    """Which of the viewer's dimensions is the band axis; None without a third dimension."""
    return viewer.dims.ndim - 3 if viewer.dims.ndim >= 3 else None


def has_slider(viewer: ViewerModel) -> bool:
    """Whether bands are shown one at a time: not in 3D, nor where the band axis is one of the canvas."""
    return band_axis_index(viewer) in viewer.dims.not_displayed


def on_nm_axis(layer: Layer) -> bool:
    """True if the first axis of this cube layer is in nanometres, and gives its bands their wavelengths.

    It does not where somebody gave the layer another scale.
    """
    if not is_cube(layer) or str(layer.units[-3]) not in ("nm", "nanometer"):
        return False
    known = layer_wavelengths(layer)
    if known is None:  # bands were taken out of the layer, say
        return False
    ends = [layer.data_to_world(_band_at(layer, at))[-3] for at in (0, len(known) - 1)]
    off = 0.5 if known.step is None else abs(known.step) / 2
    return bool(np.allclose(ends, known.nm[[0, -1]], rtol=0, atol=off))


def current_band(viewer: ViewerModel, layer: Layer) -> int | None:
    """Index of the band of ``layer`` that the viewer shows, None if the slider is outside it."""
    axis = band_axis_index(viewer)
    if axis is None or not is_cube(layer):
        return None
    # As napari slices: by the slider alone, which counts where a layer is turned or sheared in 3D.
    place = to_layer(viewer, layer, (*viewer.dims.point[:-2], 0.0, 0.0))[-3]
    if not np.isfinite(place):  # a layer that lies nowhere
        return None
    # As napari slices: half to even.
    band = int(np.round(place))
    return band if 0 <= band < layer_shape(layer)[0] else None


def current_nm(viewer: ViewerModel, layer: Layer | None = None) -> float | None:
    """The wavelength shown, in nm.

    Parameters
    ----------
    viewer : Viewer
    layer : cube layer, optional
        Return the centre of this cube's current band. By default the position on the axis,
        or the wavelength of the topmost visible cube indexed by band.

    Returns
    -------
    float or None
        None if the slider is outside the cube or the wavelengths are not known.
    """
    if layer is not None:
        band = current_band(viewer, layer)
        return None if band is None else nm_of_band(layer, band)
    cubes = visible_cubes(viewer)
    in_nm = [cube for cube in cubes if on_nm_axis(cube)]
    # Beside cubes indexed by band, a position outside those in nanometres is a band number.
    mixed = len(in_nm) < len(cubes)
    if in_nm and (not mixed or any(current_band(viewer, c) is not None for c in in_nm)):
        nanometre = unit_factors(viewer, in_nm[0])[-3]
        return float(viewer.dims.point[band_axis_index(viewer)] / nanometre)
    return next((nm for c in cubes if (nm := current_nm(viewer, c)) is not None), None)


def nm_of_band(layer: Layer, band: int) -> float | None:
    """The wavelength of a band of a cube layer, in nm; None if it is not known."""
    wavelengths = layer_wavelengths(layer)
    return None if wavelengths is None else float(wavelengths.nm[band])


def go_to(viewer: ViewerModel, nm: float) -> None:
    """Move the viewer's slider to a wavelength in nm (to the nearest step of the axis)."""
    axis = band_axis_index(viewer)
    cubes = visible_cubes(viewer)
    if axis is None or not cubes:
        return
    in_nm = next((cube for cube in cubes if on_nm_axis(cube)), None)
    if in_nm is not None:
        start, _, step = viewer.dims.range[axis]
        wanted = float(nm) * unit_factors(viewer, in_nm)[-3]
        viewer.dims.set_point(axis, start + step * round((wanted - start) / step))
        return
    for cube in cubes:
        wavelengths = layer_wavelengths(cube)
        if wavelengths is not None:
            go_to_band(viewer, cube, wavelengths.nearest(nm))
            return


def go_to_band(viewer: ViewerModel, layer: Layer, band: int) -> None:
    """Move the viewer's slider to a band of a cube layer, counted from 0."""
    axis = band_axis_index(viewer)
    if axis is not None:
        viewer.dims.set_point(axis, float(to_world(viewer, layer, _band_at(layer, band))[-3]))


def _band_at(layer: Layer, band: int) -> tuple[int, ...]:
    """The first pixel of a band of a cube, in its data."""
    return (*(0,) * (layer.ndim - 3), band, 0, 0)


def go_into(viewer: ViewerModel, layer: Layer) -> None:
    """Move the viewer's slider to the first band to show if it is outside this cube layer.

    Cubes indexed by band and cubes in nanometres share one slider in napari, so where one is
    shown the other is not.
    """
    if is_cube(layer) and current_band(viewer, layer) is None:
        go_to_band(viewer, layer, first_band(layer))


def first_band(layer: Layer) -> int:
    """The band that a cube opens at: the nearest to 550 nm, bright in most scenes, else the middle."""
    known = layer_wavelengths(layer)
    if known is not None and known.nm[0] <= BRIGHT_NM <= known.nm[-1]:
        return known.nearest(BRIGHT_NM)
    return layer_shape(layer)[0] // 2


def open_next_cube(viewer: ViewerModel) -> None:
    """Let the next cube that napari itself adds, as of a file, open at its :func:`first_band`.

    Does nothing where there is a cube already: its band stays on show.
    """
    layers = viewer.layers

    def added(event: Any) -> None:
        if is_cube(event.value):
            layers.events.inserted.disconnect(added)
            if len(cube_layers(viewer)) == 1:
                go_to_band(viewer, event.value, first_band(event.value))

    if not cube_layers(viewer):
        layers.events.inserted.connect(added, position="last")


def visible_cubes(viewer: ViewerModel) -> list[Layer]:
    """The visible cubes, topmost first; all cubes if none is visible."""
    cubes = cube_layers(viewer)[::-1]
    return [cube for cube in cubes if cube.visible] or cubes
