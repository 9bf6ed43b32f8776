"""A super-resolved cube over the coarse cube it was made from, and its residual map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.inference.results import SuperResolutionResult
from napari_hsr.resample import aligned
from napari_hsr.viewer.layer_data import spatial_transform
from napari_hsr.viewer.layers import add_cube, add_map, smaller_sizes
from napari_hsr.viewer.world_coordinates import unit_ratios

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_hsr.inference import Result


def place_over(layer: Image, scale: int) -> dict[str, Any]:
    """Keywords that place a cube with ``scale`` times as many pixels exactly over a cube layer.

    Pixels are aligned as in :func:`napari_hsr.resample.aligned`, in the transform of the layer,
    rotation and shear included; the band axis is the layer's.

    Returns
    -------
    dict
        ``scale``, ``translate``, ``affine``, ``units``, ``axis_labels``.
    """
    flat = spatial_transform(layer)
    pixel, origin = aligned(scale, tuple(flat["scale"]), tuple(flat["translate"]))
    frame = (0,) * (layer.ndim - 3)
    first, step = (float(layer.data_to_world((*frame, band, 0, 0))[-3]) for band in (0, 1))
    return {
        "scale": (step - first, *pixel),
        "translate": (first, *origin),
        "affine": flat["affine"],
        "units": layer.units[-3:],
        "axis_labels": layer.axis_labels[-3:],
    }


def lies_over(layer: Image, other: Image) -> bool:
    """Whether the pixels of two cube layers of equal size coincide in the viewer."""
    height, width = other.data.shape[-2:]
    corners = [(0, 0), (0, width - 1), (height - 1, 0)]
    here, there = (
        np.array([one.data_to_world((*(0,) * (one.ndim - 2), *c))[-2:] for c in corners])
        for one in (layer, other)
    )
    here = here * unit_ratios(layer, other)[-2:]
    pixel = np.abs(there[1] - there[0]).max() / max(1, width - 1)
    return bool(np.allclose(here, there, rtol=0, atol=1e-3 * (pixel or 1.0)))


def lay_over(layer: Image, other: Image) -> None:
    """Place a cube layer over another of equal size; its band axis is kept."""
    flat = spatial_transform(other)
    affine = np.array(layer.affine.affine_matrix)
    affine[-3:, -3:] = flat["affine"]
    layer.rotate, layer.shear = np.eye(layer.ndim), np.zeros(layer.ndim)  # in the affine now
    layer.scale = (*layer.scale[:-2], *flat["scale"])
    layer.translate = (*layer.translate[:-2], *flat["translate"])
    layer.affine = affine
    layer.units = (*layer.units[:-2], *flat["units"])


def display_of(layer: Image) -> dict[str, Any]:
    """Keywords that display a cube like a layer, so that equal greys mean equal values."""
    return {
        "colormap": layer.colormap,
        "contrast_limits": tuple(layer.contrast_limits),
        "gamma": layer.gamma,
    }


def add_super_resolved(
    viewer: ViewerModel,
    result: Result,
    name: str,
    place: dict[str, Any],
    map_place: dict[str, Any],
    above: Layer | None = None,
) -> tuple[Image, Image | None]:
    """Add a result, and hidden over it the map of its residual at low resolution.

    Parameters
    ----------
    result : SuperResolutionResult or Result
        Of a run that was cancelled nothing was compared with the coarse cube: no map is added.
    name : str
        Name of the new cube layer.
    place : dict
        From :func:`place_over`, and what :func:`display_of` adds to it.
    map_place : dict
        From :func:`~napari_hsr.viewer.layers.spatial_transform` of the coarse layer.
    above : layer, optional
        The coarse layer, that both go directly above.

    Returns
    -------
    cube, residual : Image layers
        The cube is the active layer; the residual is None without a comparison.
    """
    smaller = smaller_sizes(result.cube)
    cube = add_cube(viewer, result.cube, smaller=smaller, name=name, above=above, **place)
    low, high = cube.contrast_limits
    least, most = result.cube.value_range  # may exceed that of the coarse cube
    cube.contrast_limits_range = (min(low, least), max(high, most))
    viewer.layers.selection.active = cube
    if not isinstance(result, SuperResolutionResult):
        return cube, None
    residual = add_map(
        viewer,
        result.agreement.residual,
        f"{residual_title(result)} · {name}",
        unit=result.cube.units,
        title=residual_title(result),
        provenance={
            "what": "RMS over the bands of the coarse cube less the result brought down to it",
            "degradation": result.agreement.degradation,
            "scale": result.scale,
            "of": name,
        },
        visible=False,
        above=cube,
        **map_place,
    )
    viewer.layers.selection.active = cube
    return cube, residual


def residual_title(result: SuperResolutionResult) -> str:
    """The title of the residual map, with its unit."""
    return f"Residual at low resolution ({result.cube.units or 'cube’s values'}, RMS)"
